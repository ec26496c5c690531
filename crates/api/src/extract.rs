//! Our own extractors, so that everything a client can get wrong is told in our envelope and by its name.

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
};
use bytes::Bytes;
use http::{HeaderMap, header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use model::{Cursor, Id, Page, Phone, Place, PlacedPage, Time};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use crate::{
    AppState,
    error::{ApiError, Code},
};

/// The longest body that is taken, in bytes.
pub(crate) const BODY_LIMIT: usize = 2 << 20;

/// The query, into a structure that denies unknown fields: a mistyped filter must not return unfiltered data.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(pairs).map(Self).map_err(|error| {
            let (name, why) = (error.path().to_string(), error.inner().to_string());
            ApiError::bad_request(told("query parameter", &name, &why))
        })
    }
}

/// The id in a path. What is not a UUID names nothing.
pub(crate) struct PathId<K>(pub(crate) Id<K>);

impl<K, S: Send + Sync> FromRequestParts<S> for PathId<K> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        #[expect(clippy::disallowed_types, reason = "wrapped here, so that its rejection is ours")]
        let path = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|path| path.0.parse().ok());
        id.map(Self).ok_or_else(|| ApiError::not_found("record"))
    }
}

/// A word in a path.
pub(crate) struct PathText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        #[expect(clippy::disallowed_types, reason = "wrapped here, so that its rejection is ours")]
        let path = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|_| ApiError::not_found("record"))
    }
}

/// Two ids in a path: of a record, and of something that belongs to it.
pub(crate) struct PathIds<K, L>(pub(crate) Id<K>, pub(crate) Id<L>);

impl<K, L, S: Send + Sync> FromRequestParts<S> for PathIds<K, L> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        #[expect(clippy::disallowed_types, reason = "wrapped here, so that its rejection is ours")]
        let path = axum::extract::Path::<(String, String)>::from_request_parts(parts, state).await;
        let ids = path.ok().and_then(|path| Some(Self(path.0.0.parse().ok()?, path.0.1.parse().ok()?)));
        ids.ok_or_else(|| ApiError::not_found("record"))
    }
}

/// Where this server is reached from outside, without a slash at its end: at the public address where the operator
/// set one, else where the request was sent to.
pub(crate) struct BaseUrl(pub(crate) String);

impl BaseUrl {
    pub(crate) fn of(public_url: Option<&str>, parts: &Parts) -> Self {
        if let Some(public_url) = public_url {
            return Self(public_url.trim_end_matches('/').to_owned());
        }
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        // HTTP/2 has it in the address.
        let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
        Self(format!("http://{}", host.unwrap_or_default()))
    }
}

impl FromRequestParts<AppState> for BaseUrl {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        Ok(Self::of(state.public_url.as_deref(), parts))
    }
}

/// A JSON body, with the bytes it was read from.
pub(crate) struct Json<T> {
    pub(crate) value: T,
    pub(crate) raw: Bytes,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            let message = "The body must be JSON, with the header `Content-Type: application/json`";
            return Err(ApiError::new(Code::UnsupportedMediaType, message));
        }
        let raw = read_body(body, BODY_LIMIT).await?;
        // serde takes an array for a structure, field by field; in our bodies that is a mistake.
        if raw.trim_ascii_start().first().is_some_and(|first| b"[\"tfn-0123456789".contains(first)) {
            return Err(ApiError::bad_request("The body must be a JSON object"));
        }
        let mut json = serde_json::Deserializer::from_slice(&raw);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let (path, inner) = (error.path().to_string(), error.into_inner());
            if inner.is_data() {
                return ApiError::bad_request(told("field", &path, &inner.to_string()));
            }
            ApiError::bad_request(format!("The body is not JSON: {inner}"))
        })?;
        json.end().map_err(|error| ApiError::bad_request(format!("The body is not JSON: {error}")))?;
        Ok(Self { value, raw })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// A body up to a limit.
pub(crate) async fn read_body(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(ApiError::new(Code::PayloadTooLarge, format!("The body is longer than {limit} bytes")))
        }
        Err(_) => Err(ApiError::bad_request("The body ended before its time")),
    }
}

fn told(what: &str, name: &str, why: &str) -> String {
    // serde tells an unknown, missing or repeated field in its own words, which name it.
    let field = why.split_once("field `").and_then(|(_, rest)| rest.split_once('`')).map(|(field, _)| field);
    if name == "." || name.is_empty() || field == Some(name) {
        format!("Wrong {what}: {why}")
    } else {
        format!("Wrong {what} `{name}`: {why}")
    }
}

/// `limit`, `cursor` and `since` of every list, as the query brings them.
pub(crate) fn page(limit: Option<Limit>, cursor: Option<CursorParam>, since: Option<TimeParam>) -> Page {
    Page {
        limit: limit.map_or(50, |limit| limit.0),
        before: cursor.map(|cursor| cursor.0),
        since: since.map(|since| since.0),
    }
}

