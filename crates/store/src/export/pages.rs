//! A page of an export: which rows of each kind, and each as the JSON that the API answers with.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use model::{
    AppointmentStatus, CallId, CallStatus, LeadStatus, OrgId, Place, RecordingLinks, SourceId, Stamp, Time,
    Urgency, id::kind,
};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{ExportFilter, ExportKind, PAGE_BYTES};
use crate::{
    Error, Result, appointments, assistants, blocked_numbers, calls, contacts,
    dialect::Dialect,
    endpoints, gaps, inbox,
    inbox::MessageSummary,
    json::Object,
    leads,
    list::ListQuery,
    recordings::{self, Served},
    search,
    seek::Sought,
    tx::Tx,
    value::{Cells, Value, params},
};

/// Which page is asked for.
pub(super) struct Asked {
    pub(super) org: OrgId,
    pub(super) kind: ExportKind,
    pub(super) filter: ExportFilter,
    pub(super) source: Option<SourceId>,
    pub(super) after: Place,
    pub(super) until: Stamp,
    pub(super) limit: u32,
    /// Where recordings are served.
    pub(super) links: Option<Arc<RecordingLinks>>,
}

/// What was read of a page.
#[derive(Default)]
pub(super) struct Page {
    pub(super) records: Vec<Vec<u8>>,
    pub(super) last: Option<Place>,
    /// Whether there was more than is kept of a page.
    pub(super) is_full: bool,
    bytes: usize,
    /// Calls with recordings, by their number among the records.
    recorded: Vec<(usize, CallId)>,
}

impl Page {
    /// Keeps a record while there is room, at least one.
    fn keep(&mut self, read: impl FnOnce() -> Result<Record>) -> Result<()> {
        if self.bytes > PAGE_BYTES {
            self.is_full = true;
            return Ok(());
        }
        let Record { place, json, recorded } = read()?;
        self.last = Some(place);
        let Some(json) = json else { return Ok(()) };
        self.bytes += json.len();
        self.recorded.extend(recorded.map(|call| (self.records.len(), call)));
        self.records.push(json);
        Ok(())
    }
}

/// A record as JSON, or that there is one which is not asked for. The object of a call is not ended yet: its recordings
/// are still to come.
struct Record {
    place: Place,
    json: Option<Vec<u8>>,
    recorded: Option<CallId>,
}

/// Reads a page.
pub(super) async fn page(tx: &mut Tx<'_>, asked: &Asked) -> Result<Page> {
    let dialect = tx.dialect();
    let words = match asked.filter.search.as_deref().filter(|_| asked.kind == ExportKind::Calls) {
        // A search without a single word finds nothing, rather than everything.
        Some(text) => match search::query_of(asked.org, text, dialect) {
            Some(words) => Some(words),
            None => return Ok(Page::default()),
        },
        None => None,
    };
    let (sql, params) = match asked.kind {
        ExportKind::Sources | ExportKind::Webhooks => placed(asked),
        ExportKind::Messages | ExportKind::Gaps => of_source(asked),
        _ => stamped(asked, words.as_deref(), dialect),
    };
    let sought = asked.filter.search.as_deref().map(Sought::new);
    let mut page = Page::default();
    tx.query(&sql, &params, |row| page.keep(|| record(asked, sought.as_ref(), row))).await?;
    if asked.kind == ExportKind::Calls {
        end_calls(tx, asked, &mut page).await?;
    }
    Ok(page)
}

/// Writes the calls' recordings, which most have none of, and ends their objects.
async fn end_calls(tx: &mut Tx<'_>, asked: &Asked, page: &mut Page) -> Result<()> {
    let mut recorded = page.recorded.iter().peekable();
    for (number, json) in page.records.iter_mut().enumerate() {
        match (recorded.next_if(|(of, _)| *of == number), asked.links.as_deref()) {
            (Some((_, call)), Some(links)) => {
                recordings::write_of_call(tx, (asked.org, *call), links, json).await?;
            }
            _ => Object::resume(json).value("recordings", &[(); 0])?,
        }
        Object::resume(json).end();
    }
    Ok(())
}

