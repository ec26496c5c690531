//! Twilio: what its callbacks say, and whose are taken.

use connectors::{Parsed, Rejection, Request, Secrets};
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{
    CallStatus, Change, Completion, Direction, Platform, RecordedAt, Stage, Time, Transfer, Variant,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use url::form_urlencoded::{self, Serializer};

use super::{Fixture, change, expected, fixture, fixtures, of};

pub(crate) const FIXTURES: &[Fixture] =
    fixtures!(Twilio in "twilio": "event-stream.completed", "event-stream.several");

/// Without these a body is no message, or nobody knows of which call.
pub(crate) const NEEDED: &[&str] = &[
    "/0",
    "/0/type",
    "/0/data",
    "/0/data/request",
    "/0/data/request/parameters",
    "/0/data/request/parameters/CallSid",
    "/0/data/request/parameters/CallStatus",
    "/0/data/request/parameters/ParentCallSid",
    "/1",
    "/1/type",
    "/1/data",
    "/1/data/request",
    "/1/data/request/parameters",
    "/1/data/request/parameters/CallSid",
    "/1/data/request/parameters/CallStatus",
];

const RINGING: &str = include_str!("../../fixtures/twilio/call-status.ringing.urlencoded");
const COMPLETED: &str = include_str!("../../fixtures/twilio/call-status.completed.urlencoded");
const LEG: &str = include_str!("../../fixtures/twilio/call-status.leg-completed.urlencoded");
const RECORDING: &str = include_str!("../../fixtures/twilio/recording.completed.urlencoded");

const CALL: &str = "CA00000000000000000000000000000155";
const URL: &str = "https://calls.example.com/ingest";

fn parse(body: &str) -> Parsed {
    super::parse(Platform::Twilio, body.as_bytes()).expect("a callback")
}

/// A callback about a call, with other parameters than the fixture's.
fn status(parameters: &[(&str, &str)]) -> Change {
    change(parse(&replaced(COMPLETED, parameters)))
}

fn leg(parameters: &[(&str, &str)]) -> Change {
    change(parse(&replaced(LEG, parameters)))
}

fn replaced(form: &str, parameters: &[(&str, &str)]) -> String {
    let kept = form_urlencoded::parse(form.as_bytes())
        .filter(|(name, _)| parameters.iter().all(|(replaced, _)| name != replaced));
    Serializer::new(String::new()).extend_pairs(kept).extend_pairs(parameters).finish()
}

fn time(text: &str) -> Option<Time> {
    text.parse().ok()
}

fn phone(change: &Change) -> Option<&str> {
    change.facts.caller_phone.as_ref().map(model::Phone::as_str)
}

#[test]
fn a_ringing_call_is_in_progress() {
    let parsed = parse(RINGING);
    assert_eq!((&*parsed.event, parsed.external_id.as_deref()), ("call-status", Some(CALL)));
    let change = change(parsed);
    assert_eq!((change.stage, change.completion), (Stage::Started, Completion::No));
    assert_eq!(change.at, time("2026-02-24T13:00:00Z"));
    assert_eq!(phone(&change), Some("+14155550143"));
    let facts = change.facts;
    assert_eq!((facts.status, facts.direction), (Some(CallStatus::InProgress), Some(Direction::Inbound)));
    assert_eq!(facts.caller_name.as_deref(), Some("LINDQVIST RUTH"));
    assert_eq!((facts.started_at, facts.ended_at), (time("2026-02-24T13:00:00Z"), None));
    assert_eq!(facts.assistant.map(|ours| ours.external_id).as_deref(), Some("+14155550101"));
    assert_eq!((facts.carrier_id.as_deref(), facts.ended_reason), (Some(CALL), None));
}

#[test]
fn a_completed_call_began_as_long_ago_as_it_took() {
    let change = change(parse(COMPLETED));
    assert_eq!((change.stage, change.completion), (Stage::Ended, Completion::Now));
    assert_eq!(change.at, time("2026-02-24T13:02:05.000003Z"));
    let facts = change.facts;
    assert_eq!((facts.status, facts.duration_seconds), (Some(CallStatus::Completed), Some(125)));
    assert_eq!(
        (facts.started_at, facts.ended_at),
        (time("2026-02-24T13:00:00Z"), time("2026-02-24T13:02:05Z"))
    );
    assert_eq!((facts.ended_reason.as_deref(), facts.recording_url), (Some("completed"), None));
}

#[test]
fn a_call_that_did_not_take_place_has_failed() {
    for word in ["busy", "failed", "no-answer", "canceled"] {
        let change = status(&[("CallStatus", word), ("CallDuration", "0")]);
        assert_eq!((change.stage, change.completion), (Stage::Ended, Completion::Now));
        let facts = change.facts;
        assert_eq!((facts.status, facts.ended_reason.as_deref()), (Some(CallStatus::Failed), Some(word)));
        assert_eq!((facts.started_at, facts.duration_seconds), (None, Some(0)), "{word}");
        assert_eq!(facts.ended_at, time("2026-02-24T13:02:05Z"));
    }
    for word in ["queued", "initiated", "ringing", "in-progress", "a-word-of-next-year"] {
        let change = status(&[("CallStatus", word)]);
        assert_eq!((change.stage, change.completion), (Stage::Started, Completion::No));
        assert_eq!(
            (change.facts.status, change.facts.duration_seconds),
            (Some(CallStatus::InProgress), None)
        );
        assert_eq!((change.facts.ended_at, change.facts.ended_reason), (None, None), "{word}");
    }
}

#[test]
fn callbacks_of_one_second_are_told_apart_by_their_number() {
    let at = |number: &str| status(&[("SequenceNumber", number)]).at;
    assert!(at("0") < at("1") && at("1") < at("2") && at("9") < at("10"));
    assert_eq!([at("-1"), at("x"), at("NaN")], [at("0"); 3]);
    assert!(at("1e300") < time("2026-02-24T13:02:06Z"));
    assert_eq!(status(&[("Timestamp", "yesterday")]).at, None);
    // A Friday, it says, and is none.
    assert_eq!(
        status(&[("Timestamp", "Fri, 24 Feb 2026 14:02:05 +0100")]).facts.ended_at,
        time("2026-02-24T13:02:05Z")
    );
}

#[test]
fn the_caller_is_the_other_party() {
    let outbound = status(&[("Direction", "outbound-api"), ("CallerName", "Lakeside Dental")]);
    assert_eq!(
        (phone(&outbound), outbound.facts.direction),
        (Some("+14155550101"), Some(Direction::Outbound))
    );
    assert_eq!(outbound.facts.assistant.map(|ours| ours.external_id).as_deref(), Some("+14155550143"));
    assert_eq!(outbound.facts.caller_name, None);
    let sip = status(&[("From", "sip:ruth@example.com")]);
    assert_eq!((phone(&sip), sip.facts.caller_address.as_deref()), (None, Some("sip:ruth@example.com")));
    let browser = status(&[("From", "client:ruth")]).facts;
    assert_eq!(
        (browser.direction, browser.caller_address.as_deref()),
        (Some(Direction::Web), Some("client:ruth"))
    );
    let trunk = status(&[("Direction", "trunking-terminating")]);
    assert_eq!((phone(&trunk), trunk.facts.direction), (None, None));
}

#[test]
fn a_second_leg_tells_how_the_transfer_stands_and_nothing_else() {
    let parsed = parse(LEG);
    assert_eq!(parsed.external_id.as_deref(), Some(CALL));
    let change = change(parsed);
    assert_eq!(
        (&*change.external_id, change.stage, change.completion),
        (CALL, Stage::Status, Completion::No)
    );
    assert_eq!(change.transfer, Transfer::Ended);
    let facts = change.facts;
    assert_eq!(facts.transfer_status.as_deref(), Some("completed"));
    assert_eq!(facts.transfer_destination.as_deref(), Some("+14155550178"));
    assert_eq!(facts.transferred_at, time("2026-02-24T13:01:00Z"));
    assert_eq!((&facts.caller_phone, facts.direction, facts.status), (&None, None, None));
    assert_eq!((facts.started_at, facts.ended_at, facts.duration_seconds), (None, None, None));
    assert_eq!((facts.ended_reason, facts.carrier_id, facts.assistant), (None, None, None));
}

#[test]
fn a_transfer_is_followed_from_ringing_to_its_end() {
    let step = |word: &str| {
        let change = leg(&[("CallStatus", word)]);
        (change.stage, change.transfer, change.facts.status)
    };
    for word in ["queued", "initiated", "ringing"] {
        assert_eq!(step(word), (Stage::Started, Transfer::Started, Some(CallStatus::Forwarding)), "{word}");
    }
    assert_eq!(step("in-progress"), (Stage::Status, Transfer::HandedOver, Some(CallStatus::Forwarding)));
    assert_eq!(leg(&[("CallStatus", "in-progress")]).facts.transferred_at, time("2026-02-24T13:02:04Z"));
    // Of several that were rung at once, those that did not answer come last and must not hide the one that did.
    for word in ["busy", "failed", "no-answer", "canceled"] {
        assert_eq!(step(word), (Stage::Started, Transfer::Failed, Some(CallStatus::InProgress)), "{word}");
    }
}

#[test]
fn a_second_leg_without_its_call_is_no_call() {
    let parsed = parse(&replaced(LEG, &[("ParentCallSid", "")]));
    assert_eq!(
        (parsed.external_id.as_deref(), parsed.changes.len()),
        (Some("CA00000000000000000000000000000178"), 0)
    );
}

#[test]
fn the_first_leg_may_tell_how_the_dialing_went() {
    let dialed = |word: &str, bridged: &str| {
        let parameters = [("CallStatus", "in-progress"), ("DialCallStatus", word), ("DialBridged", bridged)];
        let change = status(&parameters);
        (change.transfer, change.facts.transfer_status)
    };
    let word = |word: &str| Some(word.to_owned());
    assert_eq!(dialed("completed", "true"), (Transfer::Ended, word("completed")));
    assert_eq!(dialed("completed", "false"), (Transfer::Failed, word("completed")));
    assert_eq!(dialed("no-answer", ""), (Transfer::Failed, word("no-answer")));
    assert_eq!(dialed("", "true"), (Transfer::None, None));
}

#[test]
fn a_recording_comes_by_itself() {
    let parsed = parse(RECORDING);
    assert_eq!((&*parsed.event, parsed.external_id.as_deref()), ("recording", Some(CALL)));
    let change = change(parsed);
    assert_eq!((change.stage, change.completion), (Stage::Audio, Completion::No));
    assert_eq!(change.at, time("2026-02-24T13:00:05Z"));
    let facts = change.facts;
    let url = facts.recording_url.expect("a recording");
    assert!(
        url.starts_with("https://twilio.example/") && url.ends_with("/RE00000000000000000000000000000155")
    );
    assert_eq!((facts.status, facts.duration_seconds), (None, None));
    assert_eq!(facts.recordings, [RecordedAt { variant: Variant::Stereo, url }], "it has two channels");
    let mono = parse(&replaced(RECORDING, &[("RecordingChannels", "1")]));
    assert_eq!(mono.changes[0].facts.recordings, []);
    for word in ["in-progress", "absent", "failed"] {
        let parsed = parse(&replaced(RECORDING, &[("RecordingStatus", word)]));
        assert_eq!((&*parsed.event, parsed.changes.len()), ("recording", 0), "{word}");
    }
    assert_eq!(parse(&replaced(RECORDING, &[("RecordingUrl", "javascript:alert(1)")])).changes.len(), 0);
    let old = status(&[("RecordingUrl", "https://twilio.example/RE1")]);
    assert_eq!(old.facts.recording_url.as_deref(), Some("https://twilio.example/RE1"));
}

#[test]
fn event_streams_wrap_the_same_callbacks() {
    let parsed = fixture(Platform::Twilio, "event-stream.completed");
    assert_eq!(parsed.event, "com.twilio.voice.status-callback.call.completed");
    assert_eq!(parsed.event_id.as_deref(), Some("EZ00000000000000000000000000000155"));
    assert_eq!(parsed.external_id.as_deref(), Some(CALL));
    assert_eq!(change(parsed), change(parse(COMPLETED)));

    let parsed = fixture(Platform::Twilio, "event-stream.several");
    assert_eq!(
        (&*parsed.event, parsed.event_id, parsed.external_id.as_deref()),
        ("event-stream", None, Some(CALL))
    );
    let [leg, call] = <[Change; 2]>::try_from(parsed.changes).expect("two changes");
    assert_eq!((leg.external_id.as_str(), leg.transfer), (CALL, Transfer::HandedOver));
    assert_eq!(call, change(parse(COMPLETED)));
}

#[test]
fn events_of_several_calls_are_about_no_single_one() {
    let event = |call: &str, status: &str| {
        let parameters = json!({"CallSid": call, "CallStatus": status});
        json!({
            "type": "com.twilio.voice.twiml.call.requested", "id": call,
            "data": {"timestamp": "2026-02-24T13:00:00.500Z", "request": {"parameters": parameters}}
        })
    };
    let both = parse(&json!([event("CA1", "ringing"), event("CA2", "ringing")]).to_string());
    assert_eq!((&*both.event, both.external_id), ("com.twilio.voice.twiml.call.requested", None));
    let calls: Vec<_> = both.changes.iter().map(|change| (&*change.external_id, change.at)).collect();
    let at = time("2026-02-24T13:00:00.500Z");
    assert_eq!(calls, [("CA1", at), ("CA2", at)]);
    let single = parse(&event("CA1", "ringing").to_string());
    assert_eq!((single.event_id.as_deref(), single.changes.len()), (Some("CA1"), 1));
}

#[test]
fn other_callbacks_change_nothing() {
    let about = |body: &str| {
        let parsed = parse(body);
        (parsed.event, parsed.external_id, parsed.changes.len())
    };
    let call = || Some("CA1".to_owned());
    assert_eq!(about("CallSid=CA1&AnsweredBy=human"), ("callback".into(), call(), 0));
    assert_eq!(about("AccountSid=AC1&MessageSid=SM1"), ("callback".into(), None, 0));
    let setup = json!({"type": "setup", "callSid": "CA1"}).to_string();
    assert_eq!(about(&setup), ("setup".into(), None, 0));
    let insight =
        json!([{"type": "com.twilio.voice.insights.call-summary.complete", "data": {"call_sid": "CA1"}}]);
    assert_eq!(about(&insight.to_string()).2, 0);
}

#[test]
fn what_is_no_message_says_why() {
    let error =
        |body: &str| super::parse(Platform::Twilio, body.as_bytes()).expect_err("unreadable").to_string();
    for body in ["", "&&", "CallSid=&CallStatus=busy", "hello"] {
        assert_eq!(error(body), "CallSid is missing", "{body}");
    }
    for body in ["{}", "[]", "[1, null]", "[[]]"] {
        assert_eq!(error(body), "CallSid or type is missing", "{body}");
    }
    assert!(error("{\"CallSid\"").starts_with("the body is not JSON: "));
}

fn with_headers(list: &[(&str, &str)], body: &str) -> Parsed {
    let headers = headers(list);
    of(Platform::Twilio).parse(&Value::Null, &super::request(&headers, body.as_bytes())).expect("a callback")
}

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"))
    };
    list.iter().map(header).collect()
}

