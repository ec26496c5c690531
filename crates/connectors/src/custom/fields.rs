//! `settings.fields`: where each field of a call is in a body. The names are those of the REST API.

use model::{AssistantRef, CallStatus, Direction, Facts, Transfer, Urgency};
use serde_json::{Map, Value};

use super::{
    node::{Node, Object},
    path::From,
    value::{Caller, Meaning, Paths, Scope, Span, When, Words},
    word,
};
use crate::{captured, read};

const NAMES: [&str; 21] = [
    "caller_phone",
    "caller_name",
    "caller_email",
    "direction",
    "started_at",
    "ended_at",
    "duration",
    "summary",
    "transcript",
    "recording_url",
    "ended_reason",
    "transfer_status",
    "transfer_destination",
    "transfer_reason",
    "transferred_at",
    "assistant_id",
    "assistant_name",
    "intent",
    "urgency",
    "captured",
    "carrier_id",
];

/// Where each field is.
#[derive(Debug, Default)]
pub(super) struct Fields {
    caller_phone: Option<Caller>,
    caller_name: Option<Paths>,
    caller_email: Option<Paths>,
    direction: Option<Words<Direction>>,
    started_at: Option<When>,
    ended_at: Option<When>,
    duration: Option<Span>,
    summary: Option<Paths>,
    transcript: Option<Paths>,
    recording_url: Option<Paths>,
    ended_reason: Option<Paths>,
    transfer_status: Option<Words<Transfer>>,
    transfer_destination: Option<Paths>,
    transfer_reason: Option<Paths>,
    transferred_at: Option<When>,
    assistant_id: Option<Paths>,
    assistant_name: Option<Paths>,
    intent: Option<Paths>,
    urgency: Option<Words<Urgency>>,
    captured: Option<Form>,
    carrier_id: Option<Paths>,
}

/// What the platform's analysis filled in.
#[derive(Debug)]
enum Form {
    /// An object.
    Whole(Paths),
    /// Entries that each have a name, or are named by their place, and a value.
    Entries { entries: Paths, name: Option<Paths>, value: Paths },
    /// Fields picked one by one.
    Picked(Vec<(String, Paths)>),
}

impl Fields {
    pub(super) fn read(node: &Node<'_>) -> Result<Self, String> {
        let object = node.object(&NAMES)?;
        let paths = |name: &str| object.read(name, |node| Paths::read(node, From::Body));
        let when = |name: &str| object.read(name, |node| When::read(node, From::Body));
        Ok(Self {
            caller_phone: object.read("caller_phone", Caller::read)?,
            caller_name: paths("caller_name")?,
            caller_email: paths("caller_email")?,
            direction: words(&object, "direction", &word::DIRECTION)?,
            started_at: when("started_at")?,
            ended_at: when("ended_at")?,
            duration: object.read("duration", |node| Span::read(node, From::Body))?,
            summary: paths("summary")?,
            transcript: paths("transcript")?,
            recording_url: paths("recording_url")?,
            ended_reason: paths("ended_reason")?,
            transfer_status: words(&object, "transfer_status", &word::TRANSFER)?,
            transfer_destination: paths("transfer_destination")?,
            transfer_reason: paths("transfer_reason")?,
            transferred_at: when("transferred_at")?,
            assistant_id: paths("assistant_id")?,
            assistant_name: paths("assistant_name")?,
            intent: paths("intent")?,
            urgency: words(&object, "urgency", &word::URGENCY)?,
            captured: object.read("captured", Form::read)?,
            carrier_id: paths("carrier_id")?,
        })
    }

    /// What a body says by these, but for the status and the conversation. `direction` is who called whom, as far as
    /// that is known from elsewhere.
    pub(super) fn facts(&self, scope: Scope<'_>, direction: Option<Direction>) -> (Facts, Transfer) {
        let text = |paths: &Option<Paths>| paths.as_ref().and_then(|paths| paths.text(scope));
        let id = |paths: &Option<Paths>| paths.as_ref().and_then(|paths| paths.id(scope));
        let when = |when: &Option<When>| when.as_ref().and_then(|when| when.find(scope));
        let own_direction = self.direction.as_ref().and_then(|words| words.find(scope).value);
        let caller = self.caller_phone.as_ref();
        let (caller_phone, caller_address) =
            caller.map_or((None, None), |caller| caller.find(scope, own_direction.or(direction)));
        let captured = self.captured.as_ref().and_then(|form| form.find(scope));
        let found = captured.as_ref().map(captured::find).unwrap_or_default();
        let email = self.caller_email.as_ref().and_then(|paths| paths.first(scope, captured::email));
        let urgency = self.urgency.as_ref().and_then(|words| words.find(scope).value);
        let recording = self.recording_url.as_ref();
        let facts = Facts {
            caller_phone,
            caller_address,
            caller_name: text(&self.caller_name).or(found.name),
            caller_email: email.or(found.email),
            direction: own_direction,
            started_at: when(&self.started_at),
            ended_at: when(&self.ended_at),
            duration_seconds: self.duration.as_ref().and_then(|span| span.whole_seconds(scope)),
            summary: text(&self.summary),
            transcript: text(&self.transcript),
            recording_url: recording.and_then(|paths| paths.first(scope, |value| read::first_url([value]))),
            ended_reason: id(&self.ended_reason),
            assistant: self.assistant(scope),
            intent: text(&self.intent).or(found.intent),
            urgency: urgency.or(found.urgency),
            captured,
            carrier_id: id(&self.carrier_id),
            ..Facts::default()
        };
        self.with_transfer(scope, facts)
    }