/// The query of a kind that is ordered by the record clock.
fn stamped<'a>(asked: &'a Asked, words: Option<&'a str>, dialect: Dialect) -> (String, Vec<Value<'a>>) {
    let (columns, table) = match asked.kind {
        ExportKind::Assistants => (assistants::COLUMNS, "assistants"),
        ExportKind::Contacts => (contacts::COLUMNS, "contacts"),
        ExportKind::Leads => (leads::COLUMNS, "leads"),
        ExportKind::Appointments => (appointments::COLUMNS, "appointments"),
        ExportKind::BlockedNumbers => (blocked_numbers::COLUMNS, "blocked_numbers"),
        ExportKind::Events => ("id, type, created_at, call_id, data", "events"),
        _ => (calls::COLUMNS, "calls c LEFT JOIN messages m ON m.seq = c.seq"),
    };
    let beside = if asked.kind == ExportKind::Calls { ", m.body" } else { "" };
    let select = format!("SELECT {columns}{beside} FROM {table}");
    let mut query = ListQuery::walk(&select, asked.org, asked.after.at, asked.until);
    narrow(&mut query, asked);
    if let Some(words) = words {
        query.add_with(|n| format!("c.seq IN ({})", dialect.with_words(n)), words.into());
    }
    query.finish_walk(asked.limit)
}

fn narrow<'a>(query: &mut ListQuery<'a>, Asked { kind, filter, .. }: &'a Asked) {
    match kind {
        ExportKind::Contacts | ExportKind::BlockedNumbers => query.equals("phone", filter.phone.as_ref()),
        ExportKind::Calls => {
            query.equals("status", filter.call_status.map(CallStatus::as_str));
            query.equals("caller_phone", filter.phone.as_ref());
            query.equals("contact_id", filter.contact);
            query.compare("created_at <", filter.until);
            if let Some(view) = filter.view {
                // The conversations beside the calls have a `seq` too.
                let condition = view.condition();
                query.only(&format!("c.seq IN (SELECT seq FROM calls WHERE org_id = ?1 AND {condition})"));
            }
        }
        ExportKind::Leads => {
            query.equals("status", filter.lead_status.map(LeadStatus::as_str));
            query.equals("urgency", filter.urgency.map(Urgency::as_str));
            query.equals("phone", filter.phone.as_ref());
            query.equals("contact_id", filter.contact);
        }
        ExportKind::Appointments => {
            query.equals("contact_id", filter.contact);
            query.equals("status", filter.appointment_status.map(AppointmentStatus::as_str));
            query.equals("attendee_phone", filter.phone.as_ref());
            if let Some(from) = filter.from {
                query.add("starts_at >= ", from.into());
            }
            if let Some(to) = filter.to {
                query.add("starts_at < ", to.into());
            }
        }
        // What stands for a message that is forwarded is told to nobody else.
        ExportKind::Events => query.only("message_id IS NULL"),
        _ => {}
    }
}

/// The query of what is set up, of which there is little.
fn placed(asked: &Asked) -> (String, Vec<Value<'_>>) {
    let Place { at, id } = asked.after;
    let (columns, table) = match asked.kind {
        ExportKind::Sources => ("id, platform, name, settings, created_at, updated_at", "sources"),
        _ => (endpoints::COLUMNS, "endpoints"),
    };
    // What belongs to the API itself is made with the organization.
    let only = if asked.kind == ExportKind::Sources { " AND platform <> 'api'" } else { "" };
    let sql = format!(
        "SELECT {columns} FROM {table} WHERE org_id = ?1 AND (created_at, id) > (?2, ?3) AND created_at <= ?4 \
         AND deleted_at IS NULL{only} ORDER BY created_at, id LIMIT ?5"
    );
    (sql, params![asked.org, at, id, asked.until, i64::from(asked.limit)].to_vec())
}

