//! Who asks: the API key, and the limit on how often.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header, request::Parts};
use model::{ApiKey, KeyId, OrgId, Time};
use store::{KeyRecord, OrgStore};
use subtle::ConstantTimeEq;

use crate::{
    AppState,
    error::{ApiError, Code},
    limit::Standing,
    scopes,
};

/// The organization whose key a request has: the only way for a handler to any records.
pub(crate) struct Caller {
    /// Its records.
    pub store: OrgStore,
    /// Which it is.
    pub org: OrgId,
}

#[derive(Clone, Copy)]
struct Authenticated(OrgId);

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        // Set by `authenticate` for everything under `/v1`; a handler elsewhere that asks for a caller gets none.
        let Authenticated(org) =
            parts.extensions.get().copied().ok_or_else(|| unauthorized("An API key is needed"))?;
        Ok(Self { store: state.store.org(org), org })
    }
}

/// Lets requests to `/v1` through that have a good key and are within its limit.
pub(crate) async fn authenticate(state: &AppState, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path != "/v1" && !path.starts_with("/v1/") {
        return next.run(request).await;
    }
    let now = state.clock.now();
    let (standing, mut response) = match check(state, request.headers(), now).await {
        Ok(key) => {
            let standing = state.limits.count_request(key.id, key.rate_limit, now).await;
            if standing.allowed {
                request.extensions_mut().insert(Authenticated(key.org));
                note_use(state, &key, now).await;
                match scopes::check(&key.scopes, &request) {
                    Ok(()) => (standing, next.run(request).await),
                    Err(error) => (standing, error.into_response()),
                }
            } else {
                (standing, limited(&standing, now))
            }
        }
        Err(error) => {
            let standing = state.limits.count_failure(address(&request), now);
            let response = if standing.allowed { error.into_response() } else { limited(&standing, now) };
            (standing, response)
        }
    };
    standing.write(response.headers_mut(), now);
    response
}

/// The key of a request, if it is good at this time.
pub(crate) async fn check(
    state: &AppState,
    headers: &HeaderMap,
    now: Time,
) -> Result<Arc<KeyRecord>, ApiError> {
    let header = headers.get(header::AUTHORIZATION).ok_or_else(|| {
        unauthorized("An API key is needed: send the header `Authorization: Bearer sk_live_…`")
    })?;
    let text = header.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(unauthorized("The Authorization header must be `Bearer` and an API key"));
    }
    let key = ApiKey::parse(token.trim()).map_err(|_| unauthorized("Invalid API key"))?;
    let record = state.store.find_key(key.key_id()).await?;
    let record = record.filter(|record| bool::from(record.hash.ct_eq(&key.hash()[..])));
    let record = record.ok_or_else(|| unauthorized("Invalid API key"))?;
    if record.revoked_at.is_some() {
        return Err(unauthorized("This API key was revoked"));
    }
    if record.expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Err(unauthorized("This API key has expired"));
    }
    Ok(record)
}

fn unauthorized(message: &str) -> ApiError {
    ApiError::new(Code::Unauthorized, message)
        .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

fn limited(standing: &Standing, now: Time) -> Response {
    let seconds = standing.seconds_left(now).max(1);
    let message = format!("More than {} requests in a minute; try again in {seconds} s", standing.limit);
    ApiError::new(Code::RateLimited, message).into_response()
}

fn address(request: &Request) -> IpAddr {
    let connected = request.extensions().get::<ConnectInfo<SocketAddr>>();
    connected.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip())
}

/// How often the use of a key is written down.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// When the use of each key was last written down by this process.
#[derive(Default)]
pub(crate) struct NotedUses(Mutex<HashMap<KeyId, Time>>);

impl NotedUses {
    fn is_due(&self, key: &KeyRecord, now: Time) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = noted.get(&key.id).copied().max(key.last_used_at);
        if last.is_some_and(|last| now.since(last) < NOTE_EVERY) {
            return false;
        }
        noted.insert(key.id, now);
        true
    }
}

async fn note_use(state: &AppState, key: &KeyRecord, now: Time) {
    if !state.limits.noted_uses.is_due(key, now) {
        return;
    }
    if let Err(error) = state.store.touch_key(key.id, now).await {
        // Reading must go on where the disk is full.
        tracing::warn!(%error, key = %key.id, "the use of key {} could not be written down", key.id);
    }
}
