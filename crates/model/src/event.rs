//! What is told to the world: the events, who is told which, and the bodies that webhooks carry.

mod data;
mod filter;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{DeliveryId, OrgId, Time};

pub use data::{
    AppointmentBooked, AppointmentUpdated, CallCompleted, CallStarted, CallTransferred, CallUpdated,
    ContactCreated, ContactUpdated, LeadCreated, LeadUpdated,
};
pub use filter::{EventFilter, UnknownEvent};

/// Something that a webhook can be asked to tell.
///
/// The first four are the documented ones, which every client of InboundFlow knows. The others are opt-in: they are
/// told, and kept at all, only where an endpoint names them (or asks for `*`).
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
    /// A call is under way. Not told of a call that is over when we first hear of it.
    #[serde(rename = "call.started")]
    CallStarted,
    /// Something of a call is new or different after `call.completed`: a late transcript, analysis or recording.
    #[serde(rename = "call.updated")]
    CallUpdated,
    /// Something of a lead is different.
    #[serde(rename = "lead.updated")]
    LeadUpdated,
    /// Something of an appointment is different.
    #[serde(rename = "appointment.updated")]
    AppointmentUpdated,
    /// An appointment was called off.
    #[serde(rename = "appointment.cancelled")]
    AppointmentCancelled,
    /// There is a new contact.
    #[serde(rename = "contact.created")]
    ContactCreated,
    /// Something of a contact is different.
    #[serde(rename = "contact.updated")]
    ContactUpdated,
}

impl EventType {
    /// Every event.
    pub const ALL: [Self; 11] = [
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
        }
    }

    /// Reads an event's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == name)
    }

    /// Whether it is one of the four that an endpoint with `all` is told.
    pub const fn is_documented(self) -> bool {
        matches!(
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
