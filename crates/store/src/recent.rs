//! Records that every request asks for, remembered until anything is written.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use crate::sqlite::Generation;

/// More records than this are not remembered at once.
const CAPACITY: usize = 1000;

/// Records that were looked up, each with the state of the database that it was found in.
pub(crate) struct Recent<K, V>(Mutex<HashMap<K, (Generation, Arc<V>)>>);

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// The record, if it was found in this state.
    pub(crate) fn get(&self, key: &K, now: Option<Generation>) -> Option<Arc<V>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, record) = known.get(key)?;
        (Some(*seen) == now).then(|| record.clone())
    }

    /// Remembers a record. `seen` is the state from before it was looked up: what is written in between makes it
    /// another. `None` remembers nothing.
    pub(crate) fn put(&self, key: K, seen: Option<Generation>, record: &Arc<V>) {
        let Some(seen) = seen else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(key, (seen, record.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_remembered_while_nothing_is_written() {
        let (recent, record) = (Recent::default(), Arc::new("record"));
        let (before, after) = (Some([1; 48]), Some([2; 48]));
        recent.put("key", before, &record);
        recent.put("other", None, &record);
        assert_eq!(recent.get(&"key", before), Some(record));
        assert_eq!(
            (recent.get(&"key", after), recent.get(&"key", None), recent.get(&"other", None)),
            (None, None, None)
        );
    }
}
