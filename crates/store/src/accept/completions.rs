//! Calls whose wait for a better message is over: they are told as completed with what is known of them.

use model::{CallId, OrgId, Platform, Time};

use super::{Context, Origin, Rules};
use crate::{Result, Store, calls, settle::settle, stamps::Stamps, tx::Tx, value::params};

/// How long a call that cannot be told as completed waits for the next time, in microseconds.
const POSTPONE_MICROS: i64 = 60 * 1_000_000;

impl Store {
    /// Tells the calls as completed whose wait is over, some at a time. Returns how many were told. One that cannot be
    /// told does not keep the others waiting: it is logged, and due again after a minute.
    pub async fn complete_due(&self, rules: Rules) -> Result<usize> {
        let now = self.0.clock.now();
        let due = self
            .read(move |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, org_id, source_id, source FROM calls WHERE completion_due_at <= ?1 \
                               ORDER BY completion_due_at LIMIT 100";
                    tx.query(sql, params![now], |row| {
                        let (id, org) = (row.get::<CallId>()?, row.get::<OrgId>()?);
                        let origin = Origin {
                            source: row.get()?,
                            platform: row.word("platform", Platform::parse)?,
                            message: None,
                        };
                        Ok((id, org, origin))
                    })
                    .await
                })
            })
            .await?;
        let mut told = 0;
        for (id, org, origin) in due {
            let context = self.org(org).context(rules);
            match self
                .write(move |tx| Box::pin(async move { complete(tx, &context, origin, id).await }))
                .await
            {
                Ok(Completed::Told) => told += 1,
                Ok(Completed::NotDue) => {}
                Err(error) if error.is_unavailable() => return Err(error),
                Err(error) => {
                    tracing::error!(%error, call = %id, "call {id} could not be told as completed; trying again later");
                    self.write(move |tx| Box::pin(async move { postpone(tx, org, id, now).await })).await?;
                }
            }
        }
        Ok(told)
    }

    /// When the next wait for a call's better message is over.
    pub async fn next_completion_due(&self) -> Result<Option<Time>> {
        self.read(|tx| {
            Box::pin(async move {
                let sql = "SELECT min(completion_due_at) FROM calls WHERE completion_due_at IS NOT NULL";
                Ok(tx.first(sql, &[], |row| row.get::<Option<Time>>()).await?.flatten())
            })
        })
        .await
    }
}

/// What came of a call that seemed to be due.
enum Completed {
    /// It was told as completed here.
    Told,
    /// Meanwhile its better message came, or another server process told it.
    NotDue,
}

async fn complete(tx: &mut Tx<'_>, context: &Context, origin: Origin, id: CallId) -> Result<Completed> {
    let mut stamps = Stamps::take(tx, context.org, context.now).await?;
    // Read again inside the transaction: the better message may have come meanwhile.
    let Some(stored) = calls::by_id(tx, context.org, id).await? else { return Ok(Completed::NotDue) };
    if stored.state.fired.completion_due_at.is_none_or(|due| due > context.now) {
        return Ok(Completed::NotDue);
    }
    let state = stored.state.clone();
    settle(tx, context, origin, None, Some(stored), state, &mut stamps).await?;
    Ok(Completed::Told)
}

/// Only where it is still due: a call that another server process has told meanwhile must not wait again, for nothing
/// would end that.
async fn postpone(tx: &mut Tx<'_>, org: OrgId, id: CallId, now: Time) -> Result<()> {
    let sql =
        "UPDATE calls SET completion_due_at = ?3 WHERE id = ?1 AND org_id = ?2 AND completion_due_at <= ?4";
    tx.execute(sql, params![id, org, now.plus_micros(POSTPONE_MICROS), now]).await.map(drop)
}
