//! `/v1/sources/{id}/events`: what arrived at a source, what became of it, and reading it again.

use ::ingest::{Rejected, Reprocessed};
use axum::extract::State;
use model::{CallId, Place, Time, id::kind};
use serde::{Deserialize, Deserializer, Serialize, de};
use store::{ListMessages, MessageRange, Outcome, Placed};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Caller,
    envelope::{One, PlacedList},
    error::{ApiError, Code},
    extract::{Json, Limit, PathId, PathIds, PlaceParam, Query, TimeParam, placed_page},
    openapi::{self, ListOf, OneOf},
    v1::{
        bodies::{whole, wrong},
        source_events_body::{MessageOutcome, SourceEvent, SourceEventDetail},
        sources::find,
    },
};

/// Which messages are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListSourceEvents {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "place-cursor")]
    cursor: Option<PlaceParam>,
    /// Only messages that arrived after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
    /// Only those that became this.
    #[param(inline)]
    outcome: Option<MessageOutcome>,
    /// Only those of this event, in the platform's name for it.
    event: Option<String>,
    /// Only those that belong to this call.
    #[param(value_type = Option<String>, format = Uuid)]
    call_id: Option<CallId>,
}

/// List a source's inbound events
///
/// Every message that arrived at its address, whatever became of it.
#[utoipa::path(get, path = "/v1/sources/{id}/events", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid), ListSourceEvents),
    responses(
        (status = 200, description = "A page of messages, newest first.", body = ListOf<SourceEvent>),
        openapi::SubListErrors,
    ))]
pub(crate) async fn list_source_events(
    caller: Caller,
    PathId(id): PathId<kind::Source>,
    Query(query): Query<ListSourceEvents>,
) -> Result<PlacedList<SourceEvent>, ApiError> {
    find(&caller, id).await?;
    let list = ListMessages {
        source: id,
        page: placed_page(query.limit, query.cursor, query.since),
        outcome: query.outcome.map(Outcome::from),
        event: query.event,
        call_id: query.call_id,
    };
    let Placed { records, next } = caller.store.list_messages(list).await?;
    Ok(PlacedList(Placed { records: records.into_iter().map(SourceEvent::from).collect(), next }))
}

/// Get an inbound event
///
/// The message as it arrived.
#[utoipa::path(get, path = "/v1/sources/{id}/events/{event_id}", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid),
        ("event_id" = String, Path, description = "The event's id.", format = Uuid)),
    responses(
        (status = 200, description = "The message.", body = OneOf<SourceEventDetail>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_source_event(
    caller: Caller,
    PathIds(id, event_id): PathIds<kind::Source, kind::Inbox>,
) -> Result<One<SourceEventDetail>, ApiError> {
    find(&caller, id).await?;
    let message = caller.store.get_message(id, event_id).await?;
    message.map(|message| One::new(message.into())).ok_or_else(unknown)
}

/// How a message is to be read again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReprocessEvent {
    /// Take a rejected message for the platform's all the same. Only say so when you know that it was.
    accept_rejected: Option<bool>,
}

/// Reprocess an inbound event
///
/// Reads the message again, as it arrived, with the source's settings of today, and applies it. Its signature is not
/// checked again. What was told before is not told twice. A message that was rejected is read only with
/// `accept_rejected`, else the answer is 409.
#[utoipa::path(post, path = "/v1/sources/{id}/events/{event_id}/reprocess", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid),
        ("event_id" = String, Path, description = "The event's id.", format = Uuid)),
    request_body = ReprocessEvent,
    responses(
        (status = 200, description = "The message, and what became of it this time.", body = OneOf<SourceEvent>),
        openapi::WriteErrors,
    ))]
