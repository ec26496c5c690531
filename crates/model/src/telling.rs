//! What an endpoint is told beyond which events, and how: of which calls, without which fields, in which form, and with
//! which headers of its own.

mod calls;
mod headers;
mod shape;

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use calls::{CallFacts, CallFilter};
pub use headers::{NOT_PASSED_ON, OwnHeaders, WrongHeader};
pub use shape::{BODY_BYTES, Sending, Shape, Shaped};

/// What an endpoint is told beyond which events, and how. The default is what the contract says.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Telling {
    /// Of which calls it is told; of all where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<CallFilter>,
    /// What it is not told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<Redacted>,
    /// The form of what it is told.
    pub format: Format,
    /// The headers that it is sent beside ours.
    #[serde(skip_serializing_if = "OwnHeaders::is_empty")]
    pub headers: OwnHeaders,
    /// Whether the organization's Ed25519 key signs too (`v1a` of Standard Webhooks).
    pub v1a: bool,
}

impl Telling {
    /// As it is kept: JSON, or nothing at all for the default.
    pub fn to_stored(&self) -> Option<String> {
        // Plain texts and numbers: there is nothing in them that JSON could not hold.
        (*self != Self::default()).then(|| serde_json::to_string(self).unwrap_or_default())
    }

    /// How a body is made for it. `api` is where the API is reached from outside.
    pub fn shape(&self, api: &str) -> Shape {
        Shape { format: self.format, redact: self.redact.clone(), api: api.to_owned() }
    }

    /// Whether a body is made for it in a way of its own.
    pub fn is_shaped(&self) -> bool {
        self.format != Format::InboundFlow || !self.redact.is_empty()
    }
}

/// Never the headers' values, which may be secrets.
impl fmt::Debug for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Telling({} {:?} {:?})", self.format.as_str(), self.redact, self.headers)
    }
}

/// What is to change of it; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct TellingChange {
    /// Of which calls it is told.
    pub calls: Option<Option<CallFilter>>,
    /// What it is not told.
    pub redact: Option<Vec<Redacted>>,
    /// The form.
    pub format: Option<Format>,
    /// Its headers.
    pub headers: Option<OwnHeaders>,
    /// Whether the organization's key signs too.
    pub v1a: Option<bool>,
}

impl TellingChange {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.calls.is_none()
            && self.redact.is_none()
            && self.format.is_none()
            && self.headers.is_none()
            && self.v1a.is_none()
    }

    /// Changes it.
    pub fn apply(self, telling: &mut Telling) {
        let Self { calls, redact, format, headers, v1a } = self;
        if let Some(calls) = calls {
            telling.calls = calls;
        }
        if let Some(redact) = redact {
            telling.redact = redact;
        }
        if let Some(headers) = headers {
            telling.headers = headers;
        }
        telling.format = format.unwrap_or(telling.format);
        telling.v1a = v1a.unwrap_or(telling.v1a);
    }
}

/// The form of a webhook's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The contract's.
    #[default]
    InboundFlow,
    /// The contract's with the event's name as `type` too, where Standard Webhooks has it.
    Standard,
    /// Of `data` only the ids, and where the API has the rest: `api_url`.
    Thin,
}

impl Format {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::InboundFlow, Self::Standard, Self::Thin];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InboundFlow => "inboundflow",
            Self::Standard => "standard",
            Self::Thin => "thin",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }
}

/// What is left out of a webhook's `data`. The fields stay: what is left out is null, or masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Redacted {
    /// `transcript` is null.
    Transcript,
    /// `recording_url` is null.
    Recording,
    /// Of the numbers in `caller_phone`, `phone`, `other_phones`, `attendee_phone` and `transfer_destination` the last
    /// two digits stay; each digit before them is `*`. Numbers that somebody says, in a summary or a transcript, are not
    /// looked for.
    Phone,
}

impl Redacted {
    /// All that there is.
    pub const ALL: [Self; 3] = [Self::Transcript, Self::Recording, Self::Phone];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transcript => "transcript",
            Self::Recording => "recording",
            Self::Phone => "phone",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|redacted| redacted.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_reads_back_and_the_usual_takes_no_place() {
        assert_eq!(Telling::default().to_stored(), None);
        let telling = Telling {
            calls: Some(CallFilter { min_duration_seconds: Some(30), ..CallFilter::default() }),
            redact: vec![Redacted::Phone],
            format: Format::Thin,
            headers: OwnHeaders::default().with("X-Key", "4711").expect("a header"),
            v1a: true,
        };
        let stored = telling.to_stored().expect("JSON");
        assert_eq!(
            stored,
            r#"{"calls":{"min_duration_seconds":30},"redact":["phone"],"format":"thin","headers":{"x-key":"4711"},"v1a":true}"#
        );
        assert_eq!(serde_json::from_str::<Telling>(&stored).expect("JSON"), telling);
        assert!(!format!("{telling:?}").contains("4711"), "a header may be a secret");
    }
}
