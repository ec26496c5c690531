//! What one message of a platform says about one call, and the state that such messages add up to.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::{
    CallId, CallRecording, CallStatus, ContactId, Direction, LeadId, Message, Phone, RecordedAt, Time,
    Urgency,
};

/// What one message says about one call. Connectors make these; the ingest merges them.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The platform's own id of the call.
    pub external_id: String,
    /// How late in a call's life messages of this kind come.
    pub stage: Stage,
    /// When the platform made the message, where it says so. Orders messages of the same stage.
    pub at: Option<Time>,
    /// Whether the call can be told as completed after this message.
    pub completion: Completion,
    /// What is said. `None` says nothing; it never clears a field.
    pub facts: Facts,
    /// How far a transfer has come, where the message speaks of one.
    pub transfer: Transfer,
}

/// How late in a call's life a message comes. What a later one says replaces what an earlier one said, in whatever
/// order they arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Nothing came for so long that the call must be over. Whatever the platform says counts for more.
    Swept = 0,
    /// The call is there.
    #[default]
    Started = 1,
    /// Something happened during the call.
    Status = 2,
    /// The call is over.
    Ended = 3,
    /// The call was analyzed.
    Analyzed = 4,
    /// The recording is there.
    Audio = 5,
}

/// Whether a call can be told as completed. The furthest word of all messages counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Completion {
    /// The call is not known to be over.
    #[default]
    No = 0,
    /// It is over, but the platform has announced a better message; wait a little for it.
    Wait = 1,
    /// Everything is there.
    Now = 2,
}

/// How far a transfer has come. The furthest word of all messages counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transfer {
    /// Nothing is said of a transfer.
    #[default]
    None = 0,
    /// It was begun.
    Started = 1,
    /// It was begun and came to nothing.
    Failed = 2,
    /// The caller was handed over.
    HandedOver = 3,
    /// The caller was handed over, and that conversation is over too.
    Ended = 4,
}

/// The voice assistant as a platform names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssistantRef {
    /// The platform's id of the assistant.
    pub external_id: String,
    /// Its name, where the message tells it.
    pub name: Option<String>,
}

/// Everything that can be known of a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Where the call stands.
    pub status: Option<CallStatus>,
    /// The platform's word for how it ended.
    pub ended_reason: Option<String>,
    /// The other party's number.
    pub caller_phone: Option<Phone>,
    /// The other party as the platform wrote it, where that is not a phone number (SIP address, short code, withheld).
    pub caller_address: Option<String>,
    /// The caller's name.
    pub caller_name: Option<String>,
    /// The caller's e-mail address.
    pub caller_email: Option<String>,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// When the call began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// Whole seconds, half rounded up, as the platform counts them.
    pub duration_seconds: Option<i64>,
    /// What the call was about.
    pub summary: Option<String>,
    /// The conversation as text.
    pub transcript: Option<String>,
    /// The conversation turn by turn.
    pub messages: Option<Vec<Message>>,
    /// Where the recording is.
    pub recording_url: Option<String>,
    /// Where its other variants are: each side alone, or one in each channel. Those of the message whose
    /// `recording_url` counts. One with that same address says which variant it is; without, it is mono. Not merged:
    /// what is known of recordings is kept beside the call.
    pub recordings: Vec<RecordedAt>,
    /// How a transfer stands, in the platform's word.
    pub transfer_status: Option<String>,
    /// Whom the caller was handed to: a number or a SIP address.
    pub transfer_destination: Option<String>,
    /// Why.
    pub transfer_reason: Option<String>,
    /// When.
    pub transferred_at: Option<Time>,
    /// The assistant that handled the call.
    pub assistant: Option<AssistantRef>,
    /// What the caller wanted.
    pub intent: Option<String>,
    /// How urgent it is.
    pub urgency: Option<Urgency>,
    /// The fields that the platform's analysis filled in, under its own names.
    pub captured: Option<Map<String, Value>>,
    /// The carrier's id of the call (a Twilio CallSid), to find it in their console.
    pub carrier_id: Option<String>,
}

/// A call as all messages so far add up to it, with what is needed to merge the next one.
#[derive(Clone, Debug, PartialEq)]
pub struct CallState {
    /// Our id of the call.
    pub id: CallId,
    /// What is known.
    pub facts: Facts,
    /// For each fact, which message it comes from.
    pub ranks: Ranks,
    /// Whether it can be told as completed.
    pub completion: Completion,
    /// How far a transfer has come.
    pub transfer: Transfer,
    /// The contact with the caller's number.
    pub contact_id: Option<ContactId>,
    /// The lead that the call made or updated.
    pub lead_id: Option<LeadId>,
    /// Whether a person marked the call as spam.
    pub spam: bool,
    /// What we have of its recordings.
    pub recording: Option<CallRecording>,
    /// Whether it came from a number that the organization blocks. Once it did, it stays so.
    pub blocked: bool,
    /// The uses of booking tools whose appointments a person deleted.
    pub deleted_bookings: Vec<String>,
    /// What has been told of the call.
    pub fired: Fired,
}

/// Which of the events that fire once have fired, and when one is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fired {
    /// When `call.completed` is due at the latest, while the platform's better message is waited for.
    pub completion_due_at: Option<Time>,
    /// When `call.completed` fired; [`Fired::NEVER_TOLD`] where it is not to fire any more.
    pub completed_at: Option<Time>,
    /// When `call.transferred` fired.
    pub transferred_at: Option<Time>,
}

