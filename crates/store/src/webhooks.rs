//! What people do with webhook endpoints: make, change, rotate and delete them.

use std::time::Duration;

use model::{
    EndpointId, EventFilter, OrgId, Pacing, PacingChange, Place, PlacedPage, SourceId, Stamp, TellingChange,
    Time,
};

use crate::{
    Endpoint, EndpointState, HeldChoice, Idempotency, NewEndpoint, OrgStore, Placed, Result, Rotation, Store,
    Written, circuit,
    endpoints::{COLUMNS, insert, note_opt_in, read, words_of},
    forwards, held, idempotency,
    list::ListQuery,
    order, rate,
    stamps::Stamps,
    tx::Tx,
    value::params,
};

/// What may be said of a new endpoint beside what it is told and where.
#[derive(Clone, Debug, Default)]
pub struct Aside {
    /// What it is for.
    pub description: Option<String>,
    /// How fast it is sent what it is owed, and in which order, where that is not what is usual for its address.
    pub pacing: PacingChange,
}

/// What is to change of an endpoint; `None` stays.
#[derive(Default)]
pub struct EndpointChange {
    /// Its address.
    pub url: Option<String>,
    /// What it is for, or that nothing is said of that.
    pub description: Option<Option<String>>,
    /// The events it asks for.
    pub events: Option<EventFilter>,
    /// How fast it is sent what it is owed, and in which order.
    pub pacing: PacingChange,
    /// What it is told beyond that, and how.
    pub telling: TellingChange,
    /// Whether it is told.
    pub state: Option<EndpointState>,
    /// What becomes of the deliveries that were held, where the endpoint becomes enabled.
    pub held: HeldChoice,
}

async fn by_id(tx: &mut Tx<'_>, org: OrgId, id: EndpointId) -> Result<Option<Endpoint>> {
    let sql = format!("SELECT {COLUMNS} FROM endpoints WHERE id = ?1 AND org_id = ?2 AND deleted_at IS NULL");
    tx.first(&sql, params![id, org], read).await
}

/// Writes what can change. Whoever is told in this transaction is looked up again.
async fn write(tx: &mut Tx<'_>, org: OrgId, endpoint: &Endpoint) -> Result<()> {
    tx.known.subscribers.remove(&org);
    let events = endpoint.events.join(" ");
    let telling = endpoint.telling.to_stored();
    note_opt_in(tx, org, &events).await?;
    tx.execute(
        "UPDATE endpoints SET url = ?3, description = ?4, events = ?5, secret = ?6, previous_secret = ?7, \
                previous_secret_until = ?8, state = ?9, updated_at = ?10, rate = ?11, ordering = ?12, telling = ?13 \
         WHERE id = ?1 AND org_id = ?2",
        params![
            endpoint.id,
            org,
            &endpoint.url,
            &endpoint.description,
            &events,
            &endpoint.secret,
            &endpoint.previous_secret,
            endpoint.previous_secret_until,
            endpoint.state.as_str(),
            endpoint.updated_at,
            endpoint.pacing.rate.map(i64::from),
            endpoint.pacing.ordering.as_str(),
            &telling,
        ],
    )
    .await
    .map(drop)
}

/// Changes how fast and in which order an endpoint is sent, and tells how it was before. One that moves has the rate that
/// is usual for its new address, unless it has another.
fn change_pacing(endpoint: &mut Endpoint, change: PacingChange, moves: bool) -> Pacing {
    let before = endpoint.pacing;
    if moves && before.rate.is_none() {
        endpoint.pacing.rate = Pacing::preset(&endpoint.url).rate;
    }
    endpoint.pacing.apply(change);
    before
}

/// What it is owed already is sent so too.
async fn note_pacing(tx: &mut Tx<'_>, endpoint: &Endpoint, before: Pacing) -> Result<()> {
    if endpoint.pacing.rate != before.rate {
        rate::begin_anew(tx, endpoint.id).await?;
    }
    if endpoint.pacing.ordering != before.ordering {
        order::change(tx, endpoint.id, endpoint.pacing.ordering).await?;
    }
    Ok(())
}

impl Store {
    /// The organization that has an endpoint: an operator names endpoints by their ids alone.
    pub async fn org_of_endpoint(&self, id: EndpointId) -> Result<Option<OrgId>> {
        self.peek(move |tx| {
            Box::pin(async move {
                let sql = "SELECT org_id FROM endpoints WHERE id = ?1 AND deleted_at IS NULL";
                tx.first(sql, params![id], |row| row.get()).await
            })
        })
        .await
    }
}

