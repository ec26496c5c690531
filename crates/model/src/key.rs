//! API keys: how one looks, is made, checked and stored.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::IdGen;

/// An API key: `sk_live_<key id>_<secret><checksum>`.
///
/// The key id (12 characters) finds the record; the secret (32 characters of 62, 190 bits) proves it; the checksum
/// (6 characters, CRC-32) tells a mistyped key without asking the store. The underscore after the key id keeps
/// secret scanners from taking it for another service's key, which has 24 alphanumerics there.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// Why a text is not an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// It does not have the form of one.
    Form,
    /// The checksum does not fit: it was mistyped or cut.
    Checksum,
}

const PREFIX: &str = "sk_live_";
const ID_LEN: usize = 12;
const SECRET_LEN: usize = 32;
const CHECKSUM_LEN: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl ApiKey {
    /// Makes a new key.
    pub fn generate(ids: &dyn IdGen) -> Self {
        let body = format!("{PREFIX}{}_{}", random(ids, ID_LEN), random(ids, SECRET_LEN));
        let checksum = checksum(&body);
        Self(body + &checksum)
    }

    /// Reads a key as a client sends it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix(PREFIX).ok_or(KeyError::Form)?;
        let (id, secret) = rest.split_once('_').ok_or(KeyError::Form)?;
        let alphanumeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if id.len() != ID_LEN
            || secret.len() != SECRET_LEN + CHECKSUM_LEN
            || !alphanumeric(id)
            || !alphanumeric(secret)
        {
            return Err(KeyError::Form);
        }
        let (body, given) = text.split_at(text.len() - CHECKSUM_LEN);
        if checksum(body) != given {
            return Err(KeyError::Checksum);
        }
        Ok(Self(text.to_owned()))
    }

    /// The part that finds the record.
    pub fn key_id(&self) -> &str {
        &self.0[PREFIX.len()..PREFIX.len() + ID_LEN]
    }

    /// What is stored in the key's place: SHA-256 of the whole text. The secret has 190 bits of its own, so a slow
    /// password hash would add cost and no safety.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The last four characters, shown beside a key's name to tell keys apart.
    pub fn last4(&self) -> &str {
        &self.0[self.0.len() - 4..]
    }

    /// The key itself. Shown once, to the person who made it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Never the key: it must not reach a log.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({PREFIX}{}_…)", self.key_id())
    }
}

pub(crate) fn random(ids: &dyn IdGen, len: usize) -> String {
    let mut text = String::with_capacity(len);
    let mut byte = [0];
    while text.len() < len {
        ids.fill(&mut byte);
        // 248 is the largest multiple of 62 in a byte: above it some digits would come more often.
        if byte[0] < 248 {
            text.push(char::from(DIGITS[usize::from(byte[0] % 62)]));
        }
    }
    text
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::testing::CountedIds;

    #[test]
    fn a_key_reads_back_and_a_mistyped_one_is_told() {
        let key = ApiKey::generate(&CountedIds::default());
        assert_eq!(ApiKey::parse(key.reveal()), Ok(key.clone()));
        let mut typo = key.reveal().to_owned();
        let last = typo.pop().expect("not empty");
        typo.push(if last == 'x' { 'y' } else { 'x' });
        assert_eq!(ApiKey::parse(&typo), Err(KeyError::Checksum));
        assert_eq!(ApiKey::parse("sk_live_"), Err(KeyError::Form));
        assert_eq!(ApiKey::parse(&"sk_live_é".repeat(9)), Err(KeyError::Form));
    }

    #[test]
    fn no_secret_scanner_takes_a_key_for_another_service_s() {
        let key = ApiKey::generate(&CountedIds::default());
        let run = key.reveal()[PREFIX.len()..].bytes().take_while(u8::is_ascii_alphanumeric).count();
        assert!(run < 24);
    }

    #[test]
    fn debug_does_not_tell_the_secret() {
        let key = ApiKey::generate(&CountedIds::default());
        assert!(!format!("{key:?}").contains(&key.reveal()[22..]));
    }
}
