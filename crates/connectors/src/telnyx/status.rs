//! Telnyx's words for how a leg ended (`hangup_cause`), in ours.

use model::CallStatus;

/// The first of SIP's codes (RFC 3261) for what went wrong.
const FIRST_FAILURE: f64 = 400.0;

/// Where a call stands that ended for this reason, with the code that SIP gave for it. The code decides only where the
/// reason says nothing: a call that was talked and cleared may end with any code.
pub(super) fn status(cause: Option<&str>, sip_code: Option<f64>) -> CallStatus {
    match cause {
        Some("normal_clearing" | "time_limit") => CallStatus::Completed,
        Some(cause) if has_failed(cause) => CallStatus::Failed,
        _ if sip_code.is_some_and(|code| code >= FIRST_FAILURE) => CallStatus::Failed,
        _ => CallStatus::Completed,
    }
}

fn has_failed(cause: &str) -> bool {
    let causes = [
        "call_rejected",
        "invalid_number_format",
        "no_answer",
        "not_found",
        "originator_cancel",
        "timeout",
        "unallocated_number",
        "user_busy",
    ];
    causes.contains(&cause) || ["error", "fail"].iter().any(|word| cause.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_did_not_take_place_or_broke_has_failed() {
        for cause in [
            "call_rejected",
            "originator_cancel",
            "timeout",
            "user_busy",
            "not_found",
            "no_answer",
            "network_failure",
            "media_error",
        ] {
            assert_eq!(status(Some(cause), None), CallStatus::Failed, "{cause}");
            assert_eq!(status(Some(cause), Some(200.0)), CallStatus::Failed, "{cause}");
        }
        for cause in [Some("unspecified"), None] {
            assert_eq!(status(cause, Some(503.0)), CallStatus::Failed, "{cause:?}");
        }
    }

    #[test]
    fn every_other_call_is_completed() {
        for cause in ["normal_clearing", "time_limit"] {
            assert_eq!(status(Some(cause), Some(480.0)), CallStatus::Completed, "{cause}");
        }
        for cause in [Some("unspecified"), Some("a_cause_of_next_year"), None] {
            assert_eq!(status(cause, Some(200.0)), CallStatus::Completed, "{cause:?}");
            assert_eq!(status(cause, None), CallStatus::Completed, "{cause:?}");
        }
    }
}
