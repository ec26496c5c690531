//! What becomes of all that an endpoint is owed when it is turned: held, released, called off or brought forward. That may be a
//! million deliveries, so each such change is a row that is worked off a few at a time, like a recovery: the first of them
//! at once, the others between the claims of a worker, and on from there after a crash.
//!
//! Meanwhile a worker that comes upon a delivery does what the change will do: nothing is sent to an endpoint that is
//! paused, gone or deleted, and nothing that is called off (`claims.rs`).

use model::{EndpointId, OrgId, Time};

use crate::{
    EndpointState, OrgStore, Result, Store, Waiting,
    delivery_log::have_failed,
    tx::Tx,
    value::{Cells, Value, params},
    waiting,
};

/// How many deliveries one write changes.
const SLICE: u64 = 500;

/// What becomes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turning {
    /// What is due waits until the endpoint is enabled.
    Hold,
    /// What was held is due, the oldest first.
    Deliver,
    /// What was held, or failed meanwhile, is called off because a person chose so.
    Discard,
    /// Everything is called off: there is nobody to send it to.
    CallOff,
    /// What would be tried again later is due: the endpoint is well.
    Hasten,
}

impl Turning {
    const ALL: [Self; 5] = [Self::Hold, Self::Deliver, Self::Discard, Self::CallOff, Self::Hasten];

    /// The word in the database and in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Deliver => "deliver",
            Self::Discard => "discard",
            Self::CallOff => "call_off",
            Self::Hasten => "hasten",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|turning| turning.as_str() == word)
    }
}

/// A change of what an endpoint is owed that is not at its end.
#[derive(Clone, Debug)]
pub struct BacklogChange {
    /// What becomes of it.
    pub turning: Turning,
    /// Of what was made after this.
    pub since: Time,
    /// Of what was made up to this.
    pub until: Time,
    /// How many were changed so far.
    pub done: i64,
    /// When it began.
    pub created_at: Time,
}

/// What an endpoint is owed, and what is becoming of it.
#[derive(Clone, Debug)]
pub struct Backlog {
    /// How much it is owed.
    pub waiting: Waiting,
    /// What is worked off, the oldest change first.
    pub changes: Vec<BacklogChange>,
}

const COLUMNS: &str = "kind, since, until, done, created_at";

fn read(row: &mut Cells<'_>) -> Result<BacklogChange> {
    Ok(BacklogChange {
        turning: row.word("turning", Turning::parse)?,
        since: row.get()?,
        until: row.get()?,
        done: row.get()?,
        created_at: row.get()?,
    })
}

/// Before the first record, and behind the last.
pub(crate) const EVER: Time = Time::from_micros(0);
pub(crate) const ALWAYS: Time = Time::from_micros(i64::MAX);

impl OrgStore {
    /// What an endpoint is owed. `None` where there is no such endpoint.
    pub async fn backlog(&self, endpoint: EndpointId) -> Result<Option<Backlog>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let sql = "SELECT 1 FROM endpoints WHERE id = ?1 AND org_id = ?2 AND deleted_at IS NULL";
                    if tx.first(sql, params![endpoint, org], |_| Ok(())).await?.is_none() {
                        return Ok(None);
                    }
                    let waiting = waiting::all(tx, org, endpoint).await?;
                    let sql = format!(
                        "SELECT {COLUMNS} FROM backlog_changes WHERE endpoint_id = ?1 AND org_id = ?2 \
                         ORDER BY created_at, kind"
                    );
                    let changes = tx.query(&sql, params![endpoint, org], read).await?;
                    Ok(Some(Backlog { waiting, changes }))
                })
            })
            .await
    }
}

impl Store {
    /// Changes some more deliveries of the change that began first. Returns whether there was one to go on with.
    pub async fn advance_backlog(&self) -> Result<bool> {
        let now = self.0.clock.now();
        self.write(move |tx| {
            Box::pin(async move {
                let sql = "SELECT org_id, endpoint_id, kind FROM backlog_changes ORDER BY created_at, endpoint_id LIMIT 1";
                let read = |row: &mut Cells<'_>| {
                    Ok((row.get::<OrgId>()?, row.get::<EndpointId>()?, row.word("turning", Turning::parse)?))
                };
                let Some((org, endpoint, turning)) = tx.first(sql, &[], read).await? else { return Ok(false) };
                // The endpoint first, like whoever else changes it. Where another has it, that one wakes the worker.
                let sql = format!("SELECT 1 FROM endpoints WHERE id = ?1 {}", tx.dialect().skip_locked());
                if tx.first(&sql, params![endpoint], |_| Ok(())).await?.is_none() {
                    return Ok(false);
                }
                work(tx, (org, endpoint), turning, now).await?;
                Ok(true)
            })
        })
        .await
    }
}

