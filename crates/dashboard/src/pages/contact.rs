//! A contact: who it is, what there was with them, and what can be done.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use model::{Contact, ContactId, Cursor, Permission, Phone, id::kind};
use serde::Deserialize;
use store::{ErasureState, NewBlockedNumber, OrgStore, Refusal};

use super::contacts::address;
use crate::{
    Dashboard, contact,
    error::PageError,
    extract::{Form, PathIds, Query},
    fields, once,
    person::Person,
    shell::{Shell, Tab, page},
    show::{self, Moment, Zone},
    timeline::{self, Entry},
};

/// A number of a contact.
struct NumberView {
    e164: String,
    shown: String,
    is_blocked: bool,
}

/// That the person was erased, or is being.
struct ErasedView {
    href: String,
    is_done: bool,
    at: Moment,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    cursor: String,
}

#[derive(Template)]
#[template(path = "contact.html")]
struct ContactPage {
    shell: Shell,
    id: String,
    who: String,
    company: Option<String>,
    numbers: Vec<NumberView>,
    email: Option<String>,
    mail_href: Option<String>,
    notes: Option<String>,
    tags: Vec<String>,
    calls: String,
    calls_href: String,
    last: Option<Moment>,
    since: Moment,
    erased: Option<ErasedView>,
    entries: Vec<Entry>,
    newest: Option<String>,
    older: Option<String>,
    may_write: bool,
    may_erase: bool,
    once: String,
    zone: String,
}

pub(crate) fn missing() -> PageError {
    let text = "There is no contact at this address. It may have been deleted.".to_owned();
    PageError::said(StatusCode::NOT_FOUND, "Not found", text, ("/contacts", "Back to the contacts"))
}

/// The contact that a page is of. The id of one that was merged into another leads there.
pub(crate) async fn find(
    person: &Person,
    ids: &PathIds,
    permission: Permission,
) -> Result<(OrgStore, Contact), PageError> {
    let id: ContactId = ids.id::<kind::Contact>(0, "contact")?;
    let store = person.door(permission)?;
    let contact = store.get_contact(id).await?.ok_or_else(missing)?;
    Ok((store, contact))
}

pub(crate) async fn show_contact(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (store, contact) = find(&person, &ids, Permission::ReadRecords).await?;
    if ids.id::<kind::Contact>(0, "contact")? != contact.id {
        return Ok(Redirect::to(&address(&contact)).into_response());
    }
    let zone = person.zone(&state);
    let timeline = timeline::read(&store, contact.id, Cursor::decode(&asked.cursor), &zone).await?;
    let here = address(&contact);
    let id = contact.id.to_string();
    page(&ContactPage {
        shell: person.shell(&state, contact::name(&contact), Tab::Contacts),
        who: contact::name(&contact),
        numbers: numbers(&store, &contact).await?,
        mail_href: contact.email.as_deref().map(show::mail_address),
        calls: show::count(contact.call_count),
        calls_href: show::address("/calls", &[("contact", &id)]),
        last: contact.last_call_at.map(|at| zone.moment(at)),
        since: zone.moment(contact.created_at.time()),
        erased: erased(&store, contact.id, &zone).await?,
        entries: timeline.entries,
        newest: (!asked.cursor.is_empty()).then(|| here.clone()),
        older: timeline.next.map(|next| show::address(&here, &[("cursor", &next.encode())])),
        may_write: person.may(Permission::WriteRecords),
        may_erase: person.may(Permission::ErasePeople),
        once: once::fresh(&*state.ids),
        zone: zone.name,
        id,
        company: contact.company,
        email: contact.email,
        notes: contact.notes,
        tags: contact.tags,
    })
}

async fn numbers(store: &OrgStore, contact: &Contact) -> Result<Vec<NumberView>, PageError> {
    let blocked = store.blocked_among(contact::numbers(contact).cloned().collect()).await?;
    let view = |phone: &Phone| NumberView {
        e164: phone.to_string(),
        shown: phone.international(),
        is_blocked: blocked.iter().any(|each| each.phone == *phone),
    };
    Ok(contact::numbers(contact).map(view).collect())
}

async fn erased(store: &OrgStore, id: ContactId, zone: &Zone) -> Result<Option<ErasedView>, PageError> {
    let erasure = store.erasure_of_contact(id).await?;
    Ok(erasure.map(|erasure| ErasedView {
        href: format!("/erasures/{}", erasure.id),
        is_done: erasure.state == ErasureState::Done,
        at: zone.moment(erasure.finished_at.unwrap_or(erasure.created_at)),
    }))
}

/// Blocks one of the contact's numbers, or unblocks it.
pub(crate) async fn block_number(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    form: Form,
) -> Result<Response, PageError> {
    let (store, contact) = find(&person, &ids, Permission::WriteRecords).await?;
    let phone = contact::numbers(&contact).find(|phone| phone.as_str() == form.text("phone")).cloned();
    let phone = phone.ok_or_else(|| PageError::bad_request("This is no number of the contact any more."))?;
    let asked = fields::asked(&state, &form, &format!("POST {}/block", address(&contact)));
    let answer = match form.text("do") {
        "block" => {
            let reason = Some(form.text("reason").chars().take(1000).collect::<String>());
            let reason = reason.filter(|reason| !reason.is_empty());
            store.block_number(NewBlockedNumber { phone, reason }, asked).await?
        }
        "unblock" => match store.blocked_among(vec![phone]).await?.first() {
            Some(blocked) => store.unblock_number(blocked.id, asked).await?,
            // Somebody was faster.
            None => return Ok(Redirect::to(&address(&contact)).into_response()),
        },
        _ => return Err(PageError::bad_request("A number is either blocked or unblocked.")),
    };
    match answer {
        // Whoever was faster wanted the same.
        Ok(_) | Err(Refusal::Taken { .. } | Refusal::Missing) => {
            Ok(Redirect::to(&address(&contact)).into_response())
        }
        Err(_) => Err(PageError::bad_request("The number was changed meanwhile. Look at it again.")),
    }
}
