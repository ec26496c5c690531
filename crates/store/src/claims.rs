//! Deliveries taken by a worker under a lease, and given back.

use std::sync::Arc;

use model::{DeliveryId, EndpointId, EventId, Time};
use uuid::Uuid;

use crate::{
    EndpointState, Result, Store, backlog, circuit, held,
    outbox::{Delivery, Destination},
    recoveries,
    tx::Tx,
    value::{Cells, params},
};

const DELIVERY: &str = "SELECT d.id, d.org_id, p.id, p.url, p.secret, p.previous_secret, p.previous_secret_until, \
     p.source_id, p.telling, e.id, e.type, e.created_at, e.data, d.attempts, d.manual_attempt, \
     e.message_id, d.recover_attempt, d.off_schedule, p.failing_since IS NOT NULL, p.state, \
     e.erasure_id IS NOT NULL OR e.forgotten_at IS NOT NULL, COALESCE(d.created_at <= p.discard_until, FALSE) \
     FROM deliveries d JOIN events e ON e.id = d.event_id JOIN endpoints p ON p.id = d.endpoint_id";

/// A delivery that was taken, with what speaks against sending it.
struct Taken {
    delivery: Delivery,
    state: EndpointState,
    /// Whether what its event told is no longer kept.
    is_removed: bool,
    /// Whether it is among what is being discarded.
    is_discarded: bool,
}

impl Taken {
    /// Whether it is not to be sent though it was due, but where somebody asked for it.
    fn is_called_off(&self) -> bool {
        (self.state == EndpointState::Gone || self.is_discarded) && self.delivery.cause() == "schedule"
    }
}

fn read(row: &mut Cells<'_>) -> Result<Taken> {
    let delivery = Delivery {
        id: row.get()?,
        org: row.get()?,
        endpoint: Arc::new(Destination {
            id: row.get()?,
            url: row.get()?,
            secret: row.get()?,
            previous_secret: row.get()?,
            previous_secret_until: row.get()?,
            source: row.get()?,
            telling: row.json_or_null("telling")?.unwrap_or_default(),
        }),
        event_id: row.get::<EventId>()?,
        event: row.get()?,
        at: row.get()?,
        data: row.get::<String>()?.into(),
        attempts: u32::try_from(row.get::<i64>()?).unwrap_or(u32::MAX),
        manual_attempt: row.get()?,
        message: row.get()?,
        recover_attempt: row.get()?,
        off_schedule: u32::try_from(row.get::<i64>()?).unwrap_or(u32::MAX),
        is_probe: false,
        is_failing: row.get()?,
    };
    let state = row.word("endpoint state", EndpointState::parse)?;
    Ok(Taken { delivery, state, is_removed: row.get()?, is_discarded: row.get()? })
}

impl Store {
    /// Takes due deliveries under a lease until `until`: for each endpoint as many as `room` says, the longest due
    /// first. Beside them the endpoints to which more may be due than there was room for. Of an endpoint whose circuit is
    /// open, only the one longest due is taken, as a probe, when its time has come, and what a person asked for.
    pub async fn claim_deliveries(
        &self,
        owner: Uuid,
        until: Time,
        room: impl Fn(EndpointId) -> usize + Send + Sync + 'static,
    ) -> Result<(Vec<Delivery>, Vec<EndpointId>)> {
        let now = self.0.clock.now();
        let room = Arc::new(room);
        self.write_repeatable(move |tx| {
            let room = room.clone();
            Box::pin(async move {
                let (mut claimed, mut crowded) = (Vec::new(), Vec::new());
                let mut last = EndpointId::new(Uuid::nil());
                while let Some((endpoint, probe_at)) = next_waiting_endpoint(tx, last).await? {
                    last = endpoint;
                    let room = room(endpoint);
                    let lease = (owner, until);
                    if let Some(probe_at) = probe_at {
                        if room == 0 {
                            crowded.push(endpoint);
                        }
                        claimed.extend(probe(tx, endpoint, lease, (probe_at, now), room).await?);
                        continue;
                    }
                    let taken = claim_of(tx, endpoint, lease, now, room).await?;
                    if taken.len() == room {
                        crowded.push(endpoint);
                    }
                    claimed.extend(taken);
                }
                Ok((claimed, crowded))
            })
        })
        .await
    }