/// Whether anything is worked off, whoever's.
pub(crate) async fn is_any_under_way(tx: &mut Tx<'_>) -> Result<bool> {
    Ok(tx.first("SELECT 1 FROM backlog_changes LIMIT 1", &[], |_| Ok(())).await?.is_some())
}

/// Begins a change of what an endpoint is owed of a time, and does the first of it: all, where there is little. The endpoint
/// is the organization's and locked, as the caller's own statement saw to.
pub(crate) async fn begin(
    tx: &mut Tx<'_>,
    (org, endpoint): (OrgId, EndpointId),
    turning: Turning,
    (since, until): (Time, Time),
    now: Time,
) -> Result<()> {
    // One that is not at its end, and is asked for again, covers what came since too.
    let sql = "INSERT INTO backlog_changes (endpoint_id, kind, org_id, since, until, created_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (endpoint_id, kind) DO UPDATE SET since = excluded.since, \
                   until = CASE WHEN excluded.until > backlog_changes.until THEN excluded.until \
                                ELSE backlog_changes.until END, \
                   created_at = excluded.created_at";
    tx.execute(sql, params![endpoint, turning.as_str(), org, since, until, now]).await?;
    let is_over = work(tx, (org, endpoint), turning, now).await?;
    if turning == Turning::Discard && !is_over {
        let sql = "UPDATE endpoints SET discard_until = (SELECT until FROM backlog_changes \
                       WHERE endpoint_id = ?1 AND kind = 'discard') WHERE id = ?1 AND org_id = ?2";
        tx.execute(sql, params![endpoint, org]).await?;
    }
    Ok(())
}

/// The endpoint was turned: what was under way for how it stood before ends here. What is called off stays so.
pub(crate) async fn end_others(tx: &mut Tx<'_>, endpoint: EndpointId) -> Result<()> {
    let sql = "DELETE FROM backlog_changes WHERE endpoint_id = ?1 AND kind IN ('hold', 'deliver', 'hasten')";
    tx.execute(sql, params![endpoint]).await.map(drop)
}

/// Up to when what was held is being called off; from there on it may be delivered.
pub(crate) async fn discarded_until(tx: &mut Tx<'_>, endpoint: EndpointId) -> Result<Time> {
    let sql = "SELECT until FROM backlog_changes WHERE endpoint_id = ?1 AND kind = 'discard'";
    Ok(tx.first(sql, params![endpoint], |row| row.get()).await?.unwrap_or(EVER))
}

/// Does some of a change, and ends it where that was all. Returns whether it is over.
async fn work(
    tx: &mut Tx<'_>,
    (org, endpoint): (OrgId, EndpointId),
    turning: Turning,
    now: Time,
) -> Result<bool> {
    let sql = format!("SELECT {COLUMNS} FROM backlog_changes WHERE endpoint_id = ?1 AND kind = ?2");
    let found = tx.first(&sql, params![endpoint, turning.as_str()], read).await?;
    let Some(change) = found else { return Ok(true) };
    let changed = match is_in_force(tx, endpoint, turning).await? {
        true => change_some(tx, endpoint, &change, now).await?,
        false => Changed { count: 0, is_last: true },
    };
    tx.left.others = true;
    if !changed.is_last {
        let sql = "UPDATE backlog_changes SET done = done + ?3 WHERE endpoint_id = ?1 AND kind = ?2";
        let count = i64::try_from(changed.count).unwrap_or(i64::MAX);
        tx.execute(sql, params![endpoint, turning.as_str(), count]).await?;
        return Ok(false);
    }
    let sql = "DELETE FROM backlog_changes WHERE endpoint_id = ?1 AND kind = ?2";
    tx.execute(sql, params![endpoint, turning.as_str()]).await?;
    if turning == Turning::Discard {
        let sql = "UPDATE endpoints SET discard_until = NULL WHERE id = ?1 AND org_id = ?2 AND discard_until IS NOT NULL";
        tx.execute(sql, params![endpoint, org]).await?;
    }
    Ok(true)
}

