//! How far the listing of a platform's calls has come: an import that somebody asked for, or a source's reconciler,
//! which begins anew again and again. Progress is written after each page, so that whoever takes the next step needs to
//! know nothing else.

use model::{IdGen, OrgId, Place, PlacedPage, SourceId, SyncId, Time};

use crate::{
    Idempotency, OrgStore, Placed, Result, Source, Written, idempotency,
    list::ListQuery,
    stamps::Stamps,
    tx::Tx,
    value::{Cells, params},
};

/// What a listing is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncKind {
    /// History that somebody asked for.
    Import,
    /// What the source's webhooks may have missed.
    Reconcile,
}

/// How a listing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncStatus {
    /// It goes on by itself.
    Running,
    /// A reconciler between two runs.
    Waiting,
    /// Somebody stopped it; it goes on where it was when somebody says so.
    Paused,
    /// It came to nothing. A reconciler tries again, an import when somebody says so.
    Failed,
    /// Everything was listed.
    Done,
}

impl SyncKind {
    const ALL: [Self; 2] = [Self::Import, Self::Reconcile];

    /// The word in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Reconcile => "reconcile",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl SyncStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Running, Self::Waiting, Self::Paused, Self::Failed, Self::Done];

    /// The word in the database and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// A listing of a platform's calls.
#[derive(Clone, Debug)]
pub struct Sync {
    /// Its id.
    pub id: SyncId,
    /// Whose calls they are.
    pub org: OrgId,
    /// The source.
    pub source: SourceId,
    /// What it is for.
    pub kind: SyncKind,
    /// How it stands.
    pub status: SyncStatus,
    /// Calls that began from then on are listed; for a reconciler, up to when everything is known.
    pub since: Time,
    /// Calls that began until then are listed. `None` for a reconciler between two runs.
    pub until: Option<Time>,
    /// The token of the next page; `None` before the first.
    pub page: Option<String>,
    /// When the first call began that was seen under way.
    pub open_since: Option<Time>,
    /// How many pages were read.
    pub pages: i64,
    /// How many calls were in them.
    pub found: i64,
    /// How many of them were not known, or not known to be over.
    pub missing: i64,
    /// How many of those are now.
    pub healed: i64,
    /// How many steps have failed since the last one that did not.
    pub failures: i64,
    /// What went wrong last, if anything is.
    pub error: Option<String>,
    /// When its next step is due; `None` where nothing is. While a step is under way, when its lease is over.
    pub due_at: Option<Time>,
    /// When it was asked for.
    pub created_at: Time,
    /// When anything of it last changed.
    pub updated_at: Time,
    /// When it was last at its end.
    pub ended_at: Option<Time>,
}

pub(crate) const COLUMNS: &str = "id, org_id, source_id, kind, status, since, until, page, open_since, pages, found, missing, \
     healed, failures, error, due_at, created_at, updated_at, ended_at";

pub(crate) fn read(row: &mut Cells<'_>) -> Result<Sync> {
    Ok(Sync {
        id: row.get()?,
        org: row.get()?,
        source: row.get()?,
        kind: row.word("kind", SyncKind::parse)?,
        status: row.word("status", SyncStatus::parse)?,
        since: row.get()?,
        until: row.get()?,
        page: row.get()?,
        open_since: row.get()?,
        pages: row.get()?,
        found: row.get()?,
        missing: row.get()?,
        healed: row.get()?,
        failures: row.get()?,
        error: row.get()?,
        due_at: row.get()?,
        created_at: row.get()?,
        updated_at: row.get()?,
        ended_at: row.get()?,
    })
}

/// A listing that begins now.
struct NewSync {
    id: SyncId,
    kind: SyncKind,
    status: SyncStatus,
    since: Time,
    until: Option<Time>,
}

async fn insert(
    tx: &mut Tx<'_>,
    (org, source): (OrgId, SourceId),
    new: &NewSync,
    created_at: Time,
    due_at: Time,
) -> Result<()> {
    let sql = "INSERT INTO syncs (id, org_id, source_id, kind, status, since, until, pages, found, missing, healed, \
                   failures, due_at, created_at, updated_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, 0, 0, 0, ?8, ?9, ?9)";
    let NewSync { id, kind, status, since, until } = new;
    let (kind, status) = (kind.as_str(), status.as_str());
    tx.execute(sql, params![*id, org, source, kind, status, *since, *until, due_at, created_at])
        .await
        .map(drop)
}

/// How far back a reconciler begins that never ran before: what is older is for an import.
const LOOK_BACK_MICROS: i64 = 7 * 86_400 * 1_000_000;

/// Makes a source's reconciler, or sets the one that it has to work at once.
pub(crate) async fn start_reconciler(
    tx: &mut Tx<'_>,
    source: &Source,
    ids: &dyn IdGen,
    now: Time,
) -> Result<()> {
    let sql = "UPDATE syncs SET status = 'waiting', failures = 0, error = NULL, page = NULL, until = NULL, \
                   due_at = ?3, lease_owner = NULL, updated_at = ?3 \
               WHERE source_id = ?1 AND org_id = ?2 AND kind = 'reconcile'";
    if tx.execute(sql, params![source.id, source.org, now]).await? > 0 {
        return Ok(());
    }
    // What the webhooks brought last is the last that is known.
    let sql = "SELECT received_at FROM inbox WHERE source_id = ?1 AND org_id = ?2 AND outcome = 'accepted' \
               ORDER BY received_at DESC LIMIT 1";
    let last = tx.first(sql, params![source.id, source.org], |row| row.get::<Time>()).await?;
    let since = last.unwrap_or(now).max(now.plus_micros(-LOOK_BACK_MICROS));
    let new =
        NewSync { id: ids.id(), kind: SyncKind::Reconcile, status: SyncStatus::Waiting, since, until: None };
    insert(tx, (source.org, source.id), &new, now, now).await
}

pub(crate) async fn remove_reconciler(tx: &mut Tx<'_>, org: OrgId, source: SourceId) -> Result<()> {
    let sql = "DELETE FROM syncs WHERE source_id = ?1 AND org_id = ?2 AND kind = 'reconcile'";
    tx.execute(sql, params![source, org]).await.map(drop)
}

async fn import_by_id(tx: &mut Tx<'_>, org: OrgId, source: SourceId, id: SyncId) -> Result<Option<Sync>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM syncs WHERE id = ?1 AND org_id = ?2 AND source_id = ?3 AND kind = 'import'"
    );
    tx.first(&sql, params![id, org, source], read).await
}

