//! Sends what is owed: takes deliveries that were handed over at their commit, claims those that are due, and keeps
//! every try before its next step.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::{Clock, DeliveryId, EndpointId, IdGen};
use store::{
    Attempt, Concluded, NextStep, Store, Turn,
    outbox::{Attached, Delivery, Kind, Leased, Slot, Wanted},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use uuid::Uuid;

use crate::{
    attempt::{Means, attempt},
    client::Client,
    guard::AllowList,
    network::Network,
    schedule::Schedule,
    slots::{Limits, Slots},
};

/// How a worker works.
pub struct Options {
    /// Tries under way at once.
    pub slots: usize,
    /// Of them, for the endpoints of one organization.
    pub slots_per_org: usize,
    /// When failed deliveries are tried again.
    pub schedule: Schedule,
    /// The operator's exceptions to the address guard.
    pub allow: Arc<AllowList>,
    /// How long a try's lease lasts: longer than a try can take.
    pub lease: Duration,
}

/// Sends deliveries until it is told to stop.
pub struct Worker {
    inner: Arc<Inner>,
    handed_over: mpsc::UnboundedReceiver<Leased>,
}

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
    client: Client,
    network: Network,
    options: Options,
    slots: Slots,
    attached: Arc<Attached>,
    owner: Uuid,
    /// What this process has under way or about to be: whatever the time is, nobody else has it.
    held: Mutex<Vec<DeliveryId>>,
}

/// How long the worker sleeps at most: another server process may have left something due.
const LONGEST_SLEEP: Duration = Duration::from_secs(15);

/// How often one tries to keep a try's result that the database refuses. One that cannot be reached or written to is
/// waited for.
const KEEP_TRIES: u32 = 30;

/// Tries under way at once for one endpoint that copes.
const SLOTS_PER_ENDPOINT: usize = 16;

impl Worker {
    /// A worker over a store. From now on deliveries are handed over to it at their commit.
    pub fn attach(
        store: Store,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGen>,
        client: Client,
        options: Options,
    ) -> Self {
        let (sender, handed_over) = mpsc::unbounded_channel();
        let limits = Limits {
            in_all: options.slots,
            per_org: options.slots_per_org,
            per_endpoint: SLOTS_PER_ENDPOINT,
        };
        let slots = Slots::new(limits, clock.clone());
        let owner = ids.uuid();
        let [reserving, counting, looking] = [0; 3].map(|_| slots.clone());
        let attached = Arc::new(Attached {
            owner,
            lease_micros: i64::try_from(options.lease.as_micros()).unwrap_or(i64::MAX),
            reserve: Box::new(move |wanted| reserving.reserve(wanted)),
            room: Box::new(move |wanted| counting.room(wanted)),
            has_room: Box::new(move |wanted| looking.is_half_free(wanted)),
            sender,
        });
        store.outbox().attach(attached.clone());
        let network = Network::default();
        let held = Mutex::default();
        let inner = Inner { store, clock, ids, client, network, options, slots, attached, owner, held };
        Self { inner: Arc::new(inner), handed_over }
    }

    /// Sends until `stop` becomes true, then finishes the tries under way and gives back the rest.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        self.inner.recover().await;
        let mut tries = JoinSet::new();
        let mut next_claim = self.inner.clock.now();
        let mut turn = 0_usize;
        loop {
            let inner = self.inner.clone();
            tokio::select! {
                biased;
                () = told_to(&mut stop) => break,
                Some(leased) = self.handed_over.recv() => self.inner.start(leased, &mut tries),
                Some(_) = tries.join_next(), if !tries.is_empty() => {}
                () = wait(&inner, next_claim) => {
                    turn = turn.wrapping_add(1);
                    next_claim = self.inner.claim(turn, &mut tries).await;
                }
            }
        }
        self.drain(tries).await;
    }

    async fn drain(mut self, mut tries: JoinSet<()>) {
        self.inner.store.outbox().detach();
        self.inner.slots.close();
        self.handed_over.close();
        while let Some(leased) = self.handed_over.recv().await {
            self.inner.give_back(&leased.delivery, leased.slot).await;
        }
        while tries.join_next().await.is_some() {}
    }
}

