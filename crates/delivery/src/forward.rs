//! A platform's message sent on as it came: its own bytes and headers, so that the receiver can check the platform's
//! signature itself, with our headers about the delivery beside them.

use std::borrow::Cow;

use model::Time;
use store::{Original, outbox::Delivery, via_mark};

use crate::{
    attempt::{Request, USER_AGENT},
    sign,
};

/// Headers that are about one connection, or that the client writes itself (RFC 9110 section 7.6.1).
pub const NOT_PASSED_ON: [&str; 12] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
    "expect",
    // Whoever compresses its answer for us would have it unpacked by nobody.
    "accept-encoding",
];

/// What begins the names of our own headers. A sender must not be able to write them.
const OWN_PREFIX: &str = "x-inboundflow-";

/// What begins the names of the headers of Standard Webhooks.
const STANDARD_PREFIX: &str = "webhook-";

/// The request of a delivery that sends a message on, at a time.
///
/// A platform that follows Standard Webhooks keeps its own `webhook-` headers, which its signature is over; then
/// the delivery's id and time are in our own headers alone. We sign only where the endpoint has a secret.
pub(crate) fn request(delivery: &Delivery, original: Original, now: Time) -> Request {
    let Original { headers: theirs, body } = original;
    let (id, seconds) = (delivery.id.to_string(), now.unix_seconds());
    let is_there = |name: &str| theirs.iter().any(|(theirs, _)| theirs.eq_ignore_ascii_case(name));
    let follows_standard = theirs.iter().any(|(name, _)| name.starts_with(STANDARD_PREFIX));
    let mut ours = vec![
        ("x-inboundflow-event", delivery.event.clone()),
        ("x-inboundflow-delivery-id", id.clone()),
        ("x-inboundflow-timestamp", seconds.to_string()),
    ];
    if !is_there("user-agent") {
        ours.push(("user-agent", USER_AGENT.to_owned()));
    }
    let endpoint = &delivery.endpoint;
    if let Some(source) = endpoint.source {
        ours.push(("via", via_mark(source)));
    }
    let previous = endpoint.previous_secret_at(now);
    if let Some(oldest) = previous.or(endpoint.secret.as_deref()) {
        ours.push(("x-inboundflow-signature", sign::hex_signature(oldest, &body)));
    }
    if !follows_standard {
        ours.push(("webhook-id", id.clone()));
        ours.push(("webhook-timestamp", seconds.to_string()));
        let secrets: Vec<&str> = [endpoint.secret.as_deref(), previous].into_iter().flatten().collect();
        if !secrets.is_empty() {
            ours.push(("webhook-signature", sign::standard_signatures(&secrets, &id, seconds, &body)));
        }
    }
    let passed_on = |name: &str| !NOT_PASSED_ON.contains(&name) && !name.starts_with(OWN_PREFIX);
    let theirs = theirs.into_iter().filter(|(name, _)| passed_on(name));
    let headers = theirs
        .map(|(name, value)| (Cow::Owned(name), value))
        .chain(ours.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)));
    Request { headers: headers.collect(), body: body.into() }
}
