//! The steps of a listing: taken by one process at a time, and written down one by one.

use model::{SyncId, Time};
use uuid::Uuid;

use crate::{
    Result, Store, Sync, SyncKind, SyncStatus,
    syncs::{COLUMNS, read},
    value::{Value, params},
};

/// What a step came to.
#[derive(Clone, Debug)]
pub struct Step {
    /// How it stands then. An import that somebody paused meanwhile stays paused, unless it is done.
    pub status: SyncStatus,
    /// See [`Sync::since`].
    pub since: Time,
    /// See [`Sync::until`].
    pub until: Option<Time>,
    /// See [`Sync::page`].
    pub page: Option<String>,
    /// See [`Sync::open_since`].
    pub open_since: Option<Time>,
    /// How many pages were read: one, or none.
    pub pages: i64,
    /// How many calls were in it.
    pub found: i64,
    /// See [`Sync::failures`].
    pub failures: i64,
    /// See [`Sync::error`].
    pub error: Option<String>,
    /// When the next step is due.
    pub due_at: Option<Time>,
    /// When it was last at its end.
    pub ended_at: Option<Time>,
}

impl Store {
    /// Takes listings whose next step is due, for one step each, leased to an owner until a time: any, or only one.
    pub async fn claim_syncs(
        &self,
        kinds: &'static [SyncKind],
        only: Option<SyncId>,
        (owner, until): (Uuid, Time),
        limit: usize,
    ) -> Result<Vec<Sync>> {
        let now = self.0.clock.now();
        self.write(move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM syncs WHERE due_at <= ?1 AND {}{} ORDER BY due_at, id LIMIT ?2 {}",
                    among(kinds),
                    if only.is_some() { " AND id = ?3" } else { "" },
                    tx.dialect().skip_locked()
                );
                let mut asked = params![now, limit as i64].to_vec();
                asked.extend(only.map(Value::from));
                let due = tx.query(&sql, &asked, read).await?;
                for sync in &due {
                    let sql = "UPDATE syncs SET lease_owner = ?3, due_at = ?4 WHERE id = ?1 AND org_id = ?2";
                    tx.execute(sql, params![sync.id, sync.org, owner, until]).await?;
                }
                Ok(due)
            })
        })
        .await
    }

    /// Holds a step for longer, until a time. Returns whether it was still held: if not, somebody else takes it, or there is
    /// no such listing any more.
    pub async fn renew_sync(&self, sync: &Sync, owner: Uuid, until: Time) -> Result<bool> {
        let (id, org) = (sync.id, sync.org);
        self.write(move |tx| {
            Box::pin(async move {
                // One that was paused meanwhile is taken to the page's end, and is not due after it.
                let sql = "UPDATE syncs \
                           SET due_at = CASE WHEN due_at IS NULL THEN NULL ELSE CAST(?4 AS BIGINT) END \
                           WHERE id = ?1 AND org_id = ?2 AND lease_owner = ?3";
                Ok(tx.execute(sql, params![id, org, owner, until]).await? > 0)
            })
        })
        .await
    }

    /// Writes down what a step came to, and gives the lease back. Returns whether it was still held: if not, somebody
    /// else takes the step, and nothing is written.
    pub async fn finish_step(&self, sync: &Sync, owner: Uuid, step: Step) -> Result<bool> {
        let (id, org, now) = (sync.id, sync.org, self.0.clock.now());
        self.write(move |tx| {
            Box::pin(async move {
                let sql = "UPDATE syncs SET since = ?4, until = ?5, page = ?6, open_since = ?7, pages = pages + ?8, \
                               found = found + ?9, failures = ?10, error = ?11, ended_at = ?12, updated_at = ?13, \
                               lease_owner = NULL \
                           WHERE id = ?1 AND org_id = ?2 AND lease_owner = ?3";
                let Step { since, until, page, open_since, pages, found, failures, error, .. } = &step;
                let known = params![
                    id, org, owner, *since, *until, page, *open_since, *pages, *found, *failures, error,
                    step.ended_at, now
                ];
                if tx.execute(sql, known).await? == 0 {
                    return Ok(false);
                }
                let sql = "UPDATE syncs SET status = ?3, due_at = ?4 \
                           WHERE id = ?1 AND org_id = ?2 AND (status <> 'paused' OR CAST(?3 AS TEXT) = 'done')";
                tx.execute(sql, params![id, org, step.status.as_str(), step.due_at]).await?;
                Ok(true)
            })
        })
        .await
    }

    /// When the next step of a listing is due. A step that is under way is due when its lease is over.
    pub async fn next_sync_due(&self, kinds: &'static [SyncKind]) -> Result<Option<Time>> {
        self.read(move |tx| {
            Box::pin(async move {
                let sql =
                    format!("SELECT min(due_at) FROM syncs WHERE due_at IS NOT NULL AND {}", among(kinds));
                Ok(tx.first(&sql, &[], |row| row.get::<Option<Time>>()).await?.flatten())
            })
        })
        .await
    }

    /// How many steps are under way in any process, or due.
    pub async fn count_busy_syncs(&self) -> Result<i64> {
        let now = self.0.clock.now();
        self.read(move |tx| {
            Box::pin(async move {
                let sql = "SELECT CAST(count(*) AS BIGINT) FROM syncs \
                           WHERE due_at IS NOT NULL AND (lease_owner IS NOT NULL OR due_at <= ?1)";
                Ok(tx.first(sql, params![now], |row| row.get::<i64>()).await?.unwrap_or(0))
            })
        })
        .await
    }

    /// Makes due again what was under way when the process before this one ended. Only for a process that is the only
    /// one; elsewhere a lease runs out by itself.
    pub async fn release_syncs(&self) -> Result<()> {
        let now = self.0.clock.now();
        self.write(move |tx| {
            Box::pin(async move {
                let sql = "UPDATE syncs SET lease_owner = NULL, \
                               due_at = CASE WHEN due_at IS NULL THEN NULL ELSE CAST(?1 AS BIGINT) END \
                           WHERE lease_owner IS NOT NULL";
                tx.execute(sql, params![now]).await.map(drop)
            })
        })
        .await
    }
}

/// The words and not parameters, because there may be one or two.
fn among(kinds: &[SyncKind]) -> String {
    let words: Vec<String> = kinds.iter().map(|kind| format!("'{}'", kind.as_str())).collect();
    format!("kind IN ({})", words.join(", "))
}
