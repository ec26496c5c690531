//! A clock that is moved by hand and ids that are counted, so that a test says the same twice.

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::sync::watch;
use uuid::Uuid;

use crate::{Clock, IdGen, Time};

/// A clock that stands still until it is told to move.
#[derive(Debug)]
pub struct ManualClock(watch::Sender<Time>);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Time) -> Self {
        Self(watch::Sender::new(start))
    }

    /// Moves the clock on and wakes those who waited for it.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now = *now + by);
    }

    /// Sets the clock, backwards too: system clocks do jump.
    pub fn set(&self, now: Time) {
        self.0.send_replace(now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        *self.0.borrow()
    }

    fn sleep_until(&self, until: Time) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut watcher = self.0.subscribe();
        Box::pin(async move {
            // The sender lives as long as the borrow of `self`, so waiting cannot fail.
            let _ = watcher.wait_for(|now| *now >= until).await;
        })
    }
}

/// Ids that count up: `00000000-0000-7000-8000-000000000001` is the first.
#[derive(Debug, Default)]
pub struct CountedIds(AtomicU64);

impl CountedIds {
    /// Ids that count up behind a number, so that they are others than those of another count.
    pub const fn behind(n: u64) -> Self {
        Self(AtomicU64::new(n))
    }
}

impl IdGen for CountedIds {
    fn uuid(&self) -> Uuid {
        let n = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        Uuid::from_u128(0x7000_8000_0000_0000_0000 | u128::from(n))
    }

    fn fill(&self, bytes: &mut [u8]) {
        let mut n = (self.0.fetch_add(1, Ordering::Relaxed) + 1).wrapping_mul(0xD134_2543_DE82_EF95);
        for byte in bytes {
            // SplitMix64: spread out, the same in every run, and neighbours have nothing in common.
            n = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *byte = (mixed ^ (mixed >> 31)).to_be_bytes()[0];
        }
    }
}
