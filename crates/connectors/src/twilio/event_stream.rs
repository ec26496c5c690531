//! Twilio's Event Streams: the same callbacks as events (CloudEvents) in JSON, one by itself or several in a list.

use model::Change;
use serde_json::Value;

use super::change;
use crate::{Parsed, Unreadable, read};

/// For several events of different kinds in one message.
const SEVERAL: &str = "event-stream";

/// `token` tells the message apart where no id of an event does.
pub(super) fn parse(body: &Value, token: Option<String>) -> Result<Parsed, Unreadable> {
    let items = match body {
        Value::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    let events: Vec<Event> = items.iter().filter_map(Event::read).collect();
    let Some(first) = events.first() else { return Err(Unreadable::new("CallSid or type is missing")) };
    let event = if events.iter().all(|event| event.name == first.name) { &*first.name } else { SEVERAL };
    let external_id = first.call.clone().filter(|_| events.iter().all(|event| event.call == first.call));
    Ok(Parsed {
        event: event.into(),
        event_id: if items.len() == 1 { first.id.clone().or(token) } else { token },
        external_id,
        changes: events.into_iter().filter_map(|event| event.change).collect(),
    })
}

struct Event {
    name: String,
    id: Option<String>,
    call: Option<String>,
    change: Option<Change>,
}

impl Event {
    /// `None` for what is no event. One that wraps no callback about a call has no change.
    fn read(item: &Value) -> Option<Self> {
        let name = read::text(&item["type"])?;
        let data = &item["data"];
        let parameters = &data["request"]["parameters"];
        let call_sid = read::text(&parameters["CallSid"]);
        let sent = read::time(&data["timestamp"]);
        let change = call_sid.as_deref().and_then(|call_sid| change(parameters, call_sid, sent));
        let call = change.as_ref().map(|change| change.external_id.clone()).or(call_sid);
        Some(Self { name, id: read::id(&item["id"]), call, change })
    }
}