/// The query of what hangs on one source.
fn of_source(asked: &Asked) -> (String, Vec<Value<'_>>) {
    let (Place { at, id }, limit) = (asked.after, i64::from(asked.limit));
    let mut params = params![asked.org, at, id, asked.until, limit, asked.source].to_vec();
    let (select, time) = match asked.kind {
        ExportKind::Messages => {
            (inbox::select_summary(", answer_body, source_id, headers, body"), "received_at")
        }
        _ => (format!("SELECT {}, source_id FROM gaps", gaps::COLUMNS), "found_at"),
    };
    let outcome = asked.filter.outcome.filter(|_| asked.kind == ExportKind::Messages);
    let outcome = outcome.map_or("", |outcome| {
        params.push(outcome.as_str().into());
        " AND outcome = ?7"
    });
    let sql = format!(
        "{select} WHERE source_id = ?6 AND org_id = ?1 AND ({time}, id) > (?2, ?3) AND {time} <= ?4{outcome} \
         ORDER BY {time}, id LIMIT ?5"
    );
    (sql, params)
}

/// A row as the JSON that the API answers with, and its place.
fn record(asked: &Asked, sought: Option<&Sought>, row: &mut Cells<'_>) -> Result<Record> {
    match asked.kind {
        ExportKind::Assistants => {
            assistants::read(row).and_then(|record| stamped_record(record.created_at, &record))
        }
        ExportKind::Contacts => {
            let contact = contacts::read(row)?;
            if sought.is_some_and(|sought| !contacts::fits(&contact, sought)) {
                return Ok(passed_over(contact.created_at));
            }
            stamped_record(contact.created_at, &contact)
        }
        ExportKind::Leads => {
            let lead = leads::read(row)?;
            if sought.is_some_and(|sought| !leads::fits(&lead, sought)) {
                return Ok(passed_over(lead.created_at));
            }
            stamped_record(lead.created_at, &lead)
        }
        ExportKind::Appointments => {
            appointments::read(row).and_then(|record| stamped_record(record.created_at, &record))
        }
        ExportKind::BlockedNumbers => {
            blocked_numbers::read(row).and_then(|record| stamped_record(record.created_at, &record))
        }
        ExportKind::Calls => call(row, asked.links.as_deref()),
        ExportKind::Events => event(row),
        ExportKind::Sources => source(row),
        ExportKind::Webhooks => webhook(row),
        ExportKind::Messages => message(row),
        ExportKind::Gaps => gap(row),
    }
}

/// The place of a record with a stamp; its id is not looked at.
fn behind(stamp: Stamp) -> Place {
    Place { at: Time::from_micros(stamp.micros()), id: Uuid::nil() }
}

/// A record that is not asked for.
fn passed_over(created_at: Stamp) -> Record {
    Record { place: behind(created_at), json: None, recorded: None }
}

fn stamped_record(created_at: Stamp, record: &impl Serialize) -> Result<Record> {
    placed_record(behind(created_at), record)
}

fn placed_record(place: Place, record: &impl Serialize) -> Result<Record> {
    let json = serde_json::to_vec(record)
        .map_err(|error| Error::Stored { what: "record", why: error.to_string() })?;
    Ok(Record { place, json: Some(json), recorded: None })
}

fn call(row: &mut Cells<'_>, links: Option<&RecordingLinks>) -> Result<Record> {
    let mut json = Vec::new();
    let mut object = Object::begin(&mut json);
    let written = calls::write(row, &mut object, links.map(Served::by_key))?;
    object.raw("messages", row)?;
    let recorded = written.recording.and(written.id);
    Ok(Record { place: behind(written.created_at), json: Some(json), recorded })
}

