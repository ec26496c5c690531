//! The opt-in events of a call: what is told to who asked for more than the documented events.

use model::{
    Appointment, AppointmentStatus, CallState, CallStatus, Contact, EventType, Lead, RecordingLinks,
    RecordingShown,
};
use store::{Decision, EventData, NewEvent, Screening, Situation, Subject};

/// What of the situation is looked at again once it is decided what follows.
pub(crate) struct Before<'a> {
    call: Option<&'a CallState>,
    contact: Option<Contact>,
    lead: Option<Lead>,
    appointments: Vec<Appointment>,
    /// Whether it can be told for the first time that there is this call.
    is_first_sight: bool,
    /// Where recordings are served from, where they are.
    links: Option<&'a RecordingLinks>,
}

impl<'a> Before<'a> {
    /// Of a situation, where anybody asks for opt-in events.
    pub(crate) fn of(situation: &Situation<'a>) -> Option<Self> {
        let is_new = situation.before.is_none() || situation.awaited_caller;
        situation.opted_in.then(|| Self {
            call: situation.before,
            contact: situation.contact.clone(),
            lead: situation.lead.clone(),
            appointments: situation
                .appointments
                .iter()
                .map(|(_, known)| known)
                .chain(&situation.changes.targets)
                .cloned()
                .collect(),
            is_first_sight: is_new && situation.screening == Screening::Passed,
            links: situation.links,
        })
    }

    /// Adds to a decision what it makes to be told. Nothing is told of a call whose caller is turned away.
    pub(crate) fn tell(self, decision: &mut Decision) {
        if decision.call.blocked {
            return;
        }
        let call = Some(decision.call.id);
        let mut events: Vec<NewEvent> = self.started(&decision.call).into_iter().collect();
        events.extend(self.updated(&decision.call));
        if let Some(contact) = &decision.contact {
            let before = self.contact.as_ref().filter(|before| before.id == contact.id);
            // One more call of a contact is told by the call's own events.
            if before.is_none_or(|before| says_anything(before, contact)) {
                events.extend(NewEvent::of_contact(call, before, contact));
            }
        }
        if let Some((before, after)) = self.lead.as_ref().zip(decision.lead.as_ref()) {
            events.extend(NewEvent::of_lead(before, after));
        }
        for (_, after) in &decision.appointments {
            if let Some(before) = self.appointments.iter().find(|before| before.id == after.id)
                && !is_confirmed(before, after)
            {
                events.extend(NewEvent::of_appointment(before, after));
            }
        }
        decision.events.extend(events);
    }

    /// That a call is under way, when it is first heard of.
    fn started(&self, call: &CallState) -> Option<NewEvent> {
        let is_over = call.facts.status.is_some_and(CallStatus::is_final);
        let data = EventData::Record(Subject::Call(call.id), Vec::new());
        let started = NewEvent { event: EventType::CallStarted, call_id: Some(call.id), data };
        (self.is_first_sight && !is_over).then_some(started)
    }

    /// That a call changed which had been told as completed.
    fn updated(&self, after: &CallState) -> Option<NewEvent> {
        let before = self.call.filter(|before| before.fired.was_told())?;
        let changed = changed_fields(before, after, self.links);
        NewEvent::updated(Subject::Call(after.id), Some(after.id), changed)
    }
}

/// Whether a contact is another than it was, beside which calls are counted for it.
fn says_anything(before: &Contact, after: &Contact) -> bool {
    let Contact { call_count, last_call_at, .. } = *after;
    Contact { call_count, last_call_at, ..before.clone() } != *after
}

/// Whether an appointment is told as booked only now, whatever became of it since.
fn is_confirmed(before: &Appointment, after: &Appointment) -> bool {
    before.status == AppointmentStatus::Unconfirmed && after.status != AppointmentStatus::Unconfirmed
}

/// The fields of a call that are not what they were, by the names that the API gives them.
fn changed_fields(before: &CallState, after: &CallState, links: Option<&RecordingLinks>) -> Vec<String> {
    let (old, new) = (&before.facts, &after.facts);
    let status = |status: Option<CallStatus>| status.unwrap_or(CallStatus::InProgress);
    let assistant = |call: &CallState| call.facts.assistant.as_ref().map(|known| known.external_id.clone());
    let fields = [
        ("caller_phone", old.caller_phone != new.caller_phone),
        ("caller_name", old.caller_name != new.caller_name),
        ("status", status(old.status) != status(new.status)),
        ("duration_seconds", old.duration_seconds != new.duration_seconds),
        ("summary", old.summary != new.summary),
        ("transcript", old.transcript != new.transcript),
        ("transfer_status", old.transfer_status != new.transfer_status),
        ("started_at", old.started_at != new.started_at),
        ("ended_at", old.ended_at != new.ended_at),
        ("assistant_id", assistant(before) != assistant(after)),
        ("contact_id", before.contact_id != after.contact_id),
        ("caller_email", old.caller_email != new.caller_email),
        ("intent", old.intent != new.intent),
        ("urgency", old.urgency != new.urgency),
        ("direction", old.direction != new.direction),
        ("ended_reason", old.ended_reason != new.ended_reason),
        ("messages", old.messages != new.messages),
    ];
    let fields = fields.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name);
    fields.chain(shown(after, links).changed(shown(before, links))).map(str::to_owned).collect()
}

/// What a call shows of its recording. What we have of it counts where we serve it.
fn shown<'a>(call: &'a CallState, links: Option<&RecordingLinks>) -> RecordingShown<'a> {
    let kept = call.recording.filter(|_| links.is_some());
    RecordingShown::of(kept, call.facts.recording_url.as_deref())
}
