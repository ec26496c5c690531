//! Who is told an event: the endpoints that ask for its type and, where they ask for some calls only, for its call.
//!
//! It is decided in the transaction that makes the deliveries, so what does not pass a filter is owed to nobody, recovers
//! to nobody and was missed by nobody. Where no endpoint has a filter, nothing is looked up for it.

use model::{AssistantId, CallFacts, CallFilter, CallId, CallStatus, OrgId, Urgency};
use serde_json::Value as Json;

use crate::{
    EventData, NewEvent, OrgStore, Result,
    endpoints::Subscriber,
    tx::Tx,
    value::{Cells, params},
};

/// The subscribers that are told an event.
pub(crate) async fn of_event<'s>(
    tx: &mut Tx<'_>,
    org: OrgId,
    event: &NewEvent,
    subscribers: &'s [Subscriber],
) -> Result<Vec<&'s Subscriber>> {
    let mut told: Vec<&Subscriber> = subscribers.iter().filter(|one| one.wants(event.event)).collect();
    if told.iter().all(|one| filter(one).is_none()) {
        return Ok(told);
    }
    let facts = match event.call_id {
        Some(call) => facts(tx, org, call).await?,
        None => None,
    };
    told.retain(|one| filter(one).is_none_or(|filter| facts.is_some_and(|facts| filter.passes(&facts))));
    Ok(told)
}

/// The subscribers that are told a sample: there is no call behind it, so its own fields are looked at.
pub(crate) fn of_sample<'s>(event: &NewEvent, subscribers: &'s [Subscriber]) -> Vec<&'s Subscriber> {
    let data: Json = match &event.data {
        EventData::Json(data) => serde_json::from_str(data).unwrap_or_default(),
        EventData::Record(..) => Json::Null,
    };
    let passes = |filter: &CallFilter| filter.passes_sample(event.event, &data);
    subscribers.iter().filter(|one| one.wants(event.event) && filter(one).is_none_or(passes)).collect()
}

fn filter(subscriber: &Subscriber) -> Option<&CallFilter> {
    subscriber.destination.telling.calls.as_ref()
}

/// What filters look at, as this transaction has written it.
async fn facts(tx: &mut Tx<'_>, org: OrgId, call: CallId) -> Result<Option<CallFacts>> {
    let sql =
        "SELECT assistant_id, status, duration_seconds, urgency FROM calls WHERE id = ?1 AND org_id = ?2";
    let read = |row: &mut Cells<'_>| {
        Ok(CallFacts {
            assistant: row.get()?,
            status: row.word_or_null("call status", CallStatus::parse)?,
            duration_seconds: row.get()?,
            urgency: row.word_or_null("urgency", Urgency::parse)?,
        })
    };
    tx.first(sql, params![call, org], read).await
}

impl OrgStore {
    /// The first of these that is no assistant of the organization: a filter that names it would let nothing pass.
    pub async fn unknown_assistant(&self, ids: Vec<AssistantId>) -> Result<Option<AssistantId>> {
        let org = self.org;
        self.store
            .peek(move |tx| {
                Box::pin(async move {
                    for id in ids {
                        let sql = "SELECT 1 FROM assistants WHERE id = ?1 AND org_id = ?2";
                        if tx.first(sql, params![id, org], |_| Ok(())).await?.is_none() {
                            return Ok(Some(id));
                        }
                    }
                    Ok(None)
                })
            })
            .await
    }
}