    /// When the next delivery is due, leases that run out and probes of open circuits included; at once while some are
    /// being recovered, or their endpoint's backlog is worked off.
    pub async fn next_delivery_due(&self, now: Time) -> Result<Option<Time>> {
        self.peek(move |tx| {
            Box::pin(async move {
                let due = "SELECT min(due_at) FROM deliveries WHERE due_at IS NOT NULL";
                let mut due = tx.first(due, &[], |row| row.get::<Option<Time>>()).await?.flatten();
                if due.is_some_and(|due| due <= now) {
                    // It may be one that waits for a probe.
                    due = next_due_by_endpoint(tx, now).await?;
                }
                if recoveries::is_any_under_way(tx).await? || backlog::is_any_under_way(tx).await? {
                    return Ok(Some(now));
                }
                let lease = "SELECT min(lease_until) FROM deliveries WHERE lease_until IS NOT NULL";
                let lease = tx.first(lease, &[], |row| row.get::<Option<Time>>()).await?.flatten();
                Ok(due.into_iter().chain(lease).min())
            })
        })
        .await
    }

    /// Makes the deliveries due again whose lease ran out before `before`: whoever held it is gone. But none of `held`,
    /// which the process that asks still has: it may have been set forward, or the database have been away for long.
    pub async fn release_leases(&self, before: Time, held: Vec<DeliveryId>) -> Result<u64> {
        let now = self.0.clock.now();
        self.write(move |tx| {
            Box::pin(async move {
                let sql = "SELECT id FROM deliveries WHERE lease_until < ?1 ORDER BY id";
                let over = tx.query(sql, params![before], |row| row.get::<DeliveryId>()).await?;
                release(tx, over.into_iter().filter(|id| !held.contains(id)).collect(), before, now).await
            })
        })
        .await
    }

    /// Makes the deliveries due again that others than `owner` hold: where `owner` is the one server, those are gone. It
    /// may have leases of its own already, of deliveries that were made before it asks.
    pub async fn release_others(&self, owner: Uuid) -> Result<u64> {
        let now = self.0.clock.now();
        self.write(move |tx| {
            Box::pin(async move {
                let sql = "SELECT id FROM deliveries WHERE lease_until IS NOT NULL AND lease_owner <> ?1";
                let left = tx.query(sql, params![owner], |row| row.get::<DeliveryId>()).await?;
                release(tx, left, Time::from_micros(i64::MAX), now).await
            })
        })
        .await
    }

    /// Gives back a delivery that was taken and not tried. One that was never tried is as old as it was.
    pub async fn give_back(&self, delivery: &Delivery, owner: Uuid) -> Result<()> {
        let now = self.0.clock.now();
        let (id, probe) = (delivery.id, delivery.is_probe.then_some((delivery.org, delivery.endpoint.id)));
        self.write_repeatable(move |tx| {
            Box::pin(async move {
                if let Some((org, endpoint)) = probe {
                    circuit::return_probe(tx, org, endpoint, now).await?;
                }
                let sql = "UPDATE deliveries SET state = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END, \
                               due_at = CASE WHEN attempts = 0 AND created_at < ?3 THEN created_at ELSE ?3 END, \
                               lease_owner = NULL, lease_until = NULL \
                           WHERE id = ?1 AND lease_owner = ?2";
                tx.execute(sql, params![id, owner, now]).await.map(drop)
            })
        })
        .await
    }
}

/// Makes deliveries due whose leases are still older than `before`.
async fn release(tx: &mut Tx<'_>, ids: Vec<DeliveryId>, before: Time, now: Time) -> Result<u64> {
    let sql = "UPDATE deliveries SET state = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END, \
                   due_at = ?3, lease_owner = NULL, lease_until = NULL \
               WHERE id = ?1 AND lease_until < ?2";
    let mut released = 0;
    for id in ids {
        released += tx.execute(sql, params![id, before, now]).await?;
    }
    tx.left.others |= released > 0;
    Ok(released)
}

/// The endpoint after `last` that has deliveries waiting. One step along an index, however many those are: asking for
/// all such endpoints at once would read every waiting delivery.
async fn next_waiting_endpoint(
    tx: &mut Tx<'_>,
    last: EndpointId,
) -> Result<Option<(EndpointId, Option<Time>)>> {
    let sql = "SELECT d.endpoint_id, p.probe_at FROM deliveries d JOIN endpoints p ON p.id = d.endpoint_id \
               WHERE d.due_at IS NOT NULL AND d.endpoint_id > ?1 ORDER BY d.endpoint_id LIMIT 1";
    tx.first(sql, params![last], |row| Ok((row.get()?, row.get()?))).await
}

