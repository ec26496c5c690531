//! Telnyx: what its events say, and whose are taken.

use connectors::{Parsed, Rejection, Secrets};
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{CallStatus, Change, Completion, Direction, Facts, Platform, Stage, Time, Transfer, Urgency};
use serde_json::{Value, json};

use super::{Fixture, change, expected, fixture, fixtures, of, request};

pub(crate) const FIXTURES: &[Fixture] = fixtures!(
    Telnyx in "telnyx": "call.initiated", "call.answered", "call.answered.second-leg", "call.hangup",
    "call.conversation.ended", "call.conversation_insights.generated", "call.recording.saved", "assistant.initialization"
);

/// Without these a body is no message, or nobody knows of which call.
pub(crate) const NEEDED: &[&str] =
    &["/data", "/data/event_type", "/data/payload", "/data/payload/call_session_id"];

const SESSION: &str = "7b1f2c00-1180-11f1-8a55-020000000155";
const SECOND_LEG: &str = "9ee3c480-1180-11f1-9c02-020000000178";

fn parse(body: &Value) -> Parsed {
    super::parse(Platform::Telnyx, body.to_string().as_bytes()).expect("an event")
}

fn event(name: &str) -> Change {
    change(fixture(Platform::Telnyx, name))
}

/// An event of a call of which nothing is said but this.
fn said(event: &str, payload: Value) -> Change {
    said_to(Value::Null, event, payload)
}

fn said_to(settings: Value, event: &str, mut payload: Value) -> Change {
    payload["call_session_id"] = "s".into();
    let data = json!({"event_type": event, "occurred_at": "2026-02-24T13:02:05Z", "payload": payload});
    let body = json!({ "data": data }).to_string();
    let headers = HeaderMap::new();
    change(of(Platform::Telnyx).parse(&settings, &request(&headers, body.as_bytes())).expect("an event"))
}

fn time(text: &str) -> Option<Time> {
    text.parse().ok()
}

fn phone(facts: &Facts) -> Option<&str> {
    facts.caller_phone.as_ref().map(model::Phone::as_str)
}

#[test]
fn every_event_of_a_call_has_the_same_id_of_the_call_and_its_own() {
    let mut ids = std::collections::BTreeSet::new();
    // The question for an assistant's variables comes before there is a call.
    for Fixture { name, .. } in FIXTURES.iter().filter(|fixture| fixture.name.starts_with("call.")) {
        let parsed = fixture(Platform::Telnyx, name);
        assert!(name.starts_with(&parsed.event), "{name}");
        assert_eq!(parsed.external_id.as_deref(), Some(SESSION), "{name}");
        assert!(ids.insert(parsed.event_id.expect("an id")), "{name}");
        assert_eq!(change(fixture(Platform::Telnyx, name)).external_id, SESSION);
    }
}

#[test]
fn a_call_begins_with_its_direction_and_its_caller() {
    let initiated = event("call.initiated");
    assert_eq!((initiated.stage, initiated.completion), (Stage::Started, Completion::No));
    assert_eq!(initiated.at, time("2026-02-24T13:00:00.250Z"));
    let facts = initiated.facts;
    assert_eq!((facts.status, facts.direction), (Some(CallStatus::InProgress), Some(Direction::Inbound)));
    assert_eq!((phone(&facts), facts.started_at), (Some("+14155550143"), time("2026-02-24T13:00:00.250Z")));
    assert_eq!(facts.caller_name.as_deref(), Some("Ruth Lindqvist"));
    assert_eq!(facts.carrier_id.as_deref(), Some("v3:first-leg-155"));
    let answered = event("call.answered");
    assert_eq!((answered.stage, answered.facts.status), (Stage::Started, Some(CallStatus::InProgress)));
    assert_eq!((phone(&answered.facts), answered.facts.direction), (None, None));
}

