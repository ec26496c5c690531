//! Bland: what its call object says, and whose requests are taken.

use connectors::{Parsed, Rejection, Secrets};
use http::{HeaderMap, HeaderValue};
use model::{CallStatus, Change, Completion, Direction, Platform, Role, Stage, Time, Transfer, Urgency};
use serde_json::{Value, json};

use super::{Fixture, change, fixture, fixtures, of, request};

pub(crate) const FIXTURES: &[Fixture] = fixtures!(Bland in "bland": "call", "call.running", "call.transferred", "call.transfer_failed", "webhook_event");

/// Without these a body is no message, or nobody knows of which call. Whether there is a `completed` tells a call from
/// what happens in one.
pub(crate) const NEEDED: &[&str] = &["/call_id", "/c_id", "/completed", "/category"];

/// A body and its hash, made with Python's hmac.
const BODY: &[u8] = b"{\"call_id\":\"c155\",\"completed\":true,\"summary\":\"caf\xc3\xa9 \xff\"}";
const SECRET: &str = "bland-secret";
const MAC: &str = "77c307871dffad15500fe500480a211c385df4830a7a92912e9982e87ed677c5";

fn parse(body: Value) -> Parsed {
    super::parse(Platform::Bland, body.to_string().as_bytes()).expect("a message")
}

/// What a call object with these fields says, beside the id.
fn call(mut fields: Value) -> Change {
    fields["call_id"] = "c".into();
    change(parse(fields))
}

fn time(text: &str) -> Option<Time> {
    text.parse().ok()
}

fn verify(secrets: Secrets<'_>, header: &str, body: &[u8]) -> Result<(), Rejection> {
    let value = HeaderValue::from_str(header).expect("a value");
    let headers = HeaderMap::from_iter([("x-webhook-signature".parse().expect("a name"), value)]);
    of(Platform::Bland).verify(&secrets, &Value::Null, &request(&headers, body), Time::from_micros(0))
}

fn only(current: &str) -> Secrets<'_> {
    Secrets { current, previous: None }
}

#[test]
fn a_call_object_tells_everything_about_an_inbound_call() {
    let parsed = fixture(Platform::Bland, "call");
    assert_eq!((parsed.event.as_str(), parsed.event_id.clone()), ("post_call", None));
    let change = change(parsed);
    assert_eq!(change.external_id, "6d9f0a58-1df1-4a43-9d1a-6f6b3c6f0155");
    assert_eq!((change.stage, change.completion, change.at), (Stage::Ended, Completion::Now, None));
    let facts = change.facts;
    assert_eq!(
        (facts.status, facts.ended_reason.as_deref()),
        (Some(CallStatus::Completed), Some("completed"))
    );
    assert_eq!(facts.caller_phone.map(|phone| phone.to_string()).as_deref(), Some("+14155550143"));
    assert_eq!((facts.caller_address, facts.direction), (None, Some(Direction::Inbound)));
    assert_eq!(facts.caller_name.as_deref(), Some("Ruth Lindqvist"));
    assert_eq!(facts.caller_email.as_deref(), Some("ruth@example.com"));
    assert_eq!((facts.intent.as_deref(), facts.urgency), (Some("Cleaning"), Some(Urgency::Medium)));
    assert_eq!(
        (facts.started_at, facts.ended_at),
        (time("2026-02-24T13:00:00Z"), time("2026-02-24T13:00:23Z"))
    );
    assert_eq!(facts.duration_seconds, Some(23), "the carrier's seconds, not Bland's 0.4 minutes");
    assert_eq!(facts.summary.as_deref(), Some("Ruth Lindqvist booked a cleaning for Friday at nine."));
    let transcript = facts.transcript.expect("a transcript");
    assert!(transcript.starts_with("assistant: Lakeside Dental, this is Ida."), "{transcript}");
    assert_eq!(facts.recording_url.as_deref(), Some("https://recordings.example.com/6d9f0a58.mp3"));
    assert_eq!(facts.assistant.map(|assistant| assistant.external_id).as_deref(), Some("pathway_155"));
    assert_eq!((change.transfer, facts.transfer_status), (Transfer::None, None));
    let captured = json!({
        "name": "Lakeside Dental", "zip": "94105", "input": {"date": "2026-02-27", "treatment": "Cleaning"},
        "patient_name": "Ruth Lindqvist", "email": "ruth@example.com", "intent": "Cleaning", "urgency": "normal"
    });
    assert_eq!(facts.captured.map(Value::Object), Some(captured), "without what Bland puts there itself");
}

