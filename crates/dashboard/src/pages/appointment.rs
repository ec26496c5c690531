//! An appointment: when, what for, with whom, where it stands, and where it comes from.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use model::{Appointment, AppointmentStatus, Permission, id::kind};
use store::{AppointmentChange, OrgStore};

use super::{calls::Row, lead::call_rows};
use crate::{
    Dashboard,
    appointment::{address, badge, title, when, who},
    call::Badge,
    error::PageError,
    extract::{Form, PathIds},
    fields, once,
    person::Person,
    provenance::Origin,
    shell::{Shell, Tab, page},
    show::{self, Moment},
};

#[derive(Template)]
#[template(path = "appointment.html")]
struct AppointmentPage {
    shell: Shell,
    id: String,
    here: String,
    title: String,
    when: String,
    agreed_in: Option<String>,
    status: Badge,
    /// What it can be set to from here: the word, what the button says, and whether that is asked about first.
    next: Vec<(&'static str, &'static str, bool)>,
    who: Option<String>,
    number: Option<(String, String)>,
    email: Option<(String, String)>,
    place: Option<String>,
    notes: Option<String>,
    contact: Option<(String, String)>,
    lead: Option<(String, String)>,
    external_id: Option<String>,
    rows: Vec<Row>,
    origin: Option<Origin>,
    made: Moment,
    changed: Moment,
    may_write: bool,
    once: String,
    version: String,
    zone: String,
}

pub(crate) fn missing() -> PageError {
    let text = "There is no appointment at this address. It may have been deleted.".to_owned();
    PageError::said(StatusCode::NOT_FOUND, "Not found", text, ("/appointments", "Back to the appointments"))
}

pub(crate) async fn find(
    person: &Person,
    ids: &PathIds,
    permission: Permission,
) -> Result<(OrgStore, Appointment), PageError> {
    let id = ids.id::<kind::Appointment>(0, "appointment")?;
    let store = person.door(permission)?;
    let appointment = store.get_appointment(id).await?.ok_or_else(missing)?;
    Ok((store, appointment))
}

pub(crate) async fn show_appointment(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
) -> Result<Response, PageError> {
    let (store, it) = find(&person, &ids, Permission::ReadRecords).await?;
    let zone = person.zone(&state);
    let contact = match it.contact_id {
        Some(id) => store.get_contact(id).await?,
        None => None,
    };
    let lead = match it.lead_id {
        Some(id) => store.get_lead(id).await?,
        None => None,
    };
    let origin = store.appointment_provenance(it.id).await?.map(|found| Origin::new(found, &person));
    page(&AppointmentPage {
        shell: person.shell(&state, title(&it), Tab::Appointments),
        id: it.id.to_string(),
        here: address(it.id),
        title: title(&it),
        when: when(&it, &zone),
        agreed_in: it.time_zone.clone().filter(|agreed| *agreed != zone.name),
        status: badge(it.status),
        next: next(it.status),
        who: who(&it),
        number: it.attendee_phone.as_ref().map(|phone| (phone.to_string(), phone.international())),
        contact: contact.map(|it| (crate::contact::name(&it), format!("/contacts/{}", it.id))),
        lead: lead.map(|it| (crate::lead::title(&it), crate::lead::address(it.id))),
        rows: call_rows(&store, it.call_id, &zone).await?,
        origin,
        made: zone.moment(it.created_at.time()),
        changed: zone.moment(it.updated_at.time()),
        may_write: person.may(Permission::WriteRecords),
        once: once::fresh(&*state.ids),
        version: fields::version(it.updated_at),
        zone: zone.name,
        email: it.attendee_email.map(|email| (show::mail_address(&email), email)),
        place: it.location,
        notes: it.notes,
        external_id: it.external_id,
    })
}

/// What one does next with an appointment.
fn next(status: AppointmentStatus) -> Vec<(&'static str, &'static str, bool)> {
    use AppointmentStatus::{Booked, Cancelled, Completed, NoShow, Rescheduled, Unconfirmed};
    let took_place = (Completed.as_str(), "It took place", false);
    let no_show = (NoShow.as_str(), "Did not show up", false);
    let cancel = (Cancelled.as_str(), "Cancel it", true);
    match status {
        Unconfirmed => vec![(Booked.as_str(), "Confirm", false), cancel],
        Booked | Rescheduled => vec![took_place, no_show, cancel],
        Cancelled | Completed | NoShow => vec![(Booked.as_str(), "Book it again", false)],
    }
}

/// Says where an appointment stands.
pub(crate) async fn set_status(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    form: Form,
) -> Result<Response, PageError> {
    let (store, it) = find(&person, &ids, Permission::WriteRecords).await?;
    let status = AppointmentStatus::parse(form.text("status"));
    let status = status.ok_or_else(|| PageError::bad_request("Choose where the appointment stands."))?;
    let change = AppointmentChange { status: Some(status), ..AppointmentChange::default() };
    let asked = fields::asked(&state, &form, &format!("POST {}/status", address(it.id)));
    match store.update_appointment(it.id, change, asked).await? {
        Ok(written) => {
            once::kept(written)?;
            Ok(Redirect::to(&address(it.id)).into_response())
        }
        Err(store::Refusal::Stale) => {
            let text = "Somebody changed the appointment meanwhile. Look at it again.".to_owned();
            let next = ("/appointments", "Back to the appointments");
            Err(PageError::said(StatusCode::CONFLICT, "Changed meanwhile", text, next))
        }
        Err(refusal) => Err(PageError::bad_request(fields::fault_of(refusal, "appointment")?.1)),
    }
}

/// Deletes an appointment. Its call, contact and lead stay.
pub(crate) async fn delete_appointment(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    form: Form,
) -> Result<Response, PageError> {
    let id = ids.id::<kind::Appointment>(0, "appointment")?;
    let store = person.door(Permission::WriteRecords)?;
    let asked = fields::asked(&state, &form, &format!("POST /appointments/{id}/delete"));
    match store.delete_appointment(id, asked).await? {
        Ok(written) => {
            once::kept(written)?;
            Ok(Redirect::to("/appointments").into_response())
        }
        Err(_) => Err(missing()),
    }
}
