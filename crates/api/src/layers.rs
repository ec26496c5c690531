//! What every request passes through, beside the envelope and the key check.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::Method;

use crate::{
    AppState,
    envelope::RequestId,
    error::{ApiError, Code},
};

/// How long a request may take, its body included.
const TIMEOUT: Duration = Duration::from_secs(30);

/// One line in the log for each request: no query, which can hold a phone number, and no secret of a source.
pub(crate) async fn trace(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let (method, path) = (request.method().clone(), shown_path(request.uri().path()).to_owned());
    let began = state.clock.now();
    let response = next.run(request).await;
    let (status, took_ms) = (response.status().as_u16(), state.clock.now().since(began).as_millis());
    if status >= 400 {
        tracing::info!(request = id, %method, path, status, took_ms, "request {id} was answered with {status}");
    } else {
        tracing::debug!(request = id, %method, path, status, took_ms, "request {id} was answered with {status}");
    }
    response
}

/// A path without what follows the id of a source, which is its secret.
fn shown_path(path: &str) -> &str {
    let end = path.match_indices('/').nth(3).filter(|_| path.starts_with("/ingest/"));
    end.map_or(path, |(end, _)| &path[..end])
}

/// A panic becomes a 500 in the envelope. Its message goes to the log by the panic hook.
pub(crate) async fn catch_panic(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => ApiError::new(Code::InternalError, "Something went wrong on our side").into_response(),
    }
}

/// A request that takes too long is given up. What it was writing is finished or rolled back all the same.
pub(crate) async fn timeout(request: Request, next: Next) -> Response {
    match tokio::time::timeout(TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::unavailable("The request took too long; try again").into_response(),
    }
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