pub(crate) async fn reprocess_source_event(
    State(state): State<AppState>,
    caller: Caller,
    PathIds(id, event_id): PathIds<kind::Source, kind::Inbox>,
    body: Json<ReprocessEvent>,
) -> Result<One<SourceEvent>, ApiError> {
    let source = find(&caller, id).await?.source;
    let rejected = rejected(body.value.accept_rejected);
    match state.ingest.reprocess(&source, event_id, rejected).await? {
        Reprocessed::Done(_) => {}
        Reprocessed::WasRejected => return Err(was_rejected("This message was")),
        Reprocessed::Unknown => return Err(unknown()),
    }
    let message = caller.store.get_message(id, event_id).await?.ok_or_else(unknown)?;
    Ok(One::new(message.summary.into()))
}

/// Which messages are to be read again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReprocessEvents {
    /// Only messages that arrived after this.
    since: Option<Time>,
    /// Only messages that arrived before this.
    until: Option<Time>,
    /// Only those that became this. Without it, all but the rejected ones.
    outcome: Option<MessageOutcome>,
    /// Take rejected messages for the platform's all the same; needed for the outcome `rejected`. Only say so when you
    /// know that they were.
    accept_rejected: Option<bool>,
    /// How many at most.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 100, default = 50)]
    limit: Option<i64>,
    /// The `next` of the answer before.
    #[serde(default, deserialize_with = "place")]
    #[schema(value_type = Option<String>, format = "place-cursor")]
    cursor: Option<Place>,
}

/// What came of some messages.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReprocessedEvents {
    /// How many were read again.
    processed: u32,
    /// How many of them changed a call, or said once more what was known.
    accepted: u32,
    /// How many say nothing that a record is kept of.
    ignored: u32,
    /// How many could not be read or applied.
    failed: u32,
    /// What to send as `cursor`, beside the same fields, for the messages that are left; null where none are.
    #[schema(required)]
    next: Option<String>,
}

/// Reprocess inbound events
///
/// Reads messages of a time again, the oldest first, some with each request: send it again with `next` as `cursor`
/// until that is null. Each message is applied by itself, so a request that failed half way can be sent again.
#[utoipa::path(post, path = "/v1/sources/{id}/reprocess", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid)),
    request_body = ReprocessEvents,
    responses(
        (status = 200, description = "What came of these messages.", body = OneOf<ReprocessedEvents>),
        openapi::WriteErrors,
    ))]
pub(crate) async fn reprocess_source_events(
    State(state): State<AppState>,
    caller: Caller,
    PathId(id): PathId<kind::Source>,
    body: Json<ReprocessEvents>,
) -> Result<One<ReprocessedEvents>, ApiError> {
    let asked = body.value;
    let limit = u32::try_from(asked.limit.unwrap_or(50)).ok().filter(|limit| (1..=100).contains(limit));
    let limit = limit.ok_or_else(|| wrong("limit", "must be a whole number from 1 to 100"))?;
    let source = find(&caller, id).await?.source;
    let (outcome, rejected) = (asked.outcome.map(Outcome::from), rejected(asked.accept_rejected));
    if outcome == Some(Outcome::Rejected) && rejected == Rejected::Leave {
        return Err(was_rejected("These messages were"));
    }
    let range = MessageRange {
        source: id,
        since: asked.since,
        until: asked.until,
        outcome,
        after: asked.cursor,
        limit,
    };
    let batch = state.ingest.reprocess_range(&source, range, rejected).await?;
    Ok(One::new(ReprocessedEvents {
        processed: batch.accepted + batch.ignored + batch.failed,
        accepted: batch.accepted,
        ignored: batch.ignored,
        failed: batch.failed,
        next: batch.next.map(Place::encode),
    }))
}

fn unknown() -> ApiError {
    ApiError::not_found("event")
}

fn rejected(accept: Option<bool>) -> Rejected {
    if accept == Some(true) { Rejected::Accept } else { Rejected::Leave }
}

fn was_rejected(subject: &str) -> ApiError {
    let message = format!(
        "{subject} rejected on arrival: the sender was not proven. If you know that it was the platform, send \
         `accept_rejected`: true"
    );
    ApiError::new(Code::Conflict, message)
}

fn place<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Place>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let place = Place::decode(&text);
    place.map(Some).ok_or_else(|| de::Error::custom("must be the `next` of an answer before"))
}
