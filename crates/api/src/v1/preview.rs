//! `/v1/sources/preview`: what a message would become, before any source or call does.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    auth::Caller,
    envelope::One,
    error::ApiError,
    extract::Json,
    openapi::{self, OneOf},
    v1::{
        source_events_body::MessageOutcome,
        sources_body::{SourcePlatform, check_settings},
    },
};

/// A message, and a source that it might arrive at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewMessage {
    /// The platform.
    platform: SourcePlatform,
    /// The source's settings; for `custom` the mapping.
    #[schema(value_type = Option<Object>)]
    settings: Option<Value>,
    /// The body as the platform posts it: a text that is taken byte for byte, or the JSON itself.
    message: Value,
}

/// What a message would become.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessagePreview {
    /// `accepted`, `ignored` (it says nothing that a record is kept of) or `failed` (it cannot be read).
    outcome: MessageOutcome,
    /// Why it cannot be read.
    #[schema(required)]
    reason: Option<String>,
    /// The platform's name of the event.
    #[schema(required)]
    event: Option<String>,
    /// The platform's id of the event.
    #[schema(required)]
    event_id: Option<String>,
    /// The platform's id of the call.
    #[schema(required)]
    external_id: Option<String>,
    /// What it says of calls.
    changes: Vec<PreviewedChange>,
    /// What the mapping names and the message does not have.
    missed: Vec<MissedPath>,
}

/// What a message says of one call.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewedChange {
    /// The platform's id of the call.
    external_id: String,
    /// How late in a call's life such messages come: `started`, `status`, `ended`, `analyzed` or `audio`.
    stage: &'static str,
    /// Whether the call could be told as completed: `no`, `wait` or `now`.
    complete: &'static str,
    /// How far a transfer has come: `none`, `started`, `failed`, `connected` or `ended`.
    transfer: &'static str,
    /// When the platform made the message, where it says so.
    #[schema(required, format = DateTime)]
    at: Option<String>,
    /// The fields of the call that it fills.
    #[schema(value_type = Object)]
    facts: Map<String, Value>,
}

/// Something that a mapping names and a message does not have.
#[derive(Serialize, ToSchema)]
pub(crate) struct MissedPath {
    /// Where it stands in the settings.
    #[schema(example = "settings.fields.caller_phone")]
    setting: String,
    /// What is wrong.
    #[schema(example = "$.caller.number found nothing")]
    problem: String,
}

/// Preview a message
///
/// Tells what a message would become at a source with these settings. Nothing is stored and no signature is checked.
#[utoipa::path(post, path = "/v1/sources/preview", tag = "Sources", request_body = PreviewMessage,
    responses(
        (status = 200, description = "What the message would become.", body = OneOf<MessagePreview>),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 413, response = openapi::PayloadTooLarge),
        (status = 415, response = openapi::UnsupportedMediaType),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn preview_message(
    _caller: Caller,
    body: Json<PreviewMessage>,
) -> Result<One<MessagePreview>, ApiError> {
    let PreviewMessage { platform, settings, message } = body.value;
    let settings = settings.unwrap_or(Value::Null);
    check_settings(platform.0, &settings)?;
    let bytes = match message {
        Value::String(text) => text.into_bytes(),
        json => json.to_string().into_bytes(),
    };
    Ok(One::new(match connectors::preview(platform.0, &settings, &bytes) {
        Ok(preview) => MessagePreview::read(preview),
        Err(reason) => MessagePreview::unreadable(reason),
    }))
}

impl MessagePreview {
    fn read(preview: connectors::Preview) -> Self {
        let changes: Vec<_> = preview.changes.into_iter().map(PreviewedChange::from).collect();
        let outcome = if changes.is_empty() { MessageOutcome::Ignored } else { MessageOutcome::Accepted };
        let missed = preview.missed.into_iter();
        let missed = missed.map(|missed| MissedPath { setting: missed.setting, problem: missed.problem });
        Self {
            outcome,
            reason: None,
            event: Some(preview.event),
            event_id: preview.event_id,
            external_id: preview.external_id,
            changes,
            missed: missed.collect(),
        }
    }

    fn unreadable(reason: String) -> Self {
        Self {
            outcome: MessageOutcome::Failed,
            reason: Some(reason),
            event: None,
            event_id: None,
            external_id: None,
            changes: Vec::new(),
            missed: Vec::new(),
        }
    }
}

impl From<connectors::PreviewChange> for PreviewedChange {
    fn from(change: connectors::PreviewChange) -> Self {
        let connectors::PreviewChange { external_id, stage, complete, transfer, at, facts } = change;
        Self { external_id, stage, complete, transfer, at, facts }
    }
}
