//! How a webhook proves that it is ours: the fixed `X-InboundFlow-Signature` and the `v1` signatures of Standard
//! Webhooks 1.0.0, both HMAC-SHA256, and its `v1a` signatures, which need no secret to be checked.

mod asymmetric;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use model::IdGen;
use sha2::Sha256;

pub use asymmetric::{SigningKey, check_public_key, keys_for};

/// What a secret of ours begins with; base64 follows.
const SECRET_PREFIX: &str = "whsec_";

/// 24 bytes are the least that Standard Webhooks asks for, and their base64 needs no padding: some receivers'
/// libraries insist on padding and some choke on it.
const SECRET_BYTES: usize = 24;

/// A new signing secret: `whsec_` and the base64 of 24 random bytes.
pub fn generate_secret(ids: &dyn IdGen) -> String {
    let mut bytes = [0; SECRET_BYTES];
    ids.fill(&mut bytes);
    format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes))
}

/// The value of `X-InboundFlow-Signature`: `sha256=` and the HMAC-SHA256 of the raw body in lower-case hex.
///
/// The key is the secret's own characters, exactly as shown to the person, whatever they look like.
pub fn hex_signature(secret: &str, body: &[u8]) -> String {
    hex_hmac(secret.as_bytes(), body)
}

pub(crate) fn hex_hmac(key: &[u8], body: &[u8]) -> String {
    format!("sha256={}", hex::encode(hmac_sha256(key, &[body])))
}

/// Every signature for `webhook-signature`: a `v1` for each secret, then a `v1a` for each key, in the given order, joined
/// by exactly one space: a reference library fails on two. `None` where nothing signs.
///
/// The signed content is `{id}.{unix_seconds}.{body}`.
/// Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
pub(crate) fn all_signatures(
    secrets: &[&str],
    keys: &[SigningKey],
    id: &str,
    unix_seconds: i64,
    body: &[u8],
) -> Option<String> {
    let by_secrets = secrets.iter().map(|secret| standard_signature(secret, id, unix_seconds, body));
    let by_keys = keys.iter().map(|key| key.signature(id, unix_seconds, body));
    let signatures: Vec<String> = by_secrets.chain(by_keys).collect();
    (!signatures.is_empty()).then(|| signatures.join(" "))
}

/// One `v1` signature: `v1,` and the base64 of the HMAC-SHA256.
pub fn standard_signature(secret: &str, id: &str, unix_seconds: i64, body: &[u8]) -> String {
    standard_hmac(&standard_key(secret), id, unix_seconds, body)
}

pub(crate) fn standard_hmac(key: &[u8], id: &str, unix_seconds: i64, body: &[u8]) -> String {
    let head = format!("{id}.{unix_seconds}.");
    format!("v1,{}", STANDARD.encode(hmac_sha256(key, &[head.as_bytes(), body])))
}

/// The key of `v1`: what stands in base64 after `whsec_`. A person's own secret, which has no such form, is its
/// own characters.
pub(crate) fn standard_key(secret: &str) -> Vec<u8> {
    secret
        .strip_prefix(SECRET_PREFIX)
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .filter(|key| !key.is_empty())
        .unwrap_or_else(|| secret.as_bytes().to_vec())
}

fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length (RFC 2104)");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use model::testing::CountedIds;
    use serde_json::Value;

    use super::*;
    use crate::fixtures;

    fn signed(vector: &Value) -> String {
        let text = |field: &str| vector[field].as_str().expect("a text");
        let seconds = vector["timestamp"].as_i64().expect("a number");
        standard_signature(text("secret"), text("id"), seconds, text("body").as_bytes())
    }

    #[test]
    fn the_published_v1_vectors_come_out() {
        let Some(fixture) = fixtures::read("standard-webhooks.json") else { return };
        let vectors = fixture["sign_vectors"].as_array().expect("vectors");
        let v1: Vec<_> = vectors.iter().filter(|vector| vector["secret"].is_string()).collect();
        assert_eq!(v1.len(), 2);
        for vector in v1 {
            assert_eq!(signed(vector), vector["signature"].as_str().expect("a text"), "{}", vector["name"]);
        }
        let wrong = &fixture["non_matching_signatures"];
        for (vector, wrong) in vectors.iter().zip([&wrong["for A"], &wrong["for B"]]) {
            assert!(!fixtures::texts(wrong).is_empty());
            assert!(!fixtures::texts(wrong).contains(&signed(vector).as_str()));
        }
    }

    #[test]
    fn the_fixed_signature_is_keyed_with_the_secret_as_shown() {
        // Computed with `printf %s '{"a":1}' | openssl dgst -sha256 -hmac whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`.
        assert_eq!(
            hex_signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", br#"{"a":1}"#),
            "sha256=45ec03b2b33403c8043a90de06bedad0827183927115fd7e448ef97eeb13c5be"
        );
    }

    #[test]
    fn a_persons_own_secret_is_its_own_key() {
        for secret in ["correct horse", "whsec_", "whsec_not base64", "whsec_YQ", ""] {
            assert_eq!(standard_key(secret), secret.as_bytes(), "{secret}");
        }
        assert_eq!(standard_key("whsec_YQ=="), b"a");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the reference library compares with the system's time")]
    fn a_receiver_with_the_reference_library_accepts_either_secret_of_a_rotation() {
        let ids = CountedIds::default();
        let (old, new) = (generate_secret(&ids), generate_secret(&ids));
        assert_ne!(old, new);
        assert_eq!(old.len(), "whsec_".len() + 32);
        assert!(!old.contains('='));

        let now = jiff::Timestamp::now().as_second();
        let body = r#"{"summary":"Grüße, 你好"}"#.as_bytes();
        let all = |secrets: &[&str], keys| {
            all_signatures(secrets, keys, "a-delivery", now, body).expect("a signature")
        };
        let (both, one) = (all(&[&new, &old], &[]), all(&[&old], &[SigningKey::of(&[7; 32])]));
        assert!(accepts(&old, &one, now, body) && !accepts(&new, &one, now, body));
        assert!(accepts(&old, &both, now, body) && accepts(&new, &both, now, body));
        assert!(!accepts(&old, &both, now, b"{}"));
        assert!(!accepts(&old, &both, now + 1, body));
    }

    fn accepts(secret: &str, signatures: &str, seconds: i64, body: &[u8]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "a-delivery".parse().expect("a value"));
        headers.insert("webhook-timestamp", seconds.into());
        headers.insert("webhook-signature", signatures.parse().expect("a value"));
        standardwebhooks::Webhook::new(secret).expect("a secret").verify(body, &headers).is_ok()
    }
}