/// Whether the endpoint still stands as a change wants it.
async fn is_in_force(tx: &mut Tx<'_>, endpoint: EndpointId, turning: Turning) -> Result<bool> {
    let sql = "SELECT state, opened_at IS NOT NULL, deleted_at IS NOT NULL FROM endpoints WHERE id = ?1";
    let read = |row: &mut Cells<'_>| {
        Ok((row.word("endpoint state", EndpointState::parse)?, row.get::<bool>()?, row.get::<bool>()?))
    };
    let Some((state, is_open, is_deleted)) = tx.first(sql, params![endpoint], read).await? else {
        return Ok(false);
    };
    Ok(match turning {
        Turning::Hold => state.holds(),
        Turning::Deliver => state == EndpointState::Enabled && !is_deleted,
        // While it is only probed, what is due waits like the rest.
        Turning::Hasten => state == EndpointState::Enabled && !is_deleted && !is_open,
        Turning::Discard | Turning::CallOff => true,
    })
}

/// How many deliveries were changed, and whether they were the last.
struct Changed {
    count: u64,
    is_last: bool,
}

async fn change_some(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    change: &BacklogChange,
    now: Time,
) -> Result<Changed> {
    let mut changed = Changed { count: 0, is_last: true };
    for statement in statements(change.turning) {
        let values = params![endpoint, now, change.since, change.until, change.created_at];
        // Each names no more of them than it uses.
        let values: &[Value<'_>] = &values[..statement.values];
        let count = tx.execute(&statement.sql, values).await?;
        changed.count += count;
        changed.is_last &= count < SLICE;
    }
    Ok(changed)
}

/// A statement that changes some deliveries of the endpoint `?1` at the time `?2`: of those made after `?3` and up to `?4`.
/// `?5` is when the change began.
struct Statement {
    sql: String,
    values: usize,
}

/// Those that are due, but what a person asked to have sent.
const NOT_ASKED_FOR: &str = "(manual_attempt IS NULL OR manual_attempt <> attempts + 1)";

/// Without the organization: the endpoint is its own, and naming it here too would make SQLite walk all that it has. What is
/// said twice, of those that are looked for and of those that are changed, lets PostgreSQL see what another changed
/// meanwhile.
fn statements(turning: Turning) -> Vec<Statement> {
    let due = |set: &str, condition: &str| Statement {
        sql: format!(
            "UPDATE deliveries SET {set} WHERE id IN (SELECT id FROM deliveries WHERE endpoint_id = ?1 AND due_at > 0 \
             AND created_at > ?3 AND created_at <= ?4 AND {condition} LIMIT {SLICE}) AND due_at IS NOT NULL"
        ),
        values: 4,
    };
    let failed = have_failed("");
    let held = |set: &str| Statement {
        sql: format!(
            "UPDATE deliveries SET {set} WHERE id IN (SELECT id FROM deliveries WHERE endpoint_id = ?1 AND {failed} \
             AND state = 'held' AND created_at > ?3 AND created_at <= ?4 ORDER BY created_at LIMIT {SLICE}) \
             AND state = 'held'"
        ),
        values: 4,
    };
    let cancel = "state = 'cancelled', due_at = NULL, updated_at = ?2";
    match turning {
        Turning::Hold => vec![due("state = 'held', due_at = NULL, updated_at = ?2", NOT_ASKED_FOR)],
        // As if it had been due since it was made, so that the oldest is sent first. A stamp may be a little ahead of the
        // time of day.
        Turning::Deliver => vec![held(
            "state = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END, \
             due_at = CASE WHEN created_at < ?2 THEN created_at ELSE ?2 END, updated_at = ?2",
        )],
        Turning::Discard => vec![due(cancel, NOT_ASKED_FOR), held(cancel)],
        // What somebody asked to have sent since is sent.
        Turning::CallOff => vec![due(cancel, "updated_at <= ?4"), held(cancel)],
        // A retry that comes before its time uses up no step of its schedule. The soonest first; and none that failed again
        // since.
        Turning::Hasten => vec![Statement {
            sql: format!(
                "UPDATE deliveries SET due_at = CASE WHEN created_at < ?5 THEN created_at ELSE ?5 END, \
                     off_schedule = off_schedule + 1 \
                 WHERE id IN (SELECT id FROM deliveries WHERE endpoint_id = ?1 AND due_at > ?5 AND updated_at <= ?5 \
                              AND created_at > ?3 AND created_at <= ?4 AND CAST(?2 AS BIGINT) > 0 ORDER BY due_at LIMIT {SLICE}) \
                 AND due_at > ?5"
            ),
            values: 5,
        }],
    }
}
