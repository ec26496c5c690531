//! `/v1/contacts/{id}/export`: all that there is of a person, for them to take along.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use model::id::kind;

use crate::{auth::Caller, error::ApiError, extract::PathId, openapi, v1::export_answer::broken};

/// Export a person
///
/// One JSON object, streamed: the `contact`, which of their numbers are blocked (`blocked_numbers`), and their `calls` with the
/// conversations, `leads` and `appointments`, oldest first. If the answer breaks off, it is no JSON.
#[utoipa::path(get, path = "/v1/contacts/{id}/export", tag = "Contacts",
    params(("id" = String, Path, description = "The contact's id.", format = Uuid)),
    responses(
        (status = 200, description = "What there is of the person.", content_type = "application/json", body = serde_json::Value),
        (status = 401, response = openapi::Unauthorized),
        (status = 404, response = openapi::NotFound),
        (status = 429, response = openapi::RateLimited),
        (status = "default", response = openapi::Failed),
    ))]
pub(crate) async fn export_person(
    caller: Caller,
    PathId(id): PathId<kind::Contact>,
) -> Result<Response, ApiError> {
    let export = caller.store.export_person(id).await?.ok_or_else(|| ApiError::not_found("contact"))?;
    let file = format!("attachment; filename=\"contact-{}.json\"", export.contact());
    let pieces = futures_util::stream::try_unfold(export, |mut export| async move {
        let piece = export.next_piece().await.map_err(|error| broken(&error))?;
        Ok::<_, std::io::Error>(piece.map(|piece| (piece, export)))
    });
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if let Ok(file) = HeaderValue::from_str(&file) {
        headers.insert(header::CONTENT_DISPOSITION, file);
    }
    Ok(response)
}
