//! Everything of an organization as JSON, oldest first, in pages that each are a short read of their own: no
//! transaction is held over a whole export, so the write-ahead log can begin anew while one runs, and no more than a
//! page is in memory.
//!
//! What a reader gets: every record that was visible when the export began, once, as it stood when its page was read.
//! Records that are made meanwhile are not in it. Two pages are two moments: a lead can show a change that the call
//! before it does not show yet.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use model::{
    AppointmentStatus, CallStatus, LeadStatus, OrgId, Phone, Place, SourceId, Stamp, Time, Urgency, id::kind,
};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    Error, OrgStore, Outcome, Result, appointments, assistants, calls, contacts, inbox,
    inbox::MessageSummary,
    json::Object,
    leads,
    list::ListQuery,
    tx::Tx,
    value::{Cells, Value, params},
};

/// What can be exported, in an order in which each record comes after those that it points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// The assistants that were seen.
    Assistants,
    /// Contacts.
    Contacts,
    /// Calls, each with its conversation.
    Calls,
    /// Leads.
    Leads,
    /// Appointments.
    Appointments,
    /// Events, as they were told.
    Events,
    /// Sources, without their secrets.
    Sources,
    /// Messages as they arrived from platforms, without what proves their sender.
    Messages,
}

impl ExportKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Assistants,
        Self::Contacts,
        Self::Calls,
        Self::Leads,
        Self::Appointments,
        Self::Events,
        Self::Sources,
        Self::Messages,
    ];

    /// The word in addresses and names of files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assistants => "assistants",
            Self::Contacts => "contacts",
            Self::Calls => "calls",
            Self::Leads => "leads",
            Self::Appointments => "appointments",
            Self::Events => "events",
            Self::Sources => "sources",
            Self::Messages => "messages",
        }
    }

    /// The word for one of them: the `type` of a line.
    pub fn singular(self) -> &'static str {
        self.as_str().trim_end_matches('s')
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Which records are asked for. A condition on what a kind does not have is not looked at.
#[derive(Clone, Debug, Default)]
pub struct ExportFilter {
    /// Only those created, or received, after this.
    pub since: Option<Time>,
    /// Only those with this number.
    pub phone: Option<Phone>,
    /// Only calls with this status.
    pub call_status: Option<CallStatus>,
    /// Only leads with this status.
    pub lead_status: Option<LeadStatus>,
    /// Only leads as urgent as this.
    pub urgency: Option<Urgency>,
    /// Only appointments with this status.
    pub appointment_status: Option<AppointmentStatus>,
    /// Only appointments that begin at this time or later.
    pub from: Option<Time>,
    /// Only appointments that begin before this time.
    pub to: Option<Time>,
    /// Only messages that became this.
    pub outcome: Option<Outcome>,
}

/// A walk through all records of a kind.
pub struct Export {
    records: OrgStore,
    kind: ExportKind,
    filter: ExportFilter,
    /// Behind which record the next page begins.
    after: Place,
    /// Where the walk begins, of each source where it goes along sources.
    begin: Place,
    until: Stamp,
    limit: u32,
    /// The sources that are left, the present one last. Messages are in no order but that of their source.
    sources: Vec<SourceId>,
    is_over: bool,
}

/// How many records are read at once at most, and how many bytes of them are kept: what is beyond is read again with
/// the next page.
const PAGE: u32 = 100;
const PAGE_BYTES: usize = 4 << 20;

/// How many are read first, while it is not known how long they are.
const FIRST_PAGE: u32 = 8;

impl OrgStore {
    /// Begins an export: it ends with what is visible now.
    pub async fn export(&self, kind: ExportKind, filter: ExportFilter) -> Result<Export> {
        let (org, now) = (self.org, self.store.0.clock.now());
        let last = self.store.read(move |tx| Box::pin(async move { last_stamp(tx, org).await })).await?;
        // What is not stamped by the record clock has the time of day, which may be ahead of it.
        let until = match kind {
            ExportKind::Sources | ExportKind::Messages => Stamp::from_micros(now.micros()),
            _ => last,
        };
        let since = filter.since.unwrap_or(Time::from_micros(i64::MIN));
        // Behind every record of the time itself: `since` means later than it.
        let begin = Place { at: since, id: Uuid::max() };
        let (sources, records) = (self.sources_to_walk(kind).await?, self.clone());
        let is_over = kind == ExportKind::Messages && sources.is_empty();
        let (after, limit) = (begin, FIRST_PAGE);
        Ok(Export { records, kind, filter, after, begin, until, limit, sources, is_over })
    }

    /// The sources whose messages are walked through, the first of them last: those that were deleted too.
    async fn sources_to_walk(&self, kind: ExportKind) -> Result<Vec<SourceId>> {
        if kind != ExportKind::Messages {
            return Ok(Vec::new());
        }
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let sql = "SELECT id FROM sources WHERE org_id = ?1 ORDER BY created_at DESC, id DESC";
                    tx.query(sql, params![org], |row| row.get()).await
                })
            })
            .await
    }
}

