//! Retell AI: its signature, and what each of its events says of a call.

mod history;
mod setup;
mod status;
mod wire;

use std::time::Duration;

use model::{Completion, Facts, Platform, Stage, Time, Transfer};
use serde_json::{Value, json};

use crate::{
    Connector, History, Parsed, Question, Rejection, Request, Said, Secrets, Setup, Unreadable, question,
    read,
    settings::{self, ANSWERS},
    signature::{self, Algorithm, Tolerance},
};

const SIGNATURE: &str = "x-retell-signature";

/// What Retell's own SDK allows.
const TOLERANCE: Tolerance = Tolerance { seconds: 5 * 60 };

/// What we call what Retell posts to a custom function of the assistant, which has no name of its own.
const CUSTOM_FUNCTION: &str = "custom_function";

/// How long Retell waits to be told what to do with a call or chat that comes in, before it asks again.
const INBOUND_WITHIN: Duration = Duration::from_secs(10);

/// Retell waits two minutes for a function where nothing else is set; nobody wants to hear that much silence.
const FUNCTION_WITHIN: Duration = Duration::from_secs(20);

/// The connector for Retell AI.
pub(crate) struct Retell;

impl Connector for Retell {
    fn platform(&self) -> Platform {
        Platform::Retell
    }

    fn setup(&self) -> Setup {
        setup::SETUP
    }

    /// `X-Retell-Signature: v=<milliseconds since 1970>,d=<hex>`: HMAC-SHA256 with the API key that carries the
    /// webhook badge, over the body followed by the digits of the time.
    fn verify(
        &self,
        secrets: &Secrets<'_>,
        _settings: &Value,
        request: &Request<'_>,
        now: Time,
    ) -> Result<(), Rejection> {
        if secrets.each().next().is_none() {
            return Err(Rejection::NoSecret);
        }
        let header = signature::header(request.headers, SIGNATURE)
            .ok_or_else(|| Rejection::Missing(format!("header {SIGNATURE}")))?;
        let (timestamp, signed_at, mac) = signed(header).ok_or_else(|| Rejection::Malformed {
            header: SIGNATURE.into(),
            expected: "v=<milliseconds since 1970>,d=<hex>",
        })?;
        let parts = [request.body, timestamp];
        let ours = |secret: &str| signature::matches(Algorithm::Sha256, secret.as_bytes(), &parts, &mac);
        if !secrets.each().any(ours) {
            return Err(Rejection::Mismatch { header: SIGNATURE.into() });
        }
        signature::check_age(signed_at, now, TOLERANCE)
    }

    fn history(&self) -> Option<&'static dyn History> {
        Some(&history::Calls)
    }

    fn check_settings(&self, settings: &Value) -> Result<(), String> {
        settings::known(settings, "Retell", &[ANSWERS]).map(drop)
    }

    fn parse(&self, _settings: &Value, request: &Request<'_>) -> Result<Parsed, Unreadable> {
        let body = read::body(request.body)?;
        let call = &body["call"];
        let external_id = read::id(&call["call_id"]);
        let Some(event) = read::text(&body["event"]) else {
            // A custom function of the assistant.
            return match (read::text(&body["name"]), body["args"].is_object()) {
                (Some(_), true) => {
                    Ok(Parsed { event: CUSTOM_FUNCTION.into(), event_id: None, external_id, changes: vec![] })
                }
                _ => Err(Unreadable::new("event is missing")),
            };
        };
        let Some(said) = said(&event, &body) else {
            return Ok(Parsed { event, event_id: None, external_id, changes: vec![] });
        };
        let external_id = external_id.ok_or_else(|| Unreadable::new("call.call_id is missing"))?;
        let change = said.into_change(external_id.clone(), read::time(&body["event_timestamp"]));
        Ok(Parsed { event, event_id: None, external_id: Some(external_id), changes: vec![change] })
    }

    /// An empty object takes the call as the number is set up in Retell: with its own agent, or not at all.
    fn question(&self, _settings: &Value, _request: &Request<'_>, parsed: &Parsed) -> Option<Question> {
        match parsed.event.as_str() {
            asked @ ("call_inbound" | "chat_inbound") => {
                Some(Question::json(INBOUND_WITHIN, &json!({ asked: {} })))
            }
            CUSTOM_FUNCTION => {
                Some(Question::in_words(FUNCTION_WITHIN, question::error).expecting_anything())
            }
            _ => None,
        }
    }
}

/// The header's digits, the time they stand for, and the hash.
fn signed(header: &[u8]) -> Option<(&[u8], Time, Vec<u8>)> {
    let rest = header.strip_prefix(b"v=")?;
    let comma = rest.iter().position(|byte| *byte == b',')?;
    let (timestamp, rest) = rest.split_at(comma);
    let mac = hex::decode(rest.strip_prefix(b",d=")?).ok()?;
    let signed_at = Time::from_millis(signature::digits(timestamp)?)?;
    Some((timestamp, signed_at, mac))
}

/// `None` for events that say nothing of a call: chats, the transcript as it grows, and those we don't know.
fn said(event: &str, body: &Value) -> Option<Said> {
    let call = &body["call"];
    let during = Said::during;
    let said = match event {
        "call_started" => during(Stage::Started, Transfer::None, wire::started(call)),
        "transfer_started" => during(Stage::Status, Transfer::Started, wire::transfer_started(body)),
        "transfer_bridged" => during(Stage::Status, Transfer::HandedOver, wire::transfer_bridged(body)),
        "transfer_cancelled" => {
            during(Stage::Status, Transfer::Failed, wire::transfer_step(body, "cancelled"))
        }
        "transfer_ended" => during(Stage::Status, Transfer::Ended, wire::transfer_step(body, "ended")),
        "call_ended" => ended(Stage::Ended, Completion::Wait, wire::ended(call)),
        "call_analyzed" => ended(Stage::Analyzed, Completion::Now, wire::analyzed(call)),
        _ => return None,
    };
    Some(said)
}

fn ended(stage: Stage, completion: Completion, facts: Facts) -> Said {
    let transfer = facts.ended_reason.as_deref().map_or(Transfer::None, status::transfer);
    Said { stage, completion, transfer, facts }
}
