//! Synthflow: its two proofs of origin, and the one message that it sends when a call is over.

mod actions;
mod auth;
mod setup;
mod status;
mod wire;

use std::time::Duration;

use model::{CallStatus, Completion, Platform, Stage, Time};
use serde_json::{Value, json};

use crate::{Connector, Parsed, Question, Rejection, Request, Said, Secrets, Setup, Unreadable, read};

/// Synthflow's name for the message in its documentation; the message itself has none.
const POST_CALL: &str = "post-call";

/// The question that an incoming call begins with.
const INBOUND: &str = "inbound";

/// How long Synthflow waits for the answer before it asks again.
const INBOUND_WITHIN: Duration = Duration::from_secs(10);

/// The connector for Synthflow.
pub(crate) struct Synthflow;

impl Connector for Synthflow {
    fn platform(&self) -> Platform {
        Platform::Synthflow
    }

    fn setup(&self) -> Setup {
        setup::SETUP
    }

    /// A secret at the end of the address, or a signature over nothing but the call's id. The latter tells that
    /// Synthflow once sent something about this call, and nothing of the rest of the body.
    fn verify(
        &self,
        secrets: &Secrets<'_>,
        settings: &Value,
        request: &Request<'_>,
        _now: Time,
    ) -> Result<(), Rejection> {
        let scheme = auth::Scheme::from_settings(settings).map_err(Rejection::Settings)?;
        scheme.verify(secrets, request)
    }

    fn takes_path_secret(&self, settings: &Value) -> bool {
        use auth::Scheme;
        matches!(Scheme::from_settings(settings), Ok(Scheme::Any {} | Scheme::Path {}))
    }

    fn check_settings(&self, settings: &Value) -> Result<(), String> {
        auth::Scheme::from_settings(settings).map(|_| ())
    }

    fn parse(&self, _settings: &Value, request: &Request<'_>) -> Result<Parsed, Unreadable> {
        let body = read::body(request.body)?;
        let external_id = call_id(&body);
        if body["call_inbound"].is_object() {
            return Ok(Parsed { event: INBOUND.into(), event_id: None, external_id, changes: vec![] });
        }
        let external_id = external_id.ok_or_else(|| Unreadable::new("call.call_id is missing"))?;
        let change = said(&body).into_change(external_id.clone(), None);
        let external_id = Some(external_id);
        Ok(Parsed { event: POST_CALL.into(), event_id: None, external_id, changes: vec![change] })
    }

    /// An empty agent lets the call go on with the one that the number has. An empty object would end it.
    fn question(&self, _settings: &Value, _request: &Request<'_>, parsed: &Parsed) -> Option<Question> {
        let go_on = || json!({"call_inbound": {"override_model_id": ""}});
        (parsed.event == INBOUND).then(|| Question::json(INBOUND_WITHIN, &go_on()))
    }
}

/// The call's id. The signature is over the same one that the body is read for, wherever in the body it is: otherwise
/// a true signature of one call would pass for another.
fn call_id(body: &Value) -> Option<String> {
    let (call, inbound) = (&body["call"], &body["call_inbound"]);
    [call, inbound, body]
        .into_iter()
        .flat_map(|place| [&place["call_id"], &place["Call_id"]])
        .find_map(read::id)
}

fn said(body: &Value) -> Said {
    let (facts, transfer) = wire::facts(body);
    let is_over = facts.status.is_none_or(CallStatus::is_final);
    let (stage, completion) =
        if is_over { (Stage::Ended, Completion::Now) } else { (Stage::Status, Completion::No) };
    Said { stage, completion, transfer, facts }
}
