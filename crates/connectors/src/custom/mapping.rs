//! A source's settings as a whole: what they may hold, and what they make of a body.

use std::borrow::Cow;

use model::{CallStatus, Change, Completion, Facts, Message, Platform, Stage, Transfer};
use serde_json::{Map, Value, json};

use super::{
    fields::{self, Fields},
    messages::{Messages, Tools},
    node::Node,
    path::From,
    value::{Paths, Scope, When, Words},
    word,
};
use crate::{Connector, Parsed, Question, Request, Unreadable, connector, read, settings::ANSWERS};

/// How a body is read that is written in our own words, for those who can choose what they send.
const DEFAULT: &str = include_str!("default.json");

/// The settings that make a mapping of one's own.
const OWN: [&str; 9] =
    ["event", "event_id", "at", "call_id", "events", "status", "fields", "messages", "tools"];

/// The other settings.
const OTHERS: [&str; 6] = ["auth", "like", "root", "only", "booking_tools", ANSWERS];

/// The name under which bookings are known.
const BOOKING: &str = "book_appointment";

/// A mapping.
pub(super) struct Mapping {
    like: Option<&'static dyn Connector>,
    /// Where in the body the platform's message is.
    root: Option<Paths>,
    /// What must stand where, or else the body is kept without being read.
    only: Vec<(Paths, Vec<String>)>,
    event: Option<Paths>,
    event_id: Option<Paths>,
    at: Option<When>,
    call_id: Option<Paths>,
    events: Option<Vec<(String, Event)>>,
    status: Option<Words<CallStatus>>,
    fields: Fields,
    messages: Option<Messages>,
    tools: Vec<Tools>,
    booking_tools: Vec<String>,
}

/// What is known of a message by its event.
#[derive(Debug, Default)]
struct Event {
    status: Option<CallStatus>,
    stage: Option<Stage>,
    complete: Option<Completion>,
    transfer: Option<Transfer>,
}

impl Mapping {
    /// Reads settings. The error says where in them it is.
    pub(super) fn from_settings(settings: &Value) -> Result<Self, String> {
        let none = Value::Object(Map::new());
        let settings = if settings.is_null() { &none } else { settings };
        let known: Vec<_> = OTHERS.into_iter().chain(OWN).collect();
        let object = Node::settings(settings).object(&known)?;
        let has_own = OWN.into_iter().any(|name| object.get(name).is_some());
        if has_own || object.get("like").is_some() {
            return Self::read(settings);
        }
        let mut with_default: Map<String, Value> =
            serde_json::from_str(DEFAULT).map_err(|error| format!("the default mapping: {error}"))?;
        with_default.extend(settings.as_object().cloned().unwrap_or_default());
        Self::read(&Value::Object(with_default))
    }

    fn read(settings: &Value) -> Result<Self, String> {
        let known: Vec<_> = OTHERS.into_iter().chain(OWN).collect();
        let object = Node::settings(settings).object(&known)?;
        let paths = |name: &str| object.read(name, |node| Paths::read(node, From::Body));
        let list =
            |node: Node<'_>| node.one_or_more()?.iter().map(|node| Ok(node.text()?.to_owned())).collect();
        let tools = |node: Node<'_>| node.one_or_more()?.iter().map(Tools::read).collect();
        let mapping = Self {
            like: object.read("like", |node| like(&node))?,
            root: paths("root")?,
            only: object.read("only", |node| only(&node))?.unwrap_or_default(),
            event: paths("event")?,
            event_id: paths("event_id")?,
            at: object.read("at", |node| When::read(node, From::Body))?,
            call_id: paths("call_id")?,
            events: object.read("events", |node| events(&node))?,
            status: object.read("status", |node| Words::read(node, From::Body, &word::STATUS))?,
            fields: object.read("fields", |node| Fields::read(&node))?.unwrap_or_default(),
            messages: object.read("messages", Messages::read)?,
            tools: object.read("tools", tools)?.unwrap_or_default(),
            booking_tools: object.read("booking_tools", list)?.unwrap_or_default(),
        };
        mapping.check(&object)?;
        mapping.check_answers(object.get(ANSWERS).map_or(&Value::Null, |node| node.value))?;
        Ok(mapping)
    }

