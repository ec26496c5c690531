//! Points in time, in UTC, to the microsecond: [`Time`] for things that happened, [`Stamp`] for the record clock.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, kept to the microsecond and written with three fractional digits
/// (`2026-02-24T21:00:00.000Z`, RFC 3339).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

/// A value of an organization's record clock: when we stored or last changed a record.
///
/// Unique and increasing within an organization in the order in which records become visible, so a client can poll
/// with the last one it saw. Written with six fractional digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(i64);

const MILLIS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
const MICROS: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// What RFC 3339 can write and jiff can hold: the years 0000 to 9999, less the last hours of the last of them.
const FIRST_MICROS: i64 = -62_167_219_200_000_000;
const LAST_MICROS: i64 = 253_402_207_199_999_999;

/// Whether a text is the name of a time zone (IANA).
pub fn is_time_zone(name: &str) -> bool {
    jiff::tz::TimeZone::get(name).is_ok()
}

impl Time {
    /// From microseconds since 1970, held within the years 0000 to 9999.
    pub const fn from_micros(micros: i64) -> Self {
        Self(within_rfc3339(micros))
    }

    /// From milliseconds since 1970; `None` outside the years 0000 to 9999.
    pub fn from_millis(millis: i64) -> Option<Self> {
        let micros = millis.checked_mul(1000)?;
        (within_rfc3339(micros) == micros).then_some(Self(micros))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The time from `earlier` to this one; nothing where this one is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This time moved by microseconds, which may be negative.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// Appends this time as it is written.
    pub fn append_to(self, out: &mut Vec<u8>) {
        append(&MILLIS, self.0, out);
    }

    /// jiff's form of this time, for calendars and time zones.
    pub fn timestamp(self) -> Timestamp {
        timestamp(self.0)
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        self.plus_micros(i64::try_from(rhs.as_micros()).unwrap_or(i64::MAX))
    }
}

impl From<Timestamp> for Time {
    fn from(timestamp: Timestamp) -> Self {
        Self::from_micros(timestamp.as_microsecond())
    }
}

impl FromStr for Time {
    type Err = jiff::Error;

    /// Reads an ISO 8601 date-time that names its offset.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Timestamp>().map(Self::from)
    }
}

impl Stamp {
    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(within_rfc3339(micros))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Appends this stamp as it is written.
    pub fn append_to(self, out: &mut Vec<u8>) {
        append(&MICROS, self.0, out);
    }

    /// The same moment as a [`Time`].
    pub const fn time(self) -> Time {
        Time(self.0)
    }
}

const fn within_rfc3339(micros: i64) -> i64 {
    if micros < FIRST_MICROS {
        FIRST_MICROS
    } else if micros > LAST_MICROS {
        LAST_MICROS
    } else {
        micros
    }
}

fn timestamp(micros: i64) -> Timestamp {
    // Both constructors keep the value within jiff's range, so the fallback is never taken.
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn append(printer: &DateTimePrinter, micros: i64, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = printer.print_timestamp(&timestamp(micros), out);
}

fn print(printer: &DateTimePrinter, micros: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = printer.timestamp_to_string(&timestamp(micros));
    f.write_str(&text)
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(&MILLIS, self.0, f)
    }
}
impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(&MICROS, self.0, f)
    }
}
impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&MILLIS.timestamp_to_string(&timestamp(self.0)))
    }
}
impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&MICROS.timestamp_to_string(&timestamp(self.0)))
    }
}
impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(|_| {
            serde::de::Error::custom(
                "must be an ISO 8601 date-time with its offset, such as 2026-02-24T21:00:00Z",
            )
        })
    }
}

fn date_time_schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime)))
        .into()
}
impl utoipa::PartialSchema for Time {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        date_time_schema()
    }
}
impl utoipa::ToSchema for Time {}
impl utoipa::PartialSchema for Stamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        date_time_schema()
    }
}
impl utoipa::ToSchema for Stamp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_stamps_six() {
        let time: Time = "2026-02-24T22:00:00.1234567+01:00".parse().expect("a time");
        assert_eq!(time.to_string(), "2026-02-24T21:00:00.123Z");
        assert_eq!(Stamp::from_micros(time.micros()).to_string(), "2026-02-24T21:00:00.123456Z");
        assert_eq!(Time::from_micros(i64::MAX).to_string(), "9999-12-30T21:59:59.999Z");
        assert_eq!(Time::from_micros(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_date_time_without_its_offset_is_refused() {
        assert!("2026-02-24T21:00:00".parse::<Time>().is_err());
        assert!("2026-02-24".parse::<Time>().is_err());
    }
}
