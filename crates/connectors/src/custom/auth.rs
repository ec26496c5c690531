//! `settings.auth`: how a request to a custom source proves where it comes from.

use model::Time;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Connector, Rejection, Request, Secrets,
    keyed::{BASE64, Keyed},
    plain::{self, Bearer},
    signature,
};
use base64::Engine;

const AUTHORIZATION: &str = "authorization";

/// What a request must show.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "scheme", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Auth {
    /// A bearer token where there is one, else the secret in the address.
    Any {},
    Bearer(Bearer),
    Header(Header),
    /// The user's name and password (RFC 7617), with a colon between them in the secret too.
    Basic {},
    /// The secret at the end of the address.
    Path {},
    Hmac(Box<Keyed>),
    /// As the platform of `settings.like` does.
    Like {},
}

/// The secret by itself in a header.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Header {
    header: String,
    /// What stands before the secret, such as `Token `.
    prefix: String,
}

impl Default for Header {
    fn default() -> Self {
        Self { header: "x-api-key".into(), prefix: String::new() }
    }
}

impl Auth {
    /// Reads a source's settings. The error names the field.
    pub(super) fn from_settings(settings: &Value) -> Result<Self, String> {
        let auth = match settings.get("auth") {
            None | Some(Value::Null) => return Ok(Self::Any {}),
            Some(Value::Object(auth)) => plain::from_fields::<Self>(auth)?,
            Some(_) => return Err("settings.auth must be an object".into()),
        };
        auth.check(settings)?;
        Ok(auth)
    }

    /// What the types don't say.
    fn check(&self, settings: &Value) -> Result<(), String> {
        match self {
            Self::Any {} | Self::Basic {} | Self::Path {} => Ok(()),
            Self::Bearer(bearer) => plain::check_header("header", &bearer.header),
            Self::Header(header) => plain::check_header("header", &header.header),
            Self::Hmac(keyed) => keyed.check(),
            Self::Like {} if settings["like"].is_string() => Ok(()),
            Self::Like {} => Err("settings.auth.scheme is like, but there is no settings.like".into()),
        }
    }

    /// Whether the request shows what it must. `like` is the platform's connector that `settings.like` names.
    pub(super) fn verify(
        &self,
        like: Option<&dyn Connector>,
        secrets: &Secrets<'_>,
        request: &Request<'_>,
        now: Time,
    ) -> Result<(), Rejection> {
        if secrets.each().next().is_none() {
            return Err(Rejection::NoSecret);
        }
        match self {
            Self::Any {} => verify_any(secrets, request),
            Self::Bearer(bearer) => bearer.verify(secrets, request),
            Self::Header(header) => header.verify(secrets, request),
            Self::Basic {} => verify_basic(secrets, request),
            Self::Path {} => verify_path(secrets, request),
            Self::Hmac(keyed) => keyed.verify(secrets, request, now),
            Self::Like {} => {
                let missing = || Rejection::Settings("settings.like is missing".into());
                like.ok_or_else(missing)?.verify(secrets, &Value::Null, request, now)
            }
        }
    }
}

/// A header that is there must match: nobody gets to try the other way after it.
fn verify_any(secrets: &Secrets<'_>, request: &Request<'_>) -> Result<(), Rejection> {
    if signature::header(request.headers, AUTHORIZATION).is_some() {
        Bearer::default().verify(secrets, request)
    } else if request.path_secret.is_some() {
        verify_path(secrets, request)
    } else {
        Err(Rejection::Missing(format!(
            "header {AUTHORIZATION}, nor an address that ends in this source's secret"
        )))
    }
}

fn verify_path(secrets: &Secrets<'_>, request: &Request<'_>) -> Result<(), Rejection> {
    let ours = request.path_secret.is_some_and(|secret| signature::is_one_of(secrets, secret.as_bytes()));
    if ours { Ok(()) } else { Err(Rejection::Missing("address that ends in this source's secret".into())) }
}

fn verify_basic(secrets: &Secrets<'_>, request: &Request<'_>) -> Result<(), Rejection> {
    let header = plain::required(request, AUTHORIZATION)?;
    let decoded = plain::after_scheme(header, "Basic ").and_then(|text| BASE64.decode(text).ok());
    let decoded = decoded.ok_or_else(|| Rejection::Malformed {
        header: AUTHORIZATION.into(),
        expected: "`Basic ` and the user's name and password, with a colon between them, in base64",
    })?;
    plain::matched(signature::is_one_of(secrets, &decoded), AUTHORIZATION)
}

impl Header {
    fn verify(&self, secrets: &Secrets<'_>, request: &Request<'_>) -> Result<(), Rejection> {
        let value = plain::required(request, &self.header)?;
        let secret = value.strip_prefix(self.prefix.as_bytes()).ok_or_else(|| Rejection::Malformed {
            header: self.header.clone(),
            expected: "the configured `prefix` and the secret",
        })?;
        plain::matched(signature::is_one_of(secrets, secret), &self.header)
    }
}
