//! Sound as an answer: whole or in part (RFC 9110 section 14), known by its hash.

use std::ops::Range;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use model::{CallId, RecordingState};
use recordings::{Vault, sniff::SOUNDS};
use store::{FoundRecording, StoredObject};

use crate::error::{ApiError, Code};

/// What is asked for of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Span {
    Whole,
    Part(Range<u64>),
    /// Nothing of it lies there.
    Outside,
}

/// Answers with a recording, or says why there is none.
pub(crate) async fn answer(
    vault: &Vault,
    call: CallId,
    found: Option<FoundRecording>,
    (method, headers): (&Method, &HeaderMap),
) -> Result<Response, ApiError> {
    use RecordingState::{Deleted, Expired, Failed, Fetching, Pending, Stored};
    let missing = |why: &str| ApiError::new(Code::NotFound, why);
    let found = found.ok_or_else(|| missing("There is no such recording"))?;
    let object = match (found.state, found.object) {
        (_, Some(object)) => object,
        (Pending | Fetching, _) => {
            return Err(ApiError::unavailable("The recording is not fetched yet; try again a little later"));
        }
        (Deleted, _) => return Err(missing("The recording was deleted")),
        (Failed | Expired | Stored, _) => {
            let why = found.error.unwrap_or_else(|| "it is not there".into());
            return Err(missing(&format!("The recording could not be fetched: {why}")));
        }
    };
    let tag = format!("\"{}\"", &hex(&object.sha256)[..32]);
    let mut response = if is_known(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        respond(vault, &object, span_of(headers, &tag, object.size), method).await?
    };
    describe(response.headers_mut(), &object, &tag, &format!("{call}-{}", found.variant.as_str()));
    Ok(response)
}

async fn respond(
    vault: &Vault,
    object: &StoredObject,
    span: Span,
    method: &Method,
) -> Result<Response, ApiError> {
    let size = object.size;
    let (status, range) = match span {
        Span::Whole => (StatusCode::OK, 0..size),
        Span::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Span::Outside => {
            let error = ApiError::new(
                Code::RangeNotSatisfiable,
                format!("Nothing of the recording is there: it has {size} bytes"),
            );
            return Err(match HeaderValue::try_from(format!("bytes */{size}")) {
                Ok(value) => error.with(header::CONTENT_RANGE, value),
                Err(_) => error,
            });
        }
    };
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        let pieces = vault.get(&object.key, range.clone()).await.map_err(|error| {
            tracing::error!(error = ?error, "a recording cannot be read from the object store");
            match error.is_missing() {
                true => ApiError::new(Code::NotFound, "The recording is not in the object store any more"),
                false => ApiError::unavailable("The recording cannot be read for now; try again"),
            }
        })?;
        Body::from_stream(pieces)
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(value) =
            HeaderValue::try_from(format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1)))
    {
        headers.insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

fn describe(headers: &mut HeaderMap, object: &StoredObject, tag: &str, name: &str) {
    let known = SOUNDS.into_iter().find(|sound| sound.content_type == object.content_type);
    let (content_type, extension) =
        known.map_or(("application/octet-stream", "bin"), |sound| (sound.content_type, sound.extension));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // What it is was looked at when it was stored; a browser is not to guess again.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    if let Ok(value) = HeaderValue::try_from(format!("inline; filename=\"{name}.{extension}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let asked = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    asked.split(',').map(|each| each.trim().trim_start_matches("W/")).any(|each| each == "*" || each == tag)
}

fn span_of(headers: &HeaderMap, tag: &str, size: u64) -> Span {
    // A part of another recording than the client has is of no use to it (RFC 9110 section 13.1.5).
    if headers.get(header::IF_RANGE).is_some_and(|known| known.as_bytes() != tag.as_bytes()) {
        return Span::Whole;
    }
    headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok())
        .map_or(Span::Whole, |text| span(text, size))
}

/// What a `Range` header asks for. One that cannot be read counts as none, and so do several ranges at once: a server
/// may ignore them, and no player asks for that.
fn span(text: &str, size: u64) -> Span {
    let Some((unit, range)) = text.split_once('=') else { return Span::Whole };
    let Some((first, last)) = range.trim().split_once('-') else { return Span::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Span::Whole;
    }
    let number = |text: &str| match text {
        _ if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) => None,
        // More digits than a number has is far beyond the end.
        _ => Some(text.parse().unwrap_or(u64::MAX)),
    };
    let range = match (number(first), number(last), first.is_empty(), last.is_empty()) {
        (Some(first), Some(last), ..) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None, _, true) => first..size,
        (None, Some(count), true, _) => size.saturating_sub(count)..size,
        _ => return Span::Whole,
    };
    if range.is_empty() { Span::Outside } else { Span::Part(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (text, expected) in [
            ("bytes=0-499", Span::Part(0..500)),
            ("Bytes = 500-999", Span::Part(500..1000)),
            ("bytes=-500", Span::Part(500..1000)),
            ("bytes=-5000", Span::Part(0..1000)),
            ("bytes=999-", Span::Part(999..1000)),
            ("bytes=0-99999999999999999999999", Span::Part(0..1000)),
            ("bytes=1000-", Span::Outside),
            ("bytes=1000-2000", Span::Outside),
            ("bytes=99999999999999999999-", Span::Outside),
            ("bytes=-0", Span::Outside),
            ("bytes=0-0,5-6", Span::Whole),
            ("bytes=5-2", Span::Whole),
            ("bytes=-", Span::Whole),
            ("bytes=a-b", Span::Whole),
            ("bytes=+1-2", Span::Whole),
            ("bytes 0-1", Span::Whole),
            ("seconds=0-1", Span::Whole),
            ("", Span::Whole),
        ] {
            assert_eq!(span(text, 1000), expected, "{text}");
        }
        assert_eq!(span("bytes=0-", 0), Span::Outside);
    }
}
