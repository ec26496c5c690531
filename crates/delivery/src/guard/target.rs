//! The URL of a webhook, looked at when it is saved and again before each request.

use std::{fmt, net::IpAddr};

use http::Uri;
use url::{Host, Url};

use super::{ALLOW_SETTING, AllowList, Forbidden, allow::plain, vet};

/// A URL that may be requested. There is no other way to the HTTP client than through one of these.
///
/// Its name, if it has one, is resolved and vetted at each new connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
}

/// Why a URL may not be requested, in words for the person who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is too long.
    #[error("the URL is longer than {MAX_URL_BYTES} characters")]
    TooLong,
    /// It cannot be read.
    #[error("the URL cannot be read: {0}")]
    Unreadable(String),
    /// It does not say how to get there.
    #[error("the URL must begin with https://")]
    NoScheme,
    /// It is not a web address.
    #[error("the URL must begin with https://, not {0}:")]
    Scheme(String),
    /// It is not encrypted, and the host is not one that the operator listed.
    #[error(
        "the URL must begin with https://; for plain http the host {host} must be listed in {ALLOW_SETTING}"
    )]
    PlainHttp {
        /// The host.
        host: String,
    },
    /// It carries a name and password.
    #[error("the URL must not contain a user name or password; use a custom header instead")]
    UserInfo,
    /// It has no host.
    #[error("the URL has no host")]
    NoHost,
    /// Its host is a name of a cloud's metadata service.
    #[error("{host} is a cloud's metadata service; allow it with {ALLOW_SETTING}")]
    Metadata {
        /// The host.
        host: String,
    },
    /// Its host is an address that may not be dialled.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

const MAX_URL_BYTES: usize = 2048;

/// Names by which clouds offer their metadata. Their addresses are forbidden too; this is for the ones that change.
const METADATA_HOSTS: [&str; 5] =
    ["metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"];

impl Target {
    /// Reads a URL as browsers do (WHATWG) and decides whether it may be requested: `https`, or plain `http` to a
    /// host that the operator listed; no user name; no forbidden address, in whatever spelling.
    pub fn parse(url: &str, allow: &AllowList) -> Result<Self, TargetError> {
        let (url, host) = shape(url)?;
        let name = host.to_string();
        let listed = match host {
            Host::Domain(_) => allow.has_host(&name),
            Host::Ipv4(ip) => allow.has_ip(ip.into()),
            Host::Ipv6(ip) => allow.has_ip(ip.into()),
        };
        match host {
            Host::Domain(_) if !listed && METADATA_HOSTS.contains(&plain(&name).as_str()) => {
                return Err(TargetError::Metadata { host: name });
            }
            Host::Domain(_) => {}
            Host::Ipv4(ip) => vet(&ip.to_string(), IpAddr::V4(ip), allow)?,
            Host::Ipv6(ip) => vet(&ip.to_string(), IpAddr::V6(ip), allow)?,
        }
        if url.scheme() == "http" && !listed {
            return Err(TargetError::PlainHttp { host: name });
        }
        Ok(Self { url })
    }

    /// Whether a URL has the shape of a target, for who does not know the server's allow-list: `http` or `https`, a
    /// host, no user name, not too long.
    pub fn shape(url: &str) -> Result<(), TargetError> {
        shape(url).map(|_| ())
    }

    /// The URL, normalized.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The host: a name in lower case, or an address.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The address, where the host is one.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
        }
    }

    /// The port, the scheme's own where the URL has none.
    pub(crate) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }
}

impl fmt::Debug for Target {
    /// Without path and query: with many receivers they are the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.url.origin().ascii_serialization())
    }
}

