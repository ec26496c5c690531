//! Retell: what its messages say.

use connectors::Parsed;
use model::{
    CallStatus, Completion, Direction, Platform, RecordedAt, Role, Stage, Time, Transfer, Urgency, Variant,
};
use serde_json::{Value, json};

use super::{Fixture, change, fixture, fixtures, tools};

pub(crate) const FIXTURES: &[Fixture] = fixtures!(Retell in "retell": "call_started", "call_ended", "call_analyzed", "transfer_started", "transfer_bridged", "call_inbound", "custom_function");

/// Without these a body is no message, or nobody knows of which call.
pub(crate) const NEEDED: &[&str] = &["/event", "/call", "/call/call_id", "/name", "/args"];

fn parse(body: Value) -> Parsed {
    super::parse(Platform::Retell, body.to_string().as_bytes()).expect("a message")
}

fn time(text: &str) -> Option<Time> {
    text.parse().ok()
}

#[test]
fn a_started_call_is_in_progress_and_its_token_goes_nowhere() {
    let parsed = fixture(Platform::Retell, "call_started");
    assert!(!format!("{parsed:?}").contains("never-to-be-stored"));
    let change = change(parsed);
    assert_eq!((change.stage, change.completion), (Stage::Started, Completion::No));
    assert_eq!(change.at, time("2026-02-24T13:00:00.200Z"));
    let facts = change.facts;
    assert_eq!((facts.status, facts.direction), (Some(CallStatus::InProgress), Some(Direction::Inbound)));
    assert_eq!(facts.started_at, time("2026-02-24T13:00:00Z"));
    assert_eq!(facts.caller_name.as_deref(), Some("R. Lindqvist"));
    assert_eq!(facts.carrier_id.as_deref(), Some("CA00000000000000000000000000000143"));
}

#[test]
fn an_ended_call_waits_for_its_analysis() {
    let ended = change(fixture(Platform::Retell, "call_ended"));
    assert_eq!((ended.stage, ended.completion), (Stage::Ended, Completion::Wait));
    let facts = ended.facts;
    assert_eq!((facts.status, facts.duration_seconds), (Some(CallStatus::Completed), Some(23)));
    assert_eq!(facts.caller_phone.map(|phone| phone.to_string()).as_deref(), Some("+14155550143"));
    assert_eq!(facts.ended_reason.as_deref(), Some("user_hangup"));
    assert_eq!(facts.recording_url.as_deref(), Some("https://retell.example/call_155/recording.wav"));
    let url = "https://retell.example/call_155/recording_multichannel.wav".to_owned();
    assert_eq!(facts.recordings, [RecordedAt { variant: Variant::Stereo, url }]);
    assert_eq!((facts.summary, facts.captured, facts.transfer_status), (None, None, None));
}

#[test]
fn the_analysis_completes_the_call() {
    let analyzed = change(fixture(Platform::Retell, "call_analyzed"));
    assert_eq!((analyzed.stage, analyzed.completion), (Stage::Analyzed, Completion::Now));
    let facts = analyzed.facts;
    assert_eq!(facts.summary.as_deref(), Some("Ruth Lindqvist booked a cleaning for Friday at nine."));
    assert_eq!(facts.caller_name.as_deref(), Some("Ruth Lindqvist"));
    assert_eq!(facts.caller_email.as_deref(), Some("ruth@example.com"));
    assert_eq!((facts.intent.as_deref(), facts.urgency), (Some("Cleaning"), Some(Urgency::Medium)));
    let captured = facts.captured.expect("captured fields");
    assert_eq!((&captured["insurance"], &captured["new_patient"]), (&json!(""), &json!(false)));
}

#[test]
fn a_conversation_has_key_presses_and_each_use_of_a_tool_once() {
    let facts = change(fixture(Platform::Retell, "call_ended")).facts;
    let messages = facts.messages.expect("messages");
    let turns: Vec<_> =
        messages.iter().map(|message| (message.role, message.content.as_deref().unwrap_or("-"))).collect();
    let expected = [
        (Role::Assistant, "Lakeside Dental, this is Ida."),
        (Role::User, "I would like a cleaning on Friday at nine."),
        (Role::Tool, "-"),
        (Role::System, "Moved on to Goodbye"),
        (Role::Assistant, "You are booked for Friday at nine. Press one for directions."),
        (Role::System, "Pressed 1"),
        (Role::User, "Thanks, bye."),
    ];
    assert_eq!(turns, expected);
    assert_eq!(messages[0].offset_seconds, Some(0.751));
    let tools = tools(&messages);
    assert_eq!((tools[0].name.as_str(), tools[0].ok), ("book_appointment_cal", Some(true)));
    assert_eq!(
        tools[0].arguments.as_ref().map(|arguments| &arguments["email"]),
        Some(&json!("ruth@example.com"))
    );
    assert_eq!(tools[0].result.as_ref().map(|result| &result["booking"]["uid"]), Some(&json!("cal_155")));
}

