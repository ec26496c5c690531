//! Completeness: every call of a platform is here, also when its webhook never came.
//!
//! With a key of the platform's API on a source, [`Reconciler`] lists the platform's calls and takes what is missing:
//! once for an import that somebody asked for, and again and again for what webhooks missed. A listing goes on page by
//! page, and each page is one step: claimed from the database, done, and written down. So a process that dies loses at
//! most a step, which is done again and changes nothing that was done; sources take turns; and a platform that asks
//! to wait keeps nobody else waiting. The same loop closes calls of which no more is heard.

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
use futures_util::future::join_all;
use ingest::Ingest;
use model::{CallId, Clock, IdGen, SyncId, Time};
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
}

/// How long a step may take before somebody else takes it. A step is a page with the details of each call on it.
const LEASE: Duration = Duration::from_secs(15 * 60);

/// How many steps are under way at once, each of another listing.
const AT_ONCE: usize = 4;

/// How long it sleeps at most: another process may have begun an import.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

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
        Self { store, ingest, clock, ids, options, woken: Notify::new(), put_off: Mutex::default() }
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
        loop {
            let next = match self.run_due_and_look().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(%error, "the reconciler could not go on; trying again");
                    self.clock.now() + Duration::from_secs(5)
                }
            };
            tokio::select! {
                () = self.clock.sleep_until(next) => {}
                () = self.woken.notified() => {}
            }
        }
    }

    async fn run_due_and_look(&self) -> store::Result<Time> {
        self.run_due().await?;
        let latest = self.clock.now() + LONGEST_SLEEP;
        Ok(self.next_due().await?.map_or(latest, |next| next.min(latest)))
    }

    /// Does everything that is due now.
    pub async fn run_due(&self) -> store::Result<()> {
        loop {
            let Claimed { owner, syncs } = self.claim(None, AT_ONCE).await?;
            if syncs.is_empty() {
                break;
            }
            let steps = syncs.iter().map(|sync| self.step(sync, owner));
            join_all(steps).await.into_iter().collect::<store::Result<Vec<()>>>()?;
        }
        self.sweep().await
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
}
