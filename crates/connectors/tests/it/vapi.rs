//! Vapi: what its messages say, and whose requests are taken.

use connectors::Parsed;
use model::{
    AssistantRef, CallStatus, Completion, Direction, Platform, RecordedAt, Role, Stage, Time, Transfer,
    Urgency, Variant,
};
use serde_json::{Value, json};

use super::{Fixture, change, fixture, fixtures, tools};

pub(crate) const FIXTURES: &[Fixture] = fixtures!(Vapi in "vapi": "end-of-call-report", "end-of-call-report.transferred", "status-update.in-progress", "status-update.forwarding", "conversation-update", "tool-calls", "assistant-request");

/// Without these a body is no message, or nobody knows of which call.
pub(crate) const NEEDED: &[&str] = &["/message", "/message/type", "/message/call", "/message/call/id"];

fn parse(message: Value) -> Parsed {
    super::parse(Platform::Vapi, json!({ "message": message }).to_string().as_bytes()).expect("a message")
}

fn time(text: &str) -> Option<Time> {
    text.parse().ok()
}

#[test]
fn a_report_tells_everything_about_an_inbound_call() {
    let parsed = fixture(Platform::Vapi, "end-of-call-report");
    assert_eq!(parsed.event, "end-of-call-report");
    let change = change(parsed);
    assert_eq!(
        (change.stage, change.completion, change.transfer),
        (Stage::Ended, Completion::Now, Transfer::None)
    );
    assert_eq!(change.at, time("2026-02-24T13:00:21.500Z"));
    let facts = change.facts;
    assert_eq!(facts.status, Some(CallStatus::Completed), "`call.status` still says `queued`");
    assert_eq!(facts.ended_reason.as_deref(), Some("customer-ended-call"));
    assert_eq!(facts.caller_phone.map(|phone| phone.to_string()).as_deref(), Some("+14155550142"));
    assert_eq!((facts.caller_address, facts.direction), (None, Some(Direction::Inbound)));
    assert_eq!(facts.caller_name.as_deref(), Some("Robin Vale"));
    assert_eq!(facts.caller_email.as_deref(), Some("robin@example.com"));
    assert_eq!((facts.intent.as_deref(), facts.urgency), (Some("Boiler repair"), Some(Urgency::High)));
    assert_eq!(facts.started_at, time("2026-02-24T13:00:00Z"));
    assert_eq!(facts.ended_at, time("2026-02-24T13:00:18.500Z"));
    assert_eq!(facts.duration_seconds, Some(19), "half a second is rounded up");
    assert_eq!(facts.recording_url.as_deref(), Some("https://storage.vapi.example/0d3c1f52-mono.wav"));
    let recordings = [(Variant::Stereo, "stereo"), (Variant::Caller, "c"), (Variant::Assistant, "a")];
    let recordings = recordings.map(|(variant, name)| RecordedAt {
        variant,
        url: format!("https://storage.vapi.example/0d3c1f52-{name}.wav"),
    });
    assert_eq!(facts.recordings, recordings);
    assert_eq!(facts.carrier_id.as_deref(), Some("CA00000000000000000000000000000155"));
    let assistant = AssistantRef {
        external_id: "5e9a7d1c-77c4-4a0f-8a55-2f1f9b3b6c01".into(),
        name: Some("Harbor Plumbing reception".into()),
    };
    assert_eq!(facts.assistant, Some(assistant));
    let mut captured: Vec<_> = facts.captured.iter().flat_map(|fields| fields.keys()).collect();
    captured.sort();
    assert_eq!(captured, ["caller_name", "email", "follow_up_needed", "service_needed", "urgency"]);
    assert_eq!((facts.transfer_status, facts.transfer_destination, facts.transferred_at), (None, None, None));
}

#[test]
fn a_conversation_has_no_instructions_and_each_use_of_a_tool_once() {
    let facts = change(fixture(Platform::Vapi, "end-of-call-report")).facts;
    let messages = facts.messages.expect("messages");
    let turns: Vec<_> = messages.iter().map(|message| (message.role, message.offset_seconds)).collect();
    let expected = [
        (Role::Assistant, Some(1.12)),
        (Role::User, Some(4.4)),
        (Role::Tool, Some(9.25)),
        (Role::Assistant, Some(11.05)),
        (Role::User, Some(14.9)),
    ];
    assert_eq!(turns, expected);
    let tools = tools(&messages);
    assert_eq!((tools[0].name.as_str(), tools[0].call_id.as_deref()), ("book_appointment", Some("call_h1")));
    assert_eq!(
        tools[0].arguments.as_ref().map(|arguments| &arguments["service"]),
        Some(&json!("Boiler repair"))
    );
    assert_eq!(tools[0].result.as_ref().map(|result| &result["booking_id"]), Some(&json!("bk_155")));
    assert_eq!(tools[0].ok, Some(true));
}

#[test]
fn a_report_of_a_transferred_call_tells_how_the_last_attempt_went() {
    let change = change(fixture(Platform::Vapi, "end-of-call-report.transferred"));
    let facts = change.facts;
    assert_eq!(change.transfer, Transfer::HandedOver);
    assert_eq!(facts.transfer_status.as_deref(), Some("connected"));
    assert_eq!(facts.transfer_destination.as_deref(), Some("+14155550177"));
    assert_eq!(facts.transfer_reason.as_deref(), Some("Asked for a person"));
    assert_eq!((facts.status, facts.duration_seconds), (Some(CallStatus::Completed), Some(30)));
    assert_eq!((facts.caller_phone, facts.caller_address.as_deref()), (None, Some("sip:desk@example.com")));
    assert_eq!(facts.caller_name.as_deref(), Some("Front desk"));
    let messages = facts.messages.expect("messages");
    let tool = tools(&messages)[0];
    assert_eq!((tool.result.as_ref(), tool.ok), (Some(&json!("No result returned.")), Some(false)));
}

