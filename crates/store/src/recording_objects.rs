//! What is in the object store and is not to stay there: recordings past their time, and what nobody refers to.

use std::time::Duration;

use model::{CallId, OrgId, RecordingSettings, SourceId, Stamp, Time, Variant};

use crate::{
    OrgStore, Result, Store,
    events::Teller,
    recordings::{self, tell_call},
    stamps::Stamps,
    tx::Tx,
    value::{Cells, params},
};

/// Has an object deleted when it is due, unless it is spared before.
pub(crate) async fn doom(tx: &mut Tx<'_>, key: &str, due_at: Time) -> Result<()> {
    let sql = "INSERT INTO doomed_objects (object_key, due_at) VALUES (?1, ?2) \
               ON CONFLICT (object_key) DO UPDATE SET due_at = excluded.due_at";
    tx.execute(sql, params![key, due_at]).await.map(drop)
}

/// Lets an object be: something refers to it now, or it is gone.
pub(crate) async fn spare(tx: &mut Tx<'_>, key: &str) -> Result<()> {
    tx.execute("DELETE FROM doomed_objects WHERE object_key = ?1", params![key]).await.map(drop)
}

/// How long an object may take to be written whose recording comes within a message.
const ARRIVAL: Duration = Duration::from_secs(3600);

/// How many recordings are deleted in one transaction.
const BATCH: i64 = 100;

/// Recordings of one source that are past their time.
struct Rule {
    source: SourceId,
    org: OrgId,
    keep: Duration,
}

impl OrgStore {
    /// A fresh key for an object that is about to be written. Unless a recording refers to it within an hour, it
    /// counts as left behind.
    pub async fn begin_object(&self) -> Result<String> {
        let key = format!("{}/{}", self.org, self.store.0.ids.uuid());
        let (made, due_at) = (key.clone(), self.store.0.clock.now() + ARRIVAL);
        self.store.write(move |tx| Box::pin(async move { doom(tx, &made, due_at).await })).await?;
        Ok(key)
    }

    /// Deletes a call's recordings, for good. Returns how many. Their objects follow as soon as possible.
    pub async fn delete_recordings(&self, call: CallId) -> Result<usize> {
        let teller = self.teller();
        let (org, now) = (teller.org, teller.now);
        let count = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    // Locked before it is looked what there is: a message may be about to note another one.
                    let mut stamps = Stamps::take(tx, org, now).await?;
                    let sql = "SELECT variant FROM recordings WHERE call_id = ?1 AND org_id = ?2 AND state <> 'deleted'";
                    let variants =
                        tx.query(sql, params![call, org], |row| row.word("variant", Variant::parse)).await?;
                    let of_call: Vec<_> = variants.into_iter().map(|variant| (call, variant)).collect();
                    delete(tx, &teller, &of_call, &mut stamps).await?;
                    Ok(of_call.len())
                })
            })
            .await?;
        self.store.wake_recordings();
        Ok(count)
    }
}

impl Store {
    /// Deletes a batch of recordings that are past their time: after `keep`, or as long as their source says. Returns
    /// how many. Their objects are due then, see [`Store::doomed_objects`].
    pub async fn retire_recordings(&self, keep: Option<Duration>) -> Result<usize> {
        let now = self.0.clock.now();
        let rules = self.read(move |tx| Box::pin(async move { rules(tx, keep).await })).await?;
        let mut count = 0;
        for Rule { source, org, keep } in rules {
            let before = now.plus_micros(-micros(keep));
            let due = self
                .read(move |tx| Box::pin(async move { past_their_time(tx, source, before).await }))
                .await?;
            if due.is_empty() {
                continue;
            }
            let teller = self.org(org).teller();
            count += self
                .write(move |tx| {
                    Box::pin(async move {
                        // Looked at again under the lock: one may have been stored anew meanwhile.
                        let mut stamps = Stamps::take(tx, org, now).await?;
                        let due = past_their_time(tx, source, before).await?;
                        delete(tx, &teller, &due, &mut stamps).await?;
                        Ok(due.len())
                    })
                })
                .await?;
        }
        Ok(count)
    }

    /// When the next recording is past its time.
    pub async fn next_retirement(&self, keep: Option<Duration>) -> Result<Option<Time>> {
        self.read(move |tx| {
            Box::pin(async move {
                let mut next = None::<Time>;
                for Rule { source, keep, .. } in rules(tx, keep).await? {
                    let sql = "SELECT min(stored_at) FROM recordings WHERE source_id = ?1 AND stored_at IS NOT NULL";
                    let oldest = tx.first(sql, params![source], |row| row.get::<Option<Time>>()).await?.flatten();
                    let due = oldest.map(|oldest| oldest.plus_micros(micros(keep)));
                    next = next.into_iter().chain(due).min();
                }
                Ok(next)
            })
        })
        .await
    }

