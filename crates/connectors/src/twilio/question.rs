//! The one request of Twilio's that wants an answer: what is to be done with a call (Twilio's request to your
//! application, twilio.com/docs/voice/twiml).

use std::time::Duration;

use serde_json::Value;

use crate::{
    question::{Question, Reply},
    read,
};

/// How long Twilio waits before it goes to the number's fallback address.
const WITHIN: Duration = Duration::from_secs(15);

/// What every callback about a call's status has, and no request for instructions.
const OF_CALLBACKS: [&str; 4] = ["CallbackSource", "SequenceNumber", "Timestamp", "CallDuration"];

/// What a form with a `CallStatus` asks: instructions, where it is about a call that runs and is no callback.
pub(super) fn question(parameters: &Value) -> Option<Question> {
    let has = |name: &str| read::text(&parameters[name]).is_some();
    let runs = matches!(parameters["CallStatus"].as_str(), Some("ringing" | "in-progress"));
    if !runs || OF_CALLBACKS.into_iter().any(has) {
        return None;
    }
    let instructions = |caller: &str| Reply {
        status: 200,
        content_type: "text/xml",
        body: format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>{caller}</Say></Response>"),
    };
    Some(Question::in_words(WITHIN, |words| instructions(words.caller)).expecting_anything())
}
