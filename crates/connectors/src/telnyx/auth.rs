//! Telnyx's signature (developers.telnyx.com, Receiving Webhooks): Ed25519, RFC 8032.

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use model::Time;

use crate::{
    Rejection, Request, Secrets,
    signature::{self, Tolerance},
};

const SIGNATURE: &str = "telnyx-signature-ed25519";
const TIMESTAMP: &str = "telnyx-timestamp";

/// What Telnyx's own SDKs allow.
const TOLERANCE: Tolerance = Tolerance { seconds: 5 * 60 };

/// Nothing here is secret, so how long it takes tells nobody anything.
pub(super) fn verify(secrets: &Secrets<'_>, request: &Request<'_>, now: Time) -> Result<(), Rejection> {
    if secrets.each().next().is_none() {
        return Err(Rejection::NoSecret);
    }
    let header = |name: &str| {
        signature::header(request.headers, name).ok_or_else(|| Rejection::Missing(format!("header {name}")))
    };
    let (signature, timestamp) = (header(SIGNATURE)?, header(TIMESTAMP)?);
    let malformed = |header: &str, expected| Rejection::Malformed { header: header.into(), expected };
    let signature = read_signature(signature)
        .ok_or_else(|| malformed(SIGNATURE, "<base64 of the 64 bytes of an Ed25519 signature>"))?;
    let signed_at = signature::digits(timestamp)
        .and_then(|seconds| Time::from_millis(seconds.checked_mul(1000)?))
        .ok_or_else(|| malformed(TIMESTAMP, "<seconds since 1970>"))?;
    let keys: Vec<_> = secrets.each().filter_map(public_key).collect();
    if keys.is_empty() {
        return Err(Rejection::Settings(
            "the secret must be the public key that Telnyx shows, 32 bytes in base64".into(),
        ));
    }
    let text = [timestamp, b"|", request.body].concat();
    if !keys.iter().any(|key| key.verify_strict(&text, &signature).is_ok()) {
        return Err(Rejection::Mismatch { header: SIGNATURE.into() });
    }
    signature::check_age(signed_at, now, TOLERANCE)
}

fn read_signature(header: &[u8]) -> Option<Signature> {
    Signature::from_slice(&STANDARD.decode(header).ok()?).ok()
}

fn public_key(secret: &str) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = STANDARD.decode(secret.trim()).ok()?.try_into().ok()?;
    VerifyingKey::from_bytes(&bytes).ok()
}
