//! `settings.messages` and `settings.tools`: the conversation turn by turn, and what the assistant did.

use model::{Message, Role, Time, Tool};
use serde_json::Value;

use super::{
    node::Node,
    path::From,
    value::{Paths, Scope, Span, When, Words, meanings},
    word::{self, Speaker},
};
use crate::{
    conversation::{self, Answer, Conversation, Invocation},
    read,
};

/// Where the turns of a conversation are, and how each is read.
#[derive(Debug)]
pub(super) struct Messages {
    turns: Paths,
    role: Paths,
    text: Paths,
    /// How long after the call's start.
    offset: Option<Span>,
    /// When.
    time: Option<When>,
    roles: Vec<(String, Speaker)>,
    tool: ToolUse,
}

/// What a mapping makes of a conversation.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) messages: Vec<Message>,
    /// The text, where the conversation is one.
    pub(super) transcript: Option<String>,
}

impl Messages {
    /// Reads paths, or `{path, role, text, offset, time, roles, tool}`.
    pub(super) fn read(node: Node<'_>) -> Result<Self, String> {
        let at = node.at.clone();
        let role = Paths::usual(&format!("{at}.role"), &["@.role"]);
        let text = Paths::usual(&format!("{at}.text"), &["@.content", "@.text", "@.message"]);
        let tool = ToolUse::usual(&format!("{at}.tool"));
        if !node.value.is_object() {
            let turns = Paths::read(node, From::Body)?;
            return Ok(Self { turns, role, text, offset: None, time: None, roles: vec![], tool });
        }
        let object = node.object(&["path", "role", "text", "offset", "time", "roles", "tool"])?;
        let paths = |name: &str| object.read(name, |node| Paths::read(node, From::Item));
        Ok(Self {
            turns: Paths::read(object.need("path")?, From::Body)?,
            role: paths("role")?.unwrap_or(role),
            text: paths("text")?.unwrap_or(text),
            offset: object.read("offset", |node| Span::read(node, From::Item))?,
            time: object.read("time", |node| When::read(node, From::Item))?,
            roles: object.read("roles", |node| meanings(&node, &word::SPEAKER))?.unwrap_or_default(),
            tool: object.read("tool", |node| ToolUse::read(&node, &[]))?.unwrap_or(tool),
        })
    }

    /// The conversation in a body. Times in it are told from the call's start.
    pub(super) fn find(&self, scope: Scope<'_>, started_at: Option<Time>) -> Said {
        for path in &self.turns.each {
            let found = path.find(scope.body, scope.item);
            if let [Value::String(text)] = found.as_slice() {
                // Templates put a list into text.
                match read::json(&Value::from(text.as_str())) {
                    Some(Value::Array(turns)) => {
                        return self.turns(scope, &turns.iter().collect::<Vec<_>>(), started_at);
                    }
                    Some(Value::String(_)) => return self.lines(scope, text),
                    _ => {}
                }
            }
            let turns = items(&found);
            if !turns.is_empty() {
                return self.turns(scope, &turns, started_at);
            }
        }
        scope.note(&self.turns.at, || format!("{} found nothing", self.turns.written()));
        Said::default()
    }

    fn speaker(&self, word: &str) -> Option<Speaker> {
        let listed = self.roles.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
        listed.map(|(_, speaker)| *speaker).or_else(|| word::common_speaker(word))
    }

    fn turns(&self, scope: Scope<'_>, turns: &[&Value], started_at: Option<Time>) -> Said {
        let mut conversation = Conversation::default();
        for (number, turn) in turns.iter().enumerate() {
            let item = scope.of(turn);
            let offset = self.offset_seconds(item, started_at);
            let role = self.role.first(item, word::word);
            match role.as_deref().and_then(|role| self.speaker(role)) {
                Some(Speaker::Assistant) => conversation.said(Role::Assistant, self.said(item), offset),
                Some(Speaker::User) => conversation.said(Role::User, self.said(item), offset),
                Some(Speaker::Tool) => self.tool.add(item, &mut conversation, number, offset),
                Some(Speaker::None) => {}
                Some(Speaker::System) | None => conversation.said(Role::System, self.said(item), offset),
            }
        }
        self.note_items(scope, turns);
        let messages = conversation.finish().unwrap_or_default();
        Said { messages: messages.into_iter().map(without_stand_in).collect(), transcript: None }
    }

