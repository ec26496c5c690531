//! Deliveries: taken by a worker under a lease, tried, and concluded.

use std::sync::Arc;

use model::{AttemptId, DeliveryId, EndpointId, EventId, OrgId, Time};
use uuid::Uuid;

use crate::{
    EndpointState, Result, Store, held,
    outbox::{Delivery, Destination},
    tx::Tx,
    value::{Cells, Value, params},
};

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// Its first try is due.
    Pending,
    /// It is being tried.
    InFlight,
    /// It was answered with 2xx.
    Delivered,
    /// A try failed, another is due.
    Retrying,
    /// The last try failed.
    Exhausted,
    /// It waits for its endpoint to be enabled.
    Held,
    /// Its endpoint does not want it any more.
    Cancelled,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::InFlight,
        Self::Delivered,
        Self::Retrying,
        Self::Exhausted,
        Self::Held,
        Self::Cancelled,
    ];

    /// The word in the database and in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InFlight => "in_flight",
            Self::Delivered => "delivered",
            Self::Retrying => "retrying",
            Self::Exhausted => "exhausted",
            Self::Held => "held",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// One try of a delivery, as it was sent and answered.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The try's id.
    pub id: AttemptId,
    /// Which try it is, from 1.
    pub number: u32,
    /// What caused it: `schedule`, `probe`, `manual`, `recover` or `test`.
    pub cause: &'static str,
    /// When it began.
    pub started_at: Time,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// The address that was dialled.
    pub address: Option<String>,
    /// The headers that were sent, as JSON, in their order.
    pub request_headers: String,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The headers of the answer, as JSON.
    pub response_headers: Option<String>,
    /// The beginning of the answer's body.
    pub response_body: Option<Vec<u8>>,
    /// Why it failed, in words.
    pub error: Option<String>,
}

/// What follows from a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// It is done.
    Delivered,
    /// Try again at this time.
    RetryAt(Time),
    /// There is no further try.
    Exhausted,
    /// The receiver answered 410: the endpoint is not told any more.
    EndpointGone,
    /// There is nothing left to send.
    CalledOff,
}

const DELIVERY: &str = "SELECT d.id, d.org_id, p.id, p.url, p.secret, p.previous_secret, p.previous_secret_until, \
     p.source_id, e.id, e.type, e.created_at, e.data, d.attempts, d.manual_attempt, e.message_id, p.state \
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
        }),
        event_id: row.get::<EventId>()?,
        event: row.get()?,
        at: row.get()?,
        data: row.get::<String>()?.into(),
        attempts: u32::try_from(row.get::<i64>()?).unwrap_or(u32::MAX),
        manual_attempt: row.get()?,
        message: row.get()?,
    };
    Ok((delivery, row.word("endpoint state", EndpointState::parse)?))
}

impl Store {
    /// Takes due deliveries under a lease until `until`: for each endpoint as many as `room` says, the longest due
    /// first. The flag tells whether more are due than there was room for.
    pub async fn claim_deliveries(
        &self,
        owner: Uuid,
        until: Time,
        room: impl Fn(EndpointId) -> usize + Send + Sync + 'static,
    ) -> Result<(Vec<Delivery>, bool)> {
        let now = self.0.clock.now();
        let room = Arc::new(room);
        self.write_repeatable(move |tx| {
            let room = room.clone();
            Box::pin(async move {
                let (mut claimed, mut is_more) = (Vec::new(), false);
                let mut last = EndpointId::new(Uuid::nil());
                while let Some(endpoint) = next_waiting_endpoint(tx, last).await? {
                    last = endpoint;
                    let room = room(endpoint);
                    let taken = claim_of(tx, endpoint, (owner, until), now, room).await?;
                    is_more |= taken.len() == room;
                    claimed.extend(taken);
                }
                Ok((claimed, is_more))
            })
        })
        .await
    }

    /// When the next delivery is due, leases that run out included.
    pub async fn next_delivery_due(&self) -> Result<Option<Time>> {
        self.peek(|tx| {
            Box::pin(async move {
                let due = "SELECT min(due_at) FROM deliveries WHERE due_at IS NOT NULL";
                let due = tx.first(due, &[], |row| row.get::<Option<Time>>()).await?.flatten();
                let lease = "SELECT min(lease_until) FROM deliveries WHERE lease_until IS NOT NULL";
                let lease = tx.first(lease, &[], |row| row.get::<Option<Time>>()).await?.flatten();
                Ok(due.into_iter().chain(lease).min())
            })
        })
        .await
    }

    /// Makes the deliveries due again whose lease ran out before `before`: whoever held it is gone.
    pub async fn release_leases(&self, before: Time) -> Result<u64> {
        let now = self.0.clock.now();
        self.write(move |tx| {
            Box::pin(async move {
                let sql = "UPDATE deliveries SET state = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END, \
                               due_at = ?2, lease_owner = NULL, lease_until = NULL \
                           WHERE lease_until < ?1";
                let released = tx.execute(sql, params![before, now]).await?;
                tx.left.others |= released > 0;
                Ok(released)
            })
        })
        .await
    }

