//! `data` of each event: what of a record is told.
//!
//! The documented four have the fields of the contract. The opt-in ones have the whole record as the API has it, with
//! its id once more under the name that the documented ones give it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Appointment, AppointmentId, Call, CallId, CallState, Contact, ContactId, EndpointId, Lead, LeadId, Phone,
    Time, Urgency,
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
    /// The call.
    pub call_id: CallId,
    /// All of it.
    #[serde(flatten)]
    pub call: Call,
}

/// `data` of `call.updated`: the call as the API lists it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallUpdated {
    /// The call.
    pub call_id: CallId,
    /// All of it.
    #[serde(flatten)]
    pub call: Call,
    /// The call's fields that changed; `messages` for the conversation, which only `GET /v1/calls/{id}` has.
    pub changed: Vec<String>,
}

/// `data` of `contact.created`: the contact as the API has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ContactCreated<'a> {
    /// The contact.
    pub contact_id: ContactId,
    /// All of it.
    #[serde(flatten)]
    pub contact: &'a Contact,
}

/// `data` of `contact.updated`: the contact as the API has it. A call that only changes `call_count` and `last_call_at` of a
/// contact is told by its own events, not by this one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ContactUpdated<'a> {
    /// The contact.
    pub contact_id: ContactId,
    /// All of it.
    #[serde(flatten)]
    pub contact: &'a Contact,
    /// The contact's fields that changed.
    pub changed: &'a [String],
}

/// `data` of `lead.updated`: the lead as the API has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LeadUpdated<'a> {
    /// The lead.
    pub lead_id: LeadId,
    /// All of it.
    #[serde(flatten)]
    pub lead: &'a Lead,
    /// The lead's fields that changed.
    pub changed: &'a [String],
}

/// `data` of `appointment.updated` and `appointment.cancelled`: the appointment as the API has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AppointmentUpdated<'a> {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// All of it.
    #[serde(flatten)]
    pub appointment: &'a Appointment,
    /// The appointment's fields that changed.
    pub changed: &'a [String],
}

/// `data` of `endpoint.failing`, `endpoint.disabled` and `endpoint.recovered`. Its address is not told: it often holds a
/// secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EndpointStanding<'a> {
    /// The endpoint.
    pub webhook_id: EndpointId,
    /// What it is for, in its owner's words.
    pub description: Option<&'a str>,
    /// Tries that failed since the last one that did not.
    pub failures: i64,
    /// When the first of them was.
    pub failing_since: Time,
    /// Why the last one failed.
    pub last_error: Option<&'a str>,
    /// The first failure after this disables it, or did; null while that is not foreseen.
    pub disable_at: Option<Time>,
}

/// The fields of a record that are not what they were, by the names that the API gives them. When it last changed
/// is not among them.
pub fn changed_fields<T: Serialize>(before: &T, after: &T) -> Vec<String> {
    // Records are plain structures: each is an object, and there is nothing in it that JSON could not hold.
    let before = serde_json::to_value(before).unwrap_or_default();
    let after = serde_json::to_value(after).unwrap_or_default();
    let fields = after.as_object().into_iter().flatten();
    let differs = |name: &str, value| name != "updated_at" && before.get(name) != Some(value);
    fields.filter(|(name, value)| differs(name, value)).map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LeadStatus, Stamp};

    #[test]
    fn what_changed_is_named_as_the_api_names_it() {
        let id = LeadId::new(Default::default());
        let before = Lead {
            id,
            call_id: None,
            contact_id: None,
            name: None,
            phone: None,
            email: Some("robin@example.com".into()),
            intent: None,
            urgency: Some(Urgency::Low),
            summary: None,
            status: LeadStatus::New,
            notes: None,
            created_at: Stamp::from_micros(1),
            updated_at: Stamp::from_micros(1),
        };
        let touched = Lead { updated_at: Stamp::from_micros(2), ..before.clone() };
        assert_eq!(changed_fields(&before, &touched), Vec::<String>::new());
        let status = LeadStatus::Won;
        let after = Lead { email: None, name: Some("Robin".into()), status, ..touched };
        assert_eq!(changed_fields(&before, &after), ["name", "email", "status"]);
    }
}
