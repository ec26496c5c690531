//! The log of what happened, oldest first, and what an endpoint may have missed of it.

use model::{Cursor, EndpointId, EventId, OrgId, Stamp, Time};
use uuid::Uuid;

use crate::{
    DeliveryState, Listed, OrgStore, Result, SOURCE_MESSAGE, Store,
    delivery_log::have_failed,
    list::ListQuery,
    tx::Tx,
    value::{Cells, params},
};

/// Which events are asked for.
#[derive(Clone, Debug, Default)]
pub struct ListEvents {
    /// How many at most.
    pub limit: u32,
    /// Only those told after this place in the log.
    pub after: Option<Stamp>,
    /// Only those told after this.
    pub since: Option<Time>,
    /// Only those of these types; all where there are none.
    pub types: Vec<String>,
}

/// An event of the log. It has no `Debug`: bodies belong in no log of ours.
#[derive(Clone)]
pub struct LoggedEvent {
    /// Its id.
    pub id: EventId,
    /// When it was told: its place in the log.
    pub created_at: Stamp,
    /// Its name.
    pub event: String,
    /// `data` of its webhooks, as JSON.
    pub data: String,
}

/// A delivery that an endpoint may have missed.
#[derive(Clone)]
pub struct Missed {
    /// The delivery.
    pub delivery: model::DeliveryId,
    /// When it was made: its place in the list.
    pub created_at: Stamp,
    /// How it stands.
    pub state: DeliveryState,
    /// The event.
    pub event: LoggedEvent,
}

/// The id of an event, or of one of its deliveries, and its place in the log.
async fn place_of(tx: &mut Tx<'_>, org: OrgId, id: Uuid) -> Result<Option<Stamp>> {
    let sql = "SELECT created_at FROM events WHERE id = ?1 AND org_id = ?2";
    if let Some(place) = tx.first(sql, params![id, org], |row| row.get()).await? {
        return Ok(Some(place));
    }
    let sql = "SELECT e.created_at FROM deliveries d JOIN events e ON e.id = d.event_id \
               WHERE d.id = ?1 AND d.org_id = ?2";
    tx.first(sql, params![id, org], |row| row.get()).await
}

fn read_event(row: &mut Cells<'_>) -> Result<LoggedEvent> {
    Ok(LoggedEvent { id: row.get()?, created_at: row.get()?, event: row.get()?, data: row.get()? })
}

fn read_missed(row: &mut Cells<'_>) -> Result<Missed> {
    Ok(Missed {
        delivery: row.get()?,
        created_at: row.get()?,
        state: row.word("delivery state", DeliveryState::parse)?,
        event: read_event(row)?,
    })
}

const MISSED: &str = "SELECT d.id, d.created_at, d.state, e.id, e.created_at, e.type, e.data \
     FROM deliveries d JOIN events e ON e.id = d.event_id WHERE d.org_id = ?1 AND d.endpoint_id = ?2";

impl Store {
    /// Changes whenever this process has committed events.
    pub fn events_told(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.outbox.events_told()
    }
}

impl OrgStore {
    /// Events, oldest first. The place after the last one is the `next`, where there are more.
    pub async fn find_events(&self, list: ListEvents) -> Result<Listed<LoggedEvent>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let mut query =
                        ListQuery::of("SELECT id, created_at, type, data FROM events", "org_id", org);
                    query.compare("type <>", Some(SOURCE_MESSAGE));
                    let since = list.since.map(|since| Stamp::from_micros(since.micros()));
                    query.compare("created_at >", list.after.max(since));
                    query.one_of("type", &list.types);
                    let (sql, params) = query.finish_by("created_at", list.limit);
                    let mut records = tx.query(&sql, &params, read_event).await?;
                    let more = records.len() > list.limit as usize;
                    records.truncate(list.limit as usize);
                    let next = records.last().filter(|_| more).map(|event| Cursor(event.created_at));
                    Ok(Listed { records, next })
                })
            })
            .await
    }

    /// The newest events of a type, newest first.
    pub async fn newest_events(&self, event: &str, limit: u32) -> Result<Vec<LoggedEvent>> {
        let (org, event) = (self.org, event.to_owned());
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, created_at, type, data FROM events WHERE org_id = ?1 AND type = ?2 \
                               ORDER BY created_at DESC LIMIT ?3";
                    tx.query(sql, params![org, &event, i64::from(limit)], read_event).await
                })
            })
            .await
    }

    /// The place in the log of an event, which is named by its own id or by that of one of its deliveries.
    pub async fn place_of_event(&self, id: Uuid) -> Result<Option<Stamp>> {
        let org = self.org;
        self.store.peek(move |tx| Box::pin(async move { place_of(tx, org, id).await })).await
    }

    /// The end of the log: events that are told from now on come after it.
    pub async fn end_of_events(&self) -> Result<Stamp> {
        let org = self.org;
        self.store
            .peek(move |tx| {
                Box::pin(async move {
                    let sql =
                        "SELECT created_at FROM events WHERE org_id = ?1 ORDER BY created_at DESC LIMIT 1";
                    let last = tx.first(sql, params![org], |row| row.get()).await?;
                    Ok(last.unwrap_or(Stamp::from_micros(0)))
                })
            })
            .await
    }

    /// Where a delivery to an endpoint stands in the order of its deliveries.
    pub async fn place_of_delivery(&self, endpoint: EndpointId, id: Uuid) -> Result<Option<Stamp>> {
        let org = self.org;
        self.store
            .peek(move |tx| {
                Box::pin(async move {
                    let sql = "SELECT created_at FROM deliveries WHERE id = ?1 AND org_id = ?2 AND endpoint_id = ?3";
                    tx.first(sql, params![id, org, endpoint], |row| row.get()).await
                })
            })
            .await
    }

    /// What an endpoint may have missed, oldest first: everything that was made after `after`, and of what was made
    /// before that whatever failed, was held or was called off. `from` is where the page before ended.
    pub async fn find_missed(
        &self,
        endpoint: EndpointId,
        after: Stamp,
        from: Option<Stamp>,
        limit: u32,
    ) -> Result<Listed<Missed>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let from = from.unwrap_or(Stamp::from_micros(0));
                    let mut all = Vec::new();
                    let more_than_page = i64::from(limit) + 1;
                    if from < after {
                        let sql = format!(
                            "{MISSED} AND d.created_at > ?3 AND d.created_at <= ?4 AND {} \
                             ORDER BY d.created_at LIMIT ?5",
                            have_failed("d.")
                        );
                        let params = params![org, endpoint, from, after, more_than_page];
                        all = tx.query(&sql, params, read_missed).await?;
                    }
                    let room = more_than_page - i64::try_from(all.len()).unwrap_or(i64::MAX);
                    if room > 0 {
                        let sql = format!("{MISSED} AND d.created_at > ?3 ORDER BY d.created_at LIMIT ?4");
                        let params = params![org, endpoint, from.max(after), room];
                        all.extend(tx.query(&sql, params, read_missed).await?);
                    }
                    let more = all.len() > limit as usize;
                    all.truncate(limit as usize);
                    let next = all.last().filter(|_| more).map(|missed| Cursor(missed.created_at));
                    Ok(Listed { records: all, next })
                })
            })
            .await
    }
}
