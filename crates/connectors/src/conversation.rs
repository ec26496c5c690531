//! Puts a conversation together turn by turn, each use of a tool as one message with what came back.

use std::collections::HashMap;

use model::{Message, Role, Tool};
use serde_json::Value;

use crate::read;

/// A tool that a platform did not name.
const UNNAMED: &str = "unknown";

/// A conversation in the making.
#[derive(Default)]
pub(crate) struct Conversation {
    messages: Vec<Message>,
    /// Where the last use of a tool with this id is among the messages.
    uses: HashMap<String, usize>,
}

/// What a tool was asked.
pub(crate) struct Invocation {
    pub(crate) name: Option<String>,
    pub(crate) call_id: Option<String>,
    pub(crate) arguments: Option<Value>,
}

/// What a tool answered.
pub(crate) struct Answer {
    pub(crate) name: Option<String>,
    pub(crate) call_id: Option<String>,
    pub(crate) result: Option<Value>,
    pub(crate) ok: Option<bool>,
}

impl Conversation {
    /// Adds what somebody said, if they said anything.
    pub(crate) fn said(&mut self, role: Role, content: Option<String>, offset_seconds: Option<f64>) {
        if content.is_some() {
            self.messages.push(Message { role, content, offset_seconds, tool: None });
        }
    }

    /// Adds the use of a tool.
    pub(crate) fn invoked(&mut self, invocation: Invocation, offset_seconds: Option<f64>) {
        let Invocation { name, call_id, arguments } = invocation;
        if let Some(call_id) = &call_id {
            self.uses.insert(call_id.clone(), self.messages.len());
        }
        let name = name.unwrap_or_else(|| UNNAMED.into());
        let tool = Tool { name, call_id, arguments, result: None, ok: None };
        self.messages.push(Message { role: Role::Tool, content: None, offset_seconds, tool: Some(tool) });
    }

    /// Adds a tool's answer to its use. An answer to nothing becomes a message of its own.
    pub(crate) fn answered(&mut self, answer: Answer, offset_seconds: Option<f64>) {
        let Answer { name, call_id, result, ok } = answer;
        let place = call_id.as_ref().and_then(|id| self.uses.get(id)).copied();
        if place.is_none() {
            self.invoked(Invocation { name: name.clone(), call_id, arguments: None }, offset_seconds);
        }
        let place = place.unwrap_or(self.messages.len() - 1);
        if let Some(tool) = self.messages.get_mut(place).and_then(|message| message.tool.as_mut()) {
            if let (UNNAMED, Some(name)) = (tool.name.as_str(), name) {
                tool.name = name;
            }
            tool.result = result.or(tool.result.take());
            tool.ok = ok.or(tool.ok);
        }
    }

    /// The conversation; `None` if nobody said anything.
    pub(crate) fn finish(self) -> Option<Vec<Message>> {
        (!self.messages.is_empty()).then_some(self.messages)
    }
}

/// Why the caller was handed over, as the assistant put it to the tool that did it.
pub(crate) fn transfer_reason(messages: &[Message]) -> Option<String> {
    let tools = messages.iter().rev().filter_map(|message| message.tool.as_ref());
    tools.filter(|tool| tool.name.to_lowercase().contains("transfer")).find_map(|tool| {
        let arguments = tool.arguments.as_ref()?;
        read::first_text([&arguments["reason"], &arguments["transfer_reason"], &arguments["transferReason"]])
    })
}

/// Whether a tool's answer says that it worked. Only a plain yes or no counts; one no outweighs any yes, because a
/// request that got through may well bring back a refusal.
pub(crate) fn worked(result: &Value) -> Option<bool> {
    let good = ["ok", "success", "successful"].map(|name| read::flag(&result[name]));
    let bad = ["is_error", "isError", "error"].map(|name| read::flag(&result[name]).map(|bad| !bad));
    let status = read::text(&result["status"]).and_then(|word| status_worked(&word));
    verdict(good.into_iter().chain(bad).chain([status]))
}

/// A no if there is one, else a yes if there is one.
pub(crate) fn verdict(opinions: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    opinions.into_iter().flatten().reduce(|all, one| all && one)
}

fn status_worked(word: &str) -> Option<bool> {
    match word.to_lowercase().as_str() {
        "success" | "successful" | "succeeded" | "ok" => Some(true),
        "error" | "failed" | "failure" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn invocation(id: &str) -> Invocation {
        Invocation { name: Some("book".into()), call_id: Some(id.into()), arguments: None }
    }

    fn answer(id: Option<&str>, result: Value) -> Answer {
        Answer { name: None, call_id: id.map(Into::into), ok: worked(&result), result: Some(result) }
    }

    #[test]
    fn an_answer_joins_its_question_wherever_it_comes() {
        let mut conversation = Conversation::default();
        conversation.invoked(invocation("a"), Some(1.0));
        conversation.invoked(invocation("b"), Some(2.0));
        conversation.said(Role::Assistant, Some("One moment.".into()), None);
        conversation.said(Role::Assistant, None, Some(3.0));
        conversation.answered(answer(Some("b"), json!({"success": false})), Some(4.0));
        conversation.answered(answer(Some("a"), json!({"success": true})), Some(5.0));
        let messages = conversation.finish().expect("messages");
        let tools: Vec<_> = messages.iter().filter_map(|message| message.tool.as_ref()).collect();
        assert_eq!(messages.len(), 3);
        assert_eq!((tools[0].ok, tools[1].ok), (Some(true), Some(false)));
    }

    #[test]
    fn an_answer_to_nothing_is_kept() {
        let mut conversation = Conversation::default();
        conversation.answered(answer(Some("x"), json!("done")), Some(4.0));
        conversation.answered(answer(None, json!("done too")), None);
        let messages = conversation.finish().expect("messages");
        let tool = messages[0].tool.clone().expect("a tool");
        assert_eq!((messages.len(), tool.name.as_str(), tool.result), (2, UNNAMED, Some(json!("done"))));
    }

    #[test]
    fn only_a_plain_yes_or_no_tells_whether_a_tool_worked() {
        for yes in [
            json!({"success": true}),
            json!({"ok": "true"}),
            json!({"status": "Success"}),
            json!({"is_error": false}),
        ] {
            assert_eq!(worked(&yes), Some(true), "{yes}");
        }
        for no in
            [json!({"success": false, "ok": true}), json!({"isError": true}), json!({"status": "failed"})]
        {
            assert_eq!(worked(&no), Some(false), "{no}");
        }
        for open in [
            json!("Booked."),
            json!(null),
            json!([]),
            json!({"status": 200}),
            json!({"error": null}),
            json!(true),
        ] {
            assert_eq!(worked(&open), None, "{open}");
        }
    }

    #[test]
    fn the_reason_for_a_transfer_is_the_one_given_to_the_tool() {
        let mut conversation = Conversation::default();
        let arguments = Some(json!({"reason": "asked for a person"}));
        let name = Some("transfer_call".to_owned());
        conversation.invoked(Invocation { name, call_id: None, arguments }, None);
        conversation.invoked(invocation("b"), None);
        let messages = conversation.finish().expect("messages");
        assert_eq!(transfer_reason(&messages).as_deref(), Some("asked for a person"));
    }
}
