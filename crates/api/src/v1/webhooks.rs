//! `/v1/webhooks`

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use delivery::sign;
use model::{EndpointId, id::kind};
use serde::{Deserialize, Serialize};
use store::{Aside, Endpoint, NewEndpoint, Placed, Rotation};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Caller,
    envelope::{One, PlacedList, with_id},
    error::{ApiError, Code},
    extract::{Json, Limit, PathId, PlaceParam, Query, TimeParam, placed_page},
    openapi::{self, CreatedOf, ListOf, OneOf},
    v1::{
        bodies::{check_secret, overlap, wrong},
        idempotency::{IdempotencyKey, answered, idempotency},
        webhook_pacing,
        webhooks_body::{
            ChangedWebhook, NewWebhook, RotateWebhookSecret, ShownWebhook, WebhookWithSecret,
            check_description,
        },
    },
};

/// Which endpoints are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListWebhooks {
    /// How many records a page has.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "place-cursor")]
    cursor: Option<PlaceParam>,
    /// Only endpoints created after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
}

/// List webhook endpoints
#[utoipa::path(get, path = "/v1/webhooks", tag = "Webhooks", params(ListWebhooks),
    responses(
        (status = 200, description = "A page of endpoints, newest first.", body = ListOf<ShownWebhook>),
        openapi::ListErrors,
    ))]
pub(crate) async fn list_webhooks(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<ListWebhooks>,
) -> Result<PlacedList<ShownWebhook>, ApiError> {
    let page = placed_page(query.limit, query.cursor, query.since);
    let Placed { records, next } = caller.store.find_endpoints(page).await?;
    let now = state.clock.now();
    let records = records.into_iter().map(|endpoint| ShownWebhook::new(endpoint, now)).collect();
    Ok(PlacedList(Placed { records, next }))
}

/// Create a webhook endpoint
///
/// It is told of events from now on. Its secret is shown in this answer and never again. This is also where Zapier
/// subscribes (REST hooks): it may call the address `hookUrl` or `target_url` and a single event `event`, and finds the
/// `id` beside `data` too. To unsubscribe, delete the endpoint, or answer a webhook with 410.
#[utoipa::path(post, path = "/v1/webhooks", tag = "Webhooks",
    params(IdempotencyKey),
    request_body = NewWebhook,
    responses(
        (status = 201, description = "The endpoint, with its secret.", body = CreatedOf<WebhookWithSecret>),
        openapi::CreateErrors,
    ))]
pub(crate) async fn create_webhook(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    body: Json<NewWebhook>,
) -> Result<Response, ApiError> {
    let idempotency = idempotency(&headers, "POST /v1/webhooks", &body.raw)?;
    let mut new = body.value;
    let telling = new.take_telling();
    let NewWebhook { url, events, description, secret, rate, ordering, .. } = new;
    check_url(&state, &url)?;
    check_description(description.as_deref())?;
    let secret = secret.unwrap_or_else(|| Some(sign::generate_secret(&*state.ids)));
    check_secret(secret.as_deref())?;
    let telling = telling.of_new(&caller.store).await?;
    let new = NewEndpoint { url, events: events.0, secret, source: None, telling };
    let aside = Aside { description, pacing: webhook_pacing::change(rate, ordering) };
    let now = state.clock.now();
    let answer = move |endpoint: &Endpoint| WebhookWithSecret::json(endpoint, now);
    let written = caller.store.create_endpoint_once(new, aside, idempotency, answer).await?;
    Ok(with_id(answered(written)?))
}

/// Get a webhook endpoint
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.", format = Uuid)),
    responses(
        (status = 200, description = "The endpoint.", body = OneOf<ShownWebhook>),
        openapi::GetErrors,
    ))]
pub(crate) async fn get_webhook(
    State(state): State<AppState>,
    caller: Caller,
    PathId(id): PathId<kind::Endpoint>,
) -> Result<One<ShownWebhook>, ApiError> {
    Ok(answer(ShownWebhook::new(find(&caller, id).await?, state.clock.now())))
}

fn answer(webhook: ShownWebhook) -> One<ShownWebhook> {
    let version = webhook.version();
    let one = One::new(webhook);
    match version {
        Some(version) => one.versioned(version),
        None => one,
    }
}

