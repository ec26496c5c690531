//! The envelope of every answer. Handlers begin it with [`One`], [`List`] or an error; [`finish`] adds `meta`, so
//! that no handler has to know the request's id.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use model::{Stamp, Time};
use serde::{Serialize, Serializer};
use store::{Listed, Placed, Row, Rows};
use utoipa::ToSchema;

use crate::AppState;

/// A single record.
pub(crate) struct One<T> {
    data: T,
    status: StatusCode,
    version: Option<Stamp>,
}

impl<T> One<T> {
    /// A record that is answered with 200.
    pub(crate) fn new(data: T) -> Self {
        Self { data, status: StatusCode::OK, version: None }
    }

    /// With the time of its last change as its version (`ETag`).
    #[must_use]
    pub(crate) fn versioned(self, version: Stamp) -> Self {
        Self { version: Some(version), ..self }
    }

    /// Answered with another status.
    #[must_use]
    pub(crate) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl<T: Serialize> IntoResponse for One<T> {
    fn into_response(self) -> Response {
        let mut response = begun("data", &self.data);
        *response.status_mut() = self.status;
        if let Some(version) = self.version {
            tag(&mut response, version);
        }
        response
    }
}

/// Gives an answer the tag of its record's version.
pub(crate) fn tag(response: &mut Response, version: Stamp) {
    // Weak (RFC 9110 section 8.8.3): `meta` differs from answer to answer, the record does not.
    if let Ok(tag) = HeaderValue::from_str(&format!("W/\"{:x}\"", version.micros())) {
        response.headers_mut().insert(header::ETAG, tag);
    }
}

/// Puts the record's `id` beside `data` too, where subscribers of REST hooks look for it.
pub(crate) fn with_id(mut response: Response) -> Response {
    if let Some(Unfinished(json)) = response.extensions_mut().get_mut::<Unfinished>()
        && let Ok(parsed) = serde_json::from_slice::<serde_json::Value>(&[json.as_slice(), b"}"].concat())
    {
        json.extend_from_slice(format!(r#","id":{}"#, parsed["data"]["id"]).as_bytes());
    }
    response
}

/// A page of records.
pub(crate) struct List<T>(pub Listed<T>);

#[derive(Serialize)]
struct ListWire<'a, T> {
    data: &'a [T],
    has_more: bool,
    next_cursor: Option<String>,
}

impl<T: Serialize> IntoResponse for List<T> {
    fn into_response(self) -> Response {
        let next_cursor = self.0.next.map(model::Cursor::encode);
        unfinished(&ListWire { data: &self.0.records, has_more: next_cursor.is_some(), next_cursor })
    }
}

/// An answer with one record, which the store wrote as JSON: `{"data": {…}, "meta": …}`.
pub(crate) struct RawOne(pub Row);

impl IntoResponse for RawOne {
    fn into_response(self) -> Response {
        let mut json = Vec::with_capacity(self.0.json.len() + META_BYTES);
        json.extend_from_slice(br#"{"data":"#);
        json.extend_from_slice(&self.0.json);
        let mut response = unfinished_bytes(json);
        tag(&mut response, self.0.version);
        response
    }
}

/// An answer with a page of records, which the store wrote as JSON.
pub(crate) struct RawList(pub Rows);

impl IntoResponse for RawList {
    fn into_response(self) -> Response {
        let mut json = Vec::with_capacity(self.0.json.len() + META_BYTES);
        json.extend_from_slice(br#"{"data":"#);
        json.extend_from_slice(&self.0.json);
        match self.0.next.map(model::Cursor::encode) {
            Some(cursor) => {
                json.extend_from_slice(format!(r#","has_more":true,"next_cursor":"{cursor}""#).as_bytes())
            }
            None => json.extend_from_slice(br#","has_more":false,"next_cursor":null"#),
        }
        unfinished_bytes(json)
    }
}

/// What the envelope takes beside the data, in bytes.
const META_BYTES: usize = 256;

/// A page of records that are ordered by a time which need not be unique.
pub(crate) struct PlacedList<T>(pub Placed<T>);

impl<T: Serialize> IntoResponse for PlacedList<T> {
    fn into_response(self) -> Response {
        let next_cursor = self.0.next.map(model::Place::encode);
        unfinished(&ListWire { data: &self.0.records, has_more: next_cursor.is_some(), next_cursor })
    }
}

/// `meta` of every answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Meta {
    /// The request's id, also in the header `X-Request-Id`. Tell it when you ask for help.
    #[schema(example = "req_0197a3c4d5e67f8091a2b3c4d5e6f708")]
    pub request_id: String,
    /// When we answered.
    pub timestamp: Time,
}

/// An answer with one field, before `meta` is added.
pub(crate) fn begun(field: &'static str, value: &impl Serialize) -> Response {
    struct Field<'a, T>(&'static str, &'a T);
    impl<T: Serialize> Serialize for Field<'_, T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([(self.0, self.1)])
        }
    }
    unfinished(&Field(field, value))
}

/// JSON without its closing brace, for [`finish`].
#[derive(Clone)]
struct Unfinished(Vec<u8>);

/// Most answers are shorter; a page of calls with transcripts grows from here in few steps.
const LIKELY_BYTES: usize = 16 << 10;

fn unfinished(value: &impl Serialize) -> Response {
    let mut json = Vec::with_capacity(LIKELY_BYTES);
    if let Err(error) = serde_json::to_writer(&mut json, value) {
        tracing::error!(%error, "an answer could not be written as JSON");
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        let body = br#"{"error":{"code":"internal_error","message":"Something went wrong on our side","status":500}"#;
        response.extensions_mut().insert(Unfinished(body.to_vec()));
        return response;
    }
    json.pop();
    unfinished_bytes(json)
}

/// An object whose closing brace is still to come.
fn unfinished_bytes(json: Vec<u8>) -> Response {
    let mut response = StatusCode::OK.into_response();
    response.extensions_mut().insert(Unfinished(json));
    response
}

/// Finishes the envelope that a handler began, and tells the request's id.
pub(crate) fn finish(
    state: &AppState,
    mut response: Response,
    request_id: &str,
    if_none_match: Option<&HeaderValue>,
) -> Response {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-request-id", value);
    }
    if let Some(Unfinished(mut json)) = response.extensions_mut().remove::<Unfinished>() {
        if is_unchanged(&response, if_none_match) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        json.extend_from_slice(br#","meta":{"request_id":""#);
        json.extend_from_slice(request_id.as_bytes());
        json.extend_from_slice(br#"","timestamp":""#);
        state.clock.now().append_to(&mut json);
        json.extend_from_slice(br#""}}"#);
        close(response.headers_mut());
        *response.body_mut() = Body::from(json);
    }
    response
}

fn close(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Answers hold personal data: no cache on the way may keep them.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

fn is_unchanged(response: &Response, if_none_match: Option<&HeaderValue>) -> bool {
    let (Some(tag), Some(asked)) = (response.headers().get(header::ETAG), if_none_match) else {
        return false;
    };
    let (Ok(tag), Ok(asked)) = (tag.to_str(), asked.to_str()) else { return false };
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    response.status().is_success()
        && asked.split(',').any(|each| each.trim() == "*" || opaque(each) == opaque(tag))
}
