//! Messages as they arrived from a platform: what they said, and what became of them.

use model::{CallId, Change, InboxId, OrgId, Place, PlacedPage, SourceId, Time};

use crate::{
    AnswerSummary, OrgStore, Placed, Received, Result, StoredObject, answers,
    list::ListQuery,
    tx::Tx,
    value::{Cells, params},
};

/// A message from a platform, verified and read as far as it can be.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The message's id.
    pub id: InboxId,
    /// When it arrived.
    pub received_at: Time,
    /// Its headers as JSON, without what proves its sender.
    pub headers: String,
    /// Its body, as it arrived.
    pub body: Vec<u8>,
    /// By which a repetition is known: the first half of a SHA-256 over the platform's id of the event where it gives
    /// one, else over the body.
    pub fingerprint: [u8; 16],
    /// What the connector made of it.
    pub reading: Reading,
    /// The recording that it brought, which was taken out of its body and is in the object store.
    pub recording: Option<StoredObject>,
    /// Whether its body is all that arrived: of one that was taken apart, a recording is missing.
    pub is_whole: bool,
}

/// What a connector made of a message.
#[derive(Clone, Debug)]
pub enum Reading {
    /// It says something about calls; nothing, for an event that is of no interest.
    Read {
        /// The platform's name of the event.
        event: String,
        /// The platform's id of the call.
        external_id: Option<String>,
        /// What it says.
        changes: Vec<Change>,
    },
    /// It cannot be read, and why. Kept, so that a better parser can.
    Unreadable(String),
    /// Its sender is not proven, and why.
    Rejected(String),
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It changed a call.
    Accepted,
    /// It is the repetition of one that was accepted before.
    Duplicate,
    /// It says nothing that we keep a record of.
    Ignored,
    /// Its sender is not proven.
    Rejected,
    /// It could not be read, or not be applied.
    Failed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Accepted, Self::Duplicate, Self::Ignored, Self::Rejected, Self::Failed];

    /// The word in the database and in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// A message in the inbox.
#[derive(Clone, Debug)]
pub struct InboxEntry {
    /// The message's id.
    pub id: InboxId,
    /// When it arrived.
    pub received_at: Time,
    /// The platform's name of the event.
    pub event: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, where it became nothing.
    pub reason: Option<String>,
    /// The call it belongs to.
    pub call_id: Option<CallId>,
    /// Its body, as it arrived.
    pub body: Vec<u8>,
}

/// Which messages of a source are asked for.
#[derive(Clone, Debug)]
pub struct ListMessages {
    /// The source.
    pub source: SourceId,
    /// The page.
    pub page: PlacedPage,
    /// Only those that became this.
    pub outcome: Option<Outcome>,
    /// Only those of this event, in the platform's name for it.
    pub event: Option<String>,
    /// Only those that belong to this call.
    pub call_id: Option<CallId>,
}

/// A message in a list: all but its headers and its body.
#[derive(Clone, Debug)]
pub struct MessageSummary {
    /// The message's id.
    pub id: InboxId,
    /// When it arrived.
    pub received_at: Time,
    /// The platform's name of the event.
    pub event: Option<String>,
    /// The platform's id of the call.
    pub external_id: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, where it became nothing, or what else is to be known of that.
    pub reason: Option<String>,
    /// The call it belongs to.
    pub call_id: Option<CallId>,
    /// The length of the body that is kept, in bytes.
    pub size: i64,
    /// What it was answered, where it asked something.
    pub answer: Option<AnswerSummary>,
}

/// A message with all that is kept of it. It has no `Debug`: neither bodies nor headers belong in a log.
#[derive(Clone)]
pub struct StoredMessage {
    /// What a list has of it.
    pub summary: MessageSummary,
    /// Its headers, without what proves its sender.
    pub headers: Vec<(String, String)>,
    /// Its body, as it arrived. Empty where a rejected message was too long to be kept with it.
    pub body: Vec<u8>,
    /// The body of what it was answered, where it asked something; of a long one the beginning.
    pub answer_body: Option<Vec<u8>>,
}

/// How many rejected messages of a source are kept. They are kept because a secret that was set up wrong must not
/// cost the calls of that day, and bounded because anybody can send them.
const REJECTED_KEPT: i64 = 1000;