#[test]
fn headers_tell_what_the_body_is_and_that_it_came_before() {
    let form = ("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8");
    let parsed = with_headers(&[form, ("I-Twilio-Idempotency-Token", "token-155")], COMPLETED);
    assert_eq!((parsed.event_id.as_deref(), parsed.changes.len()), (Some("token-155"), 1));
    // The first byte would say JSON.
    assert_eq!(with_headers(&[form], "[x=1&CallSid=CA1&CallStatus=busy").changes.len(), 1);
    let json = json!({"CallSid": "CA1", "CallStatus": "busy", "CallDuration": 0}).to_string();
    let parsed = with_headers(&[("Content-Type", "application/json")], &json);
    assert_eq!(parsed.event, "call-status");
    assert_eq!(change(parsed).facts.duration_seconds, Some(0));
}

/// Made with Python's hmac, with `an-auth-token`. The shared fixtures have the vectors of Twilio's own SDK.
const FORM: &str = concat!(
    "CallSid=CA155&CallStatus=completed&From=%2B14155550143&Name=caf%C3%A9+%26+bar",
    "&Digits=2&Digits=1&Digits=2&Empty="
);
const SIGNED_FORM: &str = "5wN7QUtWsaVJrZNWOCeAZCB1qgw=";
const SIGNED_FORM_WITH_PORT: &str = "ddvIUgGQ0w44l12lphtHaegxEk8=";
const SIGNED_URL: &str = "mHAX9DgWw7gNTHtAyzdfG1gOhV8=";
const JSON: &str = r#"[{"type":"com.twilio.voice"}]"#;
const HASH: &str = "e7563d1ba64e5f0cc98116c6f1fd50c24c44b80086fd66a942c7d4d6b17577a1";
const SIGNED_JSON: &str = "KLpWgka/KA0VSBL6fa/IGu9QJo0=";

