//! The ingest's rules as the store carries them out: what they look at, what they decide, and how one is run.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use model::{
    Appointment, AppointmentId, AssistantId, CallId, CallState, Change, Contact, IdGen, Lead, Platform,
    RecordingLinks, Time,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Error, NewEvent, Recordings, Result};

/// The ingest's decisions, as plain functions: the store carries them out and knows none of them.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Merges what a message says into a call. Returns whether anything changed.
    pub merge: fn(&mut CallState, &Change) -> bool,
    /// Decides what follows from a call as it stands.
    pub decide: fn(Situation<'_>) -> Decision,
    /// The ids of bookings that a call's tools meant to change.
    pub changed_bookings: fn(&CallState) -> Vec<String>,
    /// How long `call.completed` waits for a better message that the platform announced.
    pub completion_wait: Duration,
    /// Who is told of what follows.
    pub telling: Telling,
    /// Whether the recordings that messages tell of are fetched.
    pub recordings: Recordings,
}

/// Who is told of what follows from a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Whoever wants to know.
    Owed,
    /// Nobody: it came with a history, and was over before anybody asked for it.
    Quiet,
}

/// A call as it stands, and everything that a decision looks at.
pub struct Situation<'a> {
    /// The call, merged.
    pub call: CallState,
    /// Where it comes from.
    pub platform: Platform,
    /// The assistant that handled it.
    pub assistant_id: Option<AssistantId>,
    /// The call before the message that is being merged; `None` where that is its first.
    pub before: Option<&'a CallState>,
    /// What the organization's block list says of the caller.
    pub screening: Screening,
    /// Whether the call was not told as started so far, because numbers are blocked and nobody had said who calls.
    pub awaited_caller: bool,
    /// The contact with the caller's number; or the call's own one, where the number is what it was.
    pub contact: Option<Contact>,
    /// Whether the call had a contact, and a person deleted it.
    pub contact_is_deleted: bool,
    /// The lead that the call belongs to, or else the contact's open one.
    pub lead: Option<Lead>,
    /// Whether the call had a lead, and a person deleted it.
    pub lead_is_deleted: bool,
    /// The appointments that the call made before, each with the use of the tool that made it.
    pub appointments: Vec<(String, Appointment)>,
    /// What its tools may change, and changed before.
    pub changes: BookingChanges,
    /// What the organization set; not looked up for a call without a use of a tool.
    pub org: OrgSettings,
    /// Whether anybody may ask for opt-in events. Where not, they need not be decided.
    pub opted_in: bool,
    /// How long `call.completed` waits.
    pub completion_wait: Duration,
    /// Who is told of what follows.
    pub telling: Telling,
    /// Where recordings are served from, where they are.
    pub links: Option<&'a RecordingLinks>,
    /// The time.
    pub now: Time,
    /// For the ids of new records.
    pub ids: &'a dyn IdGen,
}

/// What an organization's block list says of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screening {
    /// Nothing: the number is not on it, there is no number to come, or nobody is blocked.
    Passed,
    /// Nothing yet: numbers are blocked, and no message has told who the caller is.
    Unknown,
    /// The number is on it.
    Blocked,
}

/// What an organization set that bears on its calls.
#[derive(Clone, Debug, Default)]
pub struct OrgSettings {
    /// Its time zone (IANA name).
    pub time_zone: Option<String>,
    /// Its country (ISO 3166-1 alpha-2).
    pub country: Option<String>,
}

/// What a call's tools may change of appointments that are there.
#[derive(Clone, Debug, Default)]
pub struct BookingChanges {
    /// The appointments, of whichever call, that have one of the ids.
    pub targets: Vec<Appointment>,
    /// When the calls began that booked them, where they say so.
    pub booked: Vec<(AppointmentId, Time)>,
    /// The uses of this call's tools that have changed one already.
    pub made: Vec<String>,
    /// What uses of tools did to them before, of whichever call.
    pub changed: Vec<ChangedBefore>,
}

/// What the use of a tool did to an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolChange {
    /// It moved it.
    Rescheduled,
    /// It called it off.
    Cancelled,
}

impl ToolChange {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Rescheduled => "rescheduled",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Rescheduled, Self::Cancelled].into_iter().find(|change| change.as_str() == word)
    }
}

/// That the use of a tool changed an appointment before.
#[derive(Clone, Copy, Debug)]
pub struct ChangedBefore {
    /// The appointment.
    pub appointment: AppointmentId,
    /// What it did.
    pub change: ToolChange,
    /// The call in which it was used.
    pub call: CallId,
    /// When that call began, where it says so.
    pub began_at: Option<Time>,
}

/// That a use of a tool changes an appointment now.
#[derive(Clone, Debug)]
pub struct ChangedNow {
    /// The use.
    pub tool_call: String,
    /// The appointment.
    pub appointment: AppointmentId,
    /// What it does.
    pub change: ToolChange,
}

/// What follows from a call. Stamps in the records are the store's to give; what stands in them is not looked at.
pub struct Decision {
    /// The call, with what the decision noted in it.
    pub call: CallState,
    /// The contact to write: the one of the situation changed, or a new one.
    pub contact: Option<Contact>,
    /// The lead to write, likewise.
    pub lead: Option<Lead>,
    /// The appointments to write, likewise.
    pub appointments: Vec<(String, Appointment)>,
    /// The uses of tools that changed an appointment.
    pub changes: Vec<ChangedNow>,
    /// The ids of bookings that tools changed and of which no appointment is here.
    pub awaited: Vec<String>,
    /// The events to tell.
    pub events: Vec<NewEvent>,
}

/// Runs a rule. A rule that panics must cost its message the call, not us the message.
pub(crate) fn guarded<T>(rule: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(rule)).map_err(|_| Error::Panicked)
}
