//! Typed ids: a UUID that knows what it names, so that a call's id cannot be passed where a contact's is wanted.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// A UUID (v7 where we make it) of one kind of record.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

/// What an [`Id`] can name. The types have no values; they exist only as the `K` of `Id<K>`.
pub mod kind {
    /// An organization.
    pub enum Org {}
    /// A call.
    pub enum Call {}
    /// A contact.
    pub enum Contact {}
    /// A lead.
    pub enum Lead {}
    /// An appointment.
    pub enum Appointment {}
    /// An assistant.
    pub enum Assistant {}
    /// A number on a block list.
    pub enum BlockedNumber {}
    /// An address at which calendars read the appointments.
    pub enum CalendarFeed {}
    /// An API key.
    pub enum Key {}
    /// A source.
    pub enum Source {}
    /// A message as it arrived from a platform.
    pub enum Inbox {}
    /// A listing of a platform's calls: an import, or a source's reconciler.
    pub enum Sync {}
    /// A call, or the end of one, that a platform did not tell of.
    pub enum Gap {}
    /// An event.
    pub enum Event {}
    /// A webhook endpoint.
    pub enum Endpoint {}
    /// A delivery of one event to one endpoint.
    pub enum Delivery {}
    /// One try of a delivery.
    pub enum Attempt {}
    /// The sending again of what failed.
    pub enum Recovery {}
    /// The erasure of a person.
    pub enum Erasure {}
    /// A person who signs in.
    pub enum User {}
    /// A person being signed in.
    pub enum Session {}
}

/// Names an organization.
pub type OrgId = Id<kind::Org>;
/// Names a call.
pub type CallId = Id<kind::Call>;
/// Names a contact.
pub type ContactId = Id<kind::Contact>;
/// Names a lead.
pub type LeadId = Id<kind::Lead>;
/// Names an appointment.
pub type AppointmentId = Id<kind::Appointment>;
/// Names an assistant.
pub type AssistantId = Id<kind::Assistant>;
/// Names a number on a block list.
pub type BlockedNumberId = Id<kind::BlockedNumber>;
/// Names an address at which calendars read the appointments.
pub type CalendarFeedId = Id<kind::CalendarFeed>;
/// Names an API key's record (not the `key id` inside the key's text).
pub type KeyId = Id<kind::Key>;
/// Names a source.
pub type SourceId = Id<kind::Source>;
/// Names a message as it arrived.
pub type InboxId = Id<kind::Inbox>;
/// Names an import, or a source's reconciler.
pub type SyncId = Id<kind::Sync>;
/// Names a gap that was found.
pub type GapId = Id<kind::Gap>;
/// Names an event.
pub type EventId = Id<kind::Event>;
/// Names a webhook endpoint.
pub type EndpointId = Id<kind::Endpoint>;
/// Names a delivery; the same through every retry and resend.
pub type DeliveryId = Id<kind::Delivery>;
/// Names one try of a delivery.
pub type AttemptId = Id<kind::Attempt>;
/// Names the sending again of what failed.
pub type RecoveryId = Id<kind::Recovery>;
/// Names the erasure of a person.
pub type ErasureId = Id<kind::Erasure>;
/// Names a person who signs in.
pub type UserId = Id<kind::User>;
/// Names a session of a person.
pub type SessionId = Id<kind::Session>;

impl<K> Id<K> {
    /// Takes a UUID as the id of a `K`.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The UUID itself.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl<K> FromStr for Id<K> {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self::new)
    }
}
impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::new)
    }
}
impl<K> utoipa::PartialSchema for Id<K> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Uuid)))
            .into()
    }
}
impl<K> utoipa::ToSchema for Id<K> {}