    fn assistant(&self, scope: Scope<'_>) -> Option<AssistantRef> {
        let find = |paths: &Option<Paths>| paths.as_ref().and_then(|paths| paths.id(scope));
        let (id, name) = (find(&self.assistant_id), find(&self.assistant_name));
        // Where a platform has only names, they tell its assistants apart.
        let by_name = || self.assistant_id.is_none().then(|| name.clone()).flatten();
        Some(AssistantRef { external_id: id.or_else(by_name)?, name })
    }

    /// Adds what is said of a transfer. A destination by itself is no transfer where the settings name a status: it
    /// may be where the call would have gone.
    fn with_transfer(&self, scope: Scope<'_>, facts: Facts) -> (Facts, Transfer) {
        let words = self.transfer_status.as_ref().map(|words| words.find(scope));
        let destination = self.transfer_destination.as_ref().and_then(|paths| paths.id(scope));
        let transferred_at = self.transferred_at.as_ref().and_then(|when| when.find(scope));
        let (transfer, word) = match words {
            Some(Meaning { word: Some(word), value }) => (value.unwrap_or(Transfer::Started), Some(word)),
            Some(Meaning { word: None, value: Some(value) }) => {
                (value, Some(word::TRANSFER.word(value).into()))
            }
            Some(_) if transferred_at.is_none() => (Transfer::None, None),
            None if destination.is_none() && transferred_at.is_none() => (Transfer::None, None),
            _ => (Transfer::HandedOver, Some(word::TRANSFER.word(Transfer::HandedOver).into())),
        };
        if transfer == Transfer::None {
            return (facts, transfer);
        }
        let facts = Facts {
            transfer_status: word,
            transfer_destination: destination,
            transfer_reason: self.transfer_reason.as_ref().and_then(|paths| paths.text(scope)),
            transferred_at,
            ..facts
        };
        (facts, transfer)
    }
}

fn words<T: Copy + PartialEq>(
    object: &Object<'_>,
    name: &str,
    vocabulary: &'static word::Vocabulary<T>,
) -> Result<Option<Words<T>>, String> {
    object.read(name, |node| Words::read(node, From::Body, vocabulary))
}

/// What follows from where a call stands. One that goes on has no end, and a duration that is told of it is not the
/// whole; one that is over ended as long after it began as it took.
pub(super) fn settled(facts: Facts) -> Facts {
    match facts.status {
        None => facts,
        Some(CallStatus::InProgress | CallStatus::Forwarding) => {
            Facts { ended_at: None, duration_seconds: None, ended_reason: None, ..facts }
        }
        Some(CallStatus::Completed | CallStatus::Failed | CallStatus::Blocked) => {
            let micros = facts.duration_seconds.map(|seconds| seconds.saturating_mul(1_000_000));
            let derived = facts.started_at.zip(micros).map(|(start, micros)| start.plus_micros(micros));
            Facts { ended_at: facts.ended_at.or(derived), ..facts }
        }
    }
}

impl Form {
    /// Reads paths, or `{path, name, value}`, or `{pick: {name: paths}}`.
    fn read(node: Node<'_>) -> Result<Self, String> {
        if !node.value.is_object() {
            return Ok(Self::Whole(Paths::read(node, From::Body)?));
        }
        let object = node.object(&["path", "name", "value", "pick"])?;
        if let Some(pick) = object.get("pick") {
            if let Some(other) = ["path", "name", "value"].into_iter().find_map(|name| object.get(name)) {
                return Err(other.error("does not go with `pick`"));
            }
            let pick = pick.entries()?.into_iter();
            let pick = pick.map(|(name, node)| Ok((name.to_owned(), Paths::read(node, From::Body)?)));
            return Ok(Self::Picked(pick.collect::<Result<_, String>>()?));
        }
        let entries = Paths::read(object.need("path")?, From::Body)?;
        let name = object.read("name", |node| Paths::read(node, From::Item))?;
        let value = object.read("value", |node| Paths::read(node, From::Item))?;
        Ok(match (name, value) {
            (None, None) => Self::Whole(entries),
            (name, Some(value)) => Self::Entries { entries, name, value },
            (Some(name), None) => return Err(format!("{} needs a `value` beside it", name.at)),
        })
    }

    fn find(&self, scope: Scope<'_>) -> Option<Map<String, Value>> {
        let fields = match self {
            Self::Whole(paths) => paths.first(scope, read::object)?,
            Self::Entries { entries, name, value } => entries.first(scope, |found| {
                let named = named(found, |place, item| {
                    let own = name.as_ref().map(|name| name.id(scope.of(item)));
                    Some((own.unwrap_or(place)?, value.first(scope.of(item), read::plain)?))
                });
                (!named.is_empty()).then_some(named)
            })?,
            Self::Picked(fields) => fields
                .iter()
                .filter_map(|(name, paths)| Some((name.clone(), paths.first(scope, read::plain)?)))
                .collect(),
        };
        (!fields.is_empty()).then_some(fields)
    }
}

/// The entries of a list or an object, each by what `read` makes of its place's name and itself.
fn named(
    found: &Value,
    read: impl Fn(Option<String>, &Value) -> Option<(String, Value)>,
) -> Map<String, Value> {
    match found {
        Value::Object(fields) => {
            fields.iter().filter_map(|(place, item)| read(Some(place.replace('\0', "")), item)).collect()
        }
        _ => read::list(found).iter().filter_map(|item| read(None, item)).collect(),
    }
}
