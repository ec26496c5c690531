//! How a platform's calls are asked for by its REST API, and what its answers say: for the history from before a source
//! was connected, and for calls whose webhook never came.
//!
//! Pure like the rest: a request is described here and sent elsewhere, and an answer comes in as bytes. What is kept of
//! a call is [`Kept`], the platform's own JSON, so that it can be read again like any message.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use model::{Time, Variant};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Parsed, Unreadable, read};

/// A platform whose calls can be listed.
pub trait History: Send + Sync {
    /// Where its API is, without a slash at the end, unless the source says otherwise.
    fn address(&self) -> &'static str;

    /// Whether a text can be a key of its API. The error is a sentence for the person who wrote it.
    fn check_key(&self, key: &str) -> Result<(), String> {
        let is_good = !key.is_empty() && key.len() <= 1000 && key.bytes().all(|byte| byte.is_ascii_graphic());
        if is_good { Ok(()) } else { Err("must have 1 to 1000 printable ASCII characters, no spaces".into()) }
    }

    /// Asks for the calls of a window, or with the token of the page before for the next ones.
    fn list(&self, key: &str, window: Window, page: Option<&str>) -> Ask;

    /// The headers that prove to its API who asks, by name and value: every question has them.
    fn credentials(&self, key: &str) -> Vec<(&'static str, String)> {
        self.list(key, Window { since: Time::from_micros(0), until: Time::from_micros(0) }, None).headers
    }

    /// Reads a page. `page` is the token that it was asked for with.
    fn page(&self, window: Window, page: Option<&str>, body: &[u8]) -> Result<Page, Unreadable>;

    /// Asks for what the list leaves out. Empty where it has everything.
    fn details(&self, key: &str, call: &Listed) -> Vec<Ask>;

    /// Asks for a single call by the id that its messages have. `None` where the platform has no such question.
    fn one(&self, key: &str, external_id: &str) -> Option<Ask>;

    /// What the answer to [`History::one`] says. `None` where there is no call in it.
    fn single(&self, window: Window, body: &[u8]) -> Result<Option<Listed>, Unreadable>;

    /// The path, behind the API's address, where it gives out a call's recording. `None` where it does not.
    fn recording(&self, _external_id: &str, _variant: Variant) -> Option<String> {
        None
    }

    /// What a call says that is over. `settings` are the source's own.
    fn read(&self, settings: &Value, call: &Kept) -> Result<Parsed, Unreadable>;
}

/// When calls began that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From this on.
    pub since: Time,
    /// Until then.
    pub until: Time,
}

impl Window {
    /// Whether a call that began then is asked for. One that does not say when is.
    pub(crate) fn has(&self, began: Option<Time>) -> bool {
        began.is_none_or(|began| self.since <= began && began <= self.until)
    }
}

/// A request to a platform's API. It has no `Debug`: the key is in it.
#[derive(Clone, PartialEq)]
pub struct Ask {
    /// The path with its query, behind the API's address.
    pub path: String,
    /// The header lines: the key is in one of them.
    pub headers: Vec<(&'static str, String)>,
    /// The body of a POST; `None` for a GET.
    pub json: Option<Value>,
}

/// Never the key.
impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ask({})", self.path)
    }
}

/// A page of a platform's list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// What the next page is asked for with; `None` on the last one.
    pub next: Option<String>,
    /// The calls. Not those that are only planned.
    pub calls: Vec<Listed>,
}

/// A call in a platform's list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The id that its messages have.
    pub external_id: String,
    /// When it began.
    pub began_at: Option<Time>,
    /// Where it stands.
    pub standing: Standing,
    /// What the list says of it.
    pub call: Value,
}

/// Where a call in a list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not over.
    UnderWay,
    /// It is over, since then where that is told.
    Over(Option<Time>),
}

/// A call as the platform answered for it: the body of the message that is kept of it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Kept {
    /// What the list says.
    pub call: Value,
    /// The answers to [`History::details`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Value>,
}

impl Kept {
    /// The fullest form of the call, for platforms whose details are the call once more.
    pub(crate) fn fullest(&self) -> &Value {
        self.details.first().filter(|details| details.is_object()).unwrap_or(&self.call)
    }
}

/// How many calls a page has. A page is one step of an import: it is asked for again where a step fails.
pub(crate) const PAGE: usize = 50;

/// What the messages are called that tell of a call in a platform's list.
pub(crate) const EVENT: &str = "history.call";

/// A GET. `query` are names and values, which are encoded here.
pub(crate) fn get(path: &str, query: &[(&str, &str)], header: (&'static str, String)) -> Ask {
    let mut path = path.to_owned();
    if !query.is_empty() {
        let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        path = format!("{path}?{query}");
    }
    Ask { path, headers: vec![header], json: None }
}

/// `Authorization: Bearer`.
pub(crate) fn bearer(key: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {key}"))
}

/// `Authorization: Basic` (RFC 7617).
pub(crate) fn basic(user: &str, password: &str) -> (&'static str, String) {
    ("authorization", format!("Basic {}", BASE64.encode(format!("{user}:{password}"))))
}

/// A text as one segment of a path (RFC 3986 section 2): ids are the platform's words, and go into our requests.
pub(crate) fn segment(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// A list in an answer. That there is none is an error, so that a changed API does not look like a day without calls.
pub(crate) fn list<'a>(value: &'a Value, what: &str) -> Result<&'a [Value], Unreadable> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| Unreadable::new(format!("the answer has no {what}")))
}

/// The end of a call that tells when it began and how long it took.
pub(crate) fn end(began: Option<Time>, seconds: Option<f64>) -> Option<Time> {
    let seconds = Duration::try_from_secs_f64(seconds?).ok()?;
    Some(began? + seconds)
}

/// An answer as JSON.
pub(crate) fn answer(body: &[u8]) -> Result<Value, Unreadable> {
    read::body(body)
}
