//! Leads as people and systems write them: create, change, delete.

use model::{CallId, Contact, ContactId, Lead, LeadId, LeadStatus, OrgId, Patch, Phone, Stamp, Urgency};

use super::by_id;
use crate::{
    ContactChange, OrgStore, Result, Subject,
    calls::{self, NamedCall},
    contacts,
    tx::Tx,
    value::{Cells, params},
    writes::{Answer, Asked, Change, Changed, Halt, Refusal, Saved, Saving, Writing},
};

/// What is said of a lead's fields.
#[derive(Clone, Debug, Default)]
pub struct LeadChange {
    /// The person.
    pub contact_id: Patch<ContactId>,
    /// The person's name.
    pub name: Patch<String>,
    /// The number to call back.
    pub phone: Patch<Phone>,
    /// The e-mail address.
    pub email: Patch<String>,
    /// What they want.
    pub intent: Patch<String>,
    /// How urgent it is.
    pub urgency: Patch<Urgency>,
    /// What it is about.
    pub summary: Patch<String>,
    /// Where it stands.
    pub status: Option<LeadStatus>,
    /// Notes.
    pub notes: Patch<String>,
}

impl OrgStore {
    /// Makes a lead, which may be a call's: then the call's later messages bring it up to date.
    ///
    /// Without a contact it gets the one with its number, which is made where there is none: so a caller who has an open lead
    /// is known when they call again.
    pub async fn create_lead(&self, call: Option<CallId>, new: LeadChange, asked: Asked) -> Result<Answer> {
        self.write_once(asked, move |writing| Box::pin(create(writing, call, new))).await
    }

    /// Changes a lead. What a person wrote stays until the caller says something new.
    pub async fn update_lead(&self, id: LeadId, change: LeadChange, asked: Asked) -> Result<Answer> {
        self.write_once(asked, move |writing| Box::pin(update(writing, id, change))).await
    }

    /// Deletes a lead. Its appointments stay, and a later message of its call does not bring it back.
    pub async fn delete_lead(&self, id: LeadId, asked: Asked) -> Result<Answer> {
        self.write_once(asked, move |writing| Box::pin(delete(writing, id))).await
    }
}

async fn create(writing: &mut Writing<'_, '_>, call: Option<CallId>, new: LeadChange) -> Saving {
    let call = match call {
        Some(id) => Some(calls::named(writing, id).await?),
        None => None,
    };
    if let Some(lead) = call.as_ref().and_then(|call| call.lead_id)
        && let Some(lead) = by_id(writing.tx, writing.org, lead).await?
    {
        return Err(Refusal::Taken { field: "call_id", noun: "lead", by: lead.id.uuid() }.into());
    }
    let mut lead = Lead {
        id: writing.teller.ids.id(),
        call_id: call.as_ref().map(|call| call.id),
        contact_id: None,
        name: None,
        phone: None,
        email: None,
        intent: None,
        urgency: None,
        summary: None,
        status: LeadStatus::New,
        notes: None,
        created_at: Stamp::from_micros(0),
        updated_at: Stamp::from_micros(0),
    };
    apply(writing, &mut lead, new).await?;
    find_person(writing, &mut lead, call.as_ref()).await?;
    lead.created_at = writing.stamp().await?;
    lead.updated_at = lead.created_at;
    super::insert(writing.tx, writing.org, None, &lead).await?;
    if let Some(call) = &call {
        calls::put_lead(writing.tx, writing.org, call.id, lead.id).await?;
    }
    let saved = Saved::created(&lead);
    writing.note(Change::Lead(Box::new(Changed { before: None, after: Some(lead), call })));
    Ok(saved)
}

/// Whose lead it is, where that is not said; and how to reach them, where that is known of the contact.
async fn find_person(
    writing: &mut Writing<'_, '_>,
    lead: &mut Lead,
    call: Option<&NamedCall>,
) -> std::result::Result<(), Halt> {
    let of_call = call.and_then(|call| call.contact_id);
    let contact = match (lead.contact_id.or(of_call), &lead.phone) {
        (Some(id), _) => contacts::by_id(writing.tx, writing.org, id).await?,
        (None, Some(phone)) => Some(contact_with(writing, phone.clone(), lead).await?),
        (None, None) => None,
    };
    let Some(contact) = contact else { return Ok(()) };
    lead.contact_id = Some(contact.id);
    lead.name = lead.name.take().or(contact.name);
    lead.phone = lead.phone.take().or(contact.phone);
    lead.email = lead.email.take().or(contact.email);
    Ok(())
}

