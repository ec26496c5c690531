//! Recordings of calls: read with their call, and found to be served.

use std::sync::Arc;

use model::{
    CallId, CallRecording, OrgId, RecordingLinks, RecordingShown, RecordingState, Stamp, Time, Variant,
};
use serde::Serialize;

use crate::{
    NewEvent, OrgStore, Result, Store, Subject, blocked_numbers,
    events::{self, Teller},
    json::Object,
    stamps::Stamps,
    tx::Tx,
    value::{Cells, Value, params},
};

/// Whether the recordings that messages tell of are fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recordings {
    /// They are.
    Fetch,
    /// They are left where they are, and their addresses are the platforms'.
    #[default]
    Leave,
}

/// A recording within the answer for its call.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct RecordingDetail {
    /// Which sound of the call it holds.
    pub variant: Variant,
    /// How far it has come.
    pub state: RecordingState,
    /// Where it is served to who has an API key; null where it is not, and will not be.
    pub url: Option<String>,
    /// What it is in, such as `audio/mpeg`.
    pub content_type: Option<String>,
    /// Its size.
    pub size_bytes: Option<i64>,
    /// How long it is, where that could be told.
    pub duration_seconds: Option<i64>,
    /// Why it could not be fetched.
    pub error: Option<String>,
}

/// A recording that is kept in the object store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Where it is there.
    pub key: String,
    /// What it is in, such as `audio/mpeg`.
    pub content_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// How long it is, in whole seconds.
    pub duration_seconds: Option<i64>,
}

/// What is known of the recording that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRecording {
    /// Which it is.
    pub variant: Variant,
    /// How far it has come.
    pub state: RecordingState,
    /// The recording, where it is stored; that of before while another is fetched in its place.
    pub object: Option<StoredObject>,
    /// When it was stored.
    pub stored_at: Option<Time>,
    /// Why it could not be fetched.
    pub error: Option<String>,
}

/// What came of asking for a call's recordings again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refetch {
    /// So many are to be fetched.
    Asked(u64),
    /// None: the call was blocked, and its caller's number still is.
    Blocked,
}

/// A recording in an operator's list.
#[derive(Clone, Debug)]
pub struct RecordingRecord {
    /// Its call.
    pub call: CallId,
    /// What is known of it.
    pub found: FoundRecording,
    /// How many times it was tried to fetch it.
    pub attempts: i64,
    /// When it is tried next.
    pub due_at: Option<Time>,
    /// When it was noted.
    pub created_at: Time,
}

impl Store {
    /// Tells the store under which addresses this server serves recordings. Until then, and where this is not called,
    /// a recording's address is the platform's.
    pub fn serve_recordings(&self, links: RecordingLinks) {
        // Who comes second says the same.
        let _ = self.0.links.set(Arc::new(links));
    }

    /// The addresses under which recordings are served, where they are.
    pub fn recording_links(&self) -> Option<&Arc<RecordingLinks>> {
        self.0.links.get()
    }

    /// A call's recording, or one of them, whoever's it is: for who shows a link that we signed.
    pub async fn find_recording(
        &self,
        call: CallId,
        variant: Option<Variant>,
    ) -> Result<Option<FoundRecording>> {
        self.peek(move |tx| {
            Box::pin(async move {
                let sql = format!("SELECT {FOUND} FROM recordings WHERE call_id = ?1");
                Ok(pick(tx.query(&sql, params![call], read_found).await?, variant))
            })
        })
        .await
    }

    /// The secret of this installation with that name; the one that is offered becomes it, where there is none.
    pub async fn instance_secret(&self, name: &'static str, offered: [u8; 32]) -> Result<[u8; 32]> {
        self.write(move |tx| {
            Box::pin(async move {
                let sql = "INSERT INTO instance_secrets (name, secret) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
                tx.execute(sql, params![name, offered.as_slice()]).await?;
                let sql = "SELECT secret FROM instance_secrets WHERE name = ?1";
                let known = tx.first(sql, params![name], |row| row.get::<Vec<u8>>()).await?;
                Ok(known.and_then(|known| known.try_into().ok()).unwrap_or(offered))
            })
        })
        .await
    }
}

impl OrgStore {
    /// A call's recording, or one of them, if the organization has the call.
    pub async fn get_recording(
        &self,
        call: CallId,
        variant: Option<Variant>,
    ) -> Result<Option<FoundRecording>> {
        let org = self.org;
        self.store
            .peek(move |tx| {
                Box::pin(async move {
                    let sql = format!("SELECT {FOUND} FROM recordings WHERE call_id = ?1 AND org_id = ?2");
                    Ok(pick(tx.query(&sql, params![call, org], read_found).await?, variant))
                })
            })
            .await
    }

