//! A platform's message as it came.

use askama::Template;
use axum::{extract::State, response::Response};
use model::{Permission, id::kind};

use super::call;
use crate::{
    Dashboard,
    call::Badge,
    error::PageError,
    extract::PathIds,
    person::Person,
    shell::{Shell, Tab, page},
    show::{self, Moment},
};

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    shell: Shell,
    back: String,
    event: String,
    outcome: Badge,
    reason: Option<String>,
    at: Moment,
    headers: Vec<(String, String)>,
    body: String,
    size: String,
}

pub(crate) async fn show_message(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
) -> Result<Response, PageError> {
    let (call, id) = (ids.id::<kind::Call>(0, "call")?, ids.id::<kind::Inbox>(1, "message")?);
    let store = person.door(Permission::ReadMessages)?;
    let missing = || PageError::not_found("message");
    let source = store.around_call(call).await?.ok_or_else(missing)?.source;
    let message = store.get_message(source, id).await?.ok_or_else(missing)?;
    let summary = message.summary;
    if summary.call_id != Some(call) {
        return Err(missing());
    }
    let event = summary.event.unwrap_or_else(|| "message".to_owned());
    page(&MessagePage {
        shell: person.shell(&state, event.clone(), Tab::Calls),
        back: format!("/calls/{call}"),
        event,
        outcome: call::outcome(summary.outcome),
        reason: summary.reason,
        at: person.zone(&state).moment(summary.received_at),
        headers: message.headers,
        body: show::pretty(&message.body),
        size: show::count(summary.size),
    })
}
