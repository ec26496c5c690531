//! Reading many messages of a source again: those that failed, after a change, or those that were rejected, where the
//! secret was wrong for a while.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use ingest::{Batch, Rejected};
use model::Place;
use store::{MessageRange, Outcome};

use super::source::{address, find};
use crate::{
    Dashboard,
    error::PageError,
    extract::{Form, PathIds},
    person::Person,
    show,
};

/// How many are read with one request; time may permit fewer.
const AT_ONCE: u32 = 1000;

/// Reads those with an outcome again, the oldest first, and says how far it came.
pub(crate) async fn reprocess_source_events(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    fields: Form,
) -> Result<Response, PageError> {
    let (_, listed) = find(&person, &ids).await?;
    let (outcome, rejected) = match (fields.text("outcome"), fields.text("accept")) {
        ("failed", _) => (Outcome::Failed, Rejected::Leave),
        ("rejected", "yes") => (Outcome::Rejected, Rejected::Accept),
        _ => return Err(PageError::bad_request("Say which events are to be read again.")),
    };
    let range = MessageRange {
        source: listed.source.id,
        since: None,
        until: None,
        outcome: Some(outcome),
        after: Place::decode(fields.text("after")),
        limit: AT_ONCE,
    };
    let batch = state.ingest.reprocess_range(&listed.source, range, rejected).await?;
    let Batch { accepted, ignored, failed, next } = batch;
    let read = (accepted + ignored + failed).to_string();
    let fields = [
        ("outcome", outcome.as_str()),
        ("read", &*read),
        ("accepted", &*accepted.to_string()),
        ("after", &*next.map(Place::encode).unwrap_or_default()),
    ];
    Ok(Redirect::to(&show::address(&address(listed.source.id), &fields)).into_response())
}
