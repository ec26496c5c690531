//! Any other platform: whatever the settings and whatever the body, nothing panics.

use connectors::preview;
use model::Platform;
use proptest::{collection, prelude::*, sample};
use serde_json::{Value, json};

use super::{BOLNA, DOGRAH, HIGHLEVEL, MAPPINGS, mapping, read, settings::verify};
use crate::of;

const TEXTS: [&str; 22] = [
    "$",
    "$.a",
    "$.id",
    "@",
    "@.a",
    "$[*]",
    "$.a[-1]",
    "$[?@.a == 'b']",
    "$.a[",
    "completed",
    "inbound",
    "iso",
    "seconds",
    "tool",
    "assistant",
    "now",
    "vapi",
    "twilio",
    "hmac",
    "like",
    "Z",
    "{url}{body}",
];

const NAMES: [&str; 41] = [
    "auth",
    "scheme",
    "like",
    "root",
    "only",
    "event",
    "event_id",
    "at",
    "call_id",
    "events",
    "status",
    "fields",
    "messages",
    "tools",
    "booking_tools",
    "caller_phone",
    "captured",
    "pick",
    "path",
    "words",
    "default",
    "unit",
    "offset",
    "time",
    "role",
    "roles",
    "text",
    "tool",
    "name",
    "value",
    "arguments",
    "result",
    "ok",
    "inbound",
    "outbound",
    "transfer_status",
    "started_at",
    "duration",
    "stage",
    "complete",
    "$.a",
];

/// Values that settings have, and others.
fn any_setting() -> impl Strategy<Value = Value> {
    let texts = sample::select(&TEXTS[..]);
    let leaf = prop_oneof![
        texts.prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        any::<i32>().prop_map(Value::from)
    ];
    let names = sample::select(&NAMES[..]);
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            1 => collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            3 => collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A body in the shape of one of ours, with something else in one place.
fn any_body() -> impl Strategy<Value = Value> {
    let bodies: Vec<Value> =
        [BOLNA, DOGRAH, HIGHLEVEL].iter().map(|body| serde_json::from_str(body).expect("JSON")).collect();
    (sample::select(bodies), "[a-z_]{1,12}|transcript|status|executedCallActions|log|gathered", any_setting())
        .prop_map(|(mut body, name, value)| {
            body[name] = value;
            body
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn arbitrary_settings_are_used_or_refused(settings in any_setting(), name in "[a-z]{1,5}", body in any_body(), token in "[ -~]{0,20}") {
        let mut usable = json!({"call_id": ["$.id", "$.run"], "status": "completed"});
        usable[name] = settings.clone();
        for top in ["fields", "messages", "tools", "only", "events", "status", "root"] {
            let mut with = json!({"call_id": "$.id", "status": "completed", "event": "$.status"});
            with[top] = settings.clone();
            let _ = preview(Platform::Custom, &with, body.to_string().as_bytes());
        }
        for settings in [&settings, &usable] {
            let checked = of(Platform::Custom).check_settings(settings);
            let verdict = verify(settings, "a secret that chance does not find", &[("authorization", &token)], Some(&token));
            prop_assert!(verdict.is_err());
            let parsed = read(settings, &body.to_string());
            // How messages prove themselves is read by `verify` alone, which has refused them.
            let is_about_proof = settings.get("auth").is_some();
            prop_assert!(checked.is_ok() || parsed.is_err() || is_about_proof, "what is refused is not used");
        }
    }

    #[test]
    fn arbitrary_paths_are_read_or_refused(path in r#"[$@]([.\[\]'"?*=@\\a-c0-2 -]|==|\[\?@){0,12}"#, body in any_body()) {
        let settings = json!({"call_id": ["$.id", "$.run"], "status": "completed", "fields": {"summary": path}, "messages": path});
        let _ = preview(Platform::Custom, &settings, body.to_string().as_bytes());
    }

    #[test]
    fn a_valid_mapping_reads_any_body(body in any_body(), other in any_setting(), bytes in collection::vec(any::<u8>(), 0..64)) {
        for (name, _) in MAPPINGS {
            for body in [body.to_string(), other.to_string(), String::from_utf8_lossy(&bytes).into_owned()] {
                let plain = read(&mapping(name), &body);
                let shown = preview(Platform::Custom, &mapping(name), body.as_bytes());
                prop_assert_eq!(plain.is_ok(), shown.is_ok());
            }
        }
    }
}
