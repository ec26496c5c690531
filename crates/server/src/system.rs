//! The real clock and the real randomness: the one place where the system is asked for either.

use std::{future::Future, pin::Pin};

use model::{Clock, IdGen, Time};
use rand::RngCore;
use uuid::Uuid;

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        jiff::Timestamp::now().into()
    }

    fn sleep_until(&self, until: Time) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(until.since(self.now())))
    }
}

/// The system's randomness.
#[derive(Clone, Copy, Debug)]
pub struct SystemIds;

impl IdGen for SystemIds {
    fn uuid(&self) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        let millis = u64::try_from(SystemClock.now().micros() / 1000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    fn fill(&self, bytes: &mut [u8]) {
        // A cryptographically secure generator, seeded by the operating system.
        #[expect(clippy::disallowed_methods, reason = "this is the source of randomness")]
        rand::rng().fill_bytes(bytes);
    }
}
