//! One try of a delivery: its request, and what follows from the answer.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{Clock, IdGen, OwnHeaders, Sending, Time};
use store::{Attempt, NextStep, Store, outbox::Delivery};

use crate::{
    client::{Client, Outcome},
    forward,
    guard::{AllowList, Target},
    network::{Network, Way},
    schedule::{Schedule, retry_after},
    sign::{self, SigningKey},
};

/// When a delivery is tried again that failed by our own fault: it uses up no step of its schedule.
const AGAIN: Duration = Duration::from_secs(60);

/// `User-Agent` of every webhook.
pub const USER_AGENT: &str = "InboundFlow-Webhook/1.0";

/// A webhook as it goes out: the headers of the contract and of Standard Webhooks, and the body they are over.
#[derive(Clone, Debug)]
pub struct Request {
    /// The headers, in the order in which they are sent.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The endpoint's own, which are sent after those. Their values may be secrets.
    pub own: OwnHeaders,
    /// The body: the same bytes at every try, as long as the endpoint is told in the same way.
    pub body: Bytes,
    /// How the body was made of the event ([`model::Shape`], as JSON), where it is not just the event.
    pub shape: Option<String>,
}

impl Request {
    /// The request of a delivery at a time.
    ///
    /// While a new secret replaces an old one, `webhook-signature` lists both, and `X-InboundFlow-Signature`, which
    /// holds one, stays on the old: a receiver that knows only the fixed header must not break in the overlap.
    ///
    /// The body is made here, of the whole event and by how the endpoint is told now. So what is left out of it stays in
    /// the event for the others and for the log; who has something left out has that at once, in what waits too; and what
    /// a try has sent can be made again from the event and the try's `shape`, without a copy for each delivery. `api` is
    /// where the API is reached from outside.
    pub fn of(delivery: &Delivery, keys: &[SigningKey], api: &str, now: Time) -> Self {
        let id = delivery.id.to_string();
        let Delivery { event, at, org, id: delivery_id, data, .. } = delivery;
        let shape = delivery.endpoint.telling.shape(api);
        let shaped = shape.body(&Sending { event, at: *at, org: *org, delivery: *delivery_id, data });
        let (body, shape) = (shaped.body, (!shaped.is_plain).then(|| shape.to_stored()));
        let seconds = now.unix_seconds();
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("user-agent", USER_AGENT.to_owned()),
            ("x-inboundflow-event", delivery.event.clone()),
            ("x-inboundflow-delivery-id", id.clone()),
            ("x-inboundflow-timestamp", seconds.to_string()),
        ];
        let endpoint = &delivery.endpoint;
        let previous = endpoint.previous_secret_at(now);
        let oldest = previous.or(endpoint.secret.as_deref());
        if let Some(secret) = oldest {
            headers.push(("x-inboundflow-signature", sign::hex_signature(secret, body.as_bytes())));
        }
        headers.push(("webhook-id", id.clone()));
        headers.push(("webhook-timestamp", seconds.to_string()));
        let secrets: Vec<&str> = [endpoint.secret.as_deref(), previous].into_iter().flatten().collect();
        if let Some(signatures) = sign::all_signatures(&secrets, keys, &id, seconds, body.as_bytes()) {
            headers.push(("webhook-signature", signatures));
        }
        let headers = headers.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect();
        Self { headers, own: endpoint.telling.headers.clone(), body: body.into(), shape }
    }

    /// The headers as they are shown and kept: the values of the endpoint's own are masked.
    pub fn shown_headers(&self) -> Vec<(Cow<'static, str>, String)> {
        let own = self.own.masked().map(|(name, value)| (Cow::Owned(name.to_owned()), value));
        self.headers.iter().cloned().chain(own).collect()
    }

    pub(crate) fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            // Ours are constants, numbers, ids and base64; the others were headers before.
            let name = match name {
                Cow::Borrowed(name) => Ok(HeaderName::from_static(name)),
                Cow::Owned(name) => HeaderName::from_bytes(name.as_bytes()),
            };
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
                map.append(name, value);
            }
        }
        for (name, value) in self.own.iter() {
            if let (Ok(name), Ok(mut value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
            {
                value.set_sensitive(true);
                map.append(name, value);
            }
        }
        map
    }
}

/// What a try needs beside its delivery.
pub(crate) struct Means<'a> {
    pub(crate) store: &'a Store,
    pub(crate) client: &'a Client,
    pub(crate) network: &'a Network,
    pub(crate) allow: &'a AllowList,
    pub(crate) schedule: &'a Schedule,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) ids: &'a dyn IdGen,
}

