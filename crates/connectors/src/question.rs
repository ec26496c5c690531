//! Messages that ask something: the platform waits for the answer, with a caller on the line, and goes by what it
//! says.

use std::time::Duration;

use serde_json::{Value, json};

/// What a platform wants to know, and what it is told where nobody knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// How long the platform waits, from when it asked.
    pub within: Duration,
    /// What an answer has to be for the platform to go by it.
    pub expects: Expects,
    /// The answer where nobody is set up to give one.
    pub unset: Reply,
    /// The answer where the one who should give it does not.
    pub unanswered: Reply,
}

/// What an answer has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expects {
    /// JSON.
    Json,
    /// Anything that is not empty.
    Anything,
}

/// An answer, as it goes back to the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its HTTP status.
    pub status: u16,
    /// What its body is.
    pub content_type: &'static str,
    /// Its body.
    pub body: String,
}

impl Reply {
    /// JSON with the status 200.
    pub(crate) fn json(body: &Value) -> Self {
        Self { status: 200, content_type: "application/json", body: body.to_string() }
    }
}

impl Question {
    /// One that is answered in JSON, the same in both cases.
    pub(crate) fn json(within: Duration, reply: &Value) -> Self {
        Self::in_words(within, |_| Reply::json(reply))
    }

    /// One that is answered in JSON, with a sentence that says why there is no better answer.
    pub(crate) fn in_words(within: Duration, reply: impl Fn(&Words) -> Reply) -> Self {
        Self { within, expects: Expects::Json, unset: reply(&UNSET), unanswered: reply(&UNANSWERED) }
    }

    /// The same question where any answer will do that is not empty.
    pub(crate) fn expecting_anything(self) -> Self {
        Self { expects: Expects::Anything, ..self }
    }
}

/// Why there is no better answer, for those who may hear of it.
pub(crate) struct Words {
    /// For the assistant, whose model reads it as the result of a tool.
    pub(crate) assistant: &'static str,
    /// For the caller, to whom it is read out.
    pub(crate) caller: &'static str,
}

const UNSET: Words = Words {
    assistant: "Nothing was done: no server is configured to answer this (InboundFlow: the source has no answers.url).",
    caller: "Sorry, this number is not set up to take calls yet.",
};

const UNANSWERED: Words = Words {
    assistant: "Nothing was done: the server that is configured to answer this did not give a usable answer in time.",
    caller: "Sorry, we cannot take your call right now. Please try again in a few minutes.",
};

/// `{"error": …}` for the assistant.
pub(crate) fn error(words: &Words) -> Reply {
    Reply::json(&json!({"error": words.assistant}))
}
