//! The connector that the page `docs/adding-a-connector.md` builds, compiled and tried, so that the page stays true.

mod hallo;

use http::{HeaderMap, HeaderValue};
use model::{CallStatus, Platform, Time};
use serde_json::Value;

use crate::{Connector, Rejection, Request, Secrets};

const PAGE: &str = include_str!("../../../docs/adding-a-connector.md");

/// HMAC-SHA256 of [`BODY`] with the key `a secret`, by `openssl dgst`.
const MAC: &str = "deab9a12c7c3d4307c6213edc2e406d7b1cae652bf927d55983a74f928203eca";

const BODY: &[u8] = br#"{"kind": "ended", "id": "h-1", "from": "+14155550142", "seconds": 61}"#;

#[test]
fn the_page_shows_the_connector_that_is_tried_here() {
    // The made-up platform has no word of its own.
    let shown = include_str!("guide/hallo.rs").replace("Platform::Custom", "Platform::Hallo");
    assert!(PAGE.contains(&shown), "docs/adding-a-connector.md shows another connector than guide/hallo.rs");
    assert_eq!(hallo::Hallo.platform(), Platform::Custom);
}

#[test]
fn the_page_s_connector_takes_its_platform_s_message_and_nobody_else_s() {
    let secrets = Secrets { current: "a secret", previous: None };
    let verified = |mac: &'static str, body: &[u8]| {
        let mut headers = HeaderMap::new();
        headers.insert("x-hallo-signature", HeaderValue::from_static(mac));
        let request =
            Request { url: "https://calls.example.com", path_secret: None, headers: &headers, body };
        hallo::Hallo.verify(&secrets, &Value::Null, &request, Time::from_micros(0))
    };
    assert_eq!(verified(MAC, BODY), Ok(()));
    let mismatch = Err(Rejection::Mismatch { header: "x-hallo-signature".into() });
    assert_eq!(verified(MAC, b"{}"), mismatch);
    assert!(matches!(verified("x", BODY), Err(Rejection::Malformed { .. })));
}

#[test]
fn the_page_s_connector_reads_what_the_page_says_that_it_reads() {
    assert!(PAGE.contains(str::from_utf8(BODY).expect("UTF-8")), "the page has this message");
    let headers = HeaderMap::new();
    let request = |body: &'static [u8]| Request { url: "", path_secret: None, headers: &headers, body };
    let parsed = hallo::Hallo.parse(&Value::Null, &request(BODY)).expect("a message");
    assert_eq!((parsed.event.as_str(), parsed.external_id.as_deref()), ("ended", Some("h-1")));
    let facts = &parsed.changes[0].facts;
    assert_eq!((facts.status, facts.duration_seconds), (Some(CallStatus::Completed), Some(61)));
    assert_eq!(facts.caller_phone.as_ref().map(ToString::to_string).as_deref(), Some("+14155550142"));
    let other = hallo::Hallo.parse(&Value::Null, &request(br#"{"kind": "rang"}"#)).expect("a message");
    assert!(other.changes.is_empty(), "an event that is not known says nothing");
    assert_eq!(hallo::Hallo.check_settings(&Value::Null), Ok(()));
}
