//! The conversations of Telnyx's assistants by its API (developers.telnyx.com, List conversations, Get conversation
//! messages, Get insights for a conversation). A conversation is a call's where its metadata names the call.

use std::time::Duration;

use model::{
    AssistantRef, CallStatus, Change, Completion, Facts, Message, Phone, Role, Stage, Time, Transfer,
};
use serde_json::{Value, json};

use super::{settings::Settings, wire};
use crate::{
    Parsed, Said, Unreadable,
    conversation::{Answer, Conversation, Invocation},
    history::{self, Ask, EVENT, History, Kept, Listed, PAGE, Page, Standing, Window},
    read,
};

/// Telnyx' list of its assistants' conversations.
pub(super) struct Conversations;

/// A conversation does not say that it is over. One in which nothing was said for so long is.
const SILENCE: Duration = Duration::from_secs(10 * 60);

impl History for Conversations {
    fn address(&self) -> &'static str {
        "https://api.telnyx.com"
    }

    /// The list has no cursor, but can be ordered: the next page is what was made since the last one.
    fn list(&self, key: &str, window: Window, page: Option<&str>) -> Ask {
        let (since, limit) = (format!("gte.{}", window.since), PAGE.to_string());
        let query =
            [("created_at", page.unwrap_or(&since)), ("order", "created_at.asc"), ("limit", limit.as_str())];
        history::get("/v2/ai/conversations", &query, history::bearer(key))
    }

    fn page(&self, window: Window, page: Option<&str>, body: &[u8]) -> Result<Page, Unreadable> {
        let answer = history::answer(body)?;
        let items = history::list(&answer["data"], "data")?;
        let latest = items.iter().filter_map(|item| read::time(&item["created_at"])).max();
        let calls = items.iter().filter_map(|item| listed(item, window.until));
        let calls = calls.filter(|call| window.has(call.began_at)).collect();
        // Those of the last moment come again, because there may be more of it; a whole page of one moment is passed.
        let from = |latest: Time| {
            let same = format!("gte.{latest}");
            if Some(same.as_str()) == page { format!("gt.{latest}") } else { same }
        };
        let is_full = items.len() >= PAGE;
        let next = latest.filter(|latest| is_full && *latest <= window.until).map(from);
        Ok(Page { next, calls })
    }

    fn details(&self, key: &str, call: &Listed) -> Vec<Ask> {
        let Some(id) = read::id(&call.call["id"]) else { return vec![] };
        let path = |rest: &str| format!("/v2/ai/conversations/{}/{rest}", history::segment(&id));
        vec![
            history::get(&path("messages"), &[("page[size]", "100")], history::bearer(key)),
            history::get(&path("conversations-insights"), &[], history::bearer(key)),
        ]
    }

    fn one(&self, key: &str, external_id: &str) -> Option<Ask> {
        let asked = format!("eq.{external_id}");
        let query = [("metadata->call_session_id", asked.as_str()), ("limit", "1")];
        Some(history::get("/v2/ai/conversations", &query, history::bearer(key)))
    }

    fn single(&self, window: Window, body: &[u8]) -> Result<Option<Listed>, Unreadable> {
        let answer = history::answer(body)?;
        let items = history::list(&answer["data"], "data")?;
        Ok(items.first().and_then(|item| listed(item, window.until)))
    }

    fn read(&self, settings: &Value, kept: &Kept) -> Result<Parsed, Unreadable> {
        let settings = Settings::read(settings).unwrap_or_default();
        let missing = || Unreadable::new("metadata.call_session_id is missing");
        let external_id = session(&kept.call).ok_or_else(missing)?;
        let changes = changes(kept, settings).map(|said| said.into_change(external_id.clone(), None));
        let changes: Vec<Change> = changes.collect();
        Ok(Parsed::of_call(EVENT, external_id, changes))
    }
}

/// The id that the events of the conversation's call have.
fn session(item: &Value) -> Option<String> {
    read::id(&item["metadata"]["call_session_id"])
}

