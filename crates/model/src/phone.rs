//! Phone numbers: what is one, and how it is written.

use std::{fmt, str::FromStr};

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, enums::Region};
use serde::{Deserialize, Deserializer, Serialize};

/// A phone number in E.164 (ITU-T E.164: `+`, country code, at most 15 digits).
///
/// Withheld callers, SIP addresses and short codes are not phone numbers: they name nobody that could be called
/// back, and two of them never are one person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Phone(Box<str>);

/// What carriers put in the number's place when the caller withheld it: ANONYMOUS, RESTRICTED, BLOCKED, PRIVATE,
/// UNAVAILABLE and UNKNOWN, spelled on a telephone's keypad.
const WITHHELD: [&str; 6] = ["+266696687", "+7378742833", "+2562533", "+7748283", "+86282452253", "+8656696"];

impl Phone {
    /// Reads a number as a platform or a person writes it, with spaces, dots or brackets.
    ///
    /// Without `country` (ISO 3166-1 alpha-2) only the international form with `+` is understood. `None` for
    /// whatever is not a possible number. Possible is enough: numbering plans change faster than the tables that
    /// would tell whether a number is assigned.
    pub fn parse(text: &str, country: Option<&str>) -> Option<Self> {
        let text = text.trim();
        if is_plain_north_american(text) {
            return Some(Self(text.into()));
        }
        by_the_tables(text, country)
    }

    /// The number in E.164.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number as people of its country write it for the world: `+1 415-555-0123`.
    pub fn international(&self) -> String {
        PHONE_NUMBER_UTIL.parse(&*self.0, None).map_or_else(
            |_| self.0.to_string(),
            |number| number.format_as(PhoneNumberFormat::International).into_owned(),
        )
    }

    /// Takes text that is already a [`Phone`]'s, as read back from the store.
    pub fn from_e164_unchecked(text: String) -> Self {
        Self(text.into_boxed_str())
    }
}

/// Reads a number by the tables of all countries' numbers.
fn by_the_tables(text: &str, country: Option<&str>) -> Option<Phone> {
    if text.contains(['@', ':']) || text.chars().filter(char::is_ascii_digit).count() < 7 {
        return None;
    }
    let region = country.and_then(|country| country.parse::<Region>().ok());
    let number = PHONE_NUMBER_UTIL.parse(text, region).ok()?;
    if !PHONE_NUMBER_UTIL.is_possible_number(&number) {
        return None;
    }
    let e164 = number.format_as(PhoneNumberFormat::E164);
    // Asked of the number too, not only of the text: an extension's digits are not the number's.
    ((8..=16).contains(&e164.len()) && !WITHHELD.contains(&&*e164)).then(|| Phone(e164.into()))
}

/// Whether it is a number of the North American plan in E.164 already: `+1` and ten digits of which the first is no
/// trunk prefix. Most numbers that platforms send are, and the tables of all countries' numbers, of which these need
/// none, are megabytes that are loaded when they are first asked.
fn is_plain_north_american(text: &str) -> bool {
    text.strip_prefix("+1").is_some_and(|national| {
        matches!(national.as_bytes(), [b'2'..=b'9', rest @ ..] if rest.len() == 9 && rest.iter().all(u8::is_ascii_digit))
    })
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Never the whole number: logs hold no phone numbers.
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

impl FromStr for Phone {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, None).ok_or("must be a phone number in E.164, such as +14155550123")
    }
}

impl<'de> Deserialize<'de> for Phone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for Phone {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::Custom("e164".into())))
            .description(Some("A phone number in E.164."))
            .examples(["+14155550123"])
            .into()
    }
}
impl utoipa::ToSchema for Phone {}

#[cfg(test)]
mod tests {
    use super::*;

    fn e164(text: &str, country: Option<&str>) -> Option<String> {
        Phone::parse(text, country).map(|phone| phone.to_string())
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for text in ["+14155550123", " +1 (415) 555-0123 ", "+1.415.555.0123"] {
            assert_eq!(e164(text, None).as_deref(), Some("+14155550123"), "{text}");
        }
        assert_eq!(e164("030 901820", Some("DE")).as_deref(), Some("+4930901820"));
        assert_eq!(e164("+12223334444", None).as_deref(), Some("+12223334444"), "possible is enough");
    }

    #[test]
    fn plain_north_american_numbers_are_what_the_tables_say() {
        for first in 2..=9 {
            for rest in ["00000000", "11111111", "00555012", "99999999", "11234567"] {
                for last in 0..=9 {
                    let text = format!("+1{first}{rest}{last}");
                    assert_eq!(by_the_tables(&text, None).map(|phone| phone.to_string()), Some(text.clone()));
                    assert!(is_plain_north_american(&text));
                }
            }
        }
        for text in
            ["+11234567890", "+10234567890", "+1415555012", "+141555501234", "+1415555012x", "14155550123"]
        {
            assert!(!is_plain_north_american(text), "{text}");
        }
    }

    #[test]
    fn withheld_sip_and_short_numbers_are_not_phone_numbers() {
        let not = [
            "",
            "anonymous",
            "Restricted",
            "sip:4155550123@example.com",
            "12345",
            "+12345",
            "911",
            "+4915;ext=12345",
        ];
        for text in not.into_iter().chain(WITHHELD).chain(["4155550123", "+4155550123999999999", "+٤١٥"]) {
            assert_eq!(e164(text, None), None, "{text}");
        }
    }
}
