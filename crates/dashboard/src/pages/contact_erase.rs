//! Erasing a person: what would be gone, a word that says one means it, and then how it goes and what came of it.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use model::{Contact, Permission, id::kind};
use store::{Erasable, Erased, ErasureState, OrgStore};

use super::{
    contact::{find, missing},
    contacts::address,
};
use crate::{
    Dashboard, contact,
    error::PageError,
    extract::{Form, PathIds},
    fault::Faults,
    person::Person,
    shell::{Shell, Tab, page, page_with},
    show::{self, Moment},
};

#[derive(Template)]
#[template(path = "contact_erase.html")]
struct ErasePage {
    shell: Shell,
    here: String,
    who: String,
    counts: Vec<(String, &'static str)>,
    /// What is to be typed.
    word: String,
    typed: String,
    fault: Faults,
}

/// So many of something, in words.
fn some(count: u64, one: &'static str, many: &'static str) -> Option<(String, &'static str)> {
    (count > 0)
        .then(|| (show::count(count.try_into().unwrap_or(i64::MAX)), if count == 1 { one } else { many }))
}

/// What has to be typed: the name, else the number or the address.
fn word(contact: &Contact) -> String {
    if contact::is_nobody(contact) { "erase".to_owned() } else { contact::name(contact) }
}

/// Whether what was typed is that. Spaces are seldom seen, and a number can be written in other ways.
fn is_meant(typed: &str, contact: &Contact) -> bool {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_number = contact.name.is_none() && contact.phone.as_ref().is_some_and(|it| it.as_str() == typed);
    plain(typed) == plain(&word(contact)) || is_number
}

impl ErasePage {
    async fn new(
        state: &Dashboard,
        person: &Person,
        store: &OrgStore,
        contact: &Contact,
    ) -> Result<Self, PageError> {
        let Erasable { calls, recordings, leads, appointments, source_messages, blocked_numbers } =
            store.count_erasable(contact.id).await?.ok_or_else(missing)?;
        let some = |count: i64, one, many| some(count.try_into().unwrap_or(0), one, many);
        let counts = [
            some(calls, "call: what was said in it", "calls: what was said in them"),
            some(recordings, "recording", "recordings"),
            some(leads, "lead", "leads"),
            some(appointments, "appointment", "appointments"),
            some(source_messages, "message of a voice platform", "messages of voice platforms"),
            some(blocked_numbers, "entry of the block list", "entries of the block list"),
        ];
        let who = contact::name(contact);
        Ok(Self {
            shell: person.shell(state, format!("Erase {who}"), Tab::Contacts),
            here: address(contact),
            who,
            counts: counts.into_iter().flatten().collect(),
            word: word(contact),
            typed: String::new(),
            fault: Faults(None),
        })
    }
}

pub(crate) async fn show_erase(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
) -> Result<Response, PageError> {
    let (store, contact) = find(&person, &ids, Permission::ErasePeople).await?;
    page(&ErasePage::new(&state, &person, &store, &contact).await?)
}

/// Erases the person, once: sent twice, both lead to the same erasure.
pub(crate) async fn erase_contact(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    form: Form,
) -> Result<Response, PageError> {
    let (store, contact) = find(&person, &ids, Permission::ErasePeople).await?;
    let typed = form.text("confirm").to_owned();
    if !is_meant(&typed, &contact) {
        // The same form again, whose person is gone by now.
        if let Some(erasure) =
            store.erasure_of_contact(contact.id).await?.filter(|_| contact::is_nobody(&contact))
        {
            return Ok(Redirect::to(&format!("/erasures/{}", erasure.id)).into_response());
        }
        let fault = ("confirm", "This is not what stands above. Nothing was erased.".to_owned());
        let again = ErasePage::new(&state, &person, &store, &contact).await?;
        let again = ErasePage { typed, fault: Faults(Some(fault)), ..again };
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &again);
    }
    let erasure = state.ingest.erase(&store, contact.id).await?.ok_or_else(missing)?;
    Ok(Redirect::to(&format!("/erasures/{}", erasure.id)).into_response())
}

#[derive(Template)]
#[template(path = "erasure.html")]
struct ErasurePage {
    shell: Shell,
    here: String,
    is_done: bool,
    counts: Vec<(String, &'static str)>,
    note: Option<String>,
    began: Moment,
    ended: Option<Moment>,
    id: String,
}

/// How an erasure stands.
pub(crate) async fn show_erasure(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
) -> Result<Response, PageError> {
    let id = ids.id::<kind::Erasure>(0, "erasure")?;
    let store = person.door(Permission::ErasePeople)?;
    let erasure = store.get_erasure(id).await?.ok_or_else(|| PageError::not_found("erasure"))?;
    let zone = person.zone(&state);
    let is_done = erasure.state == ErasureState::Done;
    page(&ErasurePage {
        shell: person.shell(&state, if is_done { "Erased" } else { "Being erased" }, Tab::Contacts),
        here: format!("/erasures/{id}"),
        is_done,
        counts: counts(&erasure.erased),
        note: erasure.note,
        began: zone.moment(erasure.created_at),
        ended: erasure.finished_at.map(|at| zone.moment(at)),
        id: id.to_string(),
    })
}

fn counts(erased: &Erased) -> Vec<(String, &'static str)> {
    let all = [
        some(erased.contacts, "contact", "contacts"),
        some(erased.calls, "call", "calls"),
        some(erased.conversations, "conversation, turn by turn", "conversations, turn by turn"),
        some(erased.recordings, "recording", "recordings"),
        some(erased.leads, "lead", "leads"),
        some(erased.appointments, "appointment", "appointments"),
        some(erased.source_messages, "message of a voice platform", "messages of voice platforms"),
        some(erased.platform_answers, "answer to a platform’s question", "answers to platforms’ questions"),
        some(erased.events, "event: what it told", "events: what they told"),
        some(erased.deliveries_cancelled, "webhook that still waited", "webhooks that still waited"),
        some(erased.attempts, "try of a webhook", "tries of webhooks"),
        some(erased.kept_answers, "answer that was kept for a repetition", "answers kept for repetitions"),
        some(erased.blocked_numbers, "entry of the block list", "entries of the block list"),
    ];
    all.into_iter().flatten().collect()
}