#[test]
fn the_caller_is_the_other_party() {
    let parties = |direction: &str, from: &str| {
        let payload =
            json!({"direction": direction, "from": from, "to": "+14155550101", "caller_id_name": from});
        said("call.initiated", payload).facts
    };
    let outbound = parties("outgoing", "+14155550143");
    assert_eq!((phone(&outbound), outbound.direction), (Some("+14155550101"), Some(Direction::Outbound)));
    let sip = parties("incoming", "sip:ruth@example.com");
    assert_eq!((phone(&sip), sip.caller_address.as_deref()), (None, Some("sip:ruth@example.com")));
    let inbound = parties("incoming", "+14155550143");
    assert_eq!(
        (phone(&inbound), &inbound.caller_name),
        (Some("+14155550143"), &None),
        "the name is the number"
    );
}

#[test]
fn a_hangup_ends_the_call_and_waits_for_insights() {
    let hangup = event("call.hangup");
    assert_eq!((hangup.stage, hangup.completion), (Stage::Ended, Completion::Wait));
    let facts = hangup.facts;
    assert_eq!(
        (facts.status, facts.ended_reason.as_deref()),
        (Some(CallStatus::Completed), Some("normal_clearing"))
    );
    assert_eq!(facts.started_at, time("2026-02-24T13:00:00.250Z"));
    assert_eq!((facts.ended_at, facts.duration_seconds), (time("2026-02-24T13:02:05.850Z"), Some(126)));
    let outcome = |cause: &str| {
        let facts = said("call.hangup", json!({"hangup_cause": cause})).facts;
        assert_eq!(facts.ended_reason.as_deref(), Some(cause));
        facts.status
    };
    for cause in ["user_busy", "no_answer", "call_rejected", "not_found", "timeout", "originator_cancel"] {
        assert_eq!(outcome(cause), Some(CallStatus::Failed), "{cause}");
    }
    for cause in ["normal_clearing", "time_limit", "unspecified"] {
        assert_eq!(outcome(cause), Some(CallStatus::Completed), "{cause}");
    }
    let broke = said("call.hangup", json!({"hangup_cause": "unspecified", "sip_hangup_cause": "503"}));
    assert_eq!(
        (broke.facts.status, broke.facts.ended_at),
        (Some(CallStatus::Failed), time("2026-02-24T13:02:05Z"))
    );
}

#[test]
fn a_conversation_is_over_before_its_call_may_be() {
    let ended = event("call.conversation.ended");
    assert_eq!((ended.stage, ended.completion), (Stage::Status, Completion::Wait));
    assert!(ended.stage < event("call.hangup").stage, "what the hangup says counts");
    let facts = ended.facts;
    assert_eq!((facts.status, facts.duration_seconds), (Some(CallStatus::Completed), Some(67)));
    assert_eq!(
        (facts.started_at, facts.ended_at),
        (time("2026-02-24T13:00:01.500Z"), time("2026-02-24T13:01:08.500Z"))
    );
    assert_eq!(facts.assistant.map(|assistant| assistant.external_id).as_deref(), Some("assistant-155"));
    assert_eq!((facts.ended_reason, facts.caller_phone), (None, None));
}

#[test]
fn insights_complete_a_call_but_do_not_say_that_it_is_over() {
    let insights = event("call.conversation_insights.generated");
    assert_eq!((insights.stage, insights.completion), (Stage::Analyzed, Completion::Now));
    let facts = insights.facts;
    assert_eq!((facts.status, facts.ended_at), (None, None));
    let summary = "Ruth Lindqvist asked for a cleaning and was put through to the front desk.";
    assert_eq!(facts.summary.as_deref(), Some(summary));
    assert_eq!(facts.caller_name.as_deref(), Some("Ruth Lindqvist"));
    assert_eq!(facts.caller_email.as_deref(), Some("ruth@example.com"));
    assert_eq!((facts.intent.as_deref(), facts.urgency), (Some("Cleaning"), Some(Urgency::Low)));
    let captured = facts.captured.expect("captured fields");
    assert_eq!(captured["new_patient"], json!(false));
    assert_eq!(captured["00000000-0000-4000-b000-000000000003"], json!("satisfied"));
    assert_eq!(captured.len(), 6);
}

