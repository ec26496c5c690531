//! What events look like before any has happened: `data` of each, for trying a webhook out and for the reference.

use serde_json::{Value, json};

use crate::EventType;

/// `data` of an event that did not happen: every field filled in, about people and numbers that do not exist.
pub fn data(event: EventType) -> Value {
    match event {
        EventType::CallCompleted => call_completed(),
        EventType::CallTransferred => call_transferred(),
        EventType::AppointmentBooked => appointment_booked(),
        EventType::LeadCreated => lead_created(),
        EventType::CallStarted => call_started(),
        EventType::CallUpdated => call_updated(),
        EventType::LeadUpdated => lead_updated(),
        EventType::AppointmentUpdated => appointment("rescheduled", &["starts_at", "ends_at", "status"]),
        EventType::AppointmentCancelled => appointment("cancelled", &["status"]),
        EventType::ContactCreated => contact(),
        EventType::ContactUpdated => with(contact(), "changed", json!(["name", "email"])),
        EventType::EndpointFailing => endpoint(json!("2026-02-25T09:00:00.000Z")),
        EventType::EndpointDisabled => endpoint(json!("2026-02-24T21:00:00.000Z")),
        EventType::EndpointRecovered => endpoint(json!(null)),
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

fn endpoint(disable_at: Value) -> Value {
    json!({
        "webhook_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f706",
        "description": "Our CRM",
        "failures": 412,
        "failing_since": "2026-02-20T08:58:00.000Z",
        "last_error": "the receiver answered 503",
        "disable_at": disable_at,
    })
}

fn with(mut data: Value, field: &str, value: Value) -> Value {
    data[field] = value;
    data
}

/// A call as the API lists it, of which nothing is known but that it takes place.
fn call_started() -> Value {
    json!({
        "call_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f701",
        "id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f701",
        "caller_phone": "+14155550142",
        "caller_name": null,
        "status": "in-progress",
        "duration_seconds": null,
        "summary": null,
        "transcript": null,
        "recording_url": null,
        "transfer_status": null,
        "started_at": "2026-02-24T20:58:26.000Z",
        "ended_at": null,
        "assistant_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f705",
        "contact_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f702",
        "created_at": "2026-02-24T20:58:26.412003Z",
        "caller_email": null,
        "intent": null,
        "urgency": null,
        "direction": "inbound",
        "source": "vapi",
        "external_id": "0d3c1f52-7a4e-4c1b-9d2e-6f5a4b3c2d1e",
        "ended_reason": null,
        "recording_available": false,
        "updated_at": "2026-02-24T20:58:26.412003Z",
        "reviewed": false,
        "spam": false,
        "tags": [],
        "notes": null,
    })
}

fn call_updated() -> Value {
    let mut data = call_started();
    for (field, value) in call_completed().as_object().into_iter().flatten() {
        data[field.as_str()] = value.clone();
    }
    let known = [
        ("status", json!("completed")),
        ("ended_reason", json!("customer-ended-call")),
        ("recording_available", json!(true)),
        ("updated_at", json!("2026-02-24T21:02:11.730008Z")),
        ("changed", json!(["transcript", "recording_url", "recording_available"])),
    ];
    for (field, value) in known {
        data = with(data, field, value);
    }
    data
}

fn contact() -> Value {
    json!({
        "contact_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f702",
        "id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f702",
        "name": "Robin Vale",
        "phone": "+14155550142",
        "other_phones": [],
        "email": "robin@example.com",
        "company": null,
        "notes": null,
        "tags": [],
        "call_count": 1,
        "last_call_at": "2026-02-24T20:58:26.000Z",
        "created_at": "2026-02-24T20:58:26.412004Z",
        "updated_at": "2026-02-24T20:58:26.412004Z",
    })
}

fn lead_updated() -> Value {
    let mut data = lead_created();
    let known = [
        ("id", data["lead_id"].clone()),
        ("status", json!("qualified")),
        ("notes", json!("Wants the visit before noon.")),
        ("created_at", json!("2026-02-24T21:00:00.125006Z")),
        ("updated_at", json!("2026-02-24T21:30:12.004001Z")),
        ("changed", json!(["status", "notes"])),
    ];
    for (field, value) in known {
        data = with(data, field, value);
    }
    data
}

fn appointment(status: &str, changed: &[&str]) -> Value {
    let mut data = appointment_booked();
    let known = [
        ("id", data["appointment_id"].clone()),
        ("lead_id", json!("0197a3c4-d5e6-7f80-91a2-b3c4d5e6f703")),
        ("assistant_id", json!("0197a3c4-d5e6-7f80-91a2-b3c4d5e6f705")),
        ("status", json!(status)),
        ("source", json!("vapi")),
        ("external_id", json!("bk_1842")),
        ("created_at", json!("2026-02-24T21:00:00.125007Z")),
        ("updated_at", json!("2026-02-24T21:30:12.004001Z")),
        ("changed", json!(changed)),
    ];
    for (field, value) in known {
        data = with(data, field, value);
    }
    data
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
