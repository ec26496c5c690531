//! Completeness: every call of a platform is here, also when its webhook never came.
//!
//! With a key of the platform's API on a source, [`Reconciler`] lists the platform's calls and takes what is missing:
//! once for an import that somebody asked for, and again and again for what webhooks missed. A listing goes on page by
//! page, and each page is one step: claimed from the database, done, and written down. So a process that dies loses at
//! most a step, which is done again and changes nothing that was done; sources take turns; and a platform that asks
//! to wait keeps nobody else waiting. Beside it, calls of which no more is heard are closed.

mod keys;
mod platform;
mod step;
mod sweep;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use delivery::client::Client;
use futures_util::future::{join, join_all};
use ingest::Ingest;
use model::{CallId, Clock, IdGen, SourceId, SyncId, Time};
use store::{Store, Sync, SyncKind, SyncStatus};
use tokio::sync::Notify;
use uuid::Uuid;

pub use crate::keys::{KeyError, Keys};

/// How it is set up.
pub struct Options {
    /// Sends the requests.
    pub client: Client,
    /// Opens the platforms' keys, and says where they may be sent.
    pub keys: Keys,
    /// How long after the end of a run a source's calls are listed again; `None` for never by itself.
    pub every: Option<Duration>,
    /// How much of what is known is listed again: calls become visible in a platform's list out of order.
    pub overlap: Duration,
    /// How long a call may take. One of which nothing more is heard is given up a little later.
    pub longest_call: Duration,
}

/// Lists platforms' calls, and closes those of which no more is heard.
pub struct Reconciler {
    store: Store,
    ingest: Arc<Ingest>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
    options: Options,
    woken: Notify,
    /// Calls that are not over and that their platform was asked about: not again before then.
    put_off: Mutex<HashMap<CallId, Time>>,
    /// Sources whose platform asked to wait, whatever it is asked for: not again before then.
    told_to_wait: Mutex<HashMap<SourceId, Time>>,
}

/// How long a step is held at once. Who has it holds it for longer as often as is needed, so another process takes up
/// soon what one left that died.
const LEASE: Duration = Duration::from_secs(90);

/// How long after that a step is held for longer. Together with what a platform may take to answer about one call, less
/// than a lease.
const RENEW: Duration = Duration::from_secs(20);

/// How many steps are under way at once in this process, each of another listing.
const AT_ONCE: usize = 4;

/// How long it sleeps at most: another process may have begun an import.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How long is waited after an error of the database.
const AFTER_ERROR: Duration = Duration::from_secs(5);

/// Steps that were taken.
struct Claimed {
    /// Names the taking in their leases.
    owner: Uuid,
    syncs: Vec<Sync>,
}

impl Reconciler {
    /// A reconciler over a store.
    pub fn new(
        store: Store,
        ingest: Arc<Ingest>,
        (clock, ids): (Arc<dyn Clock>, Arc<dyn IdGen>),
        options: Options,
    ) -> Self {
        Self {
            store,
            ingest,
            clock,
            ids,
            options,
            woken: Notify::new(),
            put_off: Mutex::default(),
            told_to_wait: Mutex::default(),
        }
    }

    /// Says that a step may have become due.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Seals the platforms' keys.
    pub fn keys(&self) -> &Keys {
        &self.options.keys
    }

    /// Whether sources' calls are listed again and again without being asked for.
    pub fn runs_by_itself(&self) -> bool {
        self.options.every.is_some()
    }

    /// Does what becomes due, until it is dropped.
    pub async fn run(&self) {
        if self.store.is_embedded()
            && let Err(error) = self.store.release_syncs().await
        {
            tracing::error!(%error, "steps that the process before left could not be taken up; they wait for their lease");
        }
        join(join_all((0..AT_ONCE).map(|_| self.keep_listing())), self.keep_sweeping()).await;
    }

