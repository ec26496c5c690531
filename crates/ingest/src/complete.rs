//! Tells the calls as completed whose better message did not come in time. A reconciler: it takes no input, is woken
//! by a hint or a timer, and always does the same from the database's state.

use std::time::Duration;

use model::Time;

use crate::Ingest;

/// How long it sleeps at most: another server process may have made a call wait.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

impl Ingest {
    /// Tells whatever is due now. Returns how many calls that were.
    pub async fn complete_due(&self) -> store::Result<usize> {
        let mut told = 0;
        loop {
            let some = self.store.complete_due(self.rules()).await?;
            told += some;
            if some == 0 {
                return Ok(told);
            }
        }
    }

    /// Does what is to be done in the background, until it is dropped.
    pub async fn run(&self) {
        tokio::join!(self.run_completions(), self.run_erasures());
    }

    /// Tells calls as they become due.
    async fn run_completions(&self) {
        loop {
            let next = match self.complete_due_and_look().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(%error, "calls whose wait is over could not be told as completed; trying again");
                    self.clock.now() + Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = self.clock.sleep_until(next) => {}
                () = self.waiting.notified() => {}
            }
        }
    }

    async fn complete_due_and_look(&self) -> store::Result<Time> {
        self.complete_due().await?;
        let latest = self.clock.now() + LONGEST_SLEEP;
        Ok(self.store.next_completion_due().await?.map_or(latest, |next| next.min(latest)))
    }
}
