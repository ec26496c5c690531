//! The words that settings know for what we know, and reading the platform's words as these.

use model::{CallStatus, Completion, Direction, Stage, Transfer, Urgency};
use serde_json::Value;

use crate::read;

/// Our words for the values of a type.
#[derive(Debug)]
pub(crate) struct Vocabulary<T: 'static>(&'static [(&'static str, T)]);

/// Who speaks in a turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Speaker {
    Assistant,
    User,
    System,
    /// The turn is the use of a tool, or what it answered.
    Tool,
    /// The turn is left out.
    None,
}

pub(super) static STATUS: Vocabulary<CallStatus> = Vocabulary(&[
    ("in-progress", CallStatus::InProgress),
    ("forwarding", CallStatus::Forwarding),
    ("completed", CallStatus::Completed),
    ("failed", CallStatus::Failed),
    ("blocked", CallStatus::Blocked),
]);

pub(super) static DIRECTION: Vocabulary<Direction> = Vocabulary(&[
    ("inbound", Direction::Inbound),
    ("outbound", Direction::Outbound),
    ("web", Direction::Web),
]);

pub(super) static URGENCY: Vocabulary<Urgency> =
    Vocabulary(&[("low", Urgency::Low), ("medium", Urgency::Medium), ("high", Urgency::High)]);

pub(crate) static STAGE: Vocabulary<Stage> = Vocabulary(&[
    ("started", Stage::Started),
    ("status", Stage::Status),
    ("ended", Stage::Ended),
    ("analyzed", Stage::Analyzed),
    ("audio", Stage::Audio),
]);

pub(crate) static COMPLETION: Vocabulary<Completion> =
    Vocabulary(&[("no", Completion::No), ("wait", Completion::Wait), ("now", Completion::Now)]);

pub(crate) static TRANSFER: Vocabulary<Transfer> = Vocabulary(&[
    ("none", Transfer::None),
    ("started", Transfer::Started),
    ("failed", Transfer::Failed),
    ("connected", Transfer::HandedOver),
    ("ended", Transfer::Ended),
]);

pub(super) static FLAG: Vocabulary<bool> = Vocabulary(&[("true", true), ("false", false)]);

pub(super) static SPEAKER: Vocabulary<Speaker> = Vocabulary(&[
    ("assistant", Speaker::Assistant),
    ("user", Speaker::User),
    ("system", Speaker::System),
    ("tool", Speaker::Tool),
    ("none", Speaker::None),
]);

/// Who speaks by the words that platforms commonly use. A turn of `system` holds the assistant's instructions, which
/// are the customer's secret and no part of what was said.
static COMMON_SPEAKERS: Vocabulary<Speaker> = Vocabulary(&[
    ("assistant", Speaker::Assistant),
    ("agent", Speaker::Assistant),
    ("ai", Speaker::Assistant),
    ("bot", Speaker::Assistant),
    ("user", Speaker::User),
    ("human", Speaker::User),
    ("customer", Speaker::User),
    ("caller", Speaker::User),
    ("tool", Speaker::Tool),
    ("system", Speaker::None),
    ("developer", Speaker::None),
]);

impl<T: Copy + PartialEq> Vocabulary<T> {
    /// What a word stands for, in whatever case it is written.
    pub(super) fn parse(&self, word: &str) -> Option<T> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, value)| *value)
    }

    /// The word for a value.
    pub(crate) fn word(&self, value: T) -> &'static str {
        self.0.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
    }

    /// All words, for a person.
    pub(super) fn words(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| *word).collect();
        words.join(", ")
    }
}

/// Who speaks by a word that the settings don't list.
pub(super) fn common_speaker(word: &str) -> Option<Speaker> {
    COMMON_SPEAKERS.parse(word)
}

/// What templates write where they have no value.
const NOTHING: [&str; 4] = ["null", "none", "undefined", "nil"];

/// Text that says something. Templates leave a placeholder or the word of their language for nothing.
pub(super) fn text(value: &Value) -> Option<String> {
    read::text(value).filter(|text| {
        let unfilled = text.starts_with("{{") && text.ends_with("}}");
        !unfilled && !NOTHING.iter().any(|nothing| nothing.eq_ignore_ascii_case(text))
    })
}

/// An id: text, or a number.
pub(super) fn id(value: &Value) -> Option<String> {
    if value.is_number() { read::id(value) } else { text(value) }
}

/// A word that stands for something: text, a number, or yes or no. Here `none` is a word like any other.
pub(super) fn word(value: &Value) -> Option<String> {
    match value {
        Value::Bool(flag) => Some(flag.to_string()),
        _ => read::id(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_template_left_open_is_nothing() {
        for value in [json!("{{call.name}}"), json!("None"), json!("null"), json!(""), json!(7), json!(null)]
        {
            assert_eq!(text(&value), None, "{value}");
        }
        assert_eq!(text(&json!(" None of these ")).as_deref(), Some("None of these"));
        assert_eq!((id(&json!(7)).as_deref(), id(&json!("null"))), (Some("7"), None));
        assert_eq!(
            (word(&json!(true)).as_deref(), word(&json!("none")).as_deref()),
            (Some("true"), Some("none"))
        );
    }

    #[test]
    fn each_value_has_its_word() {
        for status in CallStatus::ALL {
            assert_eq!(STATUS.parse(status.as_str()), Some(status));
        }
        assert_eq!((TRANSFER.word(Transfer::HandedOver), STAGE.word(Stage::Audio)), ("connected", "audio"));
        assert_eq!((STATUS.parse("Completed"), STATUS.parse("done")), (Some(CallStatus::Completed), None));
    }
}
