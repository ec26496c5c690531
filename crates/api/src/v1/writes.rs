//! What all writes of single records have in common: the headers that they take, and how they are answered.

use axum::{extract::FromRequestParts, response::Response};
use http::{HeaderMap, header, request::Parts};
use model::{Stamp, Time};
use serde::{Deserialize, Serialize};
use store::{Answer, Asked, IfMatch, Refusal, Written};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    envelope::tag,
    error::{ApiError, Code},
    extract::Query,
    v1::{
        bodies::wrong,
        idempotency::{self, idempotency},
    },
};

/// The header of a write that is meant for one version of a record, as it is described.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described")]
pub(crate) struct VersionHeader {
    /// The `ETag` of the version that the write is meant for, or several. Where the record was changed since, nothing is
    /// done and the answer is 412. Tags stand for versions of records and not for bytes, so weak ones match.
    #[param(rename = "If-Match", required = false, format = "entity-tag")]
    if_match: String,
}

/// The headers of a write, with the operation that they belong to.
pub(crate) struct Asking {
    headers: HeaderMap,
    operation: String,
}

/// Writes take no query: a parameter that somebody believes in must not be ignored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoQuery {}

impl<S: Sync> FromRequestParts<S> for Asking {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Query::<NoQuery>::from_request_parts(parts, state).await?;
        let operation = format!("{} {}", parts.method, parts.uri.path());
        Ok(Self { headers: parts.headers.clone(), operation })
    }
}

impl Asking {
    /// What is asked beside the body, of which the bytes tell one request from another.
    pub(crate) fn of(&self, body: &[u8]) -> Result<Asked, ApiError> {
        let idempotency = idempotency(&self.headers, &self.operation, body)?;
        Ok(Asked { idempotency, if_match: if_match(&self.headers) })
    }
}

/// The versions that `If-Match` names. What is no tag of ours matches nothing.
fn if_match(headers: &HeaderMap) -> Option<IfMatch> {
    let mut values = headers.get_all(header::IF_MATCH).iter().peekable();
    values.peek()?;
    let tags: Vec<&str> =
        values.filter_map(|value| value.to_str().ok()).flat_map(|tags| tags.split(',')).collect();
    if tags.iter().any(|tag| tag.trim() == "*") {
        return Some(IfMatch::Any);
    }
    Some(IfMatch::Versions(tags.into_iter().filter_map(version).collect()))
}

/// The version that a tag stands for, as [`tag`] writes it.
fn version(tag: &str) -> Option<Stamp> {
    let tag = tag.trim();
    let opaque = tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')?;
    i64::from_str_radix(opaque, 16).ok().map(Stamp::from_micros)
}

/// That a record was deleted.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeletedRecord {
    /// The record's id.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// Always true.
    deleted: bool,
}

/// When the record that is answered with was last changed: its version.
#[derive(Deserialize)]
struct Versioned {
    updated_at: Option<Time>,
    /// Of records that never change.
    created_at: Option<Time>,
}

/// The answer to a write, with the tag of the version that it left behind.
pub(crate) fn answered(answer: Answer, noun: &str) -> Result<Response, ApiError> {
    let written = answer.map_err(|refusal| refused(refusal, noun))?;
    let version = match &written {
        Written::Done { data, .. } | Written::Replayed { data, .. } => {
            serde_json::from_str::<Versioned>(data)
                .ok()
                .and_then(|record| record.updated_at.or(record.created_at))
        }
        Written::Conflict => None,
    };
    let mut response = idempotency::answered(written)?;
    if let Some(version) = version {
        tag(&mut response, Stamp::from_micros(version.micros()));
    }
    Ok(response)
}

fn refused(refusal: Refusal, noun: &str) -> ApiError {
    match refusal {
        Refusal::Missing => ApiError::not_found(noun),
        Refusal::Stale => {
            let message = format!("The {noun} was changed since the version that `If-Match` names");
            ApiError::new(Code::PreconditionFailed, message)
        }
        Refusal::Unknown { field, noun } => wrong(field, &format!("there is no {noun} with this id")),
        Refusal::Taken { field, noun, by } => {
            let message = format!("Wrong field `{field}`: it belongs to the {noun} {by} already");
            ApiError::new(Code::Conflict, message)
        }
        Refusal::Erased { field } => {
            ApiError::new(Code::Conflict, format!("Wrong field `{field}`: this person is being erased"))
        }
        Refusal::Wrong { field, why } => wrong(field, why),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn tags_of_ours_are_read_weak_or_strong_and_others_match_nothing() {
        let stamp = Stamp::from_micros(0x1f);
        let cases: [(&[&'static str], &[Stamp]); 6] = [
            (&[r#"W/"1f""#], &[stamp]),
            (&[r#""1f""#], &[stamp]),
            (&[r#""x", W/"1f" , "1f"#], &[stamp]),
            (&[r#""1f""#, r#"W/"20""#], &[stamp, Stamp::from_micros(0x20)]),
            (&["1f"], &[]),
            (&[""], &[]),
        ];
        for (values, expected) in cases {
            let values = values.iter().map(|value| (header::IF_MATCH, HeaderValue::from_static(value)));
            match if_match(&values.collect()) {
                Some(IfMatch::Versions(versions)) => assert_eq!(versions, expected),
                other => panic!("{other:?}"),
            }
        }
        let any = HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static("*"))]);
        assert!(matches!(if_match(&any), Some(IfMatch::Any)));
        assert!(if_match(&HeaderMap::new()).is_none());
    }
}
