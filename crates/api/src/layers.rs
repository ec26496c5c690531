//! What every request passes through, beside the envelope and the key check.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::Method;
use model::Time;

use crate::{
    AppState, auth, envelope,
    error::{ApiError, Code},
};

/// How long a request may take, its body included.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a message may take that can bring a recording of tens of megabytes.
const LARGE_TIMEOUT: Duration = Duration::from_secs(300);

/// What every request passes through, from the outside in. One layer and not five: each costs an allocation or two,
/// and here their order can be read.
pub(crate) async fn every_request(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let request_id = format!("req_{}", state.ids.uuid().simple());
    // Only who reads can be told that nothing changed (RFC 9110, section 13.1.2): a write has been carried out.
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let if_none_match = request.headers().get(http::header::IF_NONE_MATCH).filter(|_| reads).cloned();
    let line = Line::of(&request, &state);
    // Nobody waits for ever, a panic costs one request and not the connection, and `/v1` is for holders of a key.
    let limit = if request.uri().path().starts_with("/ingest/elevenlabs/") { LARGE_TIMEOUT } else { TIMEOUT };
    let answered = tokio::time::timeout(limit, auth::authenticate(&state, request, next));
    let response = match AssertUnwindSafe(answered).catch_unwind().await {
        Ok(Ok(response)) => response,
        // What it was writing is finished or rolled back all the same.
        Ok(Err(_)) => ApiError::unavailable("The request took too long; try again").into_response(),
        // The panic's message went to the log by the panic hook.
        Err(_) => ApiError::new(Code::InternalError, "Something went wrong on our side").into_response(),
    };
    line.write(&request_id, &response, &state);
    envelope::finish(&state, response, &request_id, if_none_match.as_ref())
}

/// The line in the log for a request: no query, which can hold a phone number, and no secret of a source.
struct Line {
    method: Method,
    path: String,
    began: Time,
}

impl Line {
    fn of(request: &Request, state: &AppState) -> Self {
        let path = shown_path(request.uri().path()).to_owned();
        Self { method: request.method().clone(), path, began: state.clock.now() }
    }

    fn write(&self, id: &str, response: &Response, state: &AppState) {
        let Self { method, path, began } = self;
        let status = response.status().as_u16();
        let took_ms = state.clock.now().since(*began).as_millis();
        if status >= 400 {
            tracing::info!(request = id, %method, path, status, took_ms, "request {id} was answered with {status}");
        } else {
            tracing::debug!(request = id, %method, path, status, took_ms, "request {id} was answered with {status}");
        }
    }
}

/// A path without what follows the id of a source, which is its secret.
fn shown_path(path: &str) -> &str {
    let end = path.match_indices('/').nth(3).filter(|_| path.starts_with("/ingest/"));
    end.map_or(path, |(end, _)| &path[..end])
}

/// No route has this path.
pub(crate) async fn no_route() -> ApiError {
    ApiError::new(Code::NotFound, "There is nothing at this path")
}

/// The path has a route, but not for this method.
pub(crate) async fn wrong_method(method: Method) -> ApiError {
    ApiError::new(Code::MethodNotAllowed, format!("{method} is not possible here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_a_path_is_not_shown() {
        assert_eq!(shown_path("/ingest/custom/0190/secret"), "/ingest/custom/0190");
        assert_eq!(shown_path("/ingest/vapi/0190"), "/ingest/vapi/0190");
        assert_eq!(shown_path("/v1/calls/0190/x/y"), "/v1/calls/0190/x/y");
    }
}