fn only(current: &str) -> Secrets<'_> {
    Secrets { current, previous: None }
}

fn verify(secrets: Secrets<'_>, url: &str, header: &str, body: &str) -> Result<(), Rejection> {
    let headers = headers(&[("X-Twilio-Signature", header)]);
    let request = Request { url, path_secret: None, headers: &headers, body: body.as_bytes() };
    of(Platform::Twilio).verify(&secrets, &Value::Null, &request, Time::from_micros(0))
}

#[test]
fn a_request_that_twilio_signed_is_taken() {
    let token = only("an-auth-token");
    assert_eq!(verify(token, URL, SIGNED_FORM, FORM), Ok(()));
    assert_eq!(verify(token, URL, SIGNED_FORM_WITH_PORT, FORM), Ok(()));
    let rotating = Secrets { current: "new", previous: Some("an-auth-token") };
    assert_eq!(verify(rotating, &format!("{URL}?bodySHA256={HASH}"), SIGNED_JSON, JSON), Ok(()));
}

#[test]
fn a_request_with_anything_changed_is_not() {
    let token = only("an-auth-token");
    let mismatch = Err(Rejection::Mismatch { header: "x-twilio-signature".into() });
    let hashed = format!("{URL}?bodySHA256={HASH}");
    assert_eq!(verify(only("other"), URL, SIGNED_FORM, FORM), mismatch);
    assert_eq!(verify(token, "https://calls.example.com/other", SIGNED_FORM, FORM), mismatch);
    assert_eq!(verify(token, "http://calls.example.com/ingest", SIGNED_FORM, FORM), mismatch);
    assert_eq!(verify(token, URL, SIGNED_FORM, &FORM.replace("completed", "busy")), mismatch);
    assert_eq!(verify(token, URL, SIGNED_FORM, &format!("{FORM}&X=1")), mismatch);
    assert_eq!(verify(token, URL, SIGNED_FORM, ""), mismatch);
    // A body that is no form counts only where the address vouches for it.
    assert_eq!(verify(token, URL, SIGNED_URL, JSON), mismatch);
    assert_eq!(verify(token, &hashed, SIGNED_JSON, &JSON.replace("voice", "noise")), mismatch);
    assert_eq!(verify(token, &hashed.replace("e756", "e757"), SIGNED_JSON, JSON), mismatch);
    assert_eq!(verify(token, URL, SIGNED_JSON, JSON), mismatch);
    for nothing in ["", " \n"] {
        assert_eq!(verify(only(nothing), URL, SIGNED_FORM, FORM), Err(Rejection::NoSecret));
    }
    for form in ["not base64!", "sha1=00", &SIGNED_FORM[..27]] {
        let result = verify(token, URL, form, FORM);
        assert!(matches!(result, Err(Rejection::Malformed { .. })), "{form}: {result:?}");
    }
    assert!(matches!(verify(token, URL, " ", FORM), Err(Rejection::Missing(_))));
    assert_eq!(verify(token, URL, "AAAA", FORM), mismatch);
}

