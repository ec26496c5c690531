//! The `v1a` signatures of Standard Webhooks 1.0.0: Ed25519, by a key of the organization. A receiver checks them with the
//! public key, so it needs to be told no secret.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use model::{Telling, Time};
use store::OrgStore;

/// What a public key begins with; the base64 of its 32 bytes follows.
const PUBLIC_PREFIX: &str = "whpk_";

/// What a signature begins with; the base64 of its 64 bytes follows.
const SIGNATURE_PREFIX: &str = "v1a,";

/// A key that signs.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

/// Never the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public_key())
    }
}

impl SigningKey {
    /// The key with these 32 bytes (RFC 8032 section 5.1.5).
    pub fn of(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// What a receiver checks with, as Standard Webhooks writes it: `whpk_…`.
    pub fn public_key(&self) -> String {
        format!("{PUBLIC_PREFIX}{}", STANDARD.encode(self.0.verifying_key().as_bytes()))
    }

    /// One `v1a` signature over `{id}.{unix_seconds}.{body}`.
    pub fn signature(&self, id: &str, unix_seconds: i64, body: &[u8]) -> String {
        let signature = self.0.sign(&signed_content(id, unix_seconds, body));
        format!("{SIGNATURE_PREFIX}{}", STANDARD.encode(signature.to_bytes()))
    }
}

fn signed_content(id: &str, unix_seconds: i64, body: &[u8]) -> Vec<u8> {
    [format!("{id}.{unix_seconds}.").as_bytes(), body].concat()
}

/// The keys that sign for an endpoint at a time, the newest first: none unless it asks for that.
///
/// They are read at each try and remembered nowhere, so that every server process signs with the same ones.
pub async fn keys_for(telling: &Telling, records: &OrgStore, now: Time) -> store::Result<Vec<SigningKey>> {
    if !telling.v1a {
        return Ok(Vec::new());
    }
    Ok(records.signing_keys().await?.seeds_at(now).iter().map(SigningKey::of).collect())
}

/// Whether one of the signatures in `webhook-signature` is of the key `whpk_…`. The error says why it can't be compared.
pub fn check_public_key(
    public_key: &str,
    signatures: &str,
    id: &str,
    unix_seconds: i64,
    body: &[u8],
) -> Result<bool, &'static str> {
    let key = public_key.strip_prefix(PUBLIC_PREFIX).ok_or("the public key does not begin with `whpk_`")?;
    let bytes = STANDARD.decode(key).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
    let key = key.ok_or("`whpk_` is not followed by the base64 of a public key")?;
    let each = signatures.split(' ').filter_map(|one| one.strip_prefix(SIGNATURE_PREFIX));
    let each: Vec<_> =
        each.filter_map(|one| Signature::from_slice(&STANDARD.decode(one).ok()?).ok()).collect();
    if each.is_empty() {
        return Err("none of its signatures is one of `v1a,`");
    }
    let content = signed_content(id, unix_seconds, body);
    Ok(each.iter().any(|signature| key.verify_strict(&content, signature).is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn the_published_v1a_vector_comes_out() {
        let Some(fixture) = fixtures::read("standard-webhooks.json") else { return };
        let vectors = fixture["sign_vectors"].as_array().expect("vectors");
        let vector = vectors.iter().find(|vector| vector["secret_key"].is_string()).expect("a v1a vector");
        let text = |field: &str| vector[field].as_str().expect("a text");
        let pair = STANDARD.decode(text("secret_key").trim_start_matches("whsk_")).expect("base64");
        let key = SigningKey::of(pair[..32].try_into().expect("32 bytes"));
        assert_eq!(key.public_key(), text("public_key"));
        let seconds = vector["timestamp"].as_i64().expect("a number");
        let (id, body) = (text("id"), text("body").as_bytes());
        assert_eq!(key.signature(id, seconds, body), text("signature"));

        let check = |signatures: &str, seconds, body: &[u8]| {
            check_public_key(text("public_key"), signatures, id, seconds, body)
        };
        let list = format!("v1,AAAA {}", text("signature"));
        assert_eq!(check(&list, seconds, body), Ok(true));
        assert_eq!((check(&list, seconds + 1, body), check(&list, seconds, b"{}")), (Ok(false), Ok(false)));
        assert!(check("v1,AAAA v1a,AAAA", seconds, body).is_err());
        assert!(check_public_key("whsec_x", &list, id, seconds, body).is_err());
        assert!(!format!("{key:?}").contains(text("secret_key")));
    }
}
