//! How many calls there are. Every number is that of a list ([`super::ListCalls`]), and comes from indexes alone.

use model::{CallStatus, OrgId, Time};

use super::CallView;
use crate::{OrgStore, Result, tx::Tx, value::params};

/// How many calls there are of a time, by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusCounts([i64; CallStatus::ALL.len()]);

impl StatusCounts {
    /// All of them.
    pub fn total(&self) -> i64 {
        self.0.iter().sum()
    }

    /// Those with a status.
    pub fn with(&self, status: CallStatus) -> i64 {
        CallStatus::ALL.iter().zip(self.0).filter(|(each, _)| **each == status).map(|(_, n)| n).sum()
    }

    /// Those that are under way.
    pub fn under_way(&self) -> i64 {
        self.with(CallStatus::InProgress) + self.with(CallStatus::Forwarding)
    }
}

/// How many calls an organization has of a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// By status.
    pub by_status: StatusCounts,
    needs_review: i64,
    set_aside: i64,
}

impl CallCounts {
    /// All of them.
    pub fn total(&self) -> i64 {
        self.by_status.total()
    }

    /// Those with a status.
    pub fn with(&self, status: CallStatus) -> i64 {
        self.by_status.with(status)
    }

    /// Those in a view.
    pub fn of(&self, view: CallView) -> i64 {
        match view {
            CallView::NeedsReview => self.needs_review,
            CallView::InProgress => self.by_status.under_way(),
            CallView::Failed => self.with(CallStatus::Failed),
            CallView::SetAside => self.set_aside,
        }
    }
}

impl OrgStore {
    /// How many calls were created after a time, or ever.
    pub async fn count_calls(&self, since: Option<Time>) -> Result<CallCounts> {
        let org = self.org;
        let since = since.unwrap_or(Time::from_micros(0));
        self.store.read(move |tx| Box::pin(async move { count(tx, org, since).await })).await
    }

    /// How many calls were created between each of these times and the next.
    pub async fn count_calls_between(&self, times: Vec<Time>) -> Result<Vec<StatusCounts>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let mut counts = Vec::new();
                    for pair in times.windows(2) {
                        counts.push(by_status(tx, org, pair[0], pair[1]).await?);
                    }
                    Ok(counts)
                })
            })
            .await
    }
}

async fn by_status(tx: &mut Tx<'_>, org: OrgId, since: Time, until: Time) -> Result<StatusCounts> {
    let mut counts = [0; CallStatus::ALL.len()];
    for (count, status) in counts.iter_mut().zip(CallStatus::ALL) {
        let sql = "SELECT count(*) FROM calls WHERE org_id = ?1 AND status = ?2 AND created_at > ?3 AND created_at < ?4";
        let found = tx.first(sql, params![org, status.as_str(), since, until], |row| row.get()).await?;
        *count = found.unwrap_or(0);
    }
    Ok(StatusCounts(counts))
}

async fn count(tx: &mut Tx<'_>, org: OrgId, since: Time) -> Result<CallCounts> {
    let end = Time::from_micros(i64::MAX);
    let by_status = by_status(tx, org, since, end).await?;
    let counts = CallCounts { by_status, ..CallCounts::default() };
    let mut looked_at = 0;
    for status in [CallStatus::Completed, CallStatus::Failed] {
        let sql = "SELECT count(*) FROM calls WHERE org_id = ?1 AND status = ?2 AND created_at > ?3 \
                   AND (reviewed_at IS NOT NULL OR spam)";
        looked_at +=
            tx.first(sql, params![org, status.as_str(), since], |row| row.get::<i64>()).await?.unwrap_or(0);
    }
    let over = counts.with(CallStatus::Completed) + counts.with(CallStatus::Failed);
    let sql = "SELECT count(*) FROM calls WHERE org_id = ?1 AND spam AND created_at > ?2";
    let spam = tx.first(sql, params![org, since], |row| row.get::<i64>()).await?.unwrap_or(0);
    let sql =
        "SELECT count(*) FROM calls WHERE org_id = ?1 AND spam AND status = 'blocked' AND created_at > ?2";
    let both = tx.first(sql, params![org, since], |row| row.get::<i64>()).await?.unwrap_or(0);
    let set_aside = counts.with(CallStatus::Blocked) + spam - both;
    Ok(CallCounts { needs_review: over - looked_at, set_aside, ..counts })
}