impl OrgStore {
    /// Makes an endpoint, once for each idempotency key. `answer` puts it into the words that the client is answered
    /// with, which are kept for when the request comes again.
    pub async fn create_endpoint_once(
        &self,
        new: NewEndpoint,
        aside: Aside,
        idempotency: Option<Idempotency>,
        answer: impl FnOnce(&Endpoint) -> String + Send + 'static,
    ) -> Result<Written> {
        let (org, now) = (self.org, self.store.0.clock.now());
        let mut endpoint = self.new_endpoint(new, aside, now, Stamp::from_micros(0));
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let mut stamps = Stamps::take(tx, org, now).await?;
                    if let Some(known) = idempotency::known(tx, org, idempotency.as_ref(), now).await? {
                        return Ok(known);
                    }
                    endpoint.updated_at = stamps.next(tx).await?;
                    endpoint.created_at = endpoint.updated_at.time();
                    insert(tx, org, &endpoint).await?;
                    let data = answer(&endpoint);
                    idempotency::remember(tx, org, idempotency.as_ref(), 201, &data, now).await?;
                    Ok(Written::Done { created: true, data })
                })
            })
            .await
    }

    /// An endpoint, if the organization has it.
    pub async fn get_endpoint(&self, id: EndpointId) -> Result<Option<Endpoint>> {
        let org = self.org;
        self.store.peek(move |tx| Box::pin(async move { by_id(tx, org, id).await })).await
    }

    /// A page of the endpoints, newest first.
    pub async fn find_endpoints(&self, page: PlacedPage) -> Result<Placed<Endpoint>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let select = format!("SELECT {COLUMNS} FROM endpoints");
                    let mut query = ListQuery::placed(&select, org, "created_at", &page);
                    query.only("deleted_at IS NULL");
                    let (sql, params) = query.finish_placed("created_at", &page);
                    let records = tx.query(&sql, &params, read).await?;
                    let place =
                        |endpoint: &Endpoint| Place { at: endpoint.created_at, id: endpoint.id.uuid() };
                    Ok(Placed::cut(records, page.limit, place))
                })
            })
            .await
    }

    /// Changes an endpoint. `None` where there is none.
    ///
    /// While it is paused, what it is owed and what comes up is held.
    pub async fn update_endpoint(&self, id: EndpointId, change: EndpointChange) -> Result<Option<Endpoint>> {
        let (org, now) = (self.org, self.store.0.clock.now());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let mut stamps = Stamps::take(tx, org, now).await?;
                    let Some(mut endpoint) = by_id(tx, org, id).await? else { return Ok(None) };
                    let moves = change.url.as_ref().is_some_and(|url| *url != endpoint.url);
                    if let Some(url) = change.url {
                        endpoint.url = url;
                    }
                    if let Some(description) = change.description {
                        endpoint.description = description;
                    }
                    if let Some(events) = change.events {
                        endpoint.events = words_of(&events);
                    }
                    let paced = change_pacing(&mut endpoint, change.pacing, moves);
                    change.telling.apply(&mut endpoint.telling);
                    let before = endpoint.state;
                    endpoint.state = change.state.unwrap_or(before);
                    endpoint.updated_at = stamps.next(tx).await?;
                    write(tx, org, &endpoint).await?;
                    note_pacing(tx, &endpoint, paced).await?;
                    // Before it is enabled too: what was under way when it was paused may have failed since.
                    if change.state.is_some() && (before.holds() || endpoint.state.holds()) {
                        held::hold_waiting(tx, id, now).await?;
                    }
                    if moves || change.state.is_some() {
                        circuit::forget(tx, org, id, now).await?;
                        endpoint.trouble = None;
                    }
                    if change.state == Some(EndpointState::Enabled) {
                        held::release(tx, id, change.held, now).await?;
                    }
                    Ok(Some(endpoint))
                })
            })
            .await
    }

    /// Gives an endpoint a new secret, once for each idempotency key; the one before signs beside it for a while.
    /// `None` where there is no such endpoint. `answer` is as in [`OrgStore::create_endpoint_once`].
    ///
    /// To rotate to the secret that is in use changes nothing, so that a request that is sent again does not push out
    /// the secret that a receiver still knows.
    pub async fn rotate_endpoint_secret(
        &self,
        id: EndpointId,
        rotation: Rotation,
        idempotency: Option<Idempotency>,
        answer: impl FnOnce(&Endpoint) -> String + Send + 'static,
    ) -> Result<Option<Written>> {
        let (org, now) = (self.org, self.store.0.clock.now());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let mut stamps = Stamps::take(tx, org, now).await?;
                    if let Some(known) = idempotency::known(tx, org, idempotency.as_ref(), now).await? {
                        return Ok(Some(known));
                    }
                    let Some(mut endpoint) = by_id(tx, org, id).await? else { return Ok(None) };
                    if endpoint.secret.as_deref() != Some(rotation.secret.as_str()) {
                        replace_secret(&mut endpoint, rotation.secret, rotation.overlap, now);
                        endpoint.updated_at = stamps.next(tx).await?;
                        write(tx, org, &endpoint).await?;
                    }
                    let data = answer(&endpoint);
                    idempotency::remember(tx, org, idempotency.as_ref(), 200, &data, now).await?;
                    Ok(Some(Written::Done { created: false, data }))
                })
            })
            .await
    }

    /// Ends a rotation before its time: the secret before no longer signs. `None` where there is no such endpoint.
    pub async fn expire_previous_secret(&self, id: EndpointId) -> Result<Option<Endpoint>> {
        let (org, now) = (self.org, self.store.0.clock.now());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let mut stamps = Stamps::take(tx, org, now).await?;
                    let Some(mut endpoint) = by_id(tx, org, id).await? else { return Ok(None) };
                    (endpoint.previous_secret, endpoint.previous_secret_until) = (None, None);
                    endpoint.updated_at = stamps.next(tx).await?;
                    write(tx, org, &endpoint).await?;
                    Ok(Some(endpoint))
                })
            })
            .await
    }

    /// Deletes an endpoint: what it is still owed is called off, what it was sent stays to be seen. Returns whether
    /// there was one.
    pub async fn delete_endpoint(&self, id: EndpointId) -> Result<bool> {
        let (org, now) = (self.org, self.store.0.clock.now());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    tx.known.subscribers.remove(&org);
                    let mut stamps = Stamps::take(tx, org, now).await?;
                    let stamp = stamps.next(tx).await?;
                    delete(tx, org, id, (now, stamp)).await
                })
            })
            .await
    }
}

