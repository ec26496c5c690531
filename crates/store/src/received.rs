//! What became of a message.

use model::CallId;

use crate::Outcome;

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The verdict.
    pub outcome: Outcome,
    /// Why, where it became nothing.
    pub reason: Option<String>,
    /// The call it belongs to: the first, where it speaks of several.
    pub call_id: Option<CallId>,
    /// Whether it speaks of a call whose person was erased: then that it came is noted, and nothing of what it says.
    pub(crate) is_of_erased: bool,
}

impl Received {
    /// A message that changed nothing, and why.
    pub(crate) fn nothing(outcome: Outcome, reason: String) -> Self {
        Self { outcome, reason: Some(reason), call_id: None, is_of_erased: false }
    }

    /// A message that says nothing to us.
    pub(crate) const fn ignored() -> Self {
        Self { outcome: Outcome::Ignored, reason: None, call_id: None, is_of_erased: false }
    }

    /// A message about a call whose person was erased.
    pub(crate) fn of_erased(call_id: Option<CallId>) -> Self {
        Self { call_id, is_of_erased: true, ..Self::nothing(Outcome::Ignored, ERASED.into()) }
    }
}

/// Why a message about an erased call is not kept.
const ERASED: &str = "it speaks of a call whose person was erased, so nothing of it is kept";
