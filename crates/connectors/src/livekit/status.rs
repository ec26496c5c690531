//! How a phone call ended, from what is known when its participant leaves the room.

use model::CallStatus;
use serde_json::Value;

use super::protojson::word;

/// `DisconnectReason` of livekit_models.proto, by number.
const REASONS: [&str; 17] = [
    "UNKNOWN_REASON",
    "CLIENT_INITIATED",
    "DUPLICATE_IDENTITY",
    "SERVER_SHUTDOWN",
    "PARTICIPANT_REMOVED",
    "ROOM_DELETED",
    "STATE_MISMATCH",
    "JOIN_FAILURE",
    "MIGRATION",
    "SIGNAL_CLOSE",
    "ROOM_CLOSED",
    "USER_UNAVAILABLE",
    "USER_REJECTED",
    "SIP_TRUNK_FAILURE",
    "CONNECTION_TIMEOUT",
    "MEDIA_FAILURE",
    "AGENT_ERROR",
];

/// Why a participant left, in LiveKit's word.
pub(super) fn reason(value: &Value) -> Option<String> {
    word(value, &REASONS).filter(|reason| reason != "UNKNOWN_REASON")
}

/// Where a call stands whose phone has left. By then `sip.callStatus` mostly says `hangup`, which does not tell
/// whether the call was ever answered, so the reason has to.
pub(super) fn status(call_status: Option<&str>, reason: Option<&str>) -> CallStatus {
    match (call_status, reason) {
        (Some("active"), _) => CallStatus::Completed,
        (Some("dialing" | "ringing"), _) => CallStatus::Failed,
        (_, Some("USER_UNAVAILABLE" | "USER_REJECTED" | "SIP_TRUNK_FAILURE" | "JOIN_FAILURE")) => {
            CallStatus::Failed
        }
        _ => CallStatus::Completed,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reasons_are_words_or_numbers() {
        let of = |value| reason(&value);
        assert_eq!((of(json!("USER_REJECTED")), of(json!(12))), (of(json!(12)), of(json!("USER_REJECTED"))));
        assert_eq!((of(json!(0)), of(json!("UNKNOWN_REASON")), of(json!(null))), (None, None, None));
        assert_eq!(of(json!(99)).as_deref(), Some("99"));
        assert_eq!(of(json!(16)).as_deref(), Some("AGENT_ERROR"));
    }

    #[test]
    fn a_call_that_was_never_active_has_failed() {
        for reason in ["USER_UNAVAILABLE", "USER_REJECTED", "SIP_TRUNK_FAILURE", "JOIN_FAILURE"] {
            assert_eq!(status(Some("hangup"), Some(reason)), CallStatus::Failed, "{reason}");
            assert_eq!(status(None, Some(reason)), CallStatus::Failed, "{reason}");
            assert_eq!(status(Some("active"), Some(reason)), CallStatus::Completed, "{reason}");
        }
        for call_status in ["dialing", "ringing"] {
            assert_eq!(status(Some(call_status), Some("CLIENT_INITIATED")), CallStatus::Failed);
        }
    }

    #[test]
    fn every_other_call_is_completed() {
        for reason in ["CLIENT_INITIATED", "ROOM_DELETED", "MEDIA_FAILURE", "A_REASON_OF_NEXT_YEAR"] {
            for call_status in [None, Some("active"), Some("automation"), Some("hangup"), Some("new")] {
                assert_eq!(status(call_status, Some(reason)), CallStatus::Completed, "{reason}");
            }
        }
        assert_eq!(status(None, None), CallStatus::Completed);
    }
}
