//! ElevenLabs' conversations by its API (elevenlabs.io/docs, List conversations and Get conversation). The list has
//! little; the single conversation is what the webhook sends.

use model::{Completion, Time, Variant};
use serde_json::Value;

use super::transcription;
use crate::{
    Parsed, Unreadable,
    history::{self, Ask, EVENT, History, Kept, Listed, PAGE, Page, Standing, Window},
    read,
};

/// ElevenLabs' list of conversations.
pub(super) struct Conversations;

impl History for Conversations {
    fn address(&self) -> &'static str {
        "https://api.elevenlabs.io"
    }

    fn list(&self, key: &str, window: Window, page: Option<&str>) -> Ask {
        let (limit, since) = (PAGE.to_string(), window.since.unix_seconds().to_string());
        let until = (window.until.unix_seconds() + 1).to_string();
        let mut query = vec![
            ("page_size", limit.as_str()),
            ("call_start_after_unix", &since),
            ("call_start_before_unix", &until),
        ];
        query.extend(page.map(|page| ("cursor", page)));
        history::get("/v1/convai/conversations", &query, header(key))
    }

    fn page(&self, _window: Window, page: Option<&str>, body: &[u8]) -> Result<Page, Unreadable> {
        let answer = history::answer(body)?;
        let calls = history::list(&answer["conversations"], "conversations")?;
        let calls = calls.iter().filter_map(listed).collect();
        let has_more = read::flag(&answer["has_more"]) == Some(true);
        let next = read::text(&answer["next_cursor"]).filter(|next| has_more && Some(next.as_str()) != page);
        Ok(Page { next, calls })
    }

    fn details(&self, key: &str, call: &Listed) -> Vec<Ask> {
        self.one(key, &call.external_id).into_iter().collect()
    }

    fn one(&self, key: &str, external_id: &str) -> Option<Ask> {
        let path = format!("/v1/convai/conversations/{}", history::segment(external_id));
        Some(history::get(&path, &[], header(key)))
    }

    fn single(&self, _window: Window, body: &[u8]) -> Result<Option<Listed>, Unreadable> {
        Ok(listed(&history::answer(body)?))
    }

    /// The sound itself, as MP3 (elevenlabs.io/docs, Get conversation audio).
    fn recording(&self, external_id: &str, variant: Variant) -> Option<String> {
        let path = format!("/v1/convai/conversations/{}/audio", history::segment(external_id));
        (variant == Variant::Mono).then_some(path)
    }

    /// Whether the recording's message comes is not known here, so it is not waited for.
    fn read(&self, _settings: &Value, kept: &Kept) -> Result<Parsed, Unreadable> {
        let data = kept.fullest();
        let missing = || Unreadable::new("conversation_id is missing");
        let external_id = read::id(&data["conversation_id"]).ok_or_else(missing)?;
        let mut said = transcription(data);
        if said.completion == Completion::Wait {
            said.completion = Completion::Now;
        }
        Ok(Parsed::of_call(EVENT, external_id.clone(), vec![said.into_change(external_id, None)]))
    }
}

fn header(key: &str) -> (&'static str, String) {
    ("xi-api-key", key.to_owned())
}

fn listed(call: &Value) -> Option<Listed> {
    let external_id = read::id(&call["conversation_id"])?;
    let metadata = &call["metadata"];
    // The list has them beside, the single conversation in its metadata.
    let times = [&call["start_time_unix_secs"], &metadata["start_time_unix_secs"]];
    let began_at: Option<Time> = times.into_iter().find_map(read::time);
    let lengths = [&call["call_duration_secs"], &metadata["call_duration_secs"]];
    let standing = match call["status"].as_str()? {
        "done" | "failed" => {
            Standing::Over(history::end(began_at, lengths.into_iter().find_map(read::number)))
        }
        _ => Standing::UnderWay,
    };
    Some(Listed { external_id, began_at, standing, call: call.clone() })
}
