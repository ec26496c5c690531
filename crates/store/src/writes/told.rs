//! What the world is told of a write: here and nowhere else.

use model::{
    Appointment, AppointmentStatus, CallId, Contact, EventType, Lead,
    event::{AppointmentBooked, LeadCreated},
};
use serde::Serialize;

use super::{Change, Changed};
use crate::{EventData, NewEvent};

/// The events that a change makes.
///
/// The documented events tell of calls. So a lead or an appointment that is written is told where it names a call, as if the
/// call had made it, unless that call's caller was turned away; what a person notes down beside any call is not told.
/// The opt-in events tell of records, and of every change of them.
pub(super) fn event_of(change: &Change) -> Option<NewEvent> {
    match change {
        Change::Contact(changed) => of_contact(changed),
        Change::Lead(changed) => of_lead(changed),
        Change::Appointment(changed) => of_appointment(changed),
        Change::Fields(subject, call, fields) => {
            NewEvent::updated(*subject, *call, fields.iter().map(|&field| field.to_owned()).collect())
        }
    }
}

fn of_contact(changed: &Changed<Contact>) -> Option<NewEvent> {
    NewEvent::of_contact(None, changed.before.as_ref(), changed.after.as_ref()?)
}

fn of_lead(changed: &Changed<Lead>) -> Option<NewEvent> {
    let lead = changed.after.as_ref()?;
    if is_made_from_call(changed) {
        return Some(event(EventType::LeadCreated, lead.call_id, &LeadCreated::from(lead)));
    }
    NewEvent::of_lead(changed.before.as_ref()?, lead)
}

fn of_appointment(changed: &Changed<Appointment>) -> Option<NewEvent> {
    match (&changed.before, &changed.after) {
        (_, Some(booked)) if is_booked(changed) => {
            let data = AppointmentBooked::from(booked);
            Some(event(EventType::AppointmentBooked, booked.call_id, &data))
        }
        (Some(before), Some(after)) => NewEvent::of_appointment(before, after),
        (Some(before), None) => NewEvent::of_deleted_appointment(before),
        (None, _) => None,
    }
}

fn event(event: EventType, call_id: Option<CallId>, data: &impl Serialize) -> NewEvent {
    NewEvent { event, call_id, data: EventData::Json(super::to_json(data)) }
}

/// A new lead of a call with sufficient context: a way to call back and a need.
fn is_made_from_call(changed: &Changed<Lead>) -> bool {
    let (None, Some(lead)) = (&changed.before, &changed.after) else { return false };
    let is_reachable = lead.phone.is_some() || lead.email.is_some();
    let has_need = lead.intent.is_some() || lead.summary.is_some();
    is_reachable && has_need && changed.call.as_ref().is_some_and(|call| call.took_place())
}

/// An appointment of a call that is booked now and was not before: written so, or confirmed by a person where the
/// calendar's answer could not be read.
fn is_booked(changed: &Changed<Appointment>) -> bool {
    let is_news =
        changed.before.as_ref().is_none_or(|before| before.status == AppointmentStatus::Unconfirmed);
    let is_booked = changed.after.as_ref().is_some_and(|after| after.status == AppointmentStatus::Booked);
    is_news && is_booked && changed.call.as_ref().is_some_and(|call| !call.is_turned_away())
}
