//! Deliveries taken by a worker under a lease, and given back.

use std::sync::Arc;

use model::{DeliveryId, EndpointId, EventId, Ordering, Time};
use uuid::Uuid;

use crate::{
    EndpointState, Result, Store, circuit, held, order,
    outbox::{Attached, Delivery, Destination, Kind, Leased, Wanted},
    rate,
    turns::{self, Waiting},
    tx::Tx,
    value::{Cells, params},
};

const DELIVERY: &str = "SELECT d.id, d.org_id, p.id, p.url, p.secret, p.previous_secret, p.previous_secret_until, \
     p.source_id, p.ordering, p.telling, e.id, e.type, e.created_at, e.data, d.attempts, d.manual_attempt, \
     e.message_id, d.recover_attempt, d.off_schedule, p.failing_since IS NOT NULL, p.state \
     FROM deliveries d JOIN events e ON e.id = d.event_id JOIN endpoints p ON p.id = d.endpoint_id";

fn read(row: &mut Cells<'_>) -> Result<(Delivery, EndpointState)> {
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
            ordering: row.word("ordering", Ordering::parse)?,
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
    Ok((delivery, row.word("endpoint state", EndpointState::parse)?))
}

/// Later than anything can be due.
const EVER: Time = Time::from_micros(i64::MAX);

/// What a worker has taken.
#[derive(Debug, Default)]
pub struct Claimed {
    /// Deliveries that have a place.
    pub leased: Vec<Leased>,
    /// Deliveries for which there was none after all: others were quicker. They are to be given back.
    pub surplus: Vec<Delivery>,
    /// Endpoints to which more may be due than there was room for.
    pub crowded: Vec<Wanted>,
}

