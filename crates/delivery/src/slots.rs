//! How many deliveries a worker holds, and how many of them are on their way at once: in all, and for one endpoint, so
//! that a slow receiver cannot take every place from the others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use model::EndpointId;
use store::outbox::Slot;
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
        if taken.in_all >= limits.in_all {
            return None;
        }
        let of_endpoint = taken.by_endpoint.entry(endpoint).or_insert_with(|| OfEndpoint {
            taken: 0,
            under_way: Arc::new(Semaphore::new(limits.under_way)),
        });
        if of_endpoint.taken >= limits.per_endpoint {
            return None;
        }
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
        let taken = self.0.taken();
        let of_endpoint = taken.by_endpoint.get(&endpoint).map_or(0, |of_endpoint| of_endpoint.taken);
        let left_in_all = self.0.limits.in_all.saturating_sub(taken.in_all);
        self.0.limits.per_endpoint.saturating_sub(of_endpoint).min(left_in_all)
    }

    /// Whether at least half of an endpoint's places are free: a claim is a write, and should take several at once.
    pub(crate) fn is_half_free(&self, endpoint: EndpointId) -> bool {
        self.room(endpoint) * 2 >= self.0.limits.per_endpoint
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
