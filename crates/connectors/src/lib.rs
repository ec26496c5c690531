//! What each voice platform says, as data: is a request really the platform's, and what does its body tell of a call?
//!
//! Pure functions over what arrived. No input or output, no clock, no randomness: the time comes in as an argument,
//! so that a stored body can be read again years later and say the same. A platform is one folder with its wire
//! format, one arm in [`connector`], and its fixtures.

mod bland;
mod captured;
mod conversation;
mod custom;
mod elevenlabs;
#[cfg(test)]
mod guide;
pub mod history;
mod keyed;
mod livekit;
mod plain;
mod preview;
mod question;
mod read;
mod retell;
mod settings;
mod setup;
mod signature;
mod synthflow;
mod telnyx;
mod template;
mod twilio;
mod vapi;

use model::{Change, Completion, Facts, Platform, Stage, Time, Transfer};
use serde_json::Value;

pub use crate::{
    history::History,
    preview::{Missed, Preview, PreviewChange, facts_json, preview},
    question::{Expects, Question, Reply},
    settings::answers_url,
    setup::{OwnSecret, Setup},
};

/// The connector of a platform; `None` for what is written through our own API.
pub fn connector(platform: Platform) -> Option<&'static dyn Connector> {
    match platform {
        Platform::Api => None,
        Platform::Vapi => Some(&vapi::Vapi),
        Platform::Retell => Some(&retell::Retell),
        Platform::ElevenLabs => Some(&elevenlabs::ElevenLabs),
        Platform::Bland => Some(&bland::Bland),
        Platform::Twilio => Some(&twilio::Twilio),
        Platform::LiveKit => Some(&livekit::LiveKit),
        Platform::Telnyx => Some(&telnyx::Telnyx),
        Platform::Synthflow => Some(&synthflow::Synthflow),
        Platform::Custom => Some(&custom::Custom),
    }
}

/// A voice platform's way to sign its webhooks and to put a call into words.
pub trait Connector: Send + Sync {
    /// The platform.
    fn platform(&self) -> Platform;

    /// How a person connects it.
    fn setup(&self) -> Setup;

    /// Whether the request comes from someone who knows one of the source's secrets.
    ///
    /// `settings` are the source's own (see [`Connector::check_settings`]). Where the platform signs a time, `now`
    /// must be near it.
    fn verify(
        &self,
        secrets: &Secrets<'_>,
        settings: &Value,
        request: &Request<'_>,
        now: Time,
    ) -> Result<(), Rejection>;

    /// What the platform proves itself with, where that is given out by the platform and has to be copied from there,
    /// in words that follow "signs with". `None` where the owner sets our secret in the platform.
    fn own_secret(&self) -> Option<&'static str> {
        self.setup().secret.map(|secret| secret.what)
    }

    /// Whether the secret may stand at the end of the source's address, with these settings.
    fn takes_path_secret(&self, _settings: &Value) -> bool {
        false
    }

    /// Whether these can be a source's settings. `null` and `{}` are the defaults. The error is a sentence for the
    /// person who wrote them, and names the field.
    fn check_settings(&self, settings: &Value) -> Result<(), String>;

    /// What the request says. `settings` are the source's own.
    ///
    /// Fields that are unknown or of a surprising type count as absent, and an event that says nothing of a call
    /// has no changes. Only a body that cannot be one of the platform's at all is an error.
    fn parse(&self, settings: &Value, request: &Request<'_>) -> Result<Parsed, Unreadable>;

    /// What a request asks that was parsed like this, where the platform waits for an answer and goes by it. `None`
    /// for messages that only tell something: they are answered with any 200.
    fn question(&self, _settings: &Value, _request: &Request<'_>, _parsed: &Parsed) -> Option<Question> {
        None
    }

    /// How the platform's calls are listed, where it has an API for that.
    fn history(&self) -> Option<&'static dyn History> {
        None
    }

    /// Whether the platform puts recordings into bodies.
    fn brings_recordings(&self) -> bool {
        false
    }

    /// For platforms that put recordings into bodies: takes the body of a request with these headers apart as it
    /// arrives. `None` for the others, whose bodies are small enough to be held.
    ///
    /// It takes the place of [`Connector::verify`] for every body of such a platform; one without a recording comes
    /// through it unchanged.
    fn large_body(&self, _secrets: &Secrets<'_>, _headers: &http::HeaderMap) -> Option<Box<dyn LargeBody>> {
        None
    }
}

/// Verifies and takes apart a body that may hold a recording of tens of megabytes, without ever holding the whole.
pub trait LargeBody: Send {
    /// Takes the next piece of the body, of any length, and appends what it has of the recording to `audio`, decoded.
    ///
    /// That something is wrong with the body is told by [`LargeBody::finish`]: not before then is it known whether
    /// the platform sent it, and what a stranger writes is rejected, however it is written.
    fn push(&mut self, piece: &[u8], audio: &mut Vec<u8>);

