//! Spans of time as people write them: `30s`, `12h`, `90d`.

use std::{str::FromStr, time::Duration};

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no span of time: write a number and s, m, h or d, such as 90d");
        let unit = text.chars().last().ok_or_else(wrong)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
        // A hundred years: beyond that somebody mistyped.
        let total = number.checked_mul(seconds).filter(|total| (1..=100 * 366 * 86_400).contains(total));
        total.map(|total| Self(Duration::from_secs(total))).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_nonsense_is_named() {
        assert_eq!("90d".parse::<Span>().map(|span| span.0.as_secs()), Ok(90 * 86_400));
        for text in ["", "d", "0d", "-1d", "90", "1y", "99999999999999d", "é"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
