//! Bland's call object, field by field (docs.bland.ai, Call Details, which the webhook posts as it is).

use model::{AssistantRef, CallStatus, Direction, Facts, Message, Phone, Role, Time, Transfer};
use serde_json::{Map, Value};

use super::status;
use crate::{
    captured::{self, Captured},
    conversation::Conversation,
    read,
};

/// What Bland itself puts among the variables of every call, and what is known from other fields.
const BLANDS_OWN: [&str; 8] =
    ["call_id", "from", "now", "now_utc", "phone_number", "short_from", "short_to", "to"];

/// How far the end of a call may be from what its length makes it, in microseconds.
const END_SLACK: i64 = 60_000_000;

pub(super) fn call(call: &Value, status: CallStatus) -> (Facts, Transfer) {
    let over = status.is_final();
    let started_at = read::time(&call["started_at"]);
    let duration_seconds = duration_seconds(call).filter(|_| over);
    let (transfer, transfer_status) = status::transfer(call, status);
    let (captured, found) = captured(call);
    let facts = Facts {
        status: Some(status),
        ended_reason: over.then(|| ended_reason(call)).flatten(),
        caller_name: found.name,
        caller_email: found.email,
        intent: found.intent,
        urgency: found.urgency,
        started_at,
        ended_at: over.then(|| ended_at(call, started_at, duration_seconds)).flatten(),
        duration_seconds,
        summary: read::text(&call["summary"]),
        transcript: read::text(&call["concatenated_transcript"]),
        messages: conversation(read::list(&call["transcripts"]), started_at),
        recording_url: read::first_url([&call["recording_url"]]),
        transfer_status: transfer_status.map(Into::into),
        transfer_destination: read::text(&call["transferred_to"]),
        transferred_at: read::time(&call["transferred_at"]),
        captured,
        ..parties(call)
    };
    (facts, transfer)
}

fn ended_reason(call: &Value) -> Option<String> {
    read::first_text([&call["error_message"], &call["status"], &call["queue_status"]])
}

/// Who called whom. A call that does not say is taken for one that Bland made, which is what Bland is mostly used for.
fn parties(call: &Value) -> Facts {
    let inbound = read::flag(&call["inbound"]);
    let (theirs, ours) = match inbound {
        Some(true) => (&call["from"], &call["to"]),
        Some(false) | None => (&call["to"], &call["from"]),
    };
    let number = read::text(theirs);
    let caller_phone = number.as_deref().and_then(|number| Phone::parse(number, None));
    // Inbound, a number stands for the assistant that answers it. Outbound calls come from any number of a pool.
    let line = if inbound == Some(true) { read::text(ours) } else { None };
    Facts {
        caller_address: number.filter(|_| caller_phone.is_none()),
        caller_phone,
        direction: inbound.map(|inbound| if inbound { Direction::Inbound } else { Direction::Outbound }),
        assistant: read::id(&call["pathway_id"])
            .or(line)
            .map(|external_id| AssistantRef { external_id, name: None }),
        ..Facts::default()
    }
}

/// `corrected_duration` is in seconds, and the carrier's; `call_length` is in minutes, and Bland's own.
fn duration_seconds(call: &Value) -> Option<i64> {
    let corrected = read::number(&call["corrected_duration"]).and_then(read::whole_seconds);
    let minutes = || read::number(&call["call_length"]);
    corrected.or_else(|| read::whole_seconds(minutes()? * 60.0))
}

/// `end_at` is documented as the time at which Bland would end the call if it still went on, and captured as the time
/// at which it did end. A call's length tells which of the two it is.
fn ended_at(call: &Value, started_at: Option<Time>, duration_seconds: Option<i64>) -> Option<Time> {
    let told = read::time(&call["end_at"]);
    let counted = started_at.zip(duration_seconds);
    let counted = counted.map(|(start, seconds)| start.plus_micros(seconds.saturating_mul(1_000_000)));
    match (told, counted) {
        (Some(told), Some(counted)) if told > counted.plus_micros(END_SLACK) => Some(counted),
        _ => told,
    }
}

/// What the analysis and the pathway filled in. The variables are also what the call was given to start with, among
/// which a plain `name` may be anybody's.
fn captured(call: &Value) -> (Option<Map<String, Value>>, Captured) {
    let analysis = filled(&call["analysis"]);
    let mut fields = filled(&call["variables"]);
    fields.retain(|name, _| !BLANDS_OWN.contains(&name.as_str()));
    let found = captured::find(&analysis).or(captured::find_telling(&fields));
    fields.extend(analysis);
    ((!fields.is_empty()).then_some(fields), found)
}

fn filled(fields: &Value) -> Map<String, Value> {
    let fields = read::object(fields).unwrap_or_default().into_iter();
    fields.filter_map(|(name, value)| Some((name, read::plain(&value)?))).collect()
}

fn conversation(turns: &[Value], started_at: Option<Time>) -> Option<Vec<Message>> {
    let mut conversation = Conversation::default();
    for turn in turns {
        let role = match turn["user"].as_str().unwrap_or_default() {
            "assistant" | "agent" | "bot" | "ai" => Role::Assistant,
            "user" | "human" | "customer" => Role::User,
            // `robot` is the line itself, `agent-action` a step of the assistant.
            _ => Role::System,
        };
        let offset = started_at.zip(read::time(&turn["created_at"]));
        let offset = offset.filter(|(start, at)| at >= start).map(|(start, at)| millis(start, at));
        conversation.said(role, read::text(&turn["text"]), offset);
    }
    conversation.finish()
}

/// Seconds to the millisecond.
fn millis(start: Time, at: Time) -> f64 {
    (at.since(start).as_secs_f64() * 1000.0).round() / 1000.0
}
