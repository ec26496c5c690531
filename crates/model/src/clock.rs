//! The two doors to the world outside: what time it is, and what is new.

use std::{future::Future, pin::Pin};

use uuid::Uuid;

use crate::{Id, Time};

/// Tells the time and waits for it. Nothing else in the product asks the system for the time.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Time;

    /// Resolves when [`Clock::now`] has reached `until`.
    fn sleep_until(&self, until: Time) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Makes what must be new: ids and secrets. Nothing else in the product asks the system for randomness.
pub trait IdGen: Send + Sync + 'static {
    /// A fresh UUID, version 7 (RFC 9562 section 5.7).
    fn uuid(&self) -> Uuid;

    /// Fills `bytes` from a cryptographically secure source.
    fn fill(&self, bytes: &mut [u8]);
}

impl dyn IdGen {
    /// A fresh id of whatever kind is wanted.
    pub fn id<K>(&self) -> Id<K> {
        Id::new(self.uuid())
    }

    /// A fraction from 0 to 1, evenly spread.
    pub fn fraction(&self) -> f64 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
    }
}