#[test]
fn insights_are_read_from_text_and_from_groups_too() {
    let form = json!({"insight_id": "1", "result": "{\"summary\": \"A cleaning.\", \"name\": \"Ruth\"}"});
    let facts =
        said("call.conversation_insights.generated", json!({"results": [form.clone(), 7, null]})).facts;
    assert_eq!((facts.summary.as_deref(), facts.caller_name.as_deref()), (Some("A cleaning."), Some("Ruth")));
    let text = json!({"insight_id": "2", "result": "All of it."});
    let groups = json!([{"conversation_insights": [form]}, {"conversation_insights": [text]}]);
    let analyzed = said("call.analyzed", json!({"assistant_id": "a", "conversation_insights": groups}));
    assert_eq!((analyzed.stage, analyzed.completion), (Stage::Analyzed, Completion::Now));
    assert_eq!(analyzed.facts.summary.as_deref(), Some("All of it."));
    let answers =
        json!({"results": [{"insight_id": "3", "result": "94105"}, {"insight_id": "4", "result": 8}]});
    let facts = said("call.conversation_insights.generated", answers).facts;
    assert_eq!((facts.summary, facts.captured), (None, json!({"4": 8, "3": "94105"}).as_object().cloned()));
    let nothing = said("call.conversation_insights.generated", json!({"results": []}));
    assert_eq!((nothing.facts.summary, nothing.facts.captured), (None, None));
}

#[test]
fn a_recording_that_lasts_is_preferred() {
    let saved = event("call.recording.saved");
    assert_eq!((saved.stage, saved.completion), (Stage::Audio, Completion::No));
    let url = saved.facts.recording_url;
    assert_eq!(url.as_deref(), Some("https://telnyx.example/155.mp3?X-Amz-Expires=600"));
    let urls = json!({
        "public_recording_urls": {"wav": "https://telnyx.example/public.wav"},
        "recording_urls": {"mp3": "https://telnyx.example/signed.mp3"}
    });
    let url = said("call.recording.saved", urls).facts.recording_url;
    assert_eq!(url.as_deref(), Some("https://telnyx.example/public.wav"));
}

#[test]
fn a_second_leg_tells_how_the_transfer_stands_and_nothing_else() {
    let answered = event("call.answered.second-leg");
    assert_eq!((answered.stage, answered.transfer), (Stage::Status, Transfer::HandedOver));
    let facts = answered.facts;
    assert_eq!(
        (facts.status, facts.transfer_status.as_deref()),
        (Some(CallStatus::Forwarding), Some("answered"))
    );
    assert_eq!(facts.transfer_destination.as_deref(), Some("+14155550178"));
    assert_eq!(facts.transferred_at, time("2026-02-24T13:01:08.400Z"));
    assert_eq!((facts.started_at, facts.caller_phone, facts.carrier_id), (None, None, None));
    let step = |event: &str, cause: &str| {
        let payload = json!({
            "call_session_id": SESSION, "call_leg_id": SECOND_LEG, "direction": "outgoing", "hangup_cause": cause,
            "from": "+14155550143", "to": "+14155550178", "end_time": "2026-02-24T13:02:05Z"
        });
        let change = change(parse(&json!({"data": {"event_type": event, "payload": payload}})));
        assert_eq!(
            (change.completion, &change.facts.direction, &change.facts.ended_at),
            (Completion::No, &None, &None)
        );
        (change.transfer, change.facts.status, change.facts.transfer_status)
    };
    let word = |word: &str| Some(word.to_owned());
    let forwarding = Some(CallStatus::Forwarding);
    assert_eq!(step("call.initiated", ""), (Transfer::Started, forwarding, word("initiated")));
    let again = Some(CallStatus::InProgress);
    assert_eq!(step("call.hangup", "user_busy"), (Transfer::Failed, again, word("user_busy")));
    assert_eq!(step("call.hangup", "normal_clearing"), (Transfer::Ended, None, word("normal_clearing")));
}

#[test]
fn other_events_change_nothing() {
    let about = |body: Value| {
        let parsed = parse(&body);
        (parsed.event, parsed.event_id, parsed.external_id, parsed.changes.len())
    };
    let speak =
        json!({"data": {"event_type": "call.speak.ended", "id": "e", "payload": {"call_session_id": "s"}}});
    assert_eq!(about(speak), ("call.speak.ended".into(), Some("e".into()), Some("s".into()), 0));
    let message = json!({"data": {"event_type": "message.received", "payload": {"id": "m"}}});
    assert_eq!(about(message), ("message.received".into(), None, None, 0));
}

