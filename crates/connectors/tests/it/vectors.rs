//! Whose requests are taken, and every way to get it wrong.

use connectors::{Rejection, Request, Secrets};
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{Platform, Time};
use serde_json::{Value, json};

use super::{of, request};

/// A key, a body and its header, made with Python's hmac. The shared fixtures have the vector of Retell's own SDK.
const RETELL: (&str, &[u8], &str) = (
    "key_of_the_badge",
    br#"{"event":"call_ended","call":{"call_id":"call_155"}}"#,
    "v=1700000000000,d=1e598335c918b51b995a51a8a913539fe042e893ccf3a73eabcb8ffb6a507e54",
);
const SIGNED_AT: Time = Time::from_micros(1_700_000_000_000_000);

const SECRET: &str = "a-secret";
const BODY: &[u8] = b"{\"message\":\"caf\xc3\xa9 \xff\"}";

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"))
    };
    list.iter().map(header).collect()
}

fn retell(secrets: Secrets<'_>, header: &str, body: &[u8], now: Time) -> Result<(), Rejection> {
    let headers = headers(&[("X-Retell-Signature", header)]);
    of(Platform::Retell).verify(&secrets, &Value::Null, &request(&headers, body), now)
}

fn vapi(settings: Value, list: &[(&str, &str)]) -> Result<(), Rejection> {
    let secrets = Secrets { current: SECRET, previous: None };
    let headers = headers(list);
    of(Platform::Vapi).verify(&secrets, &settings, &request(&headers, BODY), SIGNED_AT)
}

fn only(current: &str) -> Secrets<'_> {
    Secrets { current, previous: None }
}

#[test]
fn a_request_that_retell_signed_is_taken() {
    let (key, body, header) = RETELL;
    assert_eq!(retell(only(key), header, body, SIGNED_AT), Ok(()));
    let rotating = Secrets { current: "new", previous: Some(key) };
    assert_eq!(retell(rotating, header, body, SIGNED_AT), Ok(()));
}

#[test]
fn a_retell_request_with_anything_changed_is_not() {
    let (key, body, header) = RETELL;
    let mismatch = Err(Rejection::Mismatch { header: "x-retell-signature".into() });
    assert_eq!(retell(only("other"), header, body, SIGNED_AT), mismatch);
    assert_eq!(retell(only(key), header, &[body, b" "].concat(), SIGNED_AT), mismatch);
    assert_eq!(retell(only(key), &header.replace("v=17", "v=18"), body, SIGNED_AT), mismatch);
    for nothing in ["", " \n"] {
        assert_eq!(retell(only(nothing), header, body, SIGNED_AT), Err(Rejection::NoSecret));
    }
    let hash = &header["v=1700000000000,d=".len()..];
    let forms = [
        hash.to_owned(),
        format!("sha256={hash}"),
        format!("v=1700000000000, d={hash}"),
        format!("d={hash},v=1700000000000"),
        format!("v=-1,d={hash}"),
        format!("v=,d={hash}"),
        "v=1700000000000,d=zz".into(),
        "v=99999999999999999999,d=00".into(),
    ];
    for form in forms {
        let result = retell(only(key), &form, body, SIGNED_AT);
        assert!(matches!(result, Err(Rejection::Malformed { .. })), "{form}: {result:?}");
    }
    assert!(matches!(retell(only(key), " ", body, SIGNED_AT), Err(Rejection::Missing(_))));
}

#[test]
fn a_retell_request_holds_five_minutes() {
    let (key, body, header) = RETELL;
    let after = |seconds: i64| retell(only(key), header, body, SIGNED_AT.plus_micros(seconds * 1_000_000));
    assert_eq!((after(300), after(-300)), (Ok(()), Ok(())));
    assert_eq!(after(301), Err(Rejection::TooOld { age_seconds: 301, tolerance_seconds: 300 }));
    assert_eq!(after(-301), Err(Rejection::TooNew { ahead_seconds: 301, tolerance_seconds: 300 }));
}

#[test]
fn vapi_s_documented_defaults_are_taken() {
    let body = br#"{"message":{"type":"hang","call":{"id":"155"}}}"#;
    let signature = "629ac2e773d9fb4fb217422db5729e6f1aba3cc3747638169a4d6728fd167fbc";
    let headers = headers(&[("x-signature", signature), ("x-timestamp", "1700000000000")]);
    let request = request(&headers, body);
    for settings in [Value::Null, json!({}), json!({"auth": {"scheme": "hmac"}})] {
        let verify = |secret| of(Platform::Vapi).verify(&only(secret), &settings, &request, SIGNED_AT);
        assert_eq!(verify("test-secret"), Ok(()), "{settings}");
        assert!(matches!(verify("other"), Err(Rejection::Mismatch { .. })));
        assert_eq!(verify(""), Err(Rejection::NoSecret));
    }
}

