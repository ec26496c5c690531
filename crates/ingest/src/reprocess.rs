//! Messages that were kept are read again, with today's connector and the source's settings of today.
//!
//! Nobody's signature is checked again: most sign a time, and it is long over. A message that was rejected when it
//! arrived is read only where a person says that it was the platform's.

use std::time::Duration;

use connectors::Request;
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{InboxId, Place, Time};
use store::{MessageRange, Outcome, Reading, Received, Reread, Source, StoredMessage};

use crate::{
    Ingest,
    history::{is_history, read_again},
    receive::{Understood, fingerprint, read, waits},
};

/// What to do with messages whose sender was not proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Leave them.
    Leave,
    /// Take them for the platform's all the same.
    Accept,
}

/// What came of a message that was to be read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reprocessed {
    /// It was read, and became this.
    Done(Received),
    /// Its sender was not proven when it arrived, and nobody said that it was the platform.
    WasRejected,
    /// The source has no such message.
    Unknown,
}

/// What came of some messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// How many changed or confirmed a call.
    pub accepted: u32,
    /// How many say nothing that a record is kept of.
    pub ignored: u32,
    /// How many could not be read or applied.
    pub failed: u32,
    /// Where the next ones begin; `None` where there are no more.
    pub next: Option<Place>,
}

/// How long a batch may take. What is left is the next one's, long before the request is given up.
const BATCH: Duration = Duration::from_secs(10);

impl Ingest {
    /// Reads a message of a source again.
    pub async fn reprocess(
        &self,
        source: &Source,
        id: InboxId,
        rejected: Rejected,
    ) -> store::Result<Reprocessed> {
        let records = self.store.org(source.org);
        let Some(message) = records.get_message(source.id, id).await? else {
            return Ok(Reprocessed::Unknown);
        };
        let was_rejected = message.summary.outcome == Outcome::Rejected;
        if was_rejected && rejected == Rejected::Leave {
            return Ok(Reprocessed::WasRejected);
        }
        let reread = reread(source, &message);
        let waits = waits(&reread.reading);
        let received = records.reapply(source, reread, self.rules_of(source)).await?;
        if waits {
            self.wake();
        }
        Ok(Reprocessed::Done(received))
    }

    /// Reads messages of a source again, the oldest first, as many as the range allows and time permits. Each is
    /// applied by itself, so what was done before a failure stays done, and to do it again changes nothing.
    pub async fn reprocess_range(
        &self,
        source: &Source,
        range: MessageRange,
        rejected: Rejected,
    ) -> store::Result<Batch> {
        let until: Time = self.clock.now() + BATCH;
        let places = self.store.org(source.org).find_messages(range).await?;
        let full = places.len() >= range.limit as usize;
        let last = places.last().copied();
        let mut batch = Batch { next: last.filter(|_| full), ..Batch::default() };
        for place in places {
            match self.reprocess(source, InboxId::new(place.id), rejected).await? {
                Reprocessed::Done(received) => batch.count(received.outcome),
                // It was deleted, or rejected in the meantime.
                Reprocessed::Unknown | Reprocessed::WasRejected => {}
            }
            if Some(place) != last && self.clock.now() > until {
                batch.next = Some(place);
                break;
            }
        }
        Ok(batch)
    }
}

impl Batch {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Accepted => self.accepted += 1,
            Outcome::Ignored => self.ignored += 1,
            Outcome::Duplicate | Outcome::Failed | Outcome::Rejected => self.failed += 1,
        }
    }
}

fn reread(source: &Source, message: &StoredMessage) -> Reread {
    let headers = headers_of(&message.headers);
    let url = source.platform.source_path(source.id);
    let request = Request { url: &url, path_secret: None, headers: &headers, body: &message.body };
    let was_rejected = message.summary.outcome == Outcome::Rejected;
    let (reading, event_id) = if was_rejected && message.body.is_empty() {
        (
            Reading::Unreadable("this message came without a body, or with one too long to be kept".into()),
            None,
        )
    } else if is_history(&headers) {
        (read_again(source, &message.body), None)
    } else {
        // What it asked is long over.
        let Understood { reading, event_id, .. } = read(source, &request);
        (reading, event_id)
    };
    let fingerprint = fingerprint(event_id.as_deref().map_or(&message.body, str::as_bytes));
    let note = was_rejected.then(|| {
        let why = message.summary.reason.as_deref().unwrap_or("its sender was not proven");
        format!("taken for the platform's when it was read again, though it had been rejected: {why}")
    });
    Reread { id: message.summary.id, fingerprint, reading, note }
}

fn headers_of(kept: &[(String, String)]) -> HeaderMap {
    let pairs = kept.iter().filter_map(|(name, value)| {
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        Some((name.parse::<HeaderName>().ok()?, value))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, value);
    }
    headers
}
