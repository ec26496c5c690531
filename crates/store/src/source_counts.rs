//! How much came from each source, for people.

use std::collections::HashMap;

use model::SourceId;

use crate::{OrgStore, Result, value::params};

impl OrgStore {
    /// How many calls each platform's source has brought.
    pub async fn count_calls_of_sources(&self) -> Result<HashMap<SourceId, i64>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    // By the source alone, which is the organization's: so an index is enough.
                    let sql = "SELECT s.id, (SELECT COUNT(*) FROM calls c WHERE c.source_id = s.id) FROM sources s \
                               WHERE s.org_id = ?1 AND s.platform <> 'api' AND s.deleted_at IS NULL";
                    let counts = tx.query(sql, params![org], |row| Ok((row.get()?, row.get()?))).await?;
                    Ok(counts.into_iter().collect())
                })
            })
            .await
    }
}