    /// The newest recordings, of one call or of all.
    pub async fn list_recordings(&self, call: Option<CallId>, limit: u32) -> Result<Vec<RecordingRecord>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let mut sql =
                        format!("SELECT call_id, attempts, due_at, created_at, {FOUND} FROM recordings WHERE org_id = ?1");
                    let mut params: Vec<Value<'_>> = vec![org.into(), i64::from(limit).into()];
                    if let Some(call) = call {
                        sql.push_str(" AND call_id = ?3");
                        params.push(call.into());
                    }
                    sql.push_str(" ORDER BY created_at DESC, call_id, variant LIMIT ?2");
                    tx.query(&sql, &params, read_record).await
                })
            })
            .await
    }

    /// Has a call's recordings fetched, those that are not stored: now, and with all tries before them again. Returns
    /// how many. What was deleted stays deleted, and what a blocked number's call recorded where it is.
    pub async fn refetch_recordings(&self, call: CallId) -> Result<Refetch> {
        let (org, now, teller) = (self.org, self.store.0.clock.now(), self.teller());
        let asked = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    // Locked before the recordings, as everywhere: a try that ends at the same time does so too.
                    let mut stamps = Stamps::take(tx, org, now).await?;
                    if blocked_numbers::turns_away(tx, org, call).await? {
                        return Ok(Refetch::Blocked);
                    }
                    let sql = "UPDATE recordings SET state = 'pending', attempts = 0, due_at = ?3, error = NULL, \
                                   lease_owner = NULL, lease_until = NULL, updated_at = ?3 \
                               WHERE call_id = ?1 AND org_id = ?2 AND url IS NOT NULL \
                                   AND state NOT IN ('stored', 'deleted')";
                    let count = tx.execute(sql, params![call, org, now]).await?;
                    if count > 0 {
                        tell_call(tx, &teller, call, &mut stamps).await?;
                    }
                    Ok(Refetch::Asked(count))
                })
            })
            .await?;
        self.store.0.recordings_due.notify_one();
        Ok(asked)
    }
}

const FOUND: &str =
    "variant, state, object_key, content_type, size_bytes, sha256, duration_seconds, stored_at, error";

fn read_found(row: &mut Cells<'_>) -> Result<FoundRecording> {
    let variant = row.word("variant", Variant::parse)?;
    let state = row.word("recording state", RecordingState::parse)?;
    let key: Option<String> = row.get()?;
    let content_type: Option<String> = row.get()?;
    let size: Option<i64> = row.get()?;
    let sha256: Option<Vec<u8>> = row.get()?;
    let duration_seconds = row.get()?;
    let object = match (key, content_type, size, sha256) {
        (Some(key), Some(content_type), Some(size), Some(sha256)) => Some(StoredObject {
            key,
            content_type,
            size: size.cast_unsigned(),
            sha256: sha256.try_into().unwrap_or_default(),
            duration_seconds,
        }),
        _ => None,
    };
    Ok(FoundRecording { variant, state, object, stored_at: row.get()?, error: row.get()? })
}

fn read_record(row: &mut Cells<'_>) -> Result<RecordingRecord> {
    let (call, attempts, due_at, created_at) = (row.get()?, row.get()?, row.get()?, row.get()?);
    Ok(RecordingRecord { call, attempts, due_at, created_at, found: read_found(row)? })
}

/// The variant that is asked for, or else the one that stands for the call: the first that is stored, or will be.
fn pick(mut all: Vec<FoundRecording>, variant: Option<Variant>) -> Option<FoundRecording> {
    if let Some(variant) = variant {
        return all.into_iter().find(|found| found.variant == variant);
    }
    let rank = |found: &FoundRecording| match found.state {
        _ if found.object.is_some() => 0,
        RecordingState::Stored => 0,
        RecordingState::Pending | RecordingState::Fetching => 1,
        RecordingState::Failed | RecordingState::Expired | RecordingState::Deleted => 2,
    };
    all.sort_by_key(|found| (rank(found), found.variant));
    all.into_iter().next()
}

/// The addresses of the recordings that we serve, as whoever reads them needs them.
#[derive(Clone, Copy)]
pub(crate) struct Served<'a> {
    pub(crate) links: &'a RecordingLinks,
    /// Since when they work without a key, for who has none.
    pub(crate) signed_at: Option<Time>,
}

impl<'a> Served<'a> {
    /// For who has a key.
    pub(crate) fn by_key(links: &'a RecordingLinks) -> Self {
        Self { links, signed_at: None }
    }

    fn url(self, call: CallId) -> String {
        match self.signed_at {
            Some(now) => self.links.signed(call, None, now),
            None => self.links.address(call),
        }
    }
}

