//! Tools that move an appointment or call it off: which one they mean, whether that worked, and what it is then.
//!
//! An appointment is found by the booking's id alone, in what the assistant asked for or what the calendar answered,
//! and only where that leads to one. Each use of a tool changes an appointment once: that it did is noted with the call,
//! so neither repetitions nor the order of a call's messages change anything more, nor undo what others wrote since.
//!
//! Nor does the order of calls: the word of the call that began last counts, on when it takes place and on whether it does.
//! Where the booking's own call is not here yet, the change is awaited, and carried out when it comes.

use model::{Appointment, AppointmentId, AppointmentStatus, CallState, Message, Time, Tool};
use serde_json::{Map, Value};
use store::{ChangedNow, NewEvent, OrgSettings, Situation, ToolChange};

use crate::{
    booking::{self, find, flag, normalized, says_no, text, word},
    booking_time,
};

/// What a tool does to an appointment, by its name; `None` for all others.
pub(crate) fn kind(name: &str) -> Option<ToolChange> {
    let name = normalized(name);
    let about = ["appointment", "booking", "event", "meeting", "reservation", "calendar", "calendly"];
    let not = ["check", "list", "find", "lookup", "avail", "policy", "fee", "search", "get", "confirm"];
    if !about.iter().any(|word| name.contains(word)) || not.iter().any(|word| name.contains(word)) {
        return None;
    }
    // One that may do either says by its name neither.
    match (name.contains("reschedul"), name.contains("cancel")) {
        (true, false) => Some(ToolChange::Rescheduled),
        (false, true) => Some(ToolChange::Cancelled),
        _ => None,
    }
}

/// The ids of bookings that a call's tools meant to change: the appointments with these are to be looked up.
pub fn changed_bookings(call: &CallState) -> Vec<String> {
    let messages = call.facts.messages.as_deref().unwrap_or(&[]);
    let mut ids: Vec<String> = uses(messages).flat_map(|(_, tool, _)| Said::of(tool).ids()).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// The uses of such tools in a conversation, in their order, each with what it is known by.
fn uses(messages: &[Message]) -> impl Iterator<Item = (String, &Tool, ToolChange)> {
    let uses = booking::uses_of(messages, |name| kind(name).is_some());
    uses.filter_map(|(key, tool)| Some((key, tool, kind(&tool.name)?)))
}

/// What came of a call's changes.
#[derive(Default)]
pub(crate) struct Changed {
    /// The appointments that are not what they were.
    pub(crate) appointments: Vec<Appointment>,
    /// The uses of tools that changed one.
    pub(crate) uses: Vec<ChangedNow>,
    /// The ids of bookings that are not here.
    pub(crate) awaited: Vec<String>,
}

/// Carries out what a call's tools changed and is not noted yet. `made` are the call's own appointments as they are to
/// be written.
pub(crate) fn carry_out(situation: &Situation<'_>, made: &[&Appointment]) -> Changed {
    let mut changed = Changed::default();
    let messages = situation.call.facts.messages.as_deref().unwrap_or(&[]);
    for (tool_call, tool, change) in uses(messages) {
        let said = Said::of(tool);
        if situation.changes.made.contains(&tool_call) || !said.worked(change) {
            continue;
        }
        let ids = said.ids();
        let mut meant = meant(situation, &ids, made, &changed.appointments);
        if meant.is_empty() {
            changed.awaited.extend(ids);
            continue;
        }
        meant.retain(|one| may_change(situation, one, change, &changed.uses));
        let [before] = meant[..] else { continue };
        let Some(after) = said.change(before, change, situation) else { continue };
        changed.uses.push(ChangedNow { tool_call, appointment: after.id, change });
        changed.appointments.retain(|known| known.id != after.id);
        changed.appointments.push(after);
    }
    changed
}

/// The appointments with one of these ids, as they stand after the changes so far. Not one that a later call booked:
/// what was changed before that was another.
fn meant<'a>(
    situation: &'a Situation<'_>,
    ids: &[String],
    made: &[&'a Appointment],
    changed: &'a [Appointment],
) -> Vec<&'a Appointment> {
    let known = situation.appointments.iter().map(|(_, known)| known);
    let mut seen: Vec<&Appointment> = Vec::new();
    for one in changed.iter().chain(made.iter().copied()).chain(known).chain(&situation.changes.targets) {
        if seen.iter().all(|known| known.id != one.id) {
            seen.push(one);
        }
    }
    let began = situation.call.facts.started_at;
    let is_later = |one: &Appointment| {
        situation
            .changes
            .booked
            .iter()
            .any(|(id, at)| *id == one.id && began.is_some_and(|began| began < *at))
    };
    seen.retain(|one| one.external_id.as_ref().is_some_and(|id| ids.contains(id)) && !is_later(one));
    seen
}

