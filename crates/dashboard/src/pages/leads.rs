//! The leads: a board of where each stands, or a table.

use askama::Template;
use axum::{extract::State, response::Response};
use model::{Cursor, Lead, LeadStatus, Page, Permission, Phone, Urgency};
use serde::Deserialize;
use store::{ExportFilter, ExportKind, LeadCounts, ListLeads, OrgStore};

use super::export::{self, Links, Mode};
use crate::{
    Dashboard,
    call::Badge,
    error::PageError,
    extract::Query,
    lead,
    person::Person,
    shell::{Shell, Tab, page},
    show::{self, Moment, Zone},
};

/// How many a page of the table has, and a column of the board.
const LIMIT: u32 = 50;
const COLUMN: u32 = 25;

/// What the address asks for. It is the whole state of the page.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    view: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    urgency: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    cursor: String,
}

impl Asked {
    fn is_table(&self) -> bool {
        self.view == "table"
    }

    fn fields(&self) -> [(&'static str, &str); 6] {
        [
            ("view", if self.is_table() { "table" } else { "" }),
            ("status", if self.is_table() { &self.status } else { "" }),
            ("urgency", &self.urgency),
            ("q", &self.q),
            ("since", &self.since),
            ("cursor", &self.cursor),
        ]
    }

    fn href(&self) -> String {
        show::address("/leads", &self.fields())
    }

    /// The same without a place in it.
    fn anew(&self) -> Self {
        Self { cursor: String::new(), ..self.clone() }
    }

    fn list(&self, limit: u32, status: Option<LeadStatus>) -> ListLeads {
        let search = Some(self.q.trim().chars().take(500).collect::<String>());
        ListLeads {
            page: Page { limit, before: Cursor::decode(&self.cursor), since: self.since.parse().ok() },
            status,
            urgency: Urgency::parse(&self.urgency),
            contact: None,
            phone: None,
            search: search.filter(|search| !search.is_empty()),
        }
    }

    fn status(&self) -> Option<LeadStatus> {
        LeadStatus::parse(&self.status).filter(|_| self.is_table())
    }

    /// The filters beside the tabs, in words.
    fn filters(&self, zone: &Zone) -> Vec<String> {
        let list = self.list(LIMIT, None);
        let filters = [
            list.search.map(|search| format!("“{search}”")),
            lead::urgency(list.urgency).map(|badge| badge.word),
            list.page.since.map(|at| format!("since {}", zone.moment(at).full)),
        ];
        filters.into_iter().flatten().collect()
    }

    fn export(&self) -> ExportFilter {
        let list = self.list(LIMIT, self.status());
        ExportFilter {
            since: list.page.since,
            lead_status: list.status,
            urgency: list.urgency,
            search: list.search,
            ..ExportFilter::default()
        }
    }
}

/// A status that a lead can be moved to.
pub(crate) struct Move {
    pub(crate) word: &'static str,
    pub(crate) label: &'static str,
    pub(crate) is_here: bool,
}

/// Where a lead can be moved to.
pub(crate) fn moves(lead: &Lead) -> Vec<Move> {
    let each = |it: LeadStatus| Move { word: it.as_str(), label: lead::word(it), is_here: it == lead.status };
    LeadStatus::ALL.into_iter().map(each).collect()
}

/// A lead on the board, or in a line.
pub(crate) struct LeadRow {
    pub(crate) id: String,
    pub(crate) href: String,
    pub(crate) who: String,
    pub(crate) number: Option<String>,
    pub(crate) title: String,
    pub(crate) text: Option<String>,
    pub(crate) urgency: Option<Badge>,
    pub(crate) status: Badge,
    pub(crate) at: Moment,
    pub(crate) moves: Vec<Move>,
}

impl LeadRow {
    fn new(lead: &Lead, zone: &Zone) -> Self {
        Self {
            id: lead.id.to_string(),
            href: lead::address(lead.id),
            who: lead::who(lead),
            number: lead.phone.as_ref().filter(|_| lead.name.is_some()).map(Phone::international),
            title: lead::title(lead),
            text: lead.summary.as_deref().filter(|_| lead.intent.is_some()).map(|it| show::excerpt(it, 160)),
            urgency: lead::urgency(lead.urgency),
            status: lead::badge(lead.status),
            at: zone.moment(lead.created_at.time()),
            moves: moves(lead),
        }
    }
}

struct Column {
    word: &'static str,
    label: &'static str,
    count: String,
    rows: Vec<LeadRow>,
    /// The table with all of them, where there are more than fit here.
    more: Option<String>,
}

struct TabLink {
    href: String,
    label: &'static str,
    count: Option<String>,
    is_here: bool,
}

#[derive(Template)]
#[template(path = "leads.html")]
struct LeadsPage {
    shell: Shell,
    asked: Asked,
    board: Vec<Column>,
    is_table: bool,
    tabs: Vec<TabLink>,
    rows: Vec<LeadRow>,
    is_empty: bool,
    has_any: bool,
    filters: Vec<String>,
    clear: String,
    /// The word in the address, the label, and whether it is chosen.
    urgencies: Vec<(&'static str, &'static str, bool)>,
    board_href: String,
    table_href: String,
    here: String,
    export: Links,
    may_write: bool,
    newest: Option<String>,
    older: Option<String>,
    zone: String,
}

pub(crate) async fn list_leads(
    State(state): State<Dashboard>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (store, zone) = (person.door(Permission::ReadRecords)?, person.zone(&state));
    let counts = store.count_leads(None).await?;
    let filters = asked.filters(&zone);
    let (mut board, mut rows, mut older) = (Vec::new(), Vec::new(), None);
    if asked.is_table() {
        let found = store.list_leads(asked.list(LIMIT, asked.status())).await?;
        rows = found.records.iter().map(|lead| LeadRow::new(lead, &zone)).collect();
        older = found.next.map(|next| Asked { cursor: next.encode(), ..asked.clone() }.href());
    } else {
        for status in LeadStatus::ALL {
            board.push(column(&store, &asked, (status, &counts), &zone).await?);
        }
    }
    page(&LeadsPage {
        shell: person.shell(&state, "Leads", Tab::Leads),
        is_table: asked.is_table(),
        tabs: tabs(&asked, &counts, filters.is_empty()),
        is_empty: rows.is_empty() && board.iter().all(|column| column.rows.is_empty()),
        has_any: counts.total() > 0,
        clear: Asked { view: asked.view.clone(), status: asked.status.clone(), ..Asked::default() }.href(),
        urgencies: [("", "Any urgency"), ("high", "Urgent"), ("medium", "Medium"), ("low", "Low")]
            .map(|(word, label)| (word, label, word == asked.urgency))
            .to_vec(),
        board_href: Asked { view: String::new(), ..asked.anew() }.href(),
        table_href: Asked { view: "table".to_owned(), ..asked.anew() }.href(),
        here: asked.href(),
        export: Links::new("/leads/export", &asked.anew().fields()),
        may_write: person.may(Permission::WriteRecords),
        newest: (!asked.cursor.is_empty()).then(|| asked.anew().href()),
        older,
        zone: zone.name,
        board,
        rows,
        filters,
        asked,
    })
}

async fn column(
    store: &OrgStore,
    asked: &Asked,
    (status, counts): (LeadStatus, &LeadCounts),
    zone: &Zone,
) -> Result<Column, PageError> {
    let list = asked.anew().list(COLUMN, Some(status));
    let is_whole = list.search.is_none() && list.urgency.is_none() && list.page.since.is_none();
    let found = store.list_leads(list).await?;
    let table = Asked { view: "table".to_owned(), status: status.as_str().to_owned(), ..asked.anew() };
    let plus = if found.next.is_some() { "+" } else { "" };
    // Filtered, they are not counted beyond what is shown.
    let count =
        if is_whole { show::count(counts.with(status)) } else { format!("{}{plus}", found.records.len()) };
    Ok(Column {
        word: status.as_str(),
        label: lead::word(status),
        count,
        more: found.next.is_some().then(|| table.href()),
        rows: found.records.iter().map(|lead| LeadRow::new(lead, zone)).collect(),
    })
}

/// The tabs of the table. Filtered, how many there are is not known without looking at all of them.
fn tabs(asked: &Asked, counts: &LeadCounts, is_whole: bool) -> Vec<TabLink> {
    let tab = |status: Option<LeadStatus>| TabLink {
        href: Asked { status: status.map(LeadStatus::as_str).unwrap_or_default().to_owned(), ..asked.anew() }
            .href(),
        label: status.map_or("All", lead::word),
        count: is_whole
            .then(|| show::count(status.map_or_else(|| counts.total(), |status| counts.with(status)))),
        is_here: asked.status() == status,
    };
    std::iter::once(None).chain(LeadStatus::ALL.map(Some)).map(tab).collect()
}

pub(crate) async fn export_leads(
    person: Person,
    Query(asked): Query<Asked>,
    Query(mode): Query<Mode>,
) -> Result<Response, PageError> {
    let store = person.door(Permission::ReadRecords)?;
    export::csv(&store, ExportKind::Leads, asked.export(), &mode).await
}
