//! A message of a source: what arrived, beside what it became, and reading it again.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use connectors::PreviewChange;
use http::StatusCode;
use ingest::{Rejected, Reprocessed};
use model::{Permission, id::kind};
use serde::Deserialize;
use serde_json::Value;
use store::{AnsweredBy, Outcome, Source, StoredMessage};

use super::{
    call,
    source::{self, find},
};
use crate::{
    Dashboard,
    call::Badge,
    error::PageError,
    extract::{Form, PathIds, Query},
    person::Person,
    shell::{Shell, Tab, page},
    show::{self, Moment},
};

/// A part of a message that says something of a call.
struct Said {
    call: String,
    facts: Vec<(String, String)>,
    /// What is no single value, as JSON.
    more: Vec<(String, String)>,
}

/// What a platform was answered that asked something.
struct AnswerView {
    by: &'static str,
    status: i64,
    took: String,
    fault: Option<String>,
    body: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    read: String,
}

#[derive(Template)]
#[template(path = "source_event.html")]
struct EventPage {
    shell: Shell,
    source: String,
    source_name: String,
    id: String,
    event: String,
    outcome: Badge,
    meaning: &'static str,
    reason: Option<String>,
    is_rejected: bool,
    was_read_again: bool,
    at: Moment,
    call: Option<String>,
    headers: Vec<(String, String)>,
    body: Option<String>,
    size: String,
    said: Result<Vec<Said>, String>,
    answer: Option<AnswerView>,
}

fn missing() -> PageError {
    PageError::not_found("event")
}

pub(crate) async fn show_source_event(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (_, listed) = find(&person, &ids).await?;
    let (source, id) = (listed.source, ids.id::<kind::Inbox>(1, "event")?);
    let store = person.door(Permission::ReadMessages)?;
    let message = store.get_message(source.id, id).await?.ok_or_else(missing)?;
    let ((name, said), answer) = (read(&source, &message), answer(&message));
    let summary = message.summary;
    let event = summary.event.or(name).unwrap_or_else(|| "message".to_owned());
    page(&EventPage {
        shell: person.shell(&state, event.clone(), Tab::Sources),
        source: source::address(source.id),
        source_name: source.name,
        id: id.to_string(),
        event,
        outcome: call::outcome(summary.outcome),
        meaning: meaning(summary.outcome),
        reason: summary.reason,
        is_rejected: summary.outcome == Outcome::Rejected,
        was_read_again: asked.read == "again",
        at: person.zone(&state).moment(summary.received_at),
        call: summary.call_id.map(|call| format!("/calls/{call}")),
        headers: message.headers,
        body: Some(show::pretty(&message.body)).filter(|body| !body.is_empty()),
        size: show::count(summary.size),
        said,
        answer,
    })
}

/// What an outcome means, and what can be done.
const fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "It was read, and its call says what it said.",
        Outcome::Duplicate => "The platform sent it before. It changed nothing this time.",
        Outcome::Ignored => "It was read, and says nothing that a record is kept of.",
        Outcome::Rejected => {
            "It was not taken, because its sender was not proven. Mostly the secret there is not the one here."
        }
        Outcome::Failed => "It was kept, but could not be read or applied. After a change, read it again.",
    }
}

/// What the platform calls it and what it says, with the source's settings of today.
fn read(source: &Source, message: &StoredMessage) -> (Option<String>, Result<Vec<Said>, String>) {
    if message.body.is_empty() {
        return (None, Err("Its body is not kept.".to_owned()));
    }
    match connectors::preview(source.platform, &source.settings, &message.body) {
        Ok(preview) => (Some(preview.event), Ok(preview.changes.into_iter().map(said).collect())),
        Err(why) => (None, Err(why)),
    }
}

fn said(change: PreviewChange) -> Said {
    let (mut facts, mut more) = (Vec::new(), Vec::new());
    for (name, value) in change.facts {
        let name = show::words(&name);
        match value {
            Value::Null => {}
            Value::Array(list) if list.is_empty() => {}
            Value::String(text) => facts.push((name, text)),
            Value::Array(_) | Value::Object(_) => more.push((name, format!("{value:#}"))),
            Value::Bool(_) | Value::Number(_) => facts.push((name, value.to_string())),
        }
    }
    Said { call: change.external_id, facts, more }
}

fn answer(message: &StoredMessage) -> Option<AnswerView> {
    let answer = message.summary.answer.clone()?;
    Some(AnswerView {
        by: match answer.by {
            AnsweredBy::Url => "Your own server",
            AnsweredBy::InboundFlow => "InboundFlow",
        },
        status: answer.status,
        took: format!("{} ms", show::count(answer.took_ms)),
        fault: answer.fault,
        body: message.answer_body.as_ref().filter(|body| !body.is_empty()).map(|body| show::pretty(body)),
    })
}

/// Reads it again with the source's settings of today; a rejected one only where the person vouches for it.
pub(crate) async fn reprocess_source_event(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    fields: Form,
) -> Result<Response, PageError> {
    let (_, listed) = find(&person, &ids).await?;
    let id = ids.id::<kind::Inbox>(1, "event")?;
    let rejected = if fields.text("accept") == "yes" { Rejected::Accept } else { Rejected::Leave };
    match state.ingest.reprocess(&listed.source, id, rejected).await? {
        Reprocessed::Done(_) => {
            let address = format!("{}/events/{id}?read=again", source::address(listed.source.id));
            Ok(Redirect::to(&address).into_response())
        }
        Reprocessed::WasRejected => {
            let text =
                "Its sender was not proven. Say that you know it to be the platform’s, and it is read.";
            let next = ("/settings/sources", "Back to the voice platforms");
            Err(PageError::said(StatusCode::CONFLICT, "Not read", text.into(), next))
        }
        Reprocessed::Unknown => Err(missing()),
    }
}
