//! Proofs of origin that platforms have in common: a keyed hash over the body, a plain secret, a signed time. All
//! comparisons take the same time whether they match early or late.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use model::Time;
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::{Rejection, Secrets};

/// The hash of a keyed hash (HMAC, RFC 2104).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Algorithm {
    #[default]
    Sha256,
    Sha512,
    Sha1,
}

/// How long before or after our own time a request may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tolerance {
    pub(crate) seconds: u32,
}

/// Whether `mac` is the keyed hash of the parts, one after the other.
pub(crate) fn matches(algorithm: Algorithm, key: &[u8], parts: &[&[u8]], mac: &[u8]) -> bool {
    match algorithm {
        Algorithm::Sha256 => mac_matches::<Hmac<Sha256>>(key, parts, mac),
        Algorithm::Sha512 => mac_matches::<Hmac<Sha512>>(key, parts, mac),
        Algorithm::Sha1 => mac_matches::<Hmac<Sha1>>(key, parts, mac),
    }
}

fn mac_matches<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], mac: &[u8]) -> bool {
    // An empty key is one that anybody knows.
    if key.is_empty() {
        return false;
    }
    let Ok(mut hasher) = <M as KeyInit>::new_from_slice(key) else { return false };
    for part in parts {
        hasher.update(part);
    }
    hasher.verify_slice(mac).is_ok()
}

/// Keyed hashes (HMAC-SHA256) of what comes piece by piece, one with each secret.
pub(crate) struct Running(Vec<Hmac<Sha256>>);

impl Running {
    pub(crate) fn new(secrets: &Secrets<'_>) -> Self {
        let hasher = |secret: &str| <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).ok();
        Self(secrets.each().filter_map(hasher).collect())
    }

    pub(crate) fn update(&mut self, piece: &[u8]) {
        for hasher in &mut self.0 {
            hasher.update(piece);
        }
    }

    /// Whether one of these is the hash of all the pieces, with any of the secrets.
    pub(crate) fn ends_in_one_of(self, macs: &[Vec<u8>]) -> bool {
        self.0.into_iter().any(|hasher| {
            let ours = hasher.finalize().into_bytes();
            macs.iter().any(|mac| bool::from(ours.as_slice().ct_eq(mac)))
        })
    }
}

/// Whether a plain secret from a request is one of ours.
pub(crate) fn is_one_of(secrets: &Secrets<'_>, presented: &[u8]) -> bool {
    // Hashed first, so that the time taken does not tell how long the secret is either.
    let presented = Sha256::digest(presented);
    secrets.each().any(|secret| bool::from(Sha256::digest(secret.as_bytes()).ct_eq(&presented)))
}

/// Whether a request that was signed at this time is fresh.
pub(crate) fn check_age(signed_at: Time, now: Time, tolerance: Tolerance) -> Result<(), Rejection> {
    let tolerance_seconds = u64::from(tolerance.seconds);
    let age = now.since(signed_at);
    if age.as_secs_f64() > f64::from(tolerance.seconds) {
        return Err(Rejection::TooOld { age_seconds: age.as_secs(), tolerance_seconds });
    }
    let ahead = signed_at.since(now);
    if ahead.as_secs_f64() > f64::from(tolerance.seconds) {
        return Err(Rejection::TooNew { ahead_seconds: ahead.as_secs(), tolerance_seconds });
    }
    Ok(())
}

/// A header's bytes without the white space around them; `None` where it is absent or empty.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let value = headers.get(name)?.as_bytes().trim_ascii();
    (!value.is_empty()).then_some(value)
}

/// Reads nothing but ASCII digits: no sign, no space, no other script's digits.
pub(crate) fn digits(text: &[u8]) -> Option<i64> {
    let all_digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    all_digits.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_hashes_match_the_examples_of_rfc_4231_and_rfc_2202() {
        let (key, data): (&[u8], &[&[u8]]) = (b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let sha1 = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
        let bytes = |text: &str| hex::decode(text).expect("hex");
        assert!(matches(Algorithm::Sha256, key, data, &bytes(sha256)));
        assert!(matches(Algorithm::Sha1, key, data, &bytes(sha1)));
        assert!(!matches(Algorithm::Sha256, key, data, &bytes(sha1)));
        assert!(!matches(Algorithm::Sha512, key, data, &bytes(sha256)));
        assert!(!matches(Algorithm::Sha256, b"jefe", data, &bytes(sha256)));
        assert!(!matches(Algorithm::Sha256, key, data, &[]));
    }

    #[test]
    fn a_running_hash_does_not_depend_on_the_pieces() {
        // RFC 4231, the second case.
        let mac =
            hex::decode("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843").expect("hex");
        let ended = |secrets: &Secrets<'_>, pieces: &[&[u8]], macs: &[Vec<u8>]| {
            let mut running = Running::new(secrets);
            pieces.iter().for_each(|piece| running.update(piece));
            running.ends_in_one_of(macs)
        };
        let jefe = Secrets { current: "other", previous: Some("Jefe") };
        let macs = [vec![], vec![0; 32], mac];
        assert!(ended(&jefe, &[b"what do ya want ", b"", b"for nothing?"], &macs));
        assert!(!ended(&jefe, &[b"what do ya want for nothing"], &macs));
        assert!(!ended(&jefe, &[b"what do ya want for nothing?"], &macs[..2]));
        assert!(!ended(&Secrets { current: " ", previous: None }, &[], &[vec![], vec![0; 32]]));
    }

    #[test]
    fn an_empty_secret_matches_nothing() {
        let none = Secrets { current: "", previous: Some("") };
        assert!(!is_one_of(&none, b""));
        assert!(!matches(Algorithm::Sha256, b"", &[b"body"], &[0; 32]));
        let rotating = Secrets { current: "new", previous: Some("old") };
        assert!(is_one_of(&rotating, b"new") && is_one_of(&rotating, b"old"));
        assert!(!is_one_of(&rotating, b"") && !is_one_of(&rotating, b"older"));
    }

    #[test]
    fn a_request_may_be_signed_a_little_before_or_after_now() {
        let (now, tolerance) = (Time::from_micros(1_700_000_000_000_000), Tolerance { seconds: 300 });
        let at = |seconds: i64| check_age(now.plus_micros(seconds * 1_000_000), now, tolerance);
        assert_eq!((at(0), at(-300), at(300)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(at(-301), Err(Rejection::TooOld { age_seconds: 301, tolerance_seconds: 300 }));
        assert_eq!(at(301), Err(Rejection::TooNew { ahead_seconds: 301, tolerance_seconds: 300 }));
    }

    #[test]
    fn only_plain_digits_are_digits() {
        assert_eq!(digits(b"1700000000000"), Some(1_700_000_000_000));
        for text in ["", "-1", "+1", " 1", "1.5", "1e3", "٣", "99999999999999999999"] {
            assert_eq!(digits(text.as_bytes()), None, "{text}");
        }
    }
}
