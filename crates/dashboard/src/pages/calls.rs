//! The calls: who, what, how urgent, what next, a line each.

use std::collections::HashMap;

use askama::Template;
use axum::{extract::State, response::Response};
use model::{AssistantId, CallId, CallStatus, Cursor, Page, Permission, Phone, Time};
use serde::Deserialize;
use store::{CallCounts, CallView, Came, ExportFilter, ExportKind, ListAssistants, ListCalls, OrgStore};

use super::export::{self, Links, Mode};
use crate::{
    Dashboard,
    call::{Badge, Call, Part},
    error::PageError,
    extract::Query,
    person::Person,
    shell::{Shell, Tab, page},
    show::{self, Moment, Zone},
};

/// How many calls a page has.
const LIMIT: u32 = 50;

/// Names of at most so many assistants are known to a list; others go by their platform.
const ASSISTANTS: u32 = 100;

/// The names of assistants.
pub(crate) type Assistants = HashMap<AssistantId, String>;

/// What the address asks for. It is the whole state of the page.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    view: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    contact: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    cursor: String,
}

/// The tabs: the word in the address, the label, and the view.
const TABS: [(&str, &str, Option<CallView>); 5] = [
    ("needs_review", "Needs review", Some(CallView::NeedsReview)),
    ("", "All", None),
    ("in_progress", "In progress", Some(CallView::InProgress)),
    ("failed", "Failed", Some(CallView::Failed)),
    ("set_aside", "Spam and blocked", Some(CallView::SetAside)),
];

impl Asked {
    fn view(&self) -> Option<CallView> {
        TABS.into_iter().find(|(word, ..)| *word == self.view).and_then(|(.., view)| view)
    }

    /// The address of the list that this asks for.
    fn href(&self) -> String {
        show::address("/calls", &self.fields())
    }

    fn fields(&self) -> [(&'static str, &str); 8] {
        [
            ("view", &self.view),
            ("q", &self.q),
            ("contact", &self.contact),
            ("phone", &self.phone),
            ("status", &self.status),
            ("since", &self.since),
            ("until", &self.until),
            ("cursor", &self.cursor),
        ]
    }

    /// The same list, all of it.
    fn export(&self) -> ExportFilter {
        let list = self.list();
        ExportFilter {
            since: list.page.since,
            until: list.until,
            contact: list.contact,
            phone: list.phone,
            search: list.search,
            view: list.view,
            call_status: list.status,
            ..ExportFilter::default()
        }
    }

    fn list(&self) -> ListCalls {
        let search = Some(self.q.trim().chars().take(500).collect::<String>());
        ListCalls {
            page: Page { limit: LIMIT, before: Cursor::decode(&self.cursor), since: self.since.parse().ok() },
            status: CallStatus::parse(&self.status),
            until: self.until.parse().ok(),
            view: self.view(),
            contact: self.contact.parse().ok(),
            phone: Phone::parse(&self.phone, None),
            search: search.filter(|search| !search.is_empty()),
        }
    }

    /// The filters beside the tab, in words.
    fn filters(&self, zone: &Zone) -> Vec<String> {
        let list = self.list();
        let time = |word: &str, time: Option<Time>| time.map(|at| format!("{word} {}", zone.moment(at).full));
        let filters = [
            list.search.map(|search| format!("“{search}”")),
            list.contact.map(|_| "of one contact".to_owned()),
            list.phone.map(|phone| format!("from {}", phone.international())),
            list.status.map(|status| show::words(status.as_str())),
            time("since", list.page.since),
            time("before", list.until),
        ];
        filters.into_iter().flatten().collect()
    }
}

struct TabLink {
    href: String,
    label: &'static str,
    count: String,
    is_here: bool,
}

pub(crate) struct Row {
    pub(crate) href: String,
    pub(crate) unread: bool,
    pub(crate) who: String,
    pub(crate) number: Option<String>,
    pub(crate) gist: Vec<Part>,
    pub(crate) gist_from: &'static str,
    pub(crate) intent: Option<String>,
    pub(crate) urgency: Option<Badge>,
    pub(crate) status: Badge,
    pub(crate) next: Option<Badge>,
    pub(crate) duration: Option<String>,
    pub(crate) began: Moment,
    pub(crate) assistant: String,
    pub(crate) recorded: bool,
}

impl Row {
    fn new(call: &Call, came: Came, zone: &Zone, assistants: &Assistants) -> Self {
        let (gist, gist_from) = call.gist();
        let name = call.assistant_id.and_then(|id| assistants.get(&id).cloned());
        Self {
            href: format!("/calls/{}", call.id),
            unread: call.is_unread(),
            who: call.who(),
            number: call.number_beside_name(),
            gist,
            gist_from,
            intent: call.intent.clone(),
            urgency: call.urgency_badge(),
            status: call.status_badge(),
            next: call.next(came, zone),
            duration: call.duration_seconds.map(show::duration),
            began: call.began(zone),
            assistant: name.unwrap_or_else(|| show::words(call.source.as_str())),
            recorded: call.recording_available,
        }
    }

