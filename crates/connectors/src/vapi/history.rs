//! Vapi's calls by its API (docs.vapi.ai, List Calls and Get Call). The list has everything that the report has.

use model::{Completion, Stage, Time, Variant};
use serde_json::Value;

use super::wire;
use crate::{
    Parsed, Said, Unreadable,
    history::{self, Ask, EVENT, History, Kept, Listed, Page, Standing, Window},
    read,
};

/// Vapi's list of calls.
pub(super) struct Calls;

/// How many calls a page has. They come whole, each with the assistant in it: a long one may have a megabyte.
const PAGE: usize = 20;

impl History for Calls {
    fn address(&self) -> &'static str {
        "https://api.vapi.ai"
    }

    /// The list comes newest first and has no cursor: the next page is what was made before the last one.
    fn list(&self, key: &str, window: Window, page: Option<&str>) -> Ask {
        let (since, until) = (window.since.to_string(), window.until.to_string());
        let limit = PAGE.to_string();
        let query = [
            ("limit", limit.as_str()),
            ("createdAtGe", since.as_str()),
            ("createdAtLe", page.unwrap_or(&until)),
        ];
        history::get("/call", &query, history::bearer(key))
    }

    fn page(&self, window: Window, page: Option<&str>, body: &[u8]) -> Result<Page, Unreadable> {
        let answer = history::answer(body)?;
        let items = history::list(&answer, "list of calls")?;
        let calls = items.iter().filter_map(listed).filter(|call| window.has(call.began_at)).collect();
        let is_full = items.len() >= PAGE;
        let oldest = items.iter().filter_map(|item| read::time(&item["createdAt"])).min();
        let asked = page.and_then(|page| page.parse::<Time>().ok()).unwrap_or(window.until);
        // Where a whole page was made in one moment, the next one is before it.
        let next = oldest.map(|oldest| if oldest >= asked { asked.plus_micros(-1000) } else { oldest });
        Ok(Page { next: next.filter(|_| is_full).map(|next| next.to_string()), calls })
    }

    fn details(&self, _key: &str, _call: &Listed) -> Vec<Ask> {
        vec![]
    }

    fn one(&self, key: &str, external_id: &str) -> Option<Ask> {
        let path = format!("/call/{}", history::segment(external_id));
        Some(history::get(&path, &[], history::bearer(key)))
    }

    fn single(&self, _window: Window, body: &[u8]) -> Result<Option<Listed>, Unreadable> {
        Ok(listed(&history::answer(body)?))
    }

    /// Sends on to an address that is good for a short time (docs.vapi.ai, Retrieve call artifacts).
    fn recording(&self, external_id: &str, variant: Variant) -> Option<String> {
        let name = match variant {
            Variant::Mono => "mono-recording",
            Variant::Stereo => "stereo-recording",
            Variant::Caller => "customer-recording",
            Variant::Assistant => "assistant-recording",
        };
        Some(format!("/call/{}/{name}", history::segment(external_id)))
    }

    /// The call object has the report's fields, but for the report's name around them.
    fn read(&self, _settings: &Value, kept: &Kept) -> Result<Parsed, Unreadable> {
        let call = kept.fullest();
        let external_id = read::id(&call["id"]).ok_or_else(|| Unreadable::new("call.id is missing"))?;
        let mut message = call.as_object().cloned().unwrap_or_default();
        message.insert("call".into(), call.clone());
        let (facts, transfer) = wire::report(&Value::Object(message));
        let said = Said { stage: Stage::Ended, completion: Completion::Now, transfer, facts };
        Ok(Parsed::of_call(EVENT, external_id.clone(), vec![said.into_change(external_id, None)]))
    }
}

fn listed(call: &Value) -> Option<Listed> {
    let external_id = read::id(&call["id"])?;
    let standing = match call["status"].as_str()? {
        "ended" => Standing::Over(read::time(&call["endedAt"]).or_else(|| read::time(&call["updatedAt"]))),
        // A call that is planned is none yet.
        "scheduled" | "not-found" | "deletion-failed" => return None,
        _ => Standing::UnderWay,
    };
    Some(Listed { external_id, began_at: read::time(&call["createdAt"]), standing, call: call.clone() })
}
