//! What the bodies of several resources have in common.

use std::time::Duration;

use model::is_usable_secret;
use serde::{Deserialize, Deserializer, de};
use store::Rotation;

use crate::error::ApiError;

/// That a field is not as it should be.
pub(crate) fn wrong(field: &str, why: &str) -> ApiError {
    ApiError::bad_request(format!("Wrong field `{field}`: {why}"))
}

/// Tells a field that is null from one that is absent.
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A field that may be absent, and not null.
pub(crate) fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = Option::<T>::deserialize(deserializer)?;
    value.map(Some).ok_or_else(|| de::Error::custom("must not be null"))
}

/// A whole number in any way of writing it: JSON has one kind of number, and some languages write 30 as `30.0`.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    if number.fract() != 0.0 || number.abs() > 1e15 {
        return Err(de::Error::custom("must be a whole number"));
    }
    Ok(Some(number as i64))
}

/// What the types don't say of a secret.
pub(crate) fn check_secret(secret: Option<&str>) -> Result<(), ApiError> {
    if secret.is_some_and(|secret| !is_usable_secret(secret)) {
        return Err(wrong("secret", "must have 1 to 1000 characters, not all of them blank"));
    }
    Ok(())
}

/// How long the secret before a rotation stays good: a day where nothing is said.
pub(crate) fn overlap(seconds: Option<i64>) -> Result<Duration, ApiError> {
    let seconds = u64::try_from(seconds.unwrap_or(86_400)).ok().map(Duration::from_secs);
    let longest = Rotation::LONGEST_OVERLAP;
    seconds.filter(|overlap| *overlap <= longest).ok_or_else(|| {
        wrong("overlap_seconds", &format!("must be a whole number from 0 to {}", longest.as_secs()))
    })
}
