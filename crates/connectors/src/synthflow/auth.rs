//! What proves that a request is Synthflow's.

use base64::Engine;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Rejection, Request, Secrets,
    keyed::BASE64,
    plain, read,
    settings::{self, ANSWERS},
    signature::{self, Algorithm},
};

/// Synthflow's documentation has the name that a CGI script would see. What is on the wire is one of these, depending
/// on how literally its sender took that.
const SIGNATURES: [&str; 4] =
    ["synthflow-signature", "x-synthflow-signature", "http-synthflow-signature", "http_synthflow_signature"];

/// The source's `auth`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(tag = "scheme", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Scheme {
    /// Either, but a secret in the address must match where there is one.
    Any {},
    /// The source's secret at the end of the address.
    Path {},
    /// A keyed hash of the call's id.
    Signature {},
}

impl Scheme {
    /// Reads a source's settings. The error names the field.
    pub(super) fn from_settings(settings: &Value) -> Result<Self, String> {
        let Some(fields) = settings::known(settings, "Synthflow", &["auth", ANSWERS])? else {
            return Ok(Self::Any {});
        };
        match fields.get("auth") {
            None | Some(Value::Null) => Ok(Self::Any {}),
            Some(Value::Object(auth)) => plain::from_fields(auth),
            Some(_) => Err("settings.auth must be an object".into()),
        }
    }

    pub(super) fn verify(self, secrets: &Secrets<'_>, request: &Request<'_>) -> Result<(), Rejection> {
        if secrets.each().next().is_none() {
            return Err(Rejection::NoSecret);
        }
        match self {
            Self::Any {} if request.path_secret.is_some() => verify_path(secrets, request),
            Self::Path {} => verify_path(secrets, request),
            Self::Any {} | Self::Signature {} => verify_signature(secrets, request),
        }
    }
}

fn verify_path(secrets: &Secrets<'_>, request: &Request<'_>) -> Result<(), Rejection> {
    let ours = request.path_secret.is_some_and(|secret| signature::is_one_of(secrets, secret.as_bytes()));
    if ours { Ok(()) } else { Err(Rejection::Missing("address that ends in this source's secret".into())) }
}

fn verify_signature(secrets: &Secrets<'_>, request: &Request<'_>) -> Result<(), Rejection> {
    let found = SIGNATURES.iter().find_map(|name| Some((*name, signature::header(request.headers, name)?)));
    let (name, header) = found.ok_or_else(|| Rejection::Missing("header HTTP_SYNTHFLOW_SIGNATURE".into()))?;
    let call_id = read::body(request.body).ok().and_then(|body| super::call_id(&body));
    let call_id =
        call_id.ok_or_else(|| Rejection::Missing("call id, which is what Synthflow signs".into()))?;
    let mac = BASE64.decode(header).ok();
    let ours = |mac: &Vec<u8>| {
        let parts = [call_id.as_bytes()];
        secrets.each().any(|secret| signature::matches(Algorithm::Sha256, secret.as_bytes(), &parts, mac))
    };
    // Not a mismatch, of which it is said that the body may have changed: the hash knows nothing of the body.
    if mac.as_ref().is_some_and(ours) {
        Ok(())
    } else {
        Err(Rejection::Malformed {
            header: name.into(),
            expected: "the HMAC-SHA256 of the call's id with this source's secret, in base64",
        })
    }
}
