//! Keeps recordings: fetches those that are due, deletes those that are past their time, and clears away what was left
//! behind. It takes no input, is woken by a commit or by the clock, and always does the same from what the database
//! says.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use delivery::{client::Client, guard::AllowList};
use model::{Clock, IdGen, RecordingState, Time};
use seal::Sealer;
use store::{Fetch, Fetched, Store};
use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;

use crate::{
    Vault,
    fetch::{Failure, Limits, Means, fetch},
    schedule::{self, Kind},
};

/// How recordings are kept.
#[derive(Clone)]
pub struct Options {
    /// How many are fetched at once.
    pub at_once: usize,
    /// How much and how long.
    pub limits: Limits,
    /// How long they are kept; `None` for ever. A source may say otherwise.
    pub keep: Option<Duration>,
    /// The operator's exceptions to the address guard.
    pub allow: Arc<AllowList>,
}

/// Keeps recordings until it is told to stop.
pub struct Keeper(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
    means: Means,
    options: Options,
    owner: OnceLock<Uuid>,
}

/// How long it sleeps at most: another server process may have left something due.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How long beyond a try its lease lasts.
const LEASE_BEYOND: Duration = Duration::from_secs(60);

/// How often one looks whether rules have changed by which recordings are kept.
const RULES_EVERY: Duration = Duration::from_secs(3600);

/// How long an object that could not be deleted is left alone.
const DELETE_AGAIN: Duration = Duration::from_secs(3600);

impl Keeper {
    /// A keeper over a store and a vault.
    pub fn new(
        store: Store,
        (clock, ids): (Arc<dyn Clock>, Arc<dyn IdGen>),
        (client, sealer): (Client, Sealer),
        vault: Vault,
        options: Options,
    ) -> Self {
        let allow = options.allow.clone();
        let means = Means { store: store.clone(), sealer, client, allow, vault, limits: options.limits };
        Self(Arc::new(Inner { store, clock, ids, means, options, owner: OnceLock::new() }))
    }

    /// Works until `stop` becomes true. What is being fetched then is given up, and fetched again later.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let inner = self.0;
        inner.recover().await;
        let mut tries = JoinSet::new();
        let mut next = inner.clock.now();
        let mut rules_at = next;
        loop {
            tokio::select! {
                biased;
                () = told_to_stop(&mut stop) => break,
                Some(_) = tries.join_next(), if !tries.is_empty() => next = inner.clock.now(),
                () = inner.clock.sleep_until(next) => next = inner.pass(&mut tries, &mut rules_at).await,
                () = inner.store.recording_due() => next = inner.clock.now(),
            }
        }
        tries.shutdown().await;
        if let Some(owner) = inner.owner.get()
            && let Err(error) = inner.store.give_back_recordings(*owner).await
        {
            tracing::error!(%error, "recordings could not be given back; they are due when their leases run out");
        }
    }
}

async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    // Who could tell is gone: that is as good.
    let _ = stop.wait_for(|stop| *stop).await;
}

impl Inner {
    fn lease(&self) -> Duration {
        self.options.limits.time + LEASE_BEYOND
    }

