//! A call and its conversation.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{AssistantId, CallId, ContactId, Phone, Platform, Stamp, Time};

/// One phone or web call that an assistant answered or made.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Call {
    /// Our id of the call.
    pub id: CallId,
    /// The other party's number: the caller's, or on an outbound call the called one. Null when withheld, a SIP
    /// address or a short number.
    pub caller_phone: Option<Phone>,
    /// The caller's name, where the platform or the conversation told it.
    pub caller_name: Option<String>,
    /// Where the call stands.
    pub status: CallStatus,
    /// Whole seconds from start to end, half rounded up.
    #[schema(minimum = 0)]
    pub duration_seconds: Option<i64>,
    /// What the call was about.
    pub summary: Option<String>,
    /// The conversation as text.
    pub transcript: Option<String>,
    /// Where the recording is.
    pub recording_url: Option<String>,
    /// How a transfer stands, in the platform's word (`started`, `bridged`, `connected`, `no-answer`, …).
    pub transfer_status: Option<String>,
    /// When the call began.
    pub started_at: Option<Time>,
    /// When the call ended.
    pub ended_at: Option<Time>,
    /// The assistant that handled the call.
    pub assistant_id: Option<AssistantId>,
    /// The contact with the caller's number.
    pub contact_id: Option<ContactId>,
    /// When we first stored the call. Unique and increasing within the organization.
    pub created_at: Stamp,
    /// The caller's e-mail address, where the conversation told it.
    pub caller_email: Option<String>,
    /// What the caller wanted.
    pub intent: Option<String>,
    /// How urgent it is.
    pub urgency: Option<Urgency>,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// Where we have the call from.
    pub source: Platform,
    /// The platform's own id of the call.
    pub external_id: Option<String>,
    /// The platform's own word for how the call ended.
    pub ended_reason: Option<String>,
    /// Whether there is a recording.
    pub recording_available: bool,
    /// When the call last changed.
    pub updated_at: Stamp,
    /// Whether a person has looked at it.
    pub reviewed: bool,
    /// Whether a person marked it as spam.
    pub spam: bool,
    /// The organization's own labels.
    pub tags: Vec<String>,
    /// What the organization wrote about it.
    pub notes: Option<String>,
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallStatus {
    /// Ringing, or being talked.
    InProgress,
    /// Being handed to a person.
    Forwarding,
    /// It took place and is over.
    Completed,
    /// It did not take place, or broke.
    Failed,
    /// Refused as spam, or by the organization's block list.
    Blocked,
}

impl CallStatus {
    /// Every status, in the order of [`Ord`].
    pub const ALL: [Self; 5] =
        [Self::InProgress, Self::Forwarding, Self::Completed, Self::Failed, Self::Blocked];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in-progress",
            Self::Forwarding => "forwarding",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
        }
    }

    /// Reads the word of the contract.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether the call is over.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Blocked)
    }
}

/// Who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The caller rang the assistant.
    Inbound,
    /// The assistant rang the other party.
    Outbound,
    /// A conversation in a browser or an app.
    Web,
}

impl Direction {
    /// Every direction.
    pub const ALL: [Self; 3] = [Self::Inbound, Self::Outbound, Self::Web];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Web => "web",
        }
    }

    /// Reads the word of the contract.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| direction.as_str() == word)
    }
}

/// How urgent a caller's need is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    /// It can wait.
    Low,
    /// The usual.
    Medium,
    /// It cannot wait.
    High,
}

impl Urgency {
    /// Every urgency.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// Reads the word of the contract.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|urgency| urgency.as_str() == word)
    }
}

/// One turn of a conversation, or one use of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who spoke.
    pub role: Role,
    /// What was said.
    #[serde(default)]
    pub content: Option<String>,
    /// Seconds from the call's start.
    #[serde(default)]
    pub offset_seconds: Option<f64>,
    /// The tool that was used, on messages with the role `tool`.
    #[serde(default)]
    pub tool: Option<Tool>,
}

/// Who speaks in a [`Message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The voice assistant.
    Assistant,
    /// The caller.
    User,
    /// A tool that the assistant used.
    Tool,
    /// The platform itself: key presses, a move within the assistant's flow, a person who took over.
    System,
}

/// One use of a tool by the assistant: what it asked and what came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// The tool's name.
    pub name: String,
    /// The platform's id of this use.
    #[serde(default)]
    pub call_id: Option<String>,
    /// What the assistant passed to it: the JSON it sent, or its text where that is not JSON.
    #[serde(default)]
    #[schema(value_type = serde_json::Value)]
    pub arguments: Option<Value>,
    /// What it answered, likewise.
    #[serde(default)]
    #[schema(value_type = serde_json::Value)]
    pub result: Option<Value>,
    /// Whether it worked; null where the platform does not say.
    #[serde(default)]
    pub ok: Option<bool>,
}