    /// Objects that are to be deleted now, some at a time.
    pub async fn doomed_objects(&self) -> Result<Vec<String>> {
        let now = self.0.clock.now();
        self.read(move |tx| {
            Box::pin(async move {
                let sql = "SELECT object_key FROM doomed_objects WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2";
                tx.query(sql, params![now, BATCH], |row| row.get()).await
            })
        })
        .await
    }

    /// When the next object is to be deleted.
    pub async fn next_object_due(&self) -> Result<Option<Time>> {
        self.peek(|tx| {
            Box::pin(async move {
                let sql = "SELECT min(due_at) FROM doomed_objects";
                Ok(tx.first(sql, &[], |row| row.get::<Option<Time>>()).await?.flatten())
            })
        })
        .await
    }

    /// Writes down that an object is gone.
    pub async fn forget_object(&self, key: String) -> Result<()> {
        self.write(move |tx| Box::pin(async move { spare(tx, &key).await })).await
    }

    /// Has the deletion of an object that failed tried again later.
    pub async fn postpone_object(&self, key: String, until: Time) -> Result<()> {
        self.write(move |tx| Box::pin(async move { doom(tx, &key, until).await })).await
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// How long each source's recordings are kept, where that is not for ever. Deleted sources too: their calls stay.
async fn rules(tx: &mut Tx<'_>, keep: Option<Duration>) -> Result<Vec<Rule>> {
    let sql = "SELECT id, org_id, settings FROM sources ORDER BY id";
    let all = tx
        .query(sql, &[], |row| Ok((row.get()?, row.get()?, row.json::<serde_json::Value>("settings")?)))
        .await?;
    let rule = |(source, org, settings): (SourceId, OrgId, serde_json::Value)| {
        let own = RecordingSettings::of(&settings).keep_days;
        let keep = own.map(|days| Duration::from_secs(u64::from(days) * 86_400)).or(keep)?;
        Some(Rule { source, org, keep })
    };
    Ok(all.into_iter().filter_map(rule).collect())
}

/// A source's recordings that were stored until a time, some of them.
async fn past_their_time(tx: &mut Tx<'_>, source: SourceId, before: Time) -> Result<Vec<(CallId, Variant)>> {
    let sql = "SELECT call_id, variant FROM recordings WHERE source_id = ?1 AND stored_at <= ?2 \
               ORDER BY stored_at LIMIT ?3";
    let read = |row: &mut Cells<'_>| Ok((row.get()?, row.word("variant", Variant::parse)?));
    tx.query(sql, params![source, before, BATCH], read).await
}

/// Deletes recordings: from now on they are served to nobody, and their objects are to be deleted.
async fn delete(
    tx: &mut Tx<'_>,
    teller: &Teller,
    which: &[(CallId, Variant)],
    stamps: &mut Stamps,
) -> Result<()> {
    let (org, now) = (teller.org, teller.now);
    for (call, variant) in which {
        delete_one(tx, org, (*call, *variant), now).await?;
        tell_call(tx, teller, *call, stamps).await?;
    }
    Ok(())
}

/// Deletes the recordings of a call whose person is erased, as [`delete`] does, and what was said of those that are
/// deleted already. Returns how many there were.
pub(crate) async fn delete_of_call(
    tx: &mut Tx<'_>,
    (org, call): (OrgId, CallId),
    now: Time,
    stamp: Stamp,
) -> Result<usize> {
    let sql = "SELECT variant FROM recordings WHERE call_id = ?1 AND org_id = ?2";
    let variants = tx.query(sql, params![call, org], |row| row.word("variant", Variant::parse)).await?;
    for variant in &variants {
        delete_one(tx, org, (call, *variant), now).await?;
    }
    if !variants.is_empty() {
        // The world is told of no one who is erased.
        let state = recordings::state_of(tx, (org, call)).await?;
        recordings::put_state(tx, (org, call), state, stamp).await?;
    }
    Ok(variants.len())
}

async fn delete_one(
    tx: &mut Tx<'_>,
    org: OrgId,
    (call, variant): (CallId, Variant),
    now: Time,
) -> Result<()> {
    let own = params![call, variant.as_str(), org];
    let sql = "SELECT object_key FROM recordings WHERE call_id = ?1 AND variant = ?2 AND org_id = ?3";
    let key = tx.first(sql, own, |row| row.get::<Option<String>>()).await?.flatten();
    if let Some(key) = key {
        doom(tx, &key, now).await?;
    }
    // The address may hold a signature, and leads to what was to be deleted: it goes too.
    let sql = "UPDATE recordings SET state = 'deleted', url = NULL, due_at = NULL, lease_owner = NULL, \
                   lease_until = NULL, error = NULL, object_key = NULL, stored_at = NULL, updated_at = ?4 \
               WHERE call_id = ?1 AND variant = ?2 AND org_id = ?3";
    tx.execute(sql, params![call, variant.as_str(), org, now]).await.map(drop)
}
