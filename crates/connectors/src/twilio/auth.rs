//! Twilio's signature over an address and a form (twilio.com/docs/usage/security, and the checks of its own SDKs).

use std::{borrow::Cow, collections::BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::form_urlencoded;

use crate::{
    Rejection, Request, Secrets,
    signature::{self, Algorithm},
};

const SIGNATURE: &str = "x-twilio-signature";

/// Where the address has the hash of a body that is no form.
const BODY_HASH: &str = "bodySHA256";

pub(super) fn verify(secrets: &Secrets<'_>, request: &Request<'_>) -> Result<(), Rejection> {
    if secrets.each().next().is_none() {
        return Err(Rejection::NoSecret);
    }
    let header = signature::header(request.headers, SIGNATURE)
        .ok_or_else(|| Rejection::Missing(format!("header {SIGNATURE}")))?;
    let mac = STANDARD
        .decode(header)
        .map_err(|_| Rejection::Malformed { header: SIGNATURE.into(), expected: "<base64>" })?;
    let parameters = signed_parameters(request);
    let ours = |secret: &str, url: &str| {
        let parts = [url.as_bytes(), parameters.as_bytes()];
        signature::matches(Algorithm::Sha1, secret.as_bytes(), &parts, &mac)
    };
    let urls = signed_urls(request.url);
    if !secrets.each().any(|secret| urls.iter().any(|url| ours(secret, url))) {
        return Err(Rejection::Mismatch { header: SIGNATURE.into() });
    }
    Ok(())
}

/// What follows the address in the signed text: each name and value in order, and of a name's values each one once.
/// Nothing follows where the address vouches for the body. Anything else is read as a form, so that a body which the
/// address does not vouch for changes the text.
fn signed_parameters(request: &Request<'_>) -> String {
    if has_hash_of_body(request) {
        return String::new();
    }
    let parameters: BTreeSet<_> = form_urlencoded::parse(request.body).collect();
    parameters.into_iter().flat_map(|(name, value)| [name, value]).collect()
}

fn has_hash_of_body(request: &Request<'_>) -> bool {
    let query = Url::split(request.url).query.unwrap_or_default();
    let hash = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == BODY_HASH);
    let hash = hash.and_then(|(_, hash)| hex::decode(hash.as_bytes()).ok());
    hash.is_some_and(|hash| Sha256::digest(request.body).ct_eq(&hash).into())
}

/// The forms in which Twilio may have signed an address: parts of it add the port that the scheme stands for, others
/// take any port away, and some write out characters in the query that others leave as they are.
fn signed_urls(url: &str) -> BTreeSet<String> {
    let split = Url::split(url);
    let (host, port) = split.host_and_port();
    let standard = match split.scheme {
        "http" => ":80",
        _ => ":443",
    };
    let with_port = if port.is_empty() { standard } else { port };
    let encoded = split.query.map(legacy_encoding);
    let mut urls = BTreeSet::from([url.to_owned()]);
    for query in [split.query, encoded.as_deref()] {
        for port in [port, with_port, ""] {
            urls.insert(Url { query, ..split }.to_string_with(host, port));
        }
    }
    urls
}

/// An address in its parts, byte for byte: a library for addresses would tidy up what was signed.
#[derive(Clone, Copy)]
struct Url<'a> {
    scheme: &'a str,
    /// With the name and password before it and the port behind it.
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Url<'a> {
    fn split(url: &'a str) -> Self {
        let (before, query) = match url.split_once('?') {
            Some((before, query)) => (before, Some(query)),
            None => (url, None),
        };
        let (scheme, rest) = before.split_once("://").unwrap_or(("", before));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Self { scheme, authority, path, query }
    }

    /// The authority without and its port with the colon before it.
    fn host_and_port(&self) -> (&'a str, &'a str) {
        let host = self.authority.rfind('@').map_or(0, |at| at + 1);
        // Within brackets, colons are part of an IPv6 address.
        let host = self.authority.rfind(']').map_or(host, |bracket| bracket.max(host));
        let colon = self.authority.rfind(':').filter(|colon| *colon >= host);
        self.authority.split_at(colon.unwrap_or(self.authority.len()))
    }

    fn to_string_with(self, host: &str, port: &str) -> String {
        let Self { scheme, path, query, .. } = self;
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{scheme}://{host}{port}{path}{query}")
    }
}

/// A query with the characters written out that the URL standard allows there only in this form.
fn legacy_encoding(query: &str) -> String {
    let encoded = |letter: char| match letter {
        '\'' => Cow::Borrowed("%27"),
        '"' => Cow::Borrowed("%22"),
        '<' => Cow::Borrowed("%3C"),
        '>' => Cow::Borrowed("%3E"),
        other => Cow::Owned(other.to_string()),
    };
    query.chars().map(encoded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(url: &str) -> Vec<String> {
        signed_urls(url).into_iter().collect()
    }

    #[test]
    fn an_address_is_tried_with_and_without_its_port() {
        assert_eq!(urls("https://a.example/in"), ["https://a.example/in", "https://a.example:443/in"]);
        assert_eq!(urls("http://a.example"), ["http://a.example", "http://a.example:80"]);
        assert_eq!(urls("https://a.example:8443/in"), ["https://a.example/in", "https://a.example:8443/in"]);
        let named = "https://name:pass:word@a.example/in";
        assert_eq!(urls(named), [named, "https://name:pass:word@a.example:443/in"]);
        assert_eq!(urls("https://[::1]/in"), ["https://[::1]/in", "https://[::1]:443/in"]);
        assert_eq!(urls("https://[::1]:1/in"), ["https://[::1]/in", "https://[::1]:1/in"]);
    }

    #[test]
    fn a_query_is_also_tried_written_out() {
        let plain = "https://a.example:1/in?a='b'+c&d=%27";
        let encoded = "https://a.example:1/in?a=%27b%27+c&d=%27";
        assert!(urls(plain).contains(&plain.to_owned()) && urls(plain).contains(&encoded.to_owned()));
    }

    #[test]
    fn what_is_no_address_does_no_harm() {
        for text in ["", "?", "://", "a@b:c@", "]:[", "https://", "é://é:é@é?é"] {
            assert!(urls(text).contains(&text.to_owned()), "{text}");
        }
    }
}
