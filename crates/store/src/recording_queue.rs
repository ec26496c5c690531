//! Recordings that are to be fetched: taken under a lease, tried, and concluded.

use std::{fmt, sync::Arc};

use model::{CallId, OrgId, Platform, RecordingState, SourceId, Time, Variant};
use uuid::Uuid;

use crate::{
    Result, Store, StoredObject,
    events::Teller,
    recording_objects,
    recordings::tell_call,
    stamps::Stamps,
    tx::Tx,
    value::{Cells, params},
};

/// A recording that this process is to fetch.
#[derive(Clone)]
pub struct Fetch {
    /// Its call.
    pub call: CallId,
    /// Which it is.
    pub variant: Variant,
    /// Whose it is.
    pub org: OrgId,
    /// The source of its call.
    pub source: SourceId,
    /// The platform that has it.
    pub platform: Platform,
    /// The source's secret, which some platforms also take for their recordings.
    pub secret: String,
    /// The platform's id of its call.
    pub external_id: Option<String>,
    /// Where the platform has it; empty where its API alone gives it out.
    pub url: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// Where it is to be put. Nobody else writes there.
    pub key: String,
}

/// Neither the secret nor the address, which often holds a signature.
impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fetch({} {})", self.call, self.variant.as_str())
    }
}

/// What came of a try.
#[derive(Clone, Debug)]
pub enum Fetched {
    /// It is there.
    Stored(StoredObject),
    /// It failed, and is to be tried again.
    RetryAt(Time, String),
    /// It failed for the last time: [`RecordingState::Failed`] or [`RecordingState::Expired`], and why.
    GivenUp(RecordingState, String),
}

/// How long after its lease what a try wrote counts as left behind, in microseconds.
const LEFT_BEHIND_MICROS: i64 = 3600 * 1_000_000;

impl Store {
    /// Resolves when a recording may have become due.
    pub async fn recording_due(&self) {
        self.0.recordings_due.notified().await;
    }

    /// Says that a recording may have become due.
    pub fn wake_recordings(&self) {
        self.0.recordings_due.notify_one();
    }

    /// Takes due recordings under a lease until `until`, the longest due first. Those whose lease ran out are due too:
    /// whoever held it is gone.
    pub async fn claim_recordings(&self, owner: Uuid, until: Time, limit: usize) -> Result<Vec<Fetch>> {
        let (now, ids) = (self.0.clock.now(), self.0.ids.clone());
        self.write_repeatable(move |tx| {
            let ids = ids.clone();
            Box::pin(async move {
                release(tx, now, now).await?;
                let mut claimed = Vec::new();
                for (call, variant) in claim(tx, owner, until, now, limit).await? {
                    let Some(fetch) = read_fetch(tx, call, variant).await? else { continue };
                    let fetch = Fetch { key: format!("{}/{}", fetch.org, ids.uuid()), ..fetch };
                    recording_objects::doom(tx, &fetch.key, until.plus_micros(LEFT_BEHIND_MICROS)).await?;
                    claimed.push(fetch);
                }
                Ok(claimed)
            })
        })
        .await
    }

    /// Makes recordings due whose lease ran out before `before`.
    pub async fn release_recordings(&self, before: Time) -> Result<u64> {
        let now = self.0.clock.now();
        self.write(move |tx| Box::pin(async move { release(tx, before, now).await })).await
    }

    /// Gives back what a process holds and does not finish.
    pub async fn give_back_recordings(&self, owner: Uuid) -> Result<u64> {
        let now = self.0.clock.now();
        self.write(move |tx| {
            Box::pin(async move {
                let sql = "UPDATE recordings SET state = 'pending', due_at = ?2, attempts = attempts - 1, \
                               lease_owner = NULL, lease_until = NULL \
                           WHERE lease_owner = ?1";
                tx.execute(sql, params![owner, now]).await
            })
        })
        .await
    }

    /// Writes down what came of a try. `false` where the lease was lost meanwhile: then nothing is changed.
    pub async fn conclude_recording(&self, fetch: &Fetch, owner: Uuid, fetched: Fetched) -> Result<bool> {
        let asked = Arc::new((fetch.clone(), fetched, self.org(fetch.org).teller()));
        self.write_repeatable(move |tx| {
            let asked = asked.clone();
            Box::pin(async move { conclude(tx, &asked.2, &asked.0, owner, &asked.1).await })
        })
        .await
    }

    /// When the next recording is to be fetched, leases that run out included.
    pub async fn next_recording_due(&self) -> Result<Option<Time>> {
        self.peek(|tx| {
            Box::pin(async move {
                let sql = "SELECT min(due_at) FROM recordings WHERE due_at IS NOT NULL";
                let due = tx.first(sql, &[], |row| row.get::<Option<Time>>()).await?.flatten();
                let sql = "SELECT min(lease_until) FROM recordings WHERE lease_until IS NOT NULL";
                let lease = tx.first(sql, &[], |row| row.get::<Option<Time>>()).await?.flatten();
                Ok(due.into_iter().chain(lease).min())
            })
        })
        .await
    }

    /// How many recordings are being fetched.
    pub async fn recordings_under_way(&self) -> Result<i64> {
        self.read(|tx| {
            Box::pin(async move {
                let sql = "SELECT count(*) FROM recordings WHERE lease_until IS NOT NULL";
                Ok(tx.first(sql, &[], |row| row.get()).await?.unwrap_or(0))
            })
        })
        .await
    }
}

