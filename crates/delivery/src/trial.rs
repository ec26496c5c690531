//! A webhook that somebody wants to try: really sent, through the guard and signed, and told whole. It leaves nothing
//! behind: no endpoint need be there, and none is changed by it.

use std::{borrow::Cow, sync::Arc};

use model::{
    Clock, DeliveryId, EndpointId, EventId, EventType, IdGen, Ordering, OrgId, Telling, Time, sample,
};
use store::{
    Endpoint, Store,
    outbox::{Delivery, Destination},
};

use crate::{
    attempt::{Request, error_words},
    client::Client,
    guard::{AllowList, Target, TargetError},
    sign::{self, SigningKey},
};

/// Sends trials.
pub struct Trials {
    client: Client,
    allow: Arc<AllowList>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
}

/// Whom a trial goes to.
#[derive(Clone)]
pub struct Recipient {
    /// Whose it is.
    pub org: OrgId,
    /// The address.
    pub url: String,
    /// The secret to sign with.
    pub secret: Option<String>,
    /// The secret before it and until when that signs, where it is being rotated.
    pub previous_secret: Option<(String, Time)>,
    /// What is told beyond which events, and how.
    pub telling: Telling,
    /// The organization's keys, where they sign too.
    pub keys: Vec<SigningKey>,
    /// Where the API is reached from outside.
    pub api: String,
}

impl Recipient {
    /// An address that is no endpoint yet.
    pub async fn new(
        (store, org): (&Store, OrgId),
        url: String,
        secret: Option<String>,
        (telling, now): (Telling, Time),
    ) -> store::Result<Self> {
        let keys = sign::keys_for(&telling, &store.org(org), now).await?;
        let api = store.api_url().to_owned();
        Ok(Self { org, url, secret, previous_secret: None, telling, keys, api })
    }

    /// As an endpoint is told.
    pub async fn of(endpoint: Endpoint, (store, org): (&Store, OrgId), now: Time) -> store::Result<Self> {
        let previous_secret = endpoint.previous_secret.zip(endpoint.previous_secret_until);
        let telling = (endpoint.telling, now);
        let to = Self::new((store, org), endpoint.url, endpoint.secret, telling).await?;
        Ok(Self { previous_secret, ..to })
    }
}

/// What is to be tried.
pub struct NewTrial {
    /// Whom it goes to.
    pub to: Recipient,
    /// The event whose sample is sent.
    pub event: EventType,
}

impl NewTrial {
    /// As an endpoint is told: of this event, or else of the first that it asks for.
    pub async fn to(
        endpoint: Endpoint,
        whose: (&Store, OrgId),
        event: Option<EventType>,
        now: Time,
    ) -> store::Result<Self> {
        let first = endpoint.events.first().and_then(|name| EventType::parse(name));
        let event = event.or(first).unwrap_or(EventType::CallCompleted);
        Ok(Self { to: Recipient::of(endpoint, whose, now).await?, event })
    }
}

/// An event that is sent.
pub struct Happened {
    /// Its id, and that of what is sent.
    pub id: EventId,
    /// Its name.
    pub event: String,
    /// When it happened.
    pub at: Time,
    /// Its `data`, as JSON.
    pub data: String,
}

/// A trial as it was sent and answered.
pub struct Trial {
    /// The headers that were sent, in their order; the values of the endpoint's own are masked.
    pub request_headers: Vec<(Cow<'static, str>, String)>,
    /// The body that was sent.
    pub request_body: String,
    /// When it was sent.
    pub started_at: Time,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// The address that was dialled.
    pub address: Option<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The headers of the answer.
    pub response_headers: Vec<(String, String)>,
    /// The beginning of the answer's body.
    pub response_body: Vec<u8>,
    /// Why it failed, in words; `None` where it was answered with 2xx.
    pub error: Option<String>,
}

impl Trials {
    /// Over a client; `allow` are the operator's exceptions to the address guard.
    pub fn new(client: Client, allow: Arc<AllowList>, clock: Arc<dyn Clock>, ids: Arc<dyn IdGen>) -> Self {
        Self { client, allow, clock, ids }
    }

    /// Whether webhooks may go to an address. The error says why not, and which setting would let them.
    pub fn check(&self, url: &str) -> Result<(), TargetError> {
        Target::parse(url, &self.allow).map(|_| ())
    }

    /// Sends a sample and waits for the answer, as long as webhooks do. It says what the recipient's filter lets pass.
    pub async fn send(&self, new: NewTrial) -> Result<Trial, TargetError> {
        let mut data = sample::data(new.event);
        if let Some(filter) = &new.to.telling.calls {
            filter.fit(new.event, &mut data);
        }
        let happened = Happened {
            id: self.ids.id(),
            event: new.event.as_str().to_owned(),
            at: self.clock.now(),
            data: data.to_string(),
        };
        self.tell(new.to, happened).await
    }

    /// Sends an event that did happen, under its own id, and waits for the answer likewise.
    pub async fn tell(&self, to: Recipient, happened: Happened) -> Result<Trial, TargetError> {
        let target = Target::parse(&to.url, &self.allow)?;
        let started_at = self.clock.now();
        let (keys, api) = (to.keys.clone(), to.api.clone());
        let request = Request::of(&delivery(to, happened), &keys, &api, started_at);
        let (headers, body) = (request.header_map(), request.body.clone());
        let outcome = self.client.post(&target, headers, body).await;
        Ok(Trial {
            request_headers: request.shown_headers(),
            request_body: String::from_utf8_lossy(&request.body).into_owned(),
            started_at,
            duration_ms: i64::try_from(outcome.duration.as_millis()).unwrap_or(i64::MAX),
            address: outcome.address.map(|address| address.to_string()),
            error: error_words(&outcome),
            status: outcome.status,
            response_headers: outcome.response_headers,
            response_body: outcome.response_body,
        })
    }
}

/// A delivery as the worker has them, that nobody owes.
fn delivery(to: Recipient, happened: Happened) -> Delivery {
    let (previous_secret, previous_secret_until) = to.previous_secret.unzip();
    let destination = Destination {
        ordering: Ordering::None,
        id: EndpointId::new(uuid::Uuid::nil()),
        url: to.url,
        secret: to.secret,
        previous_secret,
        previous_secret_until,
        source: None,
        telling: to.telling,
    };
    Delivery {
        id: DeliveryId::new(happened.id.uuid()),
        org: to.org,
        endpoint: Arc::new(destination),
        event_id: happened.id,
        event: happened.event,
        at: happened.at,
        data: happened.data.into(),
        attempts: 0,
        manual_attempt: None,
        message: None,
        recover_attempt: None,
        off_schedule: 0,
        is_probe: false,
        is_failing: false,
    }
}
