//! One try of a delivery: its request, and what follows from the answer.

use http::{HeaderMap, HeaderName, HeaderValue};
use model::{Clock, IdGen, Time, event::webhook_body};
use store::{Attempt, NextStep, outbox::Delivery};

use crate::{
    client::{Client, Outcome},
    guard::{AllowList, Target},
    schedule::{Schedule, retry_after},
    sign,
};

/// `User-Agent` of every webhook.
pub const USER_AGENT: &str = "InboundFlow-Webhook/1.0";

/// A webhook as it goes out: the headers of the contract and of Standard Webhooks, and the body they are over.
#[derive(Clone, Debug)]
pub struct Request {
    /// The headers, in the order in which they are sent.
    pub headers: Vec<(&'static str, String)>,
    /// The body, the same bytes at every try.
    pub body: String,
}

impl Request {
    /// The request of a delivery at a time.
    ///
    /// While a new secret replaces an old one, `webhook-signature` lists both, and `X-InboundFlow-Signature`, which
    /// holds one, stays on the old: a receiver that knows only the fixed header must not break in the overlap.
    pub fn of(delivery: &Delivery, now: Time) -> Self {
        let id = delivery.id.to_string();
        let body = webhook_body(&delivery.event, delivery.at, delivery.org, delivery.id, &delivery.data);
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
        if !secrets.is_empty() {
            let signatures = sign::standard_signatures(&secrets, &id, seconds, body.as_bytes());
            headers.push(("webhook-signature", signatures));
        }
        Self { headers, body }
    }

    pub(crate) fn header_map(&self) -> HeaderMap {
        let pairs = self.headers.iter().filter_map(|(name, value)| {
            // Names are constants, values numbers, ids and base64: all of them make valid headers.
            Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
        });
        pairs.collect()
    }
}

/// What a try needs beside its delivery.
pub(crate) struct Means<'a> {
    pub(crate) client: &'a Client,
    pub(crate) allow: &'a AllowList,
    pub(crate) schedule: &'a Schedule,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) ids: &'a dyn IdGen,
}

/// Tries a delivery once.
pub(crate) async fn attempt(delivery: &Delivery, means: &Means<'_>) -> (Attempt, NextStep) {
    let started_at = means.clock.now();
    let request = Request::of(delivery, started_at);
    let mut record = Attempt {
        id: means.ids.id(),
        number: delivery.attempts + 1,
        cause: delivery.cause(),
        started_at,
        duration_ms: 0,
        address: None,
        request_headers: serde_json::to_string(&request.headers).unwrap_or_default(),
        status: None,
        response_headers: None,
        response_body: None,
        error: None,
    };
    // Checked again at every try: the operator may have narrowed the allow-list since the endpoint was saved.
    let target = match Target::parse(&delivery.endpoint.url, means.allow) {
        Ok(target) => target,
        Err(error) => {
            record.error = Some(error.to_string());
            return (record, retry(delivery, None, means));
        }
    };
    let outcome = means.client.post(&target, request.header_map(), request.body.into()).await;
    let next = next_step(delivery, &outcome, means);
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

fn next_step(delivery: &Delivery, outcome: &Outcome, means: &Means<'_>) -> NextStep {
    if outcome.is_success() {
        return NextStep::Delivered;
    }
    match outcome.status {
        Some(410) if outcome.error.is_none() => NextStep::EndpointGone,
        Some(429 | 503) => {
            let asked = retry_after(&outcome.response_headers, means.clock.now());
            retry(delivery, asked, means)
        }
        _ => retry(delivery, None, means),
    }
}

/// The schedule's next step, or later where the receiver asked for it.
fn retry(delivery: &Delivery, asked: Option<std::time::Duration>, means: &Means<'_>) -> NextStep {
    match means.schedule.next(delivery.attempts + 1, means.ids) {
        Some(delay) => NextStep::RetryAt(means.clock.now() + delay.max(asked.unwrap_or_default())),
        None => NextStep::Exhausted,
    }
}
