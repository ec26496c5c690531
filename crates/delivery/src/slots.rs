//! How many tries may be under way at once: in all, and for one endpoint, so that a slow receiver cannot take every
//! place from the others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use model::EndpointId;
use store::outbox::Slot;

/// Places for tries.
#[derive(Clone)]
pub(crate) struct Slots(Arc<Inner>);

struct Inner {
    in_all: usize,
    per_endpoint: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    in_all: usize,
    by_endpoint: HashMap<EndpointId, usize>,
}

impl Slots {
    pub(crate) fn new(in_all: usize, per_endpoint: usize) -> Self {
        Self(Arc::new(Inner { in_all, per_endpoint, taken: Mutex::default() }))
    }

    /// A place for a try to the endpoint, if there is one.
    pub(crate) fn reserve(&self, endpoint: EndpointId) -> Option<Slot> {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_endpoint = taken.by_endpoint.get(&endpoint).copied().unwrap_or(0);
        if taken.in_all >= self.0.in_all || of_endpoint >= self.0.per_endpoint {
            return None;
        }
        taken.in_all += 1;
        taken.by_endpoint.insert(endpoint, of_endpoint + 1);
        let inner = self.0.clone();
        Some(Slot::new(move || inner.free(endpoint)))
    }

    /// How many deliveries of an endpoint find a place now.
    pub(crate) fn room(&self, endpoint: EndpointId) -> usize {
        let taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_endpoint = taken.by_endpoint.get(&endpoint).copied().unwrap_or(0);
        let left_in_all = self.0.in_all.saturating_sub(taken.in_all);
        self.0.per_endpoint.saturating_sub(of_endpoint).min(left_in_all)
    }

    /// Whether at least half of an endpoint's places are free: a claim is a write, and should take several at once.
    pub(crate) fn is_half_free(&self, endpoint: EndpointId) -> bool {
        self.room(endpoint) * 2 >= self.0.per_endpoint
    }
}

impl Inner {
    fn free(&self, endpoint: EndpointId) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all -= 1;
        match taken.by_endpoint.get_mut(&endpoint) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.by_endpoint.remove(&endpoint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_endpoint_cannot_take_every_place() {
        let endpoint = |n: u128| EndpointId::new(uuid::Uuid::from_u128(n));
        let slots = Slots::new(3, 2);
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
}
