//! Synthflow: what its messages say, and whose requests are taken.

use connectors::{Parsed, Rejection, Request, Secrets};
use http::{HeaderMap, HeaderName};
use model::{
    AssistantRef, CallStatus, Completion, Direction, Phone, Platform, Role, Stage, Time, Transfer, Urgency,
};
use serde_json::{Value, json};

use super::{Fixture, change, expected, fixture, fixtures, of, tools};

pub(crate) const FIXTURES: &[Fixture] =
    fixtures!(Synthflow in "synthflow": "post-call", "post-call.no-answer", "inbound");

/// Without these a body is no message, or nobody knows of which call.
pub(crate) const NEEDED: &[&str] = &["/call", "/call/call_id", "/Call_id", "/call_inbound"];

fn parse(body: Value) -> Parsed {
    super::parse(Platform::Synthflow, body.to_string().as_bytes()).expect("a message")
}

fn time(text: &str) -> Option<Time> {
    text.parse().ok()
}

#[test]
fn a_message_tells_everything_about_a_call() {
    let parsed = fixture(Platform::Synthflow, "post-call");
    assert_eq!((parsed.event.as_str(), parsed.event_id.as_ref()), ("post-call", None));
    assert_eq!(parsed.external_id.as_deref(), Some("b7f7a3de-0155-4b1e-9a55-5f0155c0a155"));
    let change = change(parsed);
    assert_eq!(
        (change.stage, change.completion, change.transfer, change.at),
        (Stage::Ended, Completion::Now, Transfer::None, None)
    );
    let facts = change.facts;
    assert_eq!((facts.status, facts.direction), (Some(CallStatus::Completed), Some(Direction::Inbound)));
    assert_eq!(facts.ended_reason.as_deref(), Some("human_goodbye"));
    assert_eq!(facts.caller_phone.as_ref().map(Phone::as_str), Some("+14155550142"));
    assert_eq!((facts.caller_address, facts.caller_name.as_deref()), (None, Some("Robin Vale")));
    assert_eq!(facts.caller_email.as_deref(), Some("robin@example.com"));
    assert_eq!((facts.intent.as_deref(), facts.urgency), (Some("Boiler repair"), Some(Urgency::High)));
    assert_eq!(facts.started_at, time("2026-02-24T13:00:00.250Z"));
    assert_eq!(facts.ended_at, time("2026-02-24T13:00:42.750Z"));
    assert_eq!(facts.duration_seconds, Some(43), "half a second is rounded up");
    assert_eq!(facts.recording_url.as_deref(), Some("https://recordings.example.com/harbor-155.wav"));
    assert_eq!(facts.assistant, Some(AssistantRef { external_id: "7f1c-harbor".into(), name: None }));
    assert_eq!(facts.summary, None, "`analysis.call_summary` says how good a summary was, not what is in it");
    let captured = facts.captured.expect("captured fields");
    assert_eq!(captured.keys().collect::<Vec<_>>(), ["urgency", "service_needed", "appointment_date"]);
}

#[test]
fn a_conversation_has_its_turns_and_what_was_done() {
    let facts = change(fixture(Platform::Synthflow, "post-call")).facts;
    assert!(facts.transcript.is_some_and(|text| text.starts_with("bot:  Harbor")));
    let messages = facts.messages.expect("messages");
    let turns: Vec<_> =
        messages.iter().map(|message| (message.role, message.content.as_deref().unwrap_or("-"))).collect();
    let expected = [
        (Role::Assistant, "Harbor Plumbing, how can I help?"),
        (Role::User, "My boiler is out.\nIt is cold."),
        (Role::Assistant, "You are booked for nine."),
        (Role::Tool, "-"),
        (Role::Tool, "-"),
    ];
    assert_eq!(turns, expected);
    let tools = tools(&messages);
    assert_eq!((tools[0].name.as_str(), tools[0].ok), ("book_appointment", Some(true)));
    assert_eq!(tools[0].arguments, Some(json!({"service": "Boiler repair"})));
    assert_eq!(tools[0].result.as_ref().map(|result| &result["booking_id"]), Some(&json!("bk_155")));
    assert_eq!((tools[1].name.as_str(), tools[1].ok), ("urgency_1", None));
}