    /// Only a platform asks, so these messages have to be like those of one that does.
    fn check_answers(&self, answers: &Value) -> Result<(), String> {
        match self.like {
            _ if answers.is_null() => Ok(()),
            Some(like) => like.check_settings(&json!({ ANSWERS: answers })),
            None => Err("settings.answers does not go without `like`: the platform that asks".into()),
        }
    }

    /// What no setting by itself can be wrong about.
    fn check(&self, object: &super::node::Object<'_>) -> Result<(), String> {
        if let Some(like) = self.like {
            let told = ["event", "events", "call_id", "at"].into_iter().find_map(|name| object.get(name));
            return told.map_or(Ok(()), |node| {
                let platform = like.platform().as_str();
                Err(node.error(&format!("does not go with `like`: it is where {platform} has it")))
            });
        }
        if self.call_id.is_none() {
            return Err("settings.call_id is missing: the path of the call's id".into());
        }
        if self.status.is_none() && self.events.is_none() {
            let how = "a path with the platform's words, or \"completed\" where every message is of a call that is over";
            return Err(format!("settings.status is missing: {how}"));
        }
        if self.events.is_some() && self.event.is_none() {
            return Err("settings.event is missing: the path of the words in `events`".into());
        }
        Ok(())
    }

    /// The connector of the platform whose messages these are like.
    pub(super) fn like(&self) -> Option<&'static dyn Connector> {
        self.like
    }

    /// What a request says.
    pub(super) fn parse(
        &self,
        request: &Request<'_>,
        notes: Option<&std::cell::RefCell<Vec<crate::Missed>>>,
    ) -> Result<Parsed, Unreadable> {
        let body = match (self.like, read::body(request.body)) {
            (_, Ok(body)) => body,
            // A form, such as Twilio sends: only the platform's own connector can read it.
            (Some(_), Err(_)) if self.root.is_none() => Value::Null,
            (_, Err(error)) => return Err(error),
        };
        let body = self.rooted(&body)?;
        let scope = Scope::new(&body, notes);
        let parsed = match self.like {
            Some(like) => self.parse_like(like, request, scope),
            None => self.parse_own(scope),
        }?;
        let changes = parsed.changes.into_iter().map(|change| self.with_bookings(change));
        Ok(Parsed { changes: changes.collect(), ..parsed })
    }

    /// What a request asks: what the platform would ask that it is like.
    pub(super) fn question(&self, request: &Request<'_>, parsed: &Parsed) -> Option<Question> {
        let like = self.like?;
        if self.root.is_none() {
            return like.question(&Value::Null, request, parsed);
        }
        let body = read::body(request.body).ok()?;
        let inner = self.rooted(&body).ok()?.to_string();
        like.question(&Value::Null, &Request { body: inner.as_bytes(), ..*request }, parsed)
    }

    /// The part of a body that is the platform's message. It may be JSON that somebody put into text.
    fn rooted<'a>(&self, body: &'a Value) -> Result<Cow<'a, Value>, Unreadable> {
        let Some(root) = &self.root else { return Ok(Cow::Borrowed(body)) };
        let inner = |value: &'a Value| match value {
            Value::Object(_) | Value::Array(_) => Some(Cow::Borrowed(value)),
            Value::String(_) => {
                read::json(value).filter(|value| value.is_object() || value.is_array()).map(Cow::Owned)
            }
            _ => None,
        };
        root.first(Scope::new(body, None), inner).ok_or_else(|| missing(root))
    }

    fn is_wanted(&self, scope: Scope<'_>) -> bool {
        self.only.iter().all(|(paths, words)| {
            let listed = |word: &String| words.iter().any(|known| known.eq_ignore_ascii_case(word));
            paths.first(scope, |value| word::word(value).filter(listed)).is_some()
        })
    }

    fn parse_own(&self, scope: Scope<'_>) -> Result<Parsed, Unreadable> {
        let event = self.event.as_ref().and_then(|paths| paths.first(scope, word::word));
        let event_id = self.event_id.as_ref().and_then(|paths| paths.id(scope));
        let external_id = self.call_id.as_ref().and_then(|paths| paths.id(scope));
        let known = self.events.as_ref().map(|events| {
            let named = |event: &String| events.iter().find(|(name, _)| name.eq_ignore_ascii_case(event));
            event.as_ref().and_then(named).map(|(_, known)| known)
        });
        let none = Event::default();
        let (known, wanted) = match known {
            Some(Some(known)) => (known, self.is_wanted(scope)),
            Some(None) => (&none, false),
            None => (&none, self.is_wanted(scope)),
        };
        let event = event.unwrap_or_else(|| "call".into());
        if !wanted {
            scope.note("settings", || format!("the message {event:?} is kept, and nothing is read from it"));
            return Ok(Parsed { event, event_id, external_id, changes: vec![] });
        }
        let missing =
            || self.call_id.as_ref().map_or_else(|| Unreadable::new("settings.call_id is missing"), missing);
        let external_id = external_id.ok_or_else(missing)?;
        let change = self.change(scope, known, external_id.clone());
        Ok(Parsed { event, event_id, external_id: Some(external_id), changes: vec![change] })
    }

    fn change(&self, scope: Scope<'_>, known: &Event, external_id: String) -> Change {
        let told = self.status.as_ref().map(|words| words.find(scope));
        let (word, told) = told.map_or((None, None), |told| (told.word, told.value));
        let status = known.status.or(told);
        let (facts, transfer) = self.fields.facts(scope, None);
        let facts = self.with_messages(scope, facts);
        // The platform's word is kept where it says how the call ended.
        let word = word.filter(|_| status.is_some_and(CallStatus::is_final));
        let facts = Facts { status, ended_reason: facts.ended_reason.or(word), ..facts };
        let (facts, transfer) = match known.transfer {
            Some(transfer) => (with_transfer(facts, transfer), transfer),
            None => (facts, transfer),
        };
        let stage = known.stage.unwrap_or(match status {
            Some(CallStatus::InProgress) => Stage::Started,
            Some(CallStatus::Forwarding) | None => Stage::Status,
            Some(CallStatus::Completed | CallStatus::Failed | CallStatus::Blocked) => Stage::Ended,
        });
        let completion = known.complete.unwrap_or(match stage {
            Stage::Ended | Stage::Analyzed => Completion::Now,
            Stage::Swept | Stage::Started | Stage::Status | Stage::Audio => Completion::No,
        });
        let at = self.at.as_ref().and_then(|when| when.find(scope));
        Change { external_id, stage, at, completion, facts: fields::settled(facts), transfer }
    }

    /// Adds the conversation, whose times may be told from the start that the facts have.
    fn with_messages(&self, scope: Scope<'_>, facts: Facts) -> Facts {
        let said = self.messages.as_ref().map(|messages| messages.find(scope, facts.started_at));
        let said = said.unwrap_or_default();
        let tools = self.tools.iter().flat_map(|tools| tools.find(scope));
        let own = if said.messages.is_empty() { facts.messages.unwrap_or_default() } else { said.messages };
        let messages: Vec<Message> = own.into_iter().chain(tools).collect();
        Facts {
            messages: (!messages.is_empty()).then_some(messages),
            transcript: facts.transcript.or(said.transcript),
            ..facts
        }
    }

    fn parse_like(
        &self,
        like: &dyn Connector,
        request: &Request<'_>,
        scope: Scope<'_>,
    ) -> Result<Parsed, Unreadable> {
        let inner;
        let request = if self.root.is_some() {
            inner = scope.body.to_string();
            Request { body: inner.as_bytes(), ..*request }
        } else {
            *request
        };
        let parsed = like.parse(&Value::Null, &request);
        if !self.is_wanted(scope) {
            let (event, external_id) =
                parsed.map_or(("unknown".into(), None), |parsed| (parsed.event, parsed.external_id));
            return Ok(Parsed { event, event_id: None, external_id, changes: vec![] });
        }
        let parsed = parsed?;
        let event_id = self.event_id.as_ref().and_then(|paths| paths.id(scope)).or(parsed.event_id);
        let changes = parsed.changes.into_iter().map(|change| self.over(scope, change)).collect();
        Ok(Parsed { event_id, changes, ..parsed })
    }

    /// A change with what the settings say in the place of what the platform's connector found.
    fn over(&self, scope: Scope<'_>, change: Change) -> Change {
        let base = change.facts;
        let (own, transfer) = self.fields.facts(scope, base.direction);
        let status = self.status.as_ref().and_then(|words| words.find(scope).value);
        let facts = Facts { status: status.or(base.status), ..over(base, own) };
        let facts = self.with_messages(scope, facts);
        Change { facts, transfer: transfer.max(change.transfer), ..change }
    }

    /// Gives the owner's own tools for bookings the name by which bookings are known.
    fn with_bookings(&self, mut change: Change) -> Change {
        let messages = change.facts.messages.iter_mut().flatten();
        for tool in messages.filter_map(|message| message.tool.as_mut()) {
            if self.booking_tools.iter().any(|name| name.eq_ignore_ascii_case(&tool.name)) {
                tool.name = BOOKING.into();
            }
        }
        change
    }
}

