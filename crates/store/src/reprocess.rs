//! Messages of the inbox that are read again: by a better connector, with other settings, or after their sender was
//! proven in another way.

use std::sync::Arc;

use model::{InboxId, OrgId, Place, SourceId, Time};

use crate::{
    OrgStore, Outcome, Reading, Received, Result, Rules, Source,
    accept::{Context, Origin, apply_or_undo},
    calls, inbox,
    stamps::Stamps,
    tx::Tx,
    value::{Value, params},
};

/// A message of the inbox, read again.
#[derive(Clone, Debug)]
pub struct Reread {
    /// Which message.
    pub id: InboxId,
    /// By which its repetition is known now.
    pub fingerprint: [u8; 16],
    /// What the connector made of it this time.
    pub reading: Reading,
    /// What is to stand beside the outcome, where it became something.
    pub note: Option<String>,
}

/// Which messages of a source are to be read again, from the oldest.
#[derive(Clone, Copy, Debug)]
pub struct MessageRange {
    /// The source.
    pub source: SourceId,
    /// Only those that arrived later than this.
    pub since: Option<Time>,
    /// Only those that arrived before this.
    pub until: Option<Time>,
    /// Only those with this outcome; without, all but the rejected ones.
    pub outcome: Option<Outcome>,
    /// Only those behind this place.
    pub after: Option<Place>,
    /// How many at most.
    pub limit: u32,
}

impl OrgStore {
    /// Applies a message again, whatever became of it before, and writes down what becomes of it now. A repetition is
    /// applied too: that changes nothing more.
    pub async fn reapply(&self, source: &Source, message: Reread, rules: Rules) -> Result<Received> {
        let origin = Origin { source: source.id, platform: source.platform, message: Some(message.id) };
        let asked = Arc::new((self.context(rules), message));
        let done = asked.clone();
        let received = self
            .store
            .write_repeatable(move |tx| {
                let asked = asked.clone();
                Box::pin(async move { reapply(tx, &asked.0, origin, &asked.1).await })
            })
            .await?;
        self.store.wake_for(&done.0);
        Ok(received)
    }

    /// The places of messages, the oldest first.
    pub async fn find_messages(&self, range: MessageRange) -> Result<Vec<Place>> {
        let org = self.org;
        self.store.read(move |tx| Box::pin(async move { find(tx, org, &range).await })).await
    }
}

async fn find(tx: &mut Tx<'_>, org: OrgId, range: &MessageRange) -> Result<Vec<Place>> {
    let mut sql =
        "SELECT received_at, id FROM inbox WHERE org_id = ?1 AND source_id = ?2 AND outcome ".to_owned();
    // The word and not a parameter, so that its index is used.
    match range.outcome {
        Some(outcome) => sql.push_str(&format!("= '{}'", outcome.as_str())),
        None => sql.push_str("<> 'rejected'"),
    }
    let mut params: Vec<Value<'_>> = vec![org.into(), range.source.into()];
    sql.push_str(" AND erasure_id IS NULL");
    if let Some(Place { at, id }) = range.after {
        sql.push_str(" AND (received_at, id) > (?3, ?4)");
        params.extend_from_slice(params![at, id]);
    }
    for (condition, time) in [("received_at >", range.since), ("received_at <", range.until)] {
        let Some(time) = time else { continue };
        params.push(time.into());
        sql.push_str(&format!(" AND {condition} ?{}", params.len()));
    }
    params.push(i64::from(range.limit).into());
    sql.push_str(&format!(" ORDER BY received_at, id LIMIT ?{}", params.len()));
    tx.query(&sql, &params, |row| Ok(Place { at: row.get()?, id: row.get()? })).await
}

async fn reapply(tx: &mut Tx<'_>, context: &Context, origin: Origin, message: &Reread) -> Result<Received> {
    if inbox::is_emptied(tx, context.org, message.id).await? {
        return Ok(Received::of_erased(None));
    }
    let mut received = match &message.reading {
        Reading::Rejected(reason) => Received::nothing(Outcome::Rejected, reason.clone()),
        Reading::Unreadable(reason) => Received::nothing(Outcome::Failed, reason.clone()),
        Reading::Read { changes, .. } => match changes.split_first() {
            Some((first, rest)) => {
                let mut stamps = Stamps::take(tx, context.org, context.now).await?;
                let id = first.external_id.as_str();
                let call = calls::by_external_id(tx, context.org, origin.source, id).await?;
                apply_or_undo(tx, context, origin, ((first, rest), None), call, &mut stamps).await?
            }
            None => Received::ignored(),
        },
    };
    if received.reason.is_none() {
        received.reason.clone_from(&message.note);
    }
    conclude(tx, context.org, origin.source, message, &received).await?;
    if received.is_of_erased {
        inbox::empty(tx, context.org, message.id, received.call_id).await?;
    }
    Ok(received)
}

/// Writes down what became of a message this time. The call that it changed before stays its call where it becomes
/// nothing now, because what it said there stays too.
async fn conclude(
    tx: &mut Tx<'_>,
    org: OrgId,
    source: SourceId,
    message: &Reread,
    received: &Received,
) -> Result<()> {
    let (event, external_id) = match &message.reading {
        Reading::Read { event, external_id, .. } => (Some(event), external_id.as_ref()),
        Reading::Unreadable(_) | Reading::Rejected(_) => (None, None),
    };
    tx.execute(
        "UPDATE inbox SET outcome = ?4, reason = ?5, call_id = coalesce(?6, call_id), event = ?7, external_id = ?8, \
                fingerprint = ?9 \
         WHERE id = ?1 AND org_id = ?2 AND source_id = ?3",
        params![
            message.id,
            org,
            source,
            received.outcome.as_str(),
            &received.reason,
            received.call_id,
            event,
            external_id,
            message.fingerprint.as_slice(),
        ],
    )
    .await
    .map(drop)
}
