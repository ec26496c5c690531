//! Recordings: their variants, how far one has come, and the links under which we serve them.

use std::{borrow::Cow, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;
use utoipa::ToSchema;

use crate::{CallId, Time};

/// Which sound of a call a recording holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// Both sides, mixed.
    Mono,
    /// Both sides, each in a channel.
    Stereo,
    /// The caller alone.
    Caller,
    /// The assistant alone.
    Assistant,
}

impl Variant {
    /// Every variant. Of a call's recordings, the first that there is stands for the call.
    pub const ALL: [Self; 4] = [Self::Mono, Self::Stereo, Self::Caller, Self::Assistant];

    /// The word in the database, in listings and in addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mono => "mono",
            Self::Stereo => "stereo",
            Self::Caller => "caller",
            Self::Assistant => "assistant",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|variant| variant.as_str() == word)
    }
}

/// Where a platform has one recording of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedAt {
    /// Which sound it holds.
    pub variant: Variant,
    /// Its address; empty where it has none, and the platform's API alone gives it out, to who has a key.
    pub url: String,
}

impl RecordedAt {
    /// A recording that the platform's API alone gives out.
    pub fn in_api(variant: Variant) -> Self {
        Self { variant, url: String::new() }
    }

    /// Whether the platform's API alone gives it out.
    pub fn is_in_api(&self) -> bool {
        self.url.is_empty()
    }
}

/// How far one recording has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecordingState {
    /// It will be fetched.
    Pending,
    /// It is being fetched.
    Fetching,
    /// We have it.
    Stored,
    /// It could not be fetched.
    Failed,
    /// The platform does not give it out, or not any more.
    Expired,
    /// We had it, and deleted it.
    Deleted,
}

impl RecordingState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Fetching, Self::Stored, Self::Failed, Self::Expired, Self::Deleted];

    /// The word in the database and in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Fetching => "fetching",
            Self::Stored => "stored",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What we have of a call's recordings, all of them together. A call that we fetch no recording of has none of these:
/// its recording's address is the platform's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallRecording {
    /// One will be fetched.
    Pending = 1,
    /// We have one.
    Stored = 2,
    /// None could be fetched: the platform's address is all there is.
    Failed = 3,
    /// We had one, and deleted it.
    Deleted = 4,
}

/// What a call shows of its recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordingShown<'a> {
    /// The platform's address of it, where that is what is shown.
    url: Option<&'a str>,
    /// Whether our own address of it is shown.
    is_ours: bool,
    /// Whether it can be had there.
    is_available: bool,
}

impl<'a> RecordingShown<'a> {
    /// From what we have of a call's recordings, where we serve any, and the platform's address.
    pub fn of(recording: Option<CallRecording>, url: Option<&'a str>) -> Self {
        use CallRecording::{Deleted, Failed, Pending, Stored};
        let is_ours = matches!(recording, Some(Pending | Stored));
        let url = url.filter(|_| !is_ours && recording != Some(Deleted));
        let is_platforms = url.is_some() && recording != Some(Failed);
        Self { url, is_ours, is_available: is_platforms || recording == Some(Stored) }
    }

    /// The call's fields that are not what they were.
    pub fn changed(self, before: Self) -> Vec<&'static str> {
        let url = (self.url, self.is_ours) != (before.url, before.is_ours);
        let fields =
            [("recording_url", url), ("recording_available", self.is_available != before.is_available)];
        fields.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
    }
}

impl CallRecording {
    /// From its number in the store.
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Pending),
            2 => Some(Self::Stored),
            3 => Some(Self::Failed),
            4 => Some(Self::Deleted),
            _ => None,
        }
    }

    /// What a call's recordings come to.
    pub fn of(states: &[RecordingState]) -> Option<Self> {
        use RecordingState::{Deleted, Fetching, Pending, Stored};
        let has = |wanted: RecordingState| states.contains(&wanted);
        match states {
            [] => None,
            _ if has(Stored) => Some(Self::Stored),
            _ if has(Pending) || has(Fetching) => Some(Self::Pending),
            _ if has(Deleted) => Some(Self::Deleted),
            _ => Some(Self::Failed),
        }
    }
}