#[test]
fn a_call_that_nobody_answered_has_failed() {
    let change = change(fixture(Platform::Synthflow, "post-call.no-answer"));
    assert_eq!(change.external_id, "b7f7a3de-0155-4b1e-9a55-5f0155c0a156");
    let facts = change.facts;
    assert_eq!((facts.status, facts.direction), (Some(CallStatus::Failed), Some(Direction::Outbound)));
    assert_eq!((facts.caller_phone, facts.caller_address.as_deref()), (None, Some("unknown")));
    assert_eq!((facts.caller_name, facts.messages, facts.captured), (None, None, None));
    assert_eq!(facts.duration_seconds, Some(0));
}

#[test]
fn a_reason_that_only_repeats_the_status_gives_way() {
    let reason = |call: Value, error: &str| {
        change(parse(json!({"call_id": "c", "error_message": error, "call": call}))).facts.ended_reason
    };
    let word = |word: &str| Some(word.to_owned());
    let repeated = json!({"status": "completed", "end_call_reason": "completed"});
    assert_eq!(reason(repeated.clone(), "agent_goodbye"), word("agent_goodbye"));
    assert_eq!(reason(repeated, ""), word("completed"));
    assert_eq!(
        reason(json!({"status": "failed", "end_call_reason": "user_canceled"}), "x"),
        word("user_canceled")
    );
    assert_eq!(reason(json!({"status": "failed"}), ""), None);
}

#[test]
fn a_call_under_way_is_not_over() {
    let call =
        json!({"call_id": "c", "status": "in-progress", "start_time": "2026-02-24T13:00:00Z", "duration": 3});
    let change = change(parse(json!({ "call": call })));
    assert_eq!((change.stage, change.completion), (Stage::Status, Completion::No));
    assert_eq!((change.facts.status, change.facts.ended_at), (Some(CallStatus::InProgress), None));
    assert_eq!(change.facts.duration_seconds, None);
}

#[test]
fn a_transfer_is_read_from_the_reason_and_from_what_was_done() {
    let transfer = |reason: &str, action: Value| {
        let call = json!({"call_id": "c", "status": "completed", "end_call_reason": reason});
        let change = change(parse(json!({"call": call, "executed_actions": [action]})));
        (change.transfer, change.facts.transfer_status, change.facts.transfer_destination)
    };
    let word = |word: &str| Some(word.to_owned());
    let tried = json!({
        "name": "to_desk", "action_type": "live_transfer_action_type",
        "parameters_hard_coded": {"phone_number": "+14155550177"}
    });
    let number = word("+14155550177");
    assert_eq!(
        transfer("agent_goodbye", tried.clone()),
        (Transfer::Started, word("started"), number.clone())
    );
    assert_eq!(
        transfer("call_transferred", tried.clone()),
        (Transfer::HandedOver, word("transferred"), number.clone())
    );
    let mut failed = tried;
    failed["error_message"] = "busy".into();
    assert_eq!(transfer("human_goodbye", failed), (Transfer::Failed, word("failed"), number));
    assert_eq!(transfer("human_goodbye", json!(5)), (Transfer::None, None, None));
}

#[test]
fn surprising_types_leave_the_rest_alone() {
    let facts = change(parse(json!({
        "call_id": 7, "status": [], "lead": "Robin", "duration": "12.5", "start_time": {}, "transcript": 5,
        "recording_url": "javascript:alert(1)", "executed_actions": {"a": null, "b": {"name": 5}},
        "collected_variables": {"user_name": "Robin", "user_email": {"value": "robin@example.com"}, "x": {"value": ""}}
    })))
    .facts;
    assert_eq!((facts.duration_seconds, facts.started_at, facts.ended_at), (Some(13), None, None));
    assert_eq!((facts.recording_url, facts.caller_name.as_deref()), (None, Some("Robin")));
    assert_eq!(facts.caller_email.as_deref(), Some("robin@example.com"));
    let messages = facts.messages.expect("messages");
    let names: Vec<_> = tools(&messages).iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["b"]);
    let huge = json!({"call_id": "c", "duration": 1e300, "start_time": "2026-02-24T13:00:00Z"});
    assert_eq!(change(parse(huge)).facts.ended_at, None);
}

#[test]
fn an_action_without_a_name_and_a_key_is_known_by_its_place() {
    let action = json!({"return_value": "done"});
    let body = json!({"call": {"call_id": "c"}, "executed_actions": {"": action, "\0 ": action}});
    let messages = change(parse(body)).facts.messages.expect("messages");
    let names: Vec<_> = tools(&messages).iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["0", "1"]);
}