/// How long a repeated message counts as a repetition, in microseconds.
const REPETITION_MICROS: i64 = 24 * 3600 * 1_000_000;

/// Whether the same message about the call was accepted within the last day.
pub(crate) async fn is_repetition(tx: &mut Tx<'_>, call: CallId, message: &Incoming) -> Result<bool> {
    let sql = "SELECT 1 FROM inbox WHERE call_id = ?1 AND fingerprint = ?2 AND outcome = 'accepted' \
               AND received_at > ?3 LIMIT 1";
    let since = message.received_at.plus_micros(-REPETITION_MICROS);
    let found = tx.first(sql, params![call, message.fingerprint.as_slice(), since], |_| Ok(())).await?;
    Ok(found.is_some())
}

/// A rejected message with a longer body is kept without it: anybody can send one.
const REJECTED_BODY_BYTES: usize = 256 << 10;

/// Keeps a message, with what became of it.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    org: OrgId,
    source: SourceId,
    message: &Incoming,
    received: &Received,
) -> Result<()> {
    let (event, external_id) = match &message.reading {
        Reading::Read { event, external_id, .. } => (Some(event), external_id.as_ref()),
        Reading::Unreadable(_) | Reading::Rejected(_) => (None, None),
    };
    if received.is_of_erased {
        return insert_emptied(tx, org, source, message, received).await;
    }
    let drop_body = received.outcome == Outcome::Rejected && message.body.len() > REJECTED_BODY_BYTES;
    let body: &[u8] = if drop_body { &[] } else { &message.body };
    tx.execute(
        "INSERT INTO inbox (id, org_id, source_id, received_at, event, external_id, outcome, reason, call_id, headers, \
                            body, fingerprint) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            message.id,
            org,
            source,
            message.received_at,
            event,
            external_id,
            received.outcome.as_str(),
            &received.reason,
            received.call_id,
            &message.headers,
            body,
            message.fingerprint.as_slice(),
        ],
    )
    .await
    .map(drop)
}

/// Lets a message pass that says nothing to us. Its body may still tell of a person, so that one about an erased call
/// is not kept either.
pub(crate) async fn pass(
    tx: &mut Tx<'_>,
    org: OrgId,
    source: SourceId,
    external_id: Option<&str>,
) -> Result<Received> {
    let Some(external_id) = external_id else { return Ok(Received::ignored()) };
    let sql = "SELECT id FROM calls WHERE source_id = ?1 AND external_id = ?2 AND org_id = ?3 \
               AND erasure_id IS NOT NULL";
    let erased = tx.first(sql, params![source, external_id, org], |row| row.get()).await?;
    Ok(erased.map_or_else(Received::ignored, |call| Received::of_erased(Some(call))))
}

/// Notes that a message came about a call whose person was erased.
async fn insert_emptied(
    tx: &mut Tx<'_>,
    org: OrgId,
    source: SourceId,
    message: &Incoming,
    received: &Received,
) -> Result<()> {
    let event = match &message.reading {
        Reading::Read { event, .. } => Some(event),
        Reading::Unreadable(_) | Reading::Rejected(_) => None,
    };
    let (outcome, nothing): (_, &[u8]) = (received.outcome.as_str(), &[]);
    // Also where it speaks of other calls too: its body holds what it says of the erased one.
    let sql = "INSERT INTO inbox (id, org_id, source_id, received_at, event, outcome, reason, call_id, headers, body, \
                                  fingerprint, erasure_id) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, '[]', ?9, ?9, \
                      coalesce((SELECT erasure_id FROM calls WHERE id = ?8 AND org_id = ?2), ?1))";
    let (at, reason) = (message.received_at, &received.reason);
    let values = params![message.id, org, source, at, event, outcome, reason, received.call_id, nothing];
    tx.execute(sql, values).await.map(drop)
}

/// Empties a message that turned out to speak of a call whose person was erased.
pub(crate) async fn empty(tx: &mut Tx<'_>, org: OrgId, id: InboxId, call: Option<CallId>) -> Result<()> {
    let nothing: &[u8] = &[];
    let sql = "UPDATE inbox SET headers = '[]', body = ?3, fingerprint = ?3, \
                   erasure_id = coalesce((SELECT erasure_id FROM calls WHERE id = ?4 AND org_id = ?2), ?1) \
               WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![id, org, nothing, call]).await.map(drop)
}

