//! Events that did not happen: told to the organization's endpoints when somebody asks to see one arrive.

use model::{EndpointId, EventId};

use crate::{
    Error, NewEvent, OrgStore, Result, Rules,
    accept::Context,
    audience,
    endpoints::{self, Subscriber},
    events,
    stamps::Stamps,
    tx::Tx,
    value::params,
};

/// An event that was told, and to how many endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldSample {
    /// The event.
    pub id: EventId,
    /// How many endpoints it is delivered to.
    pub deliveries: i64,
}

impl OrgStore {
    /// Tells a sample as any other event is told: it is in the log, and delivered to each endpoint that asks for it,
    /// or only to one of these.
    pub async fn tell_sample(
        &self,
        sample: NewEvent,
        only: Option<EndpointId>,
        rules: Rules,
    ) -> Result<ToldSample> {
        let context = self.context(rules);
        self.store.write(move |tx| Box::pin(async move { tell(tx, &context, sample, only).await })).await
    }
}

async fn tell(
    tx: &mut Tx<'_>,
    context: &Context,
    sample: NewEvent,
    only: Option<EndpointId>,
) -> Result<ToldSample> {
    let org = context.org;
    let mut stamps = Stamps::take(tx, org, context.now).await?;
    let is_meant = |subscriber: &&Subscriber| only.is_none_or(|only| subscriber.destination.id == only);
    let all = endpoints::subscribers(tx, org).await?;
    let mut told = audience::of_sample(&sample, &all);
    told.retain(is_meant);
    // Also where nobody asks for it: a person asked to see it.
    events::insert(tx, context, sample, &told, &mut stamps).await?;
    // The clock is locked until the end of the transaction, so the newest event is this one.
    let sql = "SELECT e.id, (SELECT CAST(count(*) AS BIGINT) FROM deliveries d \
                             WHERE d.org_id = e.org_id AND d.created_at > e.created_at AND d.event_id = e.id) \
               FROM events e WHERE e.org_id = ?1 ORDER BY e.created_at DESC LIMIT 1";
    let told =
        tx.first(sql, params![org], |row| Ok(ToldSample { id: row.get()?, deliveries: row.get()? })).await?;
    told.ok_or(Error::Stored { what: "event", why: "is not there".into() })
}