    pub(crate) fn has_tags(&self) -> bool {
        self.urgency.is_some() || self.next.is_some() || self.intent.is_some()
    }
}

#[derive(Template)]
#[template(path = "calls.html")]
struct CallsPage {
    shell: Shell,
    tabs: Vec<TabLink>,
    asked: Asked,
    filters: Vec<String>,
    clear: String,
    rows: Vec<Row>,
    has_any: bool,
    export: Links,
    newest: Option<String>,
    older: Option<String>,
    zone: String,
}

pub(crate) async fn list_calls(
    State(state): State<Dashboard>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (store, zone) = (person.door(Permission::ReadRecords)?, person.zone(&state));
    let counts = store.count_calls(None).await?;
    let found = store.list_calls(asked.list()).await?;
    let calls: Vec<Call> = serde_json::from_slice(&found.json)?;
    let rows = rows(&store, &calls, &zone, &assistants(&store).await?).await?;
    let older = found.next.map(|next| Asked { cursor: next.encode(), ..asked.clone() }.href());
    let newest = (!asked.cursor.is_empty()).then(|| Asked { cursor: String::new(), ..asked.clone() }.href());
    page(&CallsPage {
        shell: person.shell(&state, "Calls", Tab::Calls),
        tabs: tabs(&asked, &counts),
        filters: asked.filters(&zone),
        clear: Asked { view: asked.view.clone(), ..Asked::default() }.href(),
        export: Links::new("/calls/export", &Asked { cursor: String::new(), ..asked.clone() }.fields()),
        asked,
        rows,
        has_any: counts.total() > 0,
        newest,
        older,
        zone: zone.name,
    })
}

pub(crate) async fn export_calls(
    person: Person,
    Query(asked): Query<Asked>,
    Query(mode): Query<Mode>,
) -> Result<Response, PageError> {
    let store = person.door(Permission::ReadRecords)?;
    export::csv(&store, ExportKind::Calls, asked.export(), &mode).await
}

/// Calls as lines, with what came of them.
pub(crate) async fn rows(
    store: &OrgStore,
    calls: &[Call],
    zone: &Zone,
    assistants: &Assistants,
) -> Result<Vec<Row>, PageError> {
    let ids: Vec<CallId> = calls.iter().map(|call| call.id).collect();
    let came = store.came_of_calls(ids).await?;
    let row = |call: &Call| Row::new(call, came.get(&call.id).copied().unwrap_or_default(), zone, assistants);
    Ok(calls.iter().map(row).collect())
}

/// The names of assistants.
pub(crate) async fn assistants(store: &OrgStore) -> Result<Assistants, PageError> {
    let page = Page { limit: ASSISTANTS, before: None, since: None };
    let known = store.list_assistants(ListAssistants { page }).await?;
    Ok(known.records.into_iter().map(|it| (it.id, it.name.unwrap_or(it.external_id))).collect())
}

fn tabs(asked: &Asked, counts: &CallCounts) -> Vec<TabLink> {
    let tab = |(word, label, view): (&str, &'static str, Option<CallView>)| TabLink {
        href: Asked { view: word.to_owned(), cursor: String::new(), ..asked.clone() }.href(),
        label,
        count: show::count(view.map_or_else(|| counts.total(), |view| counts.of(view))),
        is_here: asked.view() == view,
    };
    TABS.into_iter().map(tab).collect()
}
