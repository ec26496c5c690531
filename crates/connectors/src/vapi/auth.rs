//! The ways in which a Vapi server credential proves where a request comes from: a plain secret, a bearer token, or a
//! keyed hash that its owner can shape in many ways.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::HeaderName;
use model::Time;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::template::{Part, Template};
use crate::{
    Rejection, Request, Secrets, read,
    signature::{self, Algorithm, Tolerance},
};

const SECRET: &str = "x-vapi-secret";

/// Base64 as people paste it, padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

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

/// A bearer token.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Bearer {
    header: String,
    /// Whether `Bearer ` stands before the token.
    prefix: bool,
}

/// A keyed hash. The fields are those of Vapi's own plan (`HMACAuthenticationPlan`).
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Keyed {
    algorithm: Algorithm,
    signature_header: String,
    /// What stands before the hash, such as `v1,`.
    signature_prefix: String,
    timestamp_header: String,
    include_timestamp: bool,
    message_id_header: String,
    /// What the hash is over; see [`Template`].
    payload_format: Option<String>,
    encoding: Encoding,
    secret_is_base64: bool,
    tolerance_seconds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Hex,
    Base64,
}

impl Default for Bearer {
    fn default() -> Self {
        Self { header: "authorization".into(), prefix: true }
    }
}

impl Default for Keyed {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Sha256,
            signature_header: "x-signature".into(),
            signature_prefix: String::new(),
            timestamp_header: "x-timestamp".into(),
            include_timestamp: true,
            message_id_header: "svix-id".into(),
            payload_format: None,
            encoding: Encoding::Hex,
            secret_is_base64: false,
            tolerance_seconds: 300,
        }
    }
}

impl Auth {
    /// Reads a source's settings. The error names the field.
    pub(super) fn from_settings(settings: &Value) -> Result<Self, String> {
        let fields = match settings {
            Value::Null => return Ok(Self::Any {}),
            Value::Object(fields) => fields,
            _ => return Err("settings must be an object".into()),
        };
        if let Some(name) = fields.keys().find(|name| *name != "auth") {
            return Err(format!("settings.{name} is not a setting: Vapi sources have `auth`"));
        }
        let auth = match fields.get("auth") {
            None | Some(Value::Null) => return Ok(Self::Any {}),
            Some(Value::Object(auth)) => Self::from_fields(auth)?,
            Some(_) => return Err("settings.auth must be an object".into()),
        };
        auth.check()?;
        Ok(auth)
    }

    /// serde does not tell which field has a value that cannot be, so each is tried by itself before all are.
    fn from_fields(fields: &Map<String, Value>) -> Result<Self, String> {
        let read = |fields: Map<String, Value>| serde_json::from_value::<Self>(Value::Object(fields));
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

    /// What the types don't say.
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Any {} | Self::Secret {} => Ok(()),
            Self::Bearer(bearer) => check_header("header", &bearer.header),
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
    let presented = required(request, SECRET)?;
    matched(signature::is_one_of(secrets, presented), SECRET)
}

impl Bearer {
    fn verify(&self, secrets: &Secrets<'_>, request: &Request<'_>) -> Result<(), Rejection> {
        let header = required(request, &self.header)?;
        let token = if self.prefix { after_bearer(header) } else { Some(header) };
        let token = token.ok_or_else(|| Rejection::Malformed {
            header: self.header.clone(),
            expected: "`Bearer ` and the token; where Vapi leaves `Bearer ` out, set `prefix` to false",
        })?;
        matched(signature::is_one_of(secrets, token), &self.header)
    }
}

/// The scheme's name may be in any case (RFC 9110, 11.1).
fn after_bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

impl Keyed {
    fn check(&self) -> Result<(), String> {
        check_header("signature_header", &self.signature_header)?;
        check_header("timestamp_header", &self.timestamp_header)?;
        check_header("message_id_header", &self.message_id_header)?;
        if !(1..=86_400).contains(&self.tolerance_seconds) {
            return Err("settings.auth.tolerance_seconds must be between 1 and 86400".into());
        }
        let template = self.template()?;
        if template.has(Part::Timestamp) && !self.include_timestamp {
            return Err("settings.auth.payload_format has {timestamp}, but include_timestamp is false".into());
        }
        Ok(())
    }

