//! A call as the store writes it, and how its parts look to people.

use model::{
    AppointmentStatus, AssistantId, CallId, CallStatus, Direction, LeadStatus, Message, Phone, Platform,
    Time, Urgency,
};
use serde::Deserialize;
use store::Came;

use crate::show::{self, Moment, Zone};

/// A call ([`store::ListedCall`] or [`store::CallDetail`]), as far as pages show it.
#[derive(Deserialize)]
pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) caller_phone: Option<String>,
    pub(crate) caller_name: Option<String>,
    pub(crate) caller_email: Option<String>,
    pub(crate) status: CallStatus,
    pub(crate) duration_seconds: Option<i64>,
    pub(crate) summary: Option<String>,
    pub(crate) transcript: Option<String>,
    pub(crate) recording_url: Option<String>,
    pub(crate) transfer_status: Option<String>,
    pub(crate) started_at: Option<Time>,
    pub(crate) created_at: Time,
    pub(crate) assistant_id: Option<AssistantId>,
    pub(crate) contact_id: Option<model::ContactId>,
    pub(crate) intent: Option<String>,
    pub(crate) urgency: Option<Urgency>,
    pub(crate) direction: Option<Direction>,
    pub(crate) source: Platform,
    pub(crate) external_id: Option<String>,
    pub(crate) ended_reason: Option<String>,
    pub(crate) recording_available: bool,
    pub(crate) reviewed: bool,
    pub(crate) spam: bool,
    pub(crate) notes: Option<String>,
    #[serde(default)]
    pub(crate) hits: Vec<Hit>,
    #[serde(default)]
    pub(crate) messages: Option<Vec<Message>>,
    #[serde(default)]
    pub(crate) recordings: Vec<Recording>,
}

/// Where words of a search stand.
#[derive(Deserialize)]
pub(crate) struct Hit {
    pub(crate) field: String,
    pub(crate) parts: Vec<Part>,
}

/// A piece of text, which was found or not.
#[derive(Clone, Deserialize)]
pub(crate) struct Part {
    pub(crate) text: String,
    pub(crate) hit: bool,
}

/// A recording of a call.
#[derive(Deserialize)]
pub(crate) struct Recording {
    pub(crate) variant: String,
    pub(crate) state: String,
    pub(crate) error: Option<String>,
}

/// A word with an icon and a tone: a color never says anything alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Badge {
    pub(crate) word: String,
    pub(crate) icon: &'static str,
    pub(crate) tone: &'static str,
}

impl Badge {
    pub(crate) fn new(word: impl Into<String>, icon: &'static str, tone: &'static str) -> Self {
        Self { word: word.into(), icon, tone }
    }
}

impl Call {
    /// Whether nobody looked at it that should.
    pub(crate) fn is_unread(&self) -> bool {
        !self.reviewed && !self.spam && matches!(self.status, CallStatus::Completed | CallStatus::Failed)
    }

    /// Who called: the name, else the number, else that nobody knows.
    pub(crate) fn who(&self) -> String {
        let number = || self.number();
        self.caller_name.clone().or_else(number).unwrap_or_else(|| "Unknown caller".to_owned())
    }

    /// The number, as people write it.
    pub(crate) fn number(&self) -> Option<String> {
        let phone = self.caller_phone.clone()?;
        Some(Phone::from_e164_unchecked(phone).international())
    }

    /// The number beside a name.
    pub(crate) fn number_beside_name(&self) -> Option<String> {
        self.caller_name.as_ref().and_then(|_| self.number())
    }

    pub(crate) fn status_badge(&self) -> Badge {
        if self.spam {
            return Badge::new("Spam", "ban", "quiet");
        }
        match self.status {
            CallStatus::InProgress => Badge::new("In progress", "live", "info"),
            CallStatus::Forwarding => Badge::new("Transferring", "forward", "info"),
            CallStatus::Completed => Badge::new("Completed", "check", "good"),
            CallStatus::Failed => Badge::new("Failed", "cross", "bad"),
            CallStatus::Blocked => Badge::new("Blocked", "ban", "quiet"),
        }
    }

    pub(crate) fn urgency_badge(&self) -> Option<Badge> {
        Some(match self.urgency? {
            Urgency::High => Badge::new("Urgent", "flame", "bad"),
            Urgency::Medium => Badge::new("Medium", "dash", "warn"),
            Urgency::Low => Badge::new("Low", "down", "quiet"),
        })
    }

    pub(crate) fn duration(&self) -> String {
        self.duration_seconds.map_or_else(|| "–".to_owned(), show::duration)
    }

    /// When it began; where that is not known, when we heard of it.
    pub(crate) fn began(&self, zone: &Zone) -> Moment {
        zone.moment(self.started_at.unwrap_or(self.created_at))
    }

    /// What it was about in a line, in pieces of which some were searched for, and whether somebody else than the
    /// assistant's summary says so.
    pub(crate) fn gist(&self) -> (Vec<Part>, &'static str) {
        if let Some(hit) = self.hits.iter().find(|hit| matches!(hit.field.as_str(), "summary" | "transcript"))
        {
            let from = if hit.field == "transcript" { "In the transcript" } else { "" };
            return (hit.parts.clone(), from);
        }
        let plain = |text: &str| vec![Part { text: show::excerpt(text, 200), hit: false }];
        match (&self.summary, &self.transcript) {
            (Some(summary), _) => (plain(summary), ""),
            (None, Some(transcript)) => (plain(transcript), "No summary; it began"),
            (None, None) if !self.status.is_final() => (plain("The call is under way"), ""),
            (None, None) => match &self.ended_reason {
                Some(reason) => (plain(&format!("No summary. It ended with “{}”", show::words(reason))), ""),
                None => (plain("No summary"), ""),
            },
        }
    }

    /// What is to be done, or was.
    pub(crate) fn next(&self, came: Came, zone: &Zone) -> Option<Badge> {
        if self.spam || self.status == CallStatus::Blocked {
            return None;
        }
        if let Some((status, starts_at)) = came.appointment {
            let at = starts_at.map_or_else(String::new, |at| format!(" {}", zone.day_and_time(at)));
            return Some(match status {
                AppointmentStatus::Booked | AppointmentStatus::Rescheduled => {
                    Badge::new(format!("Booked{at}"), "calendar", "good")
                }
                AppointmentStatus::Unconfirmed => {
                    Badge::new(format!("Confirm booking{at}"), "calendar", "warn")
                }
                AppointmentStatus::Cancelled => Badge::new("Booking cancelled", "calendar", "quiet"),
                AppointmentStatus::Completed => Badge::new("Appointment done", "calendar", "quiet"),
                AppointmentStatus::NoShow => Badge::new("Did not show up", "calendar", "warn"),
            });
        }
        match came.lead? {
            LeadStatus::New => Some(Badge::new("Call back", "phone", "accent")),
            LeadStatus::Contacted => Some(Badge::new("Contacted", "check", "quiet")),
            LeadStatus::Qualified => Some(Badge::new("Qualified", "check", "good")),
            LeadStatus::Won => Some(Badge::new("Won", "check", "good")),
            LeadStatus::Lost => Some(Badge::new("Lost", "dash", "quiet")),
        }
    }
}
