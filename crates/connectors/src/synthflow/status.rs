//! Synthflow's words for where a call stands (`call.status`) and how it ended (`end_call_reason`), in ours.

use model::{CallStatus, Transfer};

/// Where a call stands.
pub(super) fn status(status: Option<&str>, reason: Option<&str>) -> CallStatus {
    let status = status.map(normalized).unwrap_or_default();
    match status.as_str() {
        "queue" | "queued" | "pending" | "ringing" | "in-progress" => CallStatus::InProgress,
        _ if has_failed(&status) || reason.map(normalized).is_some_and(|reason| has_failed(&reason)) => {
            CallStatus::Failed
        }
        _ => CallStatus::Completed,
    }
}

fn has_failed(word: &str) -> bool {
    let others = ["busy", "canceled", "cancelled", "no-answer", "rejected", "undelivered", "user-canceled"];
    word.contains("error") || word.contains("fail") || others.contains(&word)
}

/// How far a transfer had come in a call that ended for this reason.
pub(super) fn transfer(reason: &str) -> Transfer {
    let reason = normalized(reason);
    match reason.contains("transfer") {
        true if has_failed(&reason) => Transfer::Failed,
        true => Transfer::HandedOver,
        false => Transfer::None,
    }
}

/// Words are written with hyphens and with underscores.
fn normalized(word: &str) -> String {
    word.to_lowercase().replace(['_', ' '], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_did_not_take_place_or_broke_has_failed() {
        for word in ["failed", "no-answer", "no_answer", "busy", "canceled", "user-canceled", "Error"] {
            assert_eq!(status(Some(word), None), CallStatus::Failed, "{word}");
        }
        for reason in ["user_canceled", "no_answer", "agent_error", "failed"] {
            assert_eq!(status(Some("completed"), Some(reason)), CallStatus::Failed, "{reason}");
        }
    }

    #[test]
    fn every_other_call_that_is_over_is_completed() {
        for reason in [
            "completed",
            "agent_goodbye",
            "human_goodbye",
            "voicemail",
            "custom_end_call",
            "max_duration",
            "a-reason-of-next-year",
        ] {
            assert_eq!(status(Some("completed"), Some(reason)), CallStatus::Completed, "{reason}");
        }
        for word in ["hangup_on_voicemail", "left_voicemail", "unknown", "a-status-of-next-year"] {
            assert_eq!(status(Some(word), None), CallStatus::Completed, "{word}");
        }
        assert_eq!(status(None, None), CallStatus::Completed);
    }

    #[test]
    fn a_call_under_way_is_in_progress() {
        for word in ["queue", "in-progress", "in_progress", "pending", "ringing"] {
            assert_eq!(status(Some(word), None), CallStatus::InProgress, "{word}");
        }
    }

    #[test]
    fn the_reason_tells_of_a_transfer() {
        assert_eq!(transfer("call_transferred"), Transfer::HandedOver);
        assert_eq!(transfer("transfer_failed"), Transfer::Failed);
        assert_eq!(transfer("agent_goodbye"), Transfer::None);
    }
}