/// Twilio's own vectors, with the bodies put together from their parameters.
#[test]
fn the_vectors_of_twilio_s_own_sdk_hold() {
    let Some(file) = expected::shared("twilio/signature.vectors.json") else { return };
    let (signed, hashes): (Vec<_>, Vec<_>) = file["vectors"]
        .as_array()
        .expect("vectors")
        .iter()
        .partition(|vector| vector["signature"].is_string());
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let json: Vec<String> = hashes.iter().map(|vector| text(&vector["body"])).chain(["{}".into()]).collect();
    for vector in &signed {
        let (token, url) = (text(&vector["auth_token"]), text(&vector["request_url"]));
        let mut form = Serializer::new(String::new());
        for (name, values) in vector["params"].as_object().expect("parameters") {
            let values = values.as_array().cloned().unwrap_or_else(|| vec![values.clone()]);
            form.extend_pairs(values.iter().map(|value| (name, text(value))));
        }
        let hashed = url.contains("bodySHA256");
        let bodies = if hashed { json.clone() } else { vec![form.finish()] };
        let taken = |url: &str| {
            bodies
                .iter()
                .filter(|body| verify(only(&token), url, &text(&vector["signature"]), body).is_ok())
                .count()
        };
        assert_eq!(taken(&url), 1, "{vector}");
        assert_eq!(taken(&url.replace("myapp", "app")), 0, "{vector}");
    }
    assert_eq!((signed.len(), hashes.len()), (13, 1));
}