#[test]
fn by_default_vapi_may_prove_itself_in_any_way_but_the_one_it_chose_must_hold() {
    let any = |list: &[(&str, &str)]| vapi(Value::Null, list);
    assert_eq!(any(&[("X-Vapi-Secret", SECRET)]), Ok(()));
    assert_eq!(any(&[("X-Vapi-Secret", ""), ("Authorization", "Bearer a-secret")]), Ok(()));
    assert_eq!(any(&[("Authorization", "bearer a-secret")]), Ok(()));
    let mismatch = |header: &str| Err(Rejection::Mismatch { header: header.into() });
    assert_eq!(
        any(&[("X-Vapi-Secret", "other"), ("Authorization", "Bearer a-secret")]),
        mismatch("x-vapi-secret")
    );
    let signed = [("X-Signature", "00"), ("X-Timestamp", "1700000000"), ("X-Vapi-Secret", SECRET)];
    assert_eq!(any(&signed), mismatch("x-signature"));
    assert_eq!(any(&[("Authorization", "Bearer other")]), mismatch("authorization"));
    assert!(matches!(any(&[("Authorization", SECRET)]), Err(Rejection::Malformed { .. })));
    let words = any(&[("X-Vapi-Secret", "")]).expect_err("nothing to go by").to_string();
    for header in ["x-signature", "x-vapi-secret", "authorization"] {
        assert!(words.contains(header), "{words}");
    }
}

#[test]
fn a_chosen_scheme_is_the_only_one() {
    let (secret, bearer) = (("X-Vapi-Secret", SECRET), ("Authorization", "Bearer a-secret"));
    let scheme = |scheme: &str, header| vapi(json!({"auth": {"scheme": scheme}}), &[header]);
    assert_eq!((scheme("secret", secret), scheme("bearer", bearer)), (Ok(()), Ok(())));
    for (scheme, result) in [
        ("secret", scheme("secret", bearer)),
        ("bearer", scheme("bearer", secret)),
        ("hmac", scheme("hmac", secret)),
    ] {
        assert!(matches!(result, Err(Rejection::Missing(_))), "{scheme}: {result:?}");
    }
    let bare = json!({"auth": {"scheme": "bearer", "header": "X-Token", "prefix": false}});
    assert_eq!(vapi(bare, &[("x-token", SECRET)]), Ok(()));
}

#[test]
fn a_keyed_hash_can_be_shaped_as_in_vapi() {
    // Each hash was made with Python's hmac over the bytes of `BODY`.
    let sha512 = "a864219c46ab6f38e0609ad0cb4d474a95d8854b9672463d3e6b269a62ca41da81155ed7017cd78d2b4c8fdd0166c859df028d814721d9c70aa7d5ad6ce730d5";
    let sha1 = "10c9dc92c4285fc8f3b1820b33a9bf87e996e469";
    let standard = "v1,IlxFQDI+LvYNUviGhTFBD3U3XQDG/tJPtFtkxwawI6E=";
    let hmac = |fields: Value, list: &[(&str, &str)]| {
        let mut auth = fields;
        auth["scheme"] = "hmac".into();
        vapi(json!({ "auth": auth }), list)
    };
    let seconds = [("x-signature", sha512), ("x-timestamp", "1700000000")];
    assert_eq!(hmac(json!({"algorithm": "sha512"}), &seconds), Ok(()));
    let bodily = json!({
        "algorithm": "sha1", "include_timestamp": false, "signature_header": "X-Hub-Signature", "signature_prefix": "sha1="
    });
    assert_eq!(hmac(bodily.clone(), &[("x-hub-signature", &format!("sha1={sha1}"))]), Ok(()));
    assert!(matches!(hmac(bodily, &[("x-hub-signature", sha1)]), Err(Rejection::Malformed { .. })));
    let webhooks = json!({
        "payload_format": "{svix-id}.{timestamp}.{body}", "encoding": "base64", "signature_prefix": "v1,",
        "signature_header": "webhook-signature", "timestamp_header": "webhook-timestamp", "message_id_header": "webhook-id"
    });
    let headers =
        [("webhook-signature", standard), ("webhook-timestamp", "1700000000"), ("webhook-id", "msg_155")];
    assert_eq!(hmac(webhooks.clone(), &headers), Ok(()));
    assert!(matches!(hmac(webhooks.clone(), &headers[..2]), Err(Rejection::Missing(_))));
    let mut base64 = webhooks;
    base64["secret_is_base64"] = true.into();
    assert_eq!(hmac(base64, &headers), Err(Rejection::SecretNotBase64));
}