#[test]
fn the_line_and_the_assistant_s_steps_are_neither_s_words() {
    let messages = change(fixture(Platform::Bland, "call")).facts.messages.expect("messages");
    let turns: Vec<_> = messages.iter().map(|message| (message.role, message.offset_seconds)).collect();
    let expected = [
        (Role::Assistant, Some(0.751)),
        (Role::User, Some(4.5)),
        (Role::System, Some(8.0)),
        (Role::Assistant, Some(11.0)),
        (Role::System, Some(20.0)),
    ];
    assert_eq!(turns, expected);
    assert_eq!(messages[1].content.as_deref(), Some("A cleaning on Friday, please."));
}

#[test]
fn a_turn_without_a_start_or_before_it_has_no_offset() {
    let turn = json!([{"user": "user", "text": "Hi", "created_at": "2026-02-24T13:00:00Z"}]);
    for started_at in [json!(null), json!("2026-02-24T13:00:01Z")] {
        let fields = json!({"completed": true, "started_at": started_at, "transcripts": turn});
        let messages = call(fields).facts.messages.expect("messages");
        assert_eq!((messages.len(), messages[0].offset_seconds), (1, None));
    }
}

#[test]
fn a_running_call_gives_way_to_the_completed_one() {
    let running = change(fixture(Platform::Bland, "call.running"));
    let completed = change(fixture(Platform::Bland, "call"));
    assert_eq!(running.external_id, completed.external_id);
    assert!(running.stage < completed.stage);
    assert_eq!((running.completion, running.facts.status), (Completion::No, Some(CallStatus::InProgress)));
    assert_eq!((running.facts.ended_at, running.facts.ended_reason), (None, None), "`end_at` is a deadline");
    let failed = call(json!({"completed": false, "queue_status": "call_error"}));
    assert_eq!((failed.stage, failed.completion), (Stage::Status, Completion::Now));
    assert_eq!(failed.facts.status, Some(CallStatus::Failed));
    assert_eq!(failed.facts.ended_reason.as_deref(), Some("call_error"));
}

#[test]
fn every_call_has_its_status() {
    let status = |fields: Value| call(fields).facts.status;
    let (completed, failed) = (Some(CallStatus::Completed), Some(CallStatus::Failed));
    assert_eq!(status(json!({"completed": true})), completed);
    assert_eq!(
        status(json!({"completed": "true", "status": "completed", "queue_status": "started"})),
        completed
    );
    assert_eq!(status(json!({"completed": true, "error_message": "No credit"})), failed);
    assert_eq!(status(json!({"completed": true, "status": "no-answer"})), failed);
    assert_eq!(status(json!({"completed": false})), failed);
    assert_eq!(status(json!({"completed": false, "queue_status": "queued"})), Some(CallStatus::InProgress));
    let reason = call(json!({"completed": true, "status": "failed", "error_message": "No credit"}));
    assert_eq!(reason.facts.ended_reason.as_deref(), Some("No credit"));
}

#[test]
fn a_transfer_is_told_by_its_time_and_never_by_the_tag() {
    let connected = change(fixture(Platform::Bland, "call.transferred"));
    assert_eq!(connected.transfer, Transfer::HandedOver);
    let facts = connected.facts;
    assert_eq!(facts.transfer_status.as_deref(), Some("connected"));
    assert_eq!(facts.transfer_destination.as_deref(), Some("+14155550178"));
    assert_eq!(facts.transferred_at, time("2026-02-24T14:01:10Z"));
    let failed = change(fixture(Platform::Bland, "call.transfer_failed"));
    assert_eq!(
        (failed.transfer, failed.facts.transfer_status.as_deref()),
        (Transfer::Failed, Some("failed"))
    );
    assert_eq!((failed.facts.status, failed.facts.transferred_at), (Some(CallStatus::Completed), None));
    assert_eq!(failed.external_id, "6d9f0a58-1df1-4a43-9d1a-6f6b3c6f0157", "from `c_id`");
}

#[test]
fn the_length_tells_whether_the_end_is_one_or_a_deadline() {
    let facts = change(fixture(Platform::Bland, "call.transferred")).facts;
    assert_eq!(facts.duration_seconds, Some(150), "2.5083333 minutes, half a second being rounded down");
    assert_eq!(facts.ended_at, time("2026-02-24T14:02:30Z"), "not the deadline at half past");
    let failed = change(fixture(Platform::Bland, "call.transfer_failed")).facts;
    assert_eq!((failed.started_at, failed.ended_at), (None, time("2026-02-24T14:14:47Z")));
    assert_eq!(failed.duration_seconds, Some(196));
    let unreadable = call(json!({"completed": true, "corrected_duration": "soon", "call_length": 0.25}));
    assert_eq!(unreadable.facts.duration_seconds, Some(15));
}