/// Tries a delivery once.
pub(crate) async fn attempt(delivery: &Delivery, means: &Means<'_>) -> (Attempt, NextStep) {
    let started_at = means.clock.now();
    let found = request(delivery, means.store, started_at).await;
    let mut record = Attempt {
        id: means.ids.id(),
        number: delivery.attempts + 1,
        cause: delivery.cause(),
        started_at,
        duration_ms: 0,
        address: None,
        request_headers: headers_json(&found.as_ref().map_or_else(|_| Vec::new(), Request::shown_headers)),
        shape: found.as_ref().ok().and_then(|request| request.shape.clone()),
        status: None,
        response_headers: None,
        response_body: None,
        error: None,
        is_our_fault: false,
        asked_to_wait: None,
    };
    let request = match found {
        Ok(request) => request,
        Err(Unsent::Forgotten) => {
            record.error = Some("the message is no longer kept, so it can't be forwarded".into());
            return (record, NextStep::CalledOff);
        }
        Err(Unsent::Unread(error)) => {
            tracing::error!(%error, delivery = %delivery.id, "what delivery {} sends can't be read", delivery.id);
            record.error =
                Some("the message, or the key that signs it, could not be read from the database".into());
            record.is_our_fault = true;
            return (record, NextStep::RetryAt(means.clock.now() + AGAIN));
        }
    };
    // Checked again at every try: the operator may have narrowed the allow-list since the endpoint was saved.
    let target = match Target::parse(&delivery.endpoint.url, means.allow) {
        Ok(target) => target,
        Err(error) => {
            record.error = Some(error.to_string());
            return (record, retry(delivery, None, means));
        }
    };
    let outcome = means.client.post(&target, request.header_map(), request.body).await;
    record.is_our_fault = means.network.is_down(target.host(), Way::of(&outcome), means.clock.now());
    record.asked_to_wait = asked_to_wait(&outcome, means.clock.now());
    let next = if record.is_our_fault {
        NextStep::RetryAt(means.clock.now() + AGAIN)
    } else {
        next_step(delivery, &outcome, record.asked_to_wait, means)
    };
    record.duration_ms = i64::try_from(outcome.duration.as_millis()).unwrap_or(i64::MAX);
    record.address = outcome.address.map(|address| address.to_string());
    record.error = error_words(&outcome);
    record.status = outcome.status;
    if outcome.status.is_some() {
        record.response_headers = serde_json::to_string(&outcome.response_headers).ok();
        record.response_body = Some(outcome.response_body);
    }
    (record, next)
}

/// Why there is nothing to send.
enum Unsent {
    /// The message was erased, or is older than messages are kept.
    Forgotten,
    /// The database did not answer.
    Unread(store::Error),
}

/// What a delivery sends: its event, or the message that is sent on.
async fn request(delivery: &Delivery, store: &Store, now: Time) -> Result<Request, Unsent> {
    let records = store.org(delivery.org);
    let keys = sign::keys_for(&delivery.endpoint.telling, &records, now).await.map_err(Unsent::Unread)?;
    let Some(message) = delivery.message else {
        return Ok(Request::of(delivery, &keys, store.api_url(), now));
    };
    match records.original_message(message).await {
        Ok(Some(original)) => Ok(forward::request(delivery, original, &keys, now)),
        Ok(None) => Err(Unsent::Forgotten),
        Err(error) => Err(Unsent::Unread(error)),
    }
}

fn headers_json(headers: &[(Cow<'static, str>, String)]) -> String {
    // Pairs of text: there is nothing in them that JSON could not hold.
    serde_json::to_string(headers).unwrap_or_else(|_| "[]".into())
}

/// Why a try failed, in words; `None` where it succeeded.
pub(crate) fn error_words(outcome: &Outcome) -> Option<String> {
    if let Some(cause) = &outcome.error {
        return Some(cause.to_string());
    }
    let status = outcome.status.filter(|_| !outcome.is_success())?;
    if (300..400).contains(&status) {
        let location =
            outcome.response_headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
        let to = location.map(|(_, to)| format!(" to {to}")).unwrap_or_default();
        return Some(format!("the receiver answered {status}, a redirect{to}; redirects are never followed"));
    }
    Some(format!("the receiver answered {status}"))
}

fn next_step(delivery: &Delivery, outcome: &Outcome, asked: Option<Duration>, means: &Means<'_>) -> NextStep {
    match outcome.status {
        _ if outcome.is_success() => NextStep::Delivered,
        Some(410) if outcome.error.is_none() => NextStep::EndpointGone,
        _ => retry(delivery, asked, means),
    }
}

/// How long a receiver that is overloaded asks to be left alone.
fn asked_to_wait(outcome: &Outcome, now: Time) -> Option<Duration> {
    matches!(outcome.status, Some(429 | 503)).then(|| retry_after(&outcome.response_headers, now)).flatten()
}

/// The schedule's next step, or later where the receiver asked for it.
fn retry(delivery: &Delivery, asked: Option<Duration>, means: &Means<'_>) -> NextStep {
    let now = means.clock.now();
    if delivery.is_probe {
        // The circuit says when the next probe is sent.
        return NextStep::RetryAt(now + asked.unwrap_or_default());
    }
    match means.schedule.next(delivery.scheduled_attempts() + 1, means.ids) {
        Some(delay) => NextStep::RetryAt(now + delay.max(asked.unwrap_or_default())),
        None => NextStep::Exhausted,
    }
}
