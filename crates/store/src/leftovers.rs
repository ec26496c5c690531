//! What is good for nothing any more and was left where it is: deleted a few at a time.

use std::time::Duration;

use model::Time;

use crate::{Result, Store, idempotency, tx::Tx, value::params};

/// How many rows of a kind one write deletes.
const SOME: i64 = 200;

/// For so long they may lie: one write deletes many.
const SLACK: Duration = Duration::from_secs(3600);

/// How long a recovery that is done can be looked at.
const RECOVERY_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A kind of leftovers: from when on they are good for nothing, when the first of them was, and how some are deleted.
struct Kind {
    kept: Duration,
    first: &'static str,
    delete: &'static str,
}

const KINDS: [Kind; 3] = [
    // Answers that are given again.
    Kind {
        kept: idempotency::KEPT,
        first: "SELECT min(created_at) FROM idempotency_keys",
        delete: "DELETE FROM idempotency_keys WHERE (org_id, key) IN \
                 (SELECT org_id, key FROM idempotency_keys WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)",
    },
    // Sessions of people who were signed in.
    Kind {
        kept: Duration::ZERO,
        first: "SELECT min(expires_at) FROM sessions",
        delete: "DELETE FROM sessions WHERE id IN \
                 (SELECT id FROM sessions WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
    },
    // Recoveries.
    Kind {
        kept: RECOVERY_KEPT,
        first: "SELECT min(finished_at) FROM recoveries WHERE finished_at IS NOT NULL",
        delete: "DELETE FROM recoveries WHERE id IN (SELECT id FROM recoveries \
                 WHERE finished_at IS NOT NULL AND finished_at < ?1 ORDER BY finished_at LIMIT ?2)",
    },
];

impl Store {
    /// When the next leftovers are to be cleared.
    pub async fn next_leftovers(&self) -> Result<Option<Time>> {
        self.read(|tx| {
            Box::pin(async move {
                let mut next = None::<Time>;
                for kind in &KINDS {
                    let first = tx.first(kind.first, &[], |row| row.get::<Option<Time>>()).await?.flatten();
                    let due = first.map(|first| first + kind.kept + SLACK);
                    next = next.into_iter().chain(due).min();
                }
                Ok(next)
            })
        })
        .await
    }

    /// Deletes some of them. Returns whether there may be more.
    pub async fn clear_leftovers(&self) -> Result<bool> {
        let now = self.0.clock.now();
        self.write_repeatable(move |tx| Box::pin(async move { clear(tx, now).await })).await
    }
}

async fn clear(tx: &mut Tx<'_>, now: Time) -> Result<bool> {
    let mut more = false;
    for kind in &KINDS {
        let before = now.plus_micros(-i64::try_from(kind.kept.as_micros()).unwrap_or(i64::MAX));
        let deleted = tx.execute(kind.delete, params![before, SOME]).await?;
        more |= deleted >= SOME.unsigned_abs();
    }
    Ok(more)
}
