//! The bodies of `/v1/appointments`.

use model::{AppointmentStatus, CallId, ContactId, LeadId, Patch, Phone, Time};
use serde::Deserialize;
use store::AppointmentChange;
use utoipa::ToSchema;

use crate::{
    error::ApiError,
    v1::{
        bodies::not_null,
        fields::{email, text, time_zone},
    },
};

/// A new appointment. All fields are optional; what is null or absent is not known.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAppointment {
    /// The call it was booked in.
    pub(crate) call_id: Option<CallId>,
    /// The person it is with; where it is absent, the call's.
    #[serde(default)]
    #[schema(value_type = Option<ContactId>)]
    contact_id: Patch<ContactId>,
    /// The lead it belongs to; where it is absent, the call's.
    #[serde(default)]
    #[schema(value_type = Option<LeadId>)]
    lead_id: Patch<LeadId>,
    /// What it is for.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500)]
    title: Patch<String>,
    /// Who comes; where it is absent, the contact.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500)]
    attendee_name: Patch<String>,
    /// Their number, in E.164, likewise.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "e164")]
    attendee_phone: Patch<Phone>,
    /// Their e-mail address, likewise.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Email, max_length = 320)]
    attendee_email: Patch<String>,
    /// When it begins.
    #[serde(default)]
    #[schema(value_type = Option<Time>)]
    starts_at: Patch<Time>,
    /// When it ends: not before it begins.
    #[serde(default)]
    #[schema(value_type = Option<Time>)]
    ends_at: Patch<Time>,
    /// The time zone it was agreed in (IANA name).
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "time-zone")]
    time_zone: Patch<String>,
    /// Where it is.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    location: Patch<String>,
    /// What is to be known of it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 20_000)]
    notes: Patch<String>,
    /// Where it stands; `booked` where nothing is said.
    status: Option<AppointmentStatus>,
    /// Its id in the calendar that holds it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255)]
    external_id: Patch<String>,
}

impl NewAppointment {
    pub(crate) fn into_change(self) -> Result<AppointmentChange, ApiError> {
        checked(AppointmentChange {
            contact_id: self.contact_id,
            lead_id: self.lead_id,
            title: self.title,
            attendee_name: self.attendee_name,
            attendee_phone: self.attendee_phone,
            attendee_email: self.attendee_email,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            time_zone: self.time_zone,
            location: self.location,
            notes: self.notes,
            status: self.status,
            external_id: self.external_id,
        })
    }
}

/// What is to change of an appointment. What is absent stays; null says that it is not known any more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedAppointment {
    /// The person it is with.
    #[serde(default)]
    #[schema(value_type = Option<ContactId>)]
    contact_id: Patch<ContactId>,
    /// The lead it belongs to.
    #[serde(default)]
    #[schema(value_type = Option<LeadId>)]
    lead_id: Patch<LeadId>,
    /// What it is for.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500)]
    title: Patch<String>,
    /// Who comes.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500)]
    attendee_name: Patch<String>,
    /// Their number, in E.164.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "e164")]
    attendee_phone: Patch<Phone>,
    /// Their e-mail address.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Email, max_length = 320)]
    attendee_email: Patch<String>,
    /// When it begins.
    #[serde(default)]
    #[schema(value_type = Option<Time>)]
    starts_at: Patch<Time>,
    /// When it ends: not before it begins.
    #[serde(default)]
    #[schema(value_type = Option<Time>)]
    ends_at: Patch<Time>,
    /// The time zone it was agreed in (IANA name).
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "time-zone")]
    time_zone: Patch<String>,
    /// Where it is.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    location: Patch<String>,
    /// What is to be known of it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 20_000)]
    notes: Patch<String>,
    /// Where it stands. An `unconfirmed` booking becomes `booked` by this, and is told as booked.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = AppointmentStatus, required = false)]
    status: Option<AppointmentStatus>,
    /// Its id in the calendar that holds it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255)]
    external_id: Patch<String>,
}

impl ChangedAppointment {
    pub(crate) fn into_change(self) -> Result<AppointmentChange, ApiError> {
        checked(AppointmentChange {
            contact_id: self.contact_id,
            lead_id: self.lead_id,
            title: self.title,
            attendee_name: self.attendee_name,
            attendee_phone: self.attendee_phone,
            attendee_email: self.attendee_email,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            time_zone: self.time_zone,
            location: self.location,
            notes: self.notes,
            status: self.status,
            external_id: self.external_id,
        })
    }
}

fn checked(change: AppointmentChange) -> Result<AppointmentChange, ApiError> {
    Ok(AppointmentChange {
        title: text("title", change.title, 500)?,
        attendee_name: text("attendee_name", change.attendee_name, 500)?,
        attendee_email: email("attendee_email", change.attendee_email)?,
        time_zone: time_zone("time_zone", change.time_zone)?,
        location: text("location", change.location, 1000)?,
        notes: text("notes", change.notes, 20_000)?,
        external_id: text("external_id", change.external_id, 255)?,
        ..change
    })
}
