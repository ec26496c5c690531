//! Deliveries: how they stand, their tries, and what follows from one.

use std::{sync::Arc, time::Duration};

use model::{AttemptId, DeliveryId, EndpointId, Ordering, OrgId, Time};
use uuid::Uuid;

use crate::{
    Result, Store,
    circuit::{self, Turn},
    held,
    outbox::Delivery,
    stamps::Stamps,
    tx::Tx,
    value::{Value, params},
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
    /// How its body was made of the event ([`model::Shape`], as JSON), where it was not just the event.
    pub shape: Option<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The headers of the answer, as JSON.
    pub response_headers: Option<String>,
    /// The beginning of the answer's body.
    pub response_body: Option<Vec<u8>>,
    /// Why it failed, in words.
    pub error: Option<String>,
    /// Whether it failed for a reason of ours, which says nothing of the endpoint.
    pub is_our_fault: bool,
    /// How long the receiver asked to be left alone, if it did.
    pub asked_to_wait: Option<Duration>,
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

impl Store {
    /// Keeps a try and what follows from it, in one transaction. Where the lease was lost meanwhile, what follows is for
    /// the new holder to say, unless it was a success.
    pub async fn conclude_attempt(
        &self,
        delivery: &Delivery,
        owner: Uuid,
        attempt: Attempt,
        next: NextStep,
    ) -> Result<Concluded> {
        let now = self.0.clock.now();
        let concluding = Arc::new((delivery.clone(), attempt));
        let records = self.org(delivery.org);
        self.write_repeatable(move |tx| {
            let (concluding, records) = (concluding.clone(), records.clone());
            Box::pin(async move {
                let (delivery, attempt) = &*concluding;
                // Before the delivery: whoever changes an endpoint locks the clock, then it, then its deliveries.
                let turn = match next {
                    NextStep::Delivered if delivery.is_failing => {
                        circuit::note_success(tx, &records.teller(), delivery).await?
                    }
                    NextStep::RetryAt(_) | NextStep::Exhausted => {
                        circuit::note_failure(tx, &records.teller(), delivery, attempt).await?
                    }
                    NextStep::EndpointGone => {
                        Stamps::take(tx, delivery.org, now).await?;
                        retire_endpoint(tx, delivery.org, delivery.endpoint.id, now).await?;
                        None
                    }
                    NextStep::Delivered | NextStep::CalledOff => None,
                };
                // Another may have waited for this one.
                tx.left.others |= delivery.endpoint.ordering != Ordering::None;
                insert_attempt(tx, delivery.id, &delivery.endpoint.url, attempt).await?;
                let kept = write_step(tx, delivery, owner, attempt, next, now).await?;
                Ok(Concluded { is_kept: kept, turn })
            })
        })
        .await
    }
}

impl Store {
    /// Whether a try is kept: where a commit was broken off, only asking tells.
    pub async fn has_attempt(&self, id: AttemptId) -> Result<bool> {
        self.peek(move |tx| {
            Box::pin(async move {
                let sql = "SELECT id FROM attempts WHERE id = ?1";
                Ok(tx.first(sql, params![id], |row| row.get::<AttemptId>()).await?.is_some())
            })
        })
        .await
    }
}

/// What became of a try that was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concluded {
    /// Whether what follows is kept too. It is not where the lease was lost meanwhile: that is for the new holder to say.
    pub is_kept: bool,
    /// What the try did to its endpoint's circuit, if anything.
    pub turn: Option<Turn>,
}

async fn insert_attempt(tx: &mut Tx<'_>, delivery: DeliveryId, url: &str, attempt: &Attempt) -> Result<()> {
    tx.execute(
        "INSERT INTO attempts (id, delivery_id, number, cause, started_at, duration_ms, address, request_headers, \
                               status, response_headers, response_body, error, url, shape) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
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
            &attempt.shape,
        ],
    )
    .await
    .map(drop)
}

async fn write_step(
    tx: &mut Tx<'_>,
    delivery: &Delivery,
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
    let sql = "UPDATE deliveries SET state = ?3, due_at = ?4, attempts = attempts + 1, off_schedule = off_schedule + ?8, \
                   last_status = ?5, last_error = ?6, lease_owner = NULL, lease_until = NULL, updated_at = ?7 \
               WHERE id = ?1 AND (lease_owner = ?2 OR (?3 = 'delivered' AND state <> 'delivered'))";
    let status = attempt.status.map(i64::from);
    let off_schedule = i64::from(delivery.is_probe || attempt.is_our_fault);
    let params =
        params![delivery.id, owner, state.as_str(), due_at, status, &attempt.error, now, off_schedule];
    Ok(tx.execute(sql, params).await? > 0)
}

/// The receiver answered 410 (Gone, RFC 9110 section 15.5.11): it is not told any more, and what it was still owed
/// is called off.
async fn retire_endpoint(tx: &mut Tx<'_>, org: OrgId, endpoint: EndpointId, now: Time) -> Result<()> {
    tx.known.subscribers.remove(&org);
    let sql =
        "UPDATE endpoints SET state = 'gone', probe_at = NULL, updated_at = ?3 WHERE id = ?1 AND org_id = ?2";
    if tx.execute(sql, params![endpoint, org, now]).await? == 0 {
        return Ok(());
    }
    // The endpoint is the organization's, as its own statement above saw to; naming the organization here too would
    // make SQLite walk all of its deliveries instead of those that are due.
    let sql = "UPDATE deliveries SET state = 'cancelled', due_at = NULL, updated_at = ?2 \
               WHERE endpoint_id = ?1 AND due_at > 0";
    tx.execute(sql, params![endpoint, now]).await?;
    held::call_off(tx, endpoint, None, now).await
}