#[test]
fn there_is_nothing_to_set_but_who_answers() {
    let check = |settings: Value| of(Platform::Twilio).check_settings(&settings);
    assert_eq!((check(json!(null)), check(json!({}))), (Ok(()), Ok(())));
    let error = check(json!({"auth_token": "x"})).expect_err("no settings");
    assert_eq!(error, "settings.auth_token is not a setting: Twilio sources have `answers`");
    assert_eq!(check(json!({"answers": {"url": "https://example.com/voice"}})), Ok(()));
    assert_eq!(check(json!([])).expect_err("no object"), "settings must be an object");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn one_surprising_parameter_does_not_lose_the_callback(
        form in proptest::sample::select(vec![RINGING, COMPLETED, LEG, RECORDING]),
        place in any::<proptest::sample::Index>(),
        value in prop_oneof![any::<String>(), "[-+0-9.eE]{0,12}", "[A-Z][a-z]{2}, [0-9]{2} Feb 2026 [0-9:]{8} \\+0000"],
    ) {
        let names: Vec<_> = form_urlencoded::parse(form.as_bytes()).map(|(name, _)| name.into_owned()).collect();
        let name = place.get(&names).as_str();
        let body = replaced(form, &[(name, &value)]);
        let parsed = super::parse(Platform::Twilio, body.as_bytes());
        if !["CallSid", "CallStatus", "ParentCallSid", "RecordingStatus", "RecordingUrl", "Direction"].contains(&name) {
            let (parsed, whole) = (parsed.expect("still a callback"), parse(form));
            prop_assert_eq!((parsed.event, parsed.external_id), (whole.event, whole.external_id));
            prop_assert_eq!(parsed.changes.len(), whole.changes.len(), "{}", name);
        }
    }

    #[test]
    fn no_stranger_is_taken_for_twilio(url in any::<String>(), header in "[ -~]{0,40}", body in any::<String>()) {
        prop_assert!(verify(only("a token that chance does not find"), &url, &header, &body).is_err());
    }
}
