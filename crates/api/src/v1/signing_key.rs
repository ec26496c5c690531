//! `/v1/signing-key`: the organization's Ed25519 key, with which receivers check webhooks without a secret.

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use delivery::sign::SigningKey;
use model::{Stamp, Time};
use serde::{Deserialize, Serialize};
use store::SigningKeys;
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Caller,
    envelope::One,
    error::ApiError,
    extract::Json,
    openapi::{self, OneOf},
    v1::{
        bodies::{overlap, whole},
        idempotency::{IdempotencyKey, answered, idempotency},
        webhooks_body::ExpirePrevious,
    },
};

/// The key that signs webhooks of endpoints that ask for it, as `v1a` of Standard Webhooks.
#[derive(Serialize, ToSchema)]
#[schema(as = SigningKey)]
pub(crate) struct ShownSigningKey {
    /// What receivers check with: `whpk_` and the base64 of the Ed25519 public key.
    public_key: String,
    /// The public key before the last rotation, while it signs too; null where it does not.
    #[schema(required)]
    previous_public_key: Option<String>,
    /// Until when it does.
    #[schema(required)]
    previous_until: Option<Time>,
    created_at: Stamp,
}

impl ShownSigningKey {
    pub(crate) fn new(keys: &SigningKeys, now: Time) -> Self {
        let (previous, until) = keys.previous_at(now).unzip();
        Self {
            public_key: SigningKey::of(&keys.seed).public_key(),
            previous_public_key: previous.map(|seed| SigningKey::of(&seed).public_key()),
            previous_until: until,
            created_at: Stamp::from_micros(keys.created_at.micros()),
        }
    }
}

/// Get the signing key
///
/// The public key of the organization, which is made when it is first asked for. It signs the webhooks of the endpoints
/// that ask for it by `sign_v1a`: a signature in `webhook-signature` that begins with `v1a,` is the base64 of the Ed25519
/// signature over `{webhook-id}.{webhook-timestamp}.{body}` (Standard Webhooks).
#[utoipa::path(get, path = "/v1/signing-key", tag = "Webhooks",
    responses(
        (status = 200, description = "The public key.", body = OneOf<ShownSigningKey>),
        (status = 401, response = openapi::Unauthorized),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn get_signing_key(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<One<ShownSigningKey>, ApiError> {
    let keys = caller.store.signing_keys().await?;
    Ok(One::new(ShownSigningKey::new(&keys, state.clock.now())))
}

/// How the key is rotated.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateSigningKey {
    /// For how many seconds the key before signs too: a day where nothing is said, a week at most.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 604_800, default = 86_400)]
    overlap_seconds: Option<i64>,
    /// Ends the overlap of the last rotation, and makes no new key: the other fields are ignored.
    expire_previous: Option<ExpirePrevious>,
}

/// Rotate the signing key
///
/// A new key signs at once, and the one before beside it for a while: `webhook-signature` then lists a `v1a` signature of
/// each.
#[utoipa::path(post, path = "/v1/signing-key/rotate", tag = "Webhooks",
    params(IdempotencyKey),
    request_body = RotateSigningKey,
    responses(
        (status = 200, description = "The new public key.", body = OneOf<ShownSigningKey>),
        (status = 400, response = openapi::BadRequest),
        (status = 401, response = openapi::Unauthorized),
        (status = 409, response = openapi::Conflict),
        (status = 413, response = openapi::PayloadTooLarge),
        (status = 415, response = openapi::UnsupportedMediaType),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn rotate_signing_key(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    body: Json<RotateSigningKey>,
) -> Result<Response, ApiError> {
    let idempotency = idempotency(&headers, "POST /v1/signing-key/rotate", &body.raw)?;
    let (overlap, now) = (overlap(body.value.overlap_seconds)?, state.clock.now());
    if body.value.expire_previous.is_some() {
        // To end it twice is to end it once, so there is no answer to keep.
        let keys = caller.store.expire_previous_signing_key().await?;
        return Ok(One::new(ShownSigningKey::new(&keys, now)).into_response());
    }
    let answer = move |keys: &SigningKeys| {
        // Plain texts and times: there is nothing in them that JSON could not hold.
        serde_json::to_string(&ShownSigningKey::new(keys, now)).unwrap_or_else(|_| "null".into())
    };
    answered(caller.store.rotate_signing_key(overlap, idempotency, answer).await?)
}