/// Writes where a call's recording is: with us, if we have it or are about to. Returns whether it can be had there.
pub(crate) fn write_url(
    row: &mut Cells<'_>,
    json: &mut Object<'_>,
    (id, recording): (Option<CallId>, Option<CallRecording>),
    links: Option<Served<'_>>,
) -> Result<bool> {
    use CallRecording::{Deleted, Failed, Pending, Stored};
    match (recording, links.zip(id)) {
        (Some(Pending | Stored), Some((links, id))) => {
            row.text()?;
            json.value("recording_url", &links.url(id))?;
        }
        (Some(Deleted), _) => {
            row.text()?;
            json.value("recording_url", &())?;
        }
        _ => {
            let url = json.text_of("recording_url", row)?;
            return Ok(url.is_some() && recording != Some(Failed));
        }
    }
    Ok(recording == Some(Stored))
}

/// Writes a call's recordings into the object of the call.
pub(crate) async fn write_of_call(
    tx: &mut Tx<'_>,
    (org, call): (OrgId, CallId),
    links: &RecordingLinks,
    json: &mut Vec<u8>,
) -> Result<()> {
    let sql = format!("SELECT {FOUND} FROM recordings WHERE call_id = ?1 AND org_id = ?2");
    let mut all = tx.query(&sql, params![call, org], read_found).await?;
    all.sort_by_key(|found| found.variant);
    let details: Vec<RecordingDetail> = all.into_iter().map(|found| shown(found, call, links)).collect();
    let mut object = Object::resume(json);
    object.value("recordings", &details)
}

fn shown(found: FoundRecording, call: CallId, links: &RecordingLinks) -> RecordingDetail {
    use RecordingState::{Fetching, Pending, Stored};
    let FoundRecording { variant, state, object, error, .. } = found;
    let (content_type, size_bytes, duration_seconds) = match object {
        Some(object) => (Some(object.content_type), i64::try_from(object.size).ok(), object.duration_seconds),
        None => (None, None, None),
    };
    RecordingDetail {
        variant,
        // A try under way changes nothing that a client could act on, and the call's version stays.
        state: if state == Fetching { Pending } else { state },
        url: [Pending, Fetching, Stored].contains(&state).then(|| links.address_of(call, variant)),
        content_type,
        size_bytes,
        duration_seconds,
        error: error.filter(|_| !matches!(state, Pending | Fetching)),
    }
}

/// Tells a call what has become of its recordings, as a change of the call; and the world, where the call was told.
pub(crate) async fn tell_call(
    tx: &mut Tx<'_>,
    teller: &Teller,
    call: CallId,
    stamps: &mut Stamps,
) -> Result<()> {
    let state = state_of(tx, (teller.org, call)).await?;
    let changed = changes(tx, teller, call, state).await?;
    let stamp = stamps.next(tx).await?;
    put_state(tx, (teller.org, call), state, stamp).await?;
    let updated = NewEvent::updated(Subject::Call(call), Some(call), changed);
    events::insert_all(tx, teller, updated.into_iter().collect(), stamps).await
}

/// What a call's recordings come to.
pub(crate) async fn state_of(tx: &mut Tx<'_>, (org, call): (OrgId, CallId)) -> Result<Option<CallRecording>> {
    let sql = "SELECT state FROM recordings WHERE call_id = ?1 AND org_id = ?2";
    let states =
        tx.query(sql, params![call, org], |row| row.word("recording state", RecordingState::parse)).await?;
    Ok(CallRecording::of(&states))
}

/// Writes it down with the call.
pub(crate) async fn put_state(
    tx: &mut Tx<'_>,
    (org, call): (OrgId, CallId),
    state: Option<CallRecording>,
    stamp: Stamp,
) -> Result<()> {
    let sql = "UPDATE calls SET recording_state = ?3, updated_at = ?4 WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![call, org, state.map(|state| state as i64), stamp]).await.map(drop)
}

/// What is to be told of a call that was told as completed, whose recordings come to this now: the names of its fields
/// that change.
async fn changes(
    tx: &mut Tx<'_>,
    teller: &Teller,
    call: CallId,
    after: Option<CallRecording>,
) -> Result<Vec<String>> {
    if !tx.known.opted_in.contains(&teller.org) || teller.links.is_none() {
        return Ok(Vec::new());
    }
    let sql = "SELECT recording_state, recording_url FROM calls \
               WHERE id = ?1 AND org_id = ?2 AND completed_fired_at > 0 AND NOT blocked";
    let key = params![call, teller.org];
    let before =
        tx.first(sql, key, |row| Ok((row.get::<Option<i64>>()?, row.get::<Option<String>>()?))).await?;
    let Some((before, url)) = before else { return Ok(Vec::new()) };
    let before = RecordingShown::of(before.and_then(CallRecording::from_number), url.as_deref());
    let after = RecordingShown::of(after, url.as_deref());
    Ok(after.changed(before).into_iter().map(str::to_owned).collect())
}