/// Whether a tool may do this to an appointment: to one that is still to take place, and that a tool called off may be
/// moved to another time. What a person says of it stays.
fn may_change(
    situation: &Situation<'_>,
    one: &Appointment,
    change: ToolChange,
    so_far: &[ChangedNow],
) -> bool {
    use AppointmentStatus::{Booked, Cancelled, Rescheduled};
    let before = situation.changes.changed.iter().map(|before| (before.appointment, before.change));
    let now = so_far.iter().map(|now| (now.appointment, now.change));
    let was_called_off = || before.chain(now).any(|it| it == (one.id, ToolChange::Cancelled));
    match one.status {
        Booked | Rescheduled => true,
        Cancelled => change == ToolChange::Rescheduled && was_called_off(),
        _ => false,
    }
}

/// What tools of later calls did to an appointment: this one's word comes late.
fn later_changes(situation: &Situation<'_>, id: AppointmentId) -> impl Iterator<Item = ToolChange> {
    let (call, began) = (situation.call.id, situation.call.facts.started_at);
    let others = situation.changes.changed.iter().filter(move |it| it.appointment == id && it.call != call);
    others
        .filter(move |it| it.began_at.zip(began).is_some_and(|(theirs, ours)| theirs > ours))
        .map(|it| it.change)
}

/// What is told, to who asks for more than the documented events, of appointments that this call has only just booked.
/// Of those that were there before, it is told like any other change.
pub(crate) fn told<'a>(
    booked: impl Iterator<Item = &'a Appointment>,
    changed: &[Appointment],
) -> Vec<NewEvent> {
    let after = |before: &Appointment| changed.iter().find(|after| after.id == before.id);
    booked.filter_map(|before| NewEvent::of_appointment(before, after(before)?)).collect()
}

/// Further keys under which the id of the booking stands that is meant, beside [`booking::IDS`].
const MORE_IDS: [&str; 5] =
    ["reservationid", "rescheduleuid", "rescheduledfromuid", "originalbookingid", "originalappointmentid"];

/// What the assistant asked for, and what the calendar answered.
struct Said<'a> {
    tool: &'a Tool,
    asked: Map<String, Value>,
    answered: Vec<&'a Map<String, Value>>,
}

impl<'a> Said<'a> {
    fn of(tool: &'a Tool) -> Self {
        let asked = tool.arguments.as_ref().and_then(Value::as_object).map(renewed).unwrap_or_default();
        let answered = tool.result.as_ref().and_then(Value::as_object).map(within).unwrap_or_default();
        Self { tool, asked, answered }
    }

    /// Every id that may be the booking's.
    fn ids(&self) -> Vec<String> {
        let objects = within(&self.asked).into_iter().chain(self.answered.iter().copied());
        let keys = || booking::IDS.iter().chain(&MORE_IDS);
        objects.flat_map(|object| keys().filter_map(|key| word(find(object, key)?))).collect()
    }

    /// Whether the answer says that it worked: a no in it wins over a yes of the platform.
    fn worked(&self, kind: ToolChange) -> bool {
        let said = self.tool.result.as_ref().and_then(Value::as_str).unwrap_or_default();
        let texts = || self.answered.iter().flat_map(|object| object.values()).filter_map(Value::as_str);
        let is_refused =
            |object: &&Map<String, Value>| flag(object) == Some(false) || done(object, kind) == Some(false);
        if self.tool.ok == Some(false) || self.answered.iter().any(is_refused) {
            return false;
        }
        if says_no(said) || texts().any(says_no) {
            return false;
        }
        let says_yes = self.answered.iter().any(|object| done(object, kind) == Some(true));
        self.tool.ok == Some(true) || says_yes || is_told_done(said, kind)
    }

