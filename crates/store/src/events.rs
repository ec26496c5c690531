//! Events, and the deliveries that they owe.

mod record;
mod updates;

use std::sync::Arc;

use model::{
    AppointmentId, CallId, ContactId, EndpointId, EventId, EventType, IdGen, InboxId, LeadId, OrgId,
    RecordingLinks, Time,
};
use uuid::Uuid;

use crate::{
    OrgStore, Result, audience,
    endpoints::{self, Subscriber},
    order,
    outbox::{Attached, Delivery, Kind, Leased, Slot, Wanted},
    rate,
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
    /// What is told of it.
    pub data: EventData,
}

/// `data` of an event's webhooks.
#[derive(Clone, Debug)]
pub enum EventData {
    /// This JSON.
    Json(String),
    /// The record as it stands when everything else is written, and the names of its fields that changed. An event
    /// of a record that is gone by then is not told.
    Record(Subject, Vec<String>),
}

/// A record that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A call.
    Call(CallId),
    /// A contact.
    Contact(ContactId),
    /// A lead.
    Lead(LeadId),
    /// An appointment.
    Appointment(AppointmentId),
}

/// What telling an organization's events needs beside the transaction.
#[derive(Clone)]
pub(crate) struct Teller {
    pub(crate) org: OrgId,
    pub(crate) now: Time,
    pub(crate) ids: Arc<dyn IdGen>,
    pub(crate) worker: Option<Arc<Attached>>,
    pub(crate) links: Option<Arc<RecordingLinks>>,
}

impl OrgStore {
    pub(crate) fn teller(&self) -> Teller {
        let inner = &self.store.0;
        Teller {
            org: self.org,
            now: inner.clock.now(),
            ids: inner.ids.clone(),
            worker: inner.outbox.attached(),
            links: inner.links.get().cloned(),
        }
    }
}

/// Stores events, each with one delivery for every endpoint that asked for it. The first tries are leased to this
/// process as far as it has room for them; those to endpoints that are not told for now are held.
///
/// An opt-in event that no endpoint asked for is not stored; where nobody asks for any, it is not even looked who does.
pub(crate) async fn insert_all(
    tx: &mut Tx<'_>,
    teller: &Teller,
    mut events: Vec<NewEvent>,
    stamps: &mut Stamps,
) -> Result<()> {
    if !tx.known.opted_in.contains(&teller.org) {
        events.retain(|event| !event.event.is_opt_in());
    }
    if events.is_empty() {
        return Ok(());
    }
    let subscribers = endpoints::subscribers(tx, teller.org).await?;
    for event in events {
        let told = audience::of_event(tx, teller.org, &event, &subscribers).await?;
        if !event.event.is_opt_in() || !told.is_empty() {
            insert(tx, teller, event, &told, stamps).await?;
        }
    }
    Ok(())
}

/// Stores an opt-in event about an endpoint where another asked for it: none is told how it fares itself.
pub(crate) async fn insert_about(
    tx: &mut Tx<'_>,
    teller: &Teller,
    event: NewEvent,
    about: EndpointId,
    stamps: &mut Stamps,
) -> Result<()> {
    if !tx.known.opted_in.contains(&teller.org) {
        return Ok(());
    }
    let subscribers = endpoints::subscribers(tx, teller.org).await?;
    let mut told = audience::of_event(tx, teller.org, &event, &subscribers).await?;
    told.retain(|one| one.destination.id != about);
    if told.is_empty() {
        return Ok(());
    }
    insert(tx, teller, event, &told, stamps).await
}

/// Stores an event with a delivery for each of these, whether or not there are any.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    teller: &Teller,
    new: NewEvent,
    told: &[&Subscriber],
    stamps: &mut Stamps,
) -> Result<()> {
    let data = match new.data {
        EventData::Json(data) => data,
        EventData::Record(subject, changed) => {
            let Some(data) = record::render(tx, teller, (new.event, subject), &changed).await? else {
                return Ok(());
            };
            data
        }
    };
    tx.left.told = true;
    let (org, id): (_, EventId) = (teller.org, teller.ids.id());
    let created_at = stamps.next(tx).await?;
    tx.execute(
        "INSERT INTO events (id, org_id, created_at, type, call_id, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id, org, created_at, new.event.as_str(), new.call_id, &data],
    )
    .await?;
    let (name, at, data) = (new.event.as_str(), created_at.time(), data.into());
    let happened = Happened { id, call_id: new.call_id, name, at, data, message: None };
    for subscriber in told {
        owe(tx, teller, &happened, subscriber, stamps).await?;
    }
    Ok(())
}