    /// Tells what came of the body, once all of it has been pushed.
    fn finish(self: Box<Self>, now: Time) -> TakenApart;
}

/// What came of a body that was taken apart as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenApart {
    /// Whether the platform sent it. If not, the rest is a stranger's.
    pub verdict: Result<(), Rejection>,
    /// The body with an empty text where the recording was: to be kept, and to be given to [`Connector::parse`]. Cut
    /// short where `fault` says that it is too long.
    pub body: Vec<u8>,
    /// Why the recording cannot be used, if so. What was appended to `audio` is then worth nothing, and the message
    /// is to be kept as one that cannot be read.
    pub fault: Option<Unreadable>,
}

/// A request as it arrived. It has no `Debug`: neither bodies nor headers belong in a log.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The whole address that the platform was told, with its query: some sign it. Behind a proxy that is not what
    /// the server sees, so it is made of the public address that the operator set.
    pub url: &'a str,
    /// What follows the source's id in the path: a secret, for platforms whose signature proves little.
    pub path_secret: Option<&'a str>,
    /// Its headers.
    pub headers: &'a http::HeaderMap,
    /// Its body, byte for byte: signatures are over the bytes.
    pub body: &'a [u8],
}

/// The secrets that a source accepts: two while one replaces the other. One that is
/// empty or blank never matches anything.
#[derive(Clone, Copy)]
pub struct Secrets<'a> {
    /// The secret in use.
    pub current: &'a str,
    /// The one it replaced, as long as that is still accepted.
    pub previous: Option<&'a str>,
}

impl<'a> Secrets<'a> {
    /// Those that are set, the current one first.
    fn each(&self) -> impl Iterator<Item = &'a str> {
        [Some(self.current), self.previous].into_iter().flatten().filter(|secret| !secret.trim().is_empty())
    }
}

/// Never the secrets themselves.
impl std::fmt::Debug for Secrets<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({} set)", self.each().count())
    }
}

/// What a request says.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The platform's name for the event, such as `end-of-call-report` or `call_analyzed`.
    pub event: String,
    /// The platform's own id of the event, where it gives one that stays the same when it is sent again.
    pub event_id: Option<String>,
    /// The platform's own id of the call, where the event is about one.
    pub external_id: Option<String>,
    /// What it says of calls. Empty for events that add nothing to what other events say.
    pub changes: Vec<Change>,
}

impl Parsed {
    /// What an event says of one call.
    fn of_call(event: &str, external_id: String, changes: Vec<Change>) -> Self {
        Self { event: event.to_owned(), event_id: None, external_id: Some(external_id), changes }
    }
}

/// What one event says of one call: a [`Change`] that does not know yet which call.
struct Said {
    stage: Stage,
    completion: Completion,
    transfer: Transfer,
    facts: Facts,
}

impl Said {
    /// Something said before the call is over.
    fn during(stage: Stage, transfer: Transfer, facts: Facts) -> Self {
        Self { stage, completion: Completion::No, transfer, facts }
    }

    fn into_change(self, external_id: String, at: Option<Time>) -> Change {
        let Self { stage, completion, transfer, facts } = self;
        Change { external_id, stage, at, completion, facts, transfer }
    }
}

/// Why a request was not taken for the platform's, in words for the person who sets the source up. Never holds a
/// secret, nor anything of the request but the names of headers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Nothing to compare with.
    #[error("this source has no secret yet: set the one that the platform uses")]
    NoSecret,
    /// The settings say that the secret is base64, and it is not.
    #[error("the settings say that this source's secret is base64, but it is not")]
    SecretNotBase64,
    /// The source's settings cannot be read.
    #[error("the settings of this source cannot be used: {0}")]
    Settings(String),
    /// Nothing in the request that could prove where it comes from.
    #[error("the request has no {0}: check that the platform has the secret and sends it")]
    Missing(String),
    /// A header that is not in the platform's form.
    #[error("the header {header} is not in the form that was expected: {expected}")]
    Malformed {
        /// The header.
        header: String,
        /// What it should look like.
        expected: &'static str,
    },
    /// Made with another secret, or for another body.
    #[error(
        "the header {header} does not match: the platform uses another secret than this source has, or something \
         between changed the body"
    )]
    Mismatch {
        /// The header.
        header: String,
    },
    /// Signed too long ago: a repetition of an old request, or a clock that is wrong.
    #[error("the request was signed {age_seconds} seconds ago, and {tolerance_seconds} are allowed")]
    TooOld {
        /// How long ago it was signed.
        age_seconds: u64,
        /// How long ago it may be.
        tolerance_seconds: u64,
    },
    /// Signed in the future: one of the two clocks is wrong.
    #[error(
        "the request was signed {ahead_seconds} seconds in the future, and {tolerance_seconds} are allowed: check \
         this server's clock"
    )]
    TooNew {
        /// How far ahead of our clock it was signed.
        ahead_seconds: u64,
        /// How far ahead it may be.
        tolerance_seconds: u64,
    },
}

/// Why a body cannot be read, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}
