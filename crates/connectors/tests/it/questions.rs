//! Messages that ask something: which do, how long the platform waits, and what it is told where nobody answers.
//! What goes over the wire then is tried in the server's tests.

use std::time::Duration;

use connectors::{Expects, Question};
use http::HeaderMap;
use model::Platform;
use serde_json::{Value, json};

use super::{of, request};

fn question(platform: Platform, settings: &Value, body: &str) -> Option<Question> {
    let headers = HeaderMap::new();
    let request = request(&headers, body.as_bytes());
    let parsed = of(platform).parse(settings, &request).expect("a message");
    of(platform).question(settings, &request, &parsed)
}

fn of_vapi(message: Value) -> Option<Question> {
    question(Platform::Vapi, &Value::Null, &json!({ "message": message }).to_string())
}

#[test]
fn vapi_waits_for_an_assistant_less_long_than_for_a_tool() {
    let within = |kind: &str| of_vapi(json!({"type": kind})).map(|question| question.within);
    assert_eq!(within("assistant-request"), Some(Duration::from_millis(7500)));
    assert_eq!(within("tool-calls"), Some(Duration::from_secs(20)));
    for told in ["status-update", "end-of-call-report", "conversation-update", "hang", "tomorrow's news"] {
        let message = json!({"type": told, "status": "ringing", "endedReason": "x", "call": {"id": "c"}});
        assert_eq!(of_vapi(message), None, "{told}");
    }
}

/// The ids and names to which there is a result.
fn results(message: Value) -> Vec<(Value, Value)> {
    let body = of_vapi(message).expect("a question").unset.body;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let results = body["results"].as_array().expect("a list").iter();
    results.map(|result| (result["toolCallId"].clone(), result["name"].clone())).collect()
}

#[test]
fn a_tool_that_is_used_in_a_chat_is_answered_too() {
    let message =
        json!({"type": "tool-calls", "chat": {"id": "h"}, "toolCallList": [{"id": "t1", "name": "book"}]});
    let parsed = super::parse(Platform::Vapi, json!({ "message": message }).to_string().as_bytes());
    let parsed = parsed.expect("a message");
    assert_eq!((parsed.external_id, parsed.changes.len()), (None, 0), "it is about no call");
    assert_eq!(results(message), [(json!("t1"), json!("book"))]);
}

#[test]
fn each_use_of_a_tool_gets_its_result_in_whichever_list_it_comes() {
    let call = json!({"id": "t1", "type": "function", "function": {"name": "book", "arguments": "{}"}});
    let wrapped = json!({"type": "function", "name": "book", "toolCall": {"id": "t1", "parameters": {}}});
    let expected = vec![(json!("t1"), json!("book"))];
    for (list, item) in [("toolCallList", &call), ("toolCalls", &call), ("toolWithToolCallList", &wrapped)] {
        assert_eq!(results(json!({"type": "tool-calls", list: [item]})), expected, "{list}");
    }
    assert_eq!(results(json!({"type": "tool-calls", "toolCallList": [], "toolCalls": "none"})), []);
}

#[test]
fn twilio_s_request_for_instructions_is_told_from_its_callbacks() {
    let twilio = |form: &str| question(Platform::Twilio, &Value::Null, form);
    let request = include_str!("../../fixtures/twilio/voice-request.urlencoded");
    let asked = twilio(request).expect("a question");
    assert_eq!((asked.within, asked.expects), (Duration::from_secs(15), Expects::Anything));
    assert!(twilio(&request.replace("ringing", "in-progress")).is_some());
    for callback in [
        format!("{request}&CallbackSource=call-progress-events&SequenceNumber=0"),
        format!("{request}&Timestamp=Tue%2C+24+Feb+2026+21%3A00%3A00+%2B0000"),
        request.replace("ringing", "completed") + "&CallDuration=12",
        request.replace("ringing", "no-answer"),
        format!(
            "{request}&RecordingStatus=completed&RecordingSid=RE1&RecordingUrl=https%3A%2F%2Fexample.com"
        ),
    ] {
        assert_eq!(twilio(&callback), None, "{callback}");
    }
}

#[test]
fn a_message_that_is_like_a_platform_s_asks_what_that_platform_asks() {
    let inner = json!({"message": {"type": "tool-calls", "toolCallList": [{"id": "t1", "name": "book"}]}});
    let like = json!({"like": "vapi"});
    let own = question(Platform::Custom, &like, &inner.to_string()).expect("a question");
    assert_eq!(Some(&own), question(Platform::Vapi, &Value::Null, &inner.to_string()).as_ref());
    let rooted = json!({"like": "vapi", "root": "$.wrapped"});
    for wrapped in [json!({ "wrapped": inner }), json!({ "wrapped": inner.to_string() })] {
        assert_eq!(question(Platform::Custom, &rooted, &wrapped.to_string()).as_ref(), Some(&own));
    }
    let told = json!({"message": {"type": "conversation-update"}}).to_string();
    assert_eq!(question(Platform::Custom, &like, &told), None);
    assert_eq!(question(Platform::Custom, &Value::Null, r#"{"call_id": "c", "status": "completed"}"#), None);
}