/// An event that is stored, as its deliveries need it.
pub(crate) struct Happened {
    pub(crate) id: EventId,
    pub(crate) call_id: Option<CallId>,
    pub(crate) name: &'static str,
    pub(crate) at: Time,
    pub(crate) data: Arc<str>,
    pub(crate) message: Option<InboxId>,
}

/// Stores the delivery of an event to an endpoint, held, or leased to this process if it has room for it.
pub(crate) async fn owe(
    tx: &mut Tx<'_>,
    teller: &Teller,
    event: &Happened,
    subscriber: &Subscriber,
    stamps: &mut Stamps,
) -> Result<()> {
    let delivery = Delivery {
        id: teller.ids.id(),
        org: teller.org,
        endpoint: subscriber.destination.clone(),
        event_id: event.id,
        event: event.name.to_owned(),
        at: event.at,
        data: event.data.clone(),
        attempts: 0,
        manual_attempt: None,
        message: event.message,
        recover_attempt: None,
        off_schedule: 0,
        is_probe: false,
        is_failing: subscriber.is_failing,
    };
    let key = order::key(subscriber.destination.ordering, event);
    let wanted = Wanted { org: teller.org, endpoint: delivery.endpoint.id, kind: Kind::First };
    if subscriber.holds {
        return insert_delivery(tx, (&delivery, key), Birth::Held, teller.now, stamps).await;
    }
    if let Some(probe_at) = subscriber.probe_at {
        if probe_at <= teller.now {
            tx.left.endpoints.push(wanted);
        }
        return insert_delivery(tx, (&delivery, key), Birth::Due, teller.now, stamps).await;
    }
    let worker = teller.worker.as_deref();
    let slot = place(tx, teller, (subscriber, key)).await?;
    let lease = worker.zip(slot).map(|(worker, slot)| {
        let until = teller.now.plus_micros(worker.lease_micros);
        (worker.owner, until, slot)
    });
    let birth = lease.as_ref().map_or(Birth::Due, |(owner, until, _)| Birth::Leased(*owner, *until));
    insert_delivery(tx, (&delivery, key), birth, teller.now, stamps).await?;
    match lease {
        Some((_, until, slot)) => tx.leased.push(Leased { delivery, until, slot }),
        None => tx.left.endpoints.push(wanted),
    }
    Ok(())
}

/// A place for a delivery that has just come up, if there is one and it waits for nothing else.
async fn place(
    tx: &mut Tx<'_>,
    teller: &Teller,
    (subscriber, key): (&Subscriber, Option<Uuid>),
) -> Result<Option<Slot>> {
    let Some(worker) = &teller.worker else { return Ok(None) };
    let endpoint = subscriber.destination.id;
    if let Some(key) = key
        && order::is_behind(tx, endpoint, key).await?
    {
        return Ok(None);
    }
    let slot = (worker.reserve)(&Wanted { org: teller.org, endpoint, kind: Kind::First });
    if slot.is_some() && subscriber.is_limited && !rate::take_one(tx, endpoint, teller.now).await? {
        return Ok(None);
    }
    Ok(slot)
}

/// How a delivery begins.
enum Birth {
    /// Its first try is this process's until a time.
    Leased(Uuid, Time),
    /// Its first try waits for a worker.
    Due,
    /// Its endpoint is not told for now.
    Held,
}

async fn insert_delivery(
    tx: &mut Tx<'_>,
    (delivery, key): (&Delivery, Option<Uuid>),
    birth: Birth,
    now: Time,
    stamps: &mut Stamps,
) -> Result<()> {
    let (state, due_at, owner, until) = match birth {
        Birth::Leased(owner, until) => ("in_flight", Value::Null, Value::Uuid(owner), until.into()),
        Birth::Due => ("pending", now.into(), Value::Null, Value::Null),
        Birth::Held => ("held", Value::Null, Value::Null, Value::Null),
    };
    let created_at = stamps.next(tx).await?;
    tx.execute(
        "INSERT INTO deliveries (id, org_id, endpoint_id, event_id, state, attempts, due_at, lease_owner, \
                                 lease_until, created_at, updated_at, order_key) \
         VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?9, ?10)",
        params![
            delivery.id,
            delivery.org,
            delivery.endpoint.id,
            delivery.event_id,
            state,
            due_at,
            owner,
            until,
            created_at,
            key
        ],
    )
    .await
    .map(drop)
}
