//! The ways in which a Vapi server credential proves where a request comes from: a plain secret, a bearer token, or a
//! keyed hash that its owner can shape in many ways.

use model::Time;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Rejection, Request, Secrets,
    keyed::Keyed,
    plain::{self, Bearer},
    settings::{self, ANSWERS},
    signature,
};

const SECRET: &str = "x-vapi-secret";

/// `settings.auth` of a source: what a request must show.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "scheme", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Auth {
    /// Whatever the request has, the strongest first: a keyed hash, the plain secret, a bearer token.
    Any {},
    /// `X-Vapi-Secret`.
    Secret {},
    Bearer(Bearer),
    Hmac(Box<Keyed>),
}

impl Auth {
    /// Reads a source's settings. The error names the field.
    pub(super) fn from_settings(settings: &Value) -> Result<Self, String> {
        let Some(fields) = settings::known(settings, "Vapi", &["auth", ANSWERS])? else {
            return Ok(Self::Any {});
        };
        let auth = match fields.get("auth") {
            None | Some(Value::Null) => return Ok(Self::Any {}),
            Some(Value::Object(auth)) => plain::from_fields::<Self>(auth)?,
            Some(_) => return Err("settings.auth must be an object".into()),
        };
        auth.check()?;
        Ok(auth)
    }

    /// What the types don't say.
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Any {} | Self::Secret {} => Ok(()),
            Self::Bearer(bearer) => plain::check_header("header", &bearer.header),
            Self::Hmac(keyed) => keyed.check(),
        }
    }

    /// Whether the request shows what it must.
    pub(super) fn verify(
        &self,
        secrets: &Secrets<'_>,
        request: &Request<'_>,
        now: Time,
    ) -> Result<(), Rejection> {
        if secrets.each().next().is_none() {
            return Err(Rejection::NoSecret);
        }
        match self {
            Self::Any {} => verify_any(secrets, request, now),
            Self::Secret {} => verify_secret(secrets, request),
            Self::Bearer(bearer) => bearer.verify(secrets, request),
            Self::Hmac(keyed) => keyed.verify(secrets, request, now),
        }
    }
}

/// A header that is there must match: nobody gets to try the weaker ones after it.
fn verify_any(secrets: &Secrets<'_>, request: &Request<'_>, now: Time) -> Result<(), Rejection> {
    let (keyed, bearer) = (Keyed::default(), Bearer::default());
    let has = |name: &str| signature::header(request.headers, name).is_some();
    if has(&keyed.signature_header) {
        keyed.verify(secrets, request, now)
    } else if has(SECRET) {
        verify_secret(secrets, request)
    } else if has(&bearer.header) {
        bearer.verify(secrets, request)
    } else {
        let headers = format!("{}, {SECRET} or {}", keyed.signature_header, bearer.header);
        Err(Rejection::Missing(format!("header {headers}")))
    }
}

fn verify_secret(secrets: &Secrets<'_>, request: &Request<'_>) -> Result<(), Rejection> {
    // Vapi sends the header empty where it has no secret: that is one more way of not having it.
    let presented = plain::required(request, SECRET)?;
    plain::matched(signature::is_one_of(secrets, presented), SECRET)
}
