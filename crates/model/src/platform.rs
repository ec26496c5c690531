//! Where records come from.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::SourceId;

/// A voice platform whose webhooks we take, or our own API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Written through our own API.
    Api,
    /// Vapi.
    Vapi,
    /// Retell AI.
    Retell,
    /// ElevenLabs Agents.
    ElevenLabs,
    /// Bland AI.
    Bland,
    /// Twilio Programmable Voice.
    Twilio,
    /// LiveKit, and the agents built on it.
    LiveKit,
    /// Telnyx.
    Telnyx,
    /// Synthflow.
    Synthflow,
    /// Any other: JSON, read by a mapping that is the source's setting.
    Custom,
}

impl Platform {
    /// Every platform.
    pub const ALL: [Self; 10] = [
        Self::Api,
        Self::Vapi,
        Self::Retell,
        Self::ElevenLabs,
        Self::Bland,
        Self::Twilio,
        Self::LiveKit,
        Self::Telnyx,
        Self::Synthflow,
        Self::Custom,
    ];

    /// The word in addresses, in the database and in `source`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Vapi => "vapi",
            Self::Retell => "retell",
            Self::ElevenLabs => "elevenlabs",
            Self::Bland => "bland",
            Self::Twilio => "twilio",
            Self::LiveKit => "livekit",
            Self::Telnyx => "telnyx",
            Self::Synthflow => "synthflow",
            Self::Custom => "custom",
        }
    }

    /// The path that a source of this platform sends its webhooks to.
    pub fn source_path(self, source: SourceId) -> String {
        format!("/ingest/{}/{source}", self.as_str())
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.as_str() == word)
    }
}
