//! `/ingest`: where voice platforms send their webhooks.

use ::ingest::{Answer, Request};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::HeaderMap;
use metrics::Metrics;
use model::Platform;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    AppState, answers,
    arrival::{self, Arrived},
    envelope::One,
    error::{ApiError, Code},
    extract::{BODY_LIMIT, BaseUrl, read_body},
};

/// What became of a message.
#[derive(Serialize, ToSchema)]
pub(crate) struct Receipt {
    /// Always true: the message is kept.
    received: bool,
    /// `accepted`, `duplicate`, `ignored` (it says nothing that a record is kept of) or `failed` (it could not be
    /// read; it is kept, and can be read again).
    #[schema(example = "accepted")]
    outcome: &'static str,
}

/// Take a voice platform's webhook
///
/// The address of a source, to be set in the platform. The request is verified by that platform's own scheme over
/// its exact bytes. When it is answered with 200, it is kept durably, whatever it says.
///
/// A message that asks something (Vapi's `tool-calls` and `assistant-request`, Retell's `call_inbound` and their like) is
/// passed on as it came to the address in the source's setting `answers.url`, and answered with what that answers. Where
/// none is set, or it gives no answer in time that the platform could use, the answer says so in the platform's form.
#[utoipa::path(post, path = "/ingest/{platform}/{source_id}", tag = "Ingest", security(()),
    params(
        ("platform" = String, Path, description = "The platform, such as `vapi` or `twilio`."),
        ("source_id" = String, Path, description = "The source's id.", format = Uuid),
    ),
    request_body(content = Option<serde_json::Value>, content_type = "application/json",
        description = "The platform's own message, in its own format."),
    responses(
        (status = 200, description = "The message is kept. One that asks something is answered in its platform's own form.", body = crate::openapi::OneOf<Receipt>),
        (status = 401, response = crate::openapi::Unauthorized),
        (status = 404, response = crate::openapi::NotFound),
        (status = 413, response = crate::openapi::PayloadTooLarge),
        (status = "default", response = crate::openapi::Failed),
    ))]
pub(crate) async fn receive_message(
    State(state): State<AppState>,
    path: crate::extract::IngestPath,
    request: axum::extract::Request,
) -> Result<Response, ApiError> {
    receive(&state, &path, request).await
}

/// Take a voice platform's webhook at an address that holds the secret
///
/// For platforms whose signatures prove little, or that cannot sign: whoever knows the address is the platform.
#[utoipa::path(post, path = "/ingest/{platform}/{source_id}/{secret}", tag = "Ingest", security(()),
    params(
        ("platform" = String, Path, description = "The platform, such as `synthflow` or `custom`."),
        ("source_id" = String, Path, description = "The source's id.", format = Uuid),
        ("secret" = String, Path, description = "The source's secret."),
    ),
    request_body(content = Option<serde_json::Value>, content_type = "application/json",
        description = "The platform's own message, in its own format."),
    responses(
        (status = 200, description = "The message is kept. One that asks something is answered in its platform's own form.", body = crate::openapi::OneOf<Receipt>),
        (status = 401, response = crate::openapi::Unauthorized),
        (status = 404, response = crate::openapi::NotFound),
        (status = 413, response = crate::openapi::PayloadTooLarge),
        (status = "default", response = crate::openapi::Failed),
    ))]
pub(crate) async fn receive_message_with_secret(
    State(state): State<AppState>,
    path: crate::extract::IngestPath,
    request: axum::extract::Request,
) -> Result<Response, ApiError> {
    receive(&state, &path, request).await
}

async fn receive(
    state: &AppState,
    path: &crate::extract::IngestPath,
    request: axum::extract::Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let body = match state.ingest.begin_large(&path.platform, path.source, &parts.headers).await? {
        Some(large) => match arrival::receive(state, large, body).await? {
            Arrived::Answered(answer) => {
                return tell(state, path, answer, &parts.headers, Bytes::new()).await;
            }
            Arrived::Whole(body) => body,
        },
        None => read_body(body, BODY_LIMIT).await?,
    };
    // The address that the platform was told to post to.
    let told = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{told}", BaseUrl::of(state.public_url.as_deref(), &parts).0);
    let request =
        Request { url: &url, path_secret: path.secret.as_deref(), headers: &parts.headers, body: &body };
    let answer = state.ingest.receive(&path.platform, path.source, &request).await?;
    tell(state, path, answer, &parts.headers, body).await
}

/// Counts a message. The path names the platform, so anything may stand there.
fn count(metrics: &Metrics, platform: &str, answer: &Answer) {
    let platform = Platform::parse(platform).map_or("unknown", Platform::as_str);
    let outcome = match answer {
        Answer::Kept(received) => received.outcome.as_str(),
        Answer::Asked(_) => "asked",
        Answer::Rejected(_) => "rejected",
        Answer::UnknownSource => "unknown_source",
    };
    metrics.message(platform, outcome);
}

/// Tells the platform what became of its message.
async fn tell(
    state: &AppState,
    path: &crate::extract::IngestPath,
    answer: Answer,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    count(&state.metrics, &path.platform, &answer);
    match answer {
        Answer::Kept(received) => {
            let receipt = Receipt { received: true, outcome: received.outcome.as_str() };
            Ok(One::new(receipt).into_response())
        }
        Answer::Asked(asked) => Ok(answers::answer(state, &asked, headers, body).await),
        Answer::Rejected(reason) => Err(ApiError::new(Code::Unauthorized, format!("Not accepted: {reason}"))),
        Answer::UnknownSource => Err(ApiError::not_found("source")),
    }
}
