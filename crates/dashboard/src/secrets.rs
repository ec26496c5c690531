//! Tokens that open something: a session, or the setup. Of each only the SHA-256 is kept.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use model::IdGen;
use sha2::{Digest, Sha256};

/// How long a setup link is good.
pub const SETUP_LINK_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// How long a session is good.
pub(crate) const SESSION_LIFETIME: Duration = Duration::from_secs(14 * 86_400);

/// A token of 256 random bits. It has no `Debug`: it belongs in no log.
pub struct Token(String);

impl Token {
    /// Makes a new one.
    pub fn generate(ids: &dyn IdGen) -> Self {
        let mut bytes = [0; 32];
        ids.fill(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Takes what somebody shows for one.
    pub(crate) fn shown(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// What is kept in its place.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The token itself, for the one whom it is for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}
