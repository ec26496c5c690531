//! Whose requests are taken for LiveKit's, and every way to get it wrong.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use connectors::{Rejection, Secrets};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use model::{Platform, Time};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{expected, of, request};

const SECRET: &str = "secret_of_the_key";
const BODY: &[u8] = "{\"event\":\"room_started\",\"room\":{\"sid\":\"RM_155\",\"name\":\"café\"}}".as_bytes();
/// Made with Python's hmac.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJBUElrZXkxNTUiLCJuYmYiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMDMwMCwic2hhMjU2IjoiQm0ydGd4R0VYZk5reUprV1NzT3ZnMysrVE1DdEREV011T1NtdnpOU3d6OD0ifQ.veoAOMwkcb9MJS2SelQ-2t6-hIKT1ghma-0tX-lunqA";
const SIGNED_AT: Time = Time::from_micros(1_700_000_000_000_000);

fn verify(
    secrets: Secrets<'_>,
    settings: &Value,
    header: &str,
    body: &[u8],
    now: Time,
) -> Result<(), Rejection> {
    let headers: HeaderMap =
        [(http::header::AUTHORIZATION, header.parse().expect("a value"))].into_iter().collect();
    of(Platform::LiveKit).verify(&secrets, settings, &request(&headers, body), now)
}

fn verdict(header: &str) -> Result<(), Rejection> {
    verify(only(SECRET), &Value::Null, header, BODY, SIGNED_AT)
}

fn only(current: &str) -> Secrets<'_> {
    Secrets { current, previous: None }
}

fn after(seconds: i64) -> Time {
    SIGNED_AT.plus_micros(seconds * 1_000_000)
}

/// A token with these in the place of what is right.
fn token(header: Value, claims: Value, secret: &str) -> String {
    let hash = BASE64_STANDARD.encode(Sha256::digest(BODY));
    let mut right = json!({"iss": "APIkey155", "nbf": 1_700_000_000, "exp": 1_700_000_300, "sha256": hash});
    for (name, value) in claims.as_object().expect("claims") {
        right[name] = value.clone();
    }
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(right));
    let mut hasher = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).expect("a key");
    hasher.update(signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(hasher.finalize().into_bytes()))
}

fn hs256() -> Value {
    json!({"alg": "HS256", "typ": "JWT"})
}

fn claiming(claims: Value) -> Result<(), Rejection> {
    verdict(&token(hs256(), claims, SECRET))
}

fn is_malformed(verdict: &Result<(), Rejection>, word: &str) -> bool {
    matches!(verdict, Err(Rejection::Malformed { expected, .. }) if expected.contains(word))
}

fn mismatch() -> Result<(), Rejection> {
    Err(Rejection::Mismatch { header: "authorization".into() })
}

#[test]
fn a_request_that_livekit_signed_is_taken() {
    assert_eq!(verdict(TOKEN), Ok(()));
    assert_eq!(verdict(&format!("Bearer {TOKEN}")), Ok(()));
    assert_eq!(verdict(&format!("bearer  {TOKEN}")), Ok(()));
    assert_eq!(claiming(json!({})), Ok(()));
    let rotating = Secrets { current: "new", previous: Some(SECRET) };
    assert_eq!(verify(rotating, &Value::Null, TOKEN, BODY, SIGNED_AT), Ok(()));
}

#[test]
fn the_request_of_livekit_s_own_test_is_taken() {
    let Some(vector) = expected::shared("livekit/jwt.vector.json") else { return };
    let text = |name: &str| vector[name].as_str().expect("text");
    let (secret, header, body) = (text("api_secret"), text("authorization"), text("body").as_bytes());
    let settings = json!({"api_key": text("api_key")});
    assert_eq!(verify(only(secret), &settings, header, body, SIGNED_AT), Ok(()));
    assert_eq!(verify(only(secret), &settings, header, &body[1..], SIGNED_AT), mismatch());
}

#[test]
fn a_request_with_anything_changed_is_not() {
    assert_eq!(verify(only("other"), &Value::Null, TOKEN, BODY, SIGNED_AT), mismatch());
    assert_eq!(verify(only(SECRET), &Value::Null, TOKEN, &[BODY, b" "].concat(), SIGNED_AT), mismatch());
    let (start, _) = TOKEN.rsplit_once('.').expect("a signature");
    for mac in ["", "AAAA"] {
        assert_eq!(verdict(&format!("{start}.{mac}")), mismatch());
    }
    let [_, claims, mac] = <[&str; 3]>::try_from(TOKEN.split('.').collect::<Vec<_>>()).expect("three parts");
    let other = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
    assert_eq!(verdict(&format!("{other}.{claims}.{mac}")), mismatch());
    for nothing in ["", " \n"] {
        assert_eq!(verify(only(nothing), &Value::Null, TOKEN, BODY, SIGNED_AT), Err(Rejection::NoSecret));
    }
    let empty = token(hs256(), json!({}), "");
    assert_eq!(verify(only(" "), &Value::Null, &empty, BODY, SIGNED_AT), Err(Rejection::NoSecret));
}

