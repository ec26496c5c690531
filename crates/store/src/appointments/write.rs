//! Appointments as people and systems write them: create, change, delete.

use model::{
    Appointment, AppointmentId, AppointmentStatus, CallId, ContactId, LeadId, Patch, Phone, Platform, Stamp,
    Time,
};

use super::{by_id, insert, update as overwrite};
use crate::{
    OrgStore, Result,
    calls::{self, NamedCall},
    contacts, leads,
    value::params,
    writes::{Answer, Asked, Change, Changed, Halt, Refusal, Saved, Saving, Writing},
};

/// What is said of an appointment's fields.
#[derive(Clone, Debug, Default)]
pub struct AppointmentChange {
    /// The person it is with.
    pub contact_id: Patch<ContactId>,
    /// The lead it belongs to.
    pub lead_id: Patch<LeadId>,
    /// What it is for.
    pub title: Patch<String>,
    /// Who comes.
    pub attendee_name: Patch<String>,
    /// Their number.
    pub attendee_phone: Patch<Phone>,
    /// Their e-mail address.
    pub attendee_email: Patch<String>,
    /// When it begins.
    pub starts_at: Patch<Time>,
    /// When it ends.
    pub ends_at: Patch<Time>,
    /// The time zone it was agreed in (IANA name).
    pub time_zone: Patch<String>,
    /// Where it is.
    pub location: Patch<String>,
    /// Notes.
    pub notes: Patch<String>,
    /// Where it stands.
    pub status: Option<AppointmentStatus>,
    /// Its id in the calendar that holds it.
    pub external_id: Patch<String>,
}

impl OrgStore {
    /// Makes an appointment, which may have been booked in a call.
    pub async fn create_appointment(
        &self,
        call: Option<CallId>,
        new: AppointmentChange,
        asked: Asked,
    ) -> Result<Answer> {
        self.write_once(asked, move |writing| Box::pin(create(writing, call, new))).await
    }

    /// Changes an appointment. What a person wrote stays: a later message of its call only fills in what is empty, but
    /// for one that confirms what was unconfirmed, which tells the booking as the calendar has it.
    pub async fn update_appointment(
        &self,
        id: AppointmentId,
        change: AppointmentChange,
        asked: Asked,
    ) -> Result<Answer> {
        self.write_once(asked, move |writing| Box::pin(update(writing, id, change))).await
    }

    /// Deletes an appointment. A later message of its call does not bring it back.
    pub async fn delete_appointment(&self, id: AppointmentId, asked: Asked) -> Result<Answer> {
        self.write_once(asked, move |writing| Box::pin(delete(writing, id))).await
    }
}

async fn create(writing: &mut Writing<'_, '_>, call: Option<CallId>, new: AppointmentChange) -> Saving {
    let call = match call {
        Some(id) => Some(calls::named(writing, id).await?),
        None => None,
    };
    let mut appointment = blank(writing.teller.ids.id(), call.as_ref());
    if let Some(lead) = call.as_ref().and_then(|call| call.lead_id) {
        // It may have been deleted.
        appointment.lead_id = leads::by_id(writing.tx, writing.org, lead).await?.map(|lead| lead.id);
    }
    apply(writing, &mut appointment, new).await?;
    if let Some(contact) = appointment.contact_id
        && let Some(contact) = contacts::by_id(writing.tx, writing.org, contact).await?
    {
        appointment.attendee_name = appointment.attendee_name.take().or(contact.name);
        appointment.attendee_phone = appointment.attendee_phone.take().or(contact.phone);
        appointment.attendee_email = appointment.attendee_email.take().or(contact.email);
    }
    appointment.created_at = writing.stamp().await?;
    appointment.updated_at = appointment.created_at;
    insert(writing.tx, writing.org, (None, None), &appointment).await?;
    let saved = Saved::created(&appointment);
    writing.note(Change::Appointment(Box::new(Changed { before: None, after: Some(appointment), call })));
    Ok(saved)
}

