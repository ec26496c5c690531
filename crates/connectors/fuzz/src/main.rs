//! A fuzz target for each connector, which the variable `FUZZ_PLATFORM` names: whatever arrives, no connector panics,
//! no stranger is taken for the platform, and what is read of a body holds together.
//!
//! `cargo xtask fuzz` builds and runs it; without the instrumentation that it is built with there, it is blind.

#![no_main]

#[path = "../../tests/it/invariants.rs"]
mod invariants;
mod mutate;

use std::{env, sync::OnceLock};

use connectors::{Connector, Request, Secrets};
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{Platform, Time};
use serde_json::Value;

/// The platform of this run, and the settings that it is tried with.
struct Target {
    connector: &'static dyn Connector,
    settings: Vec<Value>,
}

/// The mappings of our own fixtures, for the connector that reads by one.
const MAPPINGS: [&str; 4] = [
    include_str!("../../fixtures/custom/bolna.mapping.json"),
    include_str!("../../fixtures/custom/dograh.mapping.json"),
    include_str!("../../fixtures/custom/in-house.mapping.json"),
    include_str!("../../fixtures/custom/vapi-clone.mapping.json"),
];

fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = env::var("FUZZ_PLATFORM").expect("FUZZ_PLATFORM names a platform");
        let platform = Platform::parse(&name).expect("FUZZ_PLATFORM is the word of a platform");
        let connector = connectors::connector(platform).expect("the platform has webhooks");
        let mut settings = vec![Value::Null];
        if platform == Platform::Custom {
            settings.extend(MAPPINGS.iter().map(|text| serde_json::from_str(text).expect("a mapping")));
        }
        Target { connector, settings }
    })
}

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutate(data, size, max_size, seed)
});

libfuzzer_sys::fuzz_target!(init: { target(); }, |data: &[u8]| {
    let Target { connector, settings } = target();
    read(*connector, settings, data);
    prove(*connector, settings, data);
    set(*connector, data);
});

/// The body is read with all settings, as every type of content.
fn read(connector: &dyn Connector, settings: &[Value], body: &[u8]) {
    for content_type in [None, Some("application/json"), Some("application/x-www-form-urlencoded")] {
        let mut headers = HeaderMap::new();
        content_type.map(|it| headers.insert("content-type", HeaderValue::from_static(it)));
        let request = request(&headers, body);
        for settings in settings {
            let Ok(parsed) = connector.parse(settings, &request) else { continue };
            invariants::check(&parsed);
            connector.question(settings, &request, &parsed).iter().for_each(invariants::check_question);
            assert_eq!(connector.parse(settings, &request), Ok(parsed), "the same body says the same");
        }
    }
}

/// Every header in which any platform proves itself.
const PROOFS: [&str; 14] = [
    "authorization",
    "x-signature",
    "x-timestamp",
    "x-vapi-secret",
    "x-retell-signature",
    "elevenlabs-signature",
    "x-webhook-signature",
    "x-twilio-signature",
    "telnyx-signature-ed25519",
    "telnyx-timestamp",
    "synthflow-signature",
    "http_synthflow_signature",
    "x-api-key",
    "content-type",
];

/// The first line is what a stranger puts into every header, the rest the body.
fn prove(connector: &dyn Connector, settings: &[Value], data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len().min(128));
    let (line, body) = data.split_at(end);
    let Ok(value) = HeaderValue::from_bytes(line) else { return };
    let headers: HeaderMap =
        PROOFS.iter().map(|name| (HeaderName::from_static(name), value.clone())).collect();
    let secrets = Secrets { current: "a secret that chance does not find", previous: Some("") };
    let now = Time::from_micros(1_771_966_800_000_000);
    for settings in settings {
        let verdict = connector.verify(&secrets, settings, &request(&headers, body), now);
        assert!(verdict.is_err(), "a stranger is not the platform");
    }
    if let Some(mut large) = connector.large_body(&secrets, &headers) {
        let mut audio = Vec::new();
        body.chunks(body.len() / 3 + 1).for_each(|piece| large.push(piece, &mut audio));
        assert!(audio.len() <= body.len() && large.finish(now).verdict.is_err());
    }
}

/// The body as settings: what is refused is refused in words, and what is accepted can be read by.
fn set(connector: &dyn Connector, data: &[u8]) {
    let Ok(settings) = serde_json::from_slice::<Value>(data) else { return };
    match connector.check_settings(&settings) {
        Ok(()) => read(connector, &[settings], br#"{"id":"c","event":"call","status":"completed"}"#),
        Err(why) => assert!(!why.is_empty()),
    }
}

fn request<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Request<'a> {
    Request { url: "https://calls.example.com/ingest/x/y?z=1", path_secret: None, headers, body }
}