async fn told_to(stop: &mut watch::Receiver<bool>) {
    // Whoever could tell is gone: that is told enough.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits until something may be claimed.
async fn wait(inner: &Inner, next_claim: model::Time) {
    // The clock may have been set back since.
    let next_claim = next_claim.min(inner.clock.now() + LONGEST_SLEEP);
    tokio::select! {
        () = inner.clock.sleep_until(next_claim) => {}
        () = inner.store.outbox().wait() => {}
    }
}

impl Inner {
    /// Makes due again what a process that is gone had leased. The embedded database has one server, which has just
    /// started: nobody else can hold a lease. What was taken in since is leased to this one already.
    async fn recover(&self) {
        let released = match self.store.is_embedded() {
            true => self.store.release_others(self.owner).await,
            false => self.store.release_leases(self.clock.now(), Vec::new()).await,
        };
        match released {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "{count} deliveries of a process that is gone are due again"),
            Err(error) => tracing::error!(%error, "leases of a process that is gone could not be released"),
        }
    }

    /// Starts the tries that are due and that there are slots for. Returns when to look again.
    async fn claim(self: &Arc<Self>, turn: usize, tries: &mut JoinSet<()>) -> model::Time {
        match self.try_claim(turn, tries).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "due deliveries could not be claimed; trying again");
                self.clock.now() + Duration::from_secs(1)
            }
        }
    }

    async fn try_claim(self: &Arc<Self>, turn: usize, tries: &mut JoinSet<()>) -> store::Result<model::Time> {
        let now = self.clock.now();
        let latest = now + LONGEST_SLEEP;
        let outbox = self.store.outbox();
        outbox.forget_crowded();
        let claimed = self.store.claim_deliveries(self.attached.clone(), turn).await?;
        let mut crowded = claimed.crowded;
        for leased in claimed.leased {
            self.start(leased, tries);
        }
        for delivery in claimed.surplus {
            // New deliveries were quicker to the last places, or the endpoint is to be sent fewer at once.
            self.store.give_back(&delivery, self.owner).await?;
            crowded.push(first(&delivery));
        }
        outbox.crowd(crowded.iter().map(|wanted| wanted.endpoint));
        let (next, later) = self.store.delivery_times(now).await?;
        let next = next.unwrap_or(latest).min(latest);
        if next > now {
            return Ok(next);
        }
        let held = self.held().clone();
        if self.store.advance_recovery().await? || self.store.release_leases(now, held).await? > 0 {
            return Ok(now);
        }
        // Something is due that found no slot: the tries that hold the slots wake us at their end. Those that ended before
        // they could know that something waits have left their slots free.
        let is_free = crowded.iter().any(|wanted| self.slots.is_half_free(wanted));
        Ok(if is_free { now } else { later.unwrap_or(latest).min(latest) })
    }

    fn start(self: &Arc<Self>, leased: Leased, tries: &mut JoinSet<()>) {
        let inner = self.clone();
        let holding = Holding::of(inner.clone(), leased.delivery.id);
        tries.spawn(async move {
            inner.deliver(leased).await;
            drop(holding);
        });
    }

    fn held(&self) -> MutexGuard<'_, Vec<DeliveryId>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn deliver(&self, leased: Leased) {
        let Leased { mut delivery, until, slot } = leased;
        let means = Means {
            store: &self.store,
            client: &self.client,
            network: &self.network,
            allow: &self.options.allow,
            schedule: &self.options.schedule,
            clock: &*self.clock,
            ids: &*self.ids,
        };
        let endpoint = delivery.endpoint.id;
        let openings = self.slots.openings(endpoint);
        let under_way = self.slots.set_out(endpoint).await;
        // Where it stood behind slow ones for too long, its lease could run out on the way.
        let is_late = until < self.clock.now() + self.client.timeout();
        let waits =
            self.slots.openings(endpoint) != openings && !delivery.is_probe && !delivery.is_asked_for();
        if under_way.is_none() || is_late || waits {
            return self.give_back(&delivery, slot).await;
        }
        let (record, next) = attempt(&delivery, &means).await;
        delivery.is_failing |= self.slots.see(endpoint, next);
        // The next may set out while this one is written down. Its place stays taken: what is sent and not written
        // down is sent again after a crash, so there is a limit to it.
        drop(under_way);
        self.keep(&delivery, record, next).await;
        drop(slot);
        let outbox = self.store.outbox();
        let can_claim = outbox.is_crowded(endpoint) && self.slots.is_half_free(&first(&delivery));
        if can_claim || self.slots.is_scarcity_over() || matches!(next, NextStep::RetryAt(_)) {
            outbox.wake();
        }
    }

    /// Gives a delivery back, and then its place to whichever comes next.
    async fn give_back(&self, delivery: &Delivery, slot: Slot) {
        if let Err(error) = self.store.give_back(delivery, self.owner).await {
            tracing::error!(%error, "a delivery could not be given back; it is tried when its lease runs out");
        }
        drop(slot);
        self.store.outbox().wake();
    }

    /// Keeps a try. While the database does not take it, the try is repeated to it, not to the receiver: however long
    /// that is, and then it is kept before anybody could take the delivery for one that was left behind.
    async fn keep(&self, delivery: &Delivery, record: Attempt, next: NextStep) {
        let (id, endpoint) = (delivery.id, delivery.endpoint.id);
        let mut refusals = 0;
        while refusals < KEEP_TRIES {
            let error = match self.store.conclude_attempt(delivery, self.owner, record.clone(), next).await {
                Ok(Concluded { is_kept, turn }) => {
                    self.slots.note(endpoint, &record, next, turn);
                    if is_kept {
                        log(delivery, &record, next);
                    } else {
                        tracing::warn!(delivery = %id, "the lease of delivery {id} ran out while it was tried");
                    }
                    return log_turn(endpoint, turn);
                }
                Err(error) => error,
            };
            refusals += u32::from(!error.is_unavailable());
            tracing::error!(%error, delivery = %id, "a try of delivery {id} could not be kept; trying again");
            self.clock.sleep_until(self.clock.now() + Duration::from_secs(1)).await;
            // The commit may have succeeded, and only the word of it been lost.
            if self.store.has_attempt(record.id).await.is_ok_and(|is_kept| is_kept) {
                return self.slots.note(endpoint, &record, next, None);
            }
        }
    }
}