#[test]
fn the_documented_message_is_read() {
    let Some(body) = expected::shared("synthflow/post-call.docs.json") else { return };
    let change = change(parse(body));
    assert_eq!(change.external_id, "1711646262471x768387119913843100");
    let facts = change.facts;
    assert_eq!(
        (facts.status, facts.ended_reason.as_deref()),
        (Some(CallStatus::Completed), Some("agent_goodbye"))
    );
    assert_eq!(facts.started_at, time("2024-03-28T17:17:46.205134Z"));
    assert_eq!((facts.duration_seconds, facts.caller_name.as_deref()), (Some(32), Some("David")));
    assert_eq!(facts.messages.map(|messages| messages.len()), Some(5));
    assert_eq!(facts.captured.map(|fields| fields["purchase"].clone()), Some(json!("car")));
    let Some(mut body) = expected::shared("synthflow/collected_variables.docs.json") else { return };
    body["call_id"] = "c".into();
    let facts = super::change(parse(body)).facts;
    assert_eq!((facts.caller_name.as_deref(), facts.caller_email), (Some("Julian"), None));
}

#[test]
fn the_question_at_the_start_of_a_call_changes_nothing() {
    let asked =
        parse(json!({"call_inbound": {"model_id": "m", "from_number": "+14155550142", "to_number": "+1"}}));
    assert_eq!((asked.event.as_str(), asked.external_id, asked.changes.len()), ("inbound", None, 0));
}

#[test]
fn what_is_no_message_says_why() {
    let error =
        |body: &str| super::parse(Platform::Synthflow, body.as_bytes()).expect_err("unreadable").to_string();
    assert_eq!(error("{}"), "call.call_id is missing");
    assert_eq!(error("[]"), "call.call_id is missing");
    assert_eq!(error(r#"{"call":{"call_id":""}}"#), "call.call_id is missing");
    assert!(error("call=1").starts_with("the body is not JSON: "));
}

const SECRET: &str = "secret_of_the_workspace";
const BODY: &str = r#"{"call":{"call_id":"b7f7a3de-0155-4b1e-9a55-5f0155c0a155"}}"#;
/// Made with Python's hmac over the call's id.
const SIGNATURE: &str = "A1BsgROrSs98wtmrvpqp/nOQVSUQDwaJkU5zdSpm8ng=";

struct Presented<'a> {
    path: Option<&'a str>,
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
}

fn verify(scheme: &str, secrets: Secrets<'_>, presented: &Presented<'_>) -> Result<(), Rejection> {
    let header = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"))
    };
    let headers: HeaderMap = presented.headers.iter().map(header).collect();
    let url = "https://calls.example.com/ingest";
    let request =
        Request { url, path_secret: presented.path, headers: &headers, body: presented.body.as_bytes() };
    let settings = json!({"auth": {"scheme": scheme}});
    of(Platform::Synthflow).verify(&secrets, &settings, &request, Time::from_micros(0))
}

fn only(current: &str) -> Secrets<'_> {
    Secrets { current, previous: None }
}

fn in_path(path: &str) -> Presented<'_> {
    Presented { path: Some(path), headers: &[], body: BODY }
}

const SIGNED: Presented<'_> =
    Presented { path: None, headers: &[("synthflow-signature", SIGNATURE)], body: BODY };

#[test]
fn a_secret_in_the_address_is_taken() {
    let rotating = Secrets { current: "new", previous: Some(SECRET) };
    for scheme in ["any", "path"] {
        assert_eq!(verify(scheme, only(SECRET), &in_path(SECRET)), Ok(()));
        assert_eq!(verify(scheme, rotating, &in_path(SECRET)), Ok(()));
        for path in ["other", "", " "] {
            let rejection = verify(scheme, only(SECRET), &in_path(path)).expect_err("a stranger");
            assert!(
                rejection.to_string().contains("address that ends in this source's secret"),
                "{rejection}"
            );
        }
    }
    assert!(matches!(verify("path", only(SECRET), &SIGNED), Err(Rejection::Missing(_))));
    assert!(matches!(verify("signature", only(SECRET), &in_path(SECRET)), Err(Rejection::Missing(_))));
}

