//! ElevenLabs' conversations, field by field (elevenlabs.io/docs, Post-call webhooks and Get conversation).

use model::{AssistantRef, CallStatus, Direction, Facts, Message, Phone, Role, Time, Transfer};
use serde_json::{Map, Value};

use crate::{
    captured,
    conversation::{self, Answer, Conversation, Invocation},
    read,
};

/// ElevenLabs' own tool that hands the caller to a person.
const TRANSFER_TOOL: &str = "transfer_to_number";

/// A conversation with its analysis.
pub(super) fn transcription(data: &Value) -> (Facts, Transfer) {
    let (metadata, analysis) = (&data["metadata"], &data["analysis"]);
    let status = status(&data["status"]);
    let started_at = read::time(&metadata["start_time_unix_secs"]);
    let seconds = read::number(&metadata["call_duration_secs"]).and_then(read::whole_seconds);
    let duration_seconds = seconds.filter(|_| status.is_final());
    let messages = conversation(read::list(&data["transcript"]));
    let handover = handover(metadata, messages.as_deref().unwrap_or_default(), started_at);
    let captured = captured(analysis);
    let found = captured.as_ref().map(captured::find).unwrap_or_default();
    let given = read::object(variables(data)).as_ref().map(captured::find_telling).unwrap_or_default();
    let found = found.or(given);
    let facts = Facts {
        status: Some(status),
        ended_reason: status.is_final().then(|| ended_reason(metadata)).flatten(),
        caller_name: found.name,
        caller_email: found.email,
        intent: found.intent,
        urgency: found.urgency,
        started_at,
        ended_at: started_at.zip(duration_seconds).map(|(start, seconds)| after(start, seconds)),
        duration_seconds,
        summary: read::text(&analysis["transcript_summary"]),
        transcript: messages.as_deref().and_then(as_text),
        messages,
        transfer_status: handover.status,
        transfer_destination: handover.destination,
        transfer_reason: handover.reason,
        transferred_at: handover.at,
        captured,
        ..parties(data)
    };
    (facts, handover.transfer)
}

/// An outbound call that never came about. What the carrier said of it is in Twilio's words or in those of SIP.
pub(super) fn initiation_failure(data: &Value) -> Facts {
    let carrier = &data["metadata"]["body"];
    let called = [&carrier["To"], &carrier["Called"], &carrier["to_number"]].into_iter().find_map(number);
    let (caller_phone, caller_address) = phone_or_address(called);
    let duration = read::number(&carrier["CallDuration"]).or_else(|| read::number(&carrier["Duration"]));
    Facts {
        status: Some(CallStatus::Failed),
        ended_reason: read::text(&data["failure_reason"]),
        caller_phone,
        caller_address,
        direction: Some(Direction::Outbound),
        duration_seconds: duration.and_then(read::whole_seconds),
        assistant: assistant(data),
        carrier_id: read::first_text([&carrier["CallSid"], &carrier["call_sid"]]),
        ..Facts::default()
    }
}

/// Where the conversation stands. The message comes after its end, so a word that is not known means the usual.
fn status(word: &Value) -> CallStatus {
    match word.as_str() {
        Some("initiated" | "in-progress" | "processing") => CallStatus::InProgress,
        Some("failed") => CallStatus::Failed,
        _ => CallStatus::Completed,
    }
}

fn ended_reason(metadata: &Value) -> Option<String> {
    let error = &metadata["error"];
    read::first_text([&metadata["termination_reason"], &error["reason"], error])
}

/// Who spoke with whom.
fn parties(data: &Value) -> Facts {
    let (phone_call, variables) = (&data["metadata"]["phone_call"], variables(data));
    let direction = direction(phone_call, variables);
    // The variables name both ends of the line, without saying which of them is the assistant's.
    let other_end = match direction {
        Some(Direction::Outbound) => &variables["system__called_number"],
        Some(Direction::Inbound | Direction::Web) | None => &variables["system__caller_id"],
    };
    let told = number(&phone_call["external_number"]).or_else(|| number(other_end));
    let (caller_phone, caller_address) = phone_or_address(told);
    Facts {
        caller_phone,
        caller_address,
        direction,
        assistant: assistant(data),
        carrier_id: read::first_text([&phone_call["call_sid"], &variables["system__call_sid"]]),
        ..Facts::default()
    }
}

fn variables(data: &Value) -> &Value {
    &data["conversation_initiation_client_data"]["dynamic_variables"]
}

/// A conversation without a phone call took place in a browser or an app, unless it knows a caller's number.
fn direction(phone_call: &Value, variables: &Value) -> Option<Direction> {
    match phone_call["direction"].as_str() {
        Some("inbound") => Some(Direction::Inbound),
        Some("outbound") => Some(Direction::Outbound),
        _ if phone_call.is_object() || number(&variables["system__caller_id"]).is_some() => None,
        _ => Some(Direction::Web),
    }
}

fn assistant(data: &Value) -> Option<AssistantRef> {
    let external_id = read::id(&data["agent_id"])?;
    Some(AssistantRef { external_id, name: read::text(&data["agent_name"]) })
}

/// A number as text. One that is written as a number of JSON has lost its `+`.
fn number(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) if number.is_u64() => Some(format!("+{number}")),
        _ => read::text(value),
    }
}