impl Store {
    /// Takes due deliveries under a lease, as many as the worker has room for: the organizations in turns and their
    /// endpoints in turns, those first where a first try is longest due, and of each endpoint the longest due first. Of
    /// one whose circuit is open, only the one longest due is taken, as a probe, when its time has come, and what a
    /// person asked for.
    pub async fn claim_deliveries(&self, worker: Arc<Attached>, turn: usize) -> Result<Claimed> {
        let now = self.0.clock.now();
        let waiting = self.peek(move |tx| Box::pin(turns::waiting(tx))).await?;
        let has_come = |one: &Waiting| one.next(now).is_some_and(|next| next <= now);
        let turns = turns::in_turns(waiting.into_iter().filter(has_come).collect(), turn);
        let (turns, full): (Vec<_>, Vec<_>) =
            turns.into_iter().partition(|one| (worker.room)(&one.wanted()) > 0);
        let crowded: Vec<_> = full.iter().map(Waiting::wanted).collect();
        let mut claimed = Claimed { crowded, ..Claimed::default() };
        // Whose rate is limited is locked as it is served, and whoever tells several of them locks them in another order.
        for some in turns.chunk_by(|one, next| !one.is_limited && !next.is_limited) {
            let (some, worker): (Arc<[Waiting]>, _) = (some.into(), worker.clone());
            let taken = self.write_repeatable(move |tx| {
                let (some, worker) = (some.clone(), worker.clone());
                Box::pin(async move { claim(tx, &some, &worker, now).await })
            });
            let taken = match taken.await {
                Ok(taken) => taken,
                Err(error) if claimed.leased.is_empty() => return Err(error),
                // What was taken before is sent; the next claim meets the same error, or does not.
                Err(_) => break,
            };
            claimed.leased.extend(taken.leased);
            claimed.surplus.extend(taken.surplus);
            claimed.crowded.extend(taken.crowded);
        }
        Ok(claimed)
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

/// Serves endpoints in this order.
async fn claim(tx: &mut Tx<'_>, turns: &[Waiting], worker: &Attached, now: Time) -> Result<Claimed> {
    let until = now.plus_micros(worker.lease_micros);
    let lease = (worker.owner, until);
    let mut claimed = Claimed::default();
    for one in turns {
        let room = (worker.room)(&one.wanted());
        let taken = match one.probe_at {
            Some(probe_at) => probe(tx, one, lease, (probe_at, now), room).await?,
            None => at_its_rate(tx, one, lease, now, room).await?,
        };
        if room == 0 || (taken.len() == room && one.probe_at.is_none()) {
            claimed.crowded.push(one.wanted());
        }
        for delivery in taken {
            let kind = Kind::after(delivery.attempts.into());
            match (worker.reserve)(&Wanted { kind, ..one.wanted() }) {
                Some(slot) => claimed.leased.push(Leased { delivery, until, slot }),
                None => claimed.surplus.push(delivery),
            }
        }
    }
    Ok(claimed)
}

/// Claims of an endpoint whose circuit is open what a person asked for, and the one longest due where the time for a
/// probe has come.
async fn probe(
    tx: &mut Tx<'_>,
    one: &Waiting,
    lease: (Uuid, Time),
    (probe_at, now): (Time, Time),
    room: usize,
) -> Result<Vec<Delivery>> {
    let endpoint = one.endpoint;
    // First, as whoever changes an endpoint locks it before its deliveries.
    let is_time =
        probe_at <= now && room > 0 && circuit::take_probe(tx, endpoint, (probe_at, lease.1)).await?;
    let asked_for = circuit::asked_for(tx, endpoint, room).await?;
    let mut claimed = take(tx, endpoint, asked_for, lease, (EVER, now)).await?;
    if is_time && claimed.is_empty() {
        // Also one whose next try is far off: whether the endpoint is well is worth more than its schedule.
        claimed = in_order(tx, one, lease, (EVER, now), 1).await?;
        claimed.iter_mut().for_each(|delivery| delivery.is_probe = true);
    }
    Ok(claimed)
}

/// Claims what is due, as much as the endpoint's rate permits.
async fn at_its_rate(
    tx: &mut Tx<'_>,
    one: &Waiting,
    lease: (Uuid, Time),
    now: Time,
    room: usize,
) -> Result<Vec<Delivery>> {
    let bucket = if one.is_limited { rate::lock(tx, one.endpoint).await? } else { None };
    let Some(bucket) = bucket else { return in_order(tx, one, lease, (now, now), room).await };
    let taken = in_order(tx, one, lease, (now, now), room.min(bucket.tokens(now))).await?;
    rate::take(tx, one.endpoint, bucket, taken.len(), now).await?;
    Ok(taken)
}

/// Claims what is due by `until` and waits for no other; before it, what a person asked for.
async fn in_order(
    tx: &mut Tx<'_>,
    one: &Waiting,
    lease: (Uuid, Time),
    (until, now): (Time, Time),
    room: usize,
) -> Result<Vec<Delivery>> {
    if one.ordering == Ordering::None {
        return claim_of(tx, one.endpoint, lease, (until, now), room).await;
    }
    let mut next = Vec::new();
    if one.is_asked_for {
        next = circuit::asked_for(tx, one.endpoint, room).await?;
    }
    if next.is_empty() {
        let found = order::next(tx, (one.endpoint, one.ordering), until, room).await?;
        next.extend(found.into_iter().map(|(id, _)| id));
    }
    take(tx, one.endpoint, next, lease, (until, now)).await
}

/// Claims these, as far as they are still due by `until`.
async fn take(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    ids: Vec<DeliveryId>,
    (owner, lease_until): (Uuid, Time),
    (until, now): (Time, Time),
) -> Result<Vec<Delivery>> {
    let mut claimed = Vec::new();
    for id in ids {
        let sql = "UPDATE deliveries SET state = 'in_flight', due_at = NULL, lease_owner = ?2, lease_until = ?3 \
                   WHERE id = ?1 AND due_at <= ?4 RETURNING id";
        let values = params![id, owner, lease_until, until];
        let taken = tx.query(sql, values, |row| row.get::<DeliveryId>()).await?;
        claimed.extend(load(tx, endpoint, taken, now).await?);
    }
    Ok(claimed)
}

async fn claim_of(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    (owner, lease_until): (Uuid, Time),
    (until, now): (Time, Time),
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
    let taken = tx
        .query(&sql, params![owner, lease_until, endpoint, until, limit], |row| row.get::<DeliveryId>())
        .await?;
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
        let Some((delivery, state)) = tx.first(&sql, params![id], read).await? else {
            call_off(tx, id, now).await?;
            continue;
        };
        if state.holds() && !delivery.is_asked_for() {
            held::put_aside(tx, id, endpoint, now).await?;
        } else {
            deliveries.push(delivery);
        }
    }
    Ok(deliveries)
}

/// Its endpoint was deleted: while it was tried, and the try failed, or while it was recovered.
async fn call_off(tx: &mut Tx<'_>, id: DeliveryId, now: Time) -> Result<()> {
    let sql = "UPDATE deliveries SET state = 'cancelled', lease_owner = NULL, lease_until = NULL, updated_at = ?2 \
               WHERE id = ?1";
    tx.execute(sql, params![id, now]).await.map(drop)
}
