//! Whatever arrives, nothing panics, and one field of a surprising type does not lose the message.

use connectors::Secrets;
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{Platform, Time};
use proptest::{collection, prelude::*, sample};
use serde_json::Value;

use super::{Fixture, all_fixtures, invariants, of, parse};

/// Without these a body is no message, or nobody knows of which call.
fn needed(platform: Platform) -> &'static [&'static str] {
    match platform {
        Platform::Vapi => super::vapi::NEEDED,
        Platform::Retell => super::retell::NEEDED,
        Platform::ElevenLabs => super::elevenlabs::NEEDED,
        Platform::Bland => super::bland::NEEDED,
        Platform::Twilio => super::twilio::NEEDED,
        Platform::LiveKit => super::livekit::NEEDED,
        Platform::Telnyx => super::telnyx::NEEDED,
        Platform::Synthflow => super::synthflow::NEEDED,
        Platform::Custom => super::custom::NEEDED,
        Platform::Api => &[],
    }
}

/// Whether a fixture asks something, whatever else is in it.
fn asks(name: &str) -> bool {
    let asking = ["tool-calls", "assistant-request", "call_inbound", "custom_function"];
    asking.contains(&name) || ["assistant.initialization", "inbound"].contains(&name)
}

pub(super) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        sample::select(vec!["", "{}", "[1e999]", "\"", "2026-02-30T00:00:00Z", "NaN", "-1", "+1", "@", "\0"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            collection::btree_map("[a-z_]{0,8}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// The address (RFC 6901) of every value within a value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(number, item)| places(item, &format!("{at}/{number}"), found));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| places(field, &format!("{at}/{name}"), found));
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2048) })]

    #[test]
    fn one_surprising_value_does_not_lose_the_message(
        fixture in sample::select(all_fixtures().collect::<Vec<_>>()),
        place in any::<sample::Index>(),
        value in any_json(),
    ) {
        let Fixture { platform, name, body } = *fixture;
        let whole = parse(platform, body.as_bytes()).expect("a fixture can be read");
        let mut body: Value = serde_json::from_str(body).expect("JSON");
        let mut all = Vec::new();
        places(&body, "", &mut all);
        let place = place.get(&all);
        *body.pointer_mut(place).expect("a place in the body") = value;
        let parsed = parse(platform, body.to_string().as_bytes());
        if !place.is_empty() && !needed(platform).contains(&place.as_str()) {
            let parsed = parsed.expect("still a message");
            invariants::check(&parsed);
            let headers = HeaderMap::new();
            let text = body.to_string();
            let question = of(platform).question(&Value::Null, &super::request(&headers, text.as_bytes()), &parsed);
            question.iter().for_each(invariants::check_question);
            prop_assert_eq!(question.is_some(), asks(name), "{} of {}", place, name);
            prop_assert_eq!(&parsed.external_id, &whole.external_id, "{} of {}", place, name);
            prop_assert_eq!(parsed.event, whole.event);
            // Another status is another event of its kind.
            if place != "/message/status" {
                prop_assert_eq!(parsed.changes.len(), whole.changes.len(), "{} of {}", place, name);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in collection::vec(any::<u8>(), 0..512), cut in any::<sample::Index>()) {
        for Fixture { platform, body, .. } in all_fixtures() {
            parse(*platform, &bytes).iter().for_each(invariants::check);
            let mut body = body.as_bytes().to_vec();
            let at = cut.index(body.len());
            let end = body.len().min(at + bytes.len());
            body.splice(at..end, bytes.iter().copied());
            parse(*platform, &body).iter().for_each(invariants::check);
        }
    }

    #[test]
    fn text_with_escapes_is_read_or_refused(text in r#"["\\u\{\}:a0-9dD8-9c-f é😀]{0,64}"#) {
        let _ = parse(Platform::Vapi, text.as_bytes());
        let _ = parse(Platform::Retell, format!("{{\"event\":\"{text}\"}}").as_bytes());
    }

    #[test]
    fn no_stranger_is_taken_for_the_platform(
        values in collection::vec(collection::vec(any::<u8>(), 0..64), 7),
        settings in any_json(),
        auth in any_json(),
        scheme in sample::select(vec!["any", "secret", "bearer", "hmac"]),
        now in any::<i64>(),
    ) {
        let names = ["x-signature", "x-timestamp", "x-vapi-secret", "authorization", "x-retell-signature"];
        let names = names.into_iter().chain(["elevenlabs-signature", "x-webhook-signature"]);
        let mut headers = HeaderMap::new();
        for (name, value) in names.zip(&values) {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        let request = super::request(&headers, b"{}");
        let secrets = Secrets { current: "a secret that chance does not find", previous: Some("") };
        let mut with_scheme = serde_json::json!({ "auth": auth });
        if let Some(auth) = with_scheme["auth"].as_object_mut() {
            auth.insert("scheme".into(), scheme.into());
        }
        for platform in [Platform::Vapi, Platform::Retell, Platform::ElevenLabs, Platform::Bland] {
            for settings in [&settings, &with_scheme, &Value::Null] {
                let _ = of(platform).check_settings(settings);
                let verdict = of(platform).verify(&secrets, settings, &request, Time::from_micros(now));
                prop_assert!(verdict.is_err());
            }
        }
    }
}
