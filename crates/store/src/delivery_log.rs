//! What became of webhooks: deliveries in lists, one with all its tries, and sending one once more.

use std::fmt;

use model::{
    CallId, Cursor, DeliveryId, EndpointId, EventId, InboxId, OrgId, Page, Sending, Shape, Stamp, Time,
    event::webhook_body,
};

use crate::{
    DeliveryState, Idempotency, Listed, OrgStore, Result, Store, Written, idempotency,
    list::ListQuery,
    order,
    stamps::Stamps,
    tx::Tx,
    value::{Cells, params},
};

/// What a receiver answered, by its hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusClass {
    /// 200 to 299.
    Success,
    /// 300 to 399.
    Redirect,
    /// 400 to 499.
    ClientError,
    /// 500 to 599.
    ServerError,
    /// There was no answer.
    None,
}

impl StatusClass {
    fn condition(self) -> &'static str {
        match self {
            Self::Success => "d.last_status BETWEEN 200 AND 299",
            Self::Redirect => "d.last_status BETWEEN 300 AND 399",
            Self::ClientError => "d.last_status BETWEEN 400 AND 499",
            Self::ServerError => "d.last_status BETWEEN 500 AND 599",
            Self::None => "d.last_status IS NULL AND d.attempts > 0",
        }
    }
}

/// Which deliveries are asked for.
#[derive(Clone, Debug)]
pub struct ListDeliveries {
    /// The page.
    pub page: Page,
    /// Only those made before this.
    pub until: Option<Time>,
    /// Only those to this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Only those of events of this type.
    pub event: Option<String>,
    /// Only those of this event.
    pub event_id: Option<EventId>,
    /// Only those that stand like this.
    pub state: Option<DeliveryState>,
    /// Only those whose last try was answered like this.
    pub status: Option<StatusClass>,
    /// Only those of this call's events.
    pub call: Option<CallId>,
}

impl ListDeliveries {
    /// The newest ones, whatever they are.
    pub fn newest(limit: u32) -> Self {
        Self {
            page: Page { limit, before: None, since: None },
            until: None,
            endpoint: None,
            event: None,
            event_id: None,
            state: None,
            status: None,
            call: None,
        }
    }
}

/// A delivery in a list.
#[derive(Clone)]
pub struct ListedDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// When it was made.
    pub created_at: Stamp,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The endpoint's address, as it is now.
    pub url: String,
    /// The event's id.
    pub event_id: EventId,
    /// The event's name.
    pub event: String,
    /// The call that the event happened in.
    pub call_id: Option<CallId>,
    /// How it stands.
    pub state: DeliveryState,
    /// How many tries there were.
    pub attempts: i64,
    /// When the next one is due.
    pub due_at: Option<Time>,
    /// The status of the last answer.
    pub last_status: Option<i64>,
    /// Why the last try failed, in words.
    pub last_error: Option<String>,
    /// When it last changed.
    pub updated_at: Time,
}

/// Never the address, which often holds a secret.
impl fmt::Debug for ListedDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ListedDelivery({}, {:?}, {} tries)", self.id, self.state, self.attempts)
    }
}

/// A delivery with all that is kept of it. It has no `Debug`: bodies belong in no log.
#[derive(Clone)]
pub struct DeliveryDetail {
    /// What a list has of it.
    pub summary: ListedDelivery,
    /// When the event happened.
    pub event_at: Time,
    /// The event's `data`.
    pub data: String,
    /// The beginning of the body of the message that is sent on in the place of `data`; empty where it is no longer
    /// kept.
    pub forwarded: Option<Vec<u8>>,
    /// Its tries, the first one first.
    pub attempts: Vec<StoredAttempt>,
}

impl DeliveryDetail {
    /// The body that one of its tries has sent, or the event, where there was none yet. The event is frozen and the try
    /// knows how its body was made of it, so this is the same bytes; of a forwarded message it is the beginning.
    pub fn body(&self, attempt: Option<&StoredAttempt>, org: OrgId) -> String {
        if let Some(body) = &self.forwarded {
            return String::from_utf8_lossy(body).into_owned();
        }
        let (summary, at, data) = (&self.summary, self.event_at, self.data.as_str());
        match attempt.and_then(|attempt| attempt.shape.as_ref()) {
            Some(shape) => {
                let sending = Sending { event: &summary.event, at, org, delivery: summary.id, data };
                shape.body(&sending).body
            }
            None => webhook_body(&summary.event, at, org, summary.id, data),
        }
    }
}

/// A try as it is kept.
#[derive(Clone)]
pub struct StoredAttempt {
    /// Which try it is, from 1.
    pub number: i64,
    /// What caused it.
    pub cause: String,
    /// When it began.
    pub started_at: Time,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// Where it was sent; `None` of one that was kept before this was.
    pub url: Option<String>,
    /// The address that was dialled.
    pub address: Option<String>,
    /// The headers that were sent, in their order.
    pub request_headers: Vec<(String, String)>,
    /// How its body was made of the event, where it was not just the event.
    pub shape: Option<Shape>,
    /// The status of the answer.
    pub status: Option<i64>,
    /// The headers of the answer.
    pub response_headers: Option<Vec<(String, String)>>,
    /// The beginning of the answer's body.
    pub response_body: Option<Vec<u8>>,
    /// Why it failed, in words.
    pub error: Option<String>,
}

