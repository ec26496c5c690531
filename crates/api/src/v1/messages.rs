//! `/v1/sources/{id}/messages`: what arrived at a source, what became of it, and reading it again.

use ::ingest::{Rejected, Reprocessed};
use axum::extract::State;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use model::{CallId, InboxId, Place, Stamp, Time, id::kind};
use serde::{Deserialize, Deserializer, Serialize, de};
use store::{ListMessages, MessageRange, MessageSummary, Outcome, Placed, StoredMessage};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Caller,
    envelope::{One, PlacedList},
    error::{ApiError, Code},
    extract::{Json, Limit, PathId, PathIds, PlaceParam, Query, TimeParam, placed_page},
    openapi::{self, ListOf, OneOf},
    v1::{
        sources::find,
        sources_body::{whole, wrong},
    },
};

/// What became of a message.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MessageOutcome {
    /// It changed a call, or said once more what was known.
    Accepted,
    /// It repeats one that was accepted within the last day.
    Duplicate,
    /// It says nothing that a record is kept of.
    Ignored,
    /// Its sender was not proven.
    Rejected,
    /// It could not be read or applied.
    Failed,
}

impl From<MessageOutcome> for Outcome {
    fn from(outcome: MessageOutcome) -> Self {
        match outcome {
            MessageOutcome::Accepted => Self::Accepted,
            MessageOutcome::Duplicate => Self::Duplicate,
            MessageOutcome::Ignored => Self::Ignored,
            MessageOutcome::Rejected => Self::Rejected,
            MessageOutcome::Failed => Self::Failed,
        }
    }
}

impl From<Outcome> for MessageOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Accepted => Self::Accepted,
            Outcome::Duplicate => Self::Duplicate,
            Outcome::Ignored => Self::Ignored,
            Outcome::Rejected => Self::Rejected,
            Outcome::Failed => Self::Failed,
        }
    }
}

/// A message that arrived at a source.
#[derive(Serialize, ToSchema)]
pub(crate) struct SourceMessage {
    id: InboxId,
    received_at: Stamp,
    /// The platform's name of the event, where the message could be read.
    #[schema(required)]
    event: Option<String>,
    /// The platform's id of the call, where it names one.
    #[schema(required)]
    external_id: Option<String>,
    outcome: MessageOutcome,
    /// Why it became nothing, or what else is to be known of the outcome.
    #[schema(required)]
    reason: Option<String>,
    /// The call that it belongs to.
    #[schema(required)]
    call_id: Option<CallId>,
    /// The length of its body in bytes. 0 where a rejected message was too long to be kept with it.
    size: i64,
}

impl From<MessageSummary> for SourceMessage {
    fn from(summary: MessageSummary) -> Self {
        Self {
            id: summary.id,
            received_at: Stamp::from_micros(summary.received_at.micros()),
            event: summary.event,
            external_id: summary.external_id,
            outcome: summary.outcome.into(),
            reason: summary.reason,
            call_id: summary.call_id,
            size: summary.size,
        }
    }
}

/// A header of a message.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageHeader {
    /// Its name, in small letters.
    name: String,
    value: String,
}

/// A message with all that is kept of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct SourceMessageDetail {
    #[serde(flatten)]
    message: SourceMessage,
    /// Its headers, without those that prove its sender.
    headers: Vec<MessageHeader>,
    /// Its body as it arrived, where that is UTF-8; else null.
    #[schema(required)]
    body: Option<String>,
    /// Its body in base64, where that is not UTF-8; else null.
    #[schema(required)]
    body_base64: Option<String>,
}

impl From<StoredMessage> for SourceMessageDetail {
    fn from(stored: StoredMessage) -> Self {
        let headers = stored.headers.into_iter().map(|(name, value)| MessageHeader { name, value }).collect();
        let (body, body_base64) = match String::from_utf8(stored.body) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(BASE64.encode(error.as_bytes()))),
        };
        Self { message: stored.summary.into(), headers, body, body_base64 }
    }
}

/// Which messages are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListSourceMessages {
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