async fn last_stamp(tx: &mut Tx<'_>, org: OrgId) -> Result<Stamp> {
    let sql = "SELECT last_stamp FROM org_clocks WHERE org_id = ?1";
    let last = tx.first(sql, params![org], |row| row.get()).await?;
    last.ok_or(Error::Stored { what: "organization", why: "is not there".into() })
}

impl Export {
    /// What is exported.
    pub fn kind(&self) -> ExportKind {
        self.kind
    }

    /// The next records, each a JSON object; `None` when all were given.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Vec<u8>>>> {
        while !self.is_over {
            let asked = Asked {
                org: self.records.org,
                kind: self.kind,
                filter: self.filter.clone(),
                source: self.sources.last().copied(),
                after: self.after,
                until: self.until,
                limit: self.limit,
            };
            let read = self.records.store.read(move |tx| Box::pin(async move { page(tx, &asked).await }));
            let page = read.await?;
            let Some(last) = page.last else {
                self.sources.pop();
                self.after = self.begin;
                self.is_over = self.sources.is_empty();
                continue;
            };
            self.after = last;
            // Twice as many while they are short, half as many where not all of a page could be kept.
            self.limit = if page.is_full { (self.limit / 2).max(1) } else { (self.limit * 2).min(PAGE) };
            return Ok(Some(page.records));
        }
        Ok(None)
    }
}

struct Asked {
    org: OrgId,
    kind: ExportKind,
    filter: ExportFilter,
    source: Option<SourceId>,
    after: Place,
    until: Stamp,
    limit: u32,
}

#[derive(Default)]
struct Page {
    records: Vec<Vec<u8>>,
    bytes: usize,
    last: Option<Place>,
    /// Whether there was more than is kept of a page.
    is_full: bool,
}

impl Page {
    /// Keeps a record while there is room, at least one.
    fn keep(&mut self, read: impl FnOnce() -> Result<(Place, Vec<u8>)>) -> Result<()> {
        if self.bytes > PAGE_BYTES {
            self.is_full = true;
            return Ok(());
        }
        let (place, json) = read()?;
        self.bytes += json.len();
        self.last = Some(place);
        self.records.push(json);
        Ok(())
    }
}

async fn page(tx: &mut Tx<'_>, asked: &Asked) -> Result<Page> {
    let (sql, params) = match asked.kind {
        ExportKind::Sources => sources(asked),
        ExportKind::Messages => messages(asked),
        _ => stamped(asked),
    };
    let mut page = Page::default();
    tx.query(&sql, &params, |row| page.keep(|| record(asked.kind, row))).await?;
    Ok(page)
}

/// The query of a kind that is ordered by the record clock.
fn stamped(asked: &Asked) -> (String, Vec<Value<'_>>) {
    let (columns, table) = match asked.kind {
        ExportKind::Assistants => (assistants::COLUMNS, "assistants"),
        ExportKind::Contacts => (contacts::COLUMNS, "contacts"),
        ExportKind::Leads => (leads::COLUMNS, "leads"),
        ExportKind::Appointments => (appointments::COLUMNS, "appointments"),
        ExportKind::Events => ("id, type, created_at, call_id, data", "events"),
        _ => (calls::COLUMNS, "calls c LEFT JOIN messages m ON m.seq = c.seq"),
    };
    let beside = if asked.kind == ExportKind::Calls { ", m.body" } else { "" };
    let select = format!("SELECT {columns}{beside} FROM {table}");
    let mut query = ListQuery::walk(&select, asked.org, asked.after.at, asked.until);
    let filter = &asked.filter;
    match asked.kind {
        ExportKind::Contacts => query.equals("phone", filter.phone.as_ref()),
        ExportKind::Calls => {
            query.equals("status", filter.call_status.map(CallStatus::as_str));
            query.equals("caller_phone", filter.phone.as_ref());
        }
        ExportKind::Leads => {
            query.equals("status", filter.lead_status.map(LeadStatus::as_str));
            query.equals("urgency", filter.urgency.map(Urgency::as_str));
            query.equals("phone", filter.phone.as_ref());
        }
        ExportKind::Appointments => {
            query.equals("status", filter.appointment_status.map(AppointmentStatus::as_str));
            query.equals("attendee_phone", filter.phone.as_ref());
            if let Some(from) = filter.from {
                query.add("starts_at >= ", from.into());
            }
            if let Some(to) = filter.to {
                query.add("starts_at < ", to.into());
            }
        }
        _ => {}
    }
    query.finish_walk(asked.limit)
}

