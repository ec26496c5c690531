//! Telnyx's events, field by field (developers.telnyx.com, API reference, Callbacks).

use model::{AssistantRef, CallStatus, Direction, Facts, Phone, Time};
use serde_json::{Map, Value};

use super::{settings::Settings, status};
use crate::{captured, read};

/// The only event that says which way the call goes.
pub(super) fn initiated(data: &Value, settings: Settings) -> Facts {
    let direction = match data["payload"]["direction"].as_str() {
        Some("incoming") => Some(Direction::Inbound),
        Some("outgoing") => Some(Direction::Outbound),
        _ => settings.direction,
    };
    in_progress(data, Settings { direction })
}

pub(super) fn in_progress(data: &Value, settings: Settings) -> Facts {
    let payload = &data["payload"];
    Facts {
        status: Some(CallStatus::InProgress),
        started_at: read::time(&payload["start_time"]),
        ..common(payload, settings)
    }
}

pub(super) fn hangup(data: &Value, settings: Settings) -> Facts {
    let payload = &data["payload"];
    let ended_reason = read::text(&payload["hangup_cause"]);
    let started_at = read::time(&payload["start_time"]);
    let ended_at = read::time(&payload["end_time"]).or_else(|| read::time(&data["occurred_at"]));
    Facts {
        status: Some(status::status(ended_reason.as_deref(), sip_code(payload))),
        // Told, so that it wins over the length of the conversation, which is but a part of the call.
        duration_seconds: started_at.zip(ended_at).and_then(|(start, end)| seconds_between(start, end)),
        started_at,
        ended_at,
        ended_reason,
        ..common(payload, settings)
    }
}

/// The assistant's part of the call is over. Where nothing else is sent, that is all there is to know of its end.
pub(super) fn conversation_ended(data: &Value, settings: Settings) -> Facts {
    let payload = &data["payload"];
    let ended_reason = read::text(&payload["reason"]);
    let ended_at = read::time(&data["occurred_at"]);
    let duration_seconds = read::number(&payload["duration_sec"]).and_then(read::whole_seconds);
    let before_end = |seconds: i64| ended_at.map(|end| end.plus_micros(seconds * -1_000_000));
    Facts {
        status: Some(status::status(ended_reason.as_deref(), None)),
        started_at: duration_seconds.and_then(before_end),
        ended_at,
        duration_seconds,
        ended_reason,
        ..common(payload, settings)
    }
}

/// What the account's insights found. Each is a text, or a form that was filled in; only their ids are given, so the
/// longest text is taken for the summary.
pub(super) fn insights(payload: &Value) -> Facts {
    let mut fields = Map::new();
    let mut texts = Vec::new();
    for insight in results(payload) {
        let id = read::id(&insight["insight_id"]);
        match (read::object(&insight["result"]), read::plain(&insight["result"])) {
            (Some(form), _) => {
                for (name, value) in form {
                    fields.entry(name).or_insert(value);
                }
            }
            (None, Some(Value::String(text))) => texts.push((id, text)),
            (None, Some(other)) => fields.extend(id.map(|id| (id, other))),
            (None, None) => {}
        }
    }
    let summary = summary(&mut texts).or_else(|| read::first_text(fields.get("summary")));
    fields.extend(texts.into_iter().filter_map(|(id, text)| Some((id?, Value::String(text)))));
    let found = captured::find(&fields);
    Facts {
        summary,
        caller_name: found.name,
        caller_email: found.email,
        intent: found.intent,
        urgency: found.urgency,
        captured: (!fields.is_empty()).then_some(fields),
        assistant: assistant(payload),
        ..Facts::default()
    }
}

/// Takes the longest text out. A single word is the answer to a question, and sums up nothing.
fn summary(texts: &mut Vec<(Option<String>, String)>) -> Option<String> {
    let sentences = texts.iter().enumerate().filter(|(_, (_, text))| text.contains(char::is_whitespace));
    let (place, _) = sentences.max_by_key(|(_, (_, text))| text.len())?;
    Some(texts.swap_remove(place).1)
}

/// Those of one event, or in `call.analyzed` those of all of them, group by group.
fn results(payload: &Value) -> impl Iterator<Item = &Value> {
    let groups = read::list(&payload["conversation_insights"]);
    let grouped = groups.iter().flat_map(|group| read::list(&group["conversation_insights"]));
    read::list(&payload["results"]).iter().chain(grouped)
}

/// Addresses that last come first: the others are good for ten minutes.
pub(super) fn recording(payload: &Value) -> Facts {
    let (public, signed) = (&payload["public_recording_urls"], &payload["recording_urls"]);
    let recording_url = read::first_url([&public["mp3"], &public["wav"], &signed["mp3"], &signed["wav"]]);
    Facts { recording_url, ..Facts::default() }
}

/// SIP's code for how a leg ended.
pub(super) fn sip_code(payload: &Value) -> Option<f64> {
    read::number(&payload["sip_hangup_cause"])
}

fn common(payload: &Value, Settings { direction }: Settings) -> Facts {
    let address = match direction {
        Some(Direction::Inbound) => read::text(&payload["from"]),
        Some(Direction::Outbound) => read::text(&payload["to"]),
        Some(Direction::Web) | None => None,
    };
    let caller_phone = address.as_deref().and_then(|address| Phone::parse(address, None));
    Facts {
        caller_address: address.filter(|_| caller_phone.is_none()),
        caller_phone,
        caller_name: caller_name(payload).filter(|_| direction == Some(Direction::Inbound)),
        direction,
        assistant: assistant(payload),
        carrier_id: read::text(&payload["call_control_id"]),
        ..Facts::default()
    }
}

/// Where the network knows no name, it says the number instead.
fn caller_name(payload: &Value) -> Option<String> {
    read::text(&payload["caller_id_name"]).filter(|name| name.chars().any(char::is_alphabetic))
}

fn assistant(payload: &Value) -> Option<AssistantRef> {
    read::id(&payload["assistant_id"]).map(|external_id| AssistantRef { external_id, name: None })
}

fn seconds_between(start: Time, end: Time) -> Option<i64> {
    read::whole_seconds((end.micros() - start.micros()) as f64 / 1e6)
}
