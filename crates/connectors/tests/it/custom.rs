//! Any other platform: what mappings make of bodies.

mod properties;
mod settings;

use connectors::{Parsed, Unreadable};
use http::HeaderMap;
use model::{CallStatus, Change, Completion, Direction, Platform, Role, Stage, Time, Transfer, Urgency};
use serde_json::{Value, json};

use super::{Fixture, change, expected::shared, fixture, fixtures, of, request, tools};

pub(crate) const FIXTURES: &[Fixture] = fixtures!(Custom in "custom": "call");

/// Without these a body is no message, or nobody knows of which call.
pub(crate) const NEEDED: &[&str] = &["/event", "/call_id"];

/// Every mapping that the documentation shows.
const MAPPINGS: [(&str, &str); 7] = [
    ("bolna", include_str!("../../fixtures/custom/bolna.mapping.json")),
    ("cyberstaff", include_str!("../../fixtures/custom/cyberstaff.mapping.json")),
    ("dograh", include_str!("../../fixtures/custom/dograh.mapping.json")),
    ("highlevel", include_str!("../../fixtures/custom/highlevel.mapping.json")),
    ("in-house", include_str!("../../fixtures/custom/in-house.mapping.json")),
    ("n8n", include_str!("../../fixtures/custom/n8n.mapping.json")),
    ("vapi-clone", include_str!("../../fixtures/custom/vapi-clone.mapping.json")),
];

const BOLNA: &str = include_str!("../../fixtures/custom/bolna.completed.json");
const DOGRAH: &str = include_str!("../../fixtures/custom/dograh.run.json");
const HIGHLEVEL: &str = include_str!("../../fixtures/custom/highlevel.call-end.json");

fn mapping(name: &str) -> Value {
    let (_, text) = MAPPINGS.iter().find(|(known, _)| *known == name).expect("a mapping");
    serde_json::from_str(text).expect("JSON")
}

fn read(settings: &Value, body: &str) -> Result<Parsed, Unreadable> {
    of(Platform::Custom).parse(settings, &request(&HeaderMap::new(), body.as_bytes()))
}

fn parsed(name: &str, body: &str) -> Parsed {
    read(&mapping(name), body).expect("a message")
}

fn time(text: &str) -> Option<Time> {
    text.parse().ok()
}

/// Who spoke, what, and when.
fn turns(change: &Change) -> Vec<(Role, &str, Option<f64>)> {
    let messages = change.facts.messages.as_deref().unwrap_or_default();
    let turn = |message: &'_ model::Message| (message.role, message.offset_seconds);
    let contents = messages.iter().map(|message| message.content.as_deref().unwrap_or("-"));
    messages.iter().map(turn).zip(contents).map(|((role, offset), content)| (role, content, offset)).collect()
}

#[test]
fn a_body_in_our_own_words_needs_no_mapping() {
    let parsed = fixture(Platform::Custom, "call");
    assert_eq!((parsed.event.as_str(), parsed.event_id.as_deref()), ("call.finished", Some("evt_155_3")));
    let change = change(parsed);
    assert_eq!(
        (change.stage, change.completion, change.transfer),
        (Stage::Ended, Completion::Now, Transfer::None)
    );
    assert_eq!(change.at, time("2026-02-24T13:00:40Z"));
    let expected = [
        (Role::Assistant, "Corner Garage, how can I help?", Some(0.8)),
        (Role::User, "I need my tires changed on Thursday at eight.", Some(4.25)),
        (Role::Tool, "-", Some(9.0)),
        (Role::Assistant, "You are booked for Thursday at eight.", Some(12.4)),
    ];
    assert_eq!(turns(&change), expected, "the instructions are no part of what was said");
    let facts = change.facts;
    assert_eq!((facts.status, facts.direction), (Some(CallStatus::Completed), Some(Direction::Inbound)));
    assert_eq!(facts.caller_phone.map(|phone| phone.to_string()).as_deref(), Some("+14155550144"));
    assert_eq!(facts.caller_name.as_deref(), Some("Imani Holt"));
    assert_eq!(facts.caller_email.as_deref(), Some("imani@example.com"));
    assert_eq!(
        (facts.started_at, facts.ended_at),
        (time("2026-02-24T13:00:00Z"), time("2026-02-24T13:00:38Z"))
    );
    assert_eq!((facts.duration_seconds, facts.urgency), (Some(38), Some(Urgency::Low)));
    assert_eq!(facts.ended_reason.as_deref(), Some("caller hung up"));
    assert_eq!(facts.transfer_status, None);
    let assistant = facts.assistant.expect("an assistant");
    assert_eq!(
        (assistant.external_id.as_str(), assistant.name.as_deref()),
        ("front-desk", Some("Front desk"))
    );
    assert_eq!(facts.captured.map(|captured| captured.len()), Some(2));
    let messages = facts.messages.expect("messages");
    let tool = tools(&messages)[0];
    assert_eq!(
        (tool.name.as_str(), tool.call_id.as_deref(), tool.ok),
        ("book_appointment", None, Some(true))
    );
    assert_eq!(tool.result.as_ref().map(|result| &result["booking_id"]), Some(&json!("bk_144")));
}

