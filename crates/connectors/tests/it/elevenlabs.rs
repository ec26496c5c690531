//! ElevenLabs: what its messages say, and whose requests are taken.

use connectors::{Parsed, Rejection, Secrets};
use http::{HeaderMap, HeaderValue};
use model::{
    AssistantRef, CallStatus, Completion, Direction, Facts, Platform, Role, Stage, Time, Transfer, Urgency,
};
use serde_json::{Value, json};

use super::{Fixture, change, fixture, fixtures, of, request, tools};

pub(crate) const FIXTURES: &[Fixture] = fixtures!(ElevenLabs in "elevenlabs": "post_call_transcription", "post_call_transcription.transferred", "post_call_transcription_otel", "post_call_audio", "call_initiation_failure.twilio", "call_initiation_failure.sip");

/// Without these a body is no message, or nobody knows of which call.
pub(crate) const NEEDED: &[&str] = &["/type", "/data", "/data/conversation_id"];

/// A body and its hashes at [`SIGNED_AT`] with two secrets, made with Python's hmac.
const BODY: &[u8] = br#"{"type":"post_call_audio","data":{"conversation_id":"conv_155"}}"#;
const SECRETS: [(&str, &str); 2] = [
    ("wsec_155", "ead182e9f127cc263e66d0a9a5dc9eaf3d5c2fbe676e39953fecb627fe62ecf4"),
    ("wsec_new", "a5fedf1d4ef15f4df7d633eb9c447ad1259ba10e7ac6e05294bbd6b9667dc0eb"),
];
const SIGNED_AT: Time = Time::from_micros(1_700_000_000_000_000);

fn parse(body: Value) -> Parsed {
    super::parse(Platform::ElevenLabs, body.to_string().as_bytes()).expect("a message")
}

/// What a transcription with this data says, beside the id.
fn transcription(mut data: Value) -> model::Change {
    data["conversation_id"] = "c".into();
    change(parse(json!({"type": "post_call_transcription", "event_timestamp": 1_771_938_150, "data": data})))
}

fn time(text: &str) -> Option<Time> {
    text.parse().ok()
}

fn verify(secrets: Secrets<'_>, header: &str, body: &[u8], now: Time) -> Result<(), Rejection> {
    let value = HeaderValue::from_str(header).expect("a value");
    let headers = HeaderMap::from_iter([("elevenlabs-signature".parse().expect("a name"), value)]);
    let connector = of(Platform::ElevenLabs);
    let verdict = connector.verify(&secrets, &Value::Null, &request(&headers, body), now);
    let mut large = connector.large_body(&secrets, &headers).expect("bodies may be large");
    body.chunks(7).for_each(|piece| large.push(piece, &mut Vec::new()));
    assert_eq!(verdict, large.finish(now).verdict, "whole and in pieces");
    verdict
}

fn only(current: &str) -> Secrets<'_> {
    Secrets { current, previous: None }
}

#[test]
fn a_transcription_tells_everything_about_an_inbound_call() {
    let parsed = fixture(Platform::ElevenLabs, "post_call_transcription");
    assert_eq!((parsed.event.as_str(), parsed.event_id.clone()), ("post_call_transcription", None));
    let change = change(parsed);
    assert_eq!(change.external_id, "conv_155");
    assert_eq!((change.stage, change.transfer), (Stage::Analyzed, Transfer::None));
    assert_eq!(change.at, time("2026-02-24T13:02:30Z"));
    let facts = change.facts;
    assert_eq!(facts.status, Some(CallStatus::Completed));
    assert_eq!(facts.ended_reason.as_deref(), Some("Client ended call"));
    assert_eq!(facts.caller_phone.map(|phone| phone.to_string()).as_deref(), Some("+14155550142"));
    assert_eq!((facts.caller_address, facts.direction), (None, Some(Direction::Inbound)));
    assert_eq!(facts.caller_name.as_deref(), Some("Robin Vale"));
    assert_eq!(facts.caller_email.as_deref(), Some("robin@example.com"), "from the variables");
    assert_eq!((facts.intent, facts.urgency), (None, Some(Urgency::High)));
    assert_eq!(facts.started_at, time("2026-02-24T13:02:00Z"));
    assert_eq!((facts.ended_at, facts.duration_seconds), (time("2026-02-24T13:02:21Z"), Some(21)));
    assert_eq!(facts.summary.as_deref(), Some("Robin Vale booked a boiler repair for nine tomorrow."));
    assert_eq!(facts.recording_url, None, "the recording comes in a message of its own");
    let assistant =
        AssistantRef { external_id: "agent_155".into(), name: Some("Harbor Plumbing reception".into()) };
    assert_eq!(facts.assistant, Some(assistant));
    assert_eq!(facts.carrier_id.as_deref(), Some("CA00000000000000000000000000000155"));
    let captured = facts.captured.expect("captured fields");
    let expected = json!({"caller_name": "Robin Vale", "urgency": "high", "zip": "94105", "rooms": 3});
    assert_eq!(Value::Object(captured), expected, "values only, and text stays text");
    assert_eq!((facts.transfer_status, facts.transfer_destination, facts.transferred_at), (None, None, None));
}

