//! What holds of everything that a connector reads out of a body, however hostile. The tests and the fuzzer ask it.

use connectors::{Parsed, Question};
use model::{Facts, Message, Phone, Time};
use serde_json::Value;

/// Panics where something does not hold.
pub(crate) fn check(parsed: &Parsed) {
    is_text("event", &parsed.event);
    parsed.event_id.iter().for_each(|id| is_text("event_id", id));
    parsed.external_id.iter().for_each(|id| is_text("external_id", id));
    for change in &parsed.changes {
        is_text("change.external_id", &change.external_id);
        change.at.iter().for_each(|at| is_time("at", *at));
        check_facts(&change.facts);
    }
}

/// Panics where an answer of ours would say nothing.
pub(crate) fn check_question(question: &Question) {
    assert!(!question.within.is_zero());
    for reply in [&question.unset, &question.unanswered] {
        assert!((200..600).contains(&reply.status) && !reply.body.is_empty());
        if reply.content_type == "application/json" {
            serde_json::from_str::<Value>(&reply.body).expect("an answer of ours is JSON");
        }
    }
}

fn check_facts(facts: &Facts) {
    // Everything there is, so that a field that is added is checked too. What is not known is not there.
    for (name, value) in connectors::facts_json(facts) {
        no_nul(&name, &value);
        if let Some(text) = value.as_str() {
            is_text(&name, text);
        }
    }
    for time in [facts.started_at, facts.ended_at, facts.transferred_at].into_iter().flatten() {
        is_time("a time", time);
    }
    if let Some(phone) = &facts.caller_phone {
        let digits = phone.as_str().strip_prefix('+').expect("E.164 begins with a plus");
        assert!((7..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit()));
        assert_eq!(
            Phone::parse(phone.as_str(), None).as_ref(),
            Some(phone),
            "a number is read as it is written"
        );
    }
    assert!(facts.duration_seconds.is_none_or(|seconds| seconds >= 0), "a duration is not negative");
    if let Some(url) = &facts.recording_url {
        assert!(url.starts_with("https://") || url.starts_with("http://"), "a recording is on the web");
    }
    if let Some(assistant) = &facts.assistant {
        is_text("assistant", &assistant.external_id);
        assistant.name.iter().for_each(|name| is_text("assistant.name", name));
    }
    facts.messages.iter().for_each(|messages| assert!(!messages.is_empty(), "no messages are none"));
    facts.messages.iter().flatten().for_each(check_message);
}

fn check_message(message: &Message) {
    assert!(message.offset_seconds.is_none_or(|offset| offset.is_finite() && offset >= 0.0));
    assert!(message.content.is_some() || message.tool.is_some(), "a turn says something");
    message.content.iter().for_each(|content| is_text("content", content));
    if let Some(tool) = &message.tool {
        is_text("tool.name", &tool.name);
        tool.call_id.iter().for_each(|id| is_text("tool.call_id", id));
    }
}

fn is_text(what: &str, text: &str) {
    assert!(!text.trim().is_empty(), "{what} is blank");
    assert!(!text.contains('\0'), "{what} holds a NUL, which PostgreSQL cannot");
}

/// A time is written in UTC and read as it is written, to the millisecond.
fn is_time(what: &str, time: Time) {
    let written = time.to_string();
    assert!(written.ends_with('Z'), "{what} is {written}");
    let read: Time = written.parse().expect("a time that is written can be read");
    assert_eq!(read.micros().div_euclid(1000), time.micros().div_euclid(1000), "{what} is {written}");
}

fn no_nul(what: &str, value: &Value) {
    match value {
        Value::String(text) => assert!(!text.contains('\0'), "{what} holds a NUL, which PostgreSQL cannot"),
        Value::Array(items) => items.iter().for_each(|item| no_nul(what, item)),
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            assert!(!name.contains('\0'), "{what} holds a NUL, which PostgreSQL cannot");
            no_nul(what, field);
        }),
        _ => {}
    }
}
