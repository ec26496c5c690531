//! The headers that an endpoint is sent beside ours: what receivers ask for, often a secret.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::last4;

/// Headers that are about one connection, or that an HTTP client writes itself (RFC 9110 section 7.6.1).
pub const NOT_PASSED_ON: [&str; 12] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
    "expect",
    // Whoever compresses its answer for us would have it unpacked by nobody.
    "accept-encoding",
];

/// What we say of the body and of ourselves.
const OURS: [&str; 5] = ["content-type", "content-encoding", "user-agent", "via", "proxy-connection"];

/// What begins the names of headers of ours.
const OUR_PREFIXES: [&str; 2] = ["x-inboundflow-", "webhook-"];

/// The headers that an endpoint is sent beside ours, by their names in small letters.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnHeaders(BTreeMap<String, String>);

/// What is wrong with a header: never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongHeader {
    /// Its name, as it was given; empty where it is their number or their size.
    pub name: String,
    /// Why.
    pub why: String,
}

impl OwnHeaders {
    /// How many there may be.
    pub const MOST: usize = 20;
    /// The longest name, in bytes.
    pub const NAME_BYTES: usize = 100;
    /// The longest value, in bytes.
    pub const VALUE_BYTES: usize = 2000;
    /// How long names and values may be together, in bytes: many receivers take 8 KiB of headers, ours among them.
    pub const BYTES: usize = 6000;

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their names and values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there is one of this name, which is in small letters.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Their names, and of each value what a person may see of a secret.
    pub fn masked(&self) -> impl Iterator<Item = (&str, String)> {
        self.iter().map(|(name, value)| (name, mask(value)))
    }

    /// Sets one.
    ///
    /// # Errors
    /// What is wrong with it, or that they are too many or too large with it.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, WrongHeader> {
        let wrong = |why: &str| WrongHeader { name: name.to_owned(), why: why.to_owned() };
        let key = name.to_ascii_lowercase();
        check_name(&key).map_err(wrong)?;
        check_value(value).map_err(wrong)?;
        self.0.insert(key, value.to_owned());
        let size: usize = self.iter().map(|(name, value)| name.len() + value.len()).sum();
        let of_all = |why: String| WrongHeader { name: String::new(), why };
        if self.0.len() > Self::MOST {
            return Err(of_all(format!("must be at most {}", Self::MOST)));
        }
        if size > Self::BYTES {
            return Err(of_all(format!("must have at most {} bytes together", Self::BYTES)));
        }
        Ok(self)
    }

    /// Leaves one out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(&name.to_ascii_lowercase());
        self
    }
}

/// Their names only.
impl fmt::Debug for OwnHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What a person may see of a value that may be a secret.
fn mask(value: &str) -> String {
    format!("****{}", last4(value).unwrap_or_default())
}

fn check_name(name: &str) -> Result<(), &'static str> {
    // A token of RFC 9110 section 5.6.2.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err("is no name of a header");
    }
    if name.len() > OwnHeaders::NAME_BYTES {
        return Err("has a name of more than 100 bytes");
    }
    if NOT_PASSED_ON.contains(&name) {
        return Err("is about the connection, and the HTTP client's to write");
    }
    if OURS.contains(&name) || OUR_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Err("is one of our own");
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), &'static str> {
    if value.is_empty() {
        return Err("has no value");
    }
    if value.len() > OwnHeaders::VALUE_BYTES {
        return Err("has a value of more than 2000 bytes");
    }
    // RFC 9110 section 5.5, of which this leaves out what is not ASCII: receivers read that in different ways.
    if !value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        return Err("has a value with something else than printable ASCII characters in it");
    }
    if value.trim() != value {
        return Err("has a value with blanks around it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(name: &str, value: &str) -> Option<String> {
        OwnHeaders::default().with(name, value).err().map(|wrong| wrong.why)
    }

    #[test]
    fn a_header_is_neither_ours_nor_the_connection_s() {
        for name in ["Authorization", "X-Api-Key", "cookie", "X-Forwarded-Tenant", "a!#$%&'*+-.^_`|~9"] {
            assert_eq!(why(name, "Bearer abc"), None, "{name}");
        }
        for name in NOT_PASSED_ON.into_iter().chain(["Host", "CONTENT-LENGTH", "Transfer-Encoding"]) {
            assert_eq!(
                why(name, "x").as_deref(),
                Some("is about the connection, and the HTTP client's to write")
            );
        }
        for name in ["Content-Type", "user-agent", "X-InboundFlow-Event", "Webhook-Signature", "webhook-x"] {
            assert_eq!(why(name, "x").as_deref(), Some("is one of our own"), "{name}");
        }
        for name in ["", "a b", "a:", "ä", "a\r\nb", "a\0", "(a)"] {
            assert_eq!(why(name, "x").as_deref(), Some("is no name of a header"), "{name:?}");
        }
    }

    #[test]
    fn a_value_is_one_line_of_ascii() {
        for value in ["x", "a\tb", "~ !", &"v".repeat(2000)] {
            assert_eq!(why("x-key", value), None, "{value:?}");
        }
        for value in ["", " x", "x ", "a\r\nx-inboundflow-event: b", "a\0", "ü", "\u{7f}", &"v".repeat(2001)]
        {
            assert!(why("x-key", value).is_some(), "{value:?}");
        }
    }

    #[test]
    fn their_number_and_size_are_bounded_and_names_have_no_case() {
        let mut headers = OwnHeaders::default();
        for number in 0..OwnHeaders::MOST {
            headers = headers.with(&format!("x-{number}"), "v").expect("a header");
        }
        headers = headers.with("X-0", "w").expect("the same one");
        assert_eq!((headers.0.len(), headers.0["x-0"].as_str()), (OwnHeaders::MOST, "w"));
        assert!(headers.clone().with("x-20", "v").is_err());
        assert!(headers.without("X-1").with("x-20", "v").is_ok());
        let large = (0..3).try_fold(OwnHeaders::default(), |headers, number| {
            headers.with(&format!("x-{number}"), &"v".repeat(2000))
        });
        assert_eq!(large.expect_err("too large").why, "must have at most 6000 bytes together");
    }

    #[test]
    fn a_value_is_shown_like_a_secret() {
        let headers = OwnHeaders::default().with("x-a", "short").expect("a header");
        let headers = headers.with("x-b", "Bearer abcdefgh").expect("a header");
        let shown: Vec<_> = headers.masked().collect();
        assert_eq!(shown, [("x-a", "****".to_owned()), ("x-b", "****efgh".to_owned())]);
        assert_eq!(format!("{headers:?}"), r#"{"x-a", "x-b"}"#);
    }
}
