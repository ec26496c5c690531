//! Forgets what is too old to be kept, and clears away what was left behind. A reconciler: it takes no input, is woken by the
//! clock, and always does the same from what the database says. It works in short writes and rests between them, so
//! nobody who sends or takes anything waits for it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use model::{Clock, Time};
use store::Store;

/// How long it sleeps at most: an organization may keep its webhooks for another time than before.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// How long is waited after an error of the database.
const AFTER_ERROR: Duration = Duration::from_secs(60);

/// How often events are looked at again that were old enough and still owed to somebody.
const LOOK_AGAIN: u64 = 6 * 3600;

/// How many times as long as a write took it rests after it: more where deliveries wait.
const REST: u32 = 4;
const LONG_REST: u32 = 20;

/// Forgets webhooks that are too old.
pub struct Retention {
    store: Store,
    clock: Arc<dyn Clock>,
    /// How long webhooks are kept where an organization says nothing else; `None` for ever.
    keep: Option<Duration>,
    /// When spared events are looked at again.
    again_at: Mutex<Time>,
}

impl Retention {
    /// Over a store.
    pub fn new(store: Store, clock: Arc<dyn Clock>, keep: Option<Duration>) -> Self {
        let again_at = Mutex::new(clock.now());
        Self { store, clock, keep, again_at }
    }

    /// Forgets what becomes old enough, until it is dropped.
    pub async fn run(&self) {
        loop {
            let next = match self.pass_and_look().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(%error, "what is too old could not be forgotten; trying again");
                    self.clock.now() + AFTER_ERROR
                }
            };
            self.clock.sleep_until(next).await;
        }
    }

    async fn pass_and_look(&self) -> store::Result<Time> {
        self.pass().await?;
        let latest = self.clock.now() + LONGEST_SLEEP;
        Ok(self.next_due().await?.map_or(latest, |next| next.min(latest)))
    }

    /// When there is something to do next.
    pub async fn next_due(&self) -> store::Result<Option<Time>> {
        let (due, next) = self.store.retiring(self.keep).await?;
        let now = (!due.is_empty()).then(|| self.clock.now());
        let again = if self.store.has_spared().await? { Some(self.again_at()) } else { None };
        let leftovers = self.store.next_leftovers().await?;
        Ok([now, next, again, leftovers].into_iter().flatten().min())
    }

    /// Does all that there is to do now.
    async fn pass(&self) -> store::Result<()> {
        let (due, _) = self.store.retiring(self.keep).await?;
        for retiring in due {
            loop {
                let began = self.clock.now();
                if !self.store.forget_some(retiring).await? {
                    break;
                }
                self.rest(began).await;
            }
        }
        if self.again_at() <= self.clock.now() {
            self.look_again().await?;
            *self.again_at.lock().unwrap_or_else(PoisonError::into_inner) =
                self.clock.now() + Duration::from_secs(LOOK_AGAIN);
        }
        while self.store.next_leftovers().await?.is_some_and(|due| due <= self.clock.now()) {
            let began = self.clock.now();
            self.store.clear_leftovers().await?;
            self.rest(began).await;
        }
        Ok(())
    }

    /// Forgets what was spared and is owed to nobody any more.
    async fn look_again(&self) -> store::Result<()> {
        let mut place = None;
        loop {
            let began = self.clock.now();
            let (mut done, next) = self.store.spared_and_done(place).await?;
            while !done.is_empty() {
                self.store.forget_spared(&mut done).await?;
                self.rest(began).await;
            }
            if next.is_none() {
                return Ok(());
            }
            place = next;
            self.rest(began).await;
        }
    }

    fn again_at(&self) -> Time {
        *self.again_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets others write, for longer the longer the last write took, and the more there is to be sent.
    async fn rest(&self, began: Time) {
        let now = self.clock.now();
        let times = if self.store.outbox().has_backlog() { LONG_REST } else { REST };
        self.clock.sleep_until(now + now.since(began) * times).await;
    }
}
