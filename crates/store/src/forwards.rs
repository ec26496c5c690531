//! Forwarding: a source's messages sent on as they came, because platforms have one webhook slot.
//!
//! A forward is an endpoint that names a source, and each message owes it a delivery like any other, of an event that
//! is told to nobody else and is in no log. So whatever holds for webhooks holds for it.

use std::sync::Arc;

use model::{EndpointId, InboxId, OrgId, SourceId};

use crate::{
    Incoming, OrgStore, Outcome, Received, Result, Source, endpoints,
    events::{Happened, Teller, owe},
    stamps::Stamps,
    tx::Tx,
    value::params,
};

/// The type of the event that stands for a message. It is not one that endpoints can ask for.
pub const SOURCE_MESSAGE: &str = "source.message";

/// By which a message is known that comes back to its source (`Via`, RFC 9110 section 7.6.3).
pub fn via_mark(source: SourceId) -> String {
    format!("1.1 inboundflow-{source}")
}

/// A message to be sent on. It has no `Debug`: neither bodies nor headers belong in a log.
pub struct Original {
    /// Its headers, without what proves its sender for ever.
    pub headers: Vec<(String, String)>,
    /// Its body, as it arrived.
    pub body: Vec<u8>,
}

impl OrgStore {
    /// A message to be sent on, if it is still kept and its person was not erased.
    pub async fn original_message(&self, id: InboxId) -> Result<Option<Original>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let sql = "SELECT headers, body FROM inbox WHERE id = ?1 AND org_id = ?2 AND erasure_id IS NULL";
                    tx.first(sql, params![id, org], |row| {
                        Ok(Original { headers: row.json("headers")?, body: row.get()? })
                    })
                    .await
                })
            })
            .await
    }
}

/// Owes a message to its source's forwards: any whose sender is proven, a repetition too, but none that was here
/// before, none about somebody who was erased, and none that was taken apart, which could not be sent as it came.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    teller: &Teller,
    source: &Source,
    message: &Incoming,
    received: &Received,
) -> Result<()> {
    if received.outcome == Outcome::Rejected
        || received.is_of_erased
        || !message.is_whole
        || was_here(message, source.id)
    {
        return Ok(());
    }
    // The clock's lock comes first: whoever enables a forward while this is written would leave behind what is held.
    let mut stamps = Stamps::take(tx, teller.org, teller.now).await?;
    let subscribers = endpoints::subscribers(tx, teller.org).await?;
    if !subscribers.iter().any(|subscriber| subscriber.forwards(source.id)) {
        return Ok(());
    }
    let (id, created_at) = (teller.ids.id(), stamps.next(tx).await?);
    let data = format!(r#"{{"source_id":"{}","message_id":"{}"}}"#, source.id, message.id);
    tx.execute(
        "INSERT INTO events (id, org_id, created_at, type, call_id, data, message_id) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![id, teller.org, created_at, SOURCE_MESSAGE, received.call_id, &data, message.id],
    )
    .await?;
    let happened = Happened {
        id,
        call_id: received.call_id,
        name: SOURCE_MESSAGE,
        at: created_at.time(),
        data: Arc::from(data),
        message: Some(message.id),
    };
    for subscriber in subscribers.iter().filter(|subscriber| subscriber.forwards(source.id)) {
        owe(tx, teller, &happened, subscriber, &mut stamps).await?;
    }
    Ok(())
}

fn was_here(message: &Incoming, source: SourceId) -> bool {
    let mark = via_mark(source);
    let headers: Vec<(String, String)> = serde_json::from_str(&message.headers).unwrap_or_default();
    headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("via") && value.contains(&mark))
}

/// Notes at a source that it has a forward.
pub(crate) async fn note(tx: &mut Tx<'_>, org: OrgId, source: SourceId) -> Result<()> {
    let sql = "UPDATE sources SET forwards = TRUE WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![source, org]).await.map(drop)
}

/// Notes at the source of an endpoint that was deleted that it has no forward any more, if it was the last one.
pub(crate) async fn note_deleted(tx: &mut Tx<'_>, org: OrgId, endpoint: EndpointId) -> Result<()> {
    let sql = "SELECT source_id FROM endpoints WHERE id = ?1 AND org_id = ?2";
    let found = tx.first(sql, params![endpoint, org], |row| row.get::<Option<SourceId>>()).await?;
    let Some(source) = found.flatten() else { return Ok(()) };
    // This locks the source, so that the next statement sees a forward that is made at the same time.
    note(tx, org, source).await?;
    let sql = "UPDATE sources SET forwards = FALSE WHERE id = ?1 AND org_id = ?2 \
               AND NOT EXISTS (SELECT 1 FROM endpoints p \
                               WHERE p.org_id = ?2 AND p.source_id = ?1 AND p.deleted_at IS NULL)";
    tx.execute(sql, params![source, org]).await.map(drop)
}
