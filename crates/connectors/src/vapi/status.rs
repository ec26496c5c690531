//! Vapi's words for how a call ended (`endedReason`), in ours. There are over six hundred, and new ones come.

use model::{CallStatus, Transfer};

/// The reason of a call that the assistant handed to somebody.
const FORWARDED: &str = "assistant-forwarded-call";

/// Where a call stands that ended for this reason.
pub(super) fn status(reason: Option<&str>) -> CallStatus {
    match reason {
        Some(reason) if has_failed(&reason.to_ascii_lowercase()) => CallStatus::Failed,
        _ => CallStatus::Completed,
    }
}

fn has_failed(reason: &str) -> bool {
    let words = ["error", "failed"];
    let families = ["assistant-not-", "phone-call-provider-bypass"];
    let others = [
        "assistant-request-returned-invalid-assistant",
        "assistant-request-returned-no-assistant",
        "customer-busy",
        "customer-did-not-answer",
        "twilio-reported-customer-misdialed",
        "vonage-rejected",
        "worker-shutdown",
    ];
    words.iter().any(|word| reason.contains(word))
        || families.iter().any(|family| reason.starts_with(family))
        || others.contains(&reason)
}

/// How far a transfer has come that has this outcome in `artifact.transfers`.
pub(super) fn transfer(outcome: &str) -> Transfer {
    match outcome {
        "connected" | "completed" => Transfer::HandedOver,
        _ => Transfer::Failed,
    }
}

/// How far a transfer had come in a call that ended for this reason, and the word for it.
pub(super) fn transfer_by_reason(reason: Option<&str>) -> (Transfer, Option<String>) {
    match reason {
        Some(FORWARDED) => (Transfer::HandedOver, Some("forwarded".into())),
        _ => (Transfer::None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_did_not_take_place_or_broke_has_failed() {
        for reason in [
            "customer-did-not-answer",
            "customer-busy",
            "assistant-not-valid",
            "assistant-not-found",
            "assistant-request-returned-no-assistant",
            "twilio-reported-customer-misdialed",
            "vonage-rejected",
            "worker-shutdown",
            "phone-call-provider-bypass-enabled-but-no-call-received",
            "pipeline-error-openai-llm-failed",
            "call.start.error-get-phone-number",
            "twilio-failed-to-connect-call",
        ] {
            assert_eq!(status(Some(reason)), CallStatus::Failed, "{reason}");
        }
    }

    #[test]
    fn every_other_call_is_completed() {
        for reason in [
            "customer-ended-call",
            "assistant-ended-call",
            "assistant-forwarded-call",
            "silence-timed-out",
            "voicemail",
            "exceeded-max-duration",
            "call.forwarding.operator-busy",
            "assistant-request-returned-forwarding-phone-number",
            "a-reason-of-next-year",
        ] {
            assert_eq!(status(Some(reason)), CallStatus::Completed, "{reason}");
        }
        assert_eq!(status(None), CallStatus::Completed);
    }
}
