//! The way from a committed transaction to the delivery worker, without a detour over a second transaction.
//!
//! A delivery that is made while the worker has a free slot is written as leased to this process, and handed over
//! the moment its transaction has committed. So the first try costs no claim and no waiting. What finds no slot is
//! written as waiting, and the worker is woken to claim it when it can.

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use model::{DeliveryId, EndpointId, EventId, InboxId, Ordering as Order, OrgId, SourceId, Telling, Time};
use tokio::sync::{Notify, mpsc, watch};
use uuid::Uuid;

/// A delivery that this process holds the lease of.
#[derive(Debug)]
pub struct Leased {
    /// The delivery.
    pub delivery: Delivery,
    /// Until when.
    pub until: Time,
    /// The worker's slot that it takes.
    pub slot: Slot,
}

/// Everything that is needed to send a delivery once.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The delivery's id.
    pub id: DeliveryId,
    /// Whose it is.
    pub org: OrgId,
    /// Where it goes.
    pub endpoint: Arc<Destination>,
    /// The event's id.
    pub event_id: EventId,
    /// The event's name.
    pub event: String,
    /// When the event happened.
    pub at: Time,
    /// The event's `data`, frozen when it happened.
    pub data: Arc<str>,
    /// How many tries there were before this one.
    pub attempts: u32,
    /// The number of the try that a person asked for, if one did.
    pub manual_attempt: Option<i64>,
    /// The message that is sent on as it came, in the place of `data`.
    pub message: Option<InboxId>,
    /// The number of the try that a recovery asked for, if one did.
    pub recover_attempt: Option<i64>,
    /// How many of the tries before use up no step of its schedule.
    pub off_schedule: u32,
    /// Whether this try is one: to see whether the endpoint is well again.
    pub is_probe: bool,
    /// Whether the endpoint has failed of late, so that a success is worth writing down.
    pub is_failing: bool,
}

impl Delivery {
    /// What causes the next try: `manual` where a person asked for it, `probe` where it is one, `recover` where it is
    /// recovered, else `schedule`.
    pub fn cause(&self) -> &'static str {
        match self.is_asked_for() {
            true => "manual",
            false if self.is_probe => "probe",
            false if self.recover_attempt == Some(self.next_attempt()) => "recover",
            false => "schedule",
        }
    }

    fn next_attempt(&self) -> i64 {
        i64::from(self.attempts) + 1
    }

    /// How many tries there were of those that its schedule counts.
    pub fn scheduled_attempts(&self) -> u32 {
        self.attempts.saturating_sub(self.off_schedule)
    }

    /// Whether a person asked for the next try.
    pub fn is_asked_for(&self) -> bool {
        self.manual_attempt == Some(self.next_attempt())
    }
}

/// Where a delivery goes and how it is signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Destination {
    /// The endpoint.
    pub id: EndpointId,
    /// Its address.
    pub url: String,
    /// Its signing secret.
    pub secret: Option<String>,
    /// The secret before the last rotation. It signs only until `previous_secret_until`.
    pub previous_secret: Option<String>,
    /// Until when the previous secret signs.
    pub previous_secret_until: Option<Time>,
    /// The source whose messages it is sent as they came.
    pub source: Option<SourceId>,
    /// Which of its deliveries wait for which.
    pub ordering: Order,
    /// What it is told beyond which events, and how.
    pub telling: Telling,
}

impl Destination {
    /// The secret before the last rotation, if it still signs.
    pub fn previous_secret_at(&self, now: Time) -> Option<&str> {
        self.previous_secret
            .as_deref()
            .filter(|_| self.previous_secret_until.is_some_and(|until| until > now))
    }
}

/// Never the secrets, nor the address, which often holds one.
impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Destination({})", self.id)
    }
}

/// A place in the worker. Dropping it makes the place free.
pub struct Slot(Option<Box<dyn FnOnce() + Send>>);

