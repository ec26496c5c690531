//! Retell's words for how a call ended (`disconnection_reason`), in ours.

use model::{CallStatus, Transfer};

/// Where a call stands that is over. `call_status` is not to be trusted on this: Retell's own sample says `registered`
/// of a call that took place. It counts only where it tells of a failure and no reason is given.
pub(super) fn status(reason: Option<&str>, call_status: Option<&str>) -> CallStatus {
    match (reason, call_status) {
        (Some("scam_detected" | "marked_as_spam"), _) => CallStatus::Blocked,
        (Some(reason), _) if has_failed(reason) => CallStatus::Failed,
        (None, Some("error" | "not_connected")) => CallStatus::Failed,
        _ => CallStatus::Completed,
    }
}

fn has_failed(reason: &str) -> bool {
    let families = ["dial_", "error_", "telephony_", "sip_"];
    let others = [
        "concurrency_limit_reached",
        "invalid_destination",
        "no_concurrency_fallback",
        "no_valid_payment",
        "registered_call_timeout",
        "user_declined",
    ];
    families.iter().any(|family| reason.starts_with(family)) || others.contains(&reason)
}

/// How far a transfer had come in a call that ended for this reason.
pub(super) fn transfer(reason: &str) -> Transfer {
    match reason {
        "call_transfer" | "transfer_bridged" => Transfer::HandedOver,
        "transfer_cancelled" => Transfer::Failed,
        _ => Transfer::None,
    }
}

/// The same in the words of Retell's `transfer_*` events.
pub(super) fn transfer_status(reason: &str) -> Option<&'static str> {
    match transfer(reason) {
        Transfer::HandedOver => Some("bridged"),
        Transfer::Failed => Some("cancelled"),
        Transfer::None | Transfer::Started | Transfer::Ended => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_status() {
        let of = |reason| status(Some(reason), Some("ended"));
        for reason in ["scam_detected", "marked_as_spam"] {
            assert_eq!(of(reason), CallStatus::Blocked, "{reason}");
        }
        for reason in [
            "dial_busy",
            "dial_failed",
            "dial_no_answer",
            "invalid_destination",
            "telephony_provider_permission_denied",
            "telephony_provider_unavailable",
            "sip_routing_error",
            "user_declined",
            "error_llm_websocket_open",
            "error_no_audio_received",
            "error_asr",
            "error_retell",
            "error_unknown",
            "error_user_not_joined",
            "registered_call_timeout",
            "concurrency_limit_reached",
            "no_concurrency_fallback",
            "no_valid_payment",
        ] {
            assert_eq!(of(reason), CallStatus::Failed, "{reason}");
        }
        for reason in [
            "user_hangup",
            "agent_hangup",
            "call_transfer",
            "voicemail_reached",
            "ivr_reached",
            "inactivity",
            "max_duration_reached",
            "transfer_bridged",
            "transfer_cancelled",
            "manual_stopped",
            "call_take_over",
            "a_reason_of_next_year",
        ] {
            assert_eq!(of(reason), CallStatus::Completed, "{reason}");
        }
    }

    #[test]
    fn without_a_reason_a_call_is_completed_unless_it_failed_to_connect() {
        assert_eq!(status(None, None), CallStatus::Completed);
        assert_eq!(status(None, Some("registered")), CallStatus::Completed);
        assert_eq!(status(None, Some("not_connected")), CallStatus::Failed);
    }
}
