//! What an endpoint is still owed, counted for people.

use std::collections::HashMap;

use model::{EndpointId, OrgId};

use crate::{
    DeliveryState, Endpoint, OrgStore, Result,
    delivery_log::have_failed,
    tx::Tx,
    value::{Cells, params},
};

/// How many deliveries an endpoint is still owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Those that were not tried yet.
    pub pending: i64,
    /// Those of which a try failed and another is due.
    pub retrying: i64,
    /// Those that wait until the endpoint is enabled.
    pub held: i64,
}

impl Waiting {
    /// Counting ends here: whoever has more knows what they need to know.
    pub const MOST: i64 = 1000;

    /// All of them; more than [`Waiting::MOST`] where counting ended.
    pub fn total(self) -> i64 {
        self.pending + self.retrying + self.held
    }
}

/// Those that are due, each to be found by its endpoint.
async fn due(tx: &mut Tx<'_>, org: OrgId, endpoint: EndpointId) -> Result<Waiting> {
    let sql = "SELECT w.state, COUNT(*) FROM (SELECT d.state FROM endpoints p JOIN deliveries d ON d.endpoint_id = p.id \
               WHERE p.id = ?2 AND p.org_id = ?1 AND d.due_at IS NOT NULL LIMIT ?3) w GROUP BY w.state";
    let read =
        |row: &mut Cells<'_>| Ok((row.word("delivery state", DeliveryState::parse)?, row.get::<i64>()?));
    let counts = tx.query(sql, params![org, endpoint, Waiting::MOST + 1], read).await?;
    let mut waiting = Waiting::default();
    for (state, count) in counts {
        match state {
            DeliveryState::Retrying => waiting.retrying += count,
            DeliveryState::Pending => waiting.pending += count,
            _ => {}
        }
    }
    Ok(waiting)
}

async fn held(tx: &mut Tx<'_>, org: OrgId, endpoint: EndpointId) -> Result<i64> {
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT 1 AS one FROM endpoints p JOIN deliveries d ON d.endpoint_id = p.id \
         WHERE p.id = ?2 AND p.org_id = ?1 AND {} AND d.state = 'held' LIMIT ?3) w",
        have_failed("d.")
    );
    let count = tx.first(&sql, params![org, endpoint, Waiting::MOST + 1], |row| row.get()).await?;
    Ok(count.unwrap_or_default())
}

impl OrgStore {
    /// What each of these endpoints is still owed, beside what is being sent at this moment.
    pub async fn count_waiting(&self, endpoints: &[Endpoint]) -> Result<HashMap<EndpointId, Waiting>> {
        let org = self.org;
        let endpoints: Vec<_> = endpoints.iter().map(|each| (each.id, each.state.holds())).collect();
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let mut counts = HashMap::new();
                    for (endpoint, holds) in endpoints {
                        let mut waiting = due(tx, org, endpoint).await?;
                        if holds {
                            waiting.held = held(tx, org, endpoint).await?;
                        }
                        counts.insert(endpoint, waiting);
                    }
                    Ok(counts)
                })
            })
            .await
    }
}
