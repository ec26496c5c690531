//! The contacts: who is known, and when they last called.

use askama::Template;
use axum::{extract::State, response::Response};
use model::{Contact, Cursor, Page, Permission, Phone};
use serde::Deserialize;
use store::{ExportFilter, ExportKind, ListContacts, OrgStore};

use super::export::{self, Links, Mode};
use crate::{
    Dashboard, contact,
    error::PageError,
    extract::Query,
    person::Person,
    shell::{Shell, Tab, page},
    show::{self, Moment, Zone},
};

/// How many a page has.
const LIMIT: u32 = 50;

/// What the address asks for. It is the whole state of the page.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    cursor: String,
}

impl Asked {
    fn href(&self) -> String {
        show::address("/contacts", &[("q", &self.q), ("cursor", &self.cursor)])
    }

    fn search(&self) -> Option<String> {
        let search: String = self.q.trim().chars().take(500).collect();
        Some(search).filter(|search| !search.is_empty())
    }
}

/// A contact in a line.
pub(crate) struct ContactRow {
    pub(crate) id: String,
    pub(crate) href: String,
    pub(crate) who: String,
    /// The number beside a name.
    pub(crate) number: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) company: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) is_blocked: bool,
    pub(crate) is_nobody: bool,
    pub(crate) calls: String,
    pub(crate) last: Option<Moment>,
}

impl ContactRow {
    fn new(contact: &Contact, blocked: &[Phone], zone: &Zone) -> Self {
        let number = contact.phone.as_ref().filter(|_| contact.name.is_some());
        Self {
            id: contact.id.to_string(),
            href: address(contact),
            who: contact::name(contact),
            number: number.map(Phone::international),
            email: contact.email.clone().filter(|_| contact.name.is_some() || contact.phone.is_some()),
            company: contact.company.clone(),
            tags: contact.tags.clone(),
            is_blocked: contact::numbers(contact).any(|phone| blocked.contains(phone)),
            is_nobody: contact::is_nobody(contact),
            calls: match contact.call_count {
                1 => "1 call".to_owned(),
                count => format!("{} calls", show::count(count)),
            },
            last: contact.last_call_at.map(|at| zone.moment(at)),
        }
    }
}

/// Where a contact's page is.
pub(crate) fn address(contact: &Contact) -> String {
    format!("/contacts/{}", contact.id)
}

#[derive(Template)]
#[template(path = "contacts.html")]
struct ContactsPage {
    shell: Shell,
    asked: Asked,
    rows: Vec<ContactRow>,
    is_search: bool,
    may_write: bool,
    export: Links,
    newest: Option<String>,
    older: Option<String>,
    zone: String,
}

pub(crate) async fn list_contacts(
    State(state): State<Dashboard>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (store, zone) = (person.door(Permission::ReadRecords)?, person.zone(&state));
    let list = ListContacts {
        page: Page { limit: LIMIT, before: Cursor::decode(&asked.cursor), since: None },
        phone: None,
        search: asked.search(),
    };
    let found = store.list_contacts(list).await?;
    page(&ContactsPage {
        shell: person.shell(&state, "Contacts", Tab::Contacts),
        rows: rows(&store, &found.records, &zone).await?,
        is_search: asked.search().is_some(),
        may_write: person.may(Permission::WriteRecords),
        export: Links::new("/contacts/export", &[("q", &asked.q)]),
        newest: (!asked.cursor.is_empty()).then(|| Asked { cursor: String::new(), ..asked.clone() }.href()),
        older: found.next.map(|next| Asked { cursor: next.encode(), ..asked.clone() }.href()),
        zone: zone.name,
        asked,
    })
}

/// Contacts as lines, and which of them are blocked.
pub(crate) async fn rows(
    store: &OrgStore,
    contacts: &[Contact],
    zone: &Zone,
) -> Result<Vec<ContactRow>, PageError> {
    let numbers = contacts.iter().flat_map(contact::numbers).cloned().collect();
    let blocked: Vec<Phone> = store.blocked_among(numbers).await?.into_iter().map(|it| it.phone).collect();
    Ok(contacts.iter().map(|contact| ContactRow::new(contact, &blocked, zone)).collect())
}

pub(crate) async fn export_contacts(
    person: Person,
    Query(asked): Query<Asked>,
    Query(mode): Query<Mode>,
) -> Result<Response, PageError> {
    let store = person.door(Permission::ReadRecords)?;
    let filter = ExportFilter { search: asked.search(), ..ExportFilter::default() };
    export::csv(&store, ExportKind::Contacts, filter, &mode).await
}
