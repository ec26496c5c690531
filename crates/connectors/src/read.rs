//! Reading platforms' JSON as it comes: a field of a surprising type counts as absent, and never spoils the rest.
//!
//! Fields are looked up with `value["name"]`, which is `null` for whatever is not there.

use std::borrow::Cow;

use model::Time;
use serde_json::{Map, Value};

use crate::Unreadable;

/// From this number on, a time since 1970 is in milliseconds: in seconds it would be in the year 5138.
const FIRST_MILLIS: f64 = 1e11;

/// The longest call that is believed, in seconds: what a 32-bit number holds.
const LONGEST_SECONDS: f64 = i32::MAX as f64;

/// Reads a body as JSON.
///
/// Platforms cut texts in the middle of an emoji and so write half a surrogate pair, which JSON's grammar allows and
/// Unicode does not. Such bodies are mended rather than lost.
pub(crate) fn body(bytes: &[u8]) -> Result<Value, Unreadable> {
    serde_json::from_slice(bytes)
        .or_else(|error| serde_json::from_str(&mended(bytes)).map_err(|_| error))
        .map_err(|error| Unreadable::new(format!("the body is not JSON: {error}")))
}

/// The body with the replacement character in the place of halves of surrogate pairs and of bytes that are not UTF-8.
fn mended(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut mended = String::with_capacity(rest.len());
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let length = match (surrogate(escape), escape.get(6..).and_then(surrogate)) {
            (Some(Surrogate::High), Some(Surrogate::Low)) => 12,
            (Some(_), _) => {
                mended.push('\u{fffd}');
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            // The backslash and what it escapes.
            (None, _) => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        let (kept, after) = escape.split_at(length);
        mended.push_str(kept);
        rest = after;
    }
    mended + rest
}

/// One half of a character beyond U+FFFF, as JSON writes it.
enum Surrogate {
    High,
    Low,
}

fn surrogate(escape: &str) -> Option<Surrogate> {
    let code = u16::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok()?;
    match code {
        0xd800..=0xdbff => Some(Surrogate::High),
        0xdc00..=0xdfff => Some(Surrogate::Low),
        _ => None,
    }
}

/// Text without the white space around it; `None` where nothing is left. NUL is dropped: PostgreSQL cannot hold it.
pub(crate) fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let text = if text.contains('\0') { Cow::from(text.replace('\0', "")) } else { Cow::from(text) };
    let trimmed = text.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// An id, which some write as a number.
pub(crate) fn id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        _ => text(value),
    }
}

/// The first of several places that has text.
pub(crate) fn first_text<'a>(places: impl IntoIterator<Item = &'a Value>) -> Option<String> {
    places.into_iter().find_map(text)
}

/// The first of several places that has an address on the web. Others are never passed on: a person will click it.
pub(crate) fn first_url<'a>(places: impl IntoIterator<Item = &'a Value>) -> Option<String> {
    let is_web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
    places.into_iter().filter_map(text).find(is_web)
}

/// A number, which may be written as text.
pub(crate) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// A yes or no, which may be written as text.
pub(crate) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A point in time: ISO 8601 with its offset, or seconds or milliseconds since 1970. Zero stands for nothing.
pub(crate) fn time(value: &Value) -> Option<Time> {
    if let Some(time) = value.as_str().and_then(|text| text.trim().parse().ok()) {
        return Some(time);
    }
    let number = number(value).filter(|number| *number > 0.0)?;
    let millis = if number < FIRST_MILLIS { number * 1000.0 } else { number };
    // A number too large for the cast becomes the largest there is, which is no year that `Time` holds.
    Time::from_millis(millis.round() as i64)
}

/// A duration in whole seconds, half up.
pub(crate) fn whole_seconds(seconds: f64) -> Option<i64> {
    let whole = (seconds + 0.5).floor();
    (seconds >= 0.0 && whole <= LONGEST_SECONDS).then_some(whole as i64)
}

/// Seconds from a call's start, to the millisecond.
pub(crate) fn offset_seconds(value: &Value) -> Option<f64> {
    let seconds = (number(value)? * 1000.0).round() / 1000.0;
    // Adding zero makes one of the two zeros of the other.
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds + 0.0)
}

/// A list; an empty one for anything else.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// An object with at least one field, which may be written as JSON text.
pub(crate) fn object(value: &Value) -> Option<Map<String, Value>> {
    match json(value)? {
        Value::Object(object) if !object.is_empty() => Some(object),
        _ => None,
    }
}

