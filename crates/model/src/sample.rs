//! What events look like before any has happened: `data` of each, for trying a webhook out and for the reference.

use serde_json::{Value, json};

use crate::EventType;

/// `data` of an event that did not happen: every field filled in, about people and numbers that do not exist.
pub fn data(event: EventType) -> Value {
    match event.as_str() {
        "call.completed" => call_completed(),
        "call.transferred" => call_transferred(),
        "appointment.booked" => appointment_booked(),
        "lead.created" => lead_created(),
        _ => json!({}),
    }
}

/// The same with some fields saying something else. The error says which field there is none of.
pub fn data_with(
    event: EventType,
    fields: impl IntoIterator<Item = (String, Value)>,
) -> Result<Value, String> {
    let mut data = data(event);
    for (field, value) in fields {
        let slot = data.get_mut(&field);
        *slot.ok_or_else(|| format!("`{}` has no field `{field}`", event.as_str()))? = value;
    }
    Ok(data)
}

fn call_completed() -> Value {
    json!({
        "call_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f701",
        "caller_phone": "+14155550142",
        "caller_name": "Robin Vale",
        "caller_email": "robin@example.com",
        "duration_seconds": 94,
        "summary": "Robin Vale reported a leaking boiler and asked for a visit tomorrow at ten.",
        "transcript": "AI: Harbor Plumbing, how can I help?\nUser: There is water under my boiler.",
        "intent": "Boiler repair",
        "urgency": "high",
        "recording_url": "https://example.com/recordings/0197a3c4.wav",
        "started_at": "2026-02-24T20:58:26.000Z",
        "ended_at": "2026-02-24T21:00:00.000Z",
    })
}

fn call_transferred() -> Value {
    json!({
        "call_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f701",
        "caller_phone": "+14155550142",
        "caller_name": "Robin Vale",
        "transfer_destination": "+14155550177",
        "transfer_status": "connected",
        "transfer_reason": "Asked for a person",
        "transferred_at": "2026-02-24T20:59:10.000Z",
        "summary": "Robin Vale reported a leaking boiler and asked for a person.",
    })
}

fn appointment_booked() -> Value {
    json!({
        "appointment_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f704",
        "call_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f701",
        "contact_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f702",
        "title": "Boiler repair",
        "attendee_name": "Robin Vale",
        "attendee_phone": "+14155550142",
        "attendee_email": "robin@example.com",
        "starts_at": "2026-02-25T18:00:00.000Z",
        "ends_at": "2026-02-25T19:00:00.000Z",
        "time_zone": "America/Los_Angeles",
        "location": "12 Quay Street",
        "notes": "The valve in the cellar is shut.",
    })
}

fn lead_created() -> Value {
    json!({
        "lead_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f703",
        "call_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f701",
        "contact_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f702",
        "name": "Robin Vale",
        "phone": "+14155550142",
        "email": "robin@example.com",
        "intent": "Boiler repair",
        "urgency": "high",
        "summary": "Robin Vale reported a leaking boiler and asked for a visit tomorrow at ten.",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_sample() {
        for event in EventType::ALL {
            assert_ne!(data(event), json!({}), "{}", event.as_str());
        }
    }
}
