//! Endpoints that are sent one delivery after the other: all of them, or those of the same key.
//!
//! A delivery of such an endpoint has a key, and may be sent when none before it with the same key is to be sent any more:
//! when each was delivered, exhausted, held or called off. So one that fails keeps those behind it waiting.

use model::{ContactId, DeliveryId, EndpointId, Ordering, OrgId, Time};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    Result,
    delivery_log::have_failed,
    events::Happened,
    tx::Tx,
    value::{Cells, Value, params},
};

/// Whether others wait for a delivery, word for word as the index `deliveries_in_order` has it: else it is not used. `of`
/// stands before the column.
fn is_undone(of: &str) -> String {
    format!("({of}state = 'pending' OR {of}state = 'in_flight' OR {of}state = 'retrying')")
}

/// The key of a delivery of an event: one for all where the order is strict; where it is by key, the call that the event
/// happened in, or the contact that it is about, or else its own.
pub(crate) fn key(ordering: Ordering, event: &Happened) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct About {
        contact_id: Option<ContactId>,
    }
    match (ordering, event.call_id) {
        (Ordering::None, _) => None,
        (Ordering::Strict, _) => Some(Uuid::nil()),
        (Ordering::PerKey, Some(call)) => Some(call.uuid()),
        (Ordering::PerKey, None) => {
            let about = serde_json::from_str::<About>(&event.data).ok().and_then(|about| about.contact_id);
            Some(about.map_or(event.id.uuid(), |contact| contact.uuid()))
        }
    }
}

/// Whether a delivery that has just come up has one to wait for.
pub(crate) async fn is_behind(tx: &mut Tx<'_>, endpoint: EndpointId, key: Uuid) -> Result<bool> {
    let sql = format!(
        "SELECT 1 FROM deliveries WHERE endpoint_id = ?1 AND order_key = ?2 AND {} LIMIT 1",
        is_undone("")
    );
    Ok(tx.first(&sql, params![endpoint, key], |_| Ok(())).await?.is_some())
}

/// The deliveries of an endpoint that may be sent and are due, so many at most, and when.
///
/// Nobody's lock is waited for or passed over here: one that another process is taking is still before the next.
pub(crate) async fn next(
    tx: &mut Tx<'_>,
    (endpoint, ordering): (EndpointId, Ordering),
    now: Time,
    most: usize,
) -> Result<Vec<(DeliveryId, Time)>> {
    let read = |row: &mut Cells<'_>| Ok((row.get()?, row.get()?));
    let mut found: Vec<(DeliveryId, Option<Time>)> = Vec::new();
    if ordering == Ordering::Strict {
        let sql = format!(
            "SELECT id, due_at FROM deliveries WHERE endpoint_id = ?1 AND order_key = ?2 AND {} \
             ORDER BY created_at LIMIT 1",
            is_undone("")
        );
        found = tx.query(&sql, params![endpoint, Uuid::nil()], read).await?;
    }
    if found.is_empty() {
        let sql = format!(
            "SELECT d.id, d.due_at FROM deliveries d WHERE d.endpoint_id = ?1 AND d.due_at <= ?2 \
                 AND NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.endpoint_id = ?1 AND o.order_key = d.order_key \
                                     AND {} AND o.created_at < d.created_at) \
             ORDER BY d.due_at LIMIT ?3",
            is_undone("o.")
        );
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        found = tx.query(&sql, params![endpoint, now, limit], read).await?;
    }
    found.truncate(most);
    let due = |(id, due_at): (DeliveryId, Option<Time>)| Some((id, due_at.filter(|due_at| *due_at <= now)?));
    Ok(found.into_iter().filter_map(due).collect())
}

/// The endpoint's order is another: so are the keys of what it is owed, of what is under way, and of what may be sent
/// again.
pub(crate) async fn change(tx: &mut Tx<'_>, endpoint: EndpointId, ordering: Ordering) -> Result<()> {
    // What is taken or comes back meanwhile is met before or after.
    let failed = have_failed("");
    for which in ["lease_until IS NOT NULL", "due_at > 0", &failed, "lease_until IS NOT NULL"] {
        rekey(tx, ordering, &format!("endpoint_id = ?1 AND {which}"), endpoint.into()).await?;
    }
    tx.left.others = true;
    Ok(())
}

/// A delivery is to be sent once more: its endpoint's order may have been another when it was made.
pub(crate) async fn renew(
    tx: &mut Tx<'_>,
    (org, endpoint): (OrgId, EndpointId),
    id: DeliveryId,
) -> Result<()> {
    let sql = "SELECT ordering FROM endpoints WHERE id = ?1 AND org_id = ?2";
    let read = |row: &mut Cells<'_>| row.word("ordering", Ordering::parse);
    let Some(ordering) = tx.first(sql, params![endpoint, org], read).await? else { return Ok(()) };
    rekey(tx, ordering, "id = ?1", id.into()).await
}

async fn rekey(tx: &mut Tx<'_>, ordering: Ordering, which: &str, id: Value<'_>) -> Result<()> {
    // By the call or its own: the contact stands in no column.
    let key = match ordering {
        Ordering::None => "NULL",
        Ordering::Strict => "?2",
        Ordering::PerKey => {
            "(SELECT COALESCE(e.call_id, e.id) FROM events e WHERE e.id = deliveries.event_id)"
        }
    };
    let sql = format!("UPDATE deliveries SET order_key = {key} WHERE {which}");
    let nil: Value<'_> = Uuid::nil().into();
    let params = if ordering == Ordering::Strict { vec![id, nil] } else { vec![id] };
    tx.execute(&sql, &params).await.map(drop)
}