#[test]
fn a_signature_is_taken_under_every_name_of_its_header() {
    for name in [
        "Synthflow-Signature",
        "X-Synthflow-Signature",
        "HTTP-Synthflow-Signature",
        "HTTP_SYNTHFLOW_SIGNATURE",
    ] {
        let headers = [(name, SIGNATURE)];
        for scheme in ["any", "signature"] {
            let presented = Presented { headers: &headers, ..SIGNED };
            assert_eq!(verify(scheme, only(SECRET), &presented), Ok(()), "{name}");
        }
    }
    let rotating = Secrets { current: "new", previous: Some(SECRET) };
    assert_eq!(verify("any", rotating, &SIGNED), Ok(()));
    let unpadded = [("synthflow-signature", SIGNATURE.trim_end_matches('='))];
    assert_eq!(verify("any", only(SECRET), &Presented { headers: &unpadded, ..SIGNED }), Ok(()));
}

#[test]
fn a_wrong_secret_in_the_address_is_not_made_good_by_a_signature() {
    assert_eq!(verify("any", only(SECRET), &Presented { path: Some(SECRET), ..SIGNED }), Ok(()));
    for path in ["other", ""] {
        assert!(verify("any", only(SECRET), &Presented { path: Some(path), ..SIGNED }).is_err());
    }
    assert_eq!(verify("signature", only(SECRET), &Presented { path: Some("other"), ..SIGNED }), Ok(()));
}

#[test]
fn a_signature_of_anything_else_is_not_taken() {
    let said = |secret: &str, presented: &Presented<'_>| {
        verify("signature", only(secret), presented).expect_err("not signed").to_string()
    };
    let wrong = said("other", &SIGNED);
    assert!(
        wrong.contains("call's id") && !wrong.contains("body"),
        "the hash tells nothing of the body: {wrong}"
    );
    let other_call = BODY.replace("a155", "a156");
    assert!(said(SECRET, &Presented { body: &other_call, ..SIGNED }).contains("call's id"));
    for value in ["", "%", "AAAA", "0350"] {
        let headers = [("synthflow-signature", value)];
        said(SECRET, &Presented { headers: &headers, ..SIGNED });
    }
    for body in ["", "{}", r#"{"call":{}}"#] {
        assert!(said(SECRET, &Presented { body, ..SIGNED }).contains("call id"), "{body}");
    }
    // A true signature of one call must not carry another one in.
    let smuggled = r#"{"call_id":"b7f7a3de-0155-4b1e-9a55-5f0155c0a155","call":{"call_id":"other"}}"#;
    said(SECRET, &Presented { body: smuggled, ..SIGNED });
    for nothing in ["", " \n"] {
        assert_eq!(verify("any", only(nothing), &SIGNED), Err(Rejection::NoSecret));
        assert_eq!(verify("path", only(nothing), &in_path(nothing)), Err(Rejection::NoSecret));
    }
    let none = verify("any", only(SECRET), &Presented { headers: &[], ..SIGNED });
    assert_eq!(none, Err(Rejection::Missing("header HTTP_SYNTHFLOW_SIGNATURE".into())));
}

#[test]
fn the_shared_signature_is_taken() {
    let Some(vector) = expected::shared("synthflow/signature.generated-vector.json") else { return };
    let text = |name: &str| vector[name].as_str().expect("text");
    let body = json!({"call": {"call_id": text("call_id")}}).to_string();
    let headers = [("synthflow-signature", text("signature_base64"))];
    let presented = Presented { path: None, headers: &headers, body: &body };
    assert_eq!(verify("signature", only(text("secret")), &presented), Ok(()));
}

#[test]
fn settings_that_cannot_be_are_named() {
    let check = |settings: Value| of(Platform::Synthflow).check_settings(&settings);
    for fine in [
        json!(null),
        json!({}),
        json!({"auth": null}),
        json!({"auth": {}}),
        json!({"auth": {"scheme": "path"}}),
    ] {
        assert_eq!(check(fine.clone()), Ok(()), "{fine}");
    }
    for (settings, word) in [
        (json!({"auth": {"scheme": "hmac"}}), "settings.auth.scheme"),
        (json!({"auth": {"scheme": 5}}), "settings.auth.scheme"),
        (json!({"auth": {"header": "x"}}), "settings.auth.header"),
        (json!({"auth": "path"}), "settings.auth must be an object"),
        (json!({"auht": {}}), "settings.auht is not a setting"),
        (json!(5), "object"),
    ] {
        let error = check(settings).expect_err("wrong settings");
        assert!(error.contains(word), "{error}");
    }
}
