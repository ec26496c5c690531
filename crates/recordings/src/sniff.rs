//! What bytes are, by how they begin: sound in one of the usual containers, or a page that says why there is none.
//!
//! What is served is called what it was found to be here, never what a platform called it, so that nobody's page is
//! shown under our address.

/// How many bytes are looked at.
pub const LOOKED_AT: usize = 512;

/// What a recording is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    /// The media type.
    pub content_type: &'static str,
    /// What files of it end in.
    pub extension: &'static str,
}

/// Why bytes are no recording, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSound {
    /// There are none.
    #[error("the answer is empty")]
    Empty,
    /// They are text.
    #[error("the answer is no recording but {0}")]
    Text(&'static str),
    /// They are none of the formats that we know.
    #[error("the answer is in no format of recordings that is known here")]
    Unknown,
}

const fn sound(content_type: &'static str, extension: &'static str) -> Sound {
    Sound { content_type, extension }
}

/// Every media type that is kept.
pub const SOUNDS: [Sound; 12] = [
    sound("audio/wav", "wav"),
    sound("audio/mpeg", "mp3"),
    sound("audio/ogg", "ogg"),
    sound("audio/flac", "flac"),
    sound("audio/mp4", "m4a"),
    sound("video/mp4", "mp4"),
    sound("audio/webm", "webm"),
    sound("video/webm", "webm"),
    sound("audio/aac", "aac"),
    sound("audio/amr", "amr"),
    sound("audio/basic", "au"),
    sound("application/octet-stream", "bin"),
];

fn known(content_type: &str) -> Option<Sound> {
    SOUNDS.into_iter().find(|sound| sound.content_type == content_type)
}

/// What begins like this is in. `declared` is the media type that the sender calls it by, which tells sound from
/// pictures where the container holds both.
pub fn sniff(head: &[u8], declared: Option<&str>) -> Result<Sound, NoSound> {
    if head.is_empty() {
        return Err(NoSound::Empty);
    }
    let declared =
        declared.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let declared = declared.as_deref().unwrap_or_default();
    if let Some(content_type) = by_signature(head, declared.starts_with("video/")) {
        return known(content_type).ok_or(NoSound::Unknown);
    }
    if let Some(what) = text(head, declared) {
        return Err(NoSound::Text(what));
    }
    // Raw samples begin like nothing in particular: then the sender's word that it is sound has to do.
    match declared {
        "audio/basic" | "audio/aac" | "audio/mpeg" => known(declared).ok_or(NoSound::Unknown),
        _ if declared.starts_with("audio/") => known("application/octet-stream").ok_or(NoSound::Unknown),
        _ => Err(NoSound::Unknown),
    }
}

fn by_signature(head: &[u8], is_video: bool) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if (at(0, b"RIFF") || at(0, b"RF64")) && at(8, b"WAVE") {
        return Some("audio/wav");
    }
    if at(4, b"ftyp") {
        return Some(if is_video { "video/mp4" } else { "audio/mp4" });
    }
    if at(0, &[0x1a, 0x45, 0xdf, 0xa3]) {
        return Some(if is_video { "video/webm" } else { "audio/webm" });
    }
    for (magic, content_type) in [
        (&b"ID3"[..], "audio/mpeg"),
        (b"OggS", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"#!AMR", "audio/amr"),
        (b".snd", "audio/basic"),
    ] {
        if at(0, magic) {
            return Some(content_type);
        }
    }
    // A frame of MPEG audio begins with eleven ones; in the next bits layer 0 makes it AAC in ADTS.
    match *head {
        [0xff, second, third, ..] if second & 0xe0 == 0xe0 && second != 0xff && third != 0xff => {
            Some(if second & 0x06 == 0 { "audio/aac" } else { "audio/mpeg" })
        }
        _ => None,
    }
}

/// What kind of text it is, if it is one.
fn text(head: &[u8], declared: &str) -> Option<&'static str> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let lower: Vec<u8> = head.iter().take(64).map(u8::to_ascii_lowercase).collect();
    if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") || declared == "text/html" {
        return Some("a web page");
    }
    if lower.starts_with(b"<?xml") || declared.ends_with("/xml") || declared.ends_with("+xml") {
        return Some("XML");
    }
    if lower.first() == Some(&b'<') {
        return Some("a web page");
    }
    if matches!(lower.first(), Some(b'{' | b'['))
        || declared.ends_with("/json")
        || declared.ends_with("+json")
    {
        return Some("JSON");
    }
    let is_text =
        !head.is_empty() && head.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e));
    (is_text || declared.starts_with("text/")).then_some("text")
}

/// The first bytes of a recording, which tell how long one in WAV is.
#[derive(Default)]
pub struct Head(Vec<u8>);