/// The query of sources, which are few.
fn sources(asked: &Asked) -> (String, Vec<Value<'_>>) {
    let Place { at, id } = asked.after;
    let sql = "SELECT id, platform, name, settings, created_at, updated_at FROM sources \
               WHERE org_id = ?1 AND (created_at, id) > (?2, ?3) AND created_at <= ?4 AND deleted_at IS NULL \
               AND platform <> 'api' ORDER BY created_at, id LIMIT ?5";
    (sql.to_owned(), params![asked.org, at, id, asked.until, i64::from(asked.limit)].to_vec())
}

/// The query of one source's messages.
fn messages(asked: &Asked) -> (String, Vec<Value<'_>>) {
    let (Place { at, id }, limit) = (asked.after, i64::from(asked.limit));
    let mut params = params![asked.org, at, id, asked.until, limit, asked.source].to_vec();
    let outcome = asked.filter.outcome.map_or("", |outcome| {
        params.push(outcome.as_str().into());
        " AND outcome = ?7"
    });
    let sql = format!(
        "SELECT {}, source_id, headers, body FROM inbox \
         WHERE source_id = ?6 AND org_id = ?1 AND (received_at, id) > (?2, ?3) AND received_at <= ?4{outcome} \
         ORDER BY received_at, id LIMIT ?5",
        inbox::SUMMARY
    );
    (sql, params)
}

/// A row as the JSON that the API answers with, and its place.
fn record(kind: ExportKind, row: &mut Cells<'_>) -> Result<(Place, Vec<u8>)> {
    match kind {
        ExportKind::Assistants => {
            assistants::read(row).and_then(|record| written(record.created_at, &record))
        }
        ExportKind::Contacts => contacts::read(row).and_then(|record| written(record.created_at, &record)),
        ExportKind::Leads => leads::read(row).and_then(|record| written(record.created_at, &record)),
        ExportKind::Appointments => {
            appointments::read(row).and_then(|record| written(record.created_at, &record))
        }
        ExportKind::Calls => call(row),
        ExportKind::Events => event(row),
        ExportKind::Sources => source(row),
        ExportKind::Messages => message(row),
    }
}

/// The place of a record with a stamp; its id is not looked at.
fn behind(stamp: Stamp) -> Place {
    Place { at: Time::from_micros(stamp.micros()), id: Uuid::nil() }
}

fn written(created_at: Stamp, record: &impl Serialize) -> Result<(Place, Vec<u8>)> {
    Ok((behind(created_at), json_of(record)?))
}

fn json_of(record: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(record).map_err(|error| Error::Stored { what: "record", why: error.to_string() })
}

fn call(row: &mut Cells<'_>) -> Result<(Place, Vec<u8>)> {
    let mut json = Vec::new();
    let mut object = Object::begin(&mut json);
    let created_at = calls::write(row, &mut object)?.created_at;
    object.raw("messages", row)?;
    object.end();
    Ok((behind(created_at), json))
}

fn event(row: &mut Cells<'_>) -> Result<(Place, Vec<u8>)> {
    let mut json = Vec::new();
    let mut object = Object::begin(&mut json);
    object.id::<kind::Event>("id", row)?;
    object.text("event", row)?;
    let created_at = object.stamp("created_at", row)?;
    object.id::<kind::Call>("call_id", row)?;
    object.raw("data", row)?;
    object.end();
    Ok((behind(created_at), json))
}

fn source(row: &mut Cells<'_>) -> Result<(Place, Vec<u8>)> {
    let id: SourceId = row.get()?;
    let (platform, name): (String, String) = (row.get()?, row.get()?);
    let settings: Json = row.json("settings")?;
    let (at, updated_at): (Time, Stamp) = (row.get()?, row.get()?);
    let value = json!({"id": id, "platform": platform, "name": name, "settings": settings, "created_at": at,
        "updated_at": updated_at});
    Ok((Place { at, id: id.uuid() }, json_of(&value)?))
}

fn message(row: &mut Cells<'_>) -> Result<(Place, Vec<u8>)> {
    let summary: MessageSummary = inbox::read_summary(row)?;
    let source: SourceId = row.get()?;
    let headers: Vec<(String, String)> = row.json("headers")?;
    let headers: Vec<Json> =
        headers.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let (body, body_base64) = match String::from_utf8(row.get()?) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(BASE64.encode(error.as_bytes()))),
    };
    let place = Place { at: summary.received_at, id: summary.id.uuid() };
    let value = json!({"id": summary.id, "source_id": source,
        "received_at": Stamp::from_micros(summary.received_at.micros()), "event": summary.event,
        "external_id": summary.external_id, "outcome": summary.outcome.as_str(), "reason": summary.reason,
        "call_id": summary.call_id, "size": summary.size, "headers": headers, "body": body,
        "body_base64": body_base64});
    Ok((place, json_of(&value)?))
}
