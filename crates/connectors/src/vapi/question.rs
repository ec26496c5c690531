//! The messages of Vapi that want an answer, and what may be answered (docs.vapi.ai, Server Events; the schemas
//! `ServerMessageResponse*` of its OpenAPI document).

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    question::{self, Question, Reply, Words},
    read,
};

/// How long Vapi waits, if the server's `timeoutSeconds` is not set.
const USUAL: Duration = Duration::from_secs(20);

/// How long it waits for an assistant, which nothing changes: the carrier has a limit of its own.
const ASSISTANT: Duration = Duration::from_millis(7500);

/// Whether messages of this type want an answer: the cheap look before the body is read for it.
pub(super) fn is_asked_by(event: &str) -> bool {
    matches!(
        event,
        "assistant-request"
            | "tool-calls"
            | "function-call"
            | "transfer-destination-request"
            | "handoff-destination-request"
            | "knowledge-base-request"
            | "voice-request"
            | "call.endpointing.request"
    )
}

/// What a message asks.
pub(super) fn question(event: &str, message: &Value) -> Option<Question> {
    let question = match event {
        "assistant-request" => {
            Question::in_words(ASSISTANT, |words| Reply::json(&json!({"error": words.caller})))
        }
        "tool-calls" => Question::in_words(USUAL, |words| results(message, words)),
        "function-call" => {
            Question::in_words(USUAL, |words| Reply::json(&json!({"result": words.assistant})))
        }
        "transfer-destination-request" | "handoff-destination-request" => {
            Question::in_words(USUAL, question::error)
        }
        "knowledge-base-request" => Question::json(USUAL, &json!({"documents": []})),
        // A time within which most pauses end: Vapi has no word for «as if nobody had been asked».
        "call.endpointing.request" => Question::json(USUAL, &json!({"timeoutSeconds": 0.5})),
        // Audio is wanted, and silence would be taken for it. After a failure Vapi goes to the fallback voices.
        "voice-request" => Question::in_words(USUAL, |words| Reply { status: 503, ..question::error(words) })
            .expecting_anything(),
        _ => return None,
    };
    Some(question)
}

/// One result for each use of a tool. Vapi knows them by their ids, and takes no answer whose status is not 200.
fn results(message: &Value, words: &Words) -> Reply {
    let lists = [&message["toolCallList"], &message["toolCalls"], &message["toolWithToolCallList"]];
    let calls = lists.into_iter().map(read::list).find(|calls| !calls.is_empty()).unwrap_or_default();
    let result = |call: &Value| {
        let inner = if call["toolCall"].is_object() { &call["toolCall"] } else { call };
        let name = read::first_text([&inner["function"]["name"], &inner["name"], &call["name"]]);
        json!({"toolCallId": inner["id"], "name": name, "error": words.assistant})
    };
    Reply::json(&json!({"results": calls.iter().map(result).collect::<Vec<_>>()}))
}