/// When the next delivery is due, by a step along the index for each endpoint that has any waiting: what waits for a
/// circuit is due when that is probed, and at once where a person asked for it.
async fn next_due_by_endpoint(tx: &mut Tx<'_>, now: Time) -> Result<Option<Time>> {
    let (mut next, mut last) = (None::<Time>, EndpointId::new(Uuid::nil()));
    while let Some((endpoint, probe_at)) = next_waiting_endpoint(tx, last).await? {
        last = endpoint;
        let due = match probe_at {
            Some(_) if circuit::is_asked_for(tx, endpoint).await? => Some(now),
            Some(probe_at) => Some(probe_at),
            None => {
                let sql = "SELECT min(due_at) FROM deliveries WHERE endpoint_id = ?1 AND due_at IS NOT NULL";
                tx.first(sql, params![endpoint], |row| row.get::<Option<Time>>()).await?.flatten()
            }
        };
        next = next.into_iter().chain(due).min();
    }
    Ok(next)
}

/// Claims of an endpoint whose circuit is open what a person asked for, and the one longest due where the time for a
/// probe has come.
async fn probe(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    lease: (Uuid, Time),
    (probe_at, now): (Time, Time),
    room: usize,
) -> Result<Vec<Delivery>> {
    // First, as whoever changes an endpoint locks it before its deliveries.
    let is_time =
        probe_at <= now && room > 0 && circuit::take_probe(tx, endpoint, (probe_at, lease.1)).await?;
    let mut claimed = Vec::new();
    for id in circuit::asked_for(tx, endpoint, room).await? {
        let sql = "UPDATE deliveries SET state = 'in_flight', due_at = NULL, lease_owner = ?2, lease_until = ?3 \
                   WHERE id = ?1 AND due_at IS NOT NULL RETURNING id";
        let taken = tx.query(sql, params![id, lease.0, lease.1], |row| row.get::<DeliveryId>()).await?;
        claimed.extend(load(tx, endpoint, taken, now).await?);
    }
    if is_time && claimed.is_empty() {
        // Also one whose next try is far off: whether the endpoint is well is worth more than its schedule.
        claimed = claim_of(tx, endpoint, lease, Time::from_micros(i64::MAX), 1).await?;
        claimed.iter_mut().for_each(|delivery| delivery.is_probe = true);
    }
    Ok(claimed)
}

async fn claim_of(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    (owner, until): (Uuid, Time),
    now: Time,
    room: usize,
) -> Result<Vec<Delivery>> {
    if room == 0 {
        return Ok(Vec::new());
    }
    let sql = format!(
        "UPDATE deliveries SET state = 'in_flight', due_at = NULL, lease_owner = ?1, lease_until = ?2 \
         WHERE id IN (SELECT id FROM deliveries WHERE endpoint_id = ?3 AND due_at <= ?4 ORDER BY due_at LIMIT ?5 {}) \
         RETURNING id",
        tx.dialect().skip_locked()
    );
    let limit = i64::try_from(room).unwrap_or(i64::MAX);
    let taken =
        tx.query(&sql, params![owner, until, endpoint, now, limit], |row| row.get::<DeliveryId>()).await?;
    load(tx, endpoint, taken, now).await
}

/// Reads deliveries that were taken. Those that are not to be sent after all are put aside.
async fn load(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    taken: Vec<DeliveryId>,
    now: Time,
) -> Result<Vec<Delivery>> {
    let mut deliveries = Vec::with_capacity(taken.len());
    let sql = format!("{DELIVERY} WHERE d.id = ?1 AND p.deleted_at IS NULL");
    for id in taken {
        let Some(taken) = tx.first(&sql, params![id], read).await?.filter(|taken| !taken.is_called_off())
        else {
            call_off(tx, id, None, now).await?;
            continue;
        };
        let Taken { delivery, state, is_removed, .. } = taken;
        if is_removed {
            call_off(tx, id, Some(NOT_KEPT), now).await?;
        } else if state.holds() && !delivery.is_asked_for() {
            held::put_aside(tx, id, endpoint, now).await?;
        } else {
            deliveries.push(delivery);
        }
    }
    Ok(deliveries)
}

/// Why a delivery is called off of whose event no more is kept than that it happened: whoever asked for it to be sent, and
/// however that came about, nothing is sent that says nothing.
const NOT_KEPT: &str = "called off: what it told is no longer kept";

/// Its endpoint was deleted or is gone, while it was tried, and the try failed, or while it was recovered; or it is being
/// discarded; or there is a reason.
async fn call_off(tx: &mut Tx<'_>, id: DeliveryId, why: Option<&str>, now: Time) -> Result<()> {
    let sql = "UPDATE deliveries SET state = 'cancelled', lease_owner = NULL, lease_until = NULL, updated_at = ?2, \
                   last_error = COALESCE(?3, last_error) \
               WHERE id = ?1";
    tx.execute(sql, params![id, now, why]).await.map(drop)
}
