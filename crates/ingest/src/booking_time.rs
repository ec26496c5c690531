//! Reads when a booking takes place, from what assistants and calendars write. What is relative ("tomorrow"), or has
//! neither an offset nor a known time zone, is unknown rather than guessed.

use jiff::{civil, tz::TimeZone};
use model::Time;
use serde_json::{Map, Value};

use crate::booking::find;

const STARTS: [&str; 12] = [
    "start",
    "startsat",
    "startat",
    "starttime",
    "startdatetime",
    "datetime",
    "appointmenttime",
    "appointmentdatetime",
    "appointmentstart",
    "slot",
    "scheduledtime",
    "time",
];
const ENDS: [&str; 6] = ["end", "endsat", "endat", "endtime", "enddatetime", "appointmentend"];
const DATES: [&str; 4] = ["date", "bookingdate", "appointmentdate", "day"];
const TIMES: [&str; 5] = ["time", "bookingtime", "appointmenttime", "starttime", "hour"];

/// When it begins.
pub(crate) fn start(objects: &[&Map<String, Value>], zone: Option<&str>) -> Option<Time> {
    let named =
        STARTS.iter().find_map(|key| objects.iter().find_map(|object| moment(find(object, key)?, zone)));
    named.or_else(|| date_and_time(objects, zone))
}

/// When it ends: told, or the start and how long it takes.
pub(crate) fn end(objects: &[&Map<String, Value>], zone: Option<&str>, start: Option<Time>) -> Option<Time> {
    let told = ENDS.iter().find_map(|key| objects.iter().find_map(|object| moment(find(object, key)?, zone)));
    told.or_else(|| {
        let minutes = ["durationminutes", "duration", "lengthminutes"];
        let minutes =
            minutes.iter().find_map(|key| objects.iter().find_map(|object| find(object, key)?.as_i64()))?;
        // More than a day is no length of an appointment in minutes, but something else.
        (1..=1440).contains(&minutes).then(|| start.map(|start| start.plus_micros(minutes * 60_000_000)))?
    })
    .filter(|end| start.is_none_or(|start| *end > start))
}

/// Whether a sentence holds a date-time with its offset.
pub(crate) fn stands_in(text: &str) -> bool {
    text.split_whitespace()
        .any(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).parse::<Time>().is_ok())
}

/// A moment: ISO 8601 with its offset, or with a zone known from elsewhere; seconds or milliseconds since 1970; or
/// Google Calendar's `{dateTime, timeZone}`.
fn moment(value: &Value, zone: Option<&str>) -> Option<Time> {
    match value {
        Value::String(text) => absolute(text.trim()).or_else(|| in_zone(text.trim().parse().ok()?, zone)),
        Value::Number(number) => epoch(number.as_i64()?),
        Value::Object(object) => {
            let own = find(object, "timezone").and_then(Value::as_str);
            moment(find(object, "datetime").filter(|value| value.is_string())?, own.or(zone))
        }
        _ => None,
    }
}

fn absolute(text: &str) -> Option<Time> {
    text.parse().ok()
}

/// Between 2001 and 2286 a number of seconds has ten digits and one of milliseconds thirteen.
fn epoch(number: i64) -> Option<Time> {
    match number {
        1_000_000_000..=9_999_999_999 => Time::from_millis(number * 1000),
        1_000_000_000_000..=9_999_999_999_999 => Time::from_millis(number),
        _ => None,
    }
}

fn in_zone(local: civil::DateTime, zone: Option<&str>) -> Option<Time> {
    let zone = TimeZone::get(zone?).ok()?;
    Some(local.to_zoned(zone).ok()?.timestamp().into())
}

fn date_and_time(objects: &[&Map<String, Value>], zone: Option<&str>) -> Option<Time> {
    let text = |keys: &[&str]| {
        keys.iter().find_map(|key| objects.iter().find_map(|object| find(object, key)?.as_str()))
    };
    let date: civil::Date = text(&DATES)?.trim().parse().ok()?;
    in_zone(date.to_datetime(time_of_day(text(&TIMES)?)?), zone)
}

/// `15:30`, `3:30 PM` or `3pm`.
fn time_of_day(text: &str) -> Option<civil::Time> {
    let text = text.trim().to_ascii_lowercase();
    let (clock, half) = match text.strip_suffix("pm").or_else(|| text.strip_suffix("p.m.")) {
        Some(clock) => (clock, Some(12)),
        None => match text.strip_suffix("am").or_else(|| text.strip_suffix("a.m.")) {
            Some(clock) => (clock, Some(0)),
            None => (text.as_str(), None),
        },
    };
    let mut parts = clock.trim().split(':').map(str::parse::<i8>);
    let hour = parts.next()?.ok()?;
    let minute = match parts.next() {
        Some(minute) => minute.ok()?,
        // A bare number is an hour only with its half of the day.
        None if half.is_some() => 0,
        None => return None,
    };
    let hour = match half {
        Some(half) if (1..=12).contains(&hour) => hour % 12 + half,
        Some(_) => return None,
        None => hour,
    };
    civil::Time::new(hour, minute, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_as_calendars_write_them() {
        let read = |value: Value, zone| moment(&value, zone).map(|time| time.to_string());
        let noon = Some("2026-03-04T12:00:00.000Z".to_owned());
        assert_eq!(read(json!("2026-03-04T13:00:00+01:00"), None), noon);
        assert_eq!(read(json!("2026-03-04T13:00:00"), Some("Europe/Berlin")), noon);
        assert_eq!(read(json!("2026-03-04 13:00"), Some("Europe/Berlin")), noon);
        assert_eq!(read(json!({"dateTime": "2026-03-04T13:00:00", "timeZone": "Europe/Berlin"}), None), noon);
        assert_eq!(read(json!(1_772_625_600), None), noon);
        for unknown in [json!("2026-03-04T13:00:00"), json!("tomorrow at noon"), json!(7), json!(true)] {
            assert_eq!(read(unknown, None), None);
        }
    }

    #[test]
    fn times_of_day_are_read_as_people_write_them() {
        let read = |text| time_of_day(text).map(|time| time.to_string());
        assert_eq!(read("3:30 PM").as_deref(), Some("15:30:00"));
        assert_eq!(read("12 am").as_deref(), Some("00:00:00"));
        assert_eq!(read("15:50").as_deref(), Some("15:50:00"));
        for unknown in ["afternoon", "7", "25:00", "13 pm"] {
            assert_eq!(read(unknown), None, "{unknown}");
        }
    }
}