#[test]
fn the_sender_does_not_choose_the_algorithm() {
    for alg in [
        json!("none"),
        json!("None"),
        json!("hs256"),
        json!("HS512"),
        json!("RS256"),
        json!(null),
        json!(["HS256"]),
    ] {
        let verdict = verdict(&token(json!({"alg": alg}), json!({}), SECRET));
        assert!(is_malformed(&verdict, "HS256"), "{alg}: {verdict:?}");
    }
    let unsigned = token(json!({"alg": "none"}), json!({}), SECRET);
    let (start, _) = unsigned.rsplit_once('.').expect("a signature");
    assert!(is_malformed(&verdict(&format!("{start}.")), "HS256"));
}

#[test]
fn what_is_no_token_says_so() {
    for form in [
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "..",
        "=.=.=",
        SECRET,
        &TOKEN.replacen('.', "..", 1),
        &format!("Basic {TOKEN}"),
    ] {
        assert!(is_malformed(&verdict(form), "a JWT"), "{form}");
    }
    assert!(matches!(verdict(" "), Err(Rejection::Missing(_))));
    let none = of(Platform::LiveKit).verify(
        &only(SECRET),
        &Value::Null,
        &request(&HeaderMap::new(), BODY),
        SIGNED_AT,
    );
    assert_eq!(none, Err(Rejection::Missing("header authorization".into())));
}

#[test]
fn a_token_that_lets_people_into_rooms_signs_no_body() {
    for claims in
        [json!({"sha256": null, "video": {"roomJoin": true}}), json!({"sha256": 5}), json!({"sha256": "%"})]
    {
        assert!(is_malformed(&claiming(claims.clone()), "sha256"), "{claims}");
    }
    assert_eq!(claiming(json!({"sha256": ""})), mismatch());
    let hex = Sha256::digest(BODY).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(claiming(json!({ "sha256": hex })), mismatch(), "no SDK of LiveKit's takes it in hexadecimal");
}

#[test]
fn a_token_holds_until_it_expires_and_a_minute_longer() {
    let at = |seconds: i64| verify(only(SECRET), &Value::Null, TOKEN, BODY, after(seconds));
    assert_eq!((at(-60), at(0), at(300), at(360)), (Ok(()), Ok(()), Ok(()), Ok(())));
    assert_eq!(at(361), Err(Rejection::TooOld { age_seconds: 361, tolerance_seconds: 360 }));
    assert_eq!(at(-61), Err(Rejection::TooNew { ahead_seconds: 61, tolerance_seconds: 60 }));
    let old = claiming(json!({"nbf": null, "exp": 1_699_999_900}));
    assert_eq!(old, Err(Rejection::TooOld { age_seconds: 400, tolerance_seconds: 360 }));
    assert_eq!(claiming(json!({"nbf": null, "exp": 1_700_000_000.5})), Ok(()));
    for exp in [json!(null), json!("1700000300"), json!(0), json!(-1), json!(1e300), json!([1_700_000_300])] {
        assert!(is_malformed(&claiming(json!({ "exp": exp })), "exp"), "{exp}");
    }
}

#[test]
fn the_issuer_is_the_api_key_where_the_settings_have_it() {
    let with = |api_key: Value| verify(only(SECRET), &json!({"api_key": api_key}), TOKEN, BODY, SIGNED_AT);
    assert_eq!((with(json!("APIkey155")), with(json!(null))), (Ok(()), Ok(())));
    let other = with(json!("APIkey156")).expect_err("another key").to_string();
    assert!(other.contains("settings.api_key") && !other.contains("APIkey"), "{other}");
    let plain = format!("Bearer {SECRET}");
    assert_eq!(verify(only(SECRET), &json!({"api_key": "APIkey155"}), &plain, BODY, SIGNED_AT), Ok(()));
}

#[test]
fn an_agent_may_send_the_secret_itself() {
    assert_eq!(verdict(&format!("Bearer {SECRET}")), Ok(()));
    let rotating = Secrets { current: "new", previous: Some(SECRET) };
    let header = format!("bearer {SECRET}");
    assert_eq!(verify(rotating, &Value::Null, &header, BODY, SIGNED_AT), Ok(()));
    assert_eq!(verdict("Bearer other"), mismatch());
    assert!(is_malformed(&verdict(SECRET), "Bearer"));
    assert!(
        verify(Secrets { current: SECRET, previous: Some("") }, &Value::Null, "Bearer ", BODY, SIGNED_AT)
            .is_err()
    );
}

#[test]
fn settings_that_cannot_be_are_named() {
    let check = |settings: Value| of(Platform::LiveKit).check_settings(&settings);
    for fine in [json!(null), json!({}), json!({"api_key": null}), json!({"api_key": "APIkey155"})] {
        assert_eq!(check(fine.clone()), Ok(()), "{fine}");
    }
    for (settings, word) in [
        (json!({"api_key": ""}), "settings.api_key"),
        (json!({"api_key": 5}), "settings.api_key"),
        (json!({"api_kee": "x"}), "settings.api_kee is not a setting"),
        (json!([]), "object"),
    ] {
        let error = check(settings).expect_err("wrong settings");
        assert!(error.contains(word), "{error}");
    }
    let verdict = verify(only(SECRET), &json!({"api_key": 5}), TOKEN, BODY, SIGNED_AT);
    assert!(matches!(verdict, Err(Rejection::Settings(_))));
}
