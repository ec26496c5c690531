//! What failed and is sent again: all that an endpoint was owed of a time, without a limit, a few at a time so that
//! nobody else waits. Each delivery is the one that it was, so a receiver gets nothing under another id.

use model::{DeliveryId, EndpointId, OrgId, RecoveryId, Time};

use crate::{
    DeliveryState, EndpointState, Idempotency, OrgStore, Result, Store, Written,
    delivery_log::have_failed,
    idempotency,
    stamps::Stamps,
    tx::Tx,
    value::{Cells, params},
};

/// How many deliveries one write makes due.
const SLICE: usize = 500;

/// Which deliveries are sent again.
#[derive(Clone, Debug)]
pub struct NewRecovery {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Those that stand like this: exhausted, cancelled or both.
    pub states: Vec<DeliveryState>,
    /// Only those made after this.
    pub since: Option<Time>,
    /// Only those made up to this; up to now without.
    pub until: Option<Time>,
}

impl NewRecovery {
    /// The states that can be recovered. What is held is sent when its endpoint is enabled.
    pub const STATES: [DeliveryState; 2] = [DeliveryState::Exhausted, DeliveryState::Cancelled];

    fn words(&self) -> String {
        let words: Vec<_> = Self::STATES
            .into_iter()
            .filter(|state| self.states.contains(state))
            .map(DeliveryState::as_str)
            .collect();
        words.join(" ")
    }
}

/// A recovery as it stands.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// Its id.
    pub id: RecoveryId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// How what is sent again stood.
    pub states: Vec<DeliveryState>,
    /// Of what was made after this, if that was said.
    pub since: Option<Time>,
    /// Of what was made up to this.
    pub until: Time,
    /// How many there were when it began.
    pub total: i64,
    /// How many are due again.
    pub done: i64,
    /// When it was asked for.
    pub created_at: Time,
    /// When the last was made due.
    pub finished_at: Option<Time>,
    org: OrgId,
    reached: Time,
}

/// What came of asking for a recovery.
#[derive(Clone, Debug)]
pub enum Recovering {
    /// It is under way or done; or the same request was answered before.
    Begun(Written),
    /// The endpoint answered 410 (Gone) and is told nothing.
    EndpointGone,
}

const COLUMNS: &str =
    "id, org_id, endpoint_id, states, since, until, reached, total, done, created_at, finished_at";

/// Before the first record there can be.
const EVER: Time = Time::from_micros(0);

fn read(row: &mut Cells<'_>) -> Result<Recovery> {
    let (id, org, endpoint) = (row.get()?, row.get()?, row.get()?);
    let states = row.get::<String>()?.split(' ').filter_map(DeliveryState::parse).collect();
    let since: Time = row.get()?;
    Ok(Recovery {
        id,
        endpoint,
        states,
        since: Some(since).filter(|since| *since > EVER),
        until: row.get()?,
        reached: row.get()?,
        total: row.get()?,
        done: row.get()?,
        created_at: row.get()?,
        finished_at: row.get()?,
        org,
    })
}

impl OrgStore {
    /// How many deliveries a recovery would send again; counting ends at `most`. `None` where there is no such endpoint.
    pub async fn count_recoverable(&self, new: NewRecovery, most: i64) -> Result<Option<i64>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    if state_of(tx, org, new.endpoint).await?.is_none() {
                        return Ok(None);
                    }
                    count(tx, &new, most).await.map(Some)
                })
            })
            .await
    }

    /// Begins to send again what failed, once for each idempotency key. `None` where there is no such endpoint. `answer`
    /// is as in [`OrgStore::create_endpoint_once`].
    pub async fn recover_deliveries(
        &self,
        new: NewRecovery,
        idempotency: Option<Idempotency>,
        answer: impl FnOnce(&Recovery) -> String + Send + 'static,
    ) -> Result<Option<Recovering>> {
        let (org, now, id) = (self.org, self.store.0.clock.now(), self.store.0.ids.id());
        // Counted beside the writer: there may be many. What fails meanwhile is one more.
        let Some(total) = self.count_recoverable(new.clone(), i64::MAX).await? else { return Ok(None) };
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    // The clock's lock lets two requests with the same key come one after the other.
                    let mut stamps = Stamps::take(tx, org, now).await?;
                    if let Some(known) = idempotency::known(tx, org, idempotency.as_ref(), now).await? {
                        return Ok(Some(Recovering::Begun(known)));
                    }
                    match state_of(tx, org, new.endpoint).await? {
                        None => return Ok(None),
                        Some(EndpointState::Gone) => return Ok(Some(Recovering::EndpointGone)),
                        Some(_) => {}
                    }
                    let since = new.since.unwrap_or(EVER);
                    // All that there is so far: stamps may be a little ahead of the time of day.
                    let so_far = stamps.next(tx).await?.time();
                    let until = new.until.unwrap_or(so_far).min(so_far);
                    let sql = "INSERT INTO recoveries (id, org_id, endpoint_id, states, since, until, reached, total, \
                                                       created_at) \
                               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5, ?7, ?8)";
                    tx.execute(sql, params![id, org, new.endpoint, &new.words(), since, until, total, now]).await?;
                    // At once where there are few.
                    let begun = by_id(tx, org, id).await?;
                    let Some(recovery) = begun else { return Ok(None) };
                    let recovery = advance(tx, recovery, now).await?;
                    let data = answer(&recovery);
                    idempotency::remember(tx, org, idempotency.as_ref(), 201, &data, now).await?;
                    Ok(Some(Recovering::Begun(Written::Done { created: true, data })))
                })
            })
            .await
    }

    /// A recovery, if the organization has it.
    pub async fn get_recovery(&self, id: RecoveryId) -> Result<Option<Recovery>> {
        let org = self.org;
        self.store.peek(move |tx| Box::pin(async move { by_id(tx, org, id).await })).await
    }
}