#[test]
fn what_is_no_message_says_why() {
    let error =
        |body: &str| super::parse(Platform::Telnyx, body.as_bytes()).expect_err("unreadable").to_string();
    assert_eq!(error("{}"), "data is missing");
    assert_eq!(error(r#"{"data":{}}"#), "data.event_type is missing");
    assert_eq!(error(r#"{"data":{"event_type":"call.hangup"}}"#), "data.payload.call_session_id is missing");
    assert!(error("CallSid=v3&CallStatus=completed").starts_with("the body is not JSON: "));
}

#[test]
fn the_direction_can_be_set_for_those_who_have_no_event_that_says_it() {
    let parties = || json!({"from": "+14155550143", "to": "+14155550101"});
    let ended = |settings| said_to(settings, "call.conversation.ended", parties()).facts;
    assert_eq!(phone(&ended(json!({"direction": "inbound"}))), Some("+14155550143"));
    let outbound = ended(json!({"direction": "outbound"}));
    assert_eq!((phone(&outbound), outbound.direction), (Some("+14155550101"), Some(Direction::Outbound)));
    let mut incoming = parties();
    incoming["direction"] = "incoming".into();
    let facts = said_to(json!({"direction": "outbound"}), "call.initiated", incoming).facts;
    assert_eq!(facts.direction, Some(Direction::Inbound), "the event knows better");

    let check = |settings: Value| of(Platform::Telnyx).check_settings(&settings);
    for fine in [json!(null), json!({}), json!({"direction": null}), json!({"direction": "inbound"})] {
        assert_eq!(check(fine.clone()), Ok(()), "{fine}");
    }
    for wrong in [json!("web"), json!("Inbound"), json!(1), json!(["inbound"])] {
        let error = check(json!({ "direction": wrong })).expect_err("wrong settings");
        assert_eq!(error, "settings.direction must be \"inbound\" or \"outbound\"");
    }
    let unknown = check(json!({"directon": "inbound"})).expect_err("unknown");
    assert_eq!(unknown, "settings.directon is not a setting: Telnyx sources have `direction` and `answers`");
    assert_eq!(check(json!([])).expect_err("no object"), "settings must be an object");
}

/// A public key, a body and its signature, made with Python's cryptography.
const KEY: &str = "5RRaN9mE0kTOEeaTiMs23tyCjBonfKNH1Q9QdqYJWeg=";
const OTHER_KEY: &str = "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=";
const BODY: &[u8] = br#"{"data":{"event_type":"call.hangup","id":"155"}}"#;
const SIGNATURE: &str =
    "8fubeaGzA7Rg6w/lyyUSwEqgFZANHwHdYD6Itk5qPSjP7PhXzPAqRwICu/B8VAFzcbo9G2ykoLryHUsfQK0aCA==";
const SIGNED_AT: Time = Time::from_micros(1_700_000_000_000_000);

fn only(current: &str) -> Secrets<'_> {
    Secrets { current, previous: None }
}

fn verify(secrets: Secrets<'_>, list: &[(&str, &str)], body: &[u8], now: Time) -> Result<(), Rejection> {
    let header = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"))
    };
    let headers = list.iter().map(header).collect();
    of(Platform::Telnyx).verify(&secrets, &Value::Null, &request(&headers, body), now)
}

fn signed<'a>(signature: &'a str, timestamp: &'a str) -> [(&'static str, &'a str); 2] {
    [("Telnyx-Signature-Ed25519", signature), ("Telnyx-Timestamp", timestamp)]
}

#[test]
fn a_request_that_telnyx_signed_is_taken() {
    let headers = signed(SIGNATURE, "1700000000");
    assert_eq!(verify(only(KEY), &headers, BODY, SIGNED_AT), Ok(()));
    assert_eq!(verify(only(&format!(" {KEY}\n")), &headers, BODY, SIGNED_AT), Ok(()));
    for current in [OTHER_KEY, "not a key"] {
        let rotating = Secrets { current, previous: Some(KEY) };
        assert_eq!(verify(rotating, &headers, BODY, SIGNED_AT), Ok(()));
    }
}

#[test]
fn a_request_with_anything_changed_is_not() {
    let mismatch = Err(Rejection::Mismatch { header: "telnyx-signature-ed25519".into() });
    let headers = signed(SIGNATURE, "1700000000");
    assert_eq!(verify(only(OTHER_KEY), &headers, BODY, SIGNED_AT), mismatch);
    assert_eq!(verify(only(KEY), &headers, &[BODY, b" "].concat(), SIGNED_AT), mismatch);
    assert_eq!(verify(only(KEY), &headers, b"", SIGNED_AT), mismatch);
    assert_eq!(verify(only(KEY), &signed(SIGNATURE, "1700000001"), BODY, SIGNED_AT), mismatch);
    assert_eq!(verify(only(KEY), &signed(SIGNATURE, "01700000000"), BODY, SIGNED_AT), mismatch);
    let zeros = format!("{}==", "A".repeat(86));
    assert_eq!(verify(only(KEY), &signed(&zeros, "1700000000"), BODY, SIGNED_AT), mismatch);
    for (signature, timestamp) in [
        ("AAAA", "1700000000"),
        ("not base64", "1700000000"),
        (&SIGNATURE[..87], "1700000000"),
        (SIGNATURE, "soon"),
        (SIGNATURE, "-1700000000"),
        (SIGNATURE, "9223372036854775807"),
    ] {
        let result = verify(only(KEY), &signed(signature, timestamp), BODY, SIGNED_AT);
        assert!(matches!(result, Err(Rejection::Malformed { .. })), "{signature} {timestamp}: {result:?}");
    }
    for missing in [&headers[..1], &headers[1..], &signed(" ", "1700000000")] {
        assert!(matches!(verify(only(KEY), missing, BODY, SIGNED_AT), Err(Rejection::Missing(_))));
    }
}

#[test]
fn a_secret_that_is_no_public_key_says_so() {
    let headers = signed(SIGNATURE, "1700000000");
    for nothing in ["", " \n"] {
        assert_eq!(verify(only(nothing), &headers, BODY, SIGNED_AT), Err(Rejection::NoSecret));
    }
    for secret in ["KEY0123456789", "AAAA", &KEY[..43]] {
        let rejection = verify(only(secret), &headers, BODY, SIGNED_AT).expect_err("no key").to_string();
        assert!(rejection.contains("public key") && !rejection.contains(secret), "{rejection}");
    }
    // A point for which anybody can make signatures.
    let weak = format!("AQ{}=", "A".repeat(41));
    let zeros = format!("{}==", "A".repeat(86));
    for signature in [zeros, format!("AQ{}==", "A".repeat(84))] {
        assert!(verify(only(&weak), &signed(&signature, "1700000000"), BODY, SIGNED_AT).is_err());
    }
}

#[test]
fn a_request_holds_five_minutes() {
    let headers = signed(SIGNATURE, "1700000000");
    let after = |seconds: i64| verify(only(KEY), &headers, BODY, SIGNED_AT.plus_micros(seconds * 1_000_000));
    assert_eq!((after(300), after(-300)), (Ok(()), Ok(())));
    assert_eq!(after(301), Err(Rejection::TooOld { age_seconds: 301, tolerance_seconds: 300 }));
    assert_eq!(after(-301), Err(Rejection::TooNew { ahead_seconds: 301, tolerance_seconds: 300 }));
}

#[test]
fn the_shared_files_hold() {
    let Some(vector) = expected::shared("telnyx/signature.generated-vector.json") else { return };
    let text = |name: &str| vector[name].as_str().expect("text");
    let headers = signed(text("telnyx-signature-ed25519"), text("telnyx-timestamp"));
    let result = verify(only(text("public_key_base64")), &headers, text("body").as_bytes(), SIGNED_AT);
    assert_eq!(result, Ok(()));

    let Some(body) = expected::shared("telnyx/call.conversation.ended.schema-derived.json") else { return };
    let parsed = parse(&body);
    assert_eq!(parsed.event_id.as_deref(), body["data"]["id"].as_str());
    assert_eq!(parsed.external_id.as_deref(), body["data"]["payload"]["call_session_id"].as_str());
    let facts = change(parsed).facts;
    assert_eq!((facts.status, facts.duration_seconds), (Some(CallStatus::Completed), Some(125)));
}