#[test]
fn a_conversation_has_no_empty_turns_and_each_use_of_a_tool_once() {
    let facts = change(fixture(Platform::ElevenLabs, "post_call_transcription")).facts;
    let transcript = "Agent: Harbor Plumbing, this is Noa. How can I help?\n\
                      User: Our boiler is leaking. Can you come tomorrow at nine?\n\
                      Agent: You are booked for nine tomorrow.\n\
                      User: Lovely, bye.";
    assert_eq!(facts.transcript.as_deref(), Some(transcript));
    let messages = facts.messages.expect("messages");
    let turns: Vec<_> = messages.iter().map(|message| (message.role, message.offset_seconds)).collect();
    let expected = [
        (Role::Assistant, Some(0.0)),
        (Role::User, Some(5.0)),
        (Role::Tool, Some(12.0)),
        (Role::Assistant, Some(14.0)),
        (Role::User, Some(18.0)),
    ];
    assert_eq!(turns, expected);
    let tools = tools(&messages);
    assert_eq!((tools[0].name.as_str(), tools[0].call_id.as_deref()), ("book_appointment", Some("req_1")));
    let arguments = json!({"service": "Boiler repair", "start": "2026-02-25T09:00:00Z"});
    assert_eq!(tools[0].arguments, Some(arguments));
    assert_eq!((tools[0].result.as_ref(), tools[0].ok), (Some(&json!({"booking_id": "bk_155"})), Some(true)));
}

#[test]
fn an_error_and_a_refusal_both_mean_that_a_tool_did_not_work() {
    let ok = |result: Value| {
        let facts = transcription(json!({"transcript": [{"role": "agent", "tool_results": [result]}]})).facts;
        tools(&facts.messages.expect("messages"))[0].ok
    };
    assert_eq!(ok(json!({"is_error": true, "result_value": "{\"success\":true}"})), Some(false));
    assert_eq!(ok(json!({"is_error": false, "result_value": "{\"success\":false}"})), Some(false));
    assert_eq!(ok(json!({"is_error": false, "result_value": "Done"})), Some(true));
    assert_eq!(ok(json!({"result_value": "Done"})), None);
}

#[test]
fn every_word_for_where_a_conversation_stands_has_its_status() {
    let of = |word: &str| {
        let change = transcription(json!({"status": word, "metadata": {"call_duration_secs": 5}}));
        (change.facts.status, change.stage, change.completion, change.facts.duration_seconds)
    };
    let over = |status| (Some(status), Stage::Analyzed, Completion::Now, Some(5));
    assert_eq!(of("done"), over(CallStatus::Completed));
    assert_eq!(of("failed"), over(CallStatus::Failed));
    assert_eq!(of("a-word-of-next-year"), over(CallStatus::Completed));
    for word in ["initiated", "in-progress", "processing"] {
        assert_eq!(of(word), (Some(CallStatus::InProgress), Stage::Status, Completion::No, None), "{word}");
    }
}

