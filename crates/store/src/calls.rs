//! Calls, as clients read them.

mod around;
mod counts;
mod review;
mod state;
mod view;

use model::{
    Call, CallId, CallRecording, CallStatus, ContactId, Cursor, Message, OrgId, Page, Phone, RecordingLinks,
    Stamp, Time, id::kind,
};
use serde::Serialize;

use crate::{
    Error, OrgStore, RecordingDetail, Result,
    json::{Object, Row, Rows},
    list::ListQuery,
    recordings::{self, Served},
    search::{self, Hit},
    tx::Tx,
    value::{Cells, params},
};

pub use self::{
    around::{Around, Came},
    counts::{CallCounts, StatusCounts},
    review::CallReview,
    view::CallView,
};
pub(crate) use self::{
    review::{NamedCall, find_named, mark_blocked, named, note_deleted_booking, put_lead},
    state::{Beside, Stored, by_external_id, by_id, insert, put_messages, put_words, update},
};

/// Which calls are asked for.
#[derive(Clone, Debug)]
pub struct ListCalls {
    /// The page.
    pub page: Page,
    /// Only those with this status.
    pub status: Option<CallStatus>,
    /// Only those created before this.
    pub until: Option<Time>,
    /// Only those that belong in this view.
    pub view: Option<CallView>,
    /// Only those of this contact.
    pub contact: Option<ContactId>,
    /// Only those with this caller.
    pub phone: Option<Phone>,
    /// Only those with these words in transcript, summary, name or number.
    pub search: Option<String>,
}

/// A call in a list: the shape of what [`OrgStore::list_calls`] writes.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ListedCall {
    /// The call.
    #[serde(flatten)]
    pub call: Call,
    /// Where the words of a search stand; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hits: Option<Vec<Hit>>,
}

/// A single call, with the whole conversation: the shape of what [`OrgStore::get_call`] writes.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct CallDetail {
    /// The call.
    #[serde(flatten)]
    pub call: Call,
    /// The conversation turn by turn; null where the platform gave none.
    pub messages: Option<Vec<Message>>,
    /// Its recordings that this server keeps, or will.
    pub recordings: Vec<RecordingDetail>,
}

/// In the order of [`write()`].
pub(crate) const COLUMNS: &str = "c.id, c.caller_phone, c.caller_name, c.status, c.duration_seconds, c.summary, c.transcript, \
     c.recording_state, c.recording_url, c.transfer_status, c.started_at, c.ended_at, c.assistant_id, c.contact_id, c.created_at, \
     c.caller_email, c.intent, c.urgency, c.direction, c.source, c.external_id, c.ended_reason, c.updated_at, \
     c.reviewed_at, c.spam, c.tags, c.notes";

/// What of a call is also looked at while it is written.
pub(crate) struct Written<'r> {
    pub(crate) id: Option<CallId>,
    pub(crate) created_at: Stamp,
    updated_at: Stamp,
    /// What we have of its recordings.
    pub(crate) recording: Option<CallRecording>,
    /// The texts that a search looks through.
    texts: [(&'static str, Option<&'r str>); 6],
}

/// Writes a row as a [`Call`], whose object is not ended yet.
pub(crate) fn write<'r>(
    row: &mut Cells<'r>,
    json: &mut Object<'_>,
    links: Option<Served<'_>>,
) -> Result<Written<'r>> {
    let id = json.id::<kind::Call>("id", row)?;
    let phone = json.text_of("caller_phone", row)?;
    let name = json.text_of("caller_name", row)?;
    json.text("status", row)?;
    json.number("duration_seconds", row)?;
    let summary = json.text_of("summary", row)?;
    let transcript = json.text_of("transcript", row)?;
    let recording =
        row.get::<Option<i64>>()?.and_then(CallRecording::from_number).filter(|_| links.is_some());
    let is_available = recordings::write_url(row, json, (id, recording), links)?;
    json.text("transfer_status", row)?;
    json.time("started_at", row)?;
    json.time("ended_at", row)?;
    json.id::<kind::Assistant>("assistant_id", row)?;
    json.id::<kind::Contact>("contact_id", row)?;
    let created_at = json.stamp("created_at", row)?;
    let email = json.text_of("caller_email", row)?;
    let intent = json.text_of("intent", row)?;
    json.text("urgency", row)?;
    json.text("direction", row)?;
    json.text("source", row)?;
    json.text("external_id", row)?;
    json.text("ended_reason", row)?;
    json.value("recording_available", &is_available)?;
    let updated_at = json.stamp("updated_at", row)?;
    json.value("reviewed", &row.get::<Option<i64>>()?.is_some())?;
    json.value("spam", &row.get::<bool>()?)?;
    json.raw("tags", row)?;
    json.text("notes", row)?;
    let texts = [
        ("caller_name", name),
        ("caller_phone", phone),
        ("caller_email", email),
        ("intent", intent),
        ("summary", summary),
        ("transcript", transcript),
    ];
    Ok(Written { id, created_at, updated_at, recording, texts })
}

