//! The second leg of a call: to whom the caller is handed over.
//!
//! Telnyx gives a call's legs one `call_session_id` and does not say which of them is the first. But ids of calls are
//! UUIDs that hold the time they were made at (version 1, RFC 9562): the first leg's was made within a few hundredths
//! of a second of the session's, those of the others when somebody was dialed during the call. Where the ids are of
//! another kind, every leg counts as the first.

use model::{CallStatus, Facts, Stage, Transfer};
use serde_json::Value;

use super::{status, wire};
use crate::{Said, read};

/// From how long after its session's on a leg is not its first, in the hundreds of nanoseconds that such ids count.
const LATER: u64 = 10_000_000;

/// Whether the event is about another leg than the call's first.
pub(super) fn is_later(payload: &Value) -> bool {
    let made_at = |name: &str| payload[name].as_str().and_then(made_at);
    let (Some(session), Some(leg)) = (made_at("call_session_id"), made_at("call_leg_id")) else {
        return false;
    };
    leg.saturating_sub(session) >= LATER
}

/// What an event says of the call whose second leg it is about: only how the transfer stands.
pub(super) fn said(event: &str, data: &Value) -> Said {
    let payload = &data["payload"];
    let cause = read::text(&payload["hangup_cause"]);
    let step = |status, word: Option<String>| Facts {
        status,
        transfer_status: word,
        transfer_destination: read::text(&payload["to"]),
        ..Facts::default()
    };
    let forwarding = Some(CallStatus::Forwarding);
    match event {
        "call.initiated" => {
            Said::during(Stage::Started, Transfer::Started, step(forwarding, Some("initiated".into())))
        }
        "call.answered" => {
            let transferred_at = read::time(&data["occurred_at"]);
            let facts = Facts { transferred_at, ..step(forwarding, Some("answered".into())) };
            Said::during(Stage::Status, Transfer::HandedOver, facts)
        }
        // The caller is with the assistant again.
        _ if status::status(cause.as_deref(), wire::sip_code(payload)) == CallStatus::Failed => {
            Said::during(Stage::Started, Transfer::Failed, step(Some(CallStatus::InProgress), cause))
        }
        _ => Said::during(Stage::Status, Transfer::Ended, step(None, cause)),
    }
}

/// The time within a UUID of version 1, in hundreds of nanoseconds since 1582.
fn made_at(uuid: &str) -> Option<u64> {
    let mut parts = uuid.trim().splitn(4, '-');
    let mut part = |length: usize| {
        let part = parts.next().filter(|part| part.len() == length)?;
        u64::from_str_radix(part, 16).ok()
    };
    let (low, middle, high) = (part(8)?, part(4)?, part(4)?);
    (high >> 12 == 1).then_some((high & 0xfff) << 48 | middle << 32 | low)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_leg_made_a_second_after_its_session_is_not_the_first() {
        let later =
            |session: &str, leg: &str| is_later(&json!({"call_session_id": session, "call_leg_id": leg}));
        let session = "10000000-1234-11f0-8000-020000000155";
        assert!(!later(session, session));
        assert!(!later(session, "10989600-1234-11f0-8000-020000000155".replace("9896", "9895").as_str()));
        assert!(later(session, "10989680-1234-11f0-8000-020000000155"));
        assert!(later(session, "00000000-1235-11f0-8000-020000000155"));
        assert!(!later(session, "0fffffff-1234-11f0-8000-020000000155"), "made before its session");
    }

    #[test]
    fn ids_of_another_kind_tell_nothing() {
        let session = "10000000-1234-11f0-8000-020000000155";
        for leg in ["", "v3:abc", "20000000-1234-41f0-8000-020000000155", "+0000000-1234-11f0-8", "2-3-1"] {
            let payload = json!({"call_session_id": session, "call_leg_id": leg});
            assert!(!is_later(&payload), "{leg}");
        }
        assert!(!is_later(&json!({"call_session_id": session})));
    }
}