/// Whether a message was emptied, because the person that it tells of was erased.
pub(crate) async fn is_emptied(tx: &mut Tx<'_>, org: OrgId, id: InboxId) -> Result<bool> {
    let sql = "SELECT 1 FROM inbox WHERE id = ?1 AND org_id = ?2 AND erasure_id IS NOT NULL";
    Ok(tx.first(sql, params![id, org], |_| Ok(())).await?.is_some())
}

/// Forgets the oldest of many rejected messages.
pub(crate) async fn prune_rejected(tx: &mut Tx<'_>, org: OrgId, source: SourceId) -> Result<()> {
    let sql = "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox WHERE org_id = ?1 AND source_id = ?2 \
               AND outcome = 'rejected' ORDER BY received_at DESC, id DESC LIMIT 100 OFFSET ?3)";
    tx.execute(sql, params![org, source, REJECTED_KEPT]).await.map(drop)
}

const SUMMARY: &str =
    "id, received_at, event, external_id, outcome, reason, call_id, CAST(length(body) AS BIGINT)";

pub(crate) fn read_summary(row: &mut Cells<'_>) -> Result<MessageSummary> {
    Ok(MessageSummary {
        id: row.get()?,
        received_at: row.get()?,
        event: row.get()?,
        external_id: row.get()?,
        outcome: row.word("outcome", Outcome::parse)?,
        reason: row.get()?,
        call_id: row.get()?,
        size: row.get()?,
        answer: answers::read_summary(row)?,
    })
}

/// The beginning of a query for summaries, with more cells behind theirs.
pub(crate) fn select_summary(more: &str) -> String {
    format!("SELECT {SUMMARY}, {}{more} FROM inbox {}", answers::SUMMARY, answers::JOIN)
}

impl OrgStore {
    /// A source's messages, newest first.
    pub async fn list_messages(&self, list: ListMessages) -> Result<Placed<MessageSummary>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let mut query = ListQuery::placed(&select_summary(""), org, "received_at", &list.page);
                    query.add("source_id = ", list.source.into());
                    if let Some(outcome) = list.outcome {
                        // The word and not a parameter, so that its index is used.
                        query.only(&format!("outcome = '{}'", outcome.as_str()));
                    }
                    query.equals("event", list.event.as_ref());
                    query.equals("call_id", list.call_id);
                    let (sql, params) = query.finish_placed("received_at", &list.page);
                    let records = tx.query(&sql, &params, read_summary).await?;
                    let place =
                        |message: &MessageSummary| Place { at: message.received_at, id: message.id.uuid() };
                    Ok(Placed::cut(records, list.page.limit, place))
                })
            })
            .await
    }

    /// A message of a source with all that is kept of it.
    pub async fn get_message(&self, source: SourceId, id: InboxId) -> Result<Option<StoredMessage>> {
        let org = self.org;
        self.store
            .peek(move |tx| {
                Box::pin(async move {
                    let select = select_summary(", headers, body, a.answer_body");
                    let sql = format!("{select} WHERE id = ?1 AND org_id = ?2 AND source_id = ?3");
                    tx.first(&sql, params![id, org, source], |row| {
                        Ok(StoredMessage {
                            summary: read_summary(row)?,
                            headers: row.json("headers")?,
                            body: row.get()?,
                            answer_body: row.get()?,
                        })
                    })
                    .await
                })
            })
            .await
    }

    /// The newest messages of a source.
    pub async fn list_inbox(&self, source: SourceId, limit: u32) -> Result<Vec<InboxEntry>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, received_at, event, outcome, reason, call_id, body FROM inbox \
                               WHERE source_id = ?1 AND org_id = ?2 ORDER BY received_at DESC, id DESC LIMIT ?3";
                    tx.query(sql, params![source, org, i64::from(limit)], read).await
                })
            })
            .await
    }
}

fn read(row: &mut Cells<'_>) -> Result<InboxEntry> {
    Ok(InboxEntry {
        id: row.get()?,
        received_at: row.get()?,
        event: row.get()?,
        outcome: row.word("outcome", Outcome::parse)?,
        reason: row.get()?,
        call_id: row.get()?,
        body: row.get()?,
    })
}
