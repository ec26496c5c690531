//! One request to a receiver and its answer, as deliveries and test sends show them.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::Serialize;
use utoipa::ToSchema;

/// A header.
#[derive(Serialize, ToSchema)]
pub(crate) struct HeaderLine {
    /// Its name, in small letters.
    name: String,
    value: String,
}

impl HeaderLine {
    pub(crate) fn all(lines: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Vec<Self> {
        lines.into_iter().map(|(name, value)| Self { name: name.into(), value: value.into() }).collect()
    }
}

/// What was sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct SentRequest {
    /// Always `POST`.
    pub method: &'static str,
    /// Where it went.
    pub url: String,
    /// Its headers, in the order in which they were sent.
    pub headers: Vec<HeaderLine>,
    /// Its body, as the bytes that were signed. Of a forwarded message the first 16 KiB, as far as they are UTF-8: the
    /// whole is with the source's events. Null where it is no longer kept.
    #[schema(required)]
    pub body: Option<String>,
}

/// What was answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReceivedResponse {
    status: i64,
    /// Its headers, at most 16 KiB of them.
    headers: Vec<HeaderLine>,
    /// The beginning of its body, at most 16 KiB, where that is UTF-8; else null.
    #[schema(required)]
    body: Option<String>,
    /// The beginning of its body in base64, where that is not UTF-8; else null.
    #[schema(required)]
    body_base64: Option<String>,
}

impl ReceivedResponse {
    pub(crate) fn new(status: i64, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        let (body, body_base64) = match String::from_utf8(body) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(BASE64.encode(error.as_bytes()))),
        };
        Self { status, headers: HeaderLine::all(headers), body, body_base64 }
    }
}
