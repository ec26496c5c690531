//! Bland's calls by its API (docs.bland.ai, List Calls and Call Details). The single call is what the webhook sends.

use serde_json::Value;

use super::{said, status};
use crate::{
    Parsed, Unreadable,
    history::{self, Ask, EVENT, History, Kept, Listed, PAGE, Page, Standing, Window},
    read,
};

/// Bland's list of calls.
pub(super) struct Calls;

impl History for Calls {
    fn address(&self) -> &'static str {
        "https://api.bland.ai"
    }

    /// Pages are counted from the oldest call on, so that new ones move nothing.
    fn list(&self, key: &str, window: Window, page: Option<&str>) -> Ask {
        let (since, until) = (window.since.to_string(), window.until.to_string());
        let limit = PAGE.to_string();
        let query = [
            ("from", page.unwrap_or("0")),
            ("limit", &limit),
            ("ascending", "true"),
            ("sort_by", "created_at"),
            ("start_date", &since),
            ("end_date", &until),
        ];
        history::get("/v1/calls", &query, header(key))
    }

    fn page(&self, window: Window, page: Option<&str>, body: &[u8]) -> Result<Page, Unreadable> {
        let answer = history::answer(body)?;
        let items = history::list(&answer["calls"], "calls")?;
        // How exactly Bland takes the dates is not documented, so they are looked at again.
        let calls = items.iter().filter_map(listed).filter(|call| window.has(call.began_at)).collect();
        let from: usize = page.and_then(|page| page.parse().ok()).unwrap_or(0);
        let next = (items.len() >= PAGE).then(|| (from + items.len()).to_string());
        Ok(Page { next, calls })
    }

    fn details(&self, key: &str, call: &Listed) -> Vec<Ask> {
        self.one(key, &call.external_id).into_iter().collect()
    }

    fn one(&self, key: &str, external_id: &str) -> Option<Ask> {
        let path = format!("/v1/calls/{}", history::segment(external_id));
        Some(history::get(&path, &[], header(key)))
    }

    fn single(&self, _window: Window, body: &[u8]) -> Result<Option<Listed>, Unreadable> {
        Ok(listed(&history::answer(body)?))
    }

    fn read(&self, _settings: &Value, kept: &Kept) -> Result<Parsed, Unreadable> {
        let call = kept.fullest();
        let external_id = id(call).ok_or_else(|| Unreadable::new("call_id is missing"))?;
        let completed = read::flag(&call["completed"]) == Some(true);
        let change = said(call, completed).into_change(external_id.clone(), None);
        Ok(Parsed::of_call(EVENT, external_id, vec![change]))
    }
}

fn header(key: &str) -> (&'static str, String) {
    ("authorization", key.to_owned())
}

fn id(call: &Value) -> Option<String> {
    read::id(&call["call_id"]).or_else(|| read::id(&call["c_id"]))
}

fn listed(call: &Value) -> Option<Listed> {
    let external_id = id(call)?;
    let began_at = read::time(&call["created_at"]);
    let completed = read::flag(&call["completed"]) == Some(true);
    let minutes = read::number(&call["call_length"]);
    let standing = if status::status(call, completed).is_final() {
        Standing::Over(history::end(began_at, minutes.map(|minutes| minutes * 60.0)))
    } else {
        Standing::UnderWay
    };
    Some(Listed { external_id, began_at, standing, call: call.clone() })
}