#[test]
fn the_caller_is_the_other_party() {
    let parties = |fields: Value| {
        let facts = call(fields).facts;
        let assistant = facts.assistant.map(|assistant| assistant.external_id);
        (facts.direction, facts.caller_phone.map(|phone| phone.to_string()), facts.caller_address, assistant)
    };
    let text = |text: &str| Some(text.to_owned());
    let ends = |inbound: Value, from: &str| json!({"completed": true, "inbound": inbound, "from": from, "to": "+14155550101"});
    let inbound = (Some(Direction::Inbound), text("+14155550143"), None, text("+14155550101"));
    assert_eq!(parties(ends(json!(true), "+14155550143")), inbound);
    let withheld = (Some(Direction::Inbound), None, text("anonymous"), text("+14155550101"));
    assert_eq!(parties(ends(json!(true), "anonymous")), withheld);
    let outbound = (Some(Direction::Outbound), text("+14155550101"), None, None);
    assert_eq!(parties(ends(json!(false), "+14155550143")), outbound);
    assert_eq!(parties(ends(json!(null), "+14155550143")), (None, text("+14155550101"), None, None));
}

#[test]
fn a_variable_s_plain_name_is_not_taken_for_the_caller_s() {
    let name = |fields: Value| call(fields).facts.caller_name;
    assert_eq!(name(json!({"completed": true, "variables": {"name": "Lakeside Dental"}})), None);
    let variables = json!({"completed": true, "variables": "{\"customer_name\":\"Ruth\"}"});
    assert_eq!(name(variables).as_deref(), Some("Ruth"));
    assert_eq!(name(json!({"completed": true, "analysis": {"name": "Ruth"}})).as_deref(), Some("Ruth"));
}

#[test]
fn what_happens_within_a_call_changes_nothing() {
    let parsed = fixture(Platform::Bland, "webhook_event");
    assert_eq!((parsed.event.as_str(), parsed.changes.len()), ("tool", 0));
    assert_eq!(parsed.external_id.as_deref(), Some("6d9f0a58-1df1-4a43-9d1a-6f6b3c6f0155"));
    let about = |body: Value| {
        let parsed = parse(body);
        (parsed.event, parsed.external_id, parsed.changes.len())
    };
    assert_eq!(about(json!({"call_id": "c", "latency": 5})), ("call_event".into(), Some("c".into()), 0));
    assert_eq!(about(json!({"event": "queue"})), ("queue".into(), None, 0));
}

#[test]
fn what_is_no_message_says_why() {
    let error =
        |body: &str| super::parse(Platform::Bland, body.as_bytes()).expect_err("unreadable").to_string();
    assert_eq!(error(r#"{"completed":true}"#), "call_id is missing");
    for body in ["{}", "[]", "null", r#"{"call_id":"","status":"completed"}"#] {
        assert_eq!(error(body), "call_id and completed are missing", "{body}");
    }
    assert!(error("call_id=1").starts_with("the body is not JSON: "));
}

#[test]
fn a_request_that_bland_signed_is_taken() {
    assert_eq!(verify(only(SECRET), MAC, BODY), Ok(()));
    assert_eq!(verify(only(SECRET), &MAC.to_uppercase(), BODY), Ok(()));
    assert_eq!(verify(Secrets { current: "new", previous: Some(SECRET) }, MAC, BODY), Ok(()));
}

#[test]
fn a_request_with_anything_changed_is_not() {
    let mismatch = Err(Rejection::Mismatch { header: "x-webhook-signature".into() });
    assert_eq!(verify(only("other"), MAC, BODY), mismatch);
    assert_eq!(verify(only(SECRET), MAC, &[BODY, b" "].concat()), mismatch);
    assert_eq!(verify(only(SECRET), &MAC[..62], BODY), mismatch);
    for nothing in ["", " \n"] {
        assert_eq!(verify(only(nothing), MAC, BODY), Err(Rejection::NoSecret));
    }
    for form in [format!("sha256={MAC}"), MAC[1..].to_owned(), "zz".into()] {
        let verdict = verify(only(SECRET), &form, BODY);
        assert!(matches!(verdict, Err(Rejection::Malformed { .. })), "{form}: {verdict:?}");
    }
    assert!(matches!(verify(only(SECRET), " ", BODY), Err(Rejection::Missing(_))));
}

#[test]
fn there_are_no_settings() {
    let check = |settings: Value| of(Platform::Bland).check_settings(&settings);
    assert_eq!((check(json!(null)), check(json!({}))), (Ok(()), Ok(())));
    assert!(
        check(json!({"auth": {}})).expect_err("no setting").starts_with("settings.auth is not a setting: ")
    );
    assert!(check(json!("x")).expect_err("no settings").contains("object"));
}
