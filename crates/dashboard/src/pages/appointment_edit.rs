//! The form of an appointment, of one that there is or of a new one.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use model::{Appointment, AppointmentId, Permission};
use serde::Deserialize;
use store::Answer;

use super::appointment::{find, missing};
use crate::{
    Dashboard,
    appointment::{Draft, address, title},
    error::PageError,
    extract::{Form, PathIds},
    fault::{Fault, Faults},
    fields, once,
    person::Person,
    shell::{Shell, Tab, page, page_with},
};

#[derive(Template)]
#[template(path = "appointment_edit.html")]
struct EditPage {
    shell: Shell,
    /// Where the form goes, and where who gives up goes.
    action: String,
    back: String,
    back_to: String,
    title: &'static str,
    is_new: bool,
    version: String,
    once: String,
    draft: Draft,
    fault: Faults,
    zone: String,
}

impl EditPage {
    fn of(state: &Dashboard, person: &Person, it: &Appointment) -> Self {
        let zone = person.zone(state);
        Self {
            shell: person.shell(state, "Edit appointment", Tab::Appointments),
            action: format!("{}/edit", address(it.id)),
            back: address(it.id),
            back_to: title(it),
            title: "Edit appointment",
            is_new: false,
            version: fields::version(it.updated_at),
            once: once::fresh(&*state.ids),
            draft: Draft::of(it, &zone),
            fault: Faults(None),
            zone: zone.name,
        }
    }

    fn new(state: &Dashboard, person: &Person) -> Self {
        Self {
            shell: person.shell(state, "New appointment", Tab::Appointments),
            action: "/appointments/new".to_owned(),
            back: "/appointments".to_owned(),
            back_to: "Appointments".to_owned(),
            title: "New appointment",
            is_new: true,
            version: String::new(),
            once: once::fresh(&*state.ids),
            draft: Draft::new(),
            fault: Faults(None),
            zone: person.zone(state).name,
        }
    }

    /// The form once more, with what was typed and what is wrong with it.
    fn again(self, draft: Draft, fault: Fault) -> Result<Response, PageError> {
        page_with(StatusCode::UNPROCESSABLE_ENTITY, &Self { draft, fault: Faults(Some(fault)), ..self })
    }
}

#[derive(Deserialize)]
struct Saved {
    id: AppointmentId,
}

fn saved(answer: Answer) -> Result<Result<Response, Fault>, PageError> {
    match answer {
        Ok(written) => {
            let Saved { id } = serde_json::from_str(&once::kept(written)?)?;
            Ok(Ok(Redirect::to(&address(id)).into_response()))
        }
        Err(refusal) => Ok(Err(fields::fault_of(refusal, "appointment")?)),
    }
}

pub(crate) async fn show_form(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
) -> Result<Response, PageError> {
    let (_, it) = find(&person, &ids, Permission::WriteRecords).await?;
    page(&EditPage::of(&state, &person, &it))
}

pub(crate) async fn save_appointment(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    form: Form,
) -> Result<Response, PageError> {
    let (store, it) = find(&person, &ids, Permission::WriteRecords).await?;
    let (draft, edit) = (Draft::read(&form), EditPage::of(&state, &person, &it));
    let change = match draft.check(Some(&edit.draft), &person.zone(&state)) {
        Ok(change) => change,
        Err(fault) => return edit.again(draft, fault),
    };
    let asked = fields::asked(&state, &form, &format!("POST {}", edit.action));
    match saved(store.update_appointment(it.id, change, asked).await?)? {
        Ok(response) => Ok(response),
        Err(fault) => {
            let it = store.get_appointment(it.id).await?.ok_or_else(missing)?;
            EditPage::of(&state, &person, &it).again(draft, fault)
        }
    }
}

pub(crate) async fn show_new_form(
    State(state): State<Dashboard>,
    person: Person,
) -> Result<Response, PageError> {
    person.door(Permission::WriteRecords)?;
    page(&EditPage::new(&state, &person))
}

pub(crate) async fn create_appointment(
    State(state): State<Dashboard>,
    person: Person,
    form: Form,
) -> Result<Response, PageError> {
    let store = person.door(Permission::WriteRecords)?;
    let (draft, edit) = (Draft::read(&form), EditPage::new(&state, &person));
    let change = match draft.check(None, &person.zone(&state)) {
        Ok(_) if draft.starts.is_empty() => {
            return edit.again(draft, ("starts_at", "Say when it begins.".to_owned()));
        }
        Ok(change) => change,
        Err(fault) => return edit.again(draft, fault),
    };
    let asked = fields::asked(&state, &form, "POST /appointments/new");
    match saved(store.create_appointment(None, change, asked).await?)? {
        Ok(response) => Ok(response),
        Err(fault) => edit.again(draft, fault),
    }
}