impl Head {
    /// Takes the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        let room = LOOKED_AT.saturating_sub(self.0.len());
        self.0.extend_from_slice(&piece[..room.min(piece.len())]);
    }

    /// How many whole seconds a recording of so many bytes takes, half rounded up. Only WAV tells.
    pub fn duration_seconds(&self, size: u64) -> Option<i64> {
        if !self.0.starts_with(b"RIFF") || self.0.get(8..12)? != b"WAVE" {
            return None;
        }
        let mut at = 12;
        let mut bytes_per_second = None;
        loop {
            let (name, length) = (self.0.get(at..at + 4)?, u64::from(self.number(at + 4)?));
            let body = at + 8;
            match name {
                b"fmt " => bytes_per_second = Some(u64::from(self.number(body + 8)?)),
                b"data" => {
                    let rate = bytes_per_second.filter(|rate| *rate > 0)?;
                    // One that was written while it was recorded does not know its length.
                    let length = length.min(size.saturating_sub(body as u64));
                    return i64::try_from((length + rate / 2) / rate).ok();
                }
                _ => {}
            }
            at = body.checked_add(usize::try_from(length + length % 2).ok()?)?;
        }
    }

    fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.0.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_known_by_how_it_begins() {
        for (head, declared, content_type) in [
            (&b"RIFF\x24\x00\x00\x00WAVEfmt "[..], None, "audio/wav"),
            (b"ID3\x04\x00", Some("text/html"), "audio/mpeg"),
            (b"\xff\xfb\x90\x64", None, "audio/mpeg"),
            (b"\xff\xf1\x50\x80", None, "audio/aac"),
            (b"OggS\x00\x02", None, "audio/ogg"),
            (b"fLaC\x00", None, "audio/flac"),
            (b"\x00\x00\x00\x20ftypM4A ", None, "audio/mp4"),
            (b"\x00\x00\x00\x20ftypisom", Some("video/mp4"), "video/mp4"),
            (b"\x1a\x45\xdf\xa3", Some("Video/WebM; codecs=vp8"), "video/webm"),
            (b"\x00\x01\x02\x80", Some("audio/basic"), "audio/basic"),
            (b"\x00\x01\x02\x80", Some("audio/L16;rate=8000"), "application/octet-stream"),
        ] {
            let found = sniff(head, declared).map(|sound| sound.content_type);
            assert_eq!(found, Ok(content_type), "{head:?}");
        }
    }

    #[test]
    fn what_is_no_sound_is_told_by_name() {
        for (head, declared, words) in [
            (&b""[..], Some("audio/wav"), "the answer is empty"),
            (b" \n<!DOCTYPE html><html>", Some("audio/wav"), "the answer is no recording but a web page"),
            (b"<Html>", None, "the answer is no recording but a web page"),
            (b"\xef\xbb\xbf<?xml version='1.0'?><Error>", None, "the answer is no recording but XML"),
            (b"{\"message\":\"expired\"}", Some("audio/mpeg"), "the answer is no recording but JSON"),
            (b"Not found", Some("audio/mpeg"), "the answer is no recording but text"),
            (b"\x00\x01", Some("application/json"), "the answer is no recording but JSON"),
            (b"\x00\x01", None, "the answer is in no format of recordings that is known here"),
            (
                b"\x89PNG\r\n",
                Some("image/png"),
                "the answer is in no format of recordings that is known here",
            ),
            (b"\xff\xff\xff\xff", None, "the answer is in no format of recordings that is known here"),
        ] {
            assert_eq!(
                sniff(head, declared).map_err(|why| why.to_string()),
                Err(words.to_owned()),
                "{head:?}"
            );
        }
    }

    #[test]
    fn wav_tells_how_long_it_is() {
        let wav = |rate: u32, data: u32| {
            let mut head =
                b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0".to_vec();
            head.extend_from_slice(&rate.to_le_bytes());
            head.extend_from_slice(b"\x02\0\x10\0data");
            head.extend_from_slice(&data.to_le_bytes());
            head
        };
        let seconds = |bytes: &[u8], size: u64| {
            let mut head = Head::default();
            bytes.chunks(7).for_each(|piece| head.push(piece));
            head.duration_seconds(size)
        };
        let header = wav(16_000, 40_000).len() as u64;
        assert_eq!(seconds(&wav(16_000, 40_000), header + 40_000), Some(3));
        assert_eq!(seconds(&wav(16_000, u32::MAX), header + 16_000), Some(1));
        assert_eq!(seconds(&wav(0, 40_000), header + 40_000), None);
        assert_eq!(seconds(b"RIFF\0\0\0\0WAVEdata\xff\xff\xff\xff", 50), None);
        assert_eq!(seconds(b"ID3", 50), None);
    }
}