    /// An appointment as it is once it is changed; `None` where later calls have said all that counts.
    fn change(
        &self,
        before: &Appointment,
        change: ToolChange,
        situation: &Situation<'_>,
    ) -> Option<Appointment> {
        let later: Vec<ToolChange> = later_changes(situation, before.id).collect();
        match change {
            _ if later.contains(&ToolChange::Rescheduled) => None,
            ToolChange::Rescheduled if later.is_empty() => Some(self.moved(before, &situation.org)),
            // It was called off since, and stays so.
            ToolChange::Rescheduled => {
                Some(Appointment { status: before.status, ..self.moved(before, &situation.org) })
            }
            ToolChange::Cancelled if later.is_empty() => {
                Some(Appointment { status: AppointmentStatus::Cancelled, ..before.clone() })
            }
            ToolChange::Cancelled => None,
        }
    }

    /// An appointment as it is once it is moved. Where it is moved to is unknown rather than what it was, if that cannot
    /// be read; how long it takes stays, unless something else is said.
    fn moved(&self, before: &Appointment, org: &OrgSettings) -> Appointment {
        let asked = within(&self.asked);
        let both: Vec<_> = self.answered.iter().copied().chain(asked).collect();
        let told_zone = both.iter().find_map(|object| {
            ["timezone", "tz", "timezoneid"].iter().find_map(|key| find(object, key)?.as_str())
        });
        let time_zone = told_zone.map(str::to_owned).or_else(|| before.time_zone.clone());
        let zone = time_zone.as_deref().or(org.time_zone.as_deref());
        let starts_at = booking_time::start(&both, zone);
        let length = before.starts_at.zip(before.ends_at).map(|(start, end)| end.micros() - start.micros());
        let kept = |start: Time| length.map(|length| start.plus_micros(length));
        let ends_at = booking_time::end(&both, zone, starts_at).or_else(|| starts_at.and_then(kept));
        Appointment {
            starts_at,
            ends_at: ends_at.filter(|_| starts_at.is_some()),
            time_zone,
            status: AppointmentStatus::Rescheduled,
            // Some calendars make another booking of it.
            external_id: text(&self.answered, &booking::IDS).or_else(|| before.external_id.clone()),
            ..before.clone()
        }
    }
}

/// What was asked for, with `new_start_time` and its like in the place of what they replace.
fn renewed(asked: &Map<String, Value>) -> Map<String, Value> {
    let is_new = |key: &str| normalized(key).strip_prefix("new").is_some_and(|rest| !rest.is_empty());
    let (new, old): (Vec<_>, Vec<_>) = asked.iter().partition(|(key, _)| is_new(key));
    let mut renewed: Map<String, Value> = Map::new();
    for (key, value) in new {
        renewed.insert(normalized(key).trim_start_matches("new").to_owned(), value.clone());
    }
    for (key, value) in old {
        if find(&renewed, &normalized(key)).is_none() {
            renewed.insert(key.clone(), value.clone());
        }
    }
    renewed
}

/// An object and those within that tell of the booking itself, and not of who comes.
fn within(object: &Map<String, Value>) -> Vec<&Map<String, Value>> {
    let wraps = ["data", "booking", "event", "appointment", "result"];
    let inner = object.iter().filter(|(key, _)| wraps.contains(&normalized(key).as_str()));
    std::iter::once(object).chain(inner.filter_map(|(_, value)| value.as_object())).collect()
}