/// `q` of a list that can be searched. One without anything in it asks for nothing.
pub(crate) fn search(q: Option<String>) -> Result<Option<String>, ApiError> {
    if q.as_ref().is_some_and(|search| search.chars().count() > 500) {
        return Err(ApiError::bad_request("Wrong query parameter `q`: must have at most 500 characters"));
    }
    Ok(q)
}

/// How many records a page has.
#[derive(Clone, Copy)]
pub(crate) struct Limit(u32);

impl Limit {
    /// The number.
    pub(crate) fn get(self) -> u32 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let limit = text.parse().ok().filter(|limit| (1..=100).contains(limit));
        limit.map(Self).ok_or_else(|| serde::de::Error::custom("must be a whole number from 1 to 100"))
    }
}

/// Where the page before ended.
#[derive(Clone, Copy)]
pub(crate) struct CursorParam(Cursor);

impl CursorParam {
    /// The place.
    pub(crate) fn place(self) -> Cursor {
        self.0
    }
}

impl<'de> Deserialize<'de> for CursorParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let cursor = Cursor::decode(&text);
        cursor.map(Self).ok_or_else(|| serde::de::Error::custom("must be the `next_cursor` of a page before"))
    }
}

/// `limit`, `cursor` and `since` of a list that is ordered by a time which need not be unique.
pub(crate) fn placed_page(
    limit: Option<Limit>,
    cursor: Option<PlaceParam>,
    since: Option<TimeParam>,
) -> PlacedPage {
    PlacedPage {
        limit: limit.map_or(50, |limit| limit.0),
        from: cursor.map(|cursor| cursor.0),
        since: since.map(|since| since.0),
    }
}

/// Where the page before ended, in a list that is ordered by a time which need not be unique.
#[derive(Clone, Copy)]
pub(crate) struct PlaceParam(pub(crate) Place);

impl<'de> Deserialize<'de> for PlaceParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let place = Place::decode(&text);
        place.map(Self).ok_or_else(|| serde::de::Error::custom("must be the `next_cursor` of a page before"))
    }
}

/// A time in a query.
#[derive(Clone, Copy)]
pub(crate) struct TimeParam(pub(crate) Time);

impl<'de> Deserialize<'de> for TimeParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // A `+` that was not encoded arrives as a space, and an ISO 8601 date-time with its offset has no other.
        text.replace(' ', "+").parse().map(Self).map_err(|_| {
            serde::de::Error::custom(
                "must be an ISO 8601 date-time with its offset, such as 2026-02-24T21:00:00Z",
            )
        })
    }
}

/// A phone number in a query.
#[derive(Clone)]
pub(crate) struct PhoneParam(pub(crate) Phone);

impl<'de> Deserialize<'de> for PhoneParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // A `+` that was not encoded arrives as a space.
        let text = text.strip_prefix(' ').map_or(text.clone(), |rest| format!("+{rest}"));
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// The call and the word for one of its recordings in a link.
pub(crate) struct RecordingPath {
    pub(crate) call: model::CallId,
    pub(crate) which: String,
}

impl<S: Send + Sync> FromRequestParts<S> for RecordingPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        #[expect(clippy::disallowed_types, reason = "wrapped here, so that its rejection is ours")]
        let path = axum::extract::Path::<(String, String)>::from_request_parts(parts, state).await;
        let parts = path.ok().and_then(|path| Some((path.0.0.parse().ok()?, path.0.1)));
        let (call, which) = parts.ok_or_else(|| ApiError::not_found("recording"))?;
        Ok(Self { call, which })
    }
}

/// The file's name in the address of a calendar.
pub(crate) struct CalendarFile(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for CalendarFile {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        #[expect(clippy::disallowed_types, reason = "wrapped here, so that its rejection is ours")]
        let path = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|_| ApiError::not_found("calendar"))
    }
}

/// The platform and the source in an ingest address, and the secret behind them where there is one.
pub(crate) struct IngestPath {
    pub(crate) platform: String,
    pub(crate) source: model::SourceId,
    pub(crate) secret: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for IngestPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        #[expect(clippy::disallowed_types, reason = "wrapped here, so that its rejection is ours")]
        let path = axum::extract::Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let mut values = path.map(|path| path.0).unwrap_or_default().into_iter().map(|(_, value)| value);
        let (platform, source, secret) = (values.next(), values.next(), values.next());
        let source = source.and_then(|id| id.parse().ok());
        let (Some(platform), Some(source)) = (platform, source) else {
            return Err(ApiError::not_found("source"));
        };
        Ok(Self { platform, source, secret })
    }
}