#[test]
fn a_refusal_that_came_back_successfully_is_a_refusal() {
    let turns = json!([
        {"role": "tool_call_invocation", "tool_call_id": "1", "name": "book", "arguments": "not JSON"},
        {"role": "tool_call_result", "tool_call_id": "1", "content": "{\"success\":false}", "successful": true},
        {"role": "tool_call_result", "tool_call_id": "2", "content": "nobody free", "successful": false}
    ]);
    let call = json!({"call_id": "c", "transcript_with_tool_calls": turns});
    let messages =
        change(parse(json!({"event": "call_ended", "call": call}))).facts.messages.expect("messages");
    let oks: Vec<_> = tools(&messages).iter().map(|tool| (tool.name.as_str(), tool.ok)).collect();
    assert_eq!(oks, [("book", Some(false)), ("unknown", Some(false))]);
    assert_eq!(tools(&messages)[0].arguments, Some(json!("not JSON")));
}

#[test]
fn a_transfer_is_followed_from_start_to_end() {
    let started = change(fixture(Platform::Retell, "transfer_started"));
    assert_eq!((started.stage, started.transfer), (Stage::Status, Transfer::Started));
    assert_eq!(started.facts.status, Some(CallStatus::Forwarding));
    assert_eq!(started.facts.transfer_destination.as_deref(), Some("+14155550178"));
    let bridged = change(fixture(Platform::Retell, "transfer_bridged"));
    assert_eq!((bridged.transfer, bridged.facts.status), (Transfer::HandedOver, None));
    assert_eq!(bridged.facts.transfer_status.as_deref(), Some("bridged"));
    assert_eq!(bridged.facts.transferred_at, time("2026-02-24T13:00:12Z"));
    let step = |event: &str| change(parse(json!({"event": event, "call": {"call_id": "c"}}))).transfer;
    assert_eq!((step("transfer_cancelled"), step("transfer_ended")), (Transfer::Failed, Transfer::Ended));
}

#[test]
fn the_reason_for_the_end_tells_of_a_transfer() {
    let ended = |reason: &str| {
        let call = json!({"call_id": "c", "disconnection_reason": reason});
        let change = change(parse(json!({"event": "call_ended", "call": call})));
        (change.transfer, change.facts.transfer_status)
    };
    let word = |word: &str| Some(word.to_owned());
    assert_eq!(ended("call_transfer"), (Transfer::HandedOver, word("bridged")));
    assert_eq!(ended("transfer_bridged"), (Transfer::HandedOver, word("bridged")));
    assert_eq!(ended("transfer_cancelled"), (Transfer::Failed, word("cancelled")));
    assert_eq!(ended("user_hangup"), (Transfer::None, None));
}

#[test]
fn the_caller_is_the_other_party() {
    let facts = |call_type: &str, direction: &str, from: &str| {
        let call = json!({
            "call_id": "c", "call_type": call_type, "direction": direction,
            "from_number": from, "to_number": "+14155550101"
        });
        change(parse(json!({"event": "call_started", "call": call}))).facts
    };
    let outbound = facts("phone_call", "outbound", "+14155550143");
    assert_eq!(outbound.caller_phone.map(|phone| phone.to_string()).as_deref(), Some("+14155550101"));
    let withheld = facts("phone_call", "inbound", "anonymous");
    assert_eq!((withheld.caller_phone, withheld.caller_address.as_deref()), (None, Some("anonymous")));
    let web = facts("web_call", "inbound", "+14155550143");
    assert_eq!((web.direction, web.caller_phone), (Some(Direction::Web), None));
}

#[test]
fn other_events_change_nothing() {
    let about = |body: Value| {
        let parsed = parse(body);
        (parsed.event, parsed.external_id, parsed.changes.len())
    };
    let id = || Some("c".to_owned());
    let call = json!({"call_id": "c"});
    assert_eq!(
        about(json!({"event": "transcript_updated", "call": call})),
        ("transcript_updated".into(), id(), 0)
    );
    assert_eq!(
        about(json!({"event": "chat_ended", "chat": {"chat_id": "x"}})),
        ("chat_ended".into(), None, 0)
    );
    assert_eq!(about(json!({"name": "book", "args": {}, "call": call})), ("custom_function".into(), id(), 0));
}

#[test]
fn what_is_no_message_says_why() {
    let error =
        |body: &str| super::parse(Platform::Retell, body.as_bytes()).expect_err("unreadable").to_string();
    assert_eq!(error("{}"), "event is missing");
    assert_eq!(error(r#"{"event":"call_ended","call":{}}"#), "call.call_id is missing");
}
