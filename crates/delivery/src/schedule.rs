//! When a failed delivery is tried again: the retry steps, and what a receiver asks for by `Retry-After`.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{civil::DateTime, fmt::strtime, tz::TimeZone};
use model::{IdGen, Time};

/// The waits between the tries of one delivery: 1 to 20 steps, each at least 100 ms, together at most 8 days.
///
/// Written and read as `5s,5m,30m,2h,1d`; the units are `ms`, `s`, `m`, `h` and `d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

/// Why a text is not a [`Schedule`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// There are no steps, or too many.
    #[error("a retry schedule has 1 to {MAX_STEPS} steps, this one has {0}")]
    Steps(usize),
    /// A step cannot be read.
    #[error("the retry step \"{0}\" is not a number with its unit, such as 500ms, 5s, 30m, 2h or 1d")]
    Unreadable(String),
    /// A step is too short.
    #[error("the retry step \"{0}\" is shorter than 100ms")]
    TooShort(String),
    /// The steps are too long together.
    #[error("the retry schedule is longer than 8 days from the step \"{0}\" on")]
    TooLong(String),
}

const MAX_STEPS: usize = 20;
const MIN_STEP: Duration = Duration::from_millis(100);
const MAX_TOTAL: Duration = Duration::from_hours(8 * 24);

/// No receiver can put a delivery off for longer than this.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// Later tries are spread over this share of the step, so that what failed together does not return together.
const JITTER: f64 = 0.1;

/// The units, the largest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// The three forms of an HTTP-date that RFC 9110 section 5.6.7 makes a recipient read.
const HTTP_DATES: [&str; 3] =
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

impl Schedule {
    /// How many tries there are in all, the first included.
    pub fn attempts(&self) -> usize {
        self.0.len() + 1
    }

    /// How long to wait after so many failed tries before the next; `None` when there is none left.
    ///
    /// Up to 10 % are added to the step at random, nothing is ever taken away.
    pub fn next(&self, attempts_made: u32, ids: &dyn IdGen) -> Option<Duration> {
        let Some(failed_before) = attempts_made.checked_sub(1) else { return Some(Duration::ZERO) };
        let step = self.0.get(usize::try_from(failed_before).ok()?)?;
        Some(step.mul_f64(1.0 + JITTER * ids.fraction()))
    }
}

impl Default for Schedule {
    /// Ten tries over 75 h 35 min, so that a receiver may be down for a weekend.
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let mut steps = vec![Duration::from_secs(5), minutes(5), minutes(30)];
        steps.extend([2, 5, 10, 14, 20, 24].map(|hours| minutes(hours * 60)));
        Self(steps)
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        if words.is_empty() || words.len() > MAX_STEPS {
            return Err(ScheduleError::Steps(words.len()));
        }
        let mut steps = Vec::with_capacity(words.len());
        let mut total = Duration::ZERO;
        for word in words {
            let step = read_step(word).ok_or_else(|| ScheduleError::Unreadable(word.to_owned()))?;
            if step < MIN_STEP {
                return Err(ScheduleError::TooShort(word.to_owned()));
            }
            total = total.saturating_add(step);
            if total > MAX_TOTAL {
                return Err(ScheduleError::TooLong(word.to_owned()));
            }
            steps.push(step);
        }
        Ok(Self(steps))
    }
}

fn read_step(word: &str) -> Option<Duration> {
    let digits = word.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = word.split_at(digits);
    let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    Some(Duration::from_millis(number.parse::<u64>().ok()?.saturating_mul(millis)))
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            let millis = u64::try_from(step.as_millis()).unwrap_or(u64::MAX);
            let (unit, size) = UNITS.into_iter().find(|(_, size)| millis % size == 0).unwrap_or(("ms", 1));
            write!(f, "{comma}{}{unit}", millis / size)?;
        }
        Ok(())
    }
}

