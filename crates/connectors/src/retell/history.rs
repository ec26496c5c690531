//! Retell's calls by its API (docs.retellai.com, List Calls and Get Call). The list leaves out what was said.

use model::{Completion, Stage};
use serde_json::{Value, json};

use super::{ended, wire};
use crate::{
    Parsed, Unreadable,
    history::{self, Ask, EVENT, History, Kept, Listed, PAGE, Page, Standing, Window},
    read,
};

/// Retell's list of calls.
pub(super) struct Calls;

impl History for Calls {
    fn address(&self) -> &'static str {
        "https://api.retellai.com"
    }

    fn list(&self, key: &str, window: Window, page: Option<&str>) -> Ask {
        let millis = [window.since, window.until].map(|time| time.micros().div_euclid(1000));
        let mut asked = json!({
            "filter_criteria": {"start_timestamp": {"type": "range", "op": "bt", "value": millis}},
            "sort_order": "ascending",
            "limit": PAGE,
        });
        if let Some(page) = page {
            asked["pagination_key"] = page.into();
        }
        Ask { path: "/v3/list-calls".into(), headers: vec![history::bearer(key)], json: Some(asked) }
    }

    fn page(&self, _window: Window, page: Option<&str>, body: &[u8]) -> Result<Page, Unreadable> {
        let answer = history::answer(body)?;
        let calls = history::list(&answer["items"], "items")?.iter().filter_map(listed).collect();
        let has_more = read::flag(&answer["has_more"]) == Some(true);
        // A list that leads back to where it was asked from would never end.
        let next =
            read::text(&answer["pagination_key"]).filter(|next| has_more && Some(next.as_str()) != page);
        Ok(Page { next, calls })
    }

    fn details(&self, key: &str, call: &Listed) -> Vec<Ask> {
        self.one(key, &call.external_id).into_iter().collect()
    }

    fn one(&self, key: &str, external_id: &str) -> Option<Ask> {
        let path = format!("/v2/get-call/{}", history::segment(external_id));
        Some(history::get(&path, &[], history::bearer(key)))
    }

    fn single(&self, _window: Window, body: &[u8]) -> Result<Option<Listed>, Unreadable> {
        Ok(listed(&history::answer(body)?))
    }

    /// As `call_analyzed` says it. Before the analysis is there, as `call_ended` does: then it is waited for.
    fn read(&self, _settings: &Value, kept: &Kept) -> Result<Parsed, Unreadable> {
        let call = kept.fullest();
        let external_id = read::id(&call["call_id"]).ok_or_else(|| Unreadable::new("call_id is missing"))?;
        let is_analyzed = call["call_analysis"].is_object();
        let said = if is_analyzed {
            ended(Stage::Analyzed, Completion::Now, wire::analyzed(call))
        } else {
            ended(Stage::Ended, Completion::Wait, wire::ended(call))
        };
        Ok(Parsed::of_call(EVENT, external_id.clone(), vec![said.into_change(external_id, None)]))
    }
}

fn listed(call: &Value) -> Option<Listed> {
    let external_id = read::id(&call["call_id"])?;
    let standing = match call["call_status"].as_str()? {
        "ended" | "error" | "not_connected" => Standing::Over(read::time(&call["end_timestamp"])),
        _ => Standing::UnderWay,
    };
    Some(Listed { external_id, began_at: read::time(&call["start_timestamp"]), standing, call: call.clone() })
}
