//! Twilio: its signature, and what its callbacks about calls and recordings say of a call.

mod auth;
mod event_stream;
mod history;
mod question;
mod setup;
mod status;
mod wire;

use model::{Change, Completion, Platform, Stage, Time, Transfer};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::{
    Connector, History, Parsed, Question, Rejection, Request, Said, Secrets, Setup, Unreadable, read,
    settings::{self, ANSWERS},
    signature,
};

/// The same for all attempts to deliver one callback.
const IDEMPOTENCY_TOKEN: &str = "i-twilio-idempotency-token";

/// The connector for Twilio.
pub(crate) struct Twilio;

impl Connector for Twilio {
    fn platform(&self) -> Platform {
        Platform::Twilio
    }

    fn setup(&self) -> Setup {
        setup::SETUP
    }

    /// `X-Twilio-Signature: <base64>`: HMAC-SHA1 with the account's auth token over the address that Twilio was told,
    /// followed by the form's names and values in order. No time is signed.
    fn verify(
        &self,
        secrets: &Secrets<'_>,
        _settings: &Value,
        request: &Request<'_>,
        _now: Time,
    ) -> Result<(), Rejection> {
        auth::verify(secrets, request)
    }

    fn history(&self) -> Option<&'static dyn History> {
        Some(&history::Calls)
    }

    fn check_settings(&self, settings: &Value) -> Result<(), String> {
        settings::known(settings, "Twilio", &[ANSWERS]).map(drop)
    }

    fn parse(&self, _settings: &Value, request: &Request<'_>) -> Result<Parsed, Unreadable> {
        let token = signature::header(request.headers, IDEMPOTENCY_TOKEN)
            .and_then(|token| std::str::from_utf8(token).ok())
            .map(str::to_owned);
        if !is_json(request) {
            return callback(&form(request.body), token);
        }
        match read::body(request.body)? {
            body if body["CallSid"].is_string() => callback(&body, token),
            body => event_stream::parse(&body, token),
        }
    }

    fn question(&self, _settings: &Value, request: &Request<'_>, parsed: &Parsed) -> Option<Question> {
        if parsed.event != CALL_STATUS || is_json(request) {
            return None;
        }
        question::question(&form(request.body))
    }
}

/// What the body is: as the header says, else as it looks.
fn is_json(request: &Request<'_>) -> bool {
    let content_type = signature::header(request.headers, "content-type").unwrap_or_default();
    let content_type = content_type.to_ascii_lowercase();
    let says = |word: &[u8]| content_type.windows(word.len()).any(|part| part == word);
    if says(b"json") || says(b"x-www-form-urlencoded") {
        return says(b"json");
    }
    matches!(request.body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// The parameters of a form. Of a name that comes twice the first counts.
fn form(body: &[u8]) -> Value {
    let mut parameters = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        parameters.entry(name).or_insert_with(|| Value::String(value.into_owned()));
    }
    Value::Object(parameters)
}

fn callback(parameters: &Value, event_id: Option<String>) -> Result<Parsed, Unreadable> {
    let Some(call_sid) = read::text(&parameters["CallSid"]) else {
        // About a text message, a conference or the like.
        return match read::text(&parameters["AccountSid"]) {
            Some(_) => Ok(Parsed { event: kind(parameters), event_id, external_id: None, changes: vec![] }),
            None => Err(Unreadable::new("CallSid is missing")),
        };
    };
    let change = change(parameters, &call_sid, None);
    let external_id = change.as_ref().map_or(call_sid, |change| change.external_id.clone());
    Ok(Parsed {
        event: kind(parameters),
        event_id,
        external_id: Some(external_id),
        changes: change.into_iter().collect(),
    })
}

/// What we call the callbacks about a call.
const CALL_STATUS: &str = "call-status";

/// Twilio does not name its callbacks, so the names are ours.
fn kind(parameters: &Value) -> String {
    let has = |name: &str| read::text(&parameters[name]).is_some();
    let kind = match () {
        () if has("RecordingStatus") => "recording",
        () if has("CallStatus") => CALL_STATUS,
        () => "callback",
    };
    kind.into()
}

/// What a callback says of a call; `None` where it says nothing. `sent` is when it was sent, for those that do not
/// say it themselves.
fn change(parameters: &Value, call_sid: &str, sent: Option<Time>) -> Option<Change> {
    if let Some(recording) = read::text(&parameters["RecordingStatus"]) {
        // The others tell that there is no recording yet, or will be none.
        let facts = wire::recording(parameters);
        let is_there = recording == "completed" && facts.recording_url.is_some();
        let said = Said::during(Stage::Audio, Transfer::None, facts);
        return is_there.then(|| said.into_change(call_sid.to_owned(), wire::recorded_at(parameters)));
    }
    let word = read::text(&parameters["CallStatus"])?;
    let at = wire::at(parameters).or(sent);
    if let Some(parent) = read::text(&parameters["ParentCallSid"]) {
        return Some(leg(parameters, word).into_change(parent, at));
    }
    // A second leg of a call that it does not name.
    let is_lost = parameters["Direction"] == "outbound-dial";
    (!is_lost).then(|| call(parameters, &word).into_change(call_sid.to_owned(), at))
}

/// The call itself: its first leg.
fn call(parameters: &Value, word: &str) -> Said {
    let (facts, transfer) = wire::call(parameters, word);
    if !status::status(word).is_final() {
        return Said::during(Stage::Started, transfer, facts);
    }
    // A recording comes in a callback of its own, if at all, before or after: nothing here announces it.
    Said { stage: Stage::Ended, completion: Completion::Now, transfer, facts }
}

/// The leg to whom the caller is being handed over.
fn leg(parameters: &Value, word: String) -> Said {
    let transfer = status::transfer(&word);
    // Several may be rung at once: what the one that answered says weighs more than that the others did not.
    let stage = if transfer >= Transfer::HandedOver { Stage::Status } else { Stage::Started };
    Said::during(stage, transfer, wire::leg(parameters, word))
}