fn missing(paths: &Paths) -> Unreadable {
    Unreadable::new(format!("{} is missing ({})", paths.written(), paths.at))
}

fn with_transfer(facts: Facts, transfer: Transfer) -> Facts {
    if transfer == Transfer::None {
        return facts;
    }
    let word = || word::TRANSFER.word(transfer).to_owned();
    let transfer_status = facts.transfer_status.clone().or_else(|| Some(word()));
    Facts { transfer_status, ..facts }
}

/// One set of facts, with what is missing taken from another.
fn over(base: Facts, own: Facts) -> Facts {
    let (caller_phone, caller_address) = match (own.caller_phone, own.caller_address) {
        (None, None) => (base.caller_phone, base.caller_address),
        own => own,
    };
    Facts {
        status: own.status.or(base.status),
        ended_reason: own.ended_reason.or(base.ended_reason),
        caller_phone,
        caller_address,
        caller_name: own.caller_name.or(base.caller_name),
        caller_email: own.caller_email.or(base.caller_email),
        direction: own.direction.or(base.direction),
        started_at: own.started_at.or(base.started_at),
        ended_at: own.ended_at.or(base.ended_at),
        duration_seconds: own.duration_seconds.or(base.duration_seconds),
        summary: own.summary.or(base.summary),
        transcript: own.transcript.or(base.transcript),
        messages: own.messages.or(base.messages),
        recordings: if own.recording_url.is_some() { own.recordings } else { base.recordings },
        recording_url: own.recording_url.or(base.recording_url),
        transfer_status: own.transfer_status.or(base.transfer_status),
        transfer_destination: own.transfer_destination.or(base.transfer_destination),
        transfer_reason: own.transfer_reason.or(base.transfer_reason),
        transferred_at: own.transferred_at.or(base.transferred_at),
        assistant: own.assistant.or(base.assistant),
        intent: own.intent.or(base.intent),
        urgency: own.urgency.or(base.urgency),
        captured: own.captured.or(base.captured),
        carrier_id: own.carrier_id.or(base.carrier_id),
    }
}

