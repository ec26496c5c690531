//! What settings name in a body: text, a word that stands for something, a time, a duration, a number to call.

use std::cell::RefCell;

use model::{Direction, Phone, Time};
use serde_json::Value;

use super::{
    node::Node,
    path::{From, Path},
    word::{self, Vocabulary},
};
use crate::{Missed, read};

/// A body, the item of a list in it that is being read, and who wants to know what was not found.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) body: &'a Value,
    pub(super) item: &'a Value,
    notes: Option<&'a RefCell<Vec<Missed>>>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(body: &'a Value, notes: Option<&'a RefCell<Vec<Missed>>>) -> Self {
        Self { body, item: body, notes }
    }

    /// The scope of one item. What one of many items lacks is not worth a note.
    pub(super) fn of(self, item: &'a Value) -> Self {
        Self { item, notes: None, ..self }
    }

    pub(super) fn note(&self, setting: &str, problem: impl FnOnce() -> String) {
        if let Some(notes) = self.notes {
            notes.borrow_mut().push(Missed { setting: setting.to_owned(), problem: problem() });
        }
    }

    pub(super) fn takes_notes(&self) -> bool {
        self.notes.is_some()
    }
}

/// One or more paths, of which the first that leads to something counts.
#[derive(Debug)]
pub(super) struct Paths {
    /// Where they are in the settings.
    pub(super) at: String,
    pub(super) each: Vec<Path>,
}

impl Paths {
    pub(super) fn read(node: Node<'_>, from: From) -> Result<Self, String> {
        let nodes = node.one_or_more()?;
        let each = nodes.iter().map(|node| node.path(from)).collect::<Result<_, _>>()?;
        Ok(Self { at: node.at, each })
    }

    /// Paths in a list's item that are taken where the settings name none.
    pub(super) fn usual(at: &str, paths: &[&str]) -> Self {
        let each = paths.iter().filter_map(|path| Path::parse(path).ok()).collect();
        Self { at: at.to_owned(), each }
    }

    /// The first value that can be read.
    pub(super) fn first<'a, T>(&self, scope: Scope<'a>, read: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
        let mut there = false;
        for path in &self.each {
            for value in path.find(scope.body, scope.item) {
                if let Some(found) = read(value) {
                    return Some(found);
                }
                there |= !value.is_null();
            }
        }
        let what = if there { "found nothing that can be used here" } else { "found nothing" };
        scope.note(&self.at, || format!("{} {what}", self.written()));
        None
    }

    pub(super) fn text(&self, scope: Scope<'_>) -> Option<String> {
        self.first(scope, word::text)
    }

    pub(super) fn id(&self, scope: Scope<'_>) -> Option<String> {
        self.first(scope, word::id)
    }

    /// As they were written.
    pub(super) fn written(&self) -> String {
        let paths: Vec<_> = self.each.iter().map(|path| path.text.as_str()).collect();
        paths.join(" or ")
    }
}

/// A word of the platform's that stands for one of our values.
#[derive(Debug)]
pub(super) struct Words<T: 'static> {
    at: String,
    paths: Option<Paths>,
    words: Vec<(String, T)>,
    default: Option<T>,
    vocabulary: &'static Vocabulary<T>,
}

/// What [`Words`] found.
#[derive(Debug, PartialEq)]
pub(super) struct Meaning<T> {
    /// The platform's word.
    pub(super) word: Option<String>,
    /// What it stands for.
    pub(super) value: Option<T>,
}

impl<T: Copy + PartialEq> Words<T> {
    /// Reads one of our words, which then always holds; or paths; or `{path, words, default}`.
    pub(super) fn read(
        node: Node<'_>,
        from: From,
        vocabulary: &'static Vocabulary<T>,
    ) -> Result<Self, String> {
        let at = node.at.clone();
        let plain = |paths, default| Self { at, paths, words: vec![], default, vocabulary };
        if node.is_path() {
            return Ok(plain(Some(Paths::read(node, from)?), None));
        }
        if !node.value.is_object() {
            let problem = || format!("{} must be a path such as \"$.name\", or one of", node.at);
            let word = node.word(vocabulary).map_err(|_| format!("{} {}", problem(), vocabulary.words()))?;
            return Ok(plain(None, Some(word)));
        }
        let object = node.object(&["path", "words", "default"])?;
        let paths = Paths::read(object.need("path")?, from)?;
        let default = object.read("default", |node| node.word(vocabulary))?;
        let words = object.read("words", |node| meanings(&node, vocabulary))?.unwrap_or_default();
        Ok(Self { words, ..plain(Some(paths), default) })
    }