fn event(row: &mut Cells<'_>) -> Result<Record> {
    let mut json = Vec::new();
    let mut object = Object::begin(&mut json);
    object.id::<kind::Event>("id", row)?;
    object.text("event", row)?;
    let created_at = object.stamp("created_at", row)?;
    object.id::<kind::Call>("call_id", row)?;
    object.raw("data", row)?;
    object.end();
    Ok(Record { place: behind(created_at), json: Some(json), recorded: None })
}

fn source(row: &mut Cells<'_>) -> Result<Record> {
    let id: SourceId = row.get()?;
    let (platform, name): (String, String) = (row.get()?, row.get()?);
    let settings: Json = row.json("settings")?;
    let (at, updated_at): (Time, Stamp) = (row.get()?, row.get()?);
    let value = json!({"id": id, "platform": platform, "name": name, "settings": settings, "created_at": at,
        "updated_at": updated_at});
    placed_record(Place { at, id: id.uuid() }, &value)
}

fn webhook(row: &mut Cells<'_>) -> Result<Record> {
    let endpoint = endpoints::read(row)?;
    let place = Place { at: endpoint.created_at, id: endpoint.id.uuid() };
    let telling = &endpoint.telling;
    // Of headers only the names: their values may be secrets.
    let headers: Vec<&str> = telling.headers.iter().map(|(name, _)| name).collect();
    let value = json!({"id": endpoint.id, "url": endpoint.url, "description": endpoint.description,
        "events": endpoint.events, "status": endpoint.state.as_str(), "source_id": endpoint.source,
        "rate": endpoint.pacing.rate, "ordering": endpoint.pacing.ordering.as_str(),
        "filters": telling.calls, "redact": telling.redact, "format": telling.format, "header_names": headers,
        "sign_v1a": telling.v1a, "created_at": endpoint.created_at, "updated_at": endpoint.updated_at});
    placed_record(place, &value)
}

fn gap(row: &mut Cells<'_>) -> Result<Record> {
    let gap = gaps::read(row)?;
    let source: SourceId = row.get()?;
    let place = Place { at: gap.found_at, id: gap.id.uuid() };
    let value = json!({"id": gap.id, "source_id": source, "external_id": gap.external_id, "call_id": gap.call_id,
        "missing": gap.missing.as_str(), "began_at": gap.began_at,
        "found_at": Stamp::from_micros(gap.found_at.micros()), "healed_at": gap.healed_at});
    placed_record(place, &value)
}

fn message(row: &mut Cells<'_>) -> Result<Record> {
    let summary: MessageSummary = inbox::read_summary(row)?;
    let answered: Option<Vec<u8>> = row.get()?;
    let source: SourceId = row.get()?;
    let headers: Vec<(String, String)> = row.json("headers")?;
    let headers: Vec<Json> =
        headers.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let (body, body_base64) = text_or_base64(row.get()?);
    let answer = summary.answer.as_ref().map(|answer| {
        let (body, body_base64) = text_or_base64(answered.unwrap_or_default());
        json!({"by": answer.by.as_str(), "took_ms": answer.took_ms, "status": answer.status,
            "content_type": answer.content_type, "fault": answer.fault, "body": body,
            "body_base64": body_base64})
    });
    let place = Place { at: summary.received_at, id: summary.id.uuid() };
    let value = json!({"id": summary.id, "source_id": source,
        "received_at": Stamp::from_micros(summary.received_at.micros()), "event": summary.event,
        "external_id": summary.external_id, "outcome": summary.outcome.as_str(), "reason": summary.reason,
        "call_id": summary.call_id, "size": summary.size, "headers": headers, "body": body,
        "body_base64": body_base64, "answer": answer});
    placed_record(place, &value)
}

/// A body as text, or where it is none as Base64.
fn text_or_base64(body: Vec<u8>) -> (Option<String>, Option<String>) {
    match String::from_utf8(body) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(BASE64.encode(error.as_bytes()))),
    }
}