/// What came of asking to send a delivery once more.
#[derive(Clone, Debug)]
pub enum Resent {
    /// It is due now; or the same request was answered before.
    Done(Written),
    /// It is being tried, or is about to be.
    UnderWay,
    /// Its endpoint was deleted.
    NoEndpoint,
    /// It tells of a person who was erased.
    Erased,
}

/// How much of a forwarded message's body is shown with its delivery; the whole is with the source's events.
const FORWARDED_BYTES: usize = 16 << 10;

/// Whether a delivery is in one of the states that are in the indexes `deliveries_failed` and
/// `deliveries_failed_by_endpoint`, word for word as they have it: else they are not used. `of` stands before the column.
pub(crate) fn have_failed(of: &str) -> String {
    format!(
        "({of}state = 'retrying' OR {of}state = 'exhausted' OR {of}state = 'held' OR {of}state = 'cancelled')"
    )
}

const SUMMARY: &str = "SELECT d.id, d.created_at, d.endpoint_id, p.url, d.event_id, e.type, e.call_id, d.state, \
     d.attempts, \
     CASE WHEN d.due_at < COALESCE(p.probe_at, p.rate_waits_until) AND (d.manual_attempt IS NULL OR d.manual_attempt <> d.attempts + 1) \
          THEN COALESCE(p.probe_at, p.rate_waits_until) ELSE d.due_at END, \
     d.last_status, d.last_error, d.updated_at";

const FROM: &str =
    "FROM deliveries d JOIN events e ON e.id = d.event_id JOIN endpoints p ON p.id = d.endpoint_id";

fn read_summary(row: &mut Cells<'_>) -> Result<ListedDelivery> {
    Ok(ListedDelivery {
        id: row.get()?,
        created_at: row.get()?,
        endpoint: row.get()?,
        url: row.get()?,
        event_id: row.get()?,
        event: row.get()?,
        call_id: row.get()?,
        state: row.word("delivery state", DeliveryState::parse)?,
        attempts: row.get()?,
        due_at: row.get()?,
        last_status: row.get()?,
        last_error: row.get()?,
        updated_at: row.get()?,
    })
}

fn read_attempt(row: &mut Cells<'_>) -> Result<StoredAttempt> {
    Ok(StoredAttempt {
        number: row.get()?,
        cause: row.get()?,
        started_at: row.get()?,
        duration_ms: row.get()?,
        url: row.get()?,
        address: row.get()?,
        request_headers: row.json("request headers")?,
        shape: row.json_or_null("shape")?,
        status: row.get()?,
        response_headers: row.json_or_null("response headers")?,
        response_body: row.get()?,
        error: row.get()?,
    })
}

impl Store {
    /// The organization that has a delivery: an operator names deliveries by their ids alone.
    pub async fn org_of_delivery(&self, id: DeliveryId) -> Result<Option<OrgId>> {
        self.peek(move |tx| {
            Box::pin(async move {
                let sql = "SELECT org_id FROM deliveries WHERE id = ?1";
                tx.first(sql, params![id], |row| row.get()).await
            })
        })
        .await
    }
}

