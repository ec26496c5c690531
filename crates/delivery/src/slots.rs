//! Who may send how much at once. A *slot* is a try under way. There are so many in all; an organization and an endpoint
//! have a share of them that shrinks as slots become scarce, so that whoever comes next finds one; endpoints that are slow
//! share a quarter; and some are kept for retries. So a receiver that hangs takes nothing from those that don't.
//!
//! Behind its slots an endpoint that is well has *places*: deliveries at hand for when one comes back.

mod endpoint;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use model::{Clock, EndpointId, OrgId, Time};
use store::{
    Attempt, NextStep, Turn,
    outbox::{Kind, Slot, Wanted},
};
use tokio::sync::OwnedSemaphorePermit;

use self::endpoint::{Endpoint, Share};

/// Slots, and who has them.
#[derive(Clone)]
pub(crate) struct Slots(Arc<Inner>);

/// How many slots there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// In all.
    pub(crate) in_all: usize,
    /// For the endpoints of one organization.
    pub(crate) per_org: usize,
    /// For one endpoint that has shown that it copes.
    pub(crate) per_endpoint: usize,
}

impl Limits {
    /// For all endpoints that are slow.
    fn slow(self) -> usize {
        (self.in_all / 4).max(1)
    }

    /// That first tries leave to retries.
    fn kept_for_retries(self) -> usize {
        self.in_all / 10
    }

    /// Deliveries that are held without a slot: their endpoint's next.
    fn queued(self) -> usize {
        self.in_all * 2
    }
}

struct Inner {
    limits: Limits,
    clock: Arc<dyn Clock>,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    in_all: usize,
    slow: usize,
    queued: usize,
    /// Deliveries held that were tried before.
    retries: usize,
    by_org: HashMap<OrgId, usize>,
    by_endpoint: HashMap<EndpointId, Endpoint>,
    /// Who could have done with another slot and found none, because others had them.
    starved: HashMap<EndpointId, Wanted>,
}

/// So many are remembered that found no slot: where one of them finds one, it is looked after all.
const STARVED: usize = 64;

/// After so many endpoints those are forgotten of which there is nothing to know.
const FORGET_AT: usize = 4096;

impl Taken {
    /// Changes what is known of an endpoint, and all sums with it.
    fn change<T>(&mut self, id: EndpointId, change: impl FnOnce(&mut Endpoint) -> T) -> Option<T> {
        let endpoint = self.by_endpoint.get_mut(&id)?;
        let before = endpoint.share();
        let done = change(endpoint);
        let (after, org) = (endpoint.share(), endpoint.org);
        if before != after {
            self.in_all = self.in_all + after.slots - before.slots;
            self.slow = self.slow + after.slow - before.slow;
            self.queued = self.queued + after.queued - before.queued;
            let of_org = self.by_org.entry(org).or_default();
            *of_org = *of_org + after.slots - before.slots;
            if *of_org == 0 {
                self.by_org.remove(&org);
            }
        }
        Some(done)
    }

    fn remember(&mut self, wanted: &Wanted, room: Room) {
        if room.is_scarce && room.places() == 0 && self.starved.len() < STARVED {
            self.starved.insert(wanted.endpoint, *wanted);
        }
    }

    /// Slots that the organization and everybody have left, with the endpoint's own.
    fn left(&self, org: OrgId, own: Share, limits: Limits) -> (usize, usize) {
        let of_org = self.by_org.get(&org).copied().unwrap_or_default();
        let left = |all: usize, taken: usize| all.saturating_sub(taken) + own.slots;
        (left(limits.in_all, self.in_all), left(limits.per_org, of_org))
    }

    /// How many slots one endpoint may have as things stand: an eighth of those that it leaves to everybody, and a
    /// quarter of those that it leaves to its organization. One at least.
    fn fair(&self, org: OrgId, own: Share, limits: Limits) -> usize {
        let (in_all, of_org) = self.left(org, own, limits);
        (in_all / 9).min(of_org / 5).max(1)
    }

    /// How many more deliveries of an endpoint find a place. That many can be taken one after the other.
    fn room(&self, wanted: &Wanted, limits: Limits) -> Room {
        let unknown;
        let endpoint = match self.by_endpoint.get(&wanted.endpoint) {
            Some(endpoint) => endpoint,
            None => {
                unknown = Endpoint::new(wanted.org, limits);
                &unknown
            }
        };
        let own = endpoint.share();
        let wants = endpoint.limit().saturating_sub(own.slots);
        let (in_all, of_org) = self.left(wanted.org, own, limits);
        let kept = match wanted.kind {
            Kind::First => limits.kept_for_retries().saturating_sub(self.retries),
            Kind::Retry => 0,
        };
        let slow = if endpoint.is_slow() { limits.slow().saturating_sub(self.slow) } else { usize::MAX };
        let slots = wants
            .min(in_all.saturating_sub(own.slots + kept))
            .min(of_org.saturating_sub(own.slots))
            .min(slow)
            .min(self.fair(wanted.org, own, limits).saturating_sub(own.slots));
        if slots < wants {
            return Room { slots, queue: 0, is_scarce: true };
        }
        let others = self.queued - own.queued;
        let fair = limits.queued().saturating_sub(others) / 3;
        let queue = endpoint.longest_queue().min(fair).saturating_sub(own.queued);
        Room { slots, queue, is_scarce: false }
    }
}

/// What an endpoint finds.
#[derive(Clone, Copy)]
struct Room {
    slots: usize,
    queue: usize,
    /// Whether it has fewer slots than it could do with, because others have them.
    is_scarce: bool,
}

impl Room {
    fn places(self) -> usize {
        self.slots + self.queue
    }
}