impl Store {
    /// Makes some more deliveries due of the recovery that was asked for first. Returns whether there was one.
    pub async fn advance_recovery(&self) -> Result<bool> {
        let now = self.0.clock.now();
        self.write(move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM recoveries WHERE finished_at IS NULL ORDER BY created_at LIMIT 1 {}",
                    tx.dialect().skip_locked()
                );
                let Some(recovery) = tx.first(&sql, &[], read).await? else { return Ok(false) };
                advance(tx, recovery, now).await?;
                Ok(true)
            })
        })
        .await
    }
}

/// Whether deliveries are being recovered, whoever's.
pub(crate) async fn is_any_under_way(tx: &mut Tx<'_>) -> Result<bool> {
    let sql = "SELECT 1 FROM recoveries WHERE finished_at IS NULL LIMIT 1";
    Ok(tx.first(sql, &[], |_| Ok(())).await?.is_some())
}

async fn by_id(tx: &mut Tx<'_>, org: OrgId, id: RecoveryId) -> Result<Option<Recovery>> {
    let sql = format!("SELECT {COLUMNS} FROM recoveries WHERE id = ?1 AND org_id = ?2");
    tx.first(&sql, params![id, org], read).await
}

async fn state_of(tx: &mut Tx<'_>, org: OrgId, id: EndpointId) -> Result<Option<EndpointState>> {
    let sql = "SELECT state FROM endpoints WHERE id = ?1 AND org_id = ?2 AND deleted_at IS NULL";
    tx.first(sql, params![id, org], |row| row.word("endpoint state", EndpointState::parse)).await
}

/// The deliveries of the endpoint `?1` that stand like `?2`, made between two times. Without the organization: the
/// endpoint is its own, as was seen to, and naming it here too would make SQLite walk all that it has.
fn are_of_endpoint() -> String {
    let failed = have_failed("");
    format!("endpoint_id = ?1 AND {failed} AND state = ?2 AND created_at > ?3 AND created_at <= ?4")
}

async fn count(tx: &mut Tx<'_>, new: &NewRecovery, most: i64) -> Result<i64> {
    let mut count = 0;
    let (since, until) = (new.since.unwrap_or(EVER), new.until.unwrap_or(Time::from_micros(i64::MAX)));
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 AS one FROM deliveries WHERE {} AND {IS_KEPT} LIMIT ?5) AS part",
        are_of_endpoint()
    );
    for state in NewRecovery::STATES.into_iter().filter(|state| new.states.contains(state)) {
        let values = params![new.endpoint, state.as_str(), since, until, most - count];
        count += tx.first(&sql, values, |row| row.get::<i64>()).await?.unwrap_or(0);
    }
    Ok(count)
}

/// Goes on along the failed deliveries, the oldest first.
async fn advance(tx: &mut Tx<'_>, mut recovery: Recovery, now: Time) -> Result<Recovery> {
    // Whoever has said meanwhile that it is gone is told nothing more.
    let state = state_of(tx, recovery.org, recovery.endpoint).await?;
    let mut found: Vec<(Time, DeliveryId)> = Vec::new();
    if state.is_some_and(|state| state != EndpointState::Gone) {
        let sql = format!(
            "SELECT created_at, id FROM deliveries WHERE {} ORDER BY created_at LIMIT {SLICE}",
            are_of_endpoint()
        );
        for state in &recovery.states {
            let values = params![recovery.endpoint, state.as_str(), recovery.reached, recovery.until];
            found.extend(tx.query(&sql, values, |row| Ok((row.get()?, row.get()?))).await?);
        }
    }
    found.sort_unstable();
    recovery.finished_at = (found.len() < SLICE).then_some(now);
    for (at, id) in found.into_iter().take(SLICE) {
        recovery.reached = at;
        recovery.done += make_due(tx, id, now).await?;
    }
    let sql = "UPDATE recoveries SET reached = ?2, done = ?3, finished_at = ?4 WHERE id = ?1";
    tx.execute(sql, params![recovery.id, recovery.reached, recovery.done, recovery.finished_at]).await?;
    tx.left.others = true;
    Ok(recovery)
}

/// What tells of a person who was erased is told no more.
const IS_KEPT: &str =
    "NOT EXISTS (SELECT 1 FROM events e WHERE e.id = deliveries.event_id AND e.erasure_id IS NOT NULL)";

/// As if it had been due since it was made, so that the oldest is sent first; and its schedule begins anew. Returns how
/// many are due by it: one, or none.
async fn make_due(tx: &mut Tx<'_>, id: DeliveryId, now: Time) -> Result<i64> {
    let sql = format!(
        "UPDATE deliveries SET state = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END, \
             due_at = CASE WHEN created_at < ?2 THEN created_at ELSE ?2 END, off_schedule = attempts, \
             recover_attempt = attempts + 1, manual_attempt = NULL, updated_at = ?2 \
         WHERE id = ?1 AND state IN ('exhausted', 'cancelled') AND {IS_KEPT}"
    );
    Ok(i64::try_from(tx.execute(&sql, params![id, now]).await?).unwrap_or(i64::MAX))
}