#[test]
fn a_keyed_hash_may_be_over_the_address_too() {
    let settings = json!({"auth": {"scheme": "hmac", "payload_format": "{method} {url} {timestamp} {body}"}});
    let signature = "28b7c86663438f007ec8844c980e37f9f7594fea780608a05c093bb86c3355fe";
    let headers = headers(&[("x-signature", signature), ("x-timestamp", "1700000000")]);
    let verify = |url: &str| {
        let request = Request { url, ..request(&headers, BODY) };
        of(Platform::Vapi).verify(&only(SECRET), &settings, &request, SIGNED_AT)
    };
    assert_eq!(verify("https://calls.example.com/ingest"), Ok(()));
    let elsewhere = verify("http://calls.example.com/ingest");
    assert!(matches!(elsewhere, Err(Rejection::Mismatch { .. })), "{elsewhere:?}");
}

#[test]
fn a_base64_secret_may_be_written_as_standard_webhooks_writes_it() {
    let settings = json!({"auth": {"scheme": "hmac", "secret_is_base64": true, "payload_format": "{body}"}});
    let headers =
        headers(&[("x-signature", "a3f10022b478db39fe32e36f6cfdd8ed3458a5fb2edbc87a5b7b505e27d8724d")]);
    for secret in ["YS1zZWNyZXQ=", "YS1zZWNyZXQ", "whsec_YS1zZWNyZXQ="] {
        let request = request(&headers, BODY);
        assert_eq!(
            of(Platform::Vapi).verify(&only(secret), &settings, &request, SIGNED_AT),
            Ok(()),
            "{secret}"
        );
    }
}

#[test]
fn settings_that_cannot_be_are_named() {
    let error = |settings: Value| of(Platform::Vapi).check_settings(&settings).expect_err("wrong settings");
    for (auth, words) in [
        (json!({"scheme": "oauth"}), "settings.auth.scheme"),
        (json!({"scheme": "secret", "header": "x"}), "settings.auth.header"),
        (json!({"scheme": "hmac", "algorithm": "md5"}), "settings.auth.algorithm"),
        (json!({"scheme": "hmac", "tolerance_seconds": "5"}), "settings.auth.tolerance_seconds"),
        (json!({"scheme": "hmac", "tolerance_seconds": 0}), "settings.auth.tolerance_seconds"),
        (json!({"scheme": "hmac", "signature_heeder": "x"}), "signature_heeder"),
        (json!({"scheme": "hmac", "signature_header": "x y"}), "settings.auth.signature_header"),
        (json!({"scheme": "hmac", "payload_format": "{path}{body}"}), "{path}"),
        (json!({"scheme": "hmac", "payload_format": "{method} {url}"}), "{body}"),
        (
            json!({"scheme": "hmac", "include_timestamp": false, "payload_format": "{timestamp}{body}"}),
            "include_timestamp",
        ),
        (json!({"scheme": "bearer", "prefix": "Bearer "}), "settings.auth.prefix"),
        (json!("hmac"), "settings.auth"),
    ] {
        let error = error(json!({ "auth": auth }));
        assert!(error.contains(words), "{error}");
    }
    assert!(error(json!({"auht": {}})).contains("auht"));
    assert!(error(json!([])).contains("object"));
    for fine in [
        json!(null),
        json!({}),
        json!({"auth": null}),
        json!({"auth": {}}),
        json!({"auth": {"scheme": "any"}}),
    ] {
        assert_eq!(of(Platform::Vapi).check_settings(&fine), Ok(()), "{fine}");
    }
    let retell = |settings: Value| of(Platform::Retell).check_settings(&settings);
    assert_eq!((retell(json!(null)), retell(json!({}))), (Ok(()), Ok(())));
    assert!(retell(json!({"auth": {}})).expect_err("no settings").contains("settings.auth"));
}

#[test]
fn no_rejection_and_no_debugging_shows_a_secret() {
    let secrets = Secrets { current: "hunter2", previous: Some("hunter1") };
    assert_eq!(format!("{secrets:?}"), "Secrets(2 set)");
    let presented = headers(&[("authorization", "Bearer hunter3"), ("x-signature", "hunter4")]);
    for scheme in ["any", "bearer", "hmac", "secret"] {
        let settings = json!({"auth": {"scheme": scheme}});
        let request = request(&presented, b"");
        let rejection =
            of(Platform::Vapi).verify(&secrets, &settings, &request, SIGNED_AT).expect_err("a stranger");
        assert!(!format!("{rejection} {rejection:?}").contains("hunter"), "{rejection:?}");
    }
}
