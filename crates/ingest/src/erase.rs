//! Works off erasures: while who asked waits, and what is left, also by a crash, in the background. A reconciler like
//! `complete`.

use std::time::Duration;

use model::{ContactId, ErasureId};
use store::{Compaction, Erasure, ErasureStep, OrgStore};

use crate::Ingest;

/// How long a request waits for its erasure to be done.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a try of a delivery that is under way is waited for before it is looked again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long it sleeps at most: another process may have left an erasure behind.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

impl Ingest {
    /// Erases the person that a contact stands for, and comes back when that is done, or goes on in the background where
    /// it takes long. `None` where the organization has no such contact.
    pub async fn erase(&self, records: &OrgStore, contact: ContactId) -> store::Result<Option<Erasure>> {
        let Some(begun) = records.begin_erasure(contact).await? else { return Ok(None) };
        let until = self.clock.now() + PATIENCE;
        loop {
            let Some(step) = records.continue_erasure(begun.id, Compaction::IfSmall).await? else {
                return Ok(None);
            };
            match step {
                ErasureStep::Done(done) => return Ok(Some(done)),
                ErasureStep::More(_) if self.clock.now() < until => {}
                ErasureStep::More(left) | ErasureStep::Waits(left) => {
                    self.erasing.notify_one();
                    return Ok(Some(left));
                }
            }
        }
    }

    /// Does all of the erasures that can be done now. Returns whether one has to wait for something.
    pub async fn work_off_erasures(&self) -> store::Result<bool> {
        let mut waits = false;
        for (org, id) in self.store.running_erasures().await? {
            waits |= self.work_off(&self.store.org(org), id).await?;
        }
        Ok(waits)
    }

    async fn work_off(&self, records: &OrgStore, id: ErasureId) -> store::Result<bool> {
        loop {
            match records.continue_erasure(id, Compaction::IfSmall).await? {
                Some(ErasureStep::More(_)) => {}
                Some(ErasureStep::Waits(_)) => return Ok(true),
                Some(ErasureStep::Done(_)) | None => return Ok(false),
            }
        }
    }

    /// Works off erasures as they are left, until it is dropped.
    pub(crate) async fn run_erasures(&self) {
        loop {
            let pause = match self.work_off_erasures().await {
                Ok(true) => LOOK_AGAIN,
                Ok(false) => LONGEST_SLEEP,
                Err(error) => {
                    tracing::error!(%error, "an erasure could not go on; trying again");
                    LOOK_AGAIN
                }
            };
            tokio::select! {
                () = self.clock.sleep_until(self.clock.now() + pause) => {}
                () = self.erasing.notified() => {}
            }
        }
    }
}
