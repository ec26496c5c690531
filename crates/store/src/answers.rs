//! What platforms were answered that asked something with a message.

use model::{InboxId, OrgId};

use crate::{
    OrgStore, Result, inbox,
    tx::Tx,
    value::{Cells, params},
};

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// The address in the source's settings.
    Url,
    /// We, because nobody else did.
    InboundFlow,
}

impl AnsweredBy {
    /// The word in the database and in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::InboundFlow => "inboundflow",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Url, Self::InboundFlow].into_iter().find(|by| by.as_str() == word)
    }
}

/// An answer, without its body.
#[derive(Clone, Debug)]
pub struct AnswerSummary {
    /// Who gave it.
    pub by: AnsweredBy,
    /// How long it took from when the message arrived, in milliseconds.
    pub took_ms: i64,
    /// Its HTTP status.
    pub status: i64,
    /// What its body is.
    pub content_type: Option<String>,
    /// How long its body is, in bytes.
    pub size: i64,
    /// Why it is not the one that it should have been.
    pub fault: Option<String>,
}

/// An answer. It has no `Debug`: bodies don't belong in a log.
#[derive(Clone)]
pub struct KeptAnswer {
    /// What a list has of it.
    pub summary: AnswerSummary,
    /// Its body; of a long one the beginning.
    pub body: Vec<u8>,
}

/// How much of an answer's body is kept.
const KEPT_BYTES: usize = 256 << 10;

/// The cells that [`read_summary`] reads, for a query over [`JOIN`].
pub(crate) const SUMMARY: &str =
    "a.answered_by, a.took_ms, a.answer_status, a.content_type, a.answer_size, a.fault";

/// Puts each message's answer beside it. Its columns have other names than the inbox's, so that the conditions of a
/// list need not say which they mean.
pub(crate) const JOIN: &str = "LEFT JOIN (SELECT message_id, answered_by, took_ms, status AS answer_status, content_type, \
     body AS answer_body, size AS answer_size, fault FROM answers) a ON a.message_id = id";

/// The next cells, which are those of an answer, or all null.
pub(crate) fn read_summary(row: &mut Cells<'_>) -> Result<Option<AnswerSummary>> {
    let by = row.word_or_null("answered_by", AnsweredBy::parse)?;
    let (took_ms, status): (Option<i64>, Option<i64>) = (row.get()?, row.get()?);
    let (content_type, size, fault) = (row.get()?, row.get::<Option<i64>>()?, row.get()?);
    let (Some(by), Some(took_ms), Some(status), Some(size)) = (by, took_ms, status, size) else {
        return Ok(None);
    };
    Ok(Some(AnswerSummary { by, took_ms, status, content_type, size, fault }))
}

impl OrgStore {
    /// Writes down what a message was answered.
    pub async fn keep_answer(&self, message: InboxId, answer: KeptAnswer) -> Result<()> {
        let org = self.org;
        self.store.write(move |tx| Box::pin(async move { insert(tx, org, message, &answer).await })).await
    }
}

async fn insert(tx: &mut Tx<'_>, org: OrgId, message: InboxId, answer: &KeptAnswer) -> Result<()> {
    let KeptAnswer { summary, body } = answer;
    // Of a call whose person was erased nothing is kept, and an answer may name them.
    let kept = if inbox::is_emptied(tx, org, message).await? { 0 } else { body.len().min(KEPT_BYTES) };
    let body = &body[..kept];
    tx.execute(
        "INSERT INTO answers (message_id, org_id, answered_by, took_ms, status, content_type, body, size, fault) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            message,
            org,
            summary.by.as_str(),
            summary.took_ms,
            summary.status,
            &summary.content_type,
            body,
            summary.size,
            &summary.fault,
        ],
    )
    .await
    .map(drop)
}