/// What a source says of its calls' recordings: `settings.recordings`, the same for every platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordingSettings {
    /// Whether they are fetched, if the operator has recordings fetched at all.
    pub fetch: bool,
    /// How many days they are kept; without a word, as the operator says.
    pub keep_days: Option<u32>,
}

impl Default for RecordingSettings {
    fn default() -> Self {
        Self { fetch: true, keep_days: None }
    }
}

impl RecordingSettings {
    /// Takes them out of a source's settings; what is left is the platform's. The error names the field.
    pub fn split(settings: &Value) -> Result<(Self, Cow<'_, Value>), String> {
        let Some(own) = settings.get("recordings") else {
            return Ok((Self::default(), Cow::Borrowed(settings)));
        };
        let own = Self::deserialize(own).map_err(|error| format!("settings.recordings: {error}"))?;
        if own.keep_days == Some(0) {
            return Err(
                "settings.recordings.keep_days must be at least 1; to keep none, set fetch to false".into()
            );
        }
        let mut rest = settings.clone();
        if let Some(fields) = rest.as_object_mut() {
            fields.shift_remove("recordings");
        }
        Ok((own, Cow::Owned(rest)))
    }

    /// Those of a source that was saved. What cannot be read says nothing.
    pub fn of(settings: &Value) -> Self {
        settings.get("recordings").and_then(|own| Self::deserialize(own).ok()).unwrap_or_default()
    }
}

/// Makes the addresses under which we serve recordings, and knows those that we made.
pub struct RecordingLinks {
    base: String,
    key: [u8; 32],
    lifetime: Duration,
}

/// Why a link is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// It was not made here, or changed since.
    Forged,
    /// It was good.
    Expired,
}

/// The word in a link for whichever recording stands for its call.
const WHICHEVER: &str = "main";