/// List a source's messages
///
/// Everything that arrived at its address, whatever became of it.
#[utoipa::path(get, path = "/v1/sources/{id}/messages", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid), ListSourceMessages),
    responses(
        (status = 200, description = "A page of messages, newest first.", body = ListOf<SourceMessage>),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 404, response = openapi::NotFound),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn list_source_messages(
    caller: Caller,
    PathId(id): PathId<kind::Source>,
    Query(query): Query<ListSourceMessages>,
) -> Result<PlacedList<SourceMessage>, ApiError> {
    find(&caller, id).await?;
    let list = ListMessages {
        source: id,
        page: placed_page(query.limit, query.cursor, query.since),
        outcome: query.outcome.map(Outcome::from),
        event: query.event,
        call_id: query.call_id,
    };
    let Placed { records, next } = caller.store.list_messages(list).await?;
    Ok(PlacedList(Placed { records: records.into_iter().map(SourceMessage::from).collect(), next }))
}

/// Get a message as it arrived
#[utoipa::path(get, path = "/v1/sources/{id}/messages/{message_id}", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid),
        ("message_id" = String, Path, description = "The message's id.", format = Uuid)),
    responses(
        (status = 200, description = "The message.", body = OneOf<SourceMessageDetail>),
        (status = 401, response = openapi::Unauthorized),
        (status = 404, response = openapi::NotFound),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn get_source_message(
    caller: Caller,
    PathIds(id, message_id): PathIds<kind::Source, kind::Inbox>,
) -> Result<One<SourceMessageDetail>, ApiError> {
    find(&caller, id).await?;
    let message = caller.store.get_message(id, message_id).await?;
    message.map(|message| One::new(message.into())).ok_or_else(unknown)
}

/// How a message is to be read again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReprocessMessage {
    /// Take a rejected message for the platform's all the same. Only say so when you know that it was.
    accept_rejected: Option<bool>,
}

/// Reprocess a message
///
/// Reads the message again, as it arrived, with the source's settings of today, and applies it. Its signature is not
/// checked again. What was told before is not told twice. A message that was rejected is read only with
/// `accept_rejected`, else the answer is 409.
#[utoipa::path(post, path = "/v1/sources/{id}/messages/{message_id}/reprocess", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid),
        ("message_id" = String, Path, description = "The message's id.", format = Uuid)),
    request_body = ReprocessMessage,
    responses(
        (status = 200, description = "The message, and what became of it this time.", body = OneOf<SourceMessage>),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 404, response = openapi::NotFound),
        (status = 409, response = openapi::Conflict),
        (status = 413, response = openapi::PayloadTooLarge),
        (status = 415, response = openapi::UnsupportedMediaType),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn reprocess_source_message(
    State(state): State<AppState>,
    caller: Caller,
    PathIds(id, message_id): PathIds<kind::Source, kind::Inbox>,
    body: Json<ReprocessMessage>,
) -> Result<One<SourceMessage>, ApiError> {
    let source = find(&caller, id).await?.source;
    let rejected = rejected(body.value.accept_rejected);
    match state.ingest.reprocess(&source, message_id, rejected).await? {
        Reprocessed::Done(_) => {}
        Reprocessed::WasRejected => return Err(was_rejected("This message was")),
        Reprocessed::Unknown => return Err(unknown()),
    }
    let message = caller.store.get_message(id, message_id).await?.ok_or_else(unknown)?;
    Ok(One::new(message.summary.into()))
}

/// Which messages are to be read again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReprocessMessages {
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
pub(crate) struct ReprocessedMessages {
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

/// Reprocess messages
///
/// Reads messages of a time again, the oldest first, some with each request: send it again with `next` as `cursor`
/// until that is null. Each message is applied by itself, so a request that failed half way can be sent again.
#[utoipa::path(post, path = "/v1/sources/{id}/reprocess", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid)),
    request_body = ReprocessMessages,
    responses(
        (status = 200, description = "What came of these messages.", body = OneOf<ReprocessedMessages>),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 404, response = openapi::NotFound),
        (status = 409, response = openapi::Conflict),
        (status = 413, response = openapi::PayloadTooLarge),
        (status = 415, response = openapi::UnsupportedMediaType),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn reprocess_source_messages(
    State(state): State<AppState>,
    caller: Caller,
    PathId(id): PathId<kind::Source>,
    body: Json<ReprocessMessages>,
) -> Result<One<ReprocessedMessages>, ApiError> {
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
    Ok(One::new(ReprocessedMessages {
        processed: batch.accepted + batch.ignored + batch.failed,
        accepted: batch.accepted,
        ignored: batch.ignored,
        failed: batch.failed,
        next: batch.next.map(Place::encode),
    }))
}

fn unknown() -> ApiError {
    ApiError::not_found("message")
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
