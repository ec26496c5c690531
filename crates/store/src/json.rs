//! Records as JSON (RFC 8259), written straight from a row's cells into the answer: a page of calls is read and
//! written thousands of times a second, and most of it is text that nobody here needs to own.

use model::{Cursor, Id, Stamp, Time};
use serde::Serialize;

use crate::{
    Error, Result,
    value::{Cells, Column},
};

/// A page of records as a JSON array, and where the next page begins.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The array.
    pub json: Vec<u8>,
    /// The cursor of the next page, if there is one.
    pub next: Option<Cursor>,
}

/// One record as a JSON object.
#[derive(Clone, Debug)]
pub struct Row {
    /// The object.
    pub json: Vec<u8>,
    /// When the record last changed.
    pub version: Stamp,
}

/// A JSON object that is being written. A field's value is the next cell of the row.
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Object<'o> {
    /// Begins an object.
    pub(crate) fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out }
    }

    /// Goes on with an object that was begun and is not ended.
    pub(crate) fn resume(out: &'o mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Ends it.
    pub(crate) fn end(self) {
        self.out.push(b'}');
    }

    /// A text, or null.
    pub(crate) fn text(&mut self, name: &'static str, row: &mut Cells<'_>) -> Result<()> {
        self.text_of(name, row).map(drop)
    }

    /// A text, or null, which is also returned.
    pub(crate) fn text_of<'r>(&mut self, name: &'static str, row: &mut Cells<'r>) -> Result<Option<&'r str>> {
        let text = row.text()?;
        self.name(name);
        match text {
            Some(text) => quote(text, self.out),
            None => self.null(),
        }
        Ok(text)
    }

    /// JSON that is stored as text, or null.
    pub(crate) fn raw(&mut self, name: &'static str, row: &mut Cells<'_>) -> Result<()> {
        let json = row.text()?.unwrap_or("null");
        self.name(name);
        self.out.extend_from_slice(json.as_bytes());
        Ok(())
    }

    /// A whole number, or null.
    pub(crate) fn number(&mut self, name: &'static str, row: &mut Cells<'_>) -> Result<()> {
        let number: Option<i64> = row.get()?;
        self.value(name, &number)
    }

    /// An id, or null, which is also returned.
    pub(crate) fn id<K>(&mut self, name: &'static str, row: &mut Cells<'_>) -> Result<Option<Id<K>>>
    where
        Option<Id<K>>: Column,
    {
        let id: Option<Id<K>> = row.get()?;
        self.name(name);
        match id {
            Some(id) => {
                let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
                let text = id.uuid().hyphenated().encode_lower(&mut text);
                self.out.push(b'"');
                self.out.extend_from_slice(text.as_bytes());
                self.out.push(b'"');
            }
            None => self.null(),
        }
        Ok(id)
    }

    /// A time, or null.
    pub(crate) fn time(&mut self, name: &'static str, row: &mut Cells<'_>) -> Result<()> {
        let time: Option<Time> = row.get()?;
        self.name(name);
        match time {
            Some(time) => {
                self.out.push(b'"');
                time.append_to(self.out);
                self.out.push(b'"');
            }
            None => self.null(),
        }
        Ok(())
    }

    /// A stamp, which is also returned.
    pub(crate) fn stamp(&mut self, name: &'static str, row: &mut Cells<'_>) -> Result<Stamp> {
        let stamp: Stamp = row.get()?;
        self.name(name);
        self.out.push(b'"');
        stamp.append_to(self.out);
        self.out.push(b'"');
        Ok(stamp)
    }

    /// A value that does not come from a cell.
    pub(crate) fn value(&mut self, name: &'static str, value: &impl Serialize) -> Result<()> {
        self.name(name);
        serde_json::to_writer(&mut *self.out, value)
            .map_err(|error| Error::Stored { what: name, why: error.to_string() })
    }

    fn name(&mut self, name: &'static str) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn null(&mut self) {
        self.out.extend_from_slice(b"null");
    }
}

/// Writes a JSON string. Everything from one character that needs an escape to the next is copied at once.
fn quote(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some((plain, byte, after)) = split_at_escape(rest) {
        out.extend_from_slice(plain);
        escape(byte, out);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// What stands before the first byte that needs an escape, that byte, and what follows.
fn split_at_escape(bytes: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let mut at = 0;
    for chunk in bytes.chunks_exact(8) {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        let found = needs_escape(word);
        if found != 0 {
            at += found.trailing_zeros() as usize / 8;
            break;
        }
        at += 8;
    }
    let place = bytes.get(at..)?.iter().position(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\'))?;
    let (plain, rest) = bytes.split_at(at + place);
    rest.split_first().map(|(byte, after)| (plain, *byte, after))
}

/// The highest bit of each of eight bytes that is a control character, a quotation mark or a backslash. Bytes behind
/// the first such may be marked wrongly, because a borrow runs on from it.
fn needs_escape(word: u64) -> u64 {
    const EACH: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = EACH * 0x80;
    let below = |word: u64, bound: u64| word.wrapping_sub(EACH * bound) & !word & HIGH;
    let equal = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    below(word, 0x20) | equal(b'"') | equal(b'\\')
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let hex = |nibble: u8| char::from_digit(nibble.into(), 16).map_or(b'0', |digit| digit as u8);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str) -> String {
        let mut out = Vec::new();
        quote(text, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn any_text_reads_back() {
        let every: String = (0..0x800).filter_map(char::from_u32).collect();
        for text in [
            "",
            "plain",
            "\"",
            "\\",
            "\u{1f}\u{20}\u{7f}\u{80}",
            "a\nb\tc\rd\u{8}\u{c}\0",
            &every,
            "Grüße, 你好 😀",
        ] {
            assert_eq!(serde_json::from_str::<String>(&quoted(text)).expect("JSON"), text, "{text:?}");
        }
    }

    #[test]
    fn an_escape_is_found_wherever_it_stands() {
        for byte in (0..0x20).chain([b'"', b'\\']) {
            for before in 0..20 {
                for after in ["", "\u{21}\u{5b}\u{23}!é1234567890"] {
                    let text = format!(
                        "{}{}{after}",
                        "é!"[..if before % 2 == 0 { 2 } else { 3 }].repeat(before),
                        byte as char
                    );
                    assert_eq!(serde_json::from_str::<String>(&quoted(&text)).expect("JSON"), text);
                }
            }
        }
    }
}