/// A try under way.
pub(crate) struct UnderWay {
    slots: Slots,
    endpoint: EndpointId,
    since: Time,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        let mut taken = self.slots.0.taken();
        taken.change(self.endpoint, |endpoint| endpoint.come_back(self.since, permit));
    }
}

impl Slots {
    pub(crate) fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { limits, clock, taken: Mutex::default() }))
    }

    /// A place for a delivery, if there is one.
    pub(crate) fn reserve(&self, wanted: &Wanted) -> Option<Slot> {
        let limits = self.0.limits;
        let mut taken = self.0.look(wanted.endpoint);
        let room = taken.room(wanted, limits);
        taken.remember(wanted, room);
        if room.places() == 0 {
            return None;
        }
        if !taken.by_endpoint.contains_key(&wanted.endpoint) {
            if taken.by_endpoint.len().is_multiple_of(FORGET_AT) {
                taken.by_endpoint.retain(|_, endpoint| endpoint.is_worth_knowing());
            }
            taken.by_endpoint.insert(wanted.endpoint, Endpoint::new(wanted.org, limits));
        }
        taken.change(wanted.endpoint, |endpoint| endpoint.held += 1);
        taken.retries += usize::from(wanted.kind == Kind::Retry);
        let (inner, wanted) = (self.0.clone(), *wanted);
        Some(Slot::new(move || inner.free(&wanted)))
    }

    /// How many deliveries of an endpoint find a place now.
    pub(crate) fn room(&self, wanted: &Wanted) -> usize {
        let mut taken = self.0.look(wanted.endpoint);
        let room = taken.room(wanted, self.0.limits);
        taken.remember(wanted, room);
        room.places()
    }

    /// Waits until a delivery that has a place may set out. `None` where it has none, and after [`Slots::close`].
    pub(crate) async fn set_out(&self, endpoint: EndpointId) -> Option<UnderWay> {
        let under_way = self.0.taken().by_endpoint.get(&endpoint)?.under_way();
        let permit = under_way.acquire_owned().await.ok()?;
        let since = self.0.clock.now();
        self.0.taken().change(endpoint, |endpoint| endpoint.set_out(since));
        Some(UnderWay { slots: self.clone(), endpoint, since, permit: Some(permit) })
    }

    /// From now on no delivery sets out.
    pub(crate) fn close(&self) {
        self.0.taken().by_endpoint.values().for_each(|endpoint| endpoint.under_way().close());
    }

    /// Whether at least half of the places are free that an endpoint may have now: a claim is a write, and should take
    /// several at once. Where others have all of them, it is remembered that it wants one.
    pub(crate) fn is_half_free(&self, wanted: &Wanted) -> bool {
        let mut taken = self.0.look(wanted.endpoint);
        let held = taken.by_endpoint.get(&wanted.endpoint).map_or(0, |endpoint| endpoint.held);
        let room = taken.room(wanted, self.0.limits);
        taken.remember(wanted, room);
        let free = room.places();
        free > 0 && free >= held
    }

    /// Whether somebody finds a slot now who found none, because others had them. Said once: whoever asks looks after all.
    pub(crate) fn is_scarcity_over(&self) -> bool {
        let mut taken = self.0.taken();
        let finds = |wanted: &Wanted| taken.room(wanted, self.0.limits).places() > 0;
        let is_over = taken.starved.values().any(finds);
        if is_over {
            taken.starved.clear();
        }
        is_over
    }

    /// Notes what came of a try, as far as it says how the endpoint fares. One that copes may have more under way, one
    /// that does not has less; and one that has become well begins with a single one.
    pub(crate) fn note(&self, id: EndpointId, record: &Attempt, next: NextStep, turn: Option<Turn>) {
        let limits = self.0.limits;
        let mut taken = self.0.look(id);
        let Some(endpoint) = taken.by_endpoint.get(&id) else { return };
        let fair = taken.fair(endpoint.org, endpoint.share(), limits).min(limits.per_endpoint);
        taken.change(id, |endpoint| match (next, turn) {
            (NextStep::RetryAt(_) | NextStep::Exhausted, turn) => endpoint.fail(record, turn),
            (NextStep::Delivered, Some(_)) => endpoint.begin_anew(),
            (NextStep::Delivered, None) => endpoint.succeed(record, fair),
            (NextStep::EndpointGone | NextStep::CalledOff, _) => {}
        });
    }

    /// Notes at the end of a try whether the endpoint took it, before that is written down, and tells whether it has failed
    /// since it last took something. Others that are under way are to know: where many come back at once, a success
    /// between two failures is worth writing down.
    pub(crate) fn see(&self, endpoint: EndpointId, next: NextStep) -> bool {
        let mut taken = self.0.taken();
        let failed = matches!(next, NextStep::RetryAt(_) | NextStep::Exhausted);
        let Some(endpoint) = taken.by_endpoint.get_mut(&endpoint) else { return failed };
        endpoint.is_failing |= failed;
        endpoint.is_failing
    }

    /// How often its circuit has opened: what was taken before the last time is not to set out.
    pub(crate) fn openings(&self, endpoint: EndpointId) -> u64 {
        self.0.taken().by_endpoint.get(&endpoint).map_or(0, |endpoint| endpoint.openings)
    }
}

impl Inner {
    fn taken(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is taken, once it is seen how long the endpoint's tries have been under way.
    fn look(&self, endpoint: EndpointId) -> std::sync::MutexGuard<'_, Taken> {
        let now = self.clock.now();
        let mut taken = self.taken();
        taken.change(endpoint, |endpoint| endpoint.look(now));
        taken
    }

    fn free(&self, wanted: &Wanted) {
        let mut taken = self.taken();
        taken.change(wanted.endpoint, |endpoint| endpoint.held -= 1);
        taken.retries -= usize::from(wanted.kind == Kind::Retry);
    }
}
