//! How many deliveries a worker holds, and how many of them are on their way at once: in all, and for one endpoint, so
//! that a slow receiver cannot take every place from the others.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use model::EndpointId;
use store::{NextStep, Turn, outbox::Slot};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for deliveries.
#[derive(Clone)]
pub(crate) struct Slots(Arc<Inner>);

/// How many places there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For deliveries that the worker holds, under way or about to be.
    pub(crate) in_all: usize,
    /// For those of one endpoint.
    pub(crate) per_endpoint: usize,
    /// For those of one endpoint that are under way.
    pub(crate) under_way: usize,
}

struct Inner {
    limits: Limits,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    in_all: usize,
    by_endpoint: HashMap<EndpointId, OfEndpoint>,
    /// How many deliveries are held at most for endpoints that have just become well: it doubles with each success.
    recovering: HashMap<EndpointId, usize>,
    /// Endpoints that have failed since they last took something.
    failing: HashSet<EndpointId>,
    /// How often an endpoint's circuit has opened since this process began. Few ever do.
    openings: HashMap<EndpointId, u64>,
}

impl Taken {
    /// How many more deliveries of an endpoint find a place.
    fn room(&self, endpoint: EndpointId, limits: Limits) -> usize {
        let taken = self.by_endpoint.get(&endpoint).map_or(0, |of_endpoint| of_endpoint.taken);
        let most = self
            .recovering
            .get(&endpoint)
            .map_or(limits.per_endpoint, |most| (*most).min(limits.per_endpoint));
        most.saturating_sub(taken).min(limits.in_all.saturating_sub(self.in_all))
    }
}

struct OfEndpoint {
    taken: usize,
    under_way: Arc<Semaphore>,
}

impl Slots {
    pub(crate) fn new(limits: Limits) -> Self {
        Self(Arc::new(Inner { limits, taken: Mutex::default() }))
    }

    /// A place for a delivery to the endpoint, if there is one.
    pub(crate) fn reserve(&self, endpoint: EndpointId) -> Option<Slot> {
        let limits = self.0.limits;
        let mut taken = self.0.taken();
        if taken.room(endpoint, limits) == 0 {
            return None;
        }
        let of_endpoint = taken.by_endpoint.entry(endpoint).or_insert_with(|| OfEndpoint {
            taken: 0,
            under_way: Arc::new(Semaphore::new(limits.under_way)),
        });
        of_endpoint.taken += 1;
        taken.in_all += 1;
        let inner = self.0.clone();
        Some(Slot::new(move || inner.free(endpoint)))
    }

    /// Waits until a delivery that has a place may set out. `None` where it has none, and after [`Slots::close`].
    pub(crate) async fn set_out(&self, endpoint: EndpointId) -> Option<OwnedSemaphorePermit> {
        let under_way = self.0.taken().by_endpoint.get(&endpoint)?.under_way.clone();
        under_way.acquire_owned().await.ok()
    }

    /// From now on no delivery sets out.
    pub(crate) fn close(&self) {
        self.0.taken().by_endpoint.values().for_each(|of_endpoint| of_endpoint.under_way.close());
    }

    /// How many deliveries of an endpoint find a place now.
    pub(crate) fn room(&self, endpoint: EndpointId) -> usize {
        self.0.taken().room(endpoint, self.0.limits)
    }

    /// Whether at least half of an endpoint's places are free: a claim is a write, and should take several at once.
    pub(crate) fn is_half_free(&self, endpoint: EndpointId) -> bool {
        let taken = self.0.taken();
        let limits = self.0.limits;
        let most = taken
            .recovering
            .get(&endpoint)
            .map_or(limits.per_endpoint, |most| (*most).min(limits.per_endpoint));
        taken.room(endpoint, limits) * 2 >= most
    }