impl OrgStore {
    /// A call with its conversation ([`CallDetail`]), if the organization has it.
    pub async fn get_call(&self, id: CallId) -> Result<Option<Row>> {
        let (org, links) = (self.org, self.store.recording_links().cloned());
        self.store.peek(move |tx| Box::pin(async move { detail(tx, org, id, links.as_deref()).await })).await
    }

    /// Calls ([`ListedCall`]), newest first.
    pub async fn list_calls(&self, list: ListCalls) -> Result<Rows> {
        let (org, links) = (self.org, self.store.recording_links().cloned());
        if list.search.is_some() {
            // How many calls have a common word has no bound.
            let find = self
                .store
                .read(move |tx| Box::pin(async move { find(tx, org, &list, links.as_deref()).await }));
            return find.await;
        }
        self.store.peek(move |tx| Box::pin(async move { find(tx, org, &list, links.as_deref()).await })).await
    }
}

/// What a call with its texts usually takes, in bytes.
const LIKELY_BYTES: usize = 2 << 10;

async fn find(tx: &mut Tx<'_>, org: OrgId, list: &ListCalls, links: Option<&RecordingLinks>) -> Result<Rows> {
    let dialect = tx.dialect();
    let mut query = ListQuery::new(&format!("SELECT {COLUMNS} FROM calls c"), org, &list.page);
    query.equals("status", list.status.map(CallStatus::as_str));
    query.equals("contact_id", list.contact);
    query.equals("caller_phone", list.phone.as_ref());
    query.compare("created_at <", list.until);
    if let Some(view) = list.view {
        query.only(view.condition());
    }
    let words = list.search.as_deref().map(|text| search::query_of(org, text, dialect));
    match &words {
        Some(Some(words)) => {
            query.add_with(|n| format!("seq IN ({})", dialect.with_words(n)), words.into());
        }
        // A search without a single word finds nothing, rather than everything.
        Some(None) => return Ok(Rows { json: b"[]".to_vec(), next: None }),
        None => {}
    }
    let (sql, params) = query.finish(&list.page);
    let limit = list.page.limit as usize;
    let mut json = Vec::with_capacity(limit * LIKELY_BYTES);
    json.push(b'[');
    let (mut count, mut last) = (0, None);
    tx.query(&sql, &params, |row| {
        count += 1;
        // The one more that was asked for only tells that there is a next page.
        if count <= limit {
            if count > 1 {
                json.push(b',');
            }
            last = Some(write_listed(row, list.search.as_deref(), links, &mut json)?);
        }
        Ok(())
    })
    .await?;
    json.push(b']');
    let next = last.filter(|_| count > limit).map(Cursor);
    Ok(Rows { json, next })
}

fn write_listed(
    row: &mut Cells<'_>,
    search: Option<&str>,
    links: Option<&RecordingLinks>,
    json: &mut Vec<u8>,
) -> Result<Stamp> {
    let mut object = Object::begin(json);
    let written = write(row, &mut object, links.map(Served::by_key))?;
    if let Some(search) = search {
        object.value("hits", &search::hits_in(written.texts, search))?;
    }
    object.end();
    Ok(written.created_at)
}

pub(crate) async fn detail(
    tx: &mut Tx<'_>,
    org: OrgId,
    id: CallId,
    links: Option<&RecordingLinks>,
) -> Result<Option<Row>> {
    let sql = format!(
        "SELECT {COLUMNS}, m.body FROM calls c LEFT JOIN messages m ON m.seq = c.seq \
         WHERE c.id = ?1 AND c.org_id = ?2"
    );
    let read = |row: &mut Cells<'_>| {
        let mut json = Vec::with_capacity(2 * LIKELY_BYTES);
        let mut object = Object::begin(&mut json);
        let Written { updated_at, recording, .. } = write(row, &mut object, links.map(Served::by_key))?;
        object.raw("messages", row)?;
        Ok((Row { json, version: updated_at }, recording))
    };
    let Some((mut row, recording)) = tx.first(&sql, params![id, org], read).await? else { return Ok(None) };
    match links.filter(|_| recording.is_some()) {
        Some(links) => recordings::write_of_call(tx, (org, id), links, &mut row.json).await?,
        // Most calls have none, and cost no second look.
        None => Object::resume(&mut row.json).value("recordings", &[(); 0])?,
    }
    Object::resume(&mut row.json).end();
    Ok(Some(row))
}

/// `data` of `call.started`, or with fields that changed, of `call.updated`: the call as it is listed.
pub(crate) async fn told(
    tx: &mut Tx<'_>,
    (org, id): (OrgId, CallId),
    changed: Option<&[String]>,
    links: Option<Served<'_>>,
) -> Result<Option<String>> {
    let sql = format!("SELECT {COLUMNS} FROM calls c WHERE c.id = ?1 AND c.org_id = ?2");
    let read = |row: &mut Cells<'_>| {
        let mut json = Vec::with_capacity(LIKELY_BYTES);
        let mut object = Object::begin(&mut json);
        object.value("call_id", &id)?;
        write(row, &mut object, links)?;
        if let Some(changed) = changed {
            object.value("changed", &changed)?;
        }
        object.end();
        String::from_utf8(json).map_err(|error| Error::Stored { what: "call", why: error.to_string() })
    };
    tx.first(&sql, params![id, org], read).await
}