async fn contact_with(
    writing: &mut Writing<'_, '_>,
    phone: Phone,
    lead: &Lead,
) -> std::result::Result<Contact, Halt> {
    if let Some(known) = contacts::by_phone(writing.tx, writing.org, &phone).await? {
        return Ok(known);
    }
    let said = |text: &Option<String>| text.clone().map_or(Patch::Leave, Patch::Set);
    let new = ContactChange {
        phone: Patch::Set(phone),
        name: said(&lead.name),
        email: said(&lead.email),
        ..ContactChange::default()
    };
    let blank = contacts::blank(writing.teller.ids.id());
    contacts::make(writing, blank, new).await
}

async fn update(writing: &mut Writing<'_, '_>, id: LeadId, change: LeadChange) -> Saving {
    let before = by_id(writing.tx, writing.org, id).await?.ok_or(Refusal::Missing)?;
    writing.expect(before.updated_at)?;
    let mut after = before.clone();
    apply(writing, &mut after, change).await?;
    if after != before {
        after.updated_at = writing.stamp().await?;
        overwrite(writing.tx, writing.org, &after).await?;
        let changed = Changed { before: Some(before), after: Some(after.clone()), call: None };
        writing.note(Change::Lead(Box::new(changed)));
    }
    Ok(Saved::updated(&after))
}

async fn apply(
    writing: &mut Writing<'_, '_>,
    lead: &mut Lead,
    change: LeadChange,
) -> std::result::Result<(), Halt> {
    let contact_id = match change.contact_id {
        Patch::Set(id) => Patch::Set(contacts::named(writing, id).await?),
        other => other,
    };
    contact_id.apply_to(&mut lead.contact_id);
    change.name.apply_to(&mut lead.name);
    change.phone.apply_to(&mut lead.phone);
    change.email.apply_to(&mut lead.email);
    change.intent.apply_to(&mut lead.intent);
    change.urgency.apply_to(&mut lead.urgency);
    change.summary.apply_to(&mut lead.summary);
    change.notes.apply_to(&mut lead.notes);
    lead.status = change.status.unwrap_or(lead.status);
    Ok(())
}

/// The call goes on naming the lead that is not there any more: that is how its later messages know.
async fn delete(writing: &mut Writing<'_, '_>, id: LeadId) -> Saving {
    let before = by_id(writing.tx, writing.org, id).await?.ok_or(Refusal::Missing)?;
    writing.expect(before.updated_at)?;
    note_left(writing, id).await?;
    let stamp = writing.stamp().await?;
    let sql = "UPDATE appointments SET lead_id = NULL, updated_at = ?3 WHERE lead_id = ?1 AND org_id = ?2";
    writing.tx.execute(sql, params![id, writing.org, stamp]).await?;
    let sql = "DELETE FROM leads WHERE id = ?1 AND org_id = ?2";
    writing.tx.execute(sql, params![id, writing.org]).await?;
    writing.note(Change::Lead(Box::new(Changed { before: Some(before), after: None, call: None })));
    Ok(Saved::deleted(id.uuid()))
}

/// Notes the appointments that lose their lead.
async fn note_left(writing: &mut Writing<'_, '_>, lead: LeadId) -> Result<()> {
    let sql = "SELECT id, call_id FROM appointments WHERE lead_id = ?1 AND org_id = ?2 ORDER BY created_at";
    let read = |row: &mut Cells<'_>| Ok((Subject::Appointment(row.get()?), row.get()?));
    for (subject, call) in writing.tx.query(sql, params![lead, writing.org], read).await? {
        writing.note(Change::Fields(subject, call, vec!["lead_id"]));
    }
    Ok(())
}

/// Writes all that a person can change of a lead: more than a call can.
async fn overwrite(tx: &mut Tx<'_>, org: OrgId, lead: &Lead) -> Result<()> {
    super::update(tx, org, lead).await?;
    let sql = "UPDATE leads SET status = ?3, notes = ?4 WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![lead.id, org, lead.status.as_str(), &lead.notes]).await.map(drop)
}

/// The lead that a field of another record names.
pub(crate) async fn named(writing: &mut Writing<'_, '_>, id: LeadId) -> std::result::Result<Lead, Halt> {
    let lead = by_id(writing.tx, writing.org, id).await?;
    Ok(lead.ok_or(Refusal::Unknown { field: "lead_id", noun: "lead" })?)
}
