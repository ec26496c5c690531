//! Bland's words for where a call and a transfer stand, in ours.

use model::{CallStatus, Transfer};
use serde_json::Value;

use crate::read;

/// Where a call stands. `completed` says that it is over, not that anybody answered: `status` tells that, in the
/// carrier's words. Of a call that is not completed, `queue_status` tells whether it still may be.
pub(super) fn status(call: &Value, completed: bool) -> CallStatus {
    let is_running = !completed && is_running(&call["queue_status"]);
    match read::text(&call["error_message"]) {
        Some(_) => CallStatus::Failed,
        None if is_running => CallStatus::InProgress,
        None if completed && !was_not_answered(&call["status"]) => CallStatus::Completed,
        None => CallStatus::Failed,
    }
}

fn is_running(queue_status: &Value) -> bool {
    let running = ["new", "queued", "allocated", "started", "ringing", "in-progress", "in_progress"];
    queue_status.as_str().is_some_and(|word| running.contains(&word))
}

fn was_not_answered(status: &Value) -> bool {
    let words = ["busy", "canceled", "cancelled", "failed", "no-answer"];
    status.as_str().is_some_and(|word| words.contains(&word))
}

/// How far a transfer has come, and the word for it. Only the time of the transfer or a merged warm transfer prove
/// one: the tag `TRANSFERRED` is also on calls whose caller hung up before anybody answered.
pub(super) fn transfer(call: &Value, call_status: CallStatus) -> (Transfer, Option<&'static str>) {
    let warm_state = read::text(&call["warm_transfer_call"]["state"]);
    let is_merged = warm_state.as_deref().is_some_and(|state| state.eq_ignore_ascii_case("merged"));
    let is_tagged = read::text(&call["disposition_tag"])
        .is_some_and(|disposition| disposition.eq_ignore_ascii_case("transferred"));
    if read::time(&call["transferred_at"]).is_some() || is_merged {
        return (Transfer::HandedOver, Some("connected"));
    }
    match (is_tagged || warm_state.is_some(), call_status.is_final()) {
        (true, true) => (Transfer::Failed, Some("failed")),
        (true, false) => (Transfer::Started, None),
        (false, _) if read::text(&call["transferred_to"]).is_some() => (Transfer::Started, None),
        (false, _) => (Transfer::None, None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_completed_call_is_completed_unless_something_went_wrong() {
        let of = |call: Value| status(&call, true);
        for call in [
            json!({}),
            json!({"status": "completed", "queue_status": "complete", "error_message": null}),
            json!({"status": "unknown", "error_message": ""}),
            json!({"status": "completed", "queue_status": "started"}),
        ] {
            assert_eq!(of(call.clone()), CallStatus::Completed, "{call}");
        }
        assert_eq!(of(json!({"status": "completed", "error_message": "No credit"})), CallStatus::Failed);
        for word in ["busy", "canceled", "failed", "no-answer"] {
            assert_eq!(of(json!({ "status": word })), CallStatus::Failed, "{word}");
        }
    }

    #[test]
    fn a_call_that_is_not_completed_is_under_way_or_has_failed() {
        let of = |call: Value| status(&call, false);
        for word in ["new", "queued", "allocated", "started"] {
            assert_eq!(of(json!({ "queue_status": word })), CallStatus::InProgress, "{word}");
        }
        for word in ["pre_queue_error", "queue_error", "call_error", "complete_error", "complete", "?"] {
            assert_eq!(of(json!({ "queue_status": word })), CallStatus::Failed, "{word}");
        }
        assert_eq!(of(json!({"queue_status": "started", "error_message": "Busy"})), CallStatus::Failed);
        assert_eq!(of(json!({})), CallStatus::Failed);
    }

    #[test]
    fn only_the_fields_prove_a_transfer_never_the_tag() {
        let of = |call: Value| transfer(&call, CallStatus::Completed);
        let connected = (Transfer::HandedOver, Some("connected"));
        let failed = (Transfer::Failed, Some("failed"));
        assert_eq!(of(json!({"transferred_at": "2026-02-24T13:00:12Z"})), connected);
        assert_eq!(of(json!({"warm_transfer_call": {"state": "MERGED"}})), connected);
        assert_eq!(of(json!({"disposition_tag": "TRANSFERRED"})), failed);
        assert_eq!(of(json!({"disposition_tag": "TRANSFERRED", "transferred_to": "+14155550178"})), failed);
        assert_eq!(of(json!({"warm_transfer_call": {"state": "DECLINED"}})), failed);
        assert_eq!(of(json!({"transferred_to": "+14155550178"})), (Transfer::Started, None));
        assert_eq!(of(json!({"disposition_tag": "BOOKED", "transferred_at": null})), (Transfer::None, None));
        let dialing = json!({"warm_transfer_call": {"state": "DIALING"}});
        assert_eq!(transfer(&dialing, CallStatus::InProgress), (Transfer::Started, None));
    }
}