/// How long the receiver asks us to wait by `Retry-After` (RFC 9110 section 10.2.3): seconds or an HTTP-date.
///
/// `None` where the header is missing, unreadable or a time that has passed; at most 24 hours.
pub fn retry_after(headers: &[(String, String)], now: Time) -> Option<Duration> {
    let (_, value) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a very long time, not garbage.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        Some(http_date(value)?.since(now)).filter(|wait| !wait.is_zero())?
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

fn http_date(text: &str) -> Option<Time> {
    let date: DateTime =
        HTTP_DATES.iter().find_map(|form| strtime::parse(form, text).ok()?.to_datetime().ok())?;
    Some(Time::from(date.to_zoned(TimeZone::UTC).ok()?.timestamp()))
}

#[cfg(test)]
mod tests {
    use model::testing::CountedIds;

    use super::*;

    fn schedule(text: &str) -> Result<Schedule, ScheduleError> {
        text.parse()
    }

    #[test]
    fn the_default_outlives_a_weekend() {
        let default = Schedule::default();
        assert_eq!(default.to_string(), "5s,5m,30m,2h,5h,10h,14h,20h,1d");
        assert_eq!(schedule("5s,5m,30m,2h,5h,10h,14h,20h,24h"), Ok(default.clone()));
        assert_eq!(default.attempts(), 10);
        let total: Duration = default.0.iter().sum();
        assert_eq!(total, Duration::from_secs(75 * 3600 + 35 * 60 + 5));
    }

    #[test]
    fn jitter_only_adds_and_never_more_than_a_tenth() {
        let ids = CountedIds::default();
        let steps = schedule("100ms, 90s ,1h").expect("a schedule");
        assert_eq!(steps.to_string(), "100ms,90s,1h");
        let mut seen = std::collections::HashSet::new();
        for _ in 0..200 {
            let wait = steps.next(2, &ids).expect("a step");
            assert!((90.0..=99.0).contains(&wait.as_secs_f64()), "{wait:?}");
            seen.insert(wait);
        }
        assert!(seen.len() > 100, "the jitter is spread");
        assert_eq!(steps.next(0, &ids), Some(Duration::ZERO));
        assert!(steps.next(3, &ids).is_some());
        assert_eq!(steps.next(4, &ids), None);
        assert_eq!(steps.next(u32::MAX, &ids), None);
    }

    #[test]
    fn an_error_names_the_step() {
        assert_eq!(schedule(""), Err(ScheduleError::Steps(0)));
        assert_eq!(schedule(&["1s"; 21].join(",")), Err(ScheduleError::Steps(21)));
        assert!(schedule(&["1s"; 20].join(",")).is_ok());
        for word in ["5", "s", "-1s", "1.5h", "5 parsecs", "5S", "99999999999999999999s"] {
            assert_eq!(schedule(&format!("1s,{word}")), Err(ScheduleError::Unreadable(word.to_owned())));
        }
        assert_eq!(schedule("1s,99ms"), Err(ScheduleError::TooShort("99ms".to_owned())));
        assert_eq!(schedule("0d"), Err(ScheduleError::TooShort("0d".to_owned())));
        assert!(schedule("8d").is_ok());
        assert_eq!(schedule("8d,100ms"), Err(ScheduleError::TooLong("100ms".to_owned())));
        assert_eq!(
            schedule("9999999999999999999d"),
            Err(ScheduleError::TooLong("9999999999999999999d".to_owned()))
        );
    }

    #[test]
    fn retry_after_is_read_in_every_form_that_http_allows() {
        let now: Time = "1994-11-06T08:49:00Z".parse().expect("a time");
        let wait = |value: &str| retry_after(&[("Retry-After".to_owned(), value.to_owned())], now);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait("120"), seconds(120));
        assert_eq!(wait(" 0 "), seconds(0));
        assert_eq!(wait("86401"), seconds(86_400));
        assert_eq!(wait("99999999999999999999999"), seconds(86_400));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), seconds(37));
        assert_eq!(wait("Sunday, 06-Nov-94 08:49:37 GMT"), seconds(37));
        assert_eq!(wait("Sun Nov  6 08:49:37 1994"), seconds(37));
        assert_eq!(wait("Mon, 06 Nov 2034 08:49:37 GMT"), seconds(86_400));
        for garbage in
            ["", "-5", "+5", "1.5", "soon", "Sun, 06 Nov 1994 08:48:59 GMT", "1994-11-06T08:49:37Z"]
        {
            assert_eq!(wait(garbage), None, "{garbage}");
        }
        assert_eq!(retry_after(&[], now), None);
    }
}