impl OrgStore {
    /// A page of the deliveries, newest first.
    pub async fn find_deliveries(&self, list: ListDeliveries) -> Result<Listed<ListedDelivery>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let mut query = ListQuery::of(&format!("{SUMMARY} {FROM}"), "d.org_id", org);
                    query.compare("d.created_at <", list.page.before.map(|Cursor(before)| before));
                    query.compare("d.created_at >", list.page.since);
                    query.compare("d.created_at <", list.until);
                    query.compare("d.endpoint_id =", list.endpoint);
                    query.compare("d.event_id =", list.event_id);
                    query.compare("e.type =", list.event.as_ref());
                    query.compare("e.call_id =", list.call);
                    // What follows from a record is younger: without these two, all that is older would be read too.
                    if let Some(event) = list.event_id {
                        let sql = |n| {
                            format!(
                                "d.created_at > (SELECT created_at FROM events WHERE id = ?{n} AND org_id = ?1)"
                            )
                        };
                        query.add_with(sql, event.into());
                    }
                    if let Some(call) = list.call {
                        let sql = |n| {
                            format!(
                                "d.created_at > (SELECT COALESCE(MAX(created_at), 0) FROM calls \
                                 WHERE id = ?{n} AND org_id = ?1)"
                            )
                        };
                        query.add_with(sql, call.into());
                    }
                    query.compare("d.state =", list.state.map(DeliveryState::as_str));
                    if list.state.is_some_and(is_in_index) {
                        query.only(&have_failed("d."));
                    }
                    if let Some(class) = list.status {
                        query.only(class.condition());
                    }
                    let (sql, params) = query.finish_by("d.created_at DESC", list.page.limit);
                    let records = tx.query(&sql, &params, read_summary).await?;
                    Ok(Listed::cut(records, &list.page, |delivery| Cursor(delivery.created_at)))
                })
            })
            .await
    }

    /// A delivery with all its tries.
    pub async fn get_delivery(&self, id: DeliveryId) -> Result<Option<DeliveryDetail>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let sql = format!(
                        "{SUMMARY}, e.created_at, e.data, e.message_id, substr(i.body, 1, {FORWARDED_BYTES}) {FROM} \
                         LEFT JOIN inbox i ON i.id = e.message_id AND i.org_id = d.org_id \
                         WHERE d.id = ?1 AND d.org_id = ?2"
                    );
                    let found = tx
                        .first(&sql, params![id, org], |row| {
                            let (summary, at, data) = (read_summary(row)?, row.get()?, row.get()?);
                            let message = row.get::<Option<InboxId>>()?;
                            let body = row.get::<Option<Vec<u8>>>()?.unwrap_or_default();
                            Ok((summary, at, data, message.map(|_| body)))
                        })
                        .await?;
                    let Some((summary, event_at, data, forwarded)) = found else { return Ok(None) };
                    // The delivery is the organization's, as the statement above saw to.
                    let sql = "SELECT number, cause, started_at, duration_ms, url, address, request_headers, shape, \
                                   status, response_headers, response_body, error \
                               FROM attempts WHERE delivery_id = ?1 ORDER BY number, started_at, id";
                    let attempts = tx.query(sql, params![id], read_attempt).await?;
                    Ok(Some(DeliveryDetail { summary, event_at, data, forwarded, attempts }))
                })
            })
            .await
    }

    /// Makes a delivery due once more, once for each idempotency key, whatever became of it before. `None` where there
    /// is no such delivery. `answer` is as in [`OrgStore::create_endpoint_once`].
    pub async fn resend_delivery(
        &self,
        id: DeliveryId,
        idempotency: Option<Idempotency>,
        answer: impl FnOnce(&ListedDelivery) -> String + Send + 'static,
    ) -> Result<Option<Resent>> {
        let (org, now) = (self.org, self.store.0.clock.now());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    // The clock's lock lets two requests with the same key come one after the other.
                    Stamps::take(tx, org, now).await?;
                    if let Some(known) = idempotency::known(tx, org, idempotency.as_ref(), now).await? {
                        return Ok(Some(Resent::Done(known)));
                    }
                    let Some(delivery) = summary_of(tx, org, id).await? else { return Ok(None) };
                    if has_no_endpoint(tx, org, delivery.endpoint).await? {
                        return Ok(Some(Resent::NoEndpoint));
                    }
                    if is_erased(tx, org, delivery.event_id).await? {
                        return Ok(Some(Resent::Erased));
                    }
                    if !make_due(tx, org, id, now).await? {
                        return Ok(Some(Resent::UnderWay));
                    }
                    order::renew(tx, (org, delivery.endpoint), id).await?;
                    let Some(delivery) = summary_of(tx, org, id).await? else { return Ok(None) };
                    let data = answer(&delivery);
                    idempotency::remember(tx, org, idempotency.as_ref(), 200, &data, now).await?;
                    Ok(Some(Resent::Done(Written::Done { created: false, data })))
                })
            })
            .await
    }
}

fn is_in_index(state: DeliveryState) -> bool {
    use DeliveryState::{Cancelled, Delivered, Exhausted, Held, InFlight, Pending, Retrying};
    match state {
        Retrying | Exhausted | Held | Cancelled => true,
        Pending | InFlight | Delivered => false,
    }
}

async fn summary_of(tx: &mut Tx<'_>, org: OrgId, id: DeliveryId) -> Result<Option<ListedDelivery>> {
    let sql = format!("{SUMMARY} {FROM} WHERE d.id = ?1 AND d.org_id = ?2");
    tx.first(&sql, params![id, org], read_summary).await
}

async fn has_no_endpoint(tx: &mut Tx<'_>, org: OrgId, endpoint: EndpointId) -> Result<bool> {
    let sql = "SELECT 1 FROM endpoints WHERE id = ?1 AND org_id = ?2 AND deleted_at IS NULL";
    Ok(tx.first(sql, params![endpoint, org], |_| Ok(())).await?.is_none())
}

async fn is_erased(tx: &mut Tx<'_>, org: OrgId, event: EventId) -> Result<bool> {
    let sql = "SELECT 1 FROM events WHERE id = ?1 AND org_id = ?2 AND erasure_id IS NOT NULL";
    Ok(tx.first(sql, params![event, org], |_| Ok(())).await?.is_some())
}

/// Makes a delivery due unless it is already, and wakes the worker. The try that follows says that a person asked
/// for it.
async fn make_due(tx: &mut Tx<'_>, org: OrgId, id: DeliveryId, now: Time) -> Result<bool> {
    let sql = "UPDATE deliveries SET state = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END, due_at = ?3, \
                   manual_attempt = attempts + 1, updated_at = ?3 \
               WHERE id = ?1 AND org_id = ?2 AND state NOT IN ('pending', 'in_flight')";
    let changed = tx.execute(sql, params![id, org, now]).await? > 0;
    tx.left.others |= changed;
    Ok(changed)
}