impl Fired {
    /// Stands in the place of a time where a call is taken without a word to anybody, as history is.
    pub const NEVER_TOLD: Time = Time::from_micros(0);

    /// Whether the call was told as completed.
    pub fn was_told(&self) -> bool {
        self.completed_at.is_some_and(|at| at > Self::NEVER_TOLD)
    }
}

/// Which message a fact comes from: the greater one wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// A [`Stage`], or for a transfer's status a [`Transfer`], as its number.
    pub stage: u8,
    /// The message's own time in microseconds since 1970; 0 where it has none.
    pub at: i64,
}

/// The [`Rank`] of each field of [`Facts`]. `None` for a field that no message has filled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranks([Option<Rank>; Field::COUNT]);

/// The fields of [`Facts`], as the numbers under which their ranks are stored: never renumber one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of `Facts` with its name")]
pub enum Field {
    Status = 0,
    EndedReason = 1,
    CallerPhone = 2,
    CallerAddress = 3,
    CallerName = 4,
    CallerEmail = 5,
    Direction = 6,
    StartedAt = 7,
    EndedAt = 8,
    DurationSeconds = 9,
    Summary = 10,
    Transcript = 11,
    Messages = 12,
    RecordingUrl = 13,
    TransferStatus = 14,
    TransferDestination = 15,
    TransferReason = 16,
    TransferredAt = 17,
    Assistant = 18,
    Intent = 19,
    Urgency = 20,
    Captured = 21,
    CarrierId = 22,
}

impl Field {
    const COUNT: usize = 23;
}

impl Ranks {
    /// The rank of a field.
    pub fn get(&self, field: Field) -> Option<Rank> {
        self.0[field as usize]
    }

    /// The place of a field's rank.
    pub fn of(&mut self, field: Field) -> &mut Option<Rank> {
        &mut self.0[field as usize]
    }

    /// One text for all: `stage:at:fields` in hexadecimal for each rank that occurs, where `fields` has a bit set
    /// for each field with that rank. Most calls come from one or two messages, so this is short.
    pub fn encode(&self) -> String {
        let mut groups: Vec<(Rank, u32)> = Vec::with_capacity(2);
        for (number, rank) in self.0.iter().enumerate() {
            let Some(rank) = *rank else { continue };
            match groups.iter_mut().find(|(known, _)| *known == rank) {
                Some((_, fields)) => *fields |= 1 << number,
                None => groups.push((rank, 1 << number)),
            }
        }
        let mut text = String::new();
        for (rank, fields) in groups {
            let separator = if text.is_empty() { "" } else { " " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{separator}{:x}:{:x}:{fields:x}", rank.stage, rank.at);
        }
        text
    }

    /// Reads the text of [`Ranks::encode`]. A group that cannot be read counts as absent, so that any message
    /// fills its fields anew.
    pub fn decode(text: &str) -> Self {
        let mut ranks = Self::default();
        for group in text.split_ascii_whitespace() {
            let mut parts = group.split(':');
            let stage = parts.next().and_then(|part| u8::from_str_radix(part, 16).ok());
            // Written as two's complement, so that times before 1970 come back too.
            let at = parts.next().and_then(|part| u64::from_str_radix(part, 16).ok());
            let fields = parts.next().and_then(|part| u32::from_str_radix(part, 16).ok());
            let (Some(stage), Some(at), Some(fields)) = (stage, at, fields) else { continue };
            let rank = Rank { stage, at: at.cast_signed() };
            for (number, slot) in ranks.0.iter_mut().enumerate() {
                if fields & (1 << number) != 0 {
                    *slot = Some(rank);
                }
            }
        }
        ranks
    }
}

impl CallState {
    /// A call of which nothing is known yet.
    pub fn new(id: CallId) -> Self {
        Self {
            id,
            facts: Facts::default(),
            ranks: Ranks::default(),
            completion: Completion::default(),
            transfer: Transfer::default(),
            contact_id: None,
            lead_id: None,
            spam: false,
            recording: None,
            blocked: false,
            deleted_bookings: Vec::new(),
            fired: Fired::default(),
        }
    }
}

impl Completion {
    /// From its number in the store.
    pub const fn from_number(number: i64) -> Self {
        match number {
            2 => Self::Now,
            1 => Self::Wait,
            _ => Self::No,
        }
    }
}

impl Transfer {
    /// From its number in the store.
    pub const fn from_number(number: i64) -> Self {
        match number {
            4 => Self::Ended,
            3 => Self::HandedOver,
            2 => Self::Failed,
            1 => Self::Started,
            _ => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_read_back_as_written() {
        let mut ranks = Ranks::default();
        *ranks.of(Field::Status) = Some(Rank { stage: 3, at: 1_745_712_123_835_000 });
        *ranks.of(Field::Summary) = Some(Rank { stage: 4, at: -5 });
        *ranks.of(Field::CarrierId) = Some(Rank { stage: 3, at: 1_745_712_123_835_000 });
        assert_eq!(ranks.encode(), "3:633b747057278:400001 4:fffffffffffffffb:400");
        assert_eq!(Ranks::decode(&ranks.encode()), ranks);
        assert_eq!(Ranks::decode("nonsense 1:2 :::"), Ranks::default());
    }
}