/// Change a webhook endpoint
///
/// 409 where events are named, or what is told of them, and it forwards a source's messages.
#[utoipa::path(patch, path = "/v1/webhooks/{id}", tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.", format = Uuid)),
    request_body = ChangedWebhook,
    responses(
        (status = 200, description = "The endpoint, changed.", body = OneOf<ShownWebhook>),
        openapi::WriteErrors,
    ))]
pub(crate) async fn update_webhook(
    State(state): State<AppState>,
    caller: Caller,
    PathId(id): PathId<kind::Endpoint>,
    body: Json<ChangedWebhook>,
) -> Result<One<ShownWebhook>, ApiError> {
    let endpoint = find(&caller, id).await?;
    if endpoint.source.is_some() && body.value.is_about_events() {
        let why = "This webhook forwards a source's messages and is told no events";
        return Err(ApiError::new(Code::Conflict, why));
    }
    if let Some(url) = &body.value.url {
        check_url(&state, url)?;
    }
    let change = body.value.into_change(&endpoint.telling, &caller.store).await?;
    let changed = caller.store.update_endpoint(id, change).await?.ok_or_else(unknown)?;
    Ok(answer(ShownWebhook::new(changed, state.clock.now())))
}

/// That an endpoint was deleted.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeletedWebhook {
    id: EndpointId,
    /// Always true.
    deleted: bool,
}

/// Delete a webhook endpoint
///
/// It is told nothing any more, and what it was still owed is called off. Its deliveries can still be looked at.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.", format = Uuid)),
    responses(
        (status = 200, description = "It is deleted.", body = OneOf<DeletedWebhook>),
        openapi::GetErrors,
    ))]
pub(crate) async fn delete_webhook(
    caller: Caller,
    PathId(id): PathId<kind::Endpoint>,
) -> Result<One<DeletedWebhook>, ApiError> {
    if !caller.store.delete_endpoint(id).await? {
        return Err(unknown());
    }
    Ok(One::new(DeletedWebhook { id, deleted: true }))
}

/// Rotate a webhook endpoint's secret
///
/// The new secret signs at once, and the one before beside it for a while: `webhook-signature` then lists both
/// signatures, while `X-InboundFlow-Signature`, which holds one, stays on the secret before until the overlap ends or
/// `expire_previous` ends it. The new secret is shown in this answer and never again.
#[utoipa::path(post, path = "/v1/webhooks/{id}/rotate-secret", tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.", format = Uuid),
        IdempotencyKey),
    request_body = RotateWebhookSecret,
    responses(
        (status = 200, description = "The endpoint, with its new secret where one was made.", body = OneOf<WebhookWithSecret>),
        openapi::WriteErrors,
    ))]
pub(crate) async fn rotate_webhook_secret(
    State(state): State<AppState>,
    caller: Caller,
    PathId(id): PathId<kind::Endpoint>,
    headers: HeaderMap,
    body: Json<RotateWebhookSecret>,
) -> Result<Response, ApiError> {
    let operation = format!("POST /v1/webhooks/{id}/rotate-secret");
    let idempotency = idempotency(&headers, &operation, &body.raw)?;
    let overlap = overlap(body.value.overlap_seconds)?;
    check_secret(body.value.secret.as_deref())?;
    let now = state.clock.now();
    if body.value.expire_previous.is_some() {
        // To end it twice is to end it once, so there is no answer to keep.
        let endpoint = caller.store.expire_previous_secret(id).await?.ok_or_else(unknown)?;
        return Ok(One::new(WebhookWithSecret::without(endpoint, now)).into_response());
    }
    let secret = body.value.secret.unwrap_or_else(|| sign::generate_secret(&*state.ids));
    let rotation = Rotation { secret, overlap };
    let answer = move |endpoint: &Endpoint| WebhookWithSecret::json(endpoint, now);
    let written = caller.store.rotate_endpoint_secret(id, rotation, idempotency, answer).await?;
    answered(written.ok_or_else(unknown)?)
}

/// The endpoint with an id, if the caller's organization has it.
pub(crate) async fn find(caller: &Caller, id: EndpointId) -> Result<Endpoint, ApiError> {
    caller.store.get_endpoint(id).await?.ok_or_else(unknown)
}

pub(crate) fn unknown() -> ApiError {
    ApiError::not_found("webhook")
}

pub(crate) fn check_url(state: &AppState, url: &str) -> Result<(), ApiError> {
    state.trials.check(url).map_err(|error| wrong("url", &error.to_string()))
}