/// A place for another delivery like this one.
fn first(delivery: &Delivery) -> Wanted {
    Wanted { org: delivery.org, endpoint: delivery.endpoint.id, kind: Kind::First }
}

/// A delivery that this process has, until this is dropped.
struct Holding {
    inner: Arc<Inner>,
    id: DeliveryId,
}

impl Holding {
    fn of(inner: Arc<Inner>, id: DeliveryId) -> Self {
        inner.held().push(id);
        Self { inner, id }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let mut held = self.inner.held();
        // Given back and taken again at once, it is there twice for a moment.
        if let Some(at) = held.iter().position(|id| *id == self.id) {
            held.swap_remove(at);
        }
    }
}

fn log_turn(endpoint: EndpointId, turn: Option<Turn>) {
    match turn {
        Some(Turn::Opened) => {
            tracing::warn!(%endpoint, "endpoint {endpoint} fails again and again: what it is owed waits for a probe");
        }
        Some(Turn::Closed) => {
            tracing::info!(%endpoint, "endpoint {endpoint} is well again: what waited for it is sent");
        }
        Some(Turn::Disabled) => {
            tracing::warn!(%endpoint, "endpoint {endpoint} took nothing for days and is disabled: what it is owed is held");
        }
        None => {}
    }
}

fn log(delivery: &Delivery, record: &Attempt, next: NextStep) {
    let (id, endpoint, duration_ms) = (delivery.id, delivery.endpoint.id, record.duration_ms);
    let status = record.status;
    match next {
        NextStep::Delivered => {
            tracing::debug!(delivery = %id, %endpoint, status, duration_ms, "delivery {id} is delivered");
        }
        NextStep::RetryAt(at) => {
            tracing::info!(delivery = %id, %endpoint, status, duration_ms, %at, "delivery {id} failed; next try at {at}");
        }
        NextStep::Exhausted => {
            tracing::warn!(delivery = %id, %endpoint, status, "delivery {id} failed for the last time");
        }
        NextStep::CalledOff => {
            tracing::warn!(delivery = %id, %endpoint, "delivery {id} has nothing left to send");
        }
        NextStep::EndpointGone => {
            tracing::warn!(delivery = %id, %endpoint, "endpoint {endpoint} answered 410 and is not told any more");
        }
    }
}
