//! A lead as people see it and fill it in.

use model::{Lead, LeadId, LeadStatus, Patch, Urgency};
use store::LeadChange;

use crate::{
    call::Badge,
    contact,
    extract::Form,
    fault::Fault,
    fields::{self, NAME, NOTES, PLACE, SUMMARY},
};

/// Where a lead's page is.
pub(crate) fn address(id: LeadId) -> String {
    format!("/leads/{id}")
}

/// What people call a status.
pub(crate) const fn word(status: LeadStatus) -> &'static str {
    match status {
        LeadStatus::New => "New",
        LeadStatus::Contacted => "Contacted",
        LeadStatus::Qualified => "Qualified",
        LeadStatus::Won => "Won",
        LeadStatus::Lost => "Lost",
    }
}

pub(crate) fn badge(status: LeadStatus) -> Badge {
    let (icon, tone) = match status {
        LeadStatus::New => ("phone", "accent"),
        LeadStatus::Contacted => ("send", "info"),
        LeadStatus::Qualified => ("check", "warn"),
        LeadStatus::Won => ("check", "good"),
        LeadStatus::Lost => ("dash", "quiet"),
    };
    Badge::new(word(status), icon, tone)
}

/// How urgent something is.
pub(crate) fn urgency(urgency: Option<Urgency>) -> Option<Badge> {
    Some(match urgency? {
        Urgency::High => Badge::new("Urgent", "flame", "bad"),
        Urgency::Medium => Badge::new("Medium", "dash", "warn"),
        Urgency::Low => Badge::new("Low", "down", "quiet"),
    })
}

/// Who it is.
pub(crate) fn who(lead: &Lead) -> String {
    contact::who(lead.name.as_deref(), lead.phone.as_ref(), lead.email.as_deref())
}

/// What they want, in a line.
pub(crate) fn title(lead: &Lead) -> String {
    let summary = lead.summary.as_deref().map(|text| crate::show::excerpt(text, 80));
    lead.intent.clone().or(summary).unwrap_or_else(|| "Lead".to_owned())
}

/// What a person typed of a lead.
#[derive(Clone, Default)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) phone: String,
    pub(crate) email: String,
    pub(crate) intent: String,
    pub(crate) urgency: String,
    pub(crate) status: String,
    pub(crate) summary: String,
    pub(crate) notes: String,
}

impl Draft {
    pub(crate) fn of(lead: &Lead) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            name: text(&lead.name),
            phone: lead.phone.as_ref().map(model::Phone::international).unwrap_or_default(),
            email: text(&lead.email),
            intent: text(&lead.intent),
            urgency: lead.urgency.map(Urgency::as_str).unwrap_or_default().to_owned(),
            status: lead.status.as_str().to_owned(),
            summary: text(&lead.summary),
            notes: text(&lead.notes),
        }
    }

    pub(crate) fn read(form: &Form) -> Self {
        let text = |field| form.text(field).to_owned();
        Self {
            name: text("name"),
            phone: text("phone"),
            email: text("email"),
            intent: text("intent"),
            urgency: text("urgency"),
            status: text("status"),
            summary: fields::lines(form, "summary"),
            notes: fields::lines(form, "notes"),
        }
    }

    /// Looks whether it can be saved, as the API does.
    pub(crate) fn check(&self) -> Result<LeadChange, Fault> {
        let urgency = match Urgency::parse(&self.urgency) {
            Some(urgency) => Patch::Set(urgency),
            None if self.urgency.is_empty() => Patch::Clear,
            None => return Err(("urgency", "Choose one of these.".into())),
        };
        let status = LeadStatus::parse(&self.status).ok_or(("status", "Choose one of these.".to_owned()))?;
        Ok(LeadChange {
            contact_id: Patch::Leave,
            name: fields::text("name", &self.name, NAME)?,
            phone: fields::phone("phone", &self.phone)?,
            email: fields::email("email", &self.email)?,
            intent: fields::text("intent", &self.intent, PLACE)?,
            urgency,
            summary: fields::text("summary", &self.summary, SUMMARY)?,
            status: Some(status),
            notes: fields::text("notes", &self.notes, NOTES)?,
        })
    }

    pub(crate) fn statuses(&self) -> Vec<(&'static str, &'static str, bool)> {
        LeadStatus::ALL.map(|it| (it.as_str(), word(it), it.as_str() == self.status)).to_vec()
    }

    pub(crate) fn urgencies(&self) -> Vec<(&'static str, &'static str, bool)> {
        let all = [("", "Not known"), ("high", "Urgent"), ("medium", "Medium"), ("low", "Low")];
        all.map(|(word, label)| (word, label, word == self.urgency)).to_vec()
    }
}