fn phone_or_address(told: Option<String>) -> (Option<Phone>, Option<String>) {
    match told.as_deref().and_then(|number| Phone::parse(number, None)) {
        Some(phone) => (Some(phone), None),
        None => (None, told),
    }
}

/// The values that were collected, under their names, without what the analysis says of each.
fn captured(analysis: &Value) -> Option<Map<String, Value>> {
    let listed = read::list(&analysis["data_collection_results_list"]).iter();
    let listed = listed.filter_map(|result| Some((read::text(&result["data_collection_id"])?, result)));
    let named = analysis["data_collection_results"].as_object().into_iter().flatten();
    let named = named.map(|(name, result)| (name.replace('\0', ""), result));
    let collected = |(name, result): (String, &Value)| Some((name, read::plain(&result["value"])?));
    let fields: Map<_, _> = listed.chain(named).filter_map(collected).collect();
    (!fields.is_empty()).then_some(fields)
}

fn conversation(turns: &[Value]) -> Option<Vec<Message>> {
    let mut conversation = Conversation::default();
    for turn in turns {
        let offset = read::offset_seconds(&turn["time_in_call_secs"]);
        let role = match turn["role"].as_str().unwrap_or_default() {
            "agent" | "assistant" | "bot" | "ai" => Role::Assistant,
            "user" | "human" | "customer" => Role::User,
            _ => Role::System,
        };
        // Turns that only use a tool have no words.
        conversation.said(role, read::text(&turn["message"]), offset);
        for call in read::list(&turn["tool_calls"]) {
            conversation.invoked(invocation(call), offset);
        }
        for result in read::list(&turn["tool_results"]) {
            conversation.answered(answer(result), offset);
        }
    }
    conversation.finish()
}

fn invocation(call: &Value) -> Invocation {
    Invocation {
        name: read::text(&call["tool_name"]),
        call_id: read::id(&call["request_id"]),
        arguments: read::json(&call["params_as_json"]),
    }
}

fn answer(answer: &Value) -> Answer {
    // ElevenLabs' own tools answer in an object, of which the text is a rendering.
    let own = Some(&answer["result"]).filter(|result| result.is_object());
    let result = read::json(own.unwrap_or(&answer["result_value"]));
    let got_through = read::flag(&answer["is_error"]).map(|is_error| !is_error);
    let ok = [got_through, result.as_ref().and_then(conversation::worked)];
    Answer {
        name: read::text(&answer["tool_name"]),
        call_id: read::id(&answer["request_id"]),
        ok: conversation::verdict(ok),
        result,
    }
}

/// What was said, one line for each turn, in ElevenLabs' words for who spoke.
fn as_text(messages: &[Message]) -> Option<String> {
    let line = |message: &Message| {
        let speaker = match message.role {
            Role::Assistant => "Agent",
            Role::User => "User",
            Role::Tool | Role::System => return None,
        };
        message.content.as_ref().map(|content| format!("{speaker}: {content}"))
    };
    let lines: Vec<_> = messages.iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// How far the caller was handed to a person.
#[derive(Default)]
struct Handover {
    transfer: Transfer,
    status: Option<String>,
    destination: Option<String>,
    reason: Option<String>,
    at: Option<Time>,
}

/// The attempt that got furthest, and of two equally far the later one. Without the turns, all there is to go by is
/// that the tool was used.
fn handover(metadata: &Value, messages: &[Message], started_at: Option<Time>) -> Handover {
    let attempts = messages.iter().filter_map(|message| attempt(message, started_at));
    let used = read::flag(&metadata["features_usage"][TRANSFER_TOOL]["used"]) == Some(true);
    let transfer = if used { Transfer::Started } else { Transfer::None };
    let furthest = attempts.max_by_key(|attempt| attempt.transfer);
    furthest.unwrap_or(Handover { transfer, ..Handover::default() })
}

fn attempt(message: &Message, started_at: Option<Time>) -> Option<Handover> {
    let tool = message.tool.as_ref().filter(|tool| tool.name == TRANSFER_TOOL)?;
    let asked = tool.arguments.as_ref().unwrap_or(&Value::Null);
    let answered = tool.result.as_ref().unwrap_or(&Value::Null);
    let (transfer, word) = match tool.ok {
        Some(true) => (Transfer::HandedOver, Some("success")),
        Some(false) => (Transfer::Failed, Some("error")),
        None => (Transfer::Started, None),
    };
    let offset = message.offset_seconds.and_then(read::whole_seconds);
    let at = started_at.zip(offset).filter(|_| transfer == Transfer::HandedOver);
    Some(Handover {
        transfer,
        status: read::text(&answered["status"]).or_else(|| word.map(Into::into)),
        destination: read::first_text([
            &answered["transfer_number"],
            &asked["transfer_number"],
            &asked["phone_number"],
            &asked["sip_uri"],
        ]),
        reason: read::first_text([&asked["reason"], &answered["reason"]]),
        at: at.map(|(start, seconds)| after(start, seconds)),
    })
}

fn after(start: Time, seconds: i64) -> Time {
    start.plus_micros(seconds.saturating_mul(1_000_000))
}
