//! Appointments that an assistant booked.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AppointmentId, AssistantId, CallId, ContactId, LeadId, Phone, Platform, Stamp, Time};

/// An appointment that an assistant booked during a call.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Appointment {
    /// Our id of the appointment.
    pub id: AppointmentId,
    /// The call it was booked in.
    pub call_id: Option<CallId>,
    /// The person it is with.
    pub contact_id: Option<ContactId>,
    /// The lead it belongs to.
    pub lead_id: Option<LeadId>,
    /// The assistant that booked it.
    pub assistant_id: Option<AssistantId>,
    /// What it is for.
    pub title: Option<String>,
    /// Who comes.
    pub attendee_name: Option<String>,
    /// Their number.
    pub attendee_phone: Option<Phone>,
    /// Their e-mail address.
    pub attendee_email: Option<String>,
    /// When it begins; null where the booking did not say so in a form that can be read.
    pub starts_at: Option<Time>,
    /// When it ends.
    pub ends_at: Option<Time>,
    /// The time zone it was agreed in (IANA name).
    pub time_zone: Option<String>,
    /// Where it is.
    pub location: Option<String>,
    /// What was noted with the booking.
    pub notes: Option<String>,
    /// Where it stands.
    pub status: AppointmentStatus,
    /// Where we have it from.
    pub source: Platform,
    /// The booking's id in the calendar that holds it.
    pub external_id: Option<String>,
    /// When we first stored the appointment. Unique and increasing within the organization.
    pub created_at: Stamp,
    /// When the appointment last changed.
    pub updated_at: Stamp,
}

/// Where an appointment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AppointmentStatus {
    /// The calendar confirmed it.
    Booked,
    /// The assistant tried to book it and the answer cannot be read as a yes or a no: a person has to look.
    Unconfirmed,
    /// It was moved.
    Rescheduled,
    /// It was called off.
    Cancelled,
    /// It took place.
    Completed,
    /// Nobody came.
    NoShow,
}

impl AppointmentStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Booked, Self::Unconfirmed, Self::Rescheduled, Self::Cancelled, Self::Completed, Self::NoShow];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Booked => "booked",
            Self::Unconfirmed => "unconfirmed",
            Self::Rescheduled => "rescheduled",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
            Self::NoShow => "no_show",
        }
    }

    /// Reads the word of the contract.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}
