//! Retell's call object, field by field (docs.retellai.com, Webhook Overview and Get Call).

use model::{AssistantRef, CallStatus, Direction, Facts, Message, Phone, RecordedAt, Role, Variant};
use serde_json::Value;

use super::status;
use crate::{
    captured,
    conversation::{self, Answer, Conversation, Invocation},
    read,
};

pub(super) fn started(call: &Value) -> Facts {
    Facts { status: Some(CallStatus::InProgress), ..common(call) }
}

pub(super) fn transfer_started(body: &Value) -> Facts {
    Facts { status: Some(CallStatus::Forwarding), ..transfer_step(body, "started") }
}

pub(super) fn transfer_bridged(body: &Value) -> Facts {
    Facts { transferred_at: read::time(&body["event_timestamp"]), ..transfer_step(body, "bridged") }
}

/// An event of a transfer, where `word` is how it stands.
pub(super) fn transfer_step(body: &Value, word: &str) -> Facts {
    let call = &body["call"];
    Facts {
        transfer_status: Some(word.into()),
        transfer_destination: destination(&body["transfer_destination"])
            .or_else(|| destination(&call["transfer_destination"])),
        transfer_reason: messages(call).and_then(|messages| conversation::transfer_reason(&messages)),
        ..common(call)
    }
}

pub(super) fn ended(call: &Value) -> Facts {
    let ended_reason = read::text(&call["disconnection_reason"]);
    let call_status = read::text(&call["call_status"]);
    let transfer_status = ended_reason.as_deref().and_then(status::transfer_status);
    let messages = messages(call);
    let transfer_reason = transfer_status.and(messages.as_deref()).and_then(conversation::transfer_reason);
    Facts {
        status: Some(status::status(ended_reason.as_deref(), call_status.as_deref())),
        ended_at: read::time(&call["end_timestamp"]),
        duration_seconds: read::number(&call["duration_ms"]).and_then(|ms| read::whole_seconds(ms / 1000.0)),
        transcript: read::text(&call["transcript"]),
        // The scrubbed ones are all there is where the account keeps no personal data.
        recording_url: read::first_url([&call["recording_url"], &call["scrubbed_recording_url"]]),
        recordings: stereo(call),
        transfer_status: transfer_status.map(Into::into),
        transfer_destination: destination(&call["transfer_destination"]),
        messages,
        transfer_reason,
        ended_reason,
        ..common(call)
    }
}

/// The recording with each side in a channel.
fn stereo(call: &Value) -> Vec<RecordedAt> {
    let places = [&call["recording_multi_channel_url"], &call["scrubbed_recording_multi_channel_url"]];
    let url = read::first_url(places);
    url.into_iter().map(|url| RecordedAt { variant: Variant::Stereo, url }).collect()
}

pub(super) fn analyzed(call: &Value) -> Facts {
    let analysis = &call["call_analysis"];
    let captured = read::object(&analysis["custom_analysis_data"]);
    let facts = ended(call);
    let found = captured.as_ref().map(captured::find).unwrap_or_default();
    Facts {
        summary: read::text(&analysis["call_summary"]),
        caller_name: found.name.or(facts.caller_name),
        caller_email: found.email.or(facts.caller_email),
        intent: found.intent.or(facts.intent),
        urgency: found.urgency.or(facts.urgency),
        captured,
        ..facts
    }
}

/// What every event about a call may tell. Fields are picked one by one: the object also holds the token that lets a
/// browser into the call (`access_token`), which must go nowhere.
fn common(call: &Value) -> Facts {
    let direction = direction(call);
    let number = match direction {
        Some(Direction::Inbound) => &call["from_number"],
        Some(Direction::Outbound) => &call["to_number"],
        Some(Direction::Web) | None => &Value::Null,
    };
    let number = read::text(number);
    let caller_phone = number.as_deref().and_then(|number| Phone::parse(number, None));
    let collected = read::object(&call["collected_dynamic_variables"]).unwrap_or_default();
    let given = read::object(&call["retell_llm_dynamic_variables"]).unwrap_or_default();
    let found = captured::find_telling(&collected);
    Facts {
        caller_address: number.filter(|_| caller_phone.is_none()),
        caller_phone,
        caller_name: found.name.or_else(|| captured::find_telling(&given).name),
        caller_email: found.email,
        intent: found.intent,
        urgency: found.urgency,
        direction,
        started_at: read::time(&call["start_timestamp"]),
        assistant: read::id(&call["agent_id"])
            .map(|external_id| AssistantRef { external_id, name: read::text(&call["agent_name"]) }),
        carrier_id: read::text(&call["telephony_identifier"]["twilio_call_sid"]),
        ..Facts::default()
    }
}

fn direction(call: &Value) -> Option<Direction> {
    if call["call_type"] == "web_call" {
        return Some(Direction::Web);
    }
    match call["direction"].as_str()? {
        "inbound" => Some(Direction::Inbound),
        "outbound" => Some(Direction::Outbound),
        _ => None,
    }
}

/// A number or a SIP address, by itself or in an object.
fn destination(value: &Value) -> Option<String> {
    read::first_text([value, &value["number"], &value["sip_uri"]])
}

/// The fullest form of the conversation that there is.
fn messages(call: &Value) -> Option<Vec<Message>> {
    ["transcript_with_tool_calls", "transcript_object", "scrubbed_transcript_with_tool_calls"]
        .into_iter()
        .find_map(|name| conversation(read::list(&call[name])))
}

fn conversation(turns: &[Value]) -> Option<Vec<Message>> {
    let mut conversation = Conversation::default();
    for turn in turns {
        // Turns without words, such as uses of a tool, may have a time of their own.
        let offset = read::offset_seconds(&turn["words"][0]["start"])
            .or_else(|| read::offset_seconds(&turn["time_sec"]));
        let content = read::text(&turn["content"]);
        match turn["role"].as_str().unwrap_or_default() {
            "agent" | "assistant" | "bot" | "ai" => conversation.said(Role::Assistant, content, offset),
            "user" | "human" | "customer" => conversation.said(Role::User, content, offset),
            "tool_call_invocation" => conversation.invoked(invocation(turn), offset),
            "tool_call_result" => conversation.answered(answer(turn), offset),
            role => conversation.said(Role::System, aside(role, turn, content), offset),
        }
    }
    conversation.finish()
}

/// What a turn that is neither the assistant's nor the caller's comes to, in words.
fn aside(role: &str, turn: &Value, content: Option<String>) -> Option<String> {
    match role {
        "dtmf" => read::id(&turn["digit"]).or(content).map(|digit| format!("Pressed {digit}")),
        "node_transition" => {
            read::text(&turn["new_node_name"]).map(|node| format!("Moved on to {node}")).or(content)
        }
        "sms" => content.map(|content| format!("Text message: {content}")),
        "transfer_target" => content.map(|content| format!("Transfer target: {content}")),
        _ => content,
    }
}

fn invocation(turn: &Value) -> Invocation {
    Invocation {
        name: read::text(&turn["name"]),
        call_id: read::id(&turn["tool_call_id"]),
        arguments: read::json(&turn["arguments"]),
    }
}

fn answer(turn: &Value) -> Answer {
    let result = read::json(&turn["content"]);
    // `successful` tells of the request; the answer may still be that the slot is taken.
    let ok = [read::flag(&turn["successful"]), result.as_ref().and_then(conversation::worked)];
    Answer {
        name: read::text(&turn["name"]),
        call_id: read::id(&turn["tool_call_id"]),
        ok: conversation::verdict(ok),
        result,
    }
}
