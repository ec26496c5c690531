//! Callers that an organization blocks: their calls are kept, and come to nothing.
//!
//! A call that has been told as completed while its caller was known stays as it was told. Any other call of a blocked number
//! is blocked, once and for all, whatever its other messages say and in whatever order they come. That a caller is not
//! blocked can only be known when it is known who calls: so where numbers are blocked, what a message without the
//! caller would tell waits a little for one that names them.

use model::{CallStatus, Completion, Transfer};
use store::{Decision, Screening, Situation};

use crate::{booking, booking_change};

/// What the block list makes of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is a call like any other.
    Open,
    /// It has to wait for who calls.
    Held,
    /// Its caller is turned away.
    Blocked,
}

/// Looks whether a call's caller is blocked, and notes in the call that it was.
pub(crate) fn look(situation: &mut Situation<'_>) -> Verdict {
    let phone_before = situation.before.map(|before| before.facts.caller_phone.is_some());
    let call = &mut situation.call;
    if situation.screening == Screening::Blocked {
        let keeps_number =
            situation.before.is_some_and(|before| before.facts.caller_phone == call.facts.caller_phone);
        let was_told = call.fired.completed_at.is_some() && keeps_number;
        call.blocked |= !was_told;
    }
    if call.blocked {
        return Verdict::Blocked;
    }
    if situation.screening == Screening::Unknown && has_news(situation) {
        let until = situation.now + situation.completion_wait;
        let due = *situation.call.fired.completion_due_at.get_or_insert(until);
        return if due > situation.now { Verdict::Held } else { Verdict::Open };
    }
    if phone_before == Some(false) && situation.call.facts.caller_phone.is_some() {
        // It waited for this. What else it waits for has its own time.
        situation.call.fired.completion_due_at = None;
    }
    Verdict::Open
}

/// Whether something would be told of a call.
fn has_news(situation: &Situation<'_>) -> bool {
    let call = &situation.call;
    let is_over = call.facts.status == Some(CallStatus::Completed) && call.completion > Completion::No;
    let tools = call.facts.messages.iter().flatten().filter_map(|message| message.tool.as_ref());
    let mut bookings = tools
        .filter(|tool| booking::is_booking_tool(&tool.name) || booking_change::kind(&tool.name).is_some());
    let completes = is_over && call.fired.completed_at.is_none();
    let transfers = call.transfer >= Transfer::HandedOver && call.fired.transferred_at.is_none();
    completes || transfers || (call.fired.completed_at.is_none() && bookings.next().is_some())
}

/// What follows from a blocked call: nothing. It is counted for its caller's contact, if there is one, and says nothing
/// of them.
pub(crate) fn blocked(mut situation: Situation<'_>) -> Decision {
    let call = &mut situation.call;
    call.facts.status = Some(CallStatus::Blocked);
    call.fired.completion_due_at = None;
    let contact = situation.contact.take().and_then(|mut contact| {
        let before = contact.clone();
        if call.contact_id != Some(contact.id) {
            contact.call_count += 1;
            call.contact_id = Some(contact.id);
        }
        contact.last_call_at = contact.last_call_at.max(call.facts.started_at);
        (contact != before).then_some(contact)
    });
    Decision { contact, ..held(situation) }
}

/// What follows from a call that waits for who calls: nothing yet. When the wait is over, [`crate::Ingest::run`] finds it.
pub(crate) fn held(situation: Situation<'_>) -> Decision {
    Decision {
        call: situation.call,
        contact: None,
        lead: None,
        appointments: Vec::new(),
        changes: Vec::new(),
        awaited: Vec::new(),
        events: Vec::new(),
    }
}