fn listed(item: &Value, now: Time) -> Option<Listed> {
    let external_id = session(item)?;
    let began_at = read::time(&item["created_at"]);
    let last = read::time(&item["last_message_at"]).or(began_at);
    let is_over = last.is_none_or(|last| now.since(last) >= SILENCE);
    let standing = if is_over { Standing::Over(last) } else { Standing::UnderWay };
    Some(Listed { external_id, began_at, standing, call: item.clone() })
}

/// The conversation as `call.conversation.ended` tells it, with what was said, and its insights where there are any.
/// A call's own events say more of its times, and win.
fn changes(kept: &Kept, settings: Settings) -> impl Iterator<Item = Said> {
    let (item, metadata) = (&kept.call, &kept.call["metadata"]);
    let messages = kept.details.first().and_then(|answer| conversation(item, read::list(&answer["data"])));
    let address = read::text(&metadata["telnyx_end_user_target"]);
    let caller_phone = address.as_deref().and_then(|address| Phone::parse(address, None));
    let facts = Facts {
        status: Some(CallStatus::Completed),
        started_at: read::time(&item["created_at"]),
        ended_at: read::time(&item["last_message_at"]),
        caller_address: address.filter(|_| caller_phone.is_none()),
        caller_phone,
        direction: settings.direction,
        assistant: read::id(&metadata["assistant_id"])
            .map(|external_id| AssistantRef { external_id, name: None }),
        carrier_id: read::text(&metadata["call_control_id"]),
        transcript: messages.as_deref().and_then(as_text),
        messages,
        ..Facts::default()
    };
    let ended = Said { stage: Stage::Status, completion: Completion::Now, transfer: Transfer::None, facts };
    let groups = kept.details.get(1).map(|answer| read::list(&answer["data"])).unwrap_or_default();
    let insights = (!groups.is_empty()).then(|| Said {
        stage: Stage::Analyzed,
        completion: Completion::Now,
        transfer: Transfer::None,
        facts: wire::insights(&json!({ "conversation_insights": groups })),
    });
    [Some(ended), insights].into_iter().flatten()
}

fn conversation(item: &Value, turns: &[Value]) -> Option<Vec<Message>> {
    let began = read::time(&item["created_at"]);
    let mut turns: Vec<_> = turns.iter().map(|turn| (said_at(turn), turn)).collect();
    // Which way the list is ordered is not documented.
    turns.sort_by_key(|(at, _)| *at);
    let mut conversation = Conversation::default();
    for (at, turn) in turns {
        let offset =
            began.zip(at).map(|(began, at)| (at.since(began).as_secs_f64() * 1000.0).round() / 1000.0);
        let content = read::first_text([&turn["text"], &turn["content"]]);
        match turn["role"].as_str().unwrap_or_default() {
            "assistant" => conversation.said(Role::Assistant, content, offset),
            "user" => conversation.said(Role::User, content, offset),
            "tool" => conversation.answered(
                Answer {
                    name: read::text(&turn["name"]),
                    call_id: read::id(&turn["tool_call_id"]),
                    result: read::json(&turn["text"]),
                    ok: read::json(&turn["text"]).as_ref().and_then(crate::conversation::worked),
                },
                offset,
            ),
            // The assistant's instructions are the customer's secret, and no part of what was said.
            "system" | "developer" => {}
            _ => conversation.said(Role::System, content, offset),
        }
        for call in read::list(&turn["tool_calls"]) {
            let function = &call["function"];
            conversation.invoked(
                Invocation {
                    name: read::first_text([&function["name"], &call["name"]]),
                    call_id: read::id(&call["id"]),
                    arguments: read::json(&function["arguments"]),
                },
                offset,
            );
        }
    }
    conversation.finish()
}

fn said_at(turn: &Value) -> Option<Time> {
    [&turn["sent_at"], &turn["created_at"]].into_iter().find_map(read::time)
}

/// What was said, one line for each turn.
fn as_text(messages: &[Message]) -> Option<String> {
    let line = |message: &Message| {
        let speaker = match message.role {
            Role::Assistant => "Agent",
            Role::User => "User",
            Role::Tool | Role::System => return None,
        };
        message.content.as_ref().map(|content| format!("{speaker}: {content}"))
    };
    let lines: Vec<_> = messages.iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
