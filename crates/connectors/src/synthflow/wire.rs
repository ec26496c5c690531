//! Synthflow's post-call object, field by field (docs.synthflow.ai, Webhooks).

use model::{AssistantRef, Direction, Facts, Message, Phone, Role, Time, Transfer};
use serde_json::{Map, Value};

use super::{actions::Action, status};
use crate::{
    captured,
    conversation::{self, Conversation},
    read,
};

pub(super) fn facts(body: &Value) -> (Facts, Transfer) {
    // Some accounts have the call's fields beside the others.
    let call = if body["call"].is_object() { &body["call"] } else { body };
    let status_word = read::first_text([&call["status"], &body["status"]]);
    let ended_reason = ended_reason(body, call, status_word.as_deref());
    let status = status::status(status_word.as_deref(), ended_reason.as_deref());
    let actions = Action::all(&body["executed_actions"]);
    let messages = messages(&call["transcript"], &actions);
    let transfer = transfer(ended_reason.as_deref(), &actions);
    let started_at = read::time(&call["start_time"]);
    // Of a call under way it is only how long it has taken so far.
    let seconds = read::number(&call["duration"]).filter(|_| status.is_final());
    let facts = Facts {
        status: Some(status),
        direction: direction(call),
        started_at,
        ended_at: started_at.zip(seconds).and_then(ended_at),
        duration_seconds: seconds.and_then(read::whole_seconds),
        transcript: read::text(&call["transcript"]),
        recording_url: read::first_url([&call["recording_url"], &body["recording_url"]]),
        transfer_status: transfer_status(transfer).map(Into::into),
        transfer_destination: actions.iter().rev().find_map(Action::transfer_destination),
        transfer_reason: match transfer {
            Transfer::None => None,
            _ => messages.as_deref().and_then(conversation::transfer_reason),
        },
        assistant: read::id(&call["model_id"])
            .map(|external_id| AssistantRef { external_id, name: read::text(&call["model_name"]) }),
        messages,
        ended_reason,
        ..caller(&body["lead"], call, captured_fields(body, &actions))
    };
    (facts, transfer)
}

/// Who called and what they wanted.
fn caller(lead: &Value, call: &Value, captured: Map<String, Value>) -> Facts {
    let found = captured::find(&captured);
    let number = read::first_text([&lead["phone_number"], &call["lead_phone_number"]]);
    let caller_phone = number.as_deref().and_then(|number| Phone::parse(number, None));
    Facts {
        caller_address: number.filter(|_| caller_phone.is_none()),
        caller_phone,
        caller_name: read::first_text([&lead["name"], &call["lead_name"]]).or(found.name),
        caller_email: captured::email(&lead["email"])
            .or(found.email)
            .or_else(|| captured.get("user_email").and_then(captured::email)),
        intent: found.intent,
        urgency: found.urgency,
        captured: (!captured.is_empty()).then_some(captured),
        ..Facts::default()
    }
}

/// Why the call ended. In Synthflow's own sample the reason stands in the field for an error, and the field for the
/// reason repeats the status.
fn ended_reason(body: &Value, call: &Value, status: Option<&str>) -> Option<String> {
    let reason = read::text(&call["end_call_reason"]);
    let error = read::first_text([&call["error_message"], &body["error_message"]]);
    match reason {
        Some(reason) if Some(reason.as_str()) != status => Some(reason),
        repeated => error.or(repeated),
    }
}

fn ended_at((started_at, seconds): (Time, f64)) -> Option<Time> {
    // Longer than the longest call is no duration.
    read::whole_seconds(seconds)?;
    Some(started_at.plus_micros((seconds * 1e6) as i64))
}

fn direction(call: &Value) -> Option<Direction> {
    let word =
        read::first_text([&call["type_of_call"], &call["call_type"], &call["direction"], &call["type"]]);
    let word = word?.to_lowercase();
    let known = [("inbound", Direction::Inbound), ("outbound", Direction::Outbound), ("web", Direction::Web)];
    known.into_iter().find(|(name, _)| word.contains(name)).map(|(_, direction)| direction)
}

/// Only an action that went wrong tells that a transfer failed. That one went well does not tell that anybody
/// answered: the reason for the end does.
fn transfer(ended_reason: Option<&str>, actions: &[Action]) -> Transfer {
    let by_reason = ended_reason.map_or(Transfer::None, status::transfer);
    let by_action = |action: &Action| match action.ok {
        Some(false) => Transfer::Failed,
        _ => Transfer::Started,
    };
    let attempts = actions.iter().filter(|action| action.is_of("transfer")).map(by_action);
    attempts.fold(by_reason, Transfer::max)
}

fn transfer_status(transfer: Transfer) -> Option<&'static str> {
    match transfer {
        Transfer::None => None,
        Transfer::Started => Some("started"),
        Transfer::Failed => Some("failed"),
        Transfer::HandedOver | Transfer::Ended => Some("transferred"),
    }
}

/// What the agent collected, and what was extracted from the conversation afterwards.
fn captured_fields(body: &Value, actions: &[Action]) -> Map<String, Value> {
    let mut fields = Map::new();
    for action in actions.iter().filter(|action| action.is_of("extract")) {
        if let Some(Value::Object(extracted)) = &action.result {
            fields.extend(extracted.clone());
        }
    }
    for (name, variable) in body["collected_variables"].as_object().into_iter().flatten() {
        let value = if variable.is_object() { &variable["value"] } else { variable };
        if let Some(value) = read::json(value) {
            fields.insert(name.replace('\0', ""), value);
        }
    }
    fields
}

fn messages(transcript: &Value, actions: &[Action]) -> Option<Vec<Message>> {
    let mut conversation = Conversation::default();
    for (role, content) in turns(transcript.as_str().unwrap_or_default()) {
        conversation.said(role, read::text(&content.into()), None);
    }
    // Nothing tells when in the conversation they were done.
    for action in actions {
        action.tell(&mut conversation);
    }
    conversation.finish()
}

/// The turns of a text in which each begins with `bot:` or `human:` on a new line.
fn turns(transcript: &str) -> Vec<(Role, String)> {
    let mut turns: Vec<(Role, String)> = Vec::new();
    for line in transcript.lines() {
        match (speaker(line), turns.last_mut()) {
            (Some((role, content)), _) => turns.push((role, content.trim().to_owned())),
            (None, Some((_, content))) => {
                content.push('\n');
                content.push_str(line.trim_end());
            }
            // Words before the first speaker are nobody's.
            (None, None) => {}
        }
    }
    turns
}

fn speaker(line: &str) -> Option<(Role, &str)> {
    let (name, content) = line.trim_start().split_once(':')?;
    match name.to_lowercase().as_str() {
        "bot" | "agent" | "assistant" | "ai" => Some((Role::Assistant, content)),
        "human" | "user" | "customer" | "lead" => Some((Role::User, content)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_goes_on_until_the_next_speaker() {
        let text =
            "before\nbot:  Hello.\nAre you there?\n\nNote: yes\nhuman: Yes. Who is it? bot: me\nBOT:\n";
        let expected = [
            (Role::Assistant, "Hello.\nAre you there?\n\nNote: yes"),
            (Role::User, "Yes. Who is it? bot: me"),
            (Role::Assistant, ""),
        ];
        assert_eq!(turns(text), expected.map(|(role, content)| (role, content.to_owned())));
        assert_eq!(turns(""), []);
    }
}