#[test]
fn why_a_conversation_failed_is_told_where_nobody_ended_it() {
    let reason = |metadata: Value| transcription(json!({ "metadata": metadata })).facts.ended_reason;
    let why = |why: &str| Some(why.to_owned());
    assert_eq!(
        reason(json!({"termination_reason": "", "error": {"code": 1, "reason": "Quota"}})),
        why("Quota")
    );
    assert_eq!(reason(json!({"termination_reason": "Silence", "error": "Quota"})), why("Silence"));
    assert_eq!(reason(json!({"termination_reason": null, "error": null})), None);
}

#[test]
fn a_transcription_waits_for_its_audio_and_the_audio_ends_the_wait() {
    let completion = |has_audio: Value| transcription(json!({ "has_audio": has_audio })).completion;
    assert_eq!(completion(json!(true)), Completion::Wait);
    for not in [json!(false), json!(null), json!("perhaps")] {
        assert_eq!(completion(not.clone()), Completion::Now, "{not}");
    }
    let transcription = change(fixture(Platform::ElevenLabs, "post_call_transcription"));
    let audio = change(fixture(Platform::ElevenLabs, "post_call_audio"));
    assert_eq!(transcription.external_id, audio.external_id);
    assert_eq!((transcription.completion, audio.completion), (Completion::Wait, Completion::Now));
    assert_eq!((audio.stage, audio.at), (Stage::Audio, time("2026-02-24T13:02:40Z")));
    // No status: without the transcription this completes nothing. No assistant: its name must not be wiped out.
    assert_eq!((audio.transfer, audio.facts), (Transfer::None, Facts::default()));
}

#[test]
fn audio_is_read_with_and_without_its_recording() {
    let body = |full_audio: Value| {
        parse(json!({"type": "post_call_audio", "data": {"conversation_id": "c", "full_audio": full_audio}}))
    };
    let emptied = body(json!(""));
    assert_eq!((emptied.event.as_str(), emptied.changes.len()), ("post_call_audio", 1));
    assert_eq!(body(json!("SUQz")), emptied);
    assert_eq!(body(json!(null)), emptied);
}

#[test]
fn a_transfer_is_told_by_the_attempt_that_got_furthest() {
    let change = change(fixture(Platform::ElevenLabs, "post_call_transcription.transferred"));
    assert_eq!((change.completion, change.transfer), (Completion::Now, Transfer::HandedOver));
    let facts = change.facts;
    assert_eq!(facts.transfer_status.as_deref(), Some("success"));
    assert_eq!(facts.transfer_destination.as_deref(), Some("+14155550177"));
    assert_eq!(facts.transfer_reason.as_deref(), Some("Asked for a person"));
    assert_eq!(facts.transferred_at, time("2026-02-24T13:06:07Z"));
    assert_eq!((facts.caller_phone, facts.caller_address.as_deref()), (None, Some("sip:desk@example.com")));
    assert_eq!(facts.direction, Some(Direction::Outbound));
    let messages = facts.messages.expect("messages");
    assert_eq!(tools(&messages).iter().map(|tool| tool.ok).collect::<Vec<_>>(), [Some(false), Some(true)]);
}

#[test]
fn without_a_success_a_transfer_failed_or_is_open() {
    let of = |turns: Value, used: bool| {
        let metadata = json!({"features_usage": {"transfer_to_number": {"enabled": true, "used": used}}});
        let change = transcription(json!({"transcript": turns, "metadata": metadata}));
        (change.transfer, change.facts.transfer_status)
    };
    let call = json!({"tool_name": "transfer_to_number", "request_id": "1"});
    let failed = json!({"tool_name": "transfer_to_number", "request_id": "1", "is_error": true});
    let turns = |results: Value| json!([{"role": "agent", "tool_calls": [call], "tool_results": results}]);
    assert_eq!(of(turns(json!([failed])), true), (Transfer::Failed, Some("error".into())));
    assert_eq!(of(turns(json!([])), true), (Transfer::Started, None));
    assert_eq!(of(json!([]), true), (Transfer::Started, None), "the turns are left out");
    assert_eq!(of(json!([]), false), (Transfer::None, None));
}

