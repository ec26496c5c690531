//! How many questions may wait for an answer at once.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::SourceId;

/// In all. A question more is answered by us: it may not take the memory and the connections of those that wait.
const IN_ALL: usize = 512;

/// Of one source: an address that never answers takes no places from the others.
const OF_ONE: usize = 64;

/// The questions that wait, counted by source.
#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<SourceId, usize>>);

/// A question's place, which is free again when this is dropped.
pub(super) struct Place<'a> {
    places: &'a Places,
    source: SourceId,
}

impl Places {
    /// A place for a question of a source, if there is one.
    pub(super) fn take(&self, source: SourceId) -> Option<Place<'_>> {
        let mut taken = self.taken();
        let own = taken.get(&source).copied().unwrap_or_default();
        if own >= OF_ONE || taken.values().sum::<usize>() >= IN_ALL {
            return None;
        }
        taken.insert(source, own + 1);
        Some(Place { places: self, source })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<SourceId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        let left = taken.get(&self.source).map_or(0, |own| own.saturating_sub(1));
        match left {
            0 => taken.remove(&self.source),
            left => taken.insert(self.source, left),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: usize) -> SourceId {
        format!("0197a3c4-0000-7000-8000-{number:012}").parse().expect("an id")
    }

    #[test]
    fn a_source_whose_address_is_slow_takes_no_places_from_the_others() {
        let places = Places::default();
        let mut slow: Vec<_> = (0..OF_ONE).map(|_| places.take(source(1)).expect("a place")).collect();
        assert!(places.take(source(1)).is_none());
        assert!(places.take(source(2)).is_some());
        slow.pop();
        assert!(places.take(source(1)).is_some(), "a place that was given back is free");
    }

    #[test]
    fn there_are_only_so_many_places_in_all_and_none_gets_lost() {
        let places = Places::default();
        let all: Vec<_> = (0..IN_ALL).map(|number| places.take(source(number)).expect("a place")).collect();
        assert!(places.take(source(IN_ALL)).is_none());
        drop(all);
        assert!(places.taken().is_empty());
    }
}