    /// Notes at the end of a try whether the endpoint took it, before that is written down, and tells whether it has failed
    /// since it last took something. Others that are under way are to know: where many come back at once, a success
    /// between two failures is worth writing down.
    pub(crate) fn see(&self, endpoint: EndpointId, next: NextStep) -> bool {
        let mut taken = self.0.taken();
        if matches!(next, NextStep::RetryAt(_) | NextStep::Exhausted) {
            taken.failing.insert(endpoint);
        }
        taken.failing.contains(&endpoint)
    }

    /// Notes what came of a try, as far as it says how the endpoint fares. One that has become well gets what waited for
    /// it slowly at first: what made it fail may have been too much at once.
    pub(crate) fn note(&self, endpoint: EndpointId, next: NextStep, turn: Option<Turn>) {
        let mut taken = self.0.taken();
        match (next, turn) {
            (NextStep::RetryAt(_) | NextStep::Exhausted, turn) => {
                taken.failing.insert(endpoint);
                if turn == Some(Turn::Opened) {
                    *taken.openings.entry(endpoint).or_default() += 1;
                }
            }
            (NextStep::Delivered, Some(_)) => {
                taken.failing.remove(&endpoint);
                taken.recovering.insert(endpoint, 1);
            }
            (NextStep::Delivered, None) => {
                if !taken.failing.is_empty() {
                    taken.failing.remove(&endpoint);
                }
                let Some(most) = taken.recovering.get_mut(&endpoint) else { return };
                *most *= 2;
                if *most >= self.0.limits.per_endpoint {
                    taken.recovering.remove(&endpoint);
                }
            }
            (NextStep::EndpointGone | NextStep::CalledOff, _) => {}
        }
    }

    /// How often its circuit has opened: what was taken before the last time is not to set out.
    pub(crate) fn openings(&self, endpoint: EndpointId) -> u64 {
        self.0.taken().openings.get(&endpoint).copied().unwrap_or_default()
    }
}

impl Inner {
    fn taken(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn free(&self, endpoint: EndpointId) {
        let mut taken = self.taken();
        taken.in_all -= 1;
        match taken.by_endpoint.get_mut(&endpoint) {
            Some(of_endpoint) if of_endpoint.taken > 1 => of_endpoint.taken -= 1,
            _ => {
                taken.by_endpoint.remove(&endpoint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn endpoint(n: u128) -> EndpointId {
        EndpointId::new(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn one_endpoint_cannot_take_every_place() {
        let slots = Slots::new(Limits { in_all: 3, per_endpoint: 2, under_way: 1 });
        assert_eq!(slots.room(endpoint(1)), 2);
        let first = slots.reserve(endpoint(1));
        assert!(slots.is_half_free(endpoint(1)));
        let held = [first, slots.reserve(endpoint(1))];
        assert!(held.iter().all(Option::is_some) && slots.reserve(endpoint(1)).is_none());
        assert_eq!((slots.room(endpoint(1)), slots.room(endpoint(2))), (0, 1));
        let other = slots.reserve(endpoint(2));
        assert!(other.is_some() && slots.reserve(endpoint(3)).is_none());
        drop(held);
        assert_eq!((slots.room(endpoint(1)), slots.room(endpoint(2))), (2, 1));
    }

    #[tokio::test]
    async fn only_so_many_are_under_way_to_one_endpoint() {
        let slots = Slots::new(Limits { in_all: 9, per_endpoint: 3, under_way: 1 });
        assert!(slots.set_out(endpoint(1)).await.is_none(), "it has no place");
        let _held = [slots.reserve(endpoint(1)), slots.reserve(endpoint(1)), slots.reserve(endpoint(2))];
        let first = slots.set_out(endpoint(1)).await;
        assert!(first.is_some() && slots.set_out(endpoint(2)).await.is_some());
        assert!(slots.set_out(endpoint(1)).now_or_never().is_none());
        drop(first);
        assert!(slots.set_out(endpoint(1)).await.is_some());
        slots.close();
        assert!(slots.set_out(endpoint(1)).await.is_none());
    }
}
