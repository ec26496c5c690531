//! Windows in a Redis or Valkey, so that several server processes count together.

use std::time::Duration;

use model::{KeyId, Time};
use redis::{
    Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::sync::OnceCell;

use super::{Standing, WINDOW};

/// How long the answer is waited for before a process counts for itself.
const PATIENCE: Duration = Duration::from_millis(250);

/// Counts one request, if it is within the limit, and opens a window with the first. One script, because two
/// processes must not both see the last free place. Returns the count, the milliseconds left, and whether it counted.
const COUNT: &str = "
    local count = tonumber(redis.call('GET', KEYS[1]) or '0')
    local allowed = 0
    if count < tonumber(ARGV[1]) then
        count = redis.call('INCR', KEYS[1])
        allowed = 1
        if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
    end
    return {count, redis.call('PTTL', KEYS[1]), allowed}";

/// Windows that are shared.
pub struct Shared {
    client: redis::Client,
    connection: OnceCell<ConnectionManager>,
    script: Script,
}

/// Why the shared windows cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SharedError {
    /// The server refused or cannot be reached.
    #[error("Redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// It did not answer in time.
    #[error("Redis did not answer within {} ms", PATIENCE.as_millis())]
    Slow,
}

impl Shared {
    /// Windows in the server at an address (`redis://…`). It is connected to when it is first needed.
    pub fn connect(url: &str) -> Result<Self, SharedError> {
        let client = redis::Client::open(url)?;
        Ok(Self { client, connection: OnceCell::new(), script: Script::new(COUNT) })
    }

    pub(super) async fn count(&self, key: KeyId, limit: u32, now: Time) -> Result<Standing, SharedError> {
        let counted = tokio::time::timeout(PATIENCE, self.run(key, limit));
        let (count, left_ms, allowed) = counted.await.map_err(|_| SharedError::Slow)??;
        // A key without an expiry can only be one that somebody else wrote; the window then counts as just opened.
        let left = u64::try_from(left_ms).map_or(WINDOW, Duration::from_millis);
        let remaining = limit.saturating_sub(count);
        Ok(Standing { limit, remaining, resets_at: now + left, allowed: allowed == 1 })
    }

    async fn run(&self, key: KeyId, limit: u32) -> Result<(u32, i64, u32), SharedError> {
        let connect = || {
            let config = ConnectionManagerConfig::new().set_number_of_retries(1);
            ConnectionManager::new_with_config(self.client.clone(), config)
        };
        let mut connection = self.connection.get_or_try_init(connect).await?.clone();
        let window_ms = u64::try_from(WINDOW.as_millis()).unwrap_or(u64::MAX);
        let mut call = self.script.key(format!("inboundflow:rate:{key}"));
        Ok(call.arg(limit).arg(window_ms).invoke_async(&mut connection).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redis() -> String {
        std::env::var("INBOUNDFLOW_TEST_REDIS").expect("this test needs a Redis: run `cargo xtask test`")
    }

    /// Another key for each run: the test's Redis may have seen this test before.
    fn some_key() -> KeyId {
        #[expect(
            clippy::disallowed_methods,
            reason = "the key only has to be another one than in earlier runs"
        )]
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
        KeyId::new(uuid::Uuid::from_u128(now.as_nanos()))
    }

    #[tokio::test]
    async fn two_processes_count_together() {
        let now = Time::from_micros(1_000_000);
        let key = some_key();
        let (one, two) = (Shared::connect(&redis()).expect("one"), Shared::connect(&redis()).expect("two"));
        let mut remaining = Vec::new();
        for process in [&one, &two, &one] {
            remaining.push(process.count(key, 3, now).await.expect("counted").remaining);
        }
        assert_eq!(remaining, [2, 1, 0]);
        let refused = two.count(key, 3, now).await.expect("counted");
        assert!(!refused.allowed);
        assert!((1..=60).contains(&refused.seconds_left(now)), "{refused:?}");
    }

    #[tokio::test]
    async fn a_redis_that_is_not_there_is_told_soon() {
        // Port 1 of this machine: nobody listens there.
        let nobody = Shared::connect("redis://127.0.0.1:1/").expect("an address");
        assert!(nobody.count(some_key(), 3, Time::from_micros(0)).await.is_err());
    }
}
