//! Vapi: its ways to prove where a request comes from, and what each of its events says of a call.

mod auth;
mod history;
mod question;
mod setup;
mod status;
mod wire;

use model::{Completion, Platform, Stage, Time, Transfer};
use serde_json::Value;

use crate::{
    Connector, History, Parsed, Question, Rejection, Request, Said, Secrets, Setup, Unreadable, read,
};

/// The connector for Vapi.
pub(crate) struct Vapi;

impl Connector for Vapi {
    fn platform(&self) -> Platform {
        Platform::Vapi
    }

    fn setup(&self) -> Setup {
        setup::SETUP
    }

    fn verify(
        &self,
        secrets: &Secrets<'_>,
        settings: &Value,
        request: &Request<'_>,
        now: Time,
    ) -> Result<(), Rejection> {
        let auth = auth::Auth::from_settings(settings).map_err(Rejection::Settings)?;
        auth.verify(secrets, request, now)
    }

    fn history(&self) -> Option<&'static dyn History> {
        Some(&history::Calls)
    }

    fn check_settings(&self, settings: &Value) -> Result<(), String> {
        auth::Auth::from_settings(settings).map(|_| ())
    }

    fn parse(&self, _settings: &Value, request: &Request<'_>) -> Result<Parsed, Unreadable> {
        let body = read::body(request.body)?;
        let message = &body["message"];
        if !message.is_object() {
            return Err(Unreadable::new("message is missing"));
        }
        let event = read::text(&message["type"]).ok_or_else(|| Unreadable::new("message.type is missing"))?;
        let external_id = read::id(&message["call"]["id"]);
        // A chat asks as a call does, and there is none: it wants its answer all the same.
        let is_of_chat = external_id.is_none() && question::is_asked_by(&event);
        let Some(said) = said(&event, message).filter(|_| !is_of_chat) else {
            return Ok(Parsed { event, event_id: None, external_id, changes: vec![] });
        };
        let external_id = external_id.ok_or_else(|| Unreadable::new("message.call.id is missing"))?;
        let change = said.into_change(external_id.clone(), read::time(&message["timestamp"]));
        Ok(Parsed { event, event_id: None, external_id: Some(external_id), changes: vec![change] })
    }

    fn question(&self, _settings: &Value, request: &Request<'_>, parsed: &Parsed) -> Option<Question> {
        if !question::is_asked_by(&parsed.event) {
            return None;
        }
        let body = read::body(request.body).ok()?;
        question::question(&parsed.event, &body["message"])
    }
}

/// What an event says. `None` for the many that come every few seconds of a call and say nothing that the report does
/// not say better, for those that are about no call, and for those we don't know.
fn said(event: &str, message: &Value) -> Option<Said> {
    match event {
        "end-of-call-report" => {
            let (facts, transfer) = wire::report(message);
            Some(Said { stage: Stage::Ended, completion: Completion::Now, transfer, facts })
        }
        "status-update" => status_update(message),
        "transfer-update" => {
            Some(Said::during(Stage::Status, Transfer::HandedOver, wire::forwarding(message)))
        }
        "assistant.started" | "function-call" | "hang" | "tool-calls" => {
            Some(Said::during(Stage::Started, Transfer::None, wire::common(message)))
        }
        _ => None,
    }
}

fn status_update(message: &Value) -> Option<Said> {
    let status = read::text(&message["status"]);
    let said = match status.as_deref() {
        Some("queued" | "ringing" | "in-progress" | "scheduled") => {
            Said::during(Stage::Started, Transfer::None, wire::in_progress(message))
        }
        // Later in rank than being in progress, so that it wins where neither message has a time.
        Some("forwarding") => Said::during(Stage::Status, Transfer::HandedOver, wire::forwarded(message)),
        Some("ended") => {
            let (facts, transfer) = wire::ended(message);
            Said { stage: Stage::Status, completion: Completion::Wait, transfer, facts }
        }
        // About the deletion of a call, or one that never was.
        Some("not-found" | "deletion-failed") => return None,
        _ => Said::during(Stage::Started, Transfer::None, wire::common(message)),
    };
    Some(said)
}
