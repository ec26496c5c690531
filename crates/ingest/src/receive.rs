//! From a platform's request to the store: verified over its bytes, read, and kept whatever it says.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use connectors::{Connector, Parsed, Question, Request, Secrets};
use http::HeaderMap;
use model::{Clock, Completion, IdGen, InboxId, RecordingSettings, SourceId, Time};
use sha2::{Digest, Sha256};
use store::{Incoming, Reading, Received, Recordings, Rules, Source, Store, StoredObject};
use tokio::sync::Notify;

use crate::rules;

/// Takes platforms' webhooks.
pub struct Ingest {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGen>,
    rules: Rules,
    /// Whether recordings are fetched, where a source says nothing else.
    recordings: Recordings,
    /// Told when a call began to wait for its better message.
    pub(crate) waiting: Notify,
    /// Told when an erasure has more to do than its request could wait for.
    pub(crate) erasing: Notify,
    rejections: Mutex<HashMap<SourceId, (Time, u32)>>,
}

/// What a platform is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The message is kept, durably, and only told something.
    Kept(Received),
    /// The message is kept, durably, and asks something: the platform waits.
    Asked(Box<Asked>),
    /// The sender is not proven, and why.
    Rejected(String),
    /// There is no such source.
    UnknownSource,
}

/// A message that asks something, and by whom it is to be answered.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The message in the inbox.
    pub message: InboxId,
    /// Its source, whose settings may say who answers.
    pub source: Arc<Source>,
    /// What it asks.
    pub question: Question,
    /// When it arrived.
    pub received_at: Time,
}

/// How many rejected messages of a source are kept in a minute: enough to see what is wrong, too few to fill a disk.
const REJECTIONS_PER_MINUTE: u32 = 60;

impl Ingest {
    /// An ingest into a store. `completion_wait` is how long `call.completed` waits for a better message.
    pub fn new(store: Store, clock: Arc<dyn Clock>, ids: Arc<dyn IdGen>, completion_wait: Duration) -> Self {
        Self {
            store,
            clock,
            ids,
            rules: rules(completion_wait),
            recordings: Recordings::Leave,
            waiting: Notify::new(),
            erasing: Notify::new(),
            rejections: Mutex::default(),
        }
    }

    /// Has the recordings fetched that messages tell of, or left where they are.
    #[must_use]
    pub fn with_recordings(mut self, recordings: Recordings) -> Self {
        self.recordings = recordings;
        self
    }

    /// The rules for the messages of a source, which may have its recordings left where they are.
    pub(crate) fn rules_of(&self, source: &Source) -> Rules {
        let is_wanted = RecordingSettings::of(&source.settings).fetch;
        let recordings = if is_wanted { self.recordings } else { Recordings::Leave };
        Rules { recordings, ..self.rules }
    }

    /// The rules that calls are merged and told by. Who writes a call through the API keeps its recording: that is left
    /// where it is.
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
        let understood = reading(connector, &source, request, now);
        let told = understood.event_id.as_deref().map_or(request.body, str::as_bytes);
        let message = (request.headers, request.body.to_vec(), fingerprint(told));
        self.keep(source, message, understood, Arrived::Whole).await
    }

    /// Keeps a message that was verified and read.
    pub(crate) async fn keep(
        &self,
        source: Arc<Source>,
        (headers, body, fingerprint): (&HeaderMap, Vec<u8>, [u8; 16]),
        Understood { reading, question, .. }: Understood,
        arrived: Arrived,
    ) -> store::Result<Answer> {
        let (id, now) = (source.id, self.clock.now());
        if let Reading::Rejected(reason) = &reading {
            tracing::warn!(source = %id, reason, "source {id} sent a message whose sender is not proven");
            if !self.may_keep_rejection(id, now) {
                return Ok(Answer::Rejected(reason.clone()));
            }
        }
        let waits = waits(&reading);
        let is_whole = matches!(arrived, Arrived::Whole);
        let id = self.ids.id();
        let message = Incoming {
            id,
            received_at: now,
            headers: kept_headers(headers, &source),
            body,
            fingerprint,
            reading,
            recording: arrived.recording(),
            is_whole,
        };
        let received = self.store.org(source.org).receive(&source, message, self.rules_of(&source)).await?;
        if waits {
            self.wake();
        }
        Ok(match (received.outcome, question) {
            (store::Outcome::Rejected, _) => Answer::Rejected(received.reason.unwrap_or_default()),
            (_, None) => Answer::Kept(received),
            (_, Some(question)) => {
                Answer::Asked(Box::new(Asked { message: id, source, question, received_at: now }))
            }
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

/// How a message arrived.
pub(crate) enum Arrived {
    /// Its body is kept as it is.
    Whole,
    /// Its body was taken apart, and this is the recording that was in it.
    Apart(Option<StoredObject>),
}

impl Arrived {
    fn recording(self) -> Option<StoredObject> {
        match self {
            Self::Whole => None,
            Self::Apart(recording) => recording,
        }
    }
}

/// What a connector understood of a message.
pub(crate) struct Understood {
    pub(crate) reading: Reading,
    /// The platform's id of it.
    pub(crate) event_id: Option<String>,
    /// What it asks.
    question: Option<Question>,
}

impl Understood {
    pub(crate) fn nothing(reading: Reading) -> Self {
        Self { reading, event_id: None, question: None }
    }
}

fn reading(connector: &dyn Connector, source: &Source, request: &Request<'_>, now: Time) -> Understood {
    let secrets = Secrets { current: &source.secret, previous: source.previous_secret_at(now) };
    if let Err(rejection) = connector.verify(&secrets, &source.platform_settings(), request, now) {
        return Understood::nothing(Reading::Rejected(rejection.to_string()));
    }
    read_by(connector, source, request)
}

/// What a message says by today's connector and settings, whoever sent it.
pub(crate) fn read(source: &Source, request: &Request<'_>) -> Understood {
    match connectors::connector(source.platform) {
        Some(connector) => read_by(connector, source, request),
        None => Understood::nothing(Reading::Unreadable("this source has no webhooks".into())),
    }
}

fn read_by(connector: &dyn Connector, source: &Source, request: &Request<'_>) -> Understood {
    // A parser that panics must cost nobody a message: it is kept, and a better parser can read it.
    let understood = catch_unwind(AssertUnwindSafe(|| {
        let settings = source.platform_settings();
        let parsed = connector.parse(&settings, request)?;
        let question = connector.question(&settings, request, &parsed);
        Ok::<_, connectors::Unreadable>((parsed, question))
    }));
    match understood {
        Ok(Ok((Parsed { event, event_id, external_id, changes }, question))) => {
            Understood { reading: Reading::Read { event, external_id, changes }, event_id, question }
        }
        Ok(Err(unreadable)) => Understood::nothing(Reading::Unreadable(unreadable.to_string())),
        Err(_) => {
            let why = "the connector panicked on this body; please report it";
            Understood::nothing(Reading::Unreadable(why.into()))
        }
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
/// is over the call's id alone, which whoever reads the message knows. And the mark of what we asked for ourselves.
const UNKEPT_HEADERS: [&str; 9] = [
    crate::history::ORIGIN,
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
