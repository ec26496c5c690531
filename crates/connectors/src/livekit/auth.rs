//! LiveKit's proof of origin: a signed token (JWT, RFC 7519) that names the hash of the body.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use model::Time;
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    Rejection, Request, Secrets, plain, read, settings,
    signature::{self, Algorithm},
};

const HEADER: &str = "authorization";

/// How far the two clocks may be apart, as in LiveKit's own SDKs.
const LEEWAY_SECONDS: i64 = 60;

/// How long a token of LiveKit's holds.
const LIFETIME_SECONDS: i64 = 5 * 60;

/// A source's settings.
pub(super) struct Settings {
    /// The API key that the tokens must name as their issuer; any, if it is not set.
    api_key: Option<String>,
}

impl Settings {
    /// Reads them. The error names the field.
    pub(super) fn read(settings: &Value) -> Result<Self, String> {
        let Some(fields) = settings::known(settings, "LiveKit", &["api_key"])? else {
            return Ok(Self { api_key: None });
        };
        match fields.get("api_key") {
            None | Some(Value::Null) => Ok(Self { api_key: None }),
            Some(value) => match read::text(value) {
                Some(api_key) => Ok(Self { api_key: Some(api_key) }),
                None => Err("settings.api_key must be the API key that belongs to the secret".into()),
            },
        }
    }
}

pub(super) fn verify(
    secrets: &Secrets<'_>,
    settings: &Settings,
    request: &Request<'_>,
    now: Time,
) -> Result<(), Rejection> {
    if secrets.each().next().is_none() {
        return Err(Rejection::NoSecret);
    }
    let header = plain::required(request, HEADER)?;
    let bearer = plain::after_scheme(header, "Bearer ");
    // The agent is the user's own, and may send the secret itself with its report.
    if bearer.is_some_and(|token| signature::is_one_of(secrets, token)) {
        return Ok(());
    }
    let Some(token) = Token::parse(bearer.unwrap_or(header)) else {
        return match bearer {
            Some(_) => plain::matched(false, HEADER),
            None => malformed("a JWT, or `Bearer ` and this source's secret"),
        };
    };
    token.check_signature(secrets)?;
    token.check_body(request.body)?;
    token.check_times(now)?;
    token.check_issuer(settings)
}

fn malformed(expected: &'static str) -> Result<(), Rejection> {
    Err(Rejection::Malformed { header: HEADER.into(), expected })
}

/// A JWT, of which nothing is to be believed before its signature is checked.
struct Token<'a> {
    header: Value,
    claims: Value,
    /// What the signature is over: the two parts before it, as they came.
    signed: &'a [u8],
    mac: Vec<u8>,
}

impl<'a> Token<'a> {
    fn parse(token: &'a [u8]) -> Option<Self> {
        let end = token.iter().rposition(|byte| *byte == b'.')?;
        let (signed, mac) = token.split_at(end);
        let middle = signed.iter().position(|byte| *byte == b'.')?;
        let (header, claims) = signed.split_at(middle);
        let json = |part: &[u8]| -> Option<Value> {
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let mac = BASE64_URL_SAFE_NO_PAD.decode(mac.get(1..)?).ok()?;
        Some(Self { header: json(header)?, claims: json(claims.get(1..)?)?, signed, mac })
    }

    /// The algorithm is not for the sender to choose: `none` would be no signature at all.
    fn check_signature(&self, secrets: &Secrets<'_>) -> Result<(), Rejection> {
        if self.header["alg"] != "HS256" {
            return malformed("a JWT that is signed with HS256");
        }
        let ours = |secret: &str| {
            signature::matches(Algorithm::Sha256, secret.as_bytes(), &[self.signed], &self.mac)
        };
        plain::matched(secrets.each().any(ours), HEADER)
    }

    /// The tokens that let people into rooms are signed with the same secret, and anybody may have one. Only those of
    /// webhooks name the hash of a body.
    fn check_body(&self, body: &[u8]) -> Result<(), Rejection> {
        let named = self.claims["sha256"].as_str().and_then(|hash| BASE64_STANDARD.decode(hash).ok());
        let Some(named) = named else {
            return malformed("a JWT whose claim `sha256` is the hash of the body in base64");
        };
        plain::matched(Sha256::digest(body).as_slice().ct_eq(&named).into(), HEADER)
    }

    fn check_times(&self, now: Time) -> Result<(), Rejection> {
        let Some(expires_at) = self.time("exp") else {
            return malformed("a JWT that says when it expires (`exp`)");
        };
        let not_before = self.time("nbf");
        let leeway = LEEWAY_SECONDS * 1_000_000;
        if now > expires_at.plus_micros(leeway) {
            let signed_at = not_before.or_else(|| self.time("iat"));
            let signed_at = signed_at.unwrap_or(expires_at.plus_micros(-LIFETIME_SECONDS * 1_000_000));
            let tolerance_seconds = expires_at.plus_micros(leeway).since(signed_at).as_secs();
            return Err(Rejection::TooOld { age_seconds: now.since(signed_at).as_secs(), tolerance_seconds });
        }
        match not_before {
            Some(time) if time > now.plus_micros(leeway) => Err(Rejection::TooNew {
                ahead_seconds: time.since(now).as_secs(),
                tolerance_seconds: LEEWAY_SECONDS.unsigned_abs(),
            }),
            _ => Ok(()),
        }
    }

    /// A `NumericDate` (RFC 7519, 2): seconds since 1970, perhaps with a fraction.
    fn time(&self, claim: &str) -> Option<Time> {
        let seconds = self.claims[claim].as_f64().filter(|seconds| *seconds > 0.0)?;
        // A number too large for the cast becomes the largest there is, which is no year that `Time` holds.
        Time::from_millis((seconds * 1000.0) as i64)
    }

    fn check_issuer(&self, settings: &Settings) -> Result<(), Rejection> {
        match &settings.api_key {
            Some(api_key) if self.claims["iss"] != api_key.as_str() => Err(Rejection::Settings(
                "settings.api_key is another API key than the one that signed the request".into(),
            )),
            _ => Ok(()),
        }
    }
}
