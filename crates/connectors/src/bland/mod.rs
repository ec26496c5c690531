//! Bland AI: its signature, and what its call object says of a call.

mod history;
mod setup;
mod status;
mod wire;

use model::{Completion, Platform, Stage, Time};
use serde_json::Value;

use crate::{
    Connector, History, Parsed, Rejection, Request, Said, Secrets, Setup, Unreadable, read, settings,
    signature::{self, Algorithm},
};

const SIGNATURE: &str = "x-webhook-signature";

/// What we call the message with the call object, because Bland gives it no name.
const POST_CALL: &str = "post_call";

/// What we call the messages during a call (`webhook_events`) that do not say what they are.
const CALL_EVENT: &str = "call_event";

/// The connector for Bland AI.
pub(crate) struct Bland;

impl Connector for Bland {
    fn platform(&self) -> Platform {
        Platform::Bland
    }

    fn setup(&self) -> Setup {
        setup::SETUP
    }

    /// `X-Webhook-Signature: <hex>`: HMAC-SHA256 with the account's webhook secret, over the body. It holds no time,
    /// so a request once recorded stays good for ever, as long as the secret does.
    fn verify(
        &self,
        secrets: &Secrets<'_>,
        _settings: &Value,
        request: &Request<'_>,
        _now: Time,
    ) -> Result<(), Rejection> {
        if secrets.each().next().is_none() {
            return Err(Rejection::NoSecret);
        }
        let header = signature::header(request.headers, SIGNATURE)
            .ok_or_else(|| Rejection::Missing(format!("header {SIGNATURE}")))?;
        let mac = hex::decode(header).map_err(|_| Rejection::Malformed {
            header: SIGNATURE.into(),
            expected: "a hash in hexadecimal",
        })?;
        let ours =
            |secret: &str| signature::matches(Algorithm::Sha256, secret.as_bytes(), &[request.body], &mac);
        if secrets.each().any(ours) { Ok(()) } else { Err(Rejection::Mismatch { header: SIGNATURE.into() }) }
    }

    fn history(&self) -> Option<&'static dyn History> {
        Some(&history::Calls)
    }

    fn check_settings(&self, settings: &Value) -> Result<(), String> {
        settings::known(settings, "Bland", &[]).map(drop)
    }

    fn parse(&self, _settings: &Value, request: &Request<'_>) -> Result<Parsed, Unreadable> {
        let body = read::body(request.body)?;
        // They are the same id, but not every version of the object has both.
        let external_id = read::id(&body["call_id"]).or_else(|| read::id(&body["c_id"]));
        let Some(completed) = read::flag(&body["completed"]) else {
            let named = read::first_text([&body["event"], &body["type"], &body["category"]]);
            if named.is_none() && external_id.is_none() {
                return Err(Unreadable::new("call_id and completed are missing"));
            }
            let event = named.unwrap_or_else(|| CALL_EVENT.into());
            return Ok(Parsed { event, event_id: None, external_id, changes: vec![] });
        };
        let external_id = external_id.ok_or_else(|| Unreadable::new("call_id is missing"))?;
        // The object has no time of its own: its times are all the call's.
        let change = said(&body, completed).into_change(external_id.clone(), None);
        Ok(Parsed {
            event: POST_CALL.into(),
            event_id: None,
            external_id: Some(external_id),
            changes: vec![change],
        })
    }
}

/// What the call object says, by how far the call is. One that says both that it failed and that it is not completed
/// gives way to one that says how it was completed.
fn said(call: &Value, completed: bool) -> Said {
    let status = status::status(call, completed);
    let (facts, transfer) = wire::call(call, status);
    let (stage, completion) = match (status.is_final(), completed) {
        (false, _) => (Stage::Started, Completion::No),
        (true, false) => (Stage::Status, Completion::Now),
        (true, true) => (Stage::Ended, Completion::Now),
    };
    Said { stage, completion, transfer, facts }
}
