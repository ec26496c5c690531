//! What every page passes through: a request id, no panic that costs a connection, and what browsers are told to refuse.

use std::panic::AssertUnwindSafe;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::{
    Dashboard,
    error::{PageError, Said},
    shell::{self, Look},
};

/// Nothing from elsewhere, nothing inline: whatever a caller says stays text, also where we err.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; media-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(crate) async fn every_page(State(state): State<Dashboard>, request: Request, next: Next) -> Response {
    let id = format!("req_{}", state.ids.uuid().simple());
    let (look, method, path) =
        (Look::of(request.headers()), request.method().clone(), request.uri().path().to_owned());
    let began = state.clock.now();
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    // The panic's message went to the log by the panic hook.
    let mut response = answered.unwrap_or_else(|_| PageError::internal().into_response());
    let status = response.status().as_u16();
    let took_ms = state.clock.now().since(began).as_millis();
    tracing::debug!(request = id, %method, path, status, took_ms, "request {id} was answered with {status}");
    if response.status() == StatusCode::FORBIDDEN && response.extensions().get::<Said>().is_none() {
        response = crossed().into_response();
    }
    if let Some(said) = response.extensions_mut().remove::<Said>() {
        response = shell::error_page(&state, look, &said, &id);
    }
    protect(response.headers_mut(), &state, &id);
    response
}

/// What the layer against forged requests refused.
fn crossed() -> PageError {
    let text = "The form came from another site, so nothing was done. Open the page here and try again.";
    PageError::said(StatusCode::FORBIDDEN, "Not from here", text.into(), ("/", "Open the dashboard"))
}

fn protect(headers: &mut HeaderMap, state: &Dashboard, id: &str) {
    let mut put = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    put(header::CONTENT_SECURITY_POLICY, POLICY);
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::X_FRAME_OPTIONS, "DENY");
    put(header::REFERRER_POLICY, "same-origin");
    put(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    put(HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()");
    // Pages hold personal data.
    put(header::CACHE_CONTROL, "private, no-store");
    if state.is_https() {
        put(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert("x-request-id", value);
    }
}