/// An appointment of which only the call is known.
fn blank(id: AppointmentId, call: Option<&NamedCall>) -> Appointment {
    Appointment {
        id,
        call_id: call.map(|call| call.id),
        contact_id: call.and_then(|call| call.contact_id),
        lead_id: None,
        assistant_id: call.and_then(|call| call.assistant_id),
        title: None,
        attendee_name: None,
        attendee_phone: None,
        attendee_email: None,
        starts_at: None,
        ends_at: None,
        time_zone: None,
        location: None,
        notes: None,
        status: AppointmentStatus::Booked,
        source: Platform::Api,
        external_id: None,
        created_at: Stamp::from_micros(0),
        updated_at: Stamp::from_micros(0),
    }
}

async fn update(writing: &mut Writing<'_, '_>, id: AppointmentId, change: AppointmentChange) -> Saving {
    let before = by_id(writing.tx, writing.org, id).await?.ok_or(Refusal::Missing)?;
    writing.expect(before.updated_at)?;
    let mut after = before.clone();
    apply(writing, &mut after, change).await?;
    if after == before {
        return Ok(Saved::updated(&after));
    }
    after.updated_at = writing.stamp().await?;
    overwrite(writing.tx, writing.org, &after).await?;
    let call = match after.call_id {
        Some(id) => calls::find_named(writing.tx, writing.org, id).await?,
        None => None,
    };
    let saved = Saved::updated(&after);
    writing.note(Change::Appointment(Box::new(Changed { before: Some(before), after: Some(after), call })));
    Ok(saved)
}

async fn apply(
    writing: &mut Writing<'_, '_>,
    appointment: &mut Appointment,
    change: AppointmentChange,
) -> std::result::Result<(), Halt> {
    let contact_id = match change.contact_id {
        Patch::Set(id) => Patch::Set(contacts::named(writing, id).await?),
        other => other,
    };
    if let Patch::Set(id) = change.lead_id {
        leads::named(writing, id).await?;
    }
    contact_id.apply_to(&mut appointment.contact_id);
    change.lead_id.apply_to(&mut appointment.lead_id);
    change.title.apply_to(&mut appointment.title);
    change.attendee_name.apply_to(&mut appointment.attendee_name);
    change.attendee_phone.apply_to(&mut appointment.attendee_phone);
    change.attendee_email.apply_to(&mut appointment.attendee_email);
    change.starts_at.apply_to(&mut appointment.starts_at);
    change.ends_at.apply_to(&mut appointment.ends_at);
    change.time_zone.apply_to(&mut appointment.time_zone);
    change.location.apply_to(&mut appointment.location);
    change.notes.apply_to(&mut appointment.notes);
    change.external_id.apply_to(&mut appointment.external_id);
    appointment.status = change.status.unwrap_or(appointment.status);
    match (appointment.starts_at, appointment.ends_at) {
        (Some(start), Some(end)) if end < start => {
            Err(Refusal::Wrong { field: "ends_at", why: "the appointment would end before it begins" }.into())
        }
        _ => Ok(()),
    }
}

async fn delete(writing: &mut Writing<'_, '_>, id: AppointmentId) -> Saving {
    let before = by_id(writing.tx, writing.org, id).await?.ok_or(Refusal::Missing)?;
    writing.expect(before.updated_at)?;
    let sql = "SELECT tool_call_id FROM appointments WHERE id = ?1 AND org_id = ?2";
    let tool = writing.tx.first(sql, params![id, writing.org], |row| row.get::<Option<String>>()).await?;
    if let (Some(call), Some(tool)) = (before.call_id, tool.flatten()) {
        calls::note_deleted_booking(writing.tx, writing.org, call, tool).await?;
    }
    let sql = "DELETE FROM appointments WHERE id = ?1 AND org_id = ?2";
    writing.tx.execute(sql, params![id, writing.org]).await?;
    writing.note(Change::Appointment(Box::new(Changed { before: Some(before), after: None, call: None })));
    Ok(Saved::deleted(id.uuid()))
}
