//! Appointments.

mod agenda;
mod write;

use model::{
    Appointment, AppointmentId, AppointmentStatus, CallId, ContactId, Cursor, LeadId, OrgId, Page, Phone,
    Platform, Time,
};

use crate::{
    Listed, OrgStore, Result,
    list::ListQuery,
    provenance::Made,
    tx::Tx,
    value::{Cells, params},
};

pub use self::{agenda::ListAgenda, write::AppointmentChange};

/// Which appointments are asked for.
#[derive(Clone, Debug)]
pub struct ListAppointments {
    /// The page.
    pub page: Page,
    /// Only those with this status.
    pub status: Option<AppointmentStatus>,
    /// Only those of this contact.
    pub contact: Option<ContactId>,
    /// Only those of this lead.
    pub lead: Option<LeadId>,
    /// Only those with this attendee's number.
    pub phone: Option<Phone>,
    /// Only those that begin at this time or later.
    pub from: Option<Time>,
    /// Only those that begin before this time.
    pub to: Option<Time>,
}

pub(crate) const COLUMNS: &str = "id, call_id, contact_id, lead_id, assistant_id, title, attendee_name, attendee_phone, \
                       attendee_email, starts_at, ends_at, time_zone, location, notes, status, source, external_id, \
                       created_at, updated_at";

pub(crate) fn read(row: &mut Cells<'_>) -> Result<Appointment> {
    Ok(Appointment {
        id: row.get()?,
        call_id: row.get()?,
        contact_id: row.get()?,
        lead_id: row.get()?,
        assistant_id: row.get()?,
        title: row.get()?,
        attendee_name: row.get()?,
        attendee_phone: row.get()?,
        attendee_email: row.get()?,
        starts_at: row.get()?,
        ends_at: row.get()?,
        time_zone: row.get()?,
        location: row.get()?,
        notes: row.get()?,
        status: row.word("appointment status", AppointmentStatus::parse)?,
        source: row.word("platform", Platform::parse)?,
        external_id: row.get()?,
        created_at: row.get()?,
        updated_at: row.get()?,
    })
}

impl OrgStore {
    /// An appointment, if the organization has it.
    pub async fn get_appointment(&self, id: AppointmentId) -> Result<Option<Appointment>> {
        let org = self.org;
        self.store.peek(move |tx| Box::pin(async move { by_id(tx, org, id).await })).await
    }

    /// Appointments, newest first by when they were made, not by when they take place.
    pub async fn list_appointments(&self, list: ListAppointments) -> Result<Listed<Appointment>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let select = format!("SELECT {COLUMNS} FROM appointments");
                    let mut query = ListQuery::new(&select, org, &list.page);
                    query.equals("status", list.status.map(AppointmentStatus::as_str));
                    query.equals("contact_id", list.contact);
                    query.equals("lead_id", list.lead);
                    query.equals("attendee_phone", list.phone.as_ref());
                    if let Some(from) = list.from {
                        query.add("starts_at >= ", from.into());
                    }
                    if let Some(to) = list.to {
                        query.add("starts_at < ", to.into());
                    }
                    let (sql, params) = query.finish(&list.page);
                    let records = tx.query(&sql, &params, read).await?;
                    Ok(Listed::cut(records, &list.page, |appointment| Cursor(appointment.created_at)))
                })
            })
            .await
    }
}

pub(crate) async fn by_id(tx: &mut Tx<'_>, org: OrgId, id: AppointmentId) -> Result<Option<Appointment>> {
    let sql = format!("SELECT {COLUMNS} FROM appointments WHERE id = ?1 AND org_id = ?2");
    tx.first(&sql, params![id, org], read).await
}

/// The appointments that a call made, each with the use of the tool that made it.
pub(crate) async fn of_call(tx: &mut Tx<'_>, org: OrgId, call: CallId) -> Result<Vec<(String, Appointment)>> {
    // `>= ''` and not `IS NOT NULL`, for which SQLite would walk all of the organization's appointments.
    let sql = format!(
        "SELECT tool_call_id, {COLUMNS} FROM appointments \
         WHERE call_id = ?1 AND org_id = ?2 AND tool_call_id >= ''"
    );
    tx.query(&sql, params![call, org], |row| Ok((row.get()?, read(row)?))).await
}

/// The appointments with a booking's id.
pub(crate) async fn by_external_id(tx: &mut Tx<'_>, org: OrgId, id: &str) -> Result<Vec<Appointment>> {
    let sql = format!("SELECT {COLUMNS} FROM appointments WHERE org_id = ?1 AND external_id = ?2 LIMIT 10");
    tx.query(&sql, params![org, id], read).await
}

/// Stores a new appointment, which the use of a tool may have made.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    org: OrgId,
    (tool_call, made): (Option<&str>, Option<Made>),
    new: &Appointment,
) -> Result<()> {
    let (rule, message) = Made::columns(made);
    tx.execute(
        "INSERT INTO appointments (id, org_id, call_id, tool_call_id, contact_id, lead_id, assistant_id, title, \
             attendee_name, attendee_phone, attendee_email, starts_at, ends_at, time_zone, location, notes, status, \
             source, external_id, created_at, updated_at, rule, message_id) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, \
             ?23)",
        params![
            new.id,
            org,
            new.call_id,
            tool_call,
            new.contact_id,
            new.lead_id,
            new.assistant_id,
            &new.title,
            &new.attendee_name,
            &new.attendee_phone,
            &new.attendee_email,
            new.starts_at,
            new.ends_at,
            &new.time_zone,
            &new.location,
            &new.notes,
            new.status.as_str(),
            new.source.as_str(),
            &new.external_id,
            new.created_at,
            new.updated_at,
            rule,
            message,
        ],
    )
    .await
    .map(drop)
}

/// Writes what can change of an appointment.
pub(crate) async fn update(tx: &mut Tx<'_>, org: OrgId, changed: &Appointment) -> Result<()> {
    tx.execute(
        "UPDATE appointments SET contact_id = ?3, lead_id = ?4, assistant_id = ?5, title = ?6, attendee_name = ?7, \
             attendee_phone = ?8, attendee_email = ?9, starts_at = ?10, ends_at = ?11, time_zone = ?12, \
             location = ?13, notes = ?14, status = ?15, external_id = ?16, updated_at = ?17 \
         WHERE id = ?1 AND org_id = ?2",
        params![
            changed.id,
            org,
            changed.contact_id,
            changed.lead_id,
            changed.assistant_id,
            &changed.title,
            &changed.attendee_name,
            &changed.attendee_phone,
            &changed.attendee_email,
            changed.starts_at,
            changed.ends_at,
            &changed.time_zone,
            &changed.location,
            &changed.notes,
            changed.status.as_str(),
            &changed.external_id,
            changed.updated_at,
        ],
    )
    .await
    .map(drop)
}
