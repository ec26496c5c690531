//! The clock of the measurements.

#![expect(clippy::disallowed_methods, reason = "what is measured here is the real time of the real machine")]

use std::{
    thread,
    time::{Duration, Instant},
};

pub(super) fn now() -> Instant {
    Instant::now()
}

/// Lets the machine settle.
pub(super) fn pause(duration: Duration) {
    thread::sleep(duration);
}

/// Seconds since 1970, for signatures.
pub(super) fn unix_seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().cast_signed())
}
