//! What is counted of a try, for whoever runs the server.

use std::time::Duration;

use metrics::Metrics;
use model::Time;
use store::{Attempt, NextStep, Turn, outbox::Delivery};

/// Counts a try that is written down, and what it did to its endpoint's circuit.
pub(crate) fn note(
    metrics: &Metrics,
    (delivery, record): (&Delivery, &Attempt),
    (next, turn): (NextStep, Option<Turn>),
    now: Time,
) {
    if !metrics.is_on() {
        return;
    }
    let outcome = match next {
        NextStep::Delivered => "delivered",
        NextStep::RetryAt(_) => "retry",
        NextStep::Exhausted => "exhausted",
        NextStep::CalledOff => "called_off",
        NextStep::EndpointGone => "gone",
    };
    let answer = match record.status {
        Some(200..=299) => "2xx",
        Some(300..=399) => "3xx",
        Some(400..=499) => "4xx",
        Some(500..=599) => "5xx",
        Some(_) => "other",
        None => "none",
    };
    let took = Duration::from_millis(u64::try_from(record.duration_ms).unwrap_or_default());
    metrics.attempt(metrics::Attempt { trigger: record.cause, answer, outcome, took });
    if next == NextStep::Delivered {
        let is_first = delivery.attempts == 0 && record.cause == "schedule";
        metrics.delivered(if is_first { "first" } else { "later" }, now.since(delivery.at));
    }
    match turn {
        Some(Turn::Opened) => metrics.turn("opened"),
        Some(Turn::Closed) => metrics.turn("closed"),
        Some(Turn::Disabled) => metrics.turn("disabled"),
        None => {}
    }
}
