//! Pages of a list: a limit, and a cursor to where the page before ended.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use uuid::Uuid;

use crate::{Stamp, Time};

/// What a client asks of a list. Lists are newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many records, 1 to 100.
    pub limit: u32,
    /// Only records older than this one.
    pub before: Option<Cursor>,
    /// Only records created after this.
    pub since: Option<Time>,
}

/// The place in a list after a record: its `created_at`, which is unique within the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub Stamp);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    // The first field: a cursor of the original service begins with `{"created_at":`, and so do ours.
    created_at: String,
}

impl Cursor {
    /// The opaque text that a client passes back.
    pub fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{{\"created_at\":\"{}\"}}", self.0))
    }

    /// Reads the text of [`Cursor::encode`]; `None` for anything else.
    pub fn decode(text: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        let written: Written = serde_json::from_slice(&json).ok()?;
        let time: Time = written.created_at.parse().ok()?;
        Some(Self(Stamp::from_micros(time.micros())))
    }
}

/// What a client asks of a list whose records have a time that need not be unique: what arrived, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedPage {
    /// How many records, 1 to 100.
    pub limit: u32,
    /// Where the page before ended.
    pub from: Option<Place>,
    /// Only records later than this.
    pub since: Option<Time>,
}

/// The place of a record in a list that is ordered by a time and then by the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The record's time.
    pub at: Time,
    /// Its id.
    pub id: Uuid,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPlace {
    created_at: String,
    id: Uuid,
}

impl Place {
    /// The opaque text that a client passes back.
    pub fn encode(self) -> String {
        let at = Stamp::from_micros(self.at.micros());
        URL_SAFE_NO_PAD.encode(format!("{{\"created_at\":\"{at}\",\"id\":\"{}\"}}", self.id))
    }

    /// Reads the text of [`Place::encode`]; `None` for anything else.
    pub fn decode(text: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        let written: WrittenPlace = serde_json::from_slice(&json).ok()?;
        Some(Self { at: written.created_at.parse().ok()?, id: written.id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_begins_as_the_original_service_s_do() {
        let cursor = Cursor(Stamp::from_micros(1_771_938_000_123_456));
        let text = cursor.encode();
        assert!(text.starts_with("eyJjcmVhdGVkX2F0Ijo"), "{text}");
        assert_eq!(Cursor::decode(&text), Some(cursor));
    }

    #[test]
    fn a_place_reads_back_and_is_no_cursor_of_another_kind_of_list() {
        let place = Place { at: Time::from_micros(1_771_938_000_123_456), id: Uuid::from_u128(7) };
        let text = place.encode();
        assert!(text.starts_with("eyJjcmVhdGVkX2F0Ijo"), "{text}");
        assert_eq!((Place::decode(&text), Cursor::decode(&text)), (Some(place), None));
        assert_eq!(Place::decode(&Cursor(Stamp::from_micros(1)).encode()), None);
    }

    #[test]
    fn what_is_not_a_cursor_is_refused() {
        for text in ["", "eyJjcmVhdGVkX2F0Ijo", "!", "e30", "eyJjcmVhdGVkX2F0IjoxfQ", "💥"] {
            assert_eq!(Cursor::decode(text), None, "{text}");
        }
    }
}