#[test]
fn the_caller_is_the_other_end_of_the_line() {
    let parties = |phone_call: Value, variables: Value| {
        let facts = transcription(json!({
            "metadata": {"phone_call": phone_call},
            "conversation_initiation_client_data": {"dynamic_variables": variables}
        }))
        .facts;
        (facts.direction, facts.caller_phone.map(|phone| phone.to_string()), facts.caller_address)
    };
    let phone = |phone: &str| Some(phone.to_owned());
    let line = json!({"system__caller_id": "+14155550142", "system__called_number": "+14155550101"});
    let inbound = Some(Direction::Inbound);
    assert_eq!(
        parties(json!({"direction": "inbound"}), line.clone()),
        (inbound, phone("+14155550142"), None)
    );
    let outbound = Some(Direction::Outbound);
    assert_eq!(
        parties(json!({"direction": "outbound"}), line.clone()),
        (outbound, phone("+14155550101"), None)
    );
    assert_eq!(parties(json!(null), line), (None, phone("+14155550142"), None));
    assert_eq!(parties(json!(null), json!({"system__caller_id": null})), (Some(Direction::Web), None, None));
    let withheld = json!({"direction": "inbound", "external_number": "anonymous"});
    assert_eq!(parties(withheld, json!({})), (inbound, None, phone("anonymous")));
}

#[test]
fn values_are_also_found_in_the_list_of_what_was_collected() {
    let listed = json!([{"data_collection_id": "email", "value": "robin@example.com"}, {"value": 5}, 7]);
    let facts = transcription(json!({"analysis": {"data_collection_results_list": listed}})).facts;
    assert_eq!(facts.caller_email.as_deref(), Some("robin@example.com"));
    assert_eq!(facts.captured.map(Value::Object), Some(json!({"email": "robin@example.com"})));
}

#[test]
fn a_call_that_never_came_about_has_failed() {
    let twilio = change(fixture(Platform::ElevenLabs, "call_initiation_failure.twilio"));
    assert_eq!((twilio.stage, twilio.completion), (Stage::Ended, Completion::Now));
    let facts = twilio.facts;
    assert_eq!((facts.status, facts.direction), (Some(CallStatus::Failed), Some(Direction::Outbound)));
    assert_eq!((facts.ended_reason.as_deref(), facts.duration_seconds), (Some("no-answer"), Some(0)));
    assert_eq!(facts.caller_phone.map(|phone| phone.to_string()).as_deref(), Some("+14155550144"));
    assert_eq!(facts.carrier_id.as_deref(), Some("CA00000000000000000000000000000157"));
    let sip = change(fixture(Platform::ElevenLabs, "call_initiation_failure.sip")).facts;
    assert_eq!((sip.status, sip.ended_reason.as_deref()), (Some(CallStatus::Failed), Some("busy")));
    assert_eq!(sip.caller_phone.map(|phone| phone.to_string()).as_deref(), Some("+14155550145"));
    assert_eq!((sip.carrier_id.as_deref(), sip.duration_seconds), (Some("sip-call-158"), None));
}

#[test]
fn other_events_change_nothing() {
    let spans = fixture(Platform::ElevenLabs, "post_call_transcription_otel");
    assert_eq!((spans.external_id.as_deref(), spans.changes.len()), (Some("conv_155"), 0));
    for event in ["answering_machine_detection", "unredacted_audio", "an-event-of-next-year"] {
        let parsed = parse(json!({ "type": event }));
        assert_eq!((parsed.event.as_str(), parsed.external_id, parsed.changes), (event, None, vec![]));
    }
}

#[test]
fn what_is_no_message_says_why() {
    let error =
        |body: &str| super::parse(Platform::ElevenLabs, body.as_bytes()).expect_err("unreadable").to_string();
    assert_eq!((error("{}"), error("[]")), ("type is missing".into(), "type is missing".into()));
    let missing = "data.conversation_id is missing";
    for event in ["post_call_transcription", "post_call_audio", "call_initiation_failure"] {
        assert_eq!(error(&json!({"type": event, "data": {}}).to_string()), missing);
    }
    assert!(error("type=post_call_audio").starts_with("the body is not JSON: "));
}