impl OrgStore {
    /// Begins to import the calls that began in a time, once for each idempotency key. `answer` is as in
    /// [`OrgStore::create_source_once`].
    pub async fn start_import(
        &self,
        source: SourceId,
        (since, until): (Time, Time),
        idempotency: Option<Idempotency>,
        answer: impl FnOnce(&Sync) -> String + Send + 'static,
    ) -> Result<Written> {
        let (org, now) = (self.org, self.store.0.clock.now());
        let (kind, status, until) = (SyncKind::Import, SyncStatus::Running, Some(until));
        let new = NewSync { id: self.store.0.ids.id(), kind, status, since, until };
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let mut stamps = Stamps::take(tx, org, now).await?;
                    if let Some(known) = idempotency::known(tx, org, idempotency.as_ref(), now).await? {
                        return Ok(known);
                    }
                    let created_at = stamps.next(tx).await?.time();
                    insert(tx, (org, source), &new, created_at, now).await?;
                    let Some(made) = import_by_id(tx, org, source, new.id).await? else {
                        return Ok(Written::Conflict);
                    };
                    let data = answer(&made);
                    idempotency::remember(tx, org, idempotency.as_ref(), 201, &data, now).await?;
                    Ok(Written::Done { created: true, data })
                })
            })
            .await
    }

    /// An import of a source.
    pub async fn get_import(&self, source: SourceId, id: SyncId) -> Result<Option<Sync>> {
        let org = self.org;
        self.store.read(move |tx| Box::pin(async move { import_by_id(tx, org, source, id).await })).await
    }

    /// A page of a source's imports, newest first.
    pub async fn list_imports(&self, source: SourceId, page: PlacedPage) -> Result<Placed<Sync>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let select = format!("SELECT {COLUMNS} FROM syncs");
                    let mut query = ListQuery::placed(&select, org, "created_at", &page);
                    query.add("source_id = ", source.into());
                    query.only("kind = 'import'");
                    let (sql, params) = query.finish_placed("created_at", &page);
                    let records = tx.query(&sql, &params, read).await?;
                    Ok(Placed::cut(records, page.limit, |sync| Place {
                        at: sync.created_at,
                        id: sync.id.uuid(),
                    }))
                })
            })
            .await
    }

    /// A source's reconciler, if it has a key.
    pub async fn get_reconciler(&self, source: SourceId) -> Result<Option<Sync>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let sql = format!(
                        "SELECT {COLUMNS} FROM syncs WHERE source_id = ?1 AND org_id = ?2 AND kind = 'reconcile'"
                    );
                    tx.first(&sql, params![source, org], read).await
                })
            })
            .await
    }

    /// Pauses an import that runs; one that does not stays as it is. `None` where there is no such import.
    pub async fn pause_import(&self, source: SourceId, id: SyncId) -> Result<Option<Sync>> {
        let sql = "UPDATE syncs SET status = 'paused', due_at = NULL, updated_at = ?4 \
                   WHERE id = ?1 AND org_id = ?2 AND source_id = ?3 AND kind = 'import' AND status = 'running'";
        self.change_import(source, id, sql).await
    }

    /// Lets an import go on that was paused or has failed; one that runs or is done stays as it is. `None` where there
    /// is no such import.
    pub async fn resume_import(&self, source: SourceId, id: SyncId) -> Result<Option<Sync>> {
        let sql = "UPDATE syncs SET status = 'running', due_at = ?4, failures = 0, error = NULL, updated_at = ?4 \
                   WHERE id = ?1 AND org_id = ?2 AND source_id = ?3 AND kind = 'import' \
                       AND status IN ('paused', 'failed')";
        self.change_import(source, id, sql).await
    }

    async fn change_import(&self, source: SourceId, id: SyncId, sql: &'static str) -> Result<Option<Sync>> {
        let (org, now) = (self.org, self.store.0.clock.now());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    tx.execute(sql, params![id, org, source, now]).await?;
                    import_by_id(tx, org, source, id).await
                })
            })
            .await
    }
}
