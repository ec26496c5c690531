//! How fast an endpoint is sent what it is owed, and in which order, as `/v1/webhooks` has it.

use model::{Ordering, Pacing, PacingChange};
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

/// Which of an endpoint's deliveries wait for which. One that waits is sent when the one before it is delivered, exhausted,
/// held or called off; so one that fails keeps those behind it waiting for all of its retries. What a person sends once
/// more goes out of turn.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WebhookOrdering {
    /// None for any other: the fastest, and one may overtake another.
    None,
    /// One at a time, in the order of the events, of the same call, or of the same contact where the event happened in no
    /// call.
    PerKey,
    /// One at a time, in the order of the events.
    Strict,
}

impl From<Ordering> for WebhookOrdering {
    fn from(ordering: Ordering) -> Self {
        match ordering {
            Ordering::None => Self::None,
            Ordering::PerKey => Self::PerKey,
            Ordering::Strict => Self::Strict,
        }
    }
}

impl From<WebhookOrdering> for Ordering {
    fn from(ordering: WebhookOrdering) -> Self {
        match ordering {
            WebhookOrdering::None => Self::None,
            WebhookOrdering::PerKey => Self::PerKey,
            WebhookOrdering::Strict => Self::Strict,
        }
    }
}

/// How many deliveries a second, or that there is no limit.
pub(crate) struct Rate(Option<u32>);

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(number) = Option::<f64>::deserialize(deserializer)? else { return Ok(Self(None)) };
        // In any way of writing it: some languages write 25 as `25.0`.
        if number.fract() != 0.0 || !(1.0..=f64::from(Pacing::MAX_RATE)).contains(&number) {
            let why = format!("must be a whole number from 1 to {}, or null", Pacing::MAX_RATE);
            return Err(de::Error::custom(why));
        }
        Ok(Self(Some(number as u32)))
    }
}

/// What is asked of an endpoint's pacing.
pub(crate) fn change(rate: Option<Rate>, ordering: Option<WebhookOrdering>) -> PacingChange {
    PacingChange { rate: rate.map(|Rate(rate)| rate), ordering: ordering.map(Ordering::from) }
}
