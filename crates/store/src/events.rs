//! Events, and the deliveries that they owe.

use std::sync::Arc;

use model::{CallId, DeliveryId, EventId, EventType, IdGen, OrgId, Time};

use crate::{
    Result, endpoints,
    outbox::{Attached, Delivery, Leased},
    stamps::Stamps,
    tx::Tx,
    value::{Value, params},
};

/// An event that is to be told.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// What happened.
    pub event: EventType,
    /// The call it happened in.
    pub call_id: Option<CallId>,
    /// `data` of the webhook, as JSON.
    pub data: String,
}

/// Stores an event with one delivery for each endpoint that asked for it. The first tries are leased to this
/// process as far as it has room for them.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    org: OrgId,
    new: NewEvent,
    now: Time,
    ids: &dyn IdGen,
    worker: Option<&Attached>,
    stamps: &mut Stamps,
) -> Result<()> {
    let id: EventId = ids.id();
    let created_at = stamps.next(tx).await?;
    tx.execute(
        "INSERT INTO events (id, org_id, created_at, type, call_id, data) VALUES ($1, $2, $3, $4, $5, $6)",
        params![id, org, created_at, new.event.as_str(), new.call_id, &new.data],
    )
    .await?;
    let data: Arc<str> = new.data.into();
    for endpoint in endpoints::subscribed(tx, org, new.event).await? {
        let delivery = Delivery {
            id: ids.id(),
            org,
            endpoint: Arc::new(endpoint),
            event_id: id,
            event: new.event.as_str().to_owned(),
            at: created_at.time(),
            data: data.clone(),
            attempts: 0,
        };
        let slot = worker.and_then(|worker| Some((worker, (worker.reserve)(delivery.endpoint.id)?)));
        let lease = slot.as_ref().map(|(worker, _)| *worker);
        insert_delivery(tx, &delivery, lease, now, stamps).await?;
        match slot {
            Some((_, slot)) => tx.leased.push(Leased { delivery, slot: Some(slot) }),
            None => tx.left.endpoints.push(delivery.endpoint.id),
        }
    }
    Ok(())
}

async fn insert_delivery(
    tx: &mut Tx<'_>,
    delivery: &Delivery,
    lease: Option<&Attached>,
    now: Time,
    stamps: &mut Stamps,
) -> Result<DeliveryId> {
    let (state, due_at, owner, until) = match lease {
        Some(worker) => {
            let until = now.plus_micros(worker.lease_micros);
            ("in_flight", Value::Null, Value::Uuid(worker.owner), until.into())
        }
        None => ("pending", now.into(), Value::Null, Value::Null),
    };
    let created_at = stamps.next(tx).await?;
    tx.execute(
        "INSERT INTO deliveries (id, org_id, endpoint_id, event_id, state, attempts, due_at, lease_owner, \
                                 lease_until, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $9)",
        params![
            delivery.id,
            delivery.org,
            delivery.endpoint.id,
            delivery.event_id,
            state,
            due_at,
            owner,
            until,
            created_at
        ],
    )
    .await?;
    Ok(delivery.id)
}