/// JSON that may be written as text; text that is not JSON stays text. `None` for nothing and for empty text.
pub(crate) fn json(value: &Value) -> Option<Value> {
    let Value::String(text) = value else {
        return (!value.is_null()).then(|| without_nul(value.clone()));
    };
    let text = text.trim();
    match serde_json::from_str(text) {
        Ok(Value::Null) => None,
        // A booking's id of twenty digits is no number: it would come back with other digits.
        Ok(Value::Number(number)) if number.to_string() != text => Some(Value::from(text)),
        Ok(parsed) => Some(without_nul(parsed)),
        Err(_) => self::text(value).map(Value::String),
    }
    .filter(|value| value.as_str() != Some(""))
}

/// A value as it is, where a text of digits stays a text; `None` for nothing and for empty text.
pub(crate) fn plain(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(_) => text(value).map(Value::String),
        _ => Some(without_nul(value.clone())),
    }
}

fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => Value::String(text.replace('\0', "")),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name.replace('\0', ""), without_nul(value))).collect()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_that_is_not_json_says_where() {
        let error = body(b"{\n  \"event\": call_ended}").expect_err("not JSON").to_string();
        assert!(error.starts_with("the body is not JSON: ") && error.contains("line 2 column 12"), "{error}");
        assert!(body(b"").is_err());
    }

    #[test]
    fn half_a_character_does_not_lose_the_body() {
        let cut = br#"{"a":"ok \ud83d","b":"\ud83d\ude00 \udE00\n","c":"\\ud83d","d":"\ud83d\u0041"}"#;
        let expected = json!({"a": "ok \u{fffd}", "b": "😀 \u{fffd}\n", "c": "\\ud83d", "d": "\u{fffd}A"});
        assert_eq!(body(cut), Ok(expected));
        assert_eq!(body(b"\xef\xbb\xbf{\"a\":\"\xff\"}"), Ok(json!({"a": "\u{fffd}"})));
        assert!(body(br#"{"a":"\ud83"#).is_err() && body(b"\\").is_err() && body("\\é".as_bytes()).is_err());
    }

    #[test]
    fn empty_and_surprising_values_are_absent() {
        for value in [json!(""), json!("  "), json!("\0"), json!(1), json!(null), json!({}), json!([])] {
            assert_eq!(text(&value), None, "{value}");
        }
        assert_eq!(text(&json!(" a\0b ")).as_deref(), Some("ab"));
        assert_eq!(id(&json!(42)).as_deref(), Some("42"));
        assert_eq!(
            first_url([&json!("javascript:alert(1)"), &json!("https://a.example")]).as_deref(),
            Some("https://a.example")
        );
    }

    #[test]
    fn times_are_read_in_every_form_that_platforms_use() {
        let expected = "2026-02-24T13:00:21.500Z".parse::<Time>().ok();
        for value in [
            json!("2026-02-24T13:00:21.500Z"),
            json!("2026-02-24T15:00:21.5+02:00"),
            json!(1_771_938_021_500_i64),
            json!("1771938021500"),
            json!(1_771_938_021.5),
        ] {
            assert_eq!(time(&value), expected, "{value}");
        }
        for value in [json!(0), json!(-1), json!(""), json!("soon"), json!(1e300), json!(true), json!("NaN")]
        {
            assert_eq!(time(&value), None, "{value}");
        }
    }

    #[test]
    fn durations_are_rounded_half_up_and_never_negative() {
        assert_eq!([0.49, 0.5, 25.3, 24.5].map(whole_seconds), [Some(0), Some(1), Some(25), Some(25)]);
        assert_eq!([-0.1, 1e12, f64::NAN, f64::INFINITY].map(whole_seconds), [None; 4]);
        assert_eq!(offset_seconds(&json!(7.250_499)), Some(7.25));
        assert_eq!(offset_seconds(&json!("1.5")), Some(1.5));
        assert_eq!(
            [json!(-1), json!(1e308), json!("inf"), json!([1])].map(|v| offset_seconds(&v)),
            [None; 4]
        );
    }

    #[test]
    fn json_within_text_is_read() {
        assert_eq!(json(&json!("{\"ok\":true}")), Some(json!({"ok": true})));
        assert_eq!(json(&json!("No result returned.")), Some(json!("No result returned.")));
        assert_eq!(json(&json!("12345678901234567890123")), Some(json!("12345678901234567890123")));
        assert_eq!([json!("5"), json!(" true ")].map(|v| json(&v)), [Some(json!(5)), Some(json!(true))]);
        assert_eq!(
            [json!(""), json!("null"), json!(null), json!("\"\"")].map(|v| json(&v)),
            [const { None }; 4]
        );
        assert_eq!(json(&json!({"a\0": ["b\0"]})), Some(json!({"a": ["b"]})));
        assert_eq!(plain(&json!({"a\0": ["b\0"]})), Some(json!({"a": ["b"]})));
        assert_eq!([json!(" 94105 "), json!(0)].map(|v| plain(&v)), [Some(json!("94105")), Some(json!(0))]);
        assert_eq!([json!(null), json!(" ")].map(|v| plain(&v)), [const { None }; 2]);
    }
}
