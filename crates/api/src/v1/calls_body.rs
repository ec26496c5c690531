//! The bodies of `/v1/calls`, and what they say of a call.

use model::{
    AssistantRef, CallStatus, Change, Completion, Direction, Facts, Message, Patch, Phone, Stage, Time,
    Transfer, Urgency,
};
use serde::{Deserialize, Deserializer, de};
use store::CallReview;
use utoipa::ToSchema;

use crate::{
    error::ApiError,
    v1::{
        bodies::{not_null, wrong},
        fields::{Tag, is_email, tags, text},
    },
};

/// A call as any assistant can write it. All fields are optional; what is null or absent is not known, or stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCall {
    /// Your own id of the call. Writing to it again updates the call.
    #[schema(min_length = 1, max_length = 255)]
    external_id: Option<String>,
    /// The other party's number, in E.164.
    #[schema(value_type = Option<String>, format = "e164")]
    caller_phone: Option<Phone>,
    /// The caller's name.
    #[schema(max_length = 500)]
    caller_name: Option<String>,
    /// The caller's e-mail address.
    #[schema(format = Email, max_length = 320)]
    caller_email: Option<String>,
    /// Where the call stands; `completed` where a new call does not say.
    status: Option<CallStatus>,
    /// Who called whom.
    direction: Option<Direction>,
    /// When the call began.
    started_at: Option<Time>,
    /// When it ended.
    ended_at: Option<Time>,
    /// Whole seconds; from start to end where it is absent.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 8_640_000)]
    duration_seconds: Option<i64>,
    /// What the call was about.
    #[schema(max_length = 100_000)]
    summary: Option<String>,
    /// The conversation as text.
    #[schema(max_length = 1_000_000)]
    transcript: Option<String>,
    /// The conversation turn by turn.
    #[schema(max_items = 10_000)]
    messages: Option<Vec<Message>>,
    /// Where the recording is (https or http).
    #[schema(format = "http-url", max_length = 2048)]
    recording_url: Option<String>,
    /// How a transfer stands, in your own word.
    #[schema(max_length = 255)]
    transfer_status: Option<String>,
    /// Your own word for how the call ended.
    #[schema(max_length = 255)]
    ended_reason: Option<String>,
    /// Your own id of the assistant. The call's `assistant_id` is then our id of it.
    #[schema(min_length = 1, max_length = 255)]
    assistant_id: Option<String>,
    /// What the caller wanted.
    #[schema(max_length = 1000)]
    intent: Option<String>,
    /// How urgent it is.
    urgency: Option<Urgency>,
}

impl NewCall {
    pub(crate) fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// What the body says, in the terms that all platforms' messages are merged in. Each write counts as later than
    /// the one before.
    pub(crate) fn into_change(self, now: Time) -> Result<Change, ApiError> {
        self.check()?;
        let text = |value: Option<String>| value.filter(|text| !text.trim().is_empty());
        let facts = Facts {
            status: self.status,
            ended_reason: text(self.ended_reason),
            caller_phone: self.caller_phone,
            caller_name: text(self.caller_name),
            caller_email: text(self.caller_email),
            direction: self.direction,
            started_at: self.started_at,
            ended_at: self.ended_at,
            duration_seconds: self.duration_seconds,
            summary: text(self.summary),
            transcript: text(self.transcript),
            messages: self.messages,
            recording_url: text(self.recording_url),
            transfer_status: text(self.transfer_status),
            assistant: self.assistant_id.map(|external_id| AssistantRef { external_id, name: None }),
            intent: text(self.intent),
            urgency: self.urgency,
            ..Facts::default()
        };
        Ok(Change {
            external_id: self.external_id.unwrap_or_default(),
            stage: Stage::Started,
            at: Some(now),
            // Nothing better is announced: when the status says that the call is over, it can be told.
            completion: Completion::Now,
            facts,
            transfer: Transfer::None,
        })
    }

    fn check(&self) -> Result<(), ApiError> {
        let lengths = [
            ("external_id", &self.external_id, 1, 255),
            ("caller_name", &self.caller_name, 0, 500),
            ("caller_email", &self.caller_email, 0, 320),
            ("summary", &self.summary, 0, 100_000),
            ("transcript", &self.transcript, 0, 1_000_000),
            ("recording_url", &self.recording_url, 0, 2048),
            ("transfer_status", &self.transfer_status, 0, 255),
            ("ended_reason", &self.ended_reason, 0, 255),
            ("assistant_id", &self.assistant_id, 1, 255),
            ("intent", &self.intent, 0, 1000),
        ];
        for (name, value, min, max) in lengths {
            let Some(value) = value else { continue };
            if !(min..=max).contains(&value.chars().count()) {
                return Err(wrong(name, &format!("must have {min} to {max} characters")));
            }
        }
        if self.caller_email.as_deref().is_some_and(|email| !is_email(email)) {
            return Err(wrong("caller_email", "must be an e-mail address"));
        }
        if self.duration_seconds.is_some_and(|seconds| !(0..=8_640_000).contains(&seconds)) {
            return Err(wrong("duration_seconds", "must be a whole number from 0 to 8640000"));
        }
        if self.recording_url.as_deref().is_some_and(|url| !is_web_address(url)) {
            return Err(wrong("recording_url", "must be an http or https address"));
        }
        let messages = self.messages.as_deref().unwrap_or_default();
        if messages.len() > 10_000 {
            return Err(wrong("messages", "must have at most 10000 turns"));
        }
        let is_offset = |message: &Message| message.offset_seconds.is_none_or(|offset| offset >= 0.0);
        match messages.iter().position(|message| !is_offset(message)) {
            Some(number) => Err(wrong(&format!("messages[{number}].offset_seconds"), "must not be negative")),
            None => Ok(()),
        }
    }
}

/// What the organization says of a call. What is absent stays; null empties it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewCall {
    /// All labels.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Tag>>, max_items = 50)]
    tags: Patch<Vec<Tag>>,
    /// Notes.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 20_000)]
    notes: Patch<String>,
    /// Whether a person has looked at it.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    reviewed: Option<bool>,
    /// Whether it is spam.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    spam: Option<bool>,
}

impl ReviewCall {
    pub(crate) fn into_review(self) -> Result<CallReview, ApiError> {
        Ok(CallReview {
            tags: tags(self.tags)?,
            notes: text("notes", self.notes, 20_000)?,
            reviewed: self.reviewed,
            spam: self.spam,
        })
    }
}

/// A whole number in any way of writing it: JSON has one kind of number, and some languages write 30 as `30.0`.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    if number.fract() != 0.0 || number.abs() > 1e15 {
        return Err(de::Error::custom("must be a whole number from 0 to 8640000"));
    }
    Ok(Some(number as i64))
}

fn is_web_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
