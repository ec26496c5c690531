//! Who may ask how often: requests per key, and failed keys per address.
//!
//! A window opens with the first request after the last one closed, and lasts a minute. Requests beyond the limit
//! are refused and cost nothing. Several server processes share the windows of keys where a Redis or Valkey is set;
//! while that cannot be reached, each process counts for itself, so that clients are served.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use model::{KeyId, Time};

use crate::auth::NotedUses;

mod shared;

pub use shared::{Shared, SharedError};

/// How long a window lasts.
const WINDOW: Duration = Duration::from_secs(60);

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Above this many windows those that are over are swept out.
const SWEEP_AT: usize = 10_000;

/// The limits and their windows.
pub struct Limits {
    per_key: u32,
    failures_per_address: u32,
    keys: Windows<KeyId>,
    shared: Option<Shared>,
    addresses: Windows<IpAddr>,
    pub(crate) noted_uses: NotedUses,
}

/// How a client stands in its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Requests in a window.
    pub limit: u32,
    /// Requests left in this one.
    pub remaining: u32,
    /// When it closes.
    pub resets_at: Time,
    /// Whether this request is within the limit.
    pub allowed: bool,
}

impl Limits {
    /// Limits of so many requests a minute for each key, and so many failures a minute for each address.
    pub fn new(per_key: u32, failures_per_address: u32) -> Self {
        Self {
            per_key,
            failures_per_address,
            keys: Windows::default(),
            shared: None,
            addresses: Windows::default(),
            noted_uses: NotedUses::default(),
        }
    }

    /// With the windows of keys shared between server processes.
    #[must_use]
    pub fn shared(self, shared: Shared) -> Self {
        Self { shared: Some(shared), ..self }
    }

    /// Counts a request of a key. `own` is the key's own limit where the operator set one.
    pub async fn count_request(&self, key: KeyId, own: Option<u32>, now: Time) -> Standing {
        let limit = own.unwrap_or(self.per_key);
        if let Some(shared) = &self.shared {
            match shared.count(key, limit, now).await {
                Ok(standing) => return standing,
                Err(error) => {
                    tracing::warn!(%error, "the shared rate limit cannot be reached; this process counts alone")
                }
            }
        }
        self.keys.count(key, limit, now)
    }

    /// Counts a request without a valid key from an address.
    pub fn count_failure(&self, address: IpAddr, now: Time) -> Standing {
        self.addresses.count(address, self.failures_per_address, now)
    }
}

impl Standing {
    /// Until the window closes, in whole seconds rounded up: who waits that long is served.
    pub fn seconds_left(&self, now: Time) -> u64 {
        self.resets_at.since(now).as_micros().div_ceil(1_000_000).try_into().unwrap_or(u64::MAX)
    }

    /// Tells the client in the headers of the contract and of the IETF draft (`draft-ietf-httpapi-ratelimit-headers`).
    pub(crate) fn write(&self, headers: &mut HeaderMap, now: Time) {
        let seconds = self.seconds_left(now);
        let resets_at = self.resets_at.plus_micros(999_999).unix_seconds();
        headers.insert(LIMIT, self.limit.into());
        headers.insert(REMAINING, self.remaining.into());
        headers.insert(RESET, resets_at.into());
        let mut put = |name: HeaderName, value: String| {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        };
        put(RATE_LIMIT, format!("\"default\";r={};t={seconds}", self.remaining));
        put(POLICY, format!("\"default\";q={};w={}", self.limit, WINDOW.as_secs()));
        if !self.allowed {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
    }
}

struct Windows<K>(Mutex<HashMap<K, Window>>);

impl<K> Default for Windows<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

struct Window {
    opened_at: Time,
    count: u32,
}

impl<K: Eq + Hash> Windows<K> {
    fn count(&self, key: K, limit: u32, now: Time) -> Standing {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() > SWEEP_AT {
            windows.retain(|_, window| !is_over(window, now));
        }
        let window = windows.entry(key).or_insert(Window { opened_at: now, count: 0 });
        if is_over(window, now) {
            *window = Window { opened_at: now, count: 0 };
        }
        let allowed = window.count < limit;
        window.count += u32::from(allowed);
        let remaining = limit.saturating_sub(window.count);
        Standing { limit, remaining, resets_at: window.opened_at + WINDOW, allowed }
    }
}

/// A window is over when its minute is, or when the clock was set back behind its beginning.
fn is_over(window: &Window, now: Time) -> bool {
    now < window.opened_at || now.since(window.opened_at) >= WINDOW
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Time {
        Time::from_micros((seconds * 1e6) as i64)
    }

    #[test]
    fn the_request_after_the_last_is_refused_until_the_window_closes() {
        let windows = Windows::default();
        let remaining: Vec<u32> =
            (0..3).map(|n| windows.count("key", 3, at(100.5 + f64::from(n))).remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = windows.count("key", 3, at(110.0));
        assert!(!refused.allowed);
        assert_eq!(refused.seconds_left(at(110.0)), 51, "50.5 seconds, rounded up");
        assert!(!windows.count("key", 3, at(160.49)).allowed);
        assert!(windows.count("key", 3, at(160.5)).allowed);
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let windows = Windows::default();
        assert!(windows.count("key", 1, at(1e6)).allowed);
        assert!(windows.count("key", 1, at(10.0)).allowed);
    }

    #[tokio::test]
    async fn a_key_can_have_a_limit_of_its_own() {
        let limits = Limits::new(1, 30);
        let key = KeyId::new(uuid::Uuid::nil());
        assert_eq!(limits.count_request(key, Some(600), at(0.0)).await.limit, 600);
    }
}