async fn release(tx: &mut Tx<'_>, before: Time, now: Time) -> Result<u64> {
    let sql = "UPDATE recordings SET state = 'pending', due_at = ?2, lease_owner = NULL, lease_until = NULL \
               WHERE lease_until <= ?1";
    tx.execute(sql, params![before, now]).await
}

async fn claim(
    tx: &mut Tx<'_>,
    owner: Uuid,
    until: Time,
    now: Time,
    limit: usize,
) -> Result<Vec<(CallId, Variant)>> {
    let sql = format!(
        "UPDATE recordings SET state = 'fetching', due_at = NULL, lease_owner = ?1, lease_until = ?2, \
             attempts = attempts + 1, updated_at = ?3 \
         WHERE (call_id, variant) IN (SELECT call_id, variant FROM recordings WHERE due_at <= ?3 \
             ORDER BY due_at LIMIT ?4 {}) \
         RETURNING call_id, variant",
        tx.dialect().skip_locked()
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let read = |row: &mut Cells<'_>| Ok((row.get()?, row.word("variant", Variant::parse)?));
    tx.query(&sql, params![owner, until, now, limit], read).await
}

async fn read_fetch(tx: &mut Tx<'_>, call: CallId, variant: Variant) -> Result<Option<Fetch>> {
    let sql = "SELECT r.org_id, r.source_id, s.platform, s.secret, c.external_id, r.url, r.attempts \
               FROM recordings r JOIN sources s ON s.id = r.source_id JOIN calls c ON c.id = r.call_id \
               WHERE r.call_id = ?1 AND r.variant = ?2";
    tx.first(sql, params![call, variant.as_str()], |row| {
        Ok(Fetch {
            call,
            variant,
            org: row.get()?,
            source: row.get()?,
            platform: row.word("platform", Platform::parse)?,
            secret: row.get()?,
            external_id: row.get()?,
            url: row.get::<Option<String>>()?.unwrap_or_default(),
            attempt: u32::try_from(row.get::<i64>()?).unwrap_or(u32::MAX),
            key: String::new(),
        })
    })
    .await
}

async fn conclude(
    tx: &mut Tx<'_>,
    teller: &Teller,
    fetch: &Fetch,
    owner: Uuid,
    fetched: &Fetched,
) -> Result<bool> {
    let now = teller.now;
    if let Fetched::RetryAt(at, why) = fetched {
        let sql = "UPDATE recordings SET state = 'pending', due_at = ?5, error = ?6, lease_owner = NULL, \
                       lease_until = NULL, updated_at = ?4 \
                   WHERE call_id = ?1 AND variant = ?2 AND lease_owner = ?3";
        let params = params![fetch.call, fetch.variant.as_str(), owner, now, *at, why];
        return Ok(tx.execute(sql, params).await? > 0);
    }
    let mut stamps = Stamps::take(tx, fetch.org, now).await?;
    let sql = "SELECT object_key FROM recordings WHERE call_id = ?1 AND variant = ?2 AND lease_owner = ?3";
    let params = params![fetch.call, fetch.variant.as_str(), owner];
    let before = tx.first(sql, params, |row| row.get::<Option<String>>()).await?;
    let Some(before) = before else { return Ok(false) };
    match fetched {
        Fetched::Stored(object) => {
            put(tx, fetch, object, now).await?;
            if let Some(before) = before {
                recording_objects::doom(tx, &before, now).await?;
            }
        }
        // What was stored before, under another address, is better than nothing.
        Fetched::GivenUp(_, why) if before.is_some() => {
            give_up(tx, fetch, RecordingState::Stored, (why, now)).await?;
        }
        Fetched::GivenUp(state, why) => give_up(tx, fetch, *state, (why, now)).await?,
        Fetched::RetryAt(..) => {}
    }
    tell_call(tx, teller, fetch.call, &mut stamps).await?;
    Ok(true)
}

async fn put(tx: &mut Tx<'_>, fetch: &Fetch, object: &StoredObject, now: Time) -> Result<()> {
    let sql = "UPDATE recordings SET state = 'stored', error = NULL, lease_owner = NULL, lease_until = NULL, \
                   object_key = ?4, content_type = ?5, size_bytes = ?6, sha256 = ?7, duration_seconds = ?8, \
                   stored_at = ?3, updated_at = ?3 \
               WHERE call_id = ?1 AND variant = ?2";
    let params = params![
        fetch.call,
        fetch.variant.as_str(),
        now,
        &object.key,
        &object.content_type,
        i64::try_from(object.size).unwrap_or(i64::MAX),
        object.sha256.as_slice(),
        object.duration_seconds,
    ];
    tx.execute(sql, params).await?;
    recording_objects::spare(tx, &object.key).await
}

async fn give_up(
    tx: &mut Tx<'_>,
    fetch: &Fetch,
    state: RecordingState,
    (why, now): (&str, Time),
) -> Result<()> {
    let sql = "UPDATE recordings SET state = ?3, error = ?4, lease_owner = NULL, lease_until = NULL, updated_at = ?5 \
               WHERE call_id = ?1 AND variant = ?2";
    let params = params![fetch.call, fetch.variant.as_str(), state.as_str(), why, now];
    tx.execute(sql, params).await.map(drop)
}