    fn said(&self, item: Scope<'_>) -> Option<String> {
        self.text.first(item, read::text)
    }

    fn offset_seconds(&self, item: Scope<'_>, started_at: Option<Time>) -> Option<f64> {
        let offset = self.offset.as_ref().and_then(|span| span.offset_seconds(item));
        offset.or_else(|| {
            let micros = self.time.as_ref()?.find(item)?.micros().checked_sub(started_at?.micros())?;
            read::offset_seconds(&Value::from(micros as f64 / 1e6))
        })
    }

    /// Tells which paths lead nowhere in any turn, and which words for who speaks are not known.
    fn note_items(&self, scope: Scope<'_>, turns: &[&Value]) {
        if !scope.takes_notes() {
            return;
        }
        for paths in [&self.role, &self.text] {
            if !turns.iter().any(|turn| paths.first(scope.of(turn), word::word).is_some()) {
                scope.note(&paths.at, || format!("{} found nothing in any turn", paths.written()));
            }
        }
        let mut unknown: Vec<String> =
            turns.iter().filter_map(|turn| self.role.first(scope.of(turn), word::word)).collect();
        unknown.retain(|word| self.speaker(word).is_none());
        unknown.sort();
        unknown.dedup();
        for word in unknown {
            scope.note(&self.role.at, || format!("the word {word:?} is not listed in `roles`"));
        }
    }

    /// A conversation as text, where a line begins with who speaks and a colon, or goes on with what was said.
    fn lines(&self, scope: Scope<'_>, text: &str) -> Said {
        let mut conversation = Conversation::default();
        let mut turn: Option<(Role, String)> = None;
        for line in text.lines() {
            let labelled =
                line.split_once(':').and_then(|(label, said)| Some((self.speaker(label.trim())?, said)));
            match (labelled, &mut turn) {
                (Some((speaker, said)), _) => {
                    let role = match speaker {
                        Speaker::Assistant => Some(Role::Assistant),
                        Speaker::User => Some(Role::User),
                        // In a text there is no telling what a tool was asked.
                        Speaker::System | Speaker::Tool => Some(Role::System),
                        Speaker::None => None,
                    };
                    end_turn(&mut conversation, turn.take());
                    turn = role.map(|role| (role, said.trim().to_owned()));
                }
                (None, Some((_, said))) => {
                    said.push('\n');
                    said.push_str(line.trim());
                }
                (None, None) => {}
            }
        }
        end_turn(&mut conversation, turn);
        let messages = conversation.finish().unwrap_or_default();
        if messages.is_empty() {
            let problem = "found text in which no line begins with who speaks and a colon";
            scope.note(&self.turns.at, || format!("{} {problem}", self.turns.written()));
        }
        Said { messages, transcript: word::text(&Value::from(text)) }
    }
}

fn end_turn(conversation: &mut Conversation, turn: Option<(Role, String)>) {
    if let Some((role, said)) = turn {
        conversation.said(role, read::text(&Value::from(said)), None);
    }
}

/// The values, with the items of lists in the place of the lists.
fn items<'a>(found: &[&'a Value]) -> Vec<&'a Value> {
    let item = |value: &&'a Value| match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null | Value::String(_) => vec![],
        other => vec![*other],
    };
    found.iter().flat_map(item).collect()
}

/// Where uses of tools are that are no turns of the conversation.
#[derive(Debug)]
pub(super) struct Tools {
    items: Paths,
    tool: ToolUse,
}

impl Tools {
    /// Reads `{path, name, id, arguments, result, ok}`.
    pub(super) fn read(node: &Node<'_>) -> Result<Self, String> {
        let object = node.object(&["path", "name", "id", "arguments", "result", "ok"])?;
        object.need("name")?;
        let items = Paths::read(object.need("path")?, From::Body)?;
        Ok(Self { items, tool: ToolUse::read(node, &["path"])? })
    }

