//! What is told to the world: the events, who asks for which, and the bodies that webhooks carry.

mod data;
mod filter;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{DeliveryId, OrgId, Time};

pub use data::{
    AppointmentBooked, AppointmentUpdated, CallCompleted, CallStarted, CallTransferred, CallUpdated,
    ContactCreated, ContactUpdated, EndpointStanding, LeadCreated, LeadUpdated, changed_fields,
};
pub use filter::{EventFilter, UnknownEvent};

/// Something that a webhook can be asked to tell.
///
/// The first four are the documented ones. The others are opt-in: told, and kept at all, only where an endpoint names
/// them or asks for `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
pub enum EventType {
    /// A call took place and is over.
    #[serde(rename = "call.completed")]
    CallCompleted,
    /// The assistant handed the caller to a configured destination.
    #[serde(rename = "call.transferred")]
    CallTransferred,
    /// The assistant booked an appointment during a call.
    #[serde(rename = "appointment.booked")]
    AppointmentBooked,
    /// A new lead was made from a call.
    #[serde(rename = "lead.created")]
    LeadCreated,
    /// A call is under way. Opt-in.
    #[serde(rename = "call.started")]
    CallStarted,
    /// Something of a call changed after it was told as completed. Opt-in.
    #[serde(rename = "call.updated")]
    CallUpdated,
    /// Something of a lead changed. Opt-in.
    #[serde(rename = "lead.updated")]
    LeadUpdated,
    /// Something of an appointment changed. Opt-in.
    #[serde(rename = "appointment.updated")]
    AppointmentUpdated,
    /// An appointment was called off. Opt-in.
    #[serde(rename = "appointment.cancelled")]
    AppointmentCancelled,
    /// There is a new contact. Opt-in.
    #[serde(rename = "contact.created")]
    ContactCreated,
    /// Something of a contact changed. Opt-in.
    #[serde(rename = "contact.updated")]
    ContactUpdated,
    /// Webhooks to an endpoint fail again and again. Opt-in.
    #[serde(rename = "endpoint.failing")]
    EndpointFailing,
    /// An endpoint failed for so long that it is not told any more. Opt-in.
    #[serde(rename = "endpoint.disabled")]
    EndpointDisabled,
    /// An endpoint that was told as failing is well again. Opt-in.
    #[serde(rename = "endpoint.recovered")]
    EndpointRecovered,
}

impl EventType {
    /// Every event, the documented ones first.
    pub const ALL: [Self; 14] = [
        Self::CallCompleted,
        Self::CallTransferred,
        Self::AppointmentBooked,
        Self::LeadCreated,
        Self::CallStarted,
        Self::CallUpdated,
        Self::LeadUpdated,
        Self::AppointmentUpdated,
        Self::AppointmentCancelled,
        Self::ContactCreated,
        Self::ContactUpdated,
        Self::EndpointFailing,
        Self::EndpointDisabled,
        Self::EndpointRecovered,
    ];

    /// The event's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallCompleted => "call.completed",
            Self::CallTransferred => "call.transferred",
            Self::AppointmentBooked => "appointment.booked",
            Self::LeadCreated => "lead.created",
            Self::CallStarted => "call.started",
            Self::CallUpdated => "call.updated",
            Self::LeadUpdated => "lead.updated",
            Self::AppointmentUpdated => "appointment.updated",
            Self::AppointmentCancelled => "appointment.cancelled",
            Self::ContactCreated => "contact.created",
            Self::ContactUpdated => "contact.updated",
            Self::EndpointFailing => "endpoint.failing",
            Self::EndpointDisabled => "endpoint.disabled",
            Self::EndpointRecovered => "endpoint.recovered",
        }
    }

    /// Reads an event's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == name)
    }

    /// Whether it is told only to who names it, or asks for `*`.
    pub const fn is_opt_in(self) -> bool {
        !matches!(
            self,
            Self::CallCompleted | Self::CallTransferred | Self::AppointmentBooked | Self::LeadCreated
        )
    }
}

/// The body of a webhook: compact JSON that survives a receiver's `JSON.stringify(JSON.parse(body))` unchanged.
///
/// `data` is the event's JSON, frozen when the event happened; around it stands only what never changes for a
/// delivery, so every try sends the same bytes.
pub fn webhook_body(event: &str, at: Time, org: OrgId, delivery: DeliveryId, data: &str) -> String {
    format!(
        r#"{{"event":"{event}","timestamp":"{at}","organization_id":"{org}","delivery_id":"{delivery}","data":{data}}}"#
    )
}
