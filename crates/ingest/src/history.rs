//! Calls that a platform's own list tells of, taken like messages: kept as the platform answered, merged and told by the
//! same rules, and read again the same way.

use std::panic::{AssertUnwindSafe, catch_unwind};

use connectors::{
    Parsed,
    history::{Kept, Listed, Standing},
};
use http::HeaderMap;
use model::Time;
use serde_json::Value;
use store::{Healing, Incoming, Reading, Received, Rules, Source, Telling};

use crate::{
    Ingest,
    receive::{fingerprint, waits},
};

/// Marks a message that was asked for and not sent to us. What is sent to us never keeps such a header.
pub(crate) const ORIGIN: &str = "inboundflow-origin";

/// The mark's value.
const HISTORY: &str = "history";

impl Ingest {
    /// Takes a call that a platform's list says is over, with the details that were asked for. `telling` is for one that
    /// was not known at all: a call that was known already is told of as if its message had come now.
    pub async fn heal(
        &self,
        source: &Source,
        (call, details): (Listed, Vec<Value>),
        healing: Healing,
        telling: Telling,
    ) -> store::Result<Received> {
        let kept = Kept { call: call.call, details };
        // It was read from JSON, so it can be written as such.
        let body = serde_json::to_vec(&kept).unwrap_or_default();
        let reading = read_kept(source, &kept);
        let waits = waits(&reading);
        let message = Incoming {
            id: self.ids.id(),
            received_at: self.clock.now(),
            headers: format!("[[\"{ORIGIN}\",\"{HISTORY}\"]]"),
            fingerprint: fingerprint(&body),
            body,
            reading,
            recording: None,
            is_whole: true,
        };
        let rules = self.rules_of(source);
        let new = Rules { telling, ..rules };
        let received = self.store.org(source.org).heal(source, message, healing, (rules, new)).await?;
        if waits {
            self.wake();
        }
        Ok(received)
    }
}

/// Whether a call that began and stands like this was over at a time.
pub fn was_over(call: &Listed, at: Time) -> bool {
    match call.standing {
        Standing::UnderWay => false,
        Standing::Over(since) => since.or(call.began_at).is_none_or(|since| since <= at),
    }
}

/// Whether the message with these headers is one that [`Ingest::heal`] kept.
pub(crate) fn is_history(headers: &HeaderMap) -> bool {
    headers.get(ORIGIN).is_some_and(|origin| origin == HISTORY)
}

/// What a message says that [`Ingest::heal`] kept.
pub(crate) fn read_again(source: &Source, body: &[u8]) -> Reading {
    match serde_json::from_slice::<Kept>(body) {
        Ok(kept) => read_kept(source, &kept),
        Err(error) => Reading::Unreadable(format!("the message is not what was kept of a call: {error}")),
    }
}

fn read_kept(source: &Source, kept: &Kept) -> Reading {
    let history = connectors::connector(source.platform).and_then(|connector| connector.history());
    let Some(history) = history else {
        return Reading::Unreadable("this platform's calls are not listed".into());
    };
    match catch_unwind(AssertUnwindSafe(|| history.read(&source.platform_settings(), kept))) {
        Ok(Ok(Parsed { event, external_id, changes, .. })) => Reading::Read { event, external_id, changes },
        Ok(Err(unreadable)) => Reading::Unreadable(unreadable.to_string()),
        Err(_) => Reading::Unreadable("the connector panicked on this call; please report it".into()),
    }
}