#[test]
fn the_outcome_of_a_transfer_is_read_from_wherever_it_is() {
    let report = |reason: &str, transfers: Value| {
        let artifact = json!({ "transfers": transfers });
        let message = json!({"type": "end-of-call-report", "call": {"id": "c"}, "endedReason": reason, "artifact": artifact});
        let change = change(parse(message));
        (change.transfer, change.facts.transfer_status)
    };
    let word = |word: &str| Some(word.to_owned());
    assert_eq!(report("assistant-forwarded-call", json!([])), (Transfer::HandedOver, word("forwarded")));
    assert_eq!(report("customer-ended-call", json!([{"status": "busy"}])), (Transfer::Failed, word("busy")));
    assert_eq!(report("customer-ended-call", json!([{"destination": {}}])), (Transfer::Started, None));
    assert_eq!(report("customer-ended-call", json!("none")), (Transfer::None, None));
}

#[test]
fn a_call_being_forwarded_outranks_one_in_progress() {
    let in_progress = change(fixture(Platform::Vapi, "status-update.in-progress"));
    let forwarding = change(fixture(Platform::Vapi, "status-update.forwarding"));
    assert!(in_progress.stage < forwarding.stage);
    assert_eq!(in_progress.facts.status, Some(CallStatus::InProgress));
    assert_eq!((in_progress.facts.messages, in_progress.transfer), (None, Transfer::None));
    let facts = forwarding.facts;
    assert_eq!((facts.status, forwarding.transfer), (Some(CallStatus::Forwarding), Transfer::HandedOver));
    assert_eq!(facts.transfer_status.as_deref(), Some("forwarding"));
    assert_eq!(facts.transfer_destination.as_deref(), Some("+14155550177"));
    assert_eq!(facts.transferred_at, forwarding.at);
}

#[test]
fn a_status_update_that_a_call_ended_waits_for_the_report() {
    let ended = |reason: Value| {
        change(parse(
            json!({"type": "status-update", "status": "ended", "call": {"id": "c"}, "endedReason": reason}),
        ))
    };
    let change = ended(json!("customer-busy"));
    assert_eq!((change.stage, change.completion), (Stage::Status, Completion::Wait));
    assert_eq!(change.facts.status, Some(CallStatus::Failed));
    assert_eq!(ended(json!(null)).facts.status, None);
}

#[test]
fn events_that_come_every_few_seconds_change_nothing() {
    let parsed = fixture(Platform::Vapi, "conversation-update");
    assert_eq!((parsed.changes.len(), parsed.external_id.is_some()), (0, true));
    for event in ["transcript", "speech-update", "model-output", "an-event-of-next-year", "assistant-request"]
    {
        let parsed = parse(json!({"type": event}));
        assert_eq!((parsed.event.as_str(), parsed.external_id, parsed.changes), (event, None, vec![]));
    }
}

#[test]
fn what_is_no_message_says_why() {
    let error =
        |body: &str| super::parse(Platform::Vapi, body.as_bytes()).expect_err("unreadable").to_string();
    assert_eq!(error("{}"), "message is missing");
    assert_eq!(error("[]"), "message is missing");
    assert_eq!(error(r#"{"message":{}}"#), "message.type is missing");
    assert_eq!(error(r#"{"message":{"type":"end-of-call-report"}}"#), "message.call.id is missing");
    assert!(error("message=1").starts_with("the body is not JSON: "));
}

#[test]
fn surprising_types_leave_the_rest_alone() {
    let facts = change(parse(json!({
        "type": "end-of-call-report", "call": {"id": 7, "type": 7, "assistantId": {}}, "timestamp": "soon",
        "customer": {"number": 911, "name": [], "email": "nobody"}, "durationSeconds": "12.5", "endedAt": [],
        "startedAt": 1_771_938_000, "recordingUrl": "javascript:alert(1)", "summary": " Short. ",
        "analysis": {"structuredData": "{\"name\":\"Robin\"}", "summary": 5},
        "artifact": {"messages": [7, null, {"role": "bot"}, {"role": "user", "message": "Hi", "secondsFromStart": -1}]}
    })))
    .facts;
    assert_eq!((facts.duration_seconds, facts.started_at), (Some(13), time("2026-02-24T13:00:00Z")));
    assert_eq!((facts.recording_url, facts.summary.as_deref()), (None, Some("Short.")));
    assert_eq!((facts.caller_name.as_deref(), facts.caller_email), (Some("Robin"), None));
    assert_eq!(facts.messages.map(|messages| messages.len()), Some(1));
}

#[test]
fn structured_outputs_are_read_as_values_and_as_forms() {
    let facts = change(parse(json!({
        "type": "end-of-call-report", "call": {"id": "c"},
        "analysis": {"structuredData": {"plan": "old"}},
        "artifact": {"structuredOutputs": {
            "1": {"name": "Caller Name", "result": "Robin Vale"},
            "2": {"name": "Lead", "result": {"email": "robin@example.com", "intent": "Boiler repair"}},
            "3": {"name": "plan", "result": "new"}, "4": {"name": "empty", "result": null}, "5": 5
        }}
    })))
    .facts;
    assert_eq!(facts.caller_name.as_deref(), Some("Robin Vale"));
    assert_eq!(facts.caller_email.as_deref(), Some("robin@example.com"));
    let captured = facts.captured.expect("captured fields");
    assert_eq!(captured.keys().collect::<Vec<_>>(), ["Caller Name", "Lead", "plan"]);
    assert_eq!(captured["plan"], "old");
}
