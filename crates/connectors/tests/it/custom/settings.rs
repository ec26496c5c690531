//! Any other platform: what settings may be, whose requests are taken, and what a preview shows.

use connectors::{Missed, Rejection, Secrets, preview};
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{Platform, Time};
use serde_json::{Value, json};

use super::{DOGRAH, MAPPINGS, mapping};
use crate::{all_fixtures, of, request};

const SIGNED_AT: Time = Time::from_micros(1_700_000_000_000_000);
const BODY: &[u8] = br#"{"data":{}}"#;

pub(super) fn verify(
    settings: &Value,
    secret: &str,
    headers: &[(&str, &str)],
    path: Option<&str>,
) -> Result<(), Rejection> {
    let header = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"))
    };
    let headers = headers.iter().map(header).collect();
    let request = connectors::Request { path_secret: path, ..request(&headers, BODY) };
    let secrets = Secrets { current: "new", previous: Some(secret) };
    of(Platform::Custom).verify(&secrets, settings, &request, SIGNED_AT)
}

fn scheme(scheme: &str) -> Value {
    json!({"auth": {"scheme": scheme}})
}

#[test]
fn by_default_a_request_has_a_bearer_token_or_the_secret_in_its_address() {
    let any = |headers: &[(&str, &str)], path| verify(&json!(null), "a-secret", headers, path);
    assert_eq!(any(&[("authorization", "Bearer a-secret")], None), Ok(()));
    assert_eq!((any(&[], Some("a-secret")), any(&[], Some("new"))), (Ok(()), Ok(())));
    let mismatch = Err(Rejection::Mismatch { header: "authorization".into() });
    assert_eq!(
        any(&[("authorization", "Bearer other")], Some("a-secret")),
        mismatch,
        "what is there must match"
    );
    for path in [None, Some(""), Some("other")] {
        assert!(matches!(any(&[], path), Err(Rejection::Missing(_))), "{path:?}");
    }
    let request_headers = HeaderMap::new();
    let request = connectors::Request { path_secret: Some(" "), ..request(&request_headers, BODY) };
    let blank = Secrets { current: "", previous: Some(" ") };
    assert_eq!(
        of(Platform::Custom).verify(&blank, &Value::Null, &request, SIGNED_AT),
        Err(Rejection::NoSecret)
    );
}

#[test]
fn a_chosen_scheme_is_the_only_one() {
    let bearer = [("authorization", "Bearer a-secret")];
    let key = [("x-api-key", "a-secret")];
    // `acme:hunter2` in base64.
    let basic = [("authorization", "basic YWNtZTpodW50ZXIy")];
    let token = json!({"auth": {"scheme": "header", "header": "Authorization", "prefix": "Token "}});
    assert_eq!(verify(&scheme("bearer"), "a-secret", &bearer, None), Ok(()));
    assert_eq!(verify(&scheme("header"), "a-secret", &key, None), Ok(()));
    assert_eq!(verify(&token, "a-secret", &[("authorization", "Token a-secret")], None), Ok(()));
    assert_eq!(verify(&scheme("basic"), "acme:hunter2", &basic, None), Ok(()));
    assert_eq!(verify(&scheme("path"), "a-secret", &[], Some("a-secret")), Ok(()));
    let mismatch = |result| matches!(result, Err(Rejection::Mismatch { .. }));
    assert!(mismatch(verify(&scheme("basic"), "acme:hunter3", &basic, None)));
    assert!(mismatch(verify(&scheme("header"), "a-secret", &[("x-api-key", "a-secre")], None)));
    let malformed = |result| matches!(result, Err(Rejection::Malformed { .. }));
    assert!(malformed(verify(&scheme("basic"), "a-secret", &bearer, None)));
    assert!(malformed(verify(&scheme("basic"), "a-secret", &[("authorization", "Basic ***")], None)));
    assert!(malformed(verify(&token, "a-secret", &bearer, None)));
    for name in ["bearer", "header", "basic", "hmac", "path"] {
        let none = verify(&scheme(name), "a-secret", &[], None);
        assert!(matches!(none, Err(Rejection::Missing(_))), "{name}: {none:?}");
    }
    assert!(verify(&scheme("path"), "a-secret", &bearer, None).is_err());
    assert!(verify(&scheme("header"), "a-secret", &[], Some("a-secret")).is_err());
}