    /// Takes one step after the other as they become due. Several of these go side by side, so that no listing waits for
    /// another's platform.
    async fn keep_listing(&self) {
        loop {
            let next = self.bounded(self.list_due().await);
            tokio::select! {
                () = self.clock.sleep_until(next) => {}
                () = self.woken.notified() => {}
            }
        }
    }

    /// Takes steps for as long as one is due. When the next one will be.
    async fn list_due(&self) -> store::Result<Option<Time>> {
        loop {
            let Claimed { owner, syncs } = self.claim(None, 1).await?;
            let Some(sync) = syncs.first() else {
                return self.store.next_sync_due(self.kinds()).await;
            };
            // There may be more than one, for whoever is free.
            self.wake();
            self.step(sync, owner).await?;
        }
    }

    /// Looks after calls that should be over. That may take long, and listings are not to wait for it.
    async fn keep_sweeping(&self) {
        loop {
            let next = match self.sweep().await {
                Ok(()) => self.next_sweep().await,
                Err(error) => Err(error),
            };
            self.clock.sleep_until(self.bounded(next)).await;
        }
    }

    /// When to look again: when the next thing is due, but before long.
    fn bounded(&self, next: store::Result<Option<Time>>) -> Time {
        let latest = self.clock.now() + LONGEST_SLEEP;
        match next {
            Ok(next) => next.map_or(latest, |next| next.min(latest)),
            Err(error) => {
                // A step that failed is due again when its lease is over.
                tracing::error!(%error, "the reconciler could not go on; trying again");
                self.clock.now() + AFTER_ERROR
            }
        }
    }

    /// Takes an import to its end, beside whoever else does: returns when it neither runs nor will. `seen` is shown how
    /// it stands after each step.
    pub async fn run_import(
        &self,
        (source, id): (&store::Source, SyncId),
        mut seen: impl FnMut(&Sync),
    ) -> store::Result<Option<Sync>> {
        loop {
            let Claimed { owner, syncs } = self.claim(Some(id), 1).await?;
            for sync in &syncs {
                self.step(sync, owner).await?;
            }
            let Some(sync) = self.store.org(source.org).get_import(source.id, id).await? else {
                return Ok(None);
            };
            seen(&sync);
            if sync.status != SyncStatus::Running {
                return Ok(Some(sync));
            }
            if syncs.is_empty() {
                // It waits for the platform, or the server has the step.
                let soon = self.clock.now() + Duration::from_millis(500);
                self.clock.sleep_until(sync.due_at.unwrap_or(soon).min(soon)).await;
            }
        }
    }

    /// When something is due next. What is under way is due when its lease is over.
    pub async fn next_due(&self) -> store::Result<Option<Time>> {
        let step = self.store.next_sync_due(self.kinds()).await?;
        let sweep = self.next_sweep().await?;
        Ok(step.into_iter().chain(sweep).min())
    }

    /// Takes steps that are due, if there are any. Each taking has an owner of its own.
    async fn claim(&self, only: Option<SyncId>, limit: usize) -> store::Result<Claimed> {
        let now = self.clock.now();
        if self.store.next_sync_due(self.kinds()).await?.is_none_or(|due| due > now) {
            return Ok(Claimed { owner: Uuid::nil(), syncs: Vec::new() });
        }
        let owner = self.ids.uuid();
        let syncs = self.store.claim_syncs(self.kinds(), only, (owner, now + LEASE), limit).await?;
        Ok(Claimed { owner, syncs })
    }

    fn kinds(&self) -> &'static [SyncKind] {
        match self.options.every {
            Some(_) => &[SyncKind::Import, SyncKind::Reconcile],
            None => &[SyncKind::Import],
        }
    }

    fn put_off(&self) -> std::sync::MutexGuard<'_, HashMap<CallId, Time>> {
        self.put_off.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told_to_wait(&self) -> std::sync::MutexGuard<'_, HashMap<SourceId, Time>> {
        self.told_to_wait.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