impl RecordingLinks {
    /// `base` is where this server is reached from outside; `key` signs; links are good for `lifetime`.
    pub fn new(base: &str, key: [u8; 32], lifetime: Duration) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), key, lifetime }
    }

    /// The address of a call's recording for who has an API key. It never changes.
    pub fn address(&self, call: CallId) -> String {
        format!("{}/v1/calls/{call}/recording", self.base)
    }

    /// The address of one of a call's recordings for who has an API key.
    pub fn address_of(&self, call: CallId, variant: Variant) -> String {
        format!("{}/v1/calls/{call}/recording?variant={}", self.base, variant.as_str())
    }

    /// An address of a call's recording that needs no key, good until some time after now.
    pub fn signed(&self, call: CallId, variant: Option<Variant>, now: Time) -> String {
        format!("{}{}", self.base, self.signed_path(call, variant, now + self.lifetime))
    }

    /// The path of such an address, good until a time.
    pub fn signed_path(&self, call: CallId, variant: Option<Variant>, until: Time) -> String {
        let which = variant.map_or(WHICHEVER, Variant::as_str);
        let expires = until.micros() / 1_000_000;
        let signature: String = self
            .mac(call, which, expires)
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("/recordings/{call}/{which}?expires={expires}&signature={signature}")
    }

    /// Whether an address is one that we signed and still good. `which` is the word behind the call's id.
    pub fn check(
        &self,
        call: CallId,
        which: &str,
        (expires, signature): (i64, &str),
        now: Time,
    ) -> Result<Option<Variant>, LinkError> {
        let bytes = unhex(signature).ok_or(LinkError::Forged)?;
        self.mac(call, which, expires).verify_slice(&bytes).map_err(|_| LinkError::Forged)?;
        if now.micros() / 1_000_000 >= expires {
            return Err(LinkError::Expired);
        }
        // What is neither was not signed.
        Ok(Variant::parse(which))
    }

    fn mac(&self, call: CallId, which: &str, expires: i64) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length (RFC 2104)");
        mac.update(format!("recording\n{call}\n{which}\n{expires}").as_bytes());
        mac
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match *pair {
            [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn links() -> RecordingLinks {
        RecordingLinks::new("https://calls.example/", [7; 32], Duration::from_secs(3600))
    }

    fn parts(link: &str) -> (String, i64, String) {
        let (path, query) = link.split_once('?').expect("a query");
        let (expires, signature) = query.split_once('&').expect("two parameters");
        let number = expires.strip_prefix("expires=").expect("a time").parse().expect("a number");
        let which = path.rsplit('/').next().expect("a word").to_owned();
        (which, number, signature.strip_prefix("signature=").expect("a signature").to_owned())
    }

    #[test]
    fn a_link_is_good_until_it_expires_and_for_nothing_else() {
        let (links, call) = (links(), CallId::new(Uuid::from_u128(5)));
        let now = Time::from_micros(1_700_000_000_000_000);
        let link = links.signed(call, Some(Variant::Stereo), now);
        assert!(
            link.starts_with("https://calls.example/recordings/00000000-0000-0000-0000-000000000005/stereo?")
        );
        let (which, expires, signature) = parts(&link);
        let check = |call, which: &str, expires, signature: &str, seconds: i64| {
            links.check(call, which, (expires, signature), now.plus_micros(seconds * 1_000_000))
        };
        assert_eq!(check(call, &which, expires, &signature, 3599), Ok(Some(Variant::Stereo)));
        assert_eq!(check(call, &which, expires, &signature, 3600), Err(LinkError::Expired));
        let forged = Err(LinkError::Forged);
        assert_eq!(check(call, &which, expires + 1, &signature, 0), forged);
        assert_eq!(check(call, "mono", expires, &signature, 0), forged);
        assert_eq!(check(CallId::new(Uuid::from_u128(6)), &which, expires, &signature, 0), forged);
        for signature in
            ["", "00", &signature[1..], &signature.to_uppercase(), &format!("{signature}00"), "é"]
        {
            assert_eq!(check(call, &which, expires, signature, 0), forged, "{signature}");
        }
        let other = RecordingLinks::new("https://calls.example", [8; 32], Duration::from_secs(3600));
        assert_eq!(other.check(call, &which, (expires, &signature), now), forged);

        let (which, expires, signature) = parts(&links.signed(call, None, now));
        assert_eq!(which, "main");
        assert_eq!(check(call, &which, expires, &signature, 0), Ok(None));
    }

    #[test]
    fn a_source_s_word_on_recordings_is_taken_out_of_its_settings() {
        let settings = json!({"auth": {"scheme": "any"}, "recordings": {"fetch": false, "keep_days": 30}});
        let (own, rest) = RecordingSettings::split(&settings).expect("good settings");
        assert_eq!(own, RecordingSettings { fetch: false, keep_days: Some(30) });
        assert_eq!(*rest, json!({"auth": {"scheme": "any"}}));
        assert_eq!(
            RecordingSettings::split(&Value::Null),
            Ok((RecordingSettings::default(), Cow::Borrowed(&Value::Null)))
        );
        for wrong in [
            json!({"keep_days": 0}),
            json!({"keep_days": -1}),
            json!({"keep": 1}),
            json!([1, 2, 3]),
            json!("x"),
        ] {
            let error = RecordingSettings::split(&json!({"recordings": wrong})).expect_err("wrong settings");
            assert!(error.starts_with("settings.recordings"), "{error}");
        }
    }

    #[test]
    fn a_call_has_what_the_best_of_its_recordings_has() {
        use RecordingState::{Deleted, Expired, Failed, Fetching, Pending, Stored};
        assert_eq!(CallRecording::of(&[]), None);
        assert_eq!(CallRecording::of(&[Failed, Stored, Pending]), Some(CallRecording::Stored));
        assert_eq!(CallRecording::of(&[Failed, Fetching]), Some(CallRecording::Pending));
        assert_eq!(CallRecording::of(&[Expired, Deleted]), Some(CallRecording::Deleted));
        assert_eq!(CallRecording::of(&[Expired, Failed]), Some(CallRecording::Failed));
    }

    #[test]
    fn a_call_s_recording_changes_for_who_sees_it_and_not_with_each_step_of_ours() {
        use CallRecording::{Deleted, Failed, Pending, Stored};
        let shown = |recording| RecordingShown::of(recording, Some("https://platform.example/a.wav"));
        let steps = [
            (None, Some(Pending), &["recording_url", "recording_available"][..]),
            (Some(Pending), Some(Stored), &["recording_available"]),
            (Some(Pending), Some(Failed), &["recording_url"]),
            (Some(Stored), Some(Deleted), &["recording_url", "recording_available"]),
            (Some(Stored), Some(Stored), &[]),
        ];
        for (before, after, changed) in steps {
            assert_eq!(shown(after).changed(shown(before)), changed, "{before:?} {after:?}");
        }
    }
}
