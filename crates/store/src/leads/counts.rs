//! How many leads there are. Every number is that of a list ([`super::ListLeads`]), and comes from an index alone.

use model::{LeadStatus, Time};

use crate::{OrgStore, Result, value::params};

/// How many leads there are, by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeadCounts([i64; LeadStatus::ALL.len()]);

impl LeadCounts {
    /// All of them.
    pub fn total(&self) -> i64 {
        self.0.iter().sum()
    }

    /// Those with a status.
    pub fn with(&self, status: LeadStatus) -> i64 {
        LeadStatus::ALL.iter().zip(self.0).filter(|(each, _)| **each == status).map(|(_, n)| n).sum()
    }
}

impl OrgStore {
    /// How many leads were created after a time, or ever.
    pub async fn count_leads(&self, since: Option<Time>) -> Result<LeadCounts> {
        let org = self.org;
        let since = since.unwrap_or(Time::from_micros(0));
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let mut counts = LeadCounts::default();
                    for (count, status) in counts.0.iter_mut().zip(LeadStatus::ALL) {
                        let sql = "SELECT count(*) FROM leads WHERE org_id = ?1 AND status = ?2 AND created_at > ?3";
                        let values = params![org, status.as_str(), since];
                        *count = tx.first(sql, values, |row| row.get()).await?.unwrap_or(0);
                    }
                    Ok(counts)
                })
            })
            .await
    }
}
