//! Twilio's words for how a call or a second leg of it stands (`CallStatus`), in ours.

use model::{CallStatus, Transfer};

/// Where a call stands. A call that was refused is `busy` or `no-answer` like any other, so none is
/// [`CallStatus::Blocked`].
pub(super) fn status(word: &str) -> CallStatus {
    match word {
        "completed" => CallStatus::Completed,
        "busy" | "failed" | "no-answer" | "canceled" => CallStatus::Failed,
        _ => CallStatus::InProgress,
    }
}

/// How far a transfer has come whose leg stands like this.
pub(super) fn transfer(word: &str) -> Transfer {
    match word {
        "in-progress" | "answered" => Transfer::HandedOver,
        "completed" => Transfer::Ended,
        "busy" | "failed" | "no-answer" | "canceled" => Transfer::Failed,
        _ => Transfer::Started,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_its_status() {
        assert_eq!(status("completed"), CallStatus::Completed);
        for word in ["busy", "failed", "no-answer", "canceled"] {
            assert_eq!((status(word), transfer(word)), (CallStatus::Failed, Transfer::Failed), "{word}");
        }
        for word in ["queued", "initiated", "ringing", "in-progress", "a-word-of-next-year"] {
            assert_eq!(status(word), CallStatus::InProgress, "{word}");
        }
    }

    #[test]
    fn a_leg_is_rung_and_answered_and_over() {
        assert_eq!(["queued", "initiated", "ringing"].map(transfer), [Transfer::Started; 3]);
        assert_eq!(["in-progress", "answered"].map(transfer), [Transfer::HandedOver; 2]);
        assert_eq!(transfer("completed"), Transfer::Ended);
    }
}
