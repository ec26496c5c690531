//! What a pasted body would become: for the person who sets a source up, before any call does.

use http::HeaderMap;
use model::{Change, Facts, Platform};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    Parsed, Request, connector,
    custom::{
        self,
        word::{COMPLETION, STAGE, TRANSFER},
    },
};

/// What a body would become.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preview {
    /// The platform's name for the event.
    pub event: String,
    /// The platform's own id of the event.
    pub event_id: Option<String>,
    /// The platform's own id of the call.
    pub external_id: Option<String>,
    /// What it says of calls.
    pub changes: Vec<PreviewChange>,
    /// What a mapping names and the body does not have. Always empty for platforms that need no mapping.
    pub missed: Vec<Missed>,
}

/// What a body says of one call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PreviewChange {
    /// The platform's own id of the call.
    pub external_id: String,
    /// How late in a call's life such messages come: `started`, `status`, `ended`, `analyzed` or `audio`.
    pub stage: &'static str,
    /// Whether the call could be told as completed: `no`, `wait` or `now`.
    pub complete: &'static str,
    /// How far a transfer has come: `none`, `started`, `failed`, `connected` or `ended`.
    pub transfer: &'static str,
    /// When the platform made the message (RFC 3339), where it says so.
    pub at: Option<String>,
    /// The fields that it fills, in the names of the REST API where that has them.
    pub facts: Map<String, Value>,
}

/// Something that a mapping names and a body does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// Where it is in the settings, such as `settings.fields.caller_phone`.
    pub setting: String,
    /// What is wrong, such as `$.caller.number found nothing`.
    pub problem: String,
}

/// What a body would become with these settings. Nobody's signature is checked. The error is a sentence for the
/// person who wrote the settings or pasted the body.
pub fn preview(platform: Platform, settings: &Value, body: &[u8]) -> Result<Preview, String> {
    let connector = connector(platform).ok_or("this platform sends no webhooks")?;
    let (_, settings) = model::RecordingSettings::split(settings)?;
    let settings = &*settings;
    connector.check_settings(settings)?;
    let headers = HeaderMap::new();
    let request = Request { url: "", path_secret: None, headers: &headers, body };
    let (parsed, missed) = match platform {
        Platform::Custom => custom::inspect(settings, &request),
        _ => (connector.parse(settings, &request), vec![]),
    };
    let Parsed { event, event_id, external_id, changes } = parsed.map_err(|error| error.to_string())?;
    let changes = changes.iter().map(preview_change).collect();
    Ok(Preview { event, event_id, external_id, changes, missed })
}

fn preview_change(change: &Change) -> PreviewChange {
    PreviewChange {
        external_id: change.external_id.clone(),
        stage: STAGE.word(change.stage),
        complete: COMPLETION.word(change.completion),
        transfer: TRANSFER.word(change.transfer),
        at: change.at.map(|time| time.to_string()),
        facts: facts_json(&change.facts),
    }
}

/// The facts that are known, by their names in the REST API where that has them.
pub fn facts_json(facts: &Facts) -> Map<String, Value> {
    let assistant = facts.assistant.as_ref();
    let assistant = assistant.map(|it| json!({ "external_id": it.external_id, "name": it.name }));
    let all = json!({
        "status": facts.status,
        "ended_reason": facts.ended_reason,
        "caller_phone": facts.caller_phone,
        "caller_address": facts.caller_address,
        "caller_name": facts.caller_name,
        "caller_email": facts.caller_email,
        "direction": facts.direction,
        "started_at": facts.started_at,
        "ended_at": facts.ended_at,
        "duration_seconds": facts.duration_seconds,
        "summary": facts.summary,
        "transcript": facts.transcript,
        "messages": facts.messages,
        "recording_url": facts.recording_url,
        "transfer_status": facts.transfer_status,
        "transfer_destination": facts.transfer_destination,
        "transfer_reason": facts.transfer_reason,
        "transferred_at": facts.transferred_at,
        "assistant": assistant,
        "intent": facts.intent,
        "urgency": facts.urgency,
        "captured": facts.captured,
        "carrier_id": facts.carrier_id,
    });
    match all {
        Value::Object(all) => all.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}
