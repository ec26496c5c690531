//! The opt-in events that a change of a record makes, whoever made it.

use model::{
    Appointment, AppointmentStatus, CallId, Contact, EventType, Lead,
    event::{AppointmentUpdated, changed_fields},
};

use super::{EventData, NewEvent, Subject};

impl NewEvent {
    /// That fields of a record changed; `None` where none did.
    pub fn updated(subject: Subject, call_id: Option<CallId>, changed: Vec<String>) -> Option<Self> {
        let event = match subject {
            Subject::Call(_) => EventType::CallUpdated,
            Subject::Contact(_) => EventType::ContactUpdated,
            Subject::Lead(_) => EventType::LeadUpdated,
            Subject::Appointment(_) => EventType::AppointmentUpdated,
        };
        let is_news = !changed.is_empty();
        let data = EventData::Record(subject, changed);
        is_news.then_some(Self { event, call_id, data })
    }

    /// What is told of a contact that is new, or changed.
    pub fn of_contact(call_id: Option<CallId>, before: Option<&Contact>, after: &Contact) -> Option<Self> {
        let subject = Subject::Contact(after.id);
        let Some(before) = before else {
            let data = EventData::Record(subject, Vec::new());
            return Some(Self { event: EventType::ContactCreated, call_id, data });
        };
        Self::updated(subject, call_id, changed_fields(before, after))
    }

    /// What is told of a lead that changed.
    pub fn of_lead(before: &Lead, after: &Lead) -> Option<Self> {
        Self::updated(Subject::Lead(after.id), after.call_id, changed_fields(before, after))
    }

    /// What is told of an appointment that changed.
    pub fn of_appointment(before: &Appointment, after: &Appointment) -> Option<Self> {
        use AppointmentStatus::{Cancelled, Unconfirmed};
        if before.status == Unconfirmed && matches!(after.status, Unconfirmed | Cancelled) {
            // Nobody was told of it, and it is nothing yet or nothing any more.
            return None;
        }
        let is_called_off = after.status == Cancelled && before.status != Cancelled;
        let changed = changed_fields(before, after);
        let told = Self::updated(Subject::Appointment(after.id), after.call_id, changed)?;
        let event = if is_called_off { EventType::AppointmentCancelled } else { told.event };
        Some(Self { event, ..told })
    }

    /// What is told of an appointment that was deleted: that it is called off, where it was still to take place.
    pub(crate) fn of_deleted_appointment(before: &Appointment) -> Option<Self> {
        use AppointmentStatus::{Booked, Cancelled, Completed, NoShow, Rescheduled, Unconfirmed};
        match before.status {
            Booked | Rescheduled => {}
            // One that is unconfirmed was never told.
            Unconfirmed | Cancelled | Completed | NoShow => return None,
        }
        let appointment = &Appointment { status: Cancelled, ..before.clone() };
        let changed = &["status".to_owned()];
        let data = AppointmentUpdated { appointment_id: before.id, appointment, changed };
        let data = EventData::Json(crate::writes::to_json(&data));
        Some(Self { event: EventType::AppointmentCancelled, call_id: before.call_id, data })
    }
}
