//! Requests that may be sent again: their `Idempotency-Key`, and the answer that is kept for it.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use store::{Idempotency, Written};
use utoipa::IntoParams;

use crate::{
    envelope::One,
    error::{ApiError, Code},
};

/// The header of a request that may be sent again, as it is described.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described")]
pub(crate) struct IdempotencyKey {
    /// Sent again within 24 hours with the same body, the first answer comes again and nothing is done twice.
    #[param(
        rename = "Idempotency-Key",
        required = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$"
    )]
    idempotency_key: String,
}

/// The request's key, if it has one. `operation` and the body tell the same request from another.
pub(crate) fn idempotency(
    headers: &HeaderMap,
    operation: &str,
    body: &[u8],
) -> Result<Option<Idempotency>, ApiError> {
    let Some(header) = headers.get("idempotency-key") else { return Ok(None) };
    let key = header.to_str().unwrap_or_default();
    let is_good = (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_good {
        let message = "Wrong header `Idempotency-Key`: must be 1 to 255 visible ASCII characters";
        return Err(ApiError::bad_request(message));
    }
    let mut hash = Sha256::new();
    hash.update(operation);
    hash.update([0]);
    hash.update(body);
    Ok(Some(Idempotency { key: key.to_owned(), request_hash: hash.finalize().into() }))
}

/// The answer to a write, which may have been given before.
pub(crate) fn answered(written: Written) -> Result<Response, ApiError> {
    let (status, data, is_replay) = match written {
        Written::Done { created: true, data } => (StatusCode::CREATED, data, false),
        Written::Done { created: false, data } => (StatusCode::OK, data, false),
        Written::Replayed { status, data } => {
            (StatusCode::from_u16(status).unwrap_or(StatusCode::OK), data, true)
        }
        Written::Conflict => {
            let message = "Another request was made with this Idempotency-Key within the last 24 hours";
            return Err(ApiError::new(Code::Conflict, message));
        }
    };
    // Stored as JSON text: it goes out as it is.
    let data = RawValue::from_string(data)
        .map_err(|error| ApiError::from(store::Error::Stored { what: "answer", why: error.to_string() }))?;
    let mut response = One::new(data).status(status).into_response();
    if is_replay {
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    Ok(response)
}
