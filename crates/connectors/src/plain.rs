//! Plain secrets in a header, and how settings describe them: what Vapi and custom sources have in common.

use http::HeaderName;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{Rejection, Request, Secrets, signature};

/// A bearer token.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Bearer {
    pub(crate) header: String,
    /// Whether `Bearer ` stands before the token.
    prefix: bool,
}

impl Default for Bearer {
    fn default() -> Self {
        Self { header: "authorization".into(), prefix: true }
    }
}

impl Bearer {
    /// Whether the request has one of the source's secrets as its token.
    pub(crate) fn verify(&self, secrets: &Secrets<'_>, request: &Request<'_>) -> Result<(), Rejection> {
        let header = required(request, &self.header)?;
        let token = if self.prefix { after_scheme(header, "Bearer ") } else { Some(header) };
        let token = token.ok_or_else(|| Rejection::Malformed {
            header: self.header.clone(),
            expected: "`Bearer ` and the token; where the platform leaves `Bearer ` out, set `prefix` to false",
        })?;
        matched(signature::is_one_of(secrets, token), &self.header)
    }
}

/// What comes after the scheme's name, which may be in any case (RFC 9110, 11.1).
pub(crate) fn after_scheme<'a>(header: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (scheme, rest) = header.split_at_checked(name.len())?;
    scheme.eq_ignore_ascii_case(name.as_bytes()).then(|| rest.trim_ascii())
}

/// A header without which nothing is proven.
pub(crate) fn required<'a>(request: &Request<'a>, name: &str) -> Result<&'a [u8], Rejection> {
    signature::header(request.headers, name).ok_or_else(|| Rejection::Missing(format!("header {name}")))
}

/// The verdict on what a header showed.
pub(crate) fn matched(ours: bool, header: &str) -> Result<(), Rejection> {
    if ours { Ok(()) } else { Err(Rejection::Mismatch { header: header.into() }) }
}

/// Whether a field of `settings.auth` can name a header.
pub(crate) fn check_header(field: &str, name: &str) -> Result<(), String> {
    let valid = name.parse::<HeaderName>().is_ok();
    if valid { Ok(()) } else { Err(format!("settings.auth.{field} is not the name of a header")) }
}

/// Reads `settings.auth`, an enum with its `scheme` as the tag. serde does not tell which field has a value that
/// cannot be, so each is tried by itself before all are.
pub(crate) fn from_fields<T: DeserializeOwned>(fields: &Map<String, Value>) -> Result<T, String> {
    let read = |fields: Map<String, Value>| serde_json::from_value::<T>(Value::Object(fields));
    let scheme = fields.get("scheme").cloned().unwrap_or_else(|| "any".into());
    let with_scheme = Map::from_iter([("scheme".to_owned(), scheme)]);
    read(with_scheme.clone()).map_err(|error| format!("settings.auth.scheme: {error}"))?;
    for (name, value) in fields {
        let mut alone = with_scheme.clone();
        alone.insert(name.clone(), value.clone());
        read(alone).map_err(|error| format!("settings.auth.{name}: {error}"))?;
    }
    let mut all = with_scheme;
    all.extend(fields.clone());
    read(all).map_err(|error| format!("settings.auth: {error}"))
}