#[test]
fn a_request_that_elevenlabs_signed_is_taken() {
    for (secret, mac) in SECRETS {
        let header = format!("t=1700000000,v0={mac}");
        assert_eq!(verify(only(secret), &header, BODY, SIGNED_AT), Ok(()));
        let rotating = Secrets { current: "other", previous: Some(secret) };
        assert_eq!(verify(rotating, &header, BODY, SIGNED_AT), Ok(()));
    }
    let [(secret, mac), (_, other)] = SECRETS;
    for header in [
        format!("t=1700000000,v0={other},v0={mac}"),
        format!("v0={mac},t=1700000000"),
        format!(" t=1700000000, v0={mac}, v1=something-of-next-year "),
        format!("t=1700000000,v0=zz,v0={mac}"),
    ] {
        assert_eq!(verify(only(secret), &header, BODY, SIGNED_AT), Ok(()), "{header}");
    }
}

#[test]
fn a_request_with_anything_changed_is_not() {
    let [(secret, mac), (_, other)] = SECRETS;
    let header = format!("t=1700000000,v0={mac}");
    let mismatch = Err(Rejection::Mismatch { header: "elevenlabs-signature".into() });
    assert_eq!(verify(only("wsec_other"), &header, BODY, SIGNED_AT), mismatch);
    assert_eq!(verify(only(secret), &header, &[BODY, b" "].concat(), SIGNED_AT), mismatch);
    for header in [
        format!("t=1700000001,v0={mac}"),
        format!("t=01700000000,v0={mac}"),
        format!("t=1700000000,v0={other}"),
        format!("t=1700000000,v0={}", &mac[..62]),
    ] {
        assert_eq!(verify(only(secret), &header, BODY, SIGNED_AT), mismatch, "{header}");
    }
    for nothing in ["", " \n"] {
        assert_eq!(verify(only(nothing), &header, BODY, SIGNED_AT), Err(Rejection::NoSecret));
    }
    for form in [
        mac.to_owned(),
        format!("v0={mac}"),
        format!("t=,v0={mac}"),
        format!("t=-1,v0={mac}"),
        format!("t=1700000000,t=1700000000,v0={mac}"),
        format!("t=99999999999999999,v0={mac}"),
        format!("t=1700000000;v0={mac}"),
        format!("t=1700000000,v1={mac}"),
        "t=1700000000,v0=".into(),
        "t=1700000000,v0=zz".into(),
        "t=1700000000".into(),
    ] {
        let verdict = verify(only(secret), &form, BODY, SIGNED_AT);
        assert!(matches!(verdict, Err(Rejection::Malformed { .. })), "{form}: {verdict:?}");
    }
    assert!(matches!(verify(only(secret), " ", BODY, SIGNED_AT), Err(Rejection::Missing(_))));
}

#[test]
fn a_request_holds_half_an_hour() {
    let [(secret, mac), _] = SECRETS;
    let header = format!("t=1700000000,v0={mac}");
    let after =
        |seconds: i64| verify(only(secret), &header, BODY, SIGNED_AT.plus_micros(seconds * 1_000_000));
    assert_eq!((after(1800), after(-1800)), (Ok(()), Ok(())));
    assert_eq!(after(1801), Err(Rejection::TooOld { age_seconds: 1801, tolerance_seconds: 1800 }));
    assert_eq!(after(-1801), Err(Rejection::TooNew { ahead_seconds: 1801, tolerance_seconds: 1800 }));
}

#[test]
fn there_are_no_settings() {
    let check = |settings: Value| of(Platform::ElevenLabs).check_settings(&settings);
    assert_eq!((check(json!(null)), check(json!({}))), (Ok(()), Ok(())));
    assert!(
        check(json!({"auth": null})).expect_err("no setting").starts_with("settings.auth is not a setting: ")
    );
    assert!(check(json!([])).expect_err("no settings").contains("object"));
}
