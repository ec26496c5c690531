//! A platform's message sent on as it came: its own bytes and headers, so that the receiver can check the platform's
//! signature itself, with our headers about the delivery beside them.

use std::borrow::Cow;

pub use model::NOT_PASSED_ON;
use model::Time;
use store::{Original, outbox::Delivery, via_mark};

use crate::{
    attempt::{Request, USER_AGENT},
    sign::{self, SigningKey},
};

/// Headers that whatever stands before us wrote, not the platform. They would tell the receiver's own proxy lies, and
/// Cloudflare refuses requests that bring its.
const OF_PROXIES: [&str; 5] =
    ["forwarded", "x-real-ip", "true-client-ip", "cdn-loop", "x-original-forwarded-for"];

/// What begins the names of headers that are not sent on: the proxies', and our own, which a sender must not be able to
/// write.
const PREFIXES: [&str; 3] = ["x-forwarded-", "cf-", "x-inboundflow-"];

/// What begins the names of the headers of Standard Webhooks.
const STANDARD_PREFIX: &str = "webhook-";

/// The request of a delivery that sends a message on, at a time.
pub(crate) fn request(delivery: &Delivery, original: Original, keys: &[SigningKey], now: Time) -> Request {
    let Original { headers: theirs, body } = original;
    let own = delivery.endpoint.telling.headers.clone();
    let ours = ours(delivery, &theirs, &body, keys, now);
    let listed = listed_by_connection(&theirs);
    // What the endpoint's owner says of a header stands in the platform's place.
    let is_passed_on = |name: &String| is_passed_on(name) && !listed.contains(name) && !own.has(name);
    let theirs = theirs.into_iter().filter(|(name, _)| is_passed_on(name));
    let headers = theirs
        .map(|(name, value)| (Cow::Owned(name), value))
        .chain(ours.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)));
    Request { headers: headers.collect(), own, body: body.into(), shape: None }
}

fn is_passed_on(name: &str) -> bool {
    !NOT_PASSED_ON.contains(&name)
        && !OF_PROXIES.contains(&name)
        && !PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Headers that are about the connection only because `Connection` says so (RFC 9110 section 7.6.1).
fn listed_by_connection(theirs: &[(String, String)]) -> Vec<String> {
    let lists = theirs.iter().filter(|(name, _)| name == "connection");
    lists.flat_map(|(_, list)| list.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// Our headers about the delivery.
///
/// A platform that follows Standard Webhooks keeps its own `webhook-` headers, which its signature is over; then
/// the delivery's id and time are in our own headers alone. We sign only where the endpoint has a secret, or asks for the
/// organization's key.
fn ours(
    delivery: &Delivery,
    theirs: &[(String, String)],
    body: &[u8],
    keys: &[SigningKey],
    now: Time,
) -> Vec<(&'static str, String)> {
    let (id, seconds) = (delivery.id.to_string(), now.unix_seconds());
    let mut ours = vec![
        ("x-inboundflow-event", delivery.event.clone()),
        ("x-inboundflow-delivery-id", id.clone()),
        ("x-inboundflow-timestamp", seconds.to_string()),
    ];
    if !theirs.iter().any(|(name, _)| name == "user-agent") {
        ours.push(("user-agent", USER_AGENT.to_owned()));
    }
    let endpoint = &delivery.endpoint;
    if let Some(source) = endpoint.source {
        ours.push(("via", via_mark(source)));
    }
    let previous = endpoint.previous_secret_at(now);
    if let Some(oldest) = previous.or(endpoint.secret.as_deref()) {
        ours.push(("x-inboundflow-signature", sign::hex_signature(oldest, body)));
    }
    if !theirs.iter().any(|(name, _)| name.starts_with(STANDARD_PREFIX)) {
        ours.push(("webhook-id", id.clone()));
        ours.push(("webhook-timestamp", seconds.to_string()));
        let secrets: Vec<&str> = [endpoint.secret.as_deref(), previous].into_iter().flatten().collect();
        if let Some(signatures) = sign::all_signatures(&secrets, keys, &id, seconds, body) {
            ours.push(("webhook-signature", signatures));
        }
    }
    ours
}