async fn delete(tx: &mut Tx<'_>, org: OrgId, id: EndpointId, (now, stamp): (Time, Stamp)) -> Result<bool> {
    let sql = "UPDATE endpoints SET deleted_at = ?3, updated_at = ?4, state = 'gone', probe_at = NULL, secret = NULL, \
                   previous_secret = NULL, previous_secret_until = NULL, telling = NULL \
               WHERE id = ?1 AND org_id = ?2 AND deleted_at IS NULL";
    if tx.execute(sql, params![id, org, now, stamp]).await? == 0 {
        return Ok(false);
    }
    forwards::note_deleted(tx, org, id).await?;
    // Without the organization, as where an endpoint is gone: its own statement saw to that.
    let sql = "UPDATE deliveries SET state = 'cancelled', due_at = NULL, updated_at = ?2 \
               WHERE endpoint_id = ?1 AND due_at > 0";
    tx.execute(sql, params![id, now]).await?;
    held::call_off(tx, id, None, now).await?;
    Ok(true)
}

/// Deletes the forwards of a source that is deleted: nothing arrives any more that they could be sent.
pub(crate) async fn delete_forwards(
    tx: &mut Tx<'_>,
    org: OrgId,
    source: SourceId,
    at: (Time, Stamp),
) -> Result<()> {
    let sql =
        "SELECT id FROM endpoints WHERE source_id = ?1 AND org_id = ?2 AND deleted_at IS NULL ORDER BY id";
    for forward in tx.query(sql, params![source, org], |row| row.get()).await? {
        delete(tx, org, forward, at).await?;
    }
    Ok(())
}

/// An overlap needs a secret before, and lasts at least a moment.
fn replace_secret(endpoint: &mut Endpoint, secret: String, overlap: Duration, now: Time) {
    let before = endpoint.secret.replace(secret);
    endpoint.previous_secret = before.filter(|_| !overlap.is_zero());
    endpoint.previous_secret_until = endpoint.previous_secret.as_ref().map(|_| now + overlap);
}