    /// Gives back a delivery that was taken and not tried.
    pub async fn give_back(&self, id: DeliveryId, owner: Uuid) -> Result<()> {
        let now = self.0.clock.now();
        self.write_repeatable(move |tx| {
            Box::pin(async move {
                let sql = "UPDATE deliveries SET state = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END, \
                               due_at = ?3, lease_owner = NULL, lease_until = NULL \
                           WHERE id = ?1 AND lease_owner = ?2";
                tx.execute(sql, params![id, owner, now]).await.map(drop)
            })
        })
        .await
    }

    /// Keeps a try and what follows from it, in one transaction. `false` where the lease was lost meanwhile: the
    /// try is kept all the same, and what follows is for the new holder to say, unless it was a success.
    pub async fn conclude_attempt(
        &self,
        delivery: &Delivery,
        owner: Uuid,
        attempt: Attempt,
        next: NextStep,
    ) -> Result<bool> {
        let now = self.0.clock.now();
        let (id, org, endpoint) = (delivery.id, delivery.org, delivery.endpoint.clone());
        let attempt = Arc::new(attempt);
        self.write_repeatable(move |tx| {
            let (attempt, endpoint) = (attempt.clone(), endpoint.clone());
            Box::pin(async move {
                insert_attempt(tx, id, &endpoint.url, &attempt).await?;
                let kept = write_step(tx, id, owner, &attempt, next, now).await?;
                if next == NextStep::EndpointGone {
                    retire_endpoint(tx, org, endpoint.id, now).await?;
                }
                Ok(kept)
            })
        })
        .await
    }
}

/// The endpoint after `last` that has deliveries waiting. One step along an index, however many those are: asking for
/// all such endpoints at once would read every waiting delivery.
async fn next_waiting_endpoint(tx: &mut Tx<'_>, last: EndpointId) -> Result<Option<EndpointId>> {
    let sql = "SELECT endpoint_id FROM deliveries WHERE due_at IS NOT NULL AND endpoint_id > ?1 \
               ORDER BY endpoint_id LIMIT 1";
    tx.first(sql, params![last], |row| row.get()).await
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

/// Its endpoint was deleted while it was tried, and the try failed.
async fn call_off(tx: &mut Tx<'_>, id: DeliveryId, now: Time) -> Result<()> {
    let sql = "UPDATE deliveries SET state = 'cancelled', lease_owner = NULL, lease_until = NULL, updated_at = ?2 \
               WHERE id = ?1";
    tx.execute(sql, params![id, now]).await.map(drop)
}

async fn insert_attempt(tx: &mut Tx<'_>, delivery: DeliveryId, url: &str, attempt: &Attempt) -> Result<()> {
    tx.execute(
        "INSERT INTO attempts (id, delivery_id, number, cause, started_at, duration_ms, address, request_headers, \
                               status, response_headers, response_body, error, url) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            attempt.id,
            delivery,
            i64::from(attempt.number),
            attempt.cause,
            attempt.started_at,
            attempt.duration_ms,
            &attempt.address,
            &attempt.request_headers,
            attempt.status.map(i64::from),
            &attempt.response_headers,
            attempt.response_body.as_deref(),
            &attempt.error,
            url,
        ],
    )
    .await
    .map(drop)
}

async fn write_step(
    tx: &mut Tx<'_>,
    id: DeliveryId,
    owner: Uuid,
    attempt: &Attempt,
    next: NextStep,
    now: Time,
) -> Result<bool> {
    let (state, due_at) = match next {
        NextStep::Delivered => (DeliveryState::Delivered, Value::Null),
        NextStep::RetryAt(at) => (DeliveryState::Retrying, at.into()),
        NextStep::Exhausted => (DeliveryState::Exhausted, Value::Null),
        NextStep::EndpointGone | NextStep::CalledOff => (DeliveryState::Cancelled, Value::Null),
    };
    let sql = "UPDATE deliveries SET state = ?3, due_at = ?4, attempts = attempts + 1, last_status = ?5, \
                   last_error = ?6, lease_owner = NULL, lease_until = NULL, updated_at = ?7 \
               WHERE id = ?1 AND (lease_owner = ?2 OR (?3 = 'delivered' AND state <> 'delivered'))";
    let status = attempt.status.map(i64::from);
    let params = params![id, owner, state.as_str(), due_at, status, &attempt.error, now];
    Ok(tx.execute(sql, params).await? > 0)
}

/// The receiver answered 410 (Gone, RFC 9110 section 15.5.11): it is not told any more, and what it was still owed
/// is called off.
async fn retire_endpoint(tx: &mut Tx<'_>, org: OrgId, endpoint: EndpointId, now: Time) -> Result<()> {
    tx.known.subscribers.remove(&org);
    let sql = "UPDATE endpoints SET state = 'gone', updated_at = ?3 WHERE id = ?1 AND org_id = ?2";
    if tx.execute(sql, params![endpoint, org, now]).await? == 0 {
        return Ok(());
    }
    // The endpoint is the organization's, as its own statement above saw to; naming the organization here too would
    // make SQLite walk all of its deliveries instead of those that are due.
    let sql = "UPDATE deliveries SET state = 'cancelled', due_at = NULL, updated_at = ?2 \
               WHERE endpoint_id = ?1 AND due_at > 0";
    tx.execute(sql, params![endpoint, now]).await?;
    held::call_off(tx, org, endpoint, None, now).await
}
