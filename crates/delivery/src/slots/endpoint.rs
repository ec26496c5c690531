//! What a worker knows of one endpoint: how much it copes with, and how fast it is.

use std::{sync::Arc, time::Duration};

use model::{OrgId, Time};
use store::{Attempt, Turn};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Limits;

/// How many tries may be under way to an endpoint of which nothing is known.
const START: usize = 4;

/// A try that takes longer is slow. An endpoint is while more than one in ten of its last are (its 90th percentile).
const SLOW: Duration = Duration::from_secs(3);

/// Who answers faster has deliveries held at hand.
const BRISK: Duration = Duration::from_secs(1);

/// An endpoint.
pub(super) struct Endpoint {
    pub(super) org: OrgId,
    /// Deliveries that have a place: under way, about to be, or being written down.
    pub(super) held: usize,
    /// Whether it has failed since it last took something.
    pub(super) is_failing: bool,
    /// How often its circuit has opened since this process began.
    pub(super) openings: u64,
    /// How many tries may be under way.
    limit: usize,
    /// How many of those under way are not to be followed by another: it was allowed more when they set out.
    debt: usize,
    under_way: Arc<Semaphore>,
    /// Since when, the tries that are.
    since: Vec<Time>,
    /// Which of the last tries were slow, a bit for each, the last one lowest; and how many there are of them.
    slow_tries: u32,
    tries: u32,
    is_slow: bool,
    /// Whether the last try was taken fast.
    is_brisk: bool,
}

/// What an endpoint has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) slots: usize,
    /// Those of its slots that count as slow.
    pub(super) slow: usize,
    /// Deliveries that are held behind the slots.
    pub(super) queued: usize,
}

impl Endpoint {
    pub(super) fn new(org: OrgId, limits: Limits) -> Self {
        let limit = START.min(limits.per_endpoint);
        Self {
            org,
            held: 0,
            is_failing: false,
            openings: 0,
            limit,
            debt: 0,
            under_way: Arc::new(Semaphore::new(limit)),
            since: Vec::new(),
            slow_tries: 0,
            tries: 0,
            is_slow: false,
            is_brisk: false,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn is_slow(&self) -> bool {
        self.is_slow
    }

    pub(super) fn under_way(&self) -> Arc<Semaphore> {
        self.under_way.clone()
    }

    pub(super) fn share(&self) -> Share {
        let slots = self.held.min(self.limit);
        Share { slots, slow: if self.is_slow { slots } else { 0 }, queued: self.held - slots }
    }

    /// How many deliveries may be held behind the slots: of one that is fast so many for each slot as it has slots, so
    /// that they are few while little is known of it.
    pub(super) fn longest_queue(&self) -> usize {
        if self.is_brisk { self.limit * (self.limit - 1) } else { 0 }
    }

    /// Whether there is anything to remember.
    pub(super) fn is_worth_knowing(&self) -> bool {
        self.held > 0 || self.is_failing || self.is_slow
    }

    pub(super) fn set_out(&mut self, now: Time) {
        self.since.push(now);
    }

    /// A try is over; the next sets out, unless there are to be fewer.
    pub(super) fn come_back(&mut self, since: Time, permit: OwnedSemaphorePermit) {
        if let Some(at) = self.since.iter().position(|other| *other == since) {
            self.since.swap_remove(at);
        }
        if self.debt > 0 {
            self.debt -= 1;
            permit.forget();
        }
    }

    /// Who does not answer is slow long before that is an error.
    pub(super) fn look(&mut self, now: Time) {
        let hangs = self.since.iter().any(|since| now.since(*since) > SLOW);
        self.is_slow = hangs || self.slow_tries.count_ones() * 10 > self.tries;
    }

    /// A try was taken: more may be under way, as far as that is fair, or fewer where slots have become scarce.
    pub(super) fn succeed(&mut self, record: &Attempt, fair: usize) {
        let took = self.note(record);
        self.is_failing = false;
        self.is_brisk = took <= BRISK;
        match self.limit {
            limit if limit > fair => self.set_limit(limit - 1),
            _ if self.is_slow => {}
            limit if limit < START => self.set_limit((limit * 2).min(fair)),
            limit if limit < fair => self.set_limit(limit + 1),
            _ => {}
        }
    }

    /// A try failed. Half as much is to be under way where that may have been too much: it did not answer, or with 5xx or
    /// 429.
    pub(super) fn fail(&mut self, record: &Attempt, turn: Option<Turn>) {
        self.note(record);
        self.is_failing = true;
        self.is_brisk = false;
        if turn == Some(Turn::Opened) {
            self.openings += 1;
        }
        if record.status.is_none_or(|status| status >= 500 || status == 429) {
            self.set_limit((self.limit / 2).max(1));
        }
    }

    /// It is well again. What waited is sent slowly at first: what made it fail may have been too much at once.
    pub(super) fn begin_anew(&mut self) {
        (self.slow_tries, self.tries, self.is_slow) = (0, 0, false);
        self.is_failing = false;
        self.is_brisk = false;
        self.set_limit(1);
    }

    fn note(&mut self, record: &Attempt) -> Duration {
        let took = Duration::from_millis(record.duration_ms.unsigned_abs());
        self.slow_tries = (self.slow_tries << 1) | u32::from(took > SLOW);
        self.tries = (self.tries + 1).min(u32::BITS);
        self.is_slow = self.slow_tries.count_ones() * 10 > self.tries;
        took
    }

    fn set_limit(&mut self, limit: usize) {
        if limit < self.limit {
            let fewer = self.limit - limit;
            self.debt += fewer - self.under_way.forget_permits(fewer);
        } else {
            let more = limit - self.limit;
            let owed = self.debt.min(more);
            self.debt -= owed;
            self.under_way.add_permits(more - owed);
        }
        self.limit = limit;
    }
}
