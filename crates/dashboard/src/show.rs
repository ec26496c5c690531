//! How values look to people: times in the organization's zone, durations, numbers.

use std::fmt::Write;

use jiff::{ToSpan, Zoned, civil::Date, tz::TimeZone};
use model::Time;

/// A time, for people and for machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// As short as it can be understood now.
    pub(crate) short: String,
    /// The whole of it, with the zone.
    pub(crate) full: String,
    /// RFC 3339.
    pub(crate) iso: String,
}

/// A time zone, and the time now in it.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    zone: TimeZone,
    /// Its name (IANA).
    pub(crate) name: String,
    now: Zoned,
}

impl Zone {
    /// UTC, where none is said or it is not known.
    pub(crate) fn new(name: Option<&str>, now: Time) -> Self {
        let zone = name.and_then(|name| Some((name.to_owned(), TimeZone::get(name).ok()?)));
        let (name, zone) = zone.unwrap_or_else(|| ("UTC".to_owned(), TimeZone::UTC));
        let now = now.timestamp().to_zoned(zone.clone());
        Self { zone, name, now }
    }

    pub(crate) fn moment(&self, time: Time) -> Moment {
        let at = time.timestamp().to_zoned(self.zone.clone());
        let days = self.now.date().since(at.date()).map_or(i32::MAX, |span| span.get_days());
        let short = match days {
            0 => at.strftime("%H:%M"),
            1 => at.strftime("Yesterday, %H:%M"),
            _ if at.year() == self.now.year() => at.strftime("%-d %b, %H:%M"),
            _ => at.strftime("%-d %b %Y"),
        };
        Moment {
            short: short.to_string(),
            full: at.strftime("%a, %-d %b %Y, %H:%M:%S %Z").to_string(),
            iso: time.to_string(),
        }
    }

    /// A time to come or past, with its day of the week.
    pub(crate) fn day_and_time(&self, time: Time) -> String {
        time.timestamp().to_zoned(self.zone.clone()).strftime("%a %-d %b, %H:%M").to_string()
    }

    /// A time as a field of a form has it.
    pub(crate) fn local(&self, time: Time) -> String {
        time.timestamp().to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M").to_string()
    }

    /// Reads what a field of a form has: a time of day in this zone. Where the clocks skip it, the time after that.
    pub(crate) fn read_local(&self, text: &str) -> Option<Time> {
        let at: jiff::civil::DateTime = text.parse().ok()?;
        Some(Time::from(at.to_zoned(self.zone.clone()).ok()?.timestamp()))
    }

    /// The day on which a time is.
    pub(crate) fn day(&self, time: Time) -> Date {
        time.timestamp().to_zoned(self.zone.clone()).date()
    }

    /// A time of day.
    pub(crate) fn time(&self, time: Time) -> String {
        time.timestamp().to_zoned(self.zone.clone()).strftime("%H:%M").to_string()
    }

    /// The day of a time.
    pub(crate) fn date(&self, time: Time) -> String {
        time.timestamp().to_zoned(self.zone.clone()).strftime("%-d %b").to_string()
    }

    /// The day today.
    pub(crate) fn today(&self) -> Date {
        self.now.date()
    }

    /// When a day begins.
    pub(crate) fn start_of(&self, day: Date) -> Option<Time> {
        Some(Time::from(day.to_zoned(self.zone.clone()).ok()?.timestamp()))
    }

    /// The last days up to today, the first one first.
    pub(crate) fn last_days(&self, count: i64) -> Vec<Date> {
        let today = self.today();
        (0..count).rev().filter_map(|ago| today.checked_sub(ago.days()).ok()).collect()
    }
}

/// A length of time in whole seconds: `0:42`, `12:05`, `1:02:05`.
pub(crate) fn duration(seconds: i64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A number with its thousands apart.
pub(crate) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "−" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// JSON with line breaks, where it is JSON; else the text as it is.
pub(crate) fn pretty(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value) if value.is_object() || value.is_array() => {
            serde_json::to_string_pretty(&value).unwrap_or_else(|_| text.into_owned())
        }
        _ => text.into_owned(),
    }
}

/// A word of the API for people: `call.completed` stays, `no_final_event` becomes "no final event".
pub(crate) fn words(word: &str) -> String {
    word.replace(['_', '-'], " ")
}

/// An address here with what it asks for; what is empty is not asked for.
pub(crate) fn address(path: &str, fields: &[(&str, &str)]) -> String {
    let given: Vec<_> = fields.iter().filter(|(_, value)| !value.is_empty()).collect();
    match serde_urlencoded::to_string(given) {
        Ok(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}

/// Where one writes to an e-mail address. What could ask for more than a letter to it is written so that it cannot.
pub(crate) fn mail_address(email: &str) -> String {
    let mut address = String::from("mailto:");
    for byte in email.bytes() {
        if byte.is_ascii_alphanumeric() || b"@.-_+".contains(&byte) {
            address.push(byte.into());
        } else {
            let _ = write!(address, "%{byte:02X}");
        }
    }
    address
}

/// A text as one argument of a shell command.
pub(crate) fn shell_quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for part in text.chars() {
        match part {
            '\'' => quoted.push_str("'\\''"),
            other => {
                let _ = quoted.write_char(other);
            }
        }
    }
    quoted.push('\'');
    quoted
}

/// The beginning of a text on one line.
pub(crate) fn excerpt(text: &str, chars: usize) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(chars) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().expect("a time")
    }

    #[test]
    fn times_are_those_of_the_organization_s_zone() {
        let zone = Zone::new(Some("Europe/Berlin"), at("2026-02-24T23:30:00Z"));
        assert_eq!(zone.moment(at("2026-02-24T23:10:00Z")).short, "00:10");
        assert_eq!(zone.moment(at("2026-02-24T22:10:00Z")).short, "Yesterday, 23:10");
        assert_eq!(zone.moment(at("2026-01-02T12:00:00Z")).short, "2 Jan, 13:00");
        assert_eq!(zone.moment(at("2025-01-02T12:00:00Z")).short, "2 Jan 2025");
        let summer = zone.read_local("2026-07-24T21:30");
        assert_eq!(summer, Some(at("2026-07-24T19:30:00Z")));
        assert_eq!(summer.map(|time| zone.local(time)).as_deref(), Some("2026-07-24T21:30"));
        assert_eq!(zone.read_local("yesterday"), None);
        assert_eq!(zone.today().to_string(), "2026-02-25");
        assert_eq!(zone.start_of(zone.today()), Some(at("2026-02-24T23:00:00Z")));
        assert_eq!(Zone::new(Some("Nowhere/Land"), at("2026-02-24T23:30:00Z")).name, "UTC");
    }

    #[test]
    fn lengths_and_numbers() {
        assert_eq!([0, 65, 3725].map(duration), ["0:00", "1:05", "1:02:05"]);
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]
        );
        assert_eq!(
            address("/calls", &[("q", "a b"), ("view", ""), ("phone", "+1")]),
            "/calls?q=a+b&phone=%2B1"
        );
        assert_eq!(address("/calls", &[("q", "")]), "/calls");
        assert_eq!(mail_address("a+b@x.example?cc=é"), "mailto:a+b@x.example%3Fcc%3D%C3%A9");
        assert_eq!(shell_quoted("it's"), "'it'\\''s'");
        assert_eq!(excerpt("a\n  b c d", 3), "a b…");
    }
}
