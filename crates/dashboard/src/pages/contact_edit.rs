//! The form of a contact, of one that there is or of a new one.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use model::{Contact, Permission};
use serde::Deserialize;
use store::Answer;

use super::{
    contact::{find, missing},
    contacts::address,
};
use crate::{
    Dashboard,
    contact::{self, Draft},
    error::PageError,
    extract::{Form, PathIds},
    fault::{Fault, Faults},
    fields, once,
    person::Person,
    shell::{Shell, Tab, page, page_with},
};

#[derive(Template)]
#[template(path = "contact_edit.html")]
struct EditPage {
    shell: Shell,
    /// Where the form goes, and where who gives up goes.
    action: String,
    back: String,
    back_to: String,
    title: String,
    version: String,
    once: String,
    draft: Draft,
    fault: Faults,
}

impl EditPage {
    fn of(state: &Dashboard, person: &Person, contact: &Contact) -> Self {
        let who = contact::name(contact);
        Self {
            shell: person.shell(state, format!("Edit {who}"), Tab::Contacts),
            action: format!("{}/edit", address(contact)),
            back: address(contact),
            title: format!("Edit {who}"),
            back_to: who,
            version: fields::version(contact.updated_at),
            once: once::fresh(&*state.ids),
            draft: Draft::of(contact),
            fault: Faults(None),
        }
    }

    fn new(state: &Dashboard, person: &Person) -> Self {
        Self {
            shell: person.shell(state, "New contact", Tab::Contacts),
            action: "/contacts/new".to_owned(),
            back: "/contacts".to_owned(),
            back_to: "Contacts".to_owned(),
            title: "New contact".to_owned(),
            version: String::new(),
            once: once::fresh(&*state.ids),
            draft: Draft::default(),
            fault: Faults(None),
        }
    }

    /// The form once more, with what was typed and what is wrong with it.
    fn again(self, draft: Draft, fault: Fault) -> Result<Response, PageError> {
        page_with(StatusCode::UNPROCESSABLE_ENTITY, &Self { draft, fault: Faults(Some(fault)), ..self })
    }
}

#[derive(Deserialize)]
struct Saved {
    id: model::ContactId,
}

/// Where the contact is that was saved, or what is wrong.
fn saved(answer: Answer) -> Result<Result<Response, Fault>, PageError> {
    match answer {
        Ok(written) => {
            let Saved { id } = serde_json::from_str(&once::kept(written)?)?;
            Ok(Ok(Redirect::to(&format!("/contacts/{id}")).into_response()))
        }
        Err(refusal) => Ok(Err(fields::fault_of(refusal, "contact")?)),
    }
}

pub(crate) async fn show_form(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
) -> Result<Response, PageError> {
    let (_, contact) = find(&person, &ids, Permission::WriteRecords).await?;
    page(&EditPage::of(&state, &person, &contact))
}

pub(crate) async fn save_contact(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    form: Form,
) -> Result<Response, PageError> {
    let (store, contact) = find(&person, &ids, Permission::WriteRecords).await?;
    let (draft, edit) = (Draft::read(&form), EditPage::of(&state, &person, &contact));
    let change = match draft.check() {
        Ok(change) => change,
        Err(fault) => return edit.again(draft, fault),
    };
    let asked = fields::asked(&state, &form, &format!("POST {}", edit.action));
    match saved(store.update_contact(contact.id, change, asked).await?)? {
        Ok(response) => Ok(response),
        Err(fault) => {
            let contact = store.get_contact(contact.id).await?.ok_or_else(missing)?;
            EditPage::of(&state, &person, &contact).again(draft, fault)
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

pub(crate) async fn create_contact(
    State(state): State<Dashboard>,
    person: Person,
    form: Form,
) -> Result<Response, PageError> {
    let store = person.door(Permission::WriteRecords)?;
    let (draft, edit) = (Draft::read(&form), EditPage::new(&state, &person));
    let change = match draft.check() {
        Ok(_) if draft.name.is_empty() && draft.phone.is_empty() && draft.email.is_empty() => {
            let why = "Say at least a name, a number or an e-mail address.".to_owned();
            return edit.again(draft, ("name", why));
        }
        Ok(change) => change,
        Err(fault) => return edit.again(draft, fault),
    };
    let asked = fields::asked(&state, &form, "POST /contacts/new");
    match saved(store.create_contact(change, asked).await?)? {
        Ok(response) => Ok(response),
        Err(fault) => edit.again(draft, fault),
    }
}
