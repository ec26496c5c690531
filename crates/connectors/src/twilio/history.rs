//! Twilio's calls by its API (twilio.com/docs/voice/api/call-resource). The resource has the callback's parameters under
//! other names. Second legs are left out: how a transfer went is for the callbacks to tell.

use serde_json::{Map, Value, json};

use super::{change, status, wire};
use crate::{
    Parsed, Unreadable,
    history::{self, Ask, EVENT, History, Kept, Listed, PAGE, Page, Standing, Window},
    read,
};

/// Twilio's list of calls.
pub(super) struct Calls;

/// The resource's names, and the callback's.
const NAMES: [(&str, &str); 9] = [
    ("sid", "CallSid"),
    ("account_sid", "AccountSid"),
    ("from", "From"),
    ("to", "To"),
    ("status", "CallStatus"),
    ("duration", "CallDuration"),
    ("direction", "Direction"),
    ("caller_name", "CallerName"),
    ("parent_call_sid", "ParentCallSid"),
];

/// What a key is made of.
struct Key<'a> {
    account: &'a str,
    user: &'a str,
    password: &'a str,
}

impl<'a> Key<'a> {
    /// `AccountSid:AuthToken`, or with an API key `AccountSid:KeySid:KeySecret`.
    fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let key = match parts[..] {
            [account, token] => Self { account, user: account, password: token },
            [account, user, password] => Self { account, user, password },
            _ => return None,
        };
        let is_whole = key.account.starts_with("AC") && !key.user.is_empty() && !key.password.is_empty();
        is_whole.then_some(key)
    }

    fn header(&self) -> (&'static str, String) {
        history::basic(self.user, self.password)
    }

    fn path(&self, rest: &str) -> String {
        format!("/2010-04-01/Accounts/{}/{rest}", history::segment(self.account))
    }
}

impl History for Calls {
    fn address(&self) -> &'static str {
        "https://api.twilio.com"
    }

    fn check_key(&self, key: &str) -> Result<(), String> {
        let is_ascii = key.len() <= 1000 && key.bytes().all(|byte| byte.is_ascii_graphic());
        match Key::parse(key).filter(|_| is_ascii) {
            Some(_) => Ok(()),
            None => {
                Err("must be AccountSid:AuthToken, or AccountSid:KeySid:KeySecret with an API key".into())
            }
        }
    }

    fn list(&self, key: &str, window: Window, page: Option<&str>) -> Ask {
        // A key is checked before it is kept; one that is none gets Twilio's refusal.
        let key = Key::parse(key).unwrap_or(Key { account: "", user: "", password: "" });
        let path = key.path("Calls.json");
        if let Some(query) = page {
            return Ask { path: format!("{path}?{query}"), headers: vec![key.header()], json: None };
        }
        let (since, until) = (seconds(window.since), seconds(window.until));
        let limit = PAGE.to_string();
        let query = [("StartTime>", since.as_str()), ("StartTime<", &until), ("PageSize", &limit)];
        history::get(&path, &query, key.header())
    }

    fn page(&self, window: Window, page: Option<&str>, body: &[u8]) -> Result<Page, Unreadable> {
        let answer = history::answer(body)?;
        let calls = history::list(&answer["calls"], "calls")?.iter().filter_map(listed);
        let calls = calls.filter(|call| window.has(call.began_at)).collect();
        // Only the query is taken of the next page's address: where our key goes is not the answer's to say.
        let next = read::text(&answer["next_page_uri"]);
        let next = next.as_deref().and_then(|uri| uri.split_once('?')).map(|(_, query)| query.to_owned());
        let is_plain = |query: &String| query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        Ok(Page { next: next.filter(|next| is_plain(next) && Some(next.as_str()) != page), calls })
    }

    fn details(&self, _key: &str, _call: &Listed) -> Vec<Ask> {
        vec![]
    }

    fn one(&self, key: &str, external_id: &str) -> Option<Ask> {
        let key = Key::parse(key)?;
        let path = key.path(&format!("Calls/{}.json", history::segment(external_id)));
        Some(history::get(&path, &[], key.header()))
    }

    fn single(&self, _window: Window, body: &[u8]) -> Result<Option<Listed>, Unreadable> {
        Ok(listed(&history::answer(body)?))
    }

    fn read(&self, _settings: &Value, kept: &Kept) -> Result<Parsed, Unreadable> {
        let call = kept.fullest();
        let sid = read::text(&call["sid"]).ok_or_else(|| Unreadable::new("sid is missing"))?;
        let change = change(&parameters(call), &sid, None);
        Ok(Parsed::of_call(EVENT, sid, change.into_iter().collect()))
    }
}

fn seconds(time: model::Time) -> String {
    time.timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The call in the callback's words, as the callback at its end has them.
fn parameters(call: &Value) -> Value {
    let named = NAMES.into_iter().filter(|(theirs, _)| !call[*theirs].is_null());
    let mut parameters: Map<String, Value> =
        named.map(|(theirs, name)| (name.to_owned(), call[theirs].clone())).collect();
    parameters.insert("Timestamp".into(), json!(call["end_time"]));
    if parameters.get("Direction").and_then(Value::as_str) == Some("trunking-terminating") {
        parameters.remove("Direction");
    }
    Value::Object(parameters)
}

fn listed(call: &Value) -> Option<Listed> {
    let external_id = read::text(&call["sid"])?;
    if read::text(&call["parent_call_sid"]).is_some() || call["direction"] == "outbound-dial" {
        return None;
    }
    let began_at = wire::time(&call["start_time"]).or_else(|| wire::time(&call["date_created"]));
    let is_over = status::status(call["status"].as_str()?).is_final();
    let standing = if is_over { Standing::Over(wire::time(&call["end_time"])) } else { Standing::UnderWay };
    Some(Listed { external_id, began_at, standing, call: call.clone() })
}
