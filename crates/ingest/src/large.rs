//! Messages that bring a recording: verified and taken apart as they arrive, with the recording going elsewhere.

use std::sync::Arc;

use connectors::{LargeBody, Request, Secrets, TakenApart};
use http::HeaderMap;
use model::{Platform, SourceId};
use store::{Reading, Recordings, Source, StoredObject};

use crate::{
    Answer, Ingest,
    receive::{Arrived, Understood, fingerprint, read},
};

/// A message that is arriving.
pub struct Large {
    source: Arc<Source>,
    body: Box<dyn LargeBody>,
    headers: HeaderMap,
    recordings: Recordings,
}

/// A message that has arrived: all of it but the recording.
pub struct Taken {
    source: Arc<Source>,
    headers: HeaderMap,
    apart: TakenApart,
}

impl Ingest {
    /// Begins to take a message apart as it arrives. `None` where the platform's messages bring no recordings: then the
    /// message is for [`Ingest::receive`].
    pub async fn begin_large(
        &self,
        platform: &str,
        id: SourceId,
        headers: &HeaderMap,
    ) -> store::Result<Option<Large>> {
        let named = Platform::parse(platform).and_then(connectors::connector);
        if !named.is_some_and(|named| named.brings_recordings()) {
            return Ok(None);
        }
        let source = self.store.find_source(id).await?.filter(|source| source.platform.as_str() == platform);
        let Some(source) = source else { return Ok(None) };
        let now = self.clock.now();
        let secrets = Secrets { current: &source.secret, previous: source.previous_secret_at(now) };
        let body = connectors::connector(source.platform)
            .and_then(|platform| platform.large_body(&secrets, headers));
        let recordings = self.rules_of(&source).recordings;
        Ok(body.map(|body| Large { source: source.clone(), body, headers: headers.clone(), recordings }))
    }

    /// Keeps a message that has arrived, with the recording that was in it, which must be durable already. Unless the
    /// answer is `Kept` with an accepted message, the recording is of no use.
    pub async fn receive_large(
        &self,
        taken: Taken,
        recording: Option<StoredObject>,
    ) -> store::Result<Answer> {
        let Taken { source, headers, apart } = taken;
        let TakenApart { verdict, body, fault } = apart;
        let url = source.platform.source_path(source.id);
        let request = Request { url: &url, path_secret: None, headers: &headers, body: &body };
        let understood = match (verdict, fault) {
            (Err(rejection), _) => Understood::nothing(Reading::Rejected(rejection.to_string())),
            (Ok(()), Some(unreadable)) => Understood::nothing(Reading::Unreadable(unreadable.to_string())),
            (Ok(()), None) => read(&source, &request),
        };
        // Of two messages that differ in their recordings alone, the second is no repetition.
        let told = understood.event_id.as_deref().map_or(&body[..], str::as_bytes);
        let fingerprint = match &recording {
            Some(object) => fingerprint(&[told, &object.sha256].concat()),
            None => fingerprint(told),
        };
        self.keep(source, (&headers, body, fingerprint), understood, Arrived::Apart(recording)).await
    }
}

impl Large {
    /// Whose message it is, once it is proven.
    pub fn org(&self) -> model::OrgId {
        self.source.org
    }

    /// Whether its recording is to be kept. If not, the message is kept without it.
    pub fn recordings(&self) -> Recordings {
        self.recordings
    }

    /// Takes the next piece, and appends what it has of the recording to `audio`.
    pub fn push(&mut self, piece: &[u8], audio: &mut Vec<u8>) {
        self.body.push(piece, audio);
    }

    /// Says that nothing more comes.
    pub fn finish(self, ingest: &Ingest) -> Taken {
        let Self { source, body, headers, .. } = self;
        Taken { source, headers, apart: body.finish(ingest.clock.now()) }
    }
}

impl Taken {
    /// Whether the message is the platform's and its recording good.
    pub fn is_good(&self) -> bool {
        self.apart.verdict.is_ok() && self.apart.fault.is_none()
    }
}
