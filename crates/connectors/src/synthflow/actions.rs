//! What the assistant did in a call: `executed_actions`.

use serde_json::Value;

use crate::{
    conversation::{self, Answer, Conversation, Invocation},
    read,
};

/// One action.
pub(super) struct Action {
    /// Its key among the others.
    id: String,
    name: Option<String>,
    /// Such as `live_transfer_action_type`.
    kind: Option<String>,
    arguments: Option<Value>,
    pub(super) result: Option<Value>,
    pub(super) ok: Option<bool>,
}

impl Action {
    /// All actions, by name or as a list.
    pub(super) fn all(actions: &Value) -> Vec<Self> {
        let named = actions.as_object().into_iter().flatten().map(|(id, action)| (id.clone(), action));
        let listed = read::list(actions).iter().enumerate().map(|(id, action)| (id.to_string(), action));
        let all = named.chain(listed).filter(|(_, action)| action.is_object()).enumerate();
        all.map(|(number, (id, action))| {
            // A key that says nothing is worth as much as a place in a list.
            let id = Some(id.replace('\0', "")).filter(|id| !id.trim().is_empty());
            Self::of(id.unwrap_or_else(|| number.to_string()), action)
        })
        .collect()
    }

    fn of(id: String, action: &Value) -> Self {
        let arguments = [&action["parameters"], &action["arguments"], &action["parameters_hard_coded"]];
        let result = read::json(&action["return_value"]);
        let has_error = read::text(&action["error_message"]).map(|_| false);
        let worked = result.as_ref().and_then(conversation::worked);
        Self {
            name: read::text(&action["name"]).or_else(|| Some(id.clone())),
            id,
            kind: read::text(&action["action_type"]),
            arguments: arguments.into_iter().find_map(read::json),
            result,
            ok: conversation::verdict([has_error, worked]),
        }
    }

    /// Whether its type, or its name where it has none, has the word.
    pub(super) fn is_of(&self, word: &str) -> bool {
        let kind = self.kind.as_ref().or(self.name.as_ref());
        kind.is_some_and(|kind| kind.to_lowercase().contains(word))
    }

    /// Whom the caller was to be handed to.
    pub(super) fn transfer_destination(&self) -> Option<String> {
        let arguments = self.arguments.as_ref().filter(|_| self.is_of("transfer"))?;
        read::first_text([&arguments["phone_number"], &arguments["phone"], &arguments["number"]])
    }

    /// Adds it to what was said.
    pub(super) fn tell(&self, conversation: &mut Conversation) {
        let (name, call_id) = (self.name.clone(), Some(self.id.clone()));
        let arguments = self.arguments.clone();
        conversation.invoked(Invocation { name: name.clone(), call_id: call_id.clone(), arguments }, None);
        if self.result.is_some() || self.ok.is_some() {
            let (result, ok) = (self.result.clone(), self.ok);
            conversation.answered(Answer { name, call_id, result, ok }, None);
        }
    }
}