fn like(node: &Node<'_>) -> Result<&'static dyn Connector, String> {
    let others = || Platform::ALL.into_iter().filter(|platform| *platform != Platform::Custom);
    let platform = others().find(|platform| Some(platform.as_str()) == node.value.as_str());
    platform.and_then(connector).ok_or_else(|| {
        let words: Vec<_> = others().filter(|p| *p != Platform::Api).map(Platform::as_str).collect();
        node.error(&format!("must be one of {}", words.join(", ")))
    })
}

/// `{path: words}`.
fn only(node: &Node<'_>) -> Result<Vec<(Paths, Vec<String>)>, String> {
    let entry = |(path, node): (&str, Node<'_>)| {
        let key = Value::from(path);
        let paths = Paths::read(Node { at: node.at.clone(), value: &key }, From::Body)?;
        let word = |node: &Node<'_>| word::word(node.value).ok_or_else(|| node.error("must be a word"));
        let words = node.one_or_more()?.iter().map(word).collect::<Result<_, _>>()?;
        Ok((paths, words))
    };
    node.entries()?.into_iter().map(entry).collect()
}

/// `{event: {status, stage, complete, transfer}}`, where a status by itself may stand for the object.
fn events(node: &Node<'_>) -> Result<Vec<(String, Event)>, String> {
    let entry = |(name, node): (&str, Node<'_>)| Ok((name.trim().to_owned(), event(&node)?));
    node.entries()?.into_iter().map(entry).collect()
}

fn event(node: &Node<'_>) -> Result<Event, String> {
    if node.value.is_string() {
        return Ok(Event { status: Some(node.word(&word::STATUS)?), ..Event::default() });
    }
    let object = node.object(&["status", "stage", "complete", "transfer"])?;
    Ok(Event {
        status: object.read("status", |node| node.word(&word::STATUS))?,
        stage: object.read("stage", |node| node.word(&word::STAGE))?,
        complete: object.read("complete", |node| node.word(&word::COMPLETION))?,
        transfer: object.read("transfer", |node| node.word(&word::TRANSFER))?,
    })
}