#[test]
fn bolna_tells_a_call_that_is_over_twice() {
    let completed = change(parsed("bolna", BOLNA));
    assert_eq!((completed.stage, completed.completion), (Stage::Analyzed, Completion::Now));
    assert_eq!(completed.at, time("2026-02-24T13:02:10Z"));
    let said = "Is the noon boat running?\nI have two bikes.";
    assert_eq!(turns(&completed)[1], (Role::User, said, None), "a line without a label goes on");
    let facts = completed.facts;
    assert_eq!(facts.caller_phone.map(|phone| phone.to_string()).as_deref(), Some("+14155550146"));
    assert_eq!(facts.started_at, time("2026-02-24T13:00:00.25Z"), "a time without an offset is in UTC");
    assert_eq!((facts.duration_seconds, facts.ended_at), (Some(42), time("2026-02-24T13:00:42.25Z")));
    assert_eq!(facts.caller_name.as_deref(), Some("Noor Adeyemi"), "from what the analysis filled in");
    assert!(facts.transcript.is_some_and(|text| text.starts_with("assistant: Harbor Ferries")));
    assert_eq!(facts.ended_reason.as_deref(), Some("Call recipient hung up"));

    let of = |status: &str| change(parsed("bolna", &json!({"id": "e", "status": status}).to_string()));
    let hung_up = of("call-disconnected");
    assert_eq!((hung_up.stage, hung_up.completion), (Stage::Ended, Completion::Wait));
    let ringing = of("Ringing");
    assert_eq!((ringing.stage, ringing.completion), (Stage::Started, Completion::No));
    assert_eq!(ringing.facts.status, Some(CallStatus::InProgress));
    let early = json!({"id": "e", "status": "in-progress", "conversation_duration": 0});
    let early = change(parsed("bolna", &early.to_string()));
    assert_eq!(early.facts.duration_seconds, None, "a call that goes on has no duration yet");
    let busy = of("busy");
    assert_eq!((busy.completion, busy.facts.status), (Completion::Now, Some(CallStatus::Failed)));
    let next_year = parsed("bolna", r#"{"id": "e", "status": "a-status-of-next-year"}"#);
    assert_eq!((next_year.external_id.as_deref(), next_year.changes.len()), (Some("e"), 0));
}

#[test]
fn highlevel_s_actions_are_uses_of_tools() {
    let change = change(parsed("highlevel", HIGHLEVEL));
    assert_eq!((change.stage, change.completion), (Stage::Ended, Completion::Now));
    assert_eq!(change.transfer, Transfer::HandedOver);
    let facts = change.facts;
    assert_eq!(facts.transfer_status.as_deref(), Some("connected"));
    assert_eq!(facts.transfer_destination.as_deref(), Some("+14155550148"));
    assert_eq!(facts.caller_email.as_deref(), Some("theo@example.com"));
    let messages = facts.messages.expect("messages");
    let uses: Vec<_> = tools(&messages).iter().map(|tool| (tool.name.as_str(), tool.ok)).collect();
    assert_eq!(uses, [("APPOINTMENT_BOOKING", Some(true)), ("CALL_TRANSFER", None)]);
    assert_eq!(messages.len(), 5);
    let other = parsed("highlevel", r#"{"type": "ContactUpdate", "id": "x"}"#);
    assert_eq!((other.event.as_str(), other.changes.len()), ("ContactUpdate", 0));
}

#[test]
fn a_template_s_texts_and_gaps_are_read() {
    let parsed = parsed("dograh", DOGRAH);
    assert_eq!(parsed.event_id, None, "a placeholder that nobody filled is no id");
    let change = change(parsed);
    assert_eq!((change.external_id.as_str(), change.completion), ("155", Completion::Now));
    let expected = [
        (Role::Assistant, "Blue Plate, good evening.", Some(1.5)),
        (Role::User, "A table for four.", Some(4.0)),
        (Role::Tool, "-", Some(9.0)),
        (Role::System, "Soup is out.", None),
    ];
    assert_eq!(turns(&change), expected, "the list was put into text");
    let facts = change.facts;
    assert_eq!(facts.status, Some(CallStatus::Completed), "the disposition is none of those listed");
    assert_eq!(facts.ended_reason.as_deref(), Some("user_qualified"), "the platform's word is kept");
    assert_eq!(facts.caller_phone.map(|phone| phone.to_string()).as_deref(), Some("+14155550149"));
    assert_eq!((facts.caller_name.as_deref(), facts.duration_seconds), (Some("Lena Ruiz"), Some(75)));
    assert_eq!(facts.captured, json!({"party size": "4"}).as_object().cloned());
    assert_eq!(facts.assistant.map(|assistant| assistant.external_id).as_deref(), Some("Evening bookings"));
    let messages = facts.messages.expect("messages");
    let tool = tools(&messages)[0];
    let name = "book_appointment";
    assert_eq!((tool.name.as_str(), tool.call_id.as_deref(), tool.ok), (name, None, Some(true)));
    assert_eq!(tool.arguments.as_ref().map(|arguments| &arguments["party"]), Some(&json!(4)));

    let blocked = json!({"run": 1, "gathered": {"call_disposition": "SPAM"}});
    let blocked = super::change(read(&mapping("dograh"), &blocked.to_string()).expect("a message"));
    assert_eq!(blocked.facts.status, Some(CallStatus::Blocked));
}

#[test]
fn real_bodies_of_others_come_to_calls() {
    let Some(body) = shared("other/bolna.execution.thirdparty-test.json") else { return };
    let facts = change(parsed("bolna", &body.to_string())).facts;
    // A digit short of a number that could be called.
    assert_eq!(facts.caller_phone, None);
    assert_eq!(facts.caller_address.as_deref(), body["telephony_data"]["from_number"].as_str());
    assert_eq!(facts.duration_seconds, body["conversation_duration"].as_i64());
    assert_eq!(facts.recording_url.as_deref(), body["telephony_data"]["recording_url"].as_str());
    assert_eq!(facts.messages.map(|turns| turns.len()), Some(2));

    let Some(body) = shared("other/cyberstaff.webhook.docs.json") else { return };
    let change = change(parsed("cyberstaff", &body.to_string()));
    assert_eq!((Some(&*change.external_id), change.completion), (body["callId"].as_str(), Completion::Now));
    let facts = change.facts;
    assert_eq!(facts.caller_phone.as_ref().map(|phone| phone.as_str()), body["callerPhone"].as_str());
    assert_eq!(facts.started_at, body["callDate"].as_str().and_then(time));
    let lasted = facts.ended_at.zip(facts.started_at).map(|(end, start)| end.since(start).as_secs());
    assert_eq!(lasted, body["duration"].as_u64(), "the end follows from the start and the duration");
    assert_eq!(facts.caller_name.as_deref(), body["customerName"].as_str());
    assert_eq!(facts.intent.as_deref(), body["callReason"].as_str());
    assert_eq!(
        facts.captured.map(|captured| captured["lead_score"].clone()),
        Some(body["leadScore"].clone())
    );
}

/// A message of the agent that `in-house.mapping.json` is for.
fn in_house(kind: &str, call: Value) -> Change {
    let mut call = call;
    call["uid"] = "u1".into();
    let body = json!({"data": {"kind": kind, "sent": 1_771_938_021_500_000_i64, "call": call}});
    change(parsed("in-house", &body.to_string()))
}

#[test]
fn events_say_how_late_they_come_and_what_they_mean() {
    let of = |kind: &str| {
        let change = in_house(kind, json!({}));
        (change.stage, change.completion, change.facts.status)
    };
    assert_eq!(of("ring"), (Stage::Started, Completion::No, Some(CallStatus::InProgress)));
    assert_eq!(of("handover"), (Stage::Status, Completion::No, Some(CallStatus::Forwarding)));
    assert_eq!(of("hangup"), (Stage::Ended, Completion::Wait, Some(CallStatus::Completed)));
    assert_eq!(of("report"), (Stage::Analyzed, Completion::Now, Some(CallStatus::Completed)));
    assert_eq!(of("tape"), (Stage::Audio, Completion::No, None), "it does not know how the call stands");
    let handover = in_house("handover", json!({}));
    assert_eq!(
        (handover.transfer, handover.facts.transfer_status.as_deref()),
        (Transfer::Started, Some("started"))
    );
}

#[test]
fn every_unit_comes_to_the_same() {
    let change = in_house("report", json!({"began": 1_771_938_000_000_000_000_i64, "lasted": 18_500}));
    assert_eq!(change.at, time("2026-02-24T13:00:21.5Z"));
    assert_eq!(change.facts.started_at, time("2026-02-24T13:00:00Z"));
    assert_eq!(change.facts.duration_seconds, Some(19), "half a second is rounded up");
    for (unit, value) in [
        ("iso", json!("2026-02-24T13:00:00Z")),
        ("seconds", json!("1771938000")),
        ("milliseconds", json!(1_771_938_000_000_i64)),
        ("microseconds", json!(1_771_938_000_000_000_i64)),
    ] {
        let started_at = json!({"path": "$.t", "unit": unit});
        let settings =
            json!({"call_id": "$.id", "status": "completed", "fields": {"started_at": started_at}});
        let body = |t: &Value| json!({"id": "c", "t": t}).to_string();
        let of = |t: &Value| super::change(read(&settings, &body(t)).expect("a message")).facts.started_at;
        assert_eq!(of(&value), time("2026-02-24T13:00:00Z"), "{unit}");
        for not in [json!(0), json!(-5), json!(1e300), json!("soon"), json!([]), json!(null)] {
            assert_eq!(of(&not), None, "{unit} {not}");
        }
    }
}

#[test]
fn the_platform_s_words_stand_for_ours() {
    let call = |call: Value| in_house("report", call);
    assert_eq!(call(json!({"mood": " ANGRY "})).facts.urgency, Some(Urgency::High));
    assert_eq!(call(json!({"mood": 1})).facts.urgency, Some(Urgency::Medium));
    assert_eq!(call(json!({"mood": "high"})).facts.urgency, Some(Urgency::High), "one of ours already");
    assert_eq!(call(json!({"mood": "odd"})).facts.urgency, None);
    let transfer = |word: &str| {
        let change = call(json!({"handover": word, "to": "+14155550188"}));
        (change.transfer, change.facts.transfer_status, change.facts.transfer_destination.is_some())
    };
    assert_eq!(transfer("talking"), (Transfer::HandedOver, Some("talking".into()), true));
    assert_eq!(transfer("nobody"), (Transfer::Failed, Some("nobody".into()), true));
    assert_eq!(transfer("whispering"), (Transfer::Started, Some("whispering".into()), true));
    assert_eq!(transfer("none"), (Transfer::None, None, false));
    let planned = call(json!({"to": "+14155550188"}));
    assert_eq!(planned.transfer, Transfer::None, "a destination by itself is no transfer");
}

#[test]
fn forms_and_turns_are_read_entry_by_entry() {
    let form = json!([{"label": "email", "entry": "kai@example.com"}, {"label": "zip", "entry": "94105"}, {"entry": 1}]);
    let turns_of =
        json!([{"by": "bot", "text": "Hi.", "after": 1500}, {"by": "user", "message": "Hello."}, 7]);
    let change = in_house("report", json!({"form": form, "turns": turns_of, "from": "withheld"}));
    assert_eq!(turns(&change), [(Role::Assistant, "Hi.", Some(1.5)), (Role::User, "Hello.", None)]);
    let facts = change.facts;
    assert_eq!(facts.captured, json!({"email": "kai@example.com", "zip": "94105"}).as_object().cloned());
    assert_eq!(facts.caller_email.as_deref(), Some("kai@example.com"));
    assert_eq!((facts.caller_phone, facts.caller_address.as_deref()), (None, Some("withheld")));
    let settings = json!({"call_id": "$.id", "status": "completed", "fields": {"captured": {"path": "$.f", "value": "@.value"}}});
    let body = r#"{"id": "c", "f": {"size": {"value": "4"}, "open": {"value": null}}}"#;
    let facts = super::change(read(&settings, body).expect("a message")).facts;
    assert_eq!(facts.captured, json!({"size": "4"}).as_object().cloned(), "named by their place");
}

#[test]
fn questions_to_tools_and_their_answers_may_be_turns_of_their_own() {
    let settings = json!({"call_id": "$.id", "status": "completed", "messages": {"path": "$.turns", "roles": {"call": "tool", "answer": "tool"}}});
    let body = json!({"id": "c", "turns": [
        {"role": "call", "id": "1", "name": "book", "arguments": "{\"at\": 5}"},
        {"role": "call", "id": "2", "name": "end"},
        {"role": "answer", "tool_call_id": "1", "result": {"status": "failed"}},
        {"role": "tool", "name": "look_up", "arguments": {}, "result": "nobody"}
    ]});
    let messages =
        change(read(&settings, &body.to_string()).expect("a message")).facts.messages.expect("messages");
    let uses: Vec<_> =
        tools(&messages).iter().map(|tool| (tool.name.as_str(), tool.call_id.as_deref(), tool.ok)).collect();
    assert_eq!(uses, [("book", Some("1"), Some(false)), ("end", Some("2"), None), ("look_up", None, None)]);
}

#[test]
fn a_clone_is_read_like_the_platform_with_our_word_over_it() {
    let report = include_str!("../../fixtures/vapi/end-of-call-report.json");
    let mut body: Value = serde_json::from_str(report).expect("JSON");
    let plain = read(&json!({"like": "vapi"}), report).expect("a message");
    assert_eq!(plain, super::parse(Platform::Vapi, report.as_bytes()).expect("a message"));

    body["message"]["call"]["org"] = "branch".into();
    body["message"]["delivery"] = 7.into();
    body["message"]["lead"] = json!({"tel": "415 555 0150"});
    let text = body.to_string().replace("book_appointment", "grab_slot");
    let parsed_over = parsed("vapi-clone", &text);
    assert_eq!(parsed_over.event_id.as_deref(), Some("7"));
    let (over, plain) = (change(parsed_over), change(plain));
    assert_eq!(over.facts.caller_phone.as_ref().map(|phone| phone.as_str()), Some("+14155550150"));
    assert_eq!(over.facts.caller_name, plain.facts.caller_name, "what is not found is left as it was");
    let messages = over.facts.messages.clone().expect("messages");
    assert_eq!(tools(&messages)[0].name, "book_appointment");
    assert_eq!(
        (over.stage, over.completion, over.facts.status),
        (plain.stage, plain.completion, plain.facts.status)
    );

    body["message"]["call"]["org"] = "other".into();
    let other = parsed("vapi-clone", &body.to_string());
    assert_eq!((other.event.as_str(), other.changes.len()), ("end-of-call-report", 0));
}

#[test]
fn a_message_may_be_wrapped_in_another() {
    let call: Value =
        serde_json::from_str(include_str!("../../fixtures/retell/call_ended.json")).expect("JSON");
    let expected = super::parse(Platform::Retell, call.to_string().as_bytes()).expect("a message");
    for wrapped in
        [json!([{"headers": {}, "body": call}]), json!({"body": call}), json!({"body": call.to_string()})]
    {
        assert_eq!(parsed("n8n", &wrapped.to_string()), expected);
    }
    let error = |body: &str| read(&mapping("n8n"), body).expect_err("unreadable").to_string();
    assert_eq!(error("{}"), "$[0].body or $.body is missing (settings.root)");
    assert_eq!(error(r#"{"body": {}}"#), "event is missing");
}

#[test]
fn what_is_no_message_says_why() {
    let error = |settings: Value, body: &str| read(&settings, body).expect_err("unreadable").to_string();
    assert_eq!(error(json!(null), "{}"), "$.call_id is missing (settings.call_id)");
    assert_eq!(error(json!(null), "[]"), "$.call_id is missing (settings.call_id)");
    assert_eq!(error(json!({}), r#"{"call_id": "null"}"#), "$.call_id is missing (settings.call_id)");
    assert!(error(json!(null), "call_id=1").starts_with("the body is not JSON: "));
    assert!(error(json!({"status": 5}), "{}").contains("settings.status"));
}
