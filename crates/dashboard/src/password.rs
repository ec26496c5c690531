//! Passwords: what is kept in their place (Argon2id, as OWASP has it), and how one is checked.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use model::IdGen;
use tokio::sync::Semaphore;

use crate::error::ConfigError;

/// The shortest password (NIST SP 800-63B, section 3.1.1.2, where it is the only factor: 15; with a throttle, 10).
pub const MIN_CHARS: usize = 10;

/// The longest: whoever sends more wants to keep us busy.
pub const MAX_CHARS: usize = 256;

/// What nobody's password is checked against, so that who has no account waits as long as who has one.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// How many are computed at once: each takes 19 MiB and all of a core.
const AT_ONCE: usize = 2;

/// Why a password cannot be used, if it cannot.
pub fn fault(password: &str) -> Option<String> {
    let length = password.chars().count();
    if length < MIN_CHARS {
        return Some(format!("needs at least {MIN_CHARS} characters"));
    }
    (length > MAX_CHARS).then(|| format!("has more than {MAX_CHARS} characters"))
}

/// What is kept of a password.
pub fn hash(password: &str, ids: &dyn IdGen) -> Result<String, ConfigError> {
    let mut salt = [0; 16];
    ids.fill(&mut salt);
    let hashed = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    let hashed = hashed.map_err(|error| ConfigError(format!("the password could not be hashed: {error}")))?;
    Ok(hashed.to_string())
}

fn is_right(password: &str, kept: &str) -> bool {
    let Ok(kept) = PasswordHash::new(kept) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &kept).is_ok()
}

/// Computes for the pages, a few at once, beside the threads that answer.
pub(crate) struct Hashing {
    places: Semaphore,
    ids: Arc<dyn IdGen>,
}

impl Hashing {
    pub(crate) fn new(ids: Arc<dyn IdGen>) -> Self {
        Self { places: Semaphore::new(AT_ONCE), ids }
    }

    pub(crate) async fn hash(&self, password: String) -> Option<String> {
        let _place = self.places.acquire().await.ok()?;
        let ids = self.ids.clone();
        tokio::task::spawn_blocking(move || hash(&password, &*ids).ok()).await.ok()?
    }

    /// Whether a password is the one of which this was kept. Nothing kept is nobody's.
    pub(crate) async fn check(&self, password: String, kept: Option<String>) -> bool {
        let Ok(_place) = self.places.acquire().await else { return false };
        let known = kept.is_some();
        let kept = kept.unwrap_or_else(|| NOBODY.to_owned());
        let right = tokio::task::spawn_blocking(move || is_right(&password, &kept)).await.unwrap_or(false);
        known && right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_s_password_is_computed_like_anybody_s() {
        let nobody = PasswordHash::new(NOBODY).expect("a hash");
        let own = Argon2::default().hash_password_with_salt(b"correct horse", &[7; 16]).expect("a hash");
        assert_eq!(nobody.params, own.params);
        assert_eq!((nobody.algorithm, nobody.version), (own.algorithm, own.version));
        assert!(is_right("correct horse", &own.to_string()) && !is_right("correct house", &own.to_string()));
    }
}