    /// Makes due again what a process that is gone was fetching. The embedded database has one server, which has just
    /// started: nobody else can hold a lease.
    async fn recover(&self) {
        let now = self.clock.now();
        let before = if self.store.is_embedded() { now + self.lease() } else { now };
        match self.store.release_recordings(before).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "{count} recordings of a process that is gone are due again"),
            Err(error) => tracing::error!(%error, "leases of a process that is gone could not be released"),
        }
    }

    /// Does what is due. Returns when to look again.
    async fn pass(self: &Arc<Self>, tries: &mut JoinSet<()>, rules_at: &mut Time) -> Time {
        match self.try_pass(tries, rules_at).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "recordings cannot be kept for now; trying again");
                self.clock.now() + Duration::from_secs(1)
            }
        }
    }

    async fn try_pass(self: &Arc<Self>, tries: &mut JoinSet<()>, rules_at: &mut Time) -> store::Result<Time> {
        let now = self.clock.now();
        let latest = now + LONGEST_SLEEP;
        if tries.len() >= self.options.at_once {
            // Whatever is due finds no place, and most wakes are of a call that has just come in. The try that ends
            // first wakes us.
            return Ok(latest);
        }
        if *rules_at <= now {
            let retired = self.store.retire_recordings(self.options.keep).await?;
            let next = self.store.next_retirement(self.options.keep).await?;
            let rules = now + RULES_EVERY;
            *rules_at = if retired > 0 { now } else { next.unwrap_or(rules).min(rules) };
        }
        let delete = self.clear_away(now).await?;
        let fetch = self.begin_fetches(tries, now).await?;
        Ok([fetch, delete, Some(*rules_at)].into_iter().flatten().fold(latest, Time::min))
    }

    /// Begins to fetch what is due, as far as there are places. Returns when the next is due, if there will be one.
    async fn begin_fetches(
        self: &Arc<Self>,
        tries: &mut JoinSet<()>,
        now: Time,
    ) -> store::Result<Option<Time>> {
        let mut due = self.store.next_recording_due().await?;
        let free = self.options.at_once.saturating_sub(tries.len());
        if free > 0 && due.is_some_and(|due| due <= now) {
            for fetch in self.store.claim_recordings(self.owner(), now + self.lease(), free).await? {
                let inner = self.clone();
                tries.spawn(async move { inner.keep(fetch).await });
            }
            due = self.store.next_recording_due().await?;
        }
        // With all places taken, the try that ends first wakes us.
        Ok(due.filter(|_| tries.len() < self.options.at_once))
    }

    /// Under which name this process holds leases; made when it is first needed.
    fn owner(&self) -> Uuid {
        *self.owner.get_or_init(|| self.ids.uuid())
    }

    /// Deletes what nothing refers to. Returns when the next is due.
    async fn clear_away(&self, now: Time) -> store::Result<Option<Time>> {
        let due = self.store.next_object_due().await?;
        if due.is_none_or(|due| due > now) {
            return Ok(due);
        }
        for key in self.store.doomed_objects().await? {
            match self.means.vault.delete(&key).await {
                Ok(()) => self.store.forget_object(key).await?,
                Err(error) => {
                    tracing::error!(error = ?error, "an object could not be deleted; trying again later");
                    self.store.postpone_object(key, self.clock.now() + DELETE_AGAIN).await?;
                }
            }
        }
        self.store.next_object_due().await
    }

    async fn keep(&self, recording: Fetch) {
        let fetched = match fetch(&recording, &self.means).await {
            Ok(object) => Fetched::Stored(object),
            Err(failure) => self.after(&recording, failure),
        };
        log(&recording, &fetched);
        match self.store.conclude_recording(&recording, self.owner(), fetched).await {
            Ok(true) => {}
            Ok(false) => {
                let call = recording.call;
                tracing::warn!(%call, "a recording of call {call} was fetched and is not wanted any more");
            }
            // Its lease runs out, and it is fetched again.
            Err(error) => tracing::error!(%error, "what came of a recording could not be written down"),
        }
    }

    fn after(&self, recording: &Fetch, failure: Failure) -> Fetched {
        let Failure { kind, words, retry_after } = failure;
        match schedule::wait(kind, recording.attempt, retry_after) {
            Some(wait) => Fetched::RetryAt(self.clock.now() + wait, words),
            None if kind == Kind::Refused => Fetched::GivenUp(RecordingState::Expired, words),
            None => Fetched::GivenUp(RecordingState::Failed, words),
        }
    }
}

/// Without addresses: signatures stand in them.
fn log(recording: &Fetch, fetched: &Fetched) {
    let (call, variant) = (recording.call, recording.variant.as_str());
    match fetched {
        Fetched::Stored(object) => {
            let size_bytes = object.size;
            tracing::debug!(%call, variant, size_bytes, "the recording of call {call} is stored");
        }
        Fetched::RetryAt(at, why) => {
            tracing::info!(%call, variant, why, %at, "the recording of call {call} was not fetched; next try at {at}");
        }
        Fetched::GivenUp(state, why) => {
            let state = state.as_str();
            tracing::warn!(%call, variant, state, why, "the recording of call {call} is given up");
        }
    }
}