    pub(super) fn find(&self, scope: Scope<'_>) -> Meaning<T> {
        let word = self.paths.as_ref().and_then(|paths| paths.first(scope, word::word));
        let value = word.as_deref().and_then(|word| {
            let listed = self.words.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
            listed.map(|(_, value)| *value).or_else(|| self.vocabulary.parse(word))
        });
        if let (Some(word), None, None) = (&word, value, self.default) {
            scope.note(&self.at, || format!("the word {word:?} is not listed in `words`"));
        }
        Meaning { word, value: value.or(self.default) }
    }
}

/// The platform's words and what they stand for.
pub(super) fn meanings<T: Copy + PartialEq>(
    node: &Node<'_>,
    vocabulary: &Vocabulary<T>,
) -> Result<Vec<(String, T)>, String> {
    let meaning = |(word, node): (&str, Node<'_>)| Ok((word.trim().to_owned(), node.word(vocabulary)?));
    node.entries()?.into_iter().map(meaning).collect()
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    Iso,
    Minutes,
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Unit {
    const ALL: [(&'static str, Self); 6] = [
        ("iso", Self::Iso),
        ("minutes", Self::Minutes),
        ("seconds", Self::Seconds),
        ("milliseconds", Self::Milliseconds),
        ("microseconds", Self::Microseconds),
        ("nanoseconds", Self::Nanoseconds),
    ];

    fn read(node: &Node<'_>, except: Self) -> Result<Self, String> {
        let text = node.text()?;
        let units = || Self::ALL.into_iter().filter(|(_, unit)| *unit != except);
        let found = units().find(|(name, _)| *name == text).map(|(_, unit)| unit);
        found.ok_or_else(|| {
            let names: Vec<_> = units().map(|(name, _)| name).collect();
            format!("{}: {text:?} is none of {}", node.at, names.join(", "))
        })
    }

    fn micros(self) -> f64 {
        match self {
            Self::Minutes => 60e6,
            Self::Seconds | Self::Iso => 1e6,
            Self::Milliseconds => 1e3,
            Self::Microseconds => 1.0,
            Self::Nanoseconds => 1e-3,
        }
    }

    /// A number of these in seconds. Divided at the end, so that what is a round number stays one.
    fn to_seconds(self, number: f64) -> f64 {
        number * self.micros() / 1e6
    }
}

/// A point in time.
#[derive(Debug)]
pub(super) struct When {
    paths: Paths,
    /// `None` for whatever [`read::time`] takes.
    unit: Option<Unit>,
    /// What is added to a date-time that names no offset from UTC.
    offset: Option<String>,
}

impl When {
    /// Reads paths, or `{path, unit, offset}`.
    pub(super) fn read(node: Node<'_>, from: From) -> Result<Self, String> {
        if !node.value.is_object() {
            return Ok(Self { paths: Paths::read(node, from)?, unit: None, offset: None });
        }
        let object = node.object(&["path", "unit", "offset"])?;
        let offset = object.read("offset", |node| {
            let offset = node.text()?.to_owned();
            let valid = format!("2000-01-01T00:00:00{offset}").parse::<Time>().is_ok();
            if valid { Ok(offset) } else { Err(node.error("must be Z or an offset such as +02:00")) }
        })?;
        let unit = object.read("unit", |node| Unit::read(&node, Unit::Minutes))?;
        if let (Some(_), Some(node)) =
            (offset.as_ref(), object.get("unit").filter(|_| unit != Some(Unit::Iso)))
        {
            return Err(node.error("must be iso, or be left out, where there is an `offset`"));
        }
        Ok(Self { paths: Paths::read(object.need("path")?, from)?, unit, offset })
    }

    pub(super) fn find(&self, scope: Scope<'_>) -> Option<Time> {
        self.paths.first(scope, |value| match self.unit {
            None => read::time(value).or_else(|| self.iso(value)),
            Some(Unit::Iso) => self.iso(value),
            Some(unit) => since_1970(read::number(value)?, unit),
        })
    }

    fn iso(&self, value: &Value) -> Option<Time> {
        let text = word::text(value)?;
        let with_offset = || self.offset.as_ref().map(|offset| format!("{text}{offset}"));
        text.parse().ok().or_else(|| with_offset()?.parse().ok())
    }
}

fn since_1970(number: f64, unit: Unit) -> Option<Time> {
    let micros = (number * unit.micros()).round();
    // A number too large for the cast becomes the largest there is, which is no year that `Time` holds.
    let time = Time::from_micros(micros as i64);
    (micros > 0.0 && time.micros() == micros as i64).then_some(time)
}

/// A span of time.
#[derive(Debug)]
pub(super) struct Span {
    paths: Paths,
    unit: Unit,
}

impl Span {
    /// Reads paths, where the unit is seconds; or `{path, unit}`.
    pub(super) fn read(node: Node<'_>, from: From) -> Result<Self, String> {
        if !node.value.is_object() {
            return Ok(Self { paths: Paths::read(node, from)?, unit: Unit::Seconds });
        }
        let object = node.object(&["path", "unit"])?;
        let unit = object.read("unit", |node| Unit::read(&node, Unit::Iso))?.unwrap_or(Unit::Seconds);
        Ok(Self { paths: Paths::read(object.need("path")?, from)?, unit })
    }

    pub(super) fn whole_seconds(&self, scope: Scope<'_>) -> Option<i64> {
        self.paths.first(scope, |value| read::whole_seconds(self.unit.to_seconds(read::number(value)?)))
    }

    pub(super) fn offset_seconds(&self, scope: Scope<'_>) -> Option<f64> {
        let seconds = |value| Some(Value::from(self.unit.to_seconds(read::number(value)?)));
        self.paths.first(scope, |value| read::offset_seconds(&seconds(value)?))
    }
}

/// Whom one would call back.
#[derive(Debug)]
pub(super) struct Caller {
    party: Party,
    /// ISO 3166-1 alpha-2, for numbers without a country code.
    country: Option<String>,
}

#[derive(Debug)]
enum Party {
    One(Paths),
    /// Who the other party is depends on who called whom.
    Either {
        inbound: Paths,
        outbound: Paths,
    },
}

impl Caller {
    /// Reads paths, or `{path, country}`, or `{inbound, outbound, country}`.
    pub(super) fn read(node: Node<'_>) -> Result<Self, String> {
        if !node.value.is_object() {
            return Ok(Self { party: Party::One(Paths::read(node, From::Body)?), country: None });
        }
        let object = node.object(&["path", "inbound", "outbound", "country"])?;
        let country = object.read("country", |node| {
            let code = node.text()?.to_owned();
            let valid = code.len() == 2 && code.bytes().all(|letter| letter.is_ascii_uppercase());
            if valid { Ok(code) } else { Err(node.error("must be a country's two letters, such as US")) }
        })?;
        let paths = |name| Paths::read(object.need(name)?, From::Body);
        let party = match (object.get("path"), object.get("inbound").or(object.get("outbound"))) {
            (Some(path), None) => Party::One(Paths::read(path, From::Body)?),
            (None, Some(_)) => Party::Either { inbound: paths("inbound")?, outbound: paths("outbound")? },
            _ => return Err(node.error("must have either `path`, or `inbound` and `outbound`")),
        };
        Ok(Self { party, country })
    }

    /// The number; else the address, where there is something but no number.
    pub(super) fn find(
        &self,
        scope: Scope<'_>,
        direction: Option<Direction>,
    ) -> (Option<Phone>, Option<String>) {
        let paths = match (&self.party, direction) {
            (Party::One(paths), _) | (Party::Either { inbound: paths, .. }, Some(Direction::Inbound)) => {
                paths
            }
            (Party::Either { outbound, .. }, Some(Direction::Outbound)) => outbound,
            (Party::Either { inbound, .. }, Some(Direction::Web) | None) => {
                scope.note(&inbound.at, || "was not looked up: the direction is not known".into());
                return (None, None);
            }
        };
        let number = paths.id(scope);
        let phone = number.as_deref().and_then(|number| Phone::parse(number, self.country.as_deref()));
        (phone.clone(), number.filter(|_| phone.is_none()))
    }
}