impl Slot {
    /// A slot that calls `free` when it is dropped.
    pub fn new(free: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(free)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(free) = self.0.take() {
            free();
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

/// What a place is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Whose delivery it is.
    pub org: OrgId,
    /// Where it goes.
    pub endpoint: EndpointId,
    /// Whether it was tried before.
    pub kind: Kind,
}

/// What kind of try a place is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A delivery's first.
    First,
    /// A further one.
    Retry,
}

impl Kind {
    /// The kind of the try after so many.
    pub(crate) fn after(attempts: i64) -> Self {
        if attempts == 0 { Self::First } else { Self::Retry }
    }
}

/// What a worker gives the store, to be handed deliveries.
pub struct Attached {
    /// Which process the leases belong to.
    pub owner: Uuid,
    /// How long a lease lasts, in microseconds: longer than a try can take.
    pub lease_micros: i64,
    /// A place for a delivery, if there is one.
    pub reserve: Box<dyn Fn(&Wanted) -> Option<Slot> + Send + Sync>,
    /// How many deliveries would find a place.
    pub room: Box<dyn Fn(&Wanted) -> usize + Send + Sync>,
    /// Whether so many slots of the endpoint are free that claiming for it is worth a write.
    pub has_room: Box<dyn Fn(&Wanted) -> bool + Send + Sync>,
    /// Where leased deliveries go.
    pub sender: mpsc::UnboundedSender<Leased>,
}

/// What a transaction left for a worker to claim.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// Endpoints that had no slot free for a delivery.
    pub(crate) endpoints: Vec<Wanted>,
    /// Whether there is something else, whichever endpoints it is for.
    pub(crate) others: bool,
    /// Whether events were told, for whoever follows the log.
    pub(crate) told: bool,
}

/// Hands deliveries from committed transactions to the worker.
#[derive(Default)]
pub struct Outbox {
    attached: RwLock<Option<Arc<Attached>>>,
    due: Notify,
    /// Endpoints that deliveries may wait for, for want of a place.
    crowded: Mutex<HashSet<EndpointId>>,
    is_any_crowded: AtomicBool,
    told: watch::Sender<u64>,
}

impl Outbox {
    /// Lets a worker take deliveries.
    pub fn attach(&self, worker: Arc<Attached>) {
        *self.attached.write().unwrap_or_else(PoisonError::into_inner) = Some(worker);
    }

    /// Stops handing over: what comes from now on waits in the database.
    pub fn detach(&self) {
        *self.attached.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Resolves when something became due that was not handed over.
    pub async fn wait(&self) {
        self.due.notified().await;
    }

    /// Says that something may have become due.
    pub fn wake(&self) {
        self.due.notify_one();
    }

    /// Whether deliveries to an endpoint may wait for a place, so that one that becomes free is worth a claim.
    pub fn is_crowded(&self, endpoint: EndpointId) -> bool {
        self.is_any_crowded.load(Ordering::Acquire) && self.crowded().contains(&endpoint)
    }

    /// Says that deliveries to these endpoints wait for a place. A worker forgets all of them before it claims, and says
    /// so where it found more than there were places for; so what is left in between is not overlooked.
    pub fn crowd(&self, endpoints: impl IntoIterator<Item = EndpointId>) {
        let mut crowded = self.crowded();
        crowded.extend(endpoints);
        self.is_any_crowded.store(!crowded.is_empty(), Ordering::Release);
    }

    /// Forgets which endpoints deliveries wait for.
    pub fn forget_crowded(&self) {
        let mut crowded = self.crowded();
        crowded.clear();
        self.is_any_crowded.store(false, Ordering::Release);
    }

    fn crowded(&self) -> std::sync::MutexGuard<'_, HashSet<EndpointId>> {
        self.crowded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes whenever events were committed by this process.
    pub(crate) fn events_told(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    pub(crate) fn attached(&self) -> Option<Arc<Attached>> {
        self.attached.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// After a commit: hands over what the transaction leased, and wakes the worker for what it left. For an endpoint
    /// whose slots are all taken there is nothing to claim yet: the tries that take them wake the worker at their end.
    pub(crate) fn committed(&self, leased: Vec<Leased>, left: &Left) {
        if left.told && self.told.receiver_count() > 0 {
            self.told.send_modify(|count| *count = count.wrapping_add(1));
        }
        let Some(worker) = self.attached() else { return };
        for delivery in leased {
            // A worker that has just gone leaves its leases to run out, as after a crash.
            let _ = worker.sender.send(delivery);
        }
        if !left.endpoints.is_empty() {
            self.crowd(left.endpoints.iter().map(|wanted| wanted.endpoint));
        }
        if left.others || left.endpoints.iter().any(|wanted| (worker.has_room)(wanted)) {
            self.wake();
        }
    }
}
