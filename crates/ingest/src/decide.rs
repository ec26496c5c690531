//! What follows from a call as it stands: its contact, a lead, appointments, and the events that tell of them.

use model::{
    Appointment, AppointmentStatus, CallRecording, CallStatus, Completion, Contact, Fired, Lead, LeadStatus,
    Message, Platform, Stamp, Transfer,
    event::{AppointmentBooked, CallCompleted, CallTransferred, EventType, LeadCreated},
};
use serde::Serialize;
use store::{Decision, EventData, NewEvent, Situation, Telling};

use crate::{
    booking::{self, Verdict},
    booking_change, screen,
    updates::Before,
};

/// Stands in a stamp's place until the store gives one.
const UNSTAMPED: Stamp = Stamp::from_micros(0);

/// Decides what follows from a call. Deciding twice changes nothing more: what has been told is noted in the call.
pub fn decide(situation: Situation<'_>) -> Decision {
    match situation.telling {
        Telling::Owed => decide_and_tell(situation),
        Telling::Quiet => decide_quietly(situation),
    }
}

/// Makes all that follows from a call and tells nobody, now or later.
fn decide_quietly(mut situation: Situation<'_>) -> Decision {
    if situation.call.facts.status == Some(CallStatus::Completed) {
        situation.call.fired.completed_at.get_or_insert(Fired::NEVER_TOLD);
    }
    let mut decision = decide_and_tell(situation);
    decision.call.fired.completion_due_at = None;
    decision.events.clear();
    decision
}

fn decide_and_tell(situation: Situation<'_>) -> Decision {
    let before = Before::of(&situation);
    let mut decision = follow(situation);
    if let Some(before) = before {
        before.tell(&mut decision);
    }
    decision
}

/// What follows, with the documented events.
fn follow(mut situation: Situation<'_>) -> Decision {
    if situation.platform == Platform::Api {
        // Who writes a call without a word on where it stands reports one that is over. Not a message's word, so it
        // has no rank, and any word that a message does say replaces it.
        situation.call.facts.status.get_or_insert(CallStatus::Completed);
    }
    match screen::look(&mut situation) {
        screen::Verdict::Blocked => return screen::blocked(situation),
        screen::Verdict::Held => return screen::held(situation),
        screen::Verdict::Open => {}
    }
    let contact = contact_of(&mut situation);
    let mut events = Vec::new();
    if let Some(event) = transferred(&mut situation) {
        events.push(event);
    }
    // The lead is made before the appointments, which belong to it, but told of after the call that it comes from.
    let completed = completed(&mut situation);
    let lead = lead_of(&mut situation, contact.as_ref());
    let mut appointments = appointments_of(&situation, lead.as_ref());
    let booked: Vec<_> = appointments.iter().filter(|(_, _, told)| *told == Told::Now).collect();
    let made: Vec<_> = appointments.iter().map(|(_, appointment, _)| appointment).collect();
    let changed = booking_change::carry_out(&situation, &made);
    events.extend(completed);
    if let Some(Change::New(lead)) = &lead {
        events.push(event(&situation, EventType::LeadCreated, &LeadCreated::from(lead)));
    }
    for (_, appointment, _) in &booked {
        events.push(event(&situation, EventType::AppointmentBooked, &AppointmentBooked::from(appointment)));
    }
    if situation.opted_in {
        let booked = booked.iter().map(|(_, appointment, _)| appointment);
        events.extend(booking_change::told(booked, &changed.appointments));
    }
    put_changed(&mut appointments, changed.appointments);
    Decision {
        call: situation.call,
        contact,
        lead: lead.map(Change::record),
        appointments: appointments.into_iter().map(|(tool, appointment, _)| (tool, appointment)).collect(),
        changes: changed.uses,
        awaited: changed.awaited,
        events,
    }
}

/// A record that is new, or changed.
enum Change<T> {
    New(T),
    Changed(T),
}