fn shape(text: &str) -> Result<(Url, Host), TargetError> {
    if text.len() > MAX_URL_BYTES {
        return Err(TargetError::TooLong);
    }
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::EmptyHost => TargetError::NoHost,
        url::ParseError::RelativeUrlWithoutBase => TargetError::NoScheme,
        error => TargetError::Unreadable(error.to_string()),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(TargetError::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(TargetError::UserInfo);
    }
    let host = url.host().ok_or(TargetError::NoHost)?.to_owned();
    // The HTTP client reads the URL once more with its own parser. Where the two do not agree on the host, or ours
    // accepts what the other does not, somebody is being clever.
    let uri: Uri =
        url.as_str().parse().map_err(|_| TargetError::Unreadable("invalid character".to_owned()))?;
    if uri.host() != url.host_str() {
        return Err(TargetError::Unreadable("ambiguous host".to_owned()));
    }
    Ok((url, host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures,
        guard::{Reason, testing::allow},
    };

    fn refused(url: &str, entries: &[&str]) -> String {
        Target::parse(url, &allow(entries)).expect_err(url).to_string()
    }

    #[test]
    fn the_url_cases_with_a_literal_host_hold() {
        let Some(fixture) = fixtures::read("ssrf-addresses.json") else { return };
        let mut seen = 0;
        for case in fixture["url_cases"].as_array().expect("cases") {
            let text = case["url"].as_str().expect("a text");
            // The others are stories about names; the resolver's and the client's tests tell them.
            if !matches!(
                Url::parse(text).ok().as_ref().and_then(Url::host),
                Some(Host::Ipv4(_) | Host::Ipv6(_))
            ) {
                continue;
            }
            seen += 1;
            let blocked = Target::parse(text, &AllowList::default()).is_err();
            assert_eq!(blocked, case["block"].as_bool().expect("a verdict"), "{text}");
        }
        assert_eq!(seen, 8);
    }

    #[test]
    fn an_address_is_known_in_every_spelling() {
        for url in [
            "https://2130706433/",
            "https://0x7f.1",
            "https://127.1",
            "https://0177.0.0.1",
            "https://127.0.0.1.",
            "https://①②⑦.0.0.1",
            "https:\\\\127.0.0.1\\x",
            " https://127.0.0.1\n",
            "https:127.0.0.1",
        ] {
            let expected = "the address 127.0.0.1 is loopback; allow it with delivery.allow_targets";
            assert_eq!(refused(url, &[]), expected, "{url}");
            assert!(Target::parse(url, &allow(&["127.0.0.0/8"])).is_ok(), "{url}");
        }
        let mapped = Target::parse("https://[::ffff:127.0.0.1]/", &allow(&["127.0.0.0/8"]));
        assert!(matches!(mapped, Err(TargetError::Forbidden(Forbidden { reason: Reason::Reserved, .. }))));
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        for (url, words) in [
            ("", "the URL must begin with https://"),
            ("hooks.example.com/in", "the URL must begin with https://"),
            ("https://exa mple.com", "the URL cannot be read: invalid international domain name"),
            ("https://", "the URL has no host"),
            ("ftp://example.com", "the URL must begin with https://, not ftp:"),
            ("file:///etc/passwd", "the URL must begin with https://, not file:"),
            (
                "http://example.com",
                "the URL must begin with https://; for plain http the host example.com must be listed in \
                 delivery.allow_targets",
            ),
            (
                "https://me:secret@example.com",
                "the URL must not contain a user name or password; use a custom header instead",
            ),
            (
                "https://Metadata.Google.Internal./computeMetadata",
                "metadata.google.internal. is a cloud's metadata service; allow it with delivery.allow_targets",
            ),
            ("https://[::1]:8080/", "the address ::1 is loopback; allow it with delivery.allow_targets"),
        ] {
            assert_eq!(refused(url, &[]), words);
        }
        let long = format!("https://example.com/{}", "x".repeat(2048));
        assert_eq!(refused(&long, &[]), "the URL is longer than 2048 characters");
    }

    #[test]
    fn plain_http_goes_only_where_the_operator_says() {
        for (url, entry) in [
            ("http://n8n.internal:5678/webhook/x", "n8n.internal"),
            ("http://10.1.2.3/x", "10.0.0.0/8"),
            ("http://[fd12::1]/x", "fd12::/16"),
            ("http://8.8.8.8/", "8.8.8.8"),
        ] {
            assert!(Target::parse(url, &allow(&[entry])).is_ok(), "{url}");
            assert!(Target::parse(url, &AllowList::default()).is_err(), "{url}");
            assert_eq!(Target::shape(url), Ok(()));
        }
        assert!(Target::parse("http://n8n.internal/", &allow(&["10.0.0.0/8"])).is_err());
    }

    #[test]
    fn a_good_url_is_kept_and_its_path_not_logged() {
        let url = "https://hooks.example.com:8443/hooks/catch/1/s3cret?token=t&q={a|b}";
        let target = Target::parse(url, &AllowList::default()).expect("a target");
        assert_eq!((target.host(), target.port(), target.ip()), ("hooks.example.com", 8443, None));
        assert_eq!(format!("{target:?}"), "Target(https://hooks.example.com:8443)");
        assert!(Target::parse("https://example.com:1/", &AllowList::default()).is_ok());
        assert!(Target::shape("https://a@example.com").is_err());
        assert!(Target::shape("gopher://example.com").is_err());
    }
}