#[test]
fn a_keyed_hash_is_shaped_by_the_settings() {
    // Made with Python's hmac, as is the other.
    let signature = "sha256=5e9c13a21097a6304a70fbed474b13f757f5ea7aa408e640d4d9a7a3ee1fe44a";
    let headers = [("x-acme-signature", signature), ("x-acme-time", "1700000000")];
    let acme = mapping("in-house");
    assert_eq!(verify(&acme, "a-secret", &headers, None), Ok(()));
    assert!(verify(&acme, "other", &headers, None).is_err());
    let late = [("x-acme-signature", signature), ("x-acme-time", "1700000001")];
    assert!(matches!(verify(&acme, "a-secret", &late, None), Err(Rejection::Mismatch { .. })));
    assert!(verify(&acme, "a-secret", &[], Some("a-secret")).is_err());

    let format = "{method} {url}\n{body}";
    let with_url = json!({"auth": {"scheme": "hmac", "payload_format": format}});
    let signature = "1b827f7c00977ce199eef7301776034fa8a8d7b0ce44d476d192095b198da209";
    assert_eq!(verify(&with_url, "a-secret", &[("x-signature", signature)], None), Ok(()));
}

#[test]
fn a_clone_may_sign_like_the_platform() {
    let settings = json!({"like": "vapi", "auth": {"scheme": "like"}});
    assert_eq!(verify(&settings, "a-secret", &[("x-vapi-secret", "a-secret")], None), Ok(()));
    assert!(verify(&settings, "a-secret", &[("x-vapi-secret", "other")], None).is_err());
    assert!(verify(&settings, "a-secret", &[], Some("a-secret")).is_err());
}

#[test]
fn every_mapping_that_we_show_can_be_used() {
    for (name, _) in MAPPINGS {
        assert_eq!(of(Platform::Custom).check_settings(&mapping(name)), Ok(()), "{name}");
    }
    for settings in [
        json!(null),
        json!({}),
        json!({"auth": null}),
        json!({"booking_tools": ["x"]}),
        json!({"root": "$.body"}),
    ] {
        assert_eq!(of(Platform::Custom).check_settings(&settings), Ok(()), "{settings}");
    }
}

fn with(name: &str, value: Value) -> Value {
    let mut settings = json!({"call_id": "$.id", "status": "completed"});
    settings[name] = value;
    settings
}

fn field(name: &str, value: Value) -> Value {
    with("fields", json!({ name: value }))
}

fn check_errors(rows: &[(Value, &str)]) {
    for (settings, words) in rows {
        let error = of(Platform::Custom).check_settings(settings).expect_err("wrong settings");
        assert!(error.contains(words), "{settings}: {error}");
    }
}

