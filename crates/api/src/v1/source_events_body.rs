//! The bodies of `/v1/sources/{id}/events`: how a message that arrived is shown, and what it was answered.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use model::{CallId, InboxId, Stamp};
use serde::{Deserialize, Serialize};
use store::{AnswerSummary, AnsweredBy, MessageSummary, Outcome, StoredMessage};
use utoipa::ToSchema;

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
pub(crate) struct SourceEvent {
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
    /// What it was answered, where it asked something; null where any 200 would do, and where the platform hung up before
    /// there was an answer.
    #[schema(required)]
    answer: Option<EventAnswer>,
}

/// Who answered what a platform asked.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answerer {
    /// The address in the source's setting `answers.url`.
    Url,
    /// We, because that address is not set, or gave no answer that the platform could use.
    InboundFlow,
}

/// What a platform was answered that asked something.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventAnswer {
    by: Answerer,
    /// Its HTTP status.
    status: i64,
    #[schema(required)]
    content_type: Option<String>,
    /// The length of its body in bytes.
    size: i64,
    /// How long it took from when the message arrived, in milliseconds.
    took_ms: i64,
    /// Why the address gave no answer that the platform could use, where that is so.
    #[schema(required, example = "no answer within 18 s")]
    fault: Option<String>,
}

impl From<AnswerSummary> for EventAnswer {
    fn from(answer: AnswerSummary) -> Self {
        let AnswerSummary { by, took_ms, status, content_type, size, fault } = answer;
        let by = match by {
            AnsweredBy::Url => Answerer::Url,
            AnsweredBy::InboundFlow => Answerer::InboundFlow,
        };
        Self { by, status, content_type, size, took_ms, fault }
    }
}

impl From<MessageSummary> for SourceEvent {
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
            answer: summary.answer.map(EventAnswer::from),
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
pub(crate) struct SourceEventDetail {
    #[serde(flatten)]
    message: SourceEvent,
    /// Its headers, without those that prove its sender.
    headers: Vec<MessageHeader>,
    /// Its body as it arrived, where that is UTF-8; else null.
    #[schema(required)]
    body: Option<String>,
    /// Its body in base64, where that is not UTF-8; else null.
    #[schema(required)]
    body_base64: Option<String>,
    /// The body of what it was answered, where it asked something and that is UTF-8; of a long one the beginning.
    #[schema(required)]
    answer_body: Option<String>,
    /// The body of what it was answered in base64, where that is not UTF-8.
    #[schema(required)]
    answer_body_base64: Option<String>,
}

/// A body as text where it is UTF-8, else in base64.
fn shown_body(body: Vec<u8>) -> (Option<String>, Option<String>) {
    match String::from_utf8(body) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(BASE64.encode(error.as_bytes()))),
    }
}

impl From<StoredMessage> for SourceEventDetail {
    fn from(stored: StoredMessage) -> Self {
        let headers = stored.headers.into_iter().map(|(name, value)| MessageHeader { name, value }).collect();
        let (body, body_base64) = shown_body(stored.body);
        let (answer_body, answer_body_base64) = stored.answer_body.map_or((None, None), shown_body);
        let message = stored.summary.into();
        Self { message, headers, body, body_base64, answer_body, answer_body_base64 }
    }
}
