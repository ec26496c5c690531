//! The report that an agent of LiveKit's SDK can make of its session (`SessionReport.to_dict` in Python,
//! `sessionReportToJSON` in JavaScript): the only place with the conversation.

use model::{CallStatus, Completion, Facts, Message, Role, Stage, Time, Transfer};
use serde_json::Value;

use super::protojson::field;
use crate::{
    Parsed, Said, Unreadable,
    conversation::{self, Answer, Conversation, Invocation},
    read,
};

/// Our name for it: it has none of its own.
const EVENT: &str = "session_report";

pub(super) fn parse(body: &Value) -> Result<Parsed, Unreadable> {
    let external_id = read::first_text([field(body, "roomId"), &body["room"]])
        .ok_or_else(|| Unreadable::new("room_id is missing, and so is room"))?;
    let at = read::time(&body["timestamp"]);
    let changes = [session(body, at), conversation_of(body)];
    let changes = changes.into_iter().map(|said| said.into_change(external_id.clone(), at)).collect();
    Ok(Parsed { event: EVENT.into(), event_id: None, external_id: Some(external_id), changes })
}

/// What the webhooks tell better, where they come: a session is not the call, and there is one even where the person
/// called never answered.
fn session(body: &Value, at: Option<Time>) -> Said {
    let facts = Facts {
        status: Some(CallStatus::Completed),
        started_at: started_at(body),
        ended_at: at,
        ..Facts::default()
    };
    Said::during(Stage::Started, Transfer::None, facts)
}

/// What nobody else tells.
fn conversation_of(body: &Value) -> Said {
    let messages = messages(body);
    let facts = Facts {
        transcript: messages.as_deref().and_then(transcript),
        messages,
        // A path on the agent's own disk, unless the agent put in where it took the file to.
        recording_url: read::first_url([field(body, "audioRecordingPath")]),
        ..Facts::default()
    };
    Said { stage: Stage::Analyzed, completion: Completion::Now, transfer: Transfer::None, facts }
}

fn items(body: &Value) -> &[Value] {
    read::list(&field(body, "chatHistory")["items"])
}

fn created_at(item: &Value) -> Option<Time> {
    read::time(field(item, "createdAt"))
}

/// Older versions of the report leave out when the session began.
fn started_at(body: &Value) -> Option<Time> {
    read::time(field(body, "startedAt"))
        .or_else(|| read::time(field(body, "audioRecordingStartedAt")))
        .or_else(|| items(body).iter().filter_map(created_at).min())
}

fn messages(body: &Value) -> Option<Vec<Message>> {
    let start = started_at(body);
    let mut conversation = Conversation::default();
    for item in items(body) {
        let offset = start.zip(created_at(item)).and_then(|(start, at)| offset_seconds(start, at));
        match item["type"].as_str().unwrap_or("message") {
            "message" => conversation.said_by(item, offset),
            "function_call" => conversation.invoked(invocation(item), offset),
            "function_call_output" => conversation.answered(answer(item), offset),
            // One agent handing over to another is the inner life of the assistant.
            _ => {}
        }
    }
    conversation.finish()
}

fn offset_seconds(start: Time, at: Time) -> Option<f64> {
    let seconds = (at.micros() - start.micros()) as f64 / 1e6;
    read::offset_seconds(&seconds.into())
}

impl Conversation {
    fn said_by(&mut self, item: &Value, offset: Option<f64>) {
        match item["role"].as_str().unwrap_or_default() {
            "assistant" => self.said(Role::Assistant, content(&item["content"]), offset),
            "user" => self.said(Role::User, content(&item["content"]), offset),
            // The instructions of the assistant (`system`, `developer`) are the customer's secret.
            _ => {}
        }
    }
}

/// Text, or a list of texts among pictures and sound, whose words are beside it.
fn content(value: &Value) -> Option<String> {
    let part = |part: &Value| read::first_text([part, &part["text"], &part["transcript"]]);
    let parts: Vec<String> = match value {
        Value::Array(parts) => parts.iter().filter_map(part).collect(),
        _ => part(value).into_iter().collect(),
    };
    (!parts.is_empty()).then(|| parts.join("\n"))
}

fn invocation(item: &Value) -> Invocation {
    let arguments = [&item["arguments"], &item["args"]].into_iter().find_map(read::json);
    Invocation { name: read::text(&item["name"]), call_id: read::id(field(item, "callId")), arguments }
}

fn answer(item: &Value) -> Answer {
    let result = read::json(&item["output"]);
    let flagged = read::flag(field(item, "isError")).map(|is_error| !is_error);
    let said = result.as_ref().and_then(conversation::worked);
    let ok = conversation::verdict([flagged, said]);
    Answer { name: read::text(&item["name"]), call_id: read::id(field(item, "callId")), result, ok }
}

/// The conversation as text, without the uses of tools.
fn transcript(messages: &[Message]) -> Option<String> {
    let line = |message: &Message| {
        let content = message.content.as_deref()?;
        match message.role {
            Role::Assistant => Some(format!("Assistant: {content}")),
            Role::User => Some(format!("User: {content}")),
            _ => None,
        }
    };
    let lines: Vec<String> = messages.iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