/// An explicit yes or no to the change in an answer. That a booking is confirmed says that it was moved, and never that
/// it was called off.
fn done(object: &Map<String, Value>, kind: ToolChange) -> Option<bool> {
    object.iter().find_map(|(key, value)| {
        let key = normalized(key);
        match (key.as_str(), value) {
            ("success" | "successful" | "ok", Value::Bool(flag)) => Some(*flag),
            (key, Value::Bool(flag)) if is_done(key, kind) => Some(*flag),
            ("status" | "result" | "outcome", Value::String(word)) => {
                let word = normalized(word);
                let is_yes = ["success", "ok"].contains(&word.as_str()) || is_done(&word, kind);
                is_yes.then_some(true)
            }
            ("message", Value::String(text)) => is_told_done(text, kind).then_some(true),
            _ => None,
        }
    })
}

fn is_done(word: &str, kind: ToolChange) -> bool {
    let words: &[&str] = match kind {
        ToolChange::Rescheduled => {
            &["rescheduled", "moved", "updated", "booked", "confirmed", "accepted", "scheduled", "created"]
        }
        ToolChange::Cancelled => &["cancelled", "canceled", "deleted"],
    };
    words.contains(&word)
}

/// Whether a sentence says that it is done.
fn is_told_done(text: &str, kind: ToolChange) -> bool {
    let text = text.to_lowercase();
    let words: &[&str] = match kind {
        ToolChange::Rescheduled => &["rescheduled", "moved"],
        ToolChange::Cancelled => &["cancelled", "canceled"],
    };
    let doubts = ["not ", "n't ", "never", "will be", "to be", "can be", "?", "if "];
    words.iter().any(|word| text.contains(word)) && !doubts.iter().any(|doubt| text.contains(doubt))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tools_that_change_appointments_are_known_by_name() {
        for name in ["reschedule_appointment", "rescheduleBooking", "calendly_reschedule_event"] {
            assert_eq!(kind(name), Some(ToolChange::Rescheduled), "{name}");
        }
        for name in
            ["cancel_appointment", "cancelBooking", "google.calendar.event.cancel", "calendly_cancel_event"]
        {
            assert_eq!(kind(name), Some(ToolChange::Cancelled), "{name}");
        }
        for name in [
            "book_appointment",
            "cancel_order",
            "cancel_or_reschedule_appointment",
            "check_cancellation_of_appointment",
            "get_booking_cancellation_policy",
            "cancel",
        ] {
            assert_eq!(kind(name), None, "{name}");
        }
    }

    #[test]
    fn that_it_worked_is_read_and_never_guessed() {
        let tool = |result: Value, ok| Tool {
            name: String::new(),
            call_id: None,
            arguments: None,
            result: Some(result),
            ok,
        };
        for (result, ok, moved, called_off) in [
            (json!({"success": true}), None, true, true),
            (json!({"success": false}), Some(true), false, false),
            (json!({"data": {"status": "accepted", "uid": "b2"}}), None, true, false),
            (json!({"data": {"status": "cancelled"}}), None, false, true),
            (json!({"cancelled": false}), None, false, false),
            (json!({"message": "Your appointment has been cancelled."}), None, false, true),
            (json!("The booking was rescheduled."), None, true, false),
            (json!("It could not be cancelled."), None, false, false),
            (json!("It has not been cancelled or moved."), None, false, false),
            (json!({"booking_id": "bk_1"}), None, false, false),
            (json!("Thanks!"), None, false, false),
            (json!("Thanks!"), Some(true), true, true),
        ] {
            let tool = tool(result.clone(), ok);
            let said = Said::of(&tool);
            assert_eq!(
                (said.worked(ToolChange::Rescheduled), said.worked(ToolChange::Cancelled)),
                (moved, called_off),
                "{result}"
            );
        }
    }

    #[test]
    fn the_id_is_the_booking_s_and_not_the_attendee_s() {
        let tool = Tool {
            name: "reschedule_booking".into(),
            call_id: None,
            arguments: Some(json!({"booking_id": 7, "customer": {"id": "c"}})),
            result: Some(json!({"booking": {"uid": "b8", "attendee": {"id": "a"}}, "attendee": {"id": "b"}})),
            ok: None,
        };
        assert_eq!(Said::of(&tool).ids(), ["7", "b8"]);
    }
}