    /// Each use of a tool in a body, as a message.
    pub(super) fn find(&self, scope: Scope<'_>) -> Vec<Message> {
        let found = self.items.each.iter().map(|path| items(&path.find(scope.body, scope.item)));
        let Some(found) = found.into_iter().find(|found| !found.is_empty()) else {
            scope.note(&self.items.at, || format!("{} found nothing", self.items.written()));
            return vec![];
        };
        let message = |item: &Value| {
            let Parts { name, call_id, arguments, result, ok } = self.tool.parts(scope.of(item));
            let tool = Tool { name: name?, call_id, arguments, result, ok };
            Some(Message { role: Role::Tool, content: None, offset_seconds: None, tool: Some(tool) })
        };
        found.into_iter().filter_map(message).collect()
    }
}

/// Where the parts of a tool's use are in an item.
#[derive(Debug)]
struct ToolUse {
    name: Option<Name>,
    id: Option<Paths>,
    arguments: Option<Paths>,
    result: Option<Paths>,
    ok: Option<Words<bool>>,
}

#[derive(Debug)]
enum Name {
    Told(Paths),
    Fixed(String),
}

struct Parts {
    name: Option<String>,
    call_id: Option<String>,
    arguments: Option<Value>,
    result: Option<Value>,
    ok: Option<bool>,
}

impl ToolUse {
    fn read(node: &Node<'_>, beside: &[&str]) -> Result<Self, String> {
        let known: Vec<_> =
            ["name", "id", "arguments", "result", "ok"].iter().chain(beside).copied().collect();
        let object = node.object(&known)?;
        let paths = |name: &str| object.read(name, |node| Paths::read(node, From::Item));
        let name = object.read("name", |node| {
            Ok(if node.is_path() {
                Name::Told(Paths::read(node, From::Item)?)
            } else {
                Name::Fixed(node.text()?.into())
            })
        })?;
        let ok = object.read("ok", |node| Words::read(node, From::Item, &word::FLAG))?;
        Ok(Self { name, id: paths("id")?, arguments: paths("arguments")?, result: paths("result")?, ok })
    }

    fn usual(at: &str) -> Self {
        let paths = |name: &str, paths: &[&str]| Some(Paths::usual(&format!("{at}.{name}"), paths));
        Self {
            name: paths("name", &["@.name"]).map(Name::Told),
            id: paths("id", &["@.tool_call_id", "@.id"]),
            arguments: paths("arguments", &["@.arguments"]),
            result: paths("result", &["@.result"]),
            ok: None,
        }
    }

    fn parts(&self, item: Scope<'_>) -> Parts {
        let json = |paths: &Option<Paths>| paths.as_ref().and_then(|paths| paths.first(item, read::json));
        let result = json(&self.result);
        let told = self.ok.as_ref().and_then(|words| words.find(item).value);
        Parts {
            name: self.name.as_ref().and_then(|name| match name {
                Name::Told(paths) => paths.text(item),
                Name::Fixed(name) => Some(name.clone()),
            }),
            call_id: self.id.as_ref().and_then(|paths| paths.id(item)),
            arguments: json(&self.arguments),
            ok: conversation::verdict([told, result.as_ref().and_then(conversation::worked)]),
            result,
        }
    }

    /// Adds a turn that is a question to a tool, its answer, or both at once.
    fn add(&self, item: Scope<'_>, conversation: &mut Conversation, number: usize, offset: Option<f64>) {
        let Parts { name, call_id, arguments, result, ok } = self.parts(item);
        let answers = result.is_some() || ok.is_some();
        if !answers {
            return conversation.invoked(Invocation { name, call_id, arguments }, offset);
        }
        let asked = arguments.is_some();
        let call_id = if asked { call_id.or_else(|| Some(stand_in(number))) } else { call_id };
        if asked {
            let invocation = Invocation { name: name.clone(), call_id: call_id.clone(), arguments };
            conversation.invoked(invocation, offset);
        }
        conversation.answered(Answer { name, call_id, result, ok }, offset);
    }
}

/// An id for a use of a tool that has none, so that its answer finds it. No platform's id can be one: NUL is dropped
/// from what is read.
fn stand_in(number: usize) -> String {
    format!("\0{number}")
}

fn without_stand_in(message: Message) -> Message {
    let tool =
        message.tool.map(|tool| Tool { call_id: tool.call_id.filter(|id| !id.starts_with('\0')), ..tool });
    Message { tool, ..message }
}
