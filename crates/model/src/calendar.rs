//! Addresses at which calendars read an organization's appointments.

use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{CalendarFeedId, IdGen, Stamp, Time, key::random};

/// An address at which calendars read the appointments. Whoever knows it may.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CalendarFeed {
    /// Our id of it.
    pub id: CalendarFeedId,
    /// Whose calendar it is for, in the organization's words.
    pub name: String,
    /// The last four characters of what is secret in the address.
    pub last4: String,
    /// When it was made. Unique and increasing within the organization.
    pub created_at: Stamp,
    /// When a calendar last read it, to the quarter of an hour.
    pub last_read_at: Option<Time>,
}

/// What is secret in the address: 32 characters of 62, which are 190 bits. Of it only a hash is kept. It has no `Debug`: it
/// belongs in no log.
#[derive(Clone)]
pub struct CalendarToken(String);

const LENGTH: usize = 32;

impl CalendarToken {
    /// Makes a new one.
    pub fn generate(ids: &dyn IdGen) -> Self {
        Self(random(ids, LENGTH))
    }

    /// Reads the last part of an address: the token, with `.ics` behind it. `None` where it cannot be one.
    pub fn parse(file: &str) -> Option<Self> {
        let token = file.strip_suffix(".ics")?;
        let is_one = token.len() == LENGTH && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_one.then(|| Self(token.to_owned()))
    }

    /// SHA-256 of it: what is kept.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// Its last four characters.
    pub fn last4(&self) -> &str {
        &self.0[LENGTH - 4..]
    }

    /// The token itself, for the one whom it is for.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The path of its address, behind the server's own.
    pub fn path(token: &str) -> String {
        format!("/calendar/{token}.ics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_token_is_looked_up() {
        let token = "abcdefghijklmnopqrstuvwxyz012345";
        let read = CalendarToken::parse(&format!("{token}.ics")).expect("a token");
        assert_eq!((read.reveal(), read.last4()), (token, "2345"));
        for wrong in [token, "short.ics", "abcdefghijklmnopqrstuvwxyz01234é.ics", ".ics", ""] {
            assert!(CalendarToken::parse(wrong).is_none(), "{wrong}");
        }
    }
}