#[test]
fn a_wrong_mapping_is_named() {
    check_errors(&[
        (json!([]), "settings must be an object"),
        (json!({"cal_id": "$.id"}), "settings.cal_id is not a setting: there are `auth`, `like`"),
        (json!({"status": "completed"}), "settings.call_id is missing"),
        (json!({"call_id": "$.id"}), "settings.status is missing"),
        (json!({"call_id": "$.id", "events": {"a": "failed"}}), "settings.event is missing"),
        (with("status", json!("done")), "settings.status must be a path"),
        (with("only", json!({"type": ["a"]})), r#"settings.only["type"]: "type" is no path"#),
        (with("only", json!({"$.type": [null]})), r#"settings.only["$.type"][0] must be a word"#),
        (with("only", json!({})), "settings.only must not be empty"),
        (with("messages", json!({"role": "@.r"})), "settings.messages.path is missing"),
        (
            with("messages", json!({"path": "$.t", "roles": {"bot": "robot"}})),
            r#"settings.messages.roles["bot"]: "robot""#,
        ),
        (
            with("messages", json!({"path": "$.t", "tool": {"nam": "@.n"}})),
            "settings.messages.tool.nam is not a setting",
        ),
        (with("tools", json!([{"path": "$.t"}])), "settings.tools[0].name is missing"),
        (with("tools", json!({"path": "$.t", "name": "@["})), "settings.tools.name"),
        (with("booking_tools", json!([5])), "settings.booking_tools[0] must be text"),
        (json!({"like": "custom"}), "settings.like must be one of vapi, retell"),
        (json!({"like": "vapi", "call_id": "$.id"}), "settings.call_id does not go with `like`"),
        (json!({"auth": {"scheme": "like"}}), "settings.like"),
        (json!({"auth": {"scheme": "oauth"}}), "settings.auth.scheme"),
        (json!({"auth": {"scheme": "header", "header": "a b"}}), "settings.auth.header"),
        (json!({"auth": {"scheme": "path", "header": "a"}}), "settings.auth.header"),
        (json!({"auth": []}), "settings.auth must be an object"),
        (
            json!({"call_id": "$.id", "event": "$.e", "events": {"end": {"stage": "over"}}}),
            r#"settings.events["end"].stage: "over" is none of started, status, ended, analyzed, audio"#,
        ),
    ]);
}

#[test]
fn a_wrong_path_is_quoted_with_its_field() {
    check_errors(&[
        (
            field("caller_phone", json!("$.a[")),
            r#"settings.fields.caller_phone: "$.a[" has a [ without its ]"#,
        ),
        (field("summary", json!(["$.a", "b"])), r#"settings.fields.summary[1]: "b" is no path"#),
        (field("summary", json!([])), "settings.fields.summary must not be empty"),
        (field("summary", json!({"path": "$.a"})), "settings.fields.summary must be text"),
        (field("summary", json!("@.a")), "settings.fields.summary: \"@.a\" begins with @"),
        (field("sumary", json!("$.a")), "settings.fields.sumary is not a setting"),
        (
            field("direction", json!("inwards")),
            "settings.fields.direction must be a path such as \"$.name\", or one of inbound",
        ),
        (
            field("direction", json!({"words": {"in": "inbound"}})),
            "settings.fields.direction.path is missing",
        ),
        (
            field("direction", json!({"path": "$.d", "words": {"in": "inside"}})),
            r#"settings.fields.direction.words["in"]: "inside" is none of inbound"#,
        ),
        (field("direction", json!({"path": "$.d", "default": 5})), "settings.fields.direction.default"),
    ]);
}

#[test]
fn a_field_s_wrong_form_is_named() {
    check_errors(&[
        (
            field("started_at", json!({"path": "$.t", "unit": "days"})),
            "settings.fields.started_at.unit: \"days\" is none of iso, seconds",
        ),
        (
            field("started_at", json!({"path": "$.t", "offset": "CET"})),
            "settings.fields.started_at.offset must be",
        ),
        (
            field("started_at", json!({"path": "$.t", "offset": "Z", "unit": "seconds"})),
            "settings.fields.started_at.unit must be iso",
        ),
        (field("duration", json!({"path": "$.t", "unit": "iso"})), "settings.fields.duration.unit"),
        (field("duration", json!({"unit": "minutes"})), "settings.fields.duration.path is missing"),
        (
            field("caller_phone", json!({"inbound": "$.a"})),
            "settings.fields.caller_phone.outbound is missing",
        ),
        (
            field("caller_phone", json!({"path": "$.a", "inbound": "$.b"})),
            "settings.fields.caller_phone must have either",
        ),
        (
            field("caller_phone", json!({"path": "$.a", "country": "usa"})),
            "settings.fields.caller_phone.country",
        ),
        (field("captured", json!({"pick": {"a": "$["}})), r#"settings.fields.captured.pick["a"]"#),
        (
            field("captured", json!({"pick": {"a": "$.a"}, "path": "$.b"})),
            "settings.fields.captured.path does not go with",
        ),
        (
            field("captured", json!({"path": "$.a", "name": "@.n"})),
            "settings.fields.captured.name needs a `value`",
        ),
    ]);
}

fn missed(setting: &str, problem: &str) -> Missed {
    Missed { setting: setting.into(), problem: problem.into() }
}

#[test]
fn a_preview_shows_what_a_body_becomes_and_which_paths_missed() {
    let shown = preview(Platform::Custom, &mapping("dograh"), DOGRAH.as_bytes()).expect("a preview");
    let [change] = &shown.changes[..] else { panic!("one change: {shown:?}") };
    assert_eq!((change.stage, change.complete, change.transfer), ("ended", "now", "none"));
    assert_eq!(change.facts["caller_phone"], "+14155550149");
    assert_eq!(change.facts["ended_at"], "2026-02-24T13:01:15.000Z");
    assert_eq!(
        change.facts["assistant"],
        json!({"external_id": "Evening bookings", "name": "Evening bookings"})
    );
    assert!(!change.facts.contains_key("summary"), "what is not known is not there");
    let expected = [
        missed("settings.event_id", "$.delivery found nothing that can be used here"),
        missed("settings.fields.captured.pick[\"table\"]", "$.gathered.table found nothing"),
        missed("settings.messages.role", "the word \"chef\" is not listed in `roles`"),
    ];
    assert_eq!(shown.missed, expected);
    let json = serde_json::to_value(&shown).expect("JSON");
    assert_eq!(json["missed"][1]["problem"], "$.gathered.table found nothing");
}

#[test]
fn a_preview_tells_of_words_and_turns_that_are_not_understood() {
    let settings = json!({
        "call_id": "$.id", "status": {"path": "$.s", "words": {"over": "completed"}},
        "messages": {"path": ["$.turns", "$.text"], "text": "@.words"}, "tools": {"path": "$.acts", "name": "@.n"},
        "fields": {"caller_phone": {"inbound": "$.from", "outbound": "$.to"}}
    });
    let of = |body: Value| {
        let shown = preview(Platform::Custom, &settings, body.to_string().as_bytes()).expect("a preview");
        shown
            .missed
            .into_iter()
            .map(|missed| format!("{}: {}", missed.setting, missed.problem))
            .collect::<Vec<_>>()
    };
    let missed = of(json!({"id": 1, "s": "odd", "turns": [{"role": "bot"}]}));
    assert_eq!(
        missed,
        [
            "settings.status: the word \"odd\" is not listed in `words`",
            "settings.fields.caller_phone.inbound: was not looked up: the direction is not known",
            "settings.messages.text: @.words found nothing in any turn",
            "settings.tools.path: $.acts found nothing",
        ]
    );
    let missed = of(json!({"id": 1, "s": "over", "text": "Hello there", "acts": [{"n": "x"}]}));
    let problem = "settings.messages.path: $.turns or $.text found text in which no line begins with who speaks and a colon";
    assert_eq!(missed[1], problem);
}

#[test]
fn a_preview_works_for_every_platform_and_says_what_is_wrong() {
    for fixture in all_fixtures().filter(|fixture| fixture.platform != Platform::Custom) {
        let shown = preview(fixture.platform, &Value::Null, fixture.body.as_bytes()).expect("a preview");
        assert_eq!(shown.missed, [], "{}", fixture.name);
    }
    let clone = preview(Platform::Custom, &json!({"like": "vapi"}), b"{}").expect_err("no message");
    assert_eq!(clone, "message is missing");
    let wrong = preview(Platform::Custom, &json!({"like": 5}), b"{}").expect_err("wrong settings");
    assert!(wrong.starts_with("settings.like must be one of"), "{wrong}");
    assert!(preview(Platform::Api, &Value::Null, b"{}").is_err());
}
