//! `POST /v1/sources/{id}/forwards`: a further address for a source's messages, as they came.

use axum::{extract::State, http::HeaderMap, response::Response};
use model::{EventFilter, id::kind};
use serde::Deserialize;
use store::{Aside, Endpoint, NewEndpoint};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Caller,
    error::ApiError,
    extract::{Json, PathId},
    openapi::{self, OneOf},
    v1::{
        bodies::check_secret,
        idempotency::{IdempotencyKey, answered, idempotency},
        sources,
        webhooks::check_url,
        webhooks_body::{WebhookWithSecret, check_description},
    },
};

/// A further address for a source's messages.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewForward {
    /// Where the messages go: https, unless the operator allows the host.
    #[schema(format = "webhook-url", max_length = 2048)]
    url: String,
    /// What it is for.
    #[schema(max_length = 500)]
    description: Option<String>,
    /// A secret to sign with, beside what the platform signed with. Nothing is signed by us where there is none.
    #[schema(max_length = 1000, pattern = "^[^\\u0000]*[!-~][^\\u0000]*$")]
    secret: Option<String>,
}

/// Forward a source's messages
///
/// Platforms have one webhook slot. From now on each message whose sender is proven, repetitions too, is sent on to this
/// address as it came: the same bytes and the platform's own headers with its signature, but for headers that are the
/// secret itself (`Authorization`, `X-Vapi-Secret` and their like). It is delivered as webhooks are, with retries, and
/// what the receiver answers is not passed back. ElevenLabs' audio messages, which are taken apart as they arrive, are not
/// sent on.
///
/// The forward is a webhook endpoint with a `source_id`: `/v1/webhooks` lists, pauses and deletes it, and
/// `/v1/deliveries` shows what became of each message (`source.message`).
#[utoipa::path(post, path = "/v1/sources/{id}/forwards", tag = "Sources",
    params(("id" = String, Path, description = "The source's id.", format = Uuid),
        IdempotencyKey),
    request_body = NewForward,
    responses(
        (status = 201, description = "The endpoint that the messages go to.", body = OneOf<WebhookWithSecret>),
        openapi::WriteErrors,
    ))]
pub(crate) async fn create_source_forward(
    State(state): State<AppState>,
    caller: Caller,
    PathId(id): PathId<kind::Source>,
    headers: HeaderMap,
    body: Json<NewForward>,
) -> Result<Response, ApiError> {
    let idempotency = idempotency(&headers, &format!("POST /v1/sources/{id}/forwards"), &body.raw)?;
    sources::find(&caller, id).await?;
    let NewForward { url, description, secret } = body.value;
    check_url(&state, &url)?;
    check_description(description.as_deref())?;
    check_secret(secret.as_deref())?;
    let new = NewEndpoint {
        url,
        events: EventFilter::default(),
        secret,
        source: Some(id),
        telling: Default::default(),
    };
    let aside = Aside { description, ..Aside::default() };
    let now = state.clock.now();
    let answer = move |endpoint: &Endpoint| WebhookWithSecret::json(endpoint, now);
    answered(caller.store.create_endpoint_once(new, aside, idempotency, answer).await?)
}
