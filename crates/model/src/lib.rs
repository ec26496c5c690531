//! The vocabulary of InboundFlow: calls, contacts, leads, appointments, events and the words they are made of.
//!
//! Pure data. No input or output, no SQL, no HTTP; the time, randomness and fresh ids come from outside through
//! [`Clock`] and [`IdGen`].

mod appointment;
mod assistant;
mod blocked_number;
mod calendar;
mod call;
mod change;
mod clock;
mod contact;
pub mod event;
pub mod id;
mod key;
mod lead;
mod org_role;
mod pacing;
mod page;
mod patch;
mod phone;
mod platform;
mod recording;
pub mod sample;
mod scope;
mod secret;
mod telling;
#[cfg(feature = "testing")]
pub mod testing;
mod time;

pub use appointment::{Appointment, AppointmentStatus};
pub use assistant::Assistant;
pub use blocked_number::BlockedNumber;
pub use calendar::{CalendarFeed, CalendarToken};
pub use call::{Call, CallStatus, Direction, Message, Role, Tool, Urgency};
pub use change::{
    AssistantRef, CallState, Change, Completion, Facts, Field, Fired, Rank, Ranks, Stage, Transfer,
};
pub use clock::{Clock, IdGen};
pub use contact::Contact;
pub use event::{EventFilter, EventType};
pub use id::{
    AppointmentId, AssistantId, AttemptId, BlockedNumberId, CalendarFeedId, CallId, ContactId, DeliveryId,
    EndpointId, ErasureId, EventId, GapId, Id, InboxId, KeyId, LeadId, OrgId, RecoveryId, SessionId,
    SourceId, SyncId, UserId,
};
pub use key::{ApiKey, KeyError};
pub use lead::{Lead, LeadStatus};
pub use org_role::{OrgRole, Permission};
pub use pacing::{Ordering, Pacing, PacingChange};
pub use page::{Cursor, Page, Place, PlacedPage};
pub use patch::Patch;
pub use phone::Phone;
pub use platform::Platform;
pub use recording::{
    CallRecording, LinkError, RecordedAt, RecordingLinks, RecordingSettings, RecordingShown, RecordingState,
    Variant,
};
pub use scope::{Scope, Scopes};
pub use secret::{is_usable_secret, last4, path_segment};
pub use telling::{
    BODY_BYTES, CallFacts, CallFilter, Format, NOT_PASSED_ON, OwnHeaders, Redacted, Sending, Shape, Shaped,
    Telling, TellingChange, WrongHeader,
};
pub use time::{Stamp, Time, is_time_zone};
