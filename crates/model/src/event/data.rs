//! `data` of each event: what of a record is told.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Appointment, AppointmentId, Call, CallId, CallState, Contact, ContactId, Lead, LeadId, Phone, Time,
    Urgency,
};

/// `data` of `call.completed`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the fields of `Call` with these names")]
pub struct CallCompleted<'a> {
    pub call_id: CallId,
    pub caller_phone: Option<&'a Phone>,
    pub caller_name: Option<&'a str>,
    pub caller_email: Option<&'a str>,
    pub duration_seconds: Option<i64>,
    pub summary: Option<&'a str>,
    pub transcript: Option<&'a str>,
    pub intent: Option<&'a str>,
    pub urgency: Option<Urgency>,
    pub recording_url: Option<&'a str>,
    pub started_at: Option<Time>,
    pub ended_at: Option<Time>,
}

impl<'a> CallCompleted<'a> {
    /// Of a call as it stands.
    pub fn of(call: &'a CallState) -> Self {
        let facts = &call.facts;
        Self {
            call_id: call.id,
            caller_phone: facts.caller_phone.as_ref(),
            caller_name: facts.caller_name.as_deref(),
            caller_email: facts.caller_email.as_deref(),
            duration_seconds: facts.duration_seconds,
            summary: facts.summary.as_deref(),
            transcript: facts.transcript.as_deref(),
            intent: facts.intent.as_deref(),
            urgency: facts.urgency,
            recording_url: facts.recording_url.as_deref(),
            started_at: facts.started_at,
            ended_at: facts.ended_at,
        }
    }
}

/// `data` of `call.transferred`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallTransferred<'a> {
    /// The call.
    pub call_id: CallId,
    /// The caller's number.
    pub caller_phone: Option<&'a Phone>,
    /// The caller's name.
    pub caller_name: Option<&'a str>,
    /// Whom the caller was handed to: a number or a SIP address.
    pub transfer_destination: Option<&'a str>,
    /// How the transfer stands, in the platform's word.
    pub transfer_status: Option<&'a str>,
    /// Why the assistant handed the caller over.
    pub transfer_reason: Option<&'a str>,
    /// When it did.
    pub transferred_at: Option<Time>,
    /// What the call was about, where that is known already.
    pub summary: Option<&'a str>,
}

impl<'a> CallTransferred<'a> {
    /// Of a call as it stands.
    pub fn of(call: &'a CallState) -> Self {
        let facts = &call.facts;
        Self {
            call_id: call.id,
            caller_phone: facts.caller_phone.as_ref(),
            caller_name: facts.caller_name.as_deref(),
            transfer_destination: facts.transfer_destination.as_deref(),
            transfer_status: facts.transfer_status.as_deref(),
            transfer_reason: facts.transfer_reason.as_deref(),
            transferred_at: facts.transferred_at,
            summary: facts.summary.as_deref(),
        }
    }
}

/// `data` of `appointment.booked`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the fields of `Appointment` with these names")]
pub struct AppointmentBooked<'a> {
    pub appointment_id: AppointmentId,
    pub call_id: Option<CallId>,
    pub contact_id: Option<ContactId>,
    pub title: Option<&'a str>,
    pub attendee_name: Option<&'a str>,
    pub attendee_phone: Option<&'a Phone>,
    pub attendee_email: Option<&'a str>,
    pub starts_at: Option<Time>,
    pub ends_at: Option<Time>,
    pub time_zone: Option<&'a str>,
    pub location: Option<&'a str>,
    pub notes: Option<&'a str>,
}

impl<'a> From<&'a Appointment> for AppointmentBooked<'a> {
    fn from(appointment: &'a Appointment) -> Self {
        Self {
            appointment_id: appointment.id,
            call_id: appointment.call_id,
            contact_id: appointment.contact_id,
            title: appointment.title.as_deref(),
            attendee_name: appointment.attendee_name.as_deref(),
            attendee_phone: appointment.attendee_phone.as_ref(),
            attendee_email: appointment.attendee_email.as_deref(),
            starts_at: appointment.starts_at,
            ends_at: appointment.ends_at,
            time_zone: appointment.time_zone.as_deref(),
            location: appointment.location.as_deref(),
            notes: appointment.notes.as_deref(),
        }
    }
}

/// `data` of `lead.created`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the fields of `Lead` with these names")]
pub struct LeadCreated<'a> {
    pub lead_id: LeadId,
    pub call_id: Option<CallId>,
    pub contact_id: Option<ContactId>,
    pub name: Option<&'a str>,
    pub phone: Option<&'a Phone>,
    pub email: Option<&'a str>,
    pub intent: Option<&'a str>,
    pub urgency: Option<Urgency>,
    pub summary: Option<&'a str>,
}

impl<'a> From<&'a Lead> for LeadCreated<'a> {
    fn from(lead: &'a Lead) -> Self {
        Self {
            lead_id: lead.id,
            call_id: lead.call_id,
            contact_id: lead.contact_id,
            name: lead.name.as_deref(),
            phone: lead.phone.as_ref(),
            email: lead.email.as_deref(),
            intent: lead.intent.as_deref(),
            urgency: lead.urgency,
            summary: lead.summary.as_deref(),
        }
    }
}

/// `data` of `call.started`: the call as the API lists it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallStarted {
    /// The call, as the documented events name it.
    pub call_id: CallId,
    /// The call.
    #[serde(flatten)]
    pub call: Call,
}

/// `data` of `call.updated`: the call as the API lists it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallUpdated {
    /// The call, as the documented events name it.
    pub call_id: CallId,
    /// The call.
    #[serde(flatten)]
    pub call: Call,
    /// The call's fields that are new or different; `messages` where the conversation is, which `data` does not carry.
    pub changed_fields: Vec<String>,
}

/// `data` of `contact.created`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ContactCreated<'a> {
    /// The contact, as the documented events name it.
    pub contact_id: ContactId,
    /// The contact.
    #[serde(flatten)]
    pub contact: &'a Contact,
}

/// `data` of `contact.updated`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ContactUpdated<'a> {
    /// The contact, as the documented events name it.
    pub contact_id: ContactId,
    /// The contact.
    #[serde(flatten)]
    pub contact: &'a Contact,
    /// The contact's fields that are new or different.
    pub changed_fields: &'a [&'a str],
}

/// `data` of `lead.updated`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LeadUpdated<'a> {
    /// The lead, as the documented events name it.
    pub lead_id: LeadId,
    /// The lead.
    #[serde(flatten)]
    pub lead: &'a Lead,
    /// The lead's fields that are new or different.
    pub changed_fields: &'a [&'a str],
}

/// `data` of `appointment.updated` and `appointment.cancelled`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AppointmentUpdated<'a> {
    /// The appointment, as the documented events name it.
    pub appointment_id: AppointmentId,
    /// The appointment.
    #[serde(flatten)]
    pub appointment: &'a Appointment,
    /// The appointment's fields that are new or different.
    pub changed_fields: &'a [&'a str],
}