impl<T> Change<T> {
    fn record(self) -> T {
        match self {
            Self::New(record) | Self::Changed(record) => record,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Now,
    Not,
}

fn event(situation: &Situation<'_>, event: EventType, data: &impl Serialize) -> NewEvent {
    // These are plain structures of text and numbers: there is nothing in them that JSON could not hold.
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".into());
    NewEvent { event, call_id: Some(situation.call.id), data: EventData::Json(data) }
}

/// The contact with the caller's number, made or brought up to date. `None` where nothing changes.
fn contact_of(situation: &mut Situation<'_>) -> Option<Contact> {
    let call = &mut situation.call;
    let phone = call.facts.caller_phone.clone()?;
    if situation.contact_is_deleted {
        return None;
    }
    let known = situation.contact.take();
    let mut contact = known.clone().unwrap_or_else(|| Contact {
        id: situation.ids.id(),
        name: None,
        phone: Some(phone),
        other_phones: Vec::new(),
        email: None,
        company: None,
        notes: None,
        tags: Vec::new(),
        call_count: 0,
        last_call_at: None,
        created_at: UNSTAMPED,
        updated_at: UNSTAMPED,
    });
    // Of a call that is this contact's already, only what it says anew.
    let before = situation.before.filter(|_| call.contact_id == Some(contact.id)).map(|before| &before.facts);
    let (name, email) = (&call.facts.caller_name, &call.facts.caller_email);
    fill(&mut contact.name, name.as_ref(), before.map(|before| before.caller_name.as_ref()));
    fill(&mut contact.email, email.as_ref(), before.map(|before| before.caller_email.as_ref()));
    if call.contact_id != Some(contact.id) {
        contact.call_count += 1;
        call.contact_id = Some(contact.id);
    }
    contact.last_call_at = contact.last_call_at.max(call.facts.started_at);
    situation.contact = Some(contact.clone());
    (known.as_ref() != Some(&contact)).then_some(contact)
}

/// Fills a field that is empty, or that an earlier message of this same call had filled. What a person or another
/// call wrote stays, and what a person emptied stays empty until the call says something else.
fn fill<T: Clone + PartialEq>(slot: &mut Option<T>, said: Option<&T>, before: Option<Option<&T>>) {
    let is_free = slot.is_none() || Some(slot.as_ref()) == before;
    if said.is_some() && Some(said) != before && is_free {
        *slot = said.cloned();
    }
}

fn transferred(situation: &mut Situation<'_>) -> Option<NewEvent> {
    let call = &mut situation.call;
    if call.transfer < Transfer::HandedOver || call.fired.transferred_at.is_some() {
        return None;
    }
    call.fired.transferred_at = Some(situation.now);
    let data = CallTransferred::of(&situation.call);
    Some(event(situation, EventType::CallTransferred, &data))
}

/// `call.completed` once per call: at once when everything is there, or when the wait for a better message is over.
fn completed(situation: &mut Situation<'_>) -> Option<NewEvent> {
    let (now, wait) = (situation.now, situation.completion_wait);
    let call = &mut situation.call;
    if call.fired.completed_at.is_some() {
        return None;
    }
    if call.facts.status != Some(CallStatus::Completed) {
        call.fired.completion_due_at = None;
        return None;
    }
    match call.completion {
        Completion::No => {
            call.fired.completion_due_at = None;
            return None;
        }
        Completion::Wait => {
            let due = *call.fired.completion_due_at.get_or_insert(now + wait);
            if due > now {
                return None;
            }
        }
        Completion::Now => {}
    }
    call.fired.completion_due_at = None;
    call.fired.completed_at = Some(now);
    let link = link(situation);
    let mut data = CallCompleted::of(&situation.call);
    data.recording_url = link.as_deref().or(data.recording_url);
    Some(event(situation, EventType::CallCompleted, &data))
}

/// Where the recording of a call is that we keep: at a link of ours, which works without a key and outlives the
/// platform's address. It may still be on its way.
fn link(situation: &Situation<'_>) -> Option<String> {
    let kept = matches!(situation.call.recording, Some(CallRecording::Pending | CallRecording::Stored));
    let links = situation.links.filter(|_| kept)?;
    Some(links.signed(situation.call.id, None, situation.now))
}

/// A lead, where the call has sufficient context: a way to call back and a need, on a call that took place. It waits
/// until the call is told as completed, so that it is made from everything the platform had to say.
fn lead_of(situation: &mut Situation<'_>, changed_contact: Option<&Contact>) -> Option<Change<Lead>> {
    let call = &situation.call;
    let facts = &call.facts;
    let took_place =
        facts.status == Some(CallStatus::Completed) && call.fired.completed_at.is_some() && !call.spam;
    let has_need =
        facts.intent.is_some() || facts.summary.as_ref().is_some_and(|text| !text.trim().is_empty());
    let reachable = facts.caller_phone.is_some() || facts.caller_email.is_some();
    if !took_place || !has_need || !reachable || situation.lead_is_deleted {
        return None;
    }
    let contact = changed_contact.or(situation.contact.as_ref());
    let mut lead = match situation.lead.take() {
        Some(known) => known,
        None => Lead {
            id: situation.ids.id(),
            call_id: Some(call.id),
            contact_id: contact.map(|contact| contact.id),
            name: contact.and_then(|contact| contact.name.clone()),
            phone: None,
            email: contact.and_then(|contact| contact.email.clone()),
            intent: None,
            urgency: None,
            summary: None,
            status: LeadStatus::New,
            notes: None,
            created_at: UNSTAMPED,
            updated_at: UNSTAMPED,
        },
    };
    let before = lead.clone();
    if situation.before.is_none_or(|before| before.contact_id.is_none()) {
        // Where the caller's number comes last, the lead was made for an e-mail address alone.
        lead.contact_id = lead.contact_id.or(contact.map(|contact| contact.id));
    }
    // Of a call that is this lead's already, only what it says anew: what a person wrote into the lead stays.
    let told = situation.before.filter(|_| call.lead_id == Some(lead.id)).map(|before| &before.facts);
    news(&mut lead.name, &facts.caller_name, told.map(|told| &told.caller_name));
    news(&mut lead.email, &facts.caller_email, told.map(|told| &told.caller_email));
    news(&mut lead.intent, &facts.intent, told.map(|told| &told.intent));
    news(&mut lead.summary, &facts.summary, told.map(|told| &told.summary));
    news(&mut lead.phone, &facts.caller_phone, told.map(|told| &told.caller_phone));
    news(&mut lead.urgency, &facts.urgency, told.map(|told| &told.urgency));
    situation.call.lead_id = Some(lead.id);
    if before.created_at == UNSTAMPED {
        return Some(Change::New(lead));
    }
    (lead != before).then_some(Change::Changed(lead))
}

/// Takes over what a call says, unless it has said the same before.
fn news<T: Clone + PartialEq>(slot: &mut Option<T>, said: &Option<T>, told: Option<&Option<T>>) {
    if said.is_some() && Some(said) != told {
        slot.clone_from(said);
    }
}

/// The appointments that the call's booking tools made and that are not recorded yet, or were unconfirmed so far.
fn appointments_of(
    situation: &Situation<'_>,
    lead: Option<&Change<Lead>>,
) -> Vec<(String, Appointment, Told)> {
    let messages: &[Message] = situation.call.facts.messages.as_deref().unwrap_or(&[]);
    let read = booking::uses(messages).filter_map(|(key, tool)| {
        if situation.call.deleted_bookings.contains(&key) {
            return None;
        }
        let known = situation.appointments.iter().find(|(tool, _)| *tool == key).map(|(_, known)| known);
        let booking = booking::read(tool, &situation.org);
        let is_settled = |known: &&Appointment| {
            known.status != AppointmentStatus::Unconfirmed || booking.verdict != Verdict::Booked
        };
        if let Some(known) = known.filter(is_settled) {
            return linked(situation, lead, (&booking, known)).map(|linked| (key, linked, Told::Not));
        }
        let (status, told) = match booking.verdict {
            Verdict::Failed => return None,
            Verdict::Unclear => (AppointmentStatus::Unconfirmed, Told::Not),
            Verdict::Booked => (AppointmentStatus::Booked, Told::Now),
        };
        let id = known.map_or_else(|| situation.ids.id(), |known| known.id);
        let appointment = appointment(situation, lead, booking);
        Some((key, Appointment { id, status, ..appointment }, told))
    });
    read.collect()
}

/// Puts changed appointments in the place of what they were. One of another call was made by no use of a tool of this one.
fn put_changed(appointments: &mut Vec<(String, Appointment, Told)>, changed: Vec<Appointment>) {
    for after in changed {
        match appointments.iter_mut().find(|(_, before, _)| before.id == after.id) {
            Some((_, before, _)) => *before = after,
            None => appointments.push((String::new(), after, Told::Not)),
        }
    }
}

/// A booked appointment with what became known since: the assistant, the contact, and the lead, which a call that
/// waits for its analysis has later than its appointment. `None` where nothing is new.
///
/// Whom the booking does not name is the caller, as the best of the call's messages has them and not as the first has,
/// unless a person wrote something else.
fn linked(
    situation: &Situation<'_>,
    lead: Option<&Change<Lead>>,
    (booking, known): (&booking::Booking, &Appointment),
) -> Option<Appointment> {
    let facts = &situation.call.facts;
    let before = situation.before.map(|before| &before.facts);
    let mut linked = Appointment {
        contact_id: known.contact_id.or(situation.call.contact_id),
        lead_id: known.lead_id.or_else(|| lead_id(situation, lead)),
        assistant_id: situation.assistant_id.or(known.assistant_id),
        ..known.clone()
    };
    if booking.attendee_name.is_none() {
        let said = facts.caller_name.as_ref();
        fill(&mut linked.attendee_name, said, before.map(|before| before.caller_name.as_ref()));
    }
    if booking.attendee_phone.is_none() {
        let said = facts.caller_phone.as_ref();
        fill(&mut linked.attendee_phone, said, before.map(|before| before.caller_phone.as_ref()));
    }
    if booking.attendee_email.is_none() {
        let said = facts.caller_email.as_ref();
        fill(&mut linked.attendee_email, said, before.map(|before| before.caller_email.as_ref()));
    }
    (linked != *known).then_some(linked)
}

fn lead_id(situation: &Situation<'_>, lead: Option<&Change<Lead>>) -> Option<model::LeadId> {
    let changed = lead.map(|lead| match lead {
        Change::New(lead) | Change::Changed(lead) => lead.id,
    });
    changed.or(situation.call.lead_id.filter(|_| !situation.lead_is_deleted))
}

fn appointment(
    situation: &Situation<'_>,
    lead: Option<&Change<Lead>>,
    booking: booking::Booking,
) -> Appointment {
    let (call, facts) = (&situation.call, &situation.call.facts);
    Appointment {
        id: model::Id::new(Default::default()),
        call_id: Some(call.id),
        contact_id: call.contact_id,
        lead_id: lead_id(situation, lead),
        assistant_id: situation.assistant_id,
        title: booking.title,
        attendee_name: booking.attendee_name.or_else(|| facts.caller_name.clone()),
        attendee_phone: booking.attendee_phone.or_else(|| facts.caller_phone.clone()),
        attendee_email: booking.attendee_email.or_else(|| facts.caller_email.clone()),
        starts_at: booking.starts_at,
        ends_at: booking.ends_at,
        time_zone: booking.time_zone,
        location: booking.location,
        notes: booking.notes,
        status: AppointmentStatus::Unconfirmed,
        source: situation.platform,
        external_id: booking.external_id,
        created_at: UNSTAMPED,
        updated_at: UNSTAMPED,
    }
}
