//! From a platform's request to the store: verified over its bytes, read, and kept whatever it says.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use connectors::{Connector, Parsed, Request, Secrets};
use http::HeaderMap;
use model::{Clock, Completion, IdGen, SourceId, Time};
use sha2::{Digest, Sha256};
use store::{Incoming, Reading, Received, Rules, Source, Store};
use tokio::sync::Notify;

use crate::rules;

/// Takes platforms' webhooks.
pub struct Ingest {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
    rules: Rules,
    /// Told when a call began to wait for its better message.
    pub(crate) waiting: Notify,
    /// Told when an erasure has more to do than its request could wait for.
    pub(crate) erasing: Notify,
    rejections: Mutex<HashMap<SourceId, (Time, u32)>>,
}

/// What a platform is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The message is kept, durably.
    Kept(Received),
    /// The sender is not proven, and why.
    Rejected(String),
    /// There is no such source.
    UnknownSource,
}

/// How many rejected messages of a source are kept in a minute: enough to see what is wrong, too few to fill a disk.
const REJECTIONS_PER_MINUTE: u32 = 60;

impl Ingest {
    /// An ingest into a store. `completion_wait` is how long `call.completed` waits for a better message.
    pub fn new(store: Store, clock: Arc<dyn Clock>, ids: Arc<dyn IdGen>, completion_wait: Duration) -> Self {
        let rules = rules(completion_wait);
        Self {
            store,
            clock,
            ids,
            rules,
            waiting: Notify::new(),
            erasing: Notify::new(),
            rejections: Mutex::default(),
        }
    }

    /// The rules that calls are merged and told by.
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// Says that a call may have begun to wait for a better message.
    pub fn wake(&self) {
        self.waiting.notify_one();
    }

    /// Takes a message. When this returns `Kept`, the message and all that follows from it are durable.
    pub async fn receive(
        &self,
        platform: &str,
        id: SourceId,
        request: &Request<'_>,
    ) -> store::Result<Answer> {
        let source = self.store.find_source(id).await?.filter(|source| source.platform.as_str() == platform);
        let Some(source) = source else { return Ok(Answer::UnknownSource) };
        let Some(connector) = connectors::connector(source.platform) else {
            return Ok(Answer::UnknownSource);
        };
        let now = self.clock.now();
        let (reading, event_id) = reading(connector, &source, request, now);
        if let Reading::Rejected(reason) = &reading {
            tracing::warn!(source = %id, reason, "source {id} sent a message whose sender is not proven");
            if !self.may_keep_rejection(id, now) {
                return Ok(Answer::Rejected(reason.clone()));
            }
        }
        let waits = waits(&reading);
        let message = Incoming {
            id: self.ids.id(),
            received_at: now,
            headers: kept_headers(request.headers, &source),
            body: request.body.to_vec(),
            fingerprint: fingerprint(event_id.as_deref().map_or(request.body, str::as_bytes)),
            reading,
        };
        let received = self.store.org(source.org).receive(&source, message, self.rules).await?;
        if waits {
            self.wake();
        }
        Ok(match received.outcome {
            store::Outcome::Rejected => Answer::Rejected(received.reason.unwrap_or_default()),
            _ => Answer::Kept(received),
        })
    }

    fn may_keep_rejection(&self, source: SourceId, now: Time) -> bool {
        let mut rejections = self.rejections.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = rejections.entry(source).or_insert((now, 0));
        if now.since(*since) >= Duration::from_secs(60) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= REJECTIONS_PER_MINUTE
    }
}

/// What a message says, and the platform's id of it.
fn reading(
    connector: &dyn Connector,
    source: &Source,
    request: &Request<'_>,
    now: Time,
) -> (Reading, Option<String>) {
    let secrets = Secrets { current: &source.secret, previous: source.previous_secret_at(now) };
    if let Err(rejection) = connector.verify(&secrets, &source.settings, request, now) {
        return (Reading::Rejected(rejection.to_string()), None);
    }
    read_by(connector, source, request)
}

/// What a message says by today's connector and settings, whoever sent it, and the platform's id of it.
pub(crate) fn read(source: &Source, request: &Request<'_>) -> (Reading, Option<String>) {
    match connectors::connector(source.platform) {
        Some(connector) => read_by(connector, source, request),
        None => (Reading::Unreadable("this source has no webhooks".into()), None),
    }
}

fn read_by(connector: &dyn Connector, source: &Source, request: &Request<'_>) -> (Reading, Option<String>) {
    // A parser that panics must cost nobody a message: it is kept, and a better parser can read it.
    match catch_unwind(AssertUnwindSafe(|| connector.parse(&source.settings, request))) {
        Ok(Ok(Parsed { event, event_id, external_id, changes })) => {
            (Reading::Read { event, external_id, changes }, event_id)
        }
        Ok(Err(unreadable)) => (Reading::Unreadable(unreadable.to_string()), None),
        Err(_) => (Reading::Unreadable("the connector panicked on this body; please report it".into()), None),
    }
}

/// By which the repetition of a message is known.
pub(crate) fn fingerprint(bytes: &[u8]) -> [u8; 16] {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

pub(crate) fn waits(reading: &Reading) -> bool {
    let Reading::Read { changes, .. } = reading else { return false };
    changes.iter().any(|change| change.completion == Completion::Wait)
}

/// What proves a sender, for ever or for a while. Signatures over the body stay: they prove nothing else. Synthflow's
/// is over the call's id alone, which whoever reads the message knows.
const UNKEPT_HEADERS: [&str; 8] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-vapi-secret",
    "synthflow-signature",
    "x-synthflow-signature",
    "http-synthflow-signature",
    "http_synthflow_signature",
];

/// The headers as JSON, without what proves the sender: a copy of the database must not be enough to forge one.
fn kept_headers(headers: &HeaderMap, source: &Source) -> String {
    let secrets = [Some(source.secret.as_str()), source.previous_secret.as_deref()];
    // The header that the settings name holds the platform's secret, also where that is not the one we have.
    let named = source.settings["auth"]["header"].as_str();
    let is_secret = |name: &str, value: &[u8]| {
        UNKEPT_HEADERS.contains(&name)
            || named.is_some_and(|named| named.eq_ignore_ascii_case(name))
            || secrets
                .into_iter()
                .flatten()
                .filter(|secret| !secret.is_empty())
                .any(|secret| value.windows(secret.len()).any(|window| window == secret.as_bytes()))
    };
    let kept: Vec<(&str, String)> = headers
        .iter()
        .filter(|(name, value)| !is_secret(name.as_str(), value.as_bytes()))
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    // Pairs of text: there is nothing in them that JSON could not hold.
    serde_json::to_string(&kept).unwrap_or_else(|_| "[]".into())
}