    fn template(&self) -> Result<Template<'_>, String> {
        let default = if self.include_timestamp { "{timestamp}.{body}" } else { "{body}" };
        Template::parse(self.payload_format.as_deref().unwrap_or(default))
            .map_err(|error| format!("settings.auth.payload_format {error}"))
    }

    fn verify(&self, secrets: &Secrets<'_>, request: &Request<'_>, now: Time) -> Result<(), Rejection> {
        let template = self.template().map_err(Rejection::Settings)?;
        let mac = self.mac(required(request, &self.signature_header)?)?;
        let (mut timestamp, mut message_id): (&[u8], &[u8]) = (b"", b"");
        if template.has(Part::Timestamp) {
            timestamp = required(request, &self.timestamp_header)?;
        }
        if template.has(Part::MessageId) {
            message_id = required(request, &self.message_id_header)?;
        }
        let payload = template.fill(request.body, timestamp, message_id);
        let keys = self.keys(secrets)?;
        let ours = |key: &Vec<u8>| signature::matches(self.algorithm, key, &payload, &mac);
        matched(keys.iter().any(ours), &self.signature_header)?;
        // A time that is not signed could be anybody's, so it proves nothing and is not looked at.
        if template.has(Part::Timestamp) { self.check_age(timestamp, now) } else { Ok(()) }
    }

    fn mac(&self, header: &[u8]) -> Result<Vec<u8>, Rejection> {
        let (decoded, expected) = match (header.strip_prefix(self.signature_prefix.as_bytes()), self.encoding)
        {
            (None, _) => (None, "the configured `signature_prefix` and the hash"),
            (Some(hash), Encoding::Hex) => (hex::decode(hash).ok(), "a hash in hexadecimal"),
            (Some(hash), Encoding::Base64) => (BASE64.decode(hash).ok(), "a hash in base64"),
        };
        decoded.ok_or_else(|| Rejection::Malformed { header: self.signature_header.clone(), expected })
    }

    /// The bytes of the secrets.
    fn keys(&self, secrets: &Secrets<'_>) -> Result<Vec<Vec<u8>>, Rejection> {
        // Standard Webhooks writes `whsec_` before the secret.
        let from_base64 = |secret: &str| BASE64.decode(secret.trim().trim_start_matches("whsec_")).ok();
        let key = |secret: &str| {
            if self.secret_is_base64 { from_base64(secret) } else { Some(secret.as_bytes().to_vec()) }
        };
        let keys: Vec<_> = secrets.each().filter_map(key).collect();
        if keys.is_empty() { Err(Rejection::SecretNotBase64) } else { Ok(keys) }
    }

    /// Vapi does not say whether the time is in seconds or milliseconds; [`read::time`] takes both.
    fn check_age(&self, timestamp: &[u8], now: Time) -> Result<(), Rejection> {
        let signed_at = signature::digits(timestamp).and_then(|number| read::time(&number.into()));
        let signed_at = signed_at.ok_or_else(|| Rejection::Malformed {
            header: self.timestamp_header.clone(),
            expected: "seconds or milliseconds since 1970",
        })?;
        signature::check_age(signed_at, now, Tolerance { seconds: self.tolerance_seconds })
    }
}

fn required<'a>(request: &Request<'a>, name: &str) -> Result<&'a [u8], Rejection> {
    signature::header(request.headers, name).ok_or_else(|| Rejection::Missing(format!("header {name}")))
}

fn matched(ours: bool, header: &str) -> Result<(), Rejection> {
    if ours { Ok(()) } else { Err(Rejection::Mismatch { header: header.into() }) }
}

fn check_header(field: &str, name: &str) -> Result<(), String> {
    let valid = name.parse::<HeaderName>().is_ok();
    if valid { Ok(()) } else { Err(format!("settings.auth.{field} is not the name of a header")) }
}
