//! Base64 within JSON text (RFC 4648 within RFC 8259), decoded as it comes in.

use base64::{
    DecodeError, Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// What follows in the same text is no end, so there can be no padding.
const MIDDLE: GeneralPurpose = with_padding(DecodePaddingMode::RequireNone);
/// Padded or not.
const END: GeneralPurpose = with_padding(DecodePaddingMode::Indifferent);

/// How many characters are decoded at a time, however long the piece is that they came in.
const BATCH: usize = 32 * 1024;

const fn with_padding(mode: DecodePaddingMode) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(mode);
    GeneralPurpose::new(&alphabet::STANDARD, config)
}

/// A text that is being decoded, from after its opening quotation mark on.
#[derive(Default)]
pub(super) struct Base64Text {
    /// Characters that are not decoded yet: the last group of four, because it may be the end.
    pending: Vec<u8>,
    escape: Escape,
}

/// Where in an escape sequence the text stands.
#[derive(Clone, Copy, Default)]
enum Escape {
    #[default]
    None,
    /// After the backslash.
    Begun,
    /// After `\u` and some of its four digits.
    Unicode { digits: u8, code: u32 },
}

/// What is not base64.
#[derive(Debug)]
pub(super) struct NotBase64;

impl From<DecodeError> for NotBase64 {
    fn from(_: DecodeError) -> Self {
        Self
    }
}

impl Base64Text {
    /// Decodes as much as there is, up to the closing quotation mark. Returns what follows that mark, or `None` where
    /// the text goes on in the next piece.
    pub(super) fn take<'a>(
        &mut self,
        piece: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, NotBase64> {
        let mut rest = piece;
        while let Some((&byte, after)) = rest.split_first() {
            match (self.escape, byte) {
                (Escape::None, b'"') => {
                    END.decode_vec(&self.pending, out)?;
                    self.pending.clear();
                    return Ok(Some(after));
                }
                (Escape::None, b'\\') => self.escape = Escape::Begun,
                (Escape::None, _) => {
                    let is_plain = |byte: &u8| !matches!(byte, b'"' | b'\\');
                    let plain = rest.iter().position(|byte| !is_plain(byte)).unwrap_or(rest.len());
                    let (plain, after) = rest.split_at(plain);
                    self.decode(plain, out)?;
                    rest = after;
                    continue;
                }
                _ => self.escaped(byte, out)?,
            }
            rest = after;
        }
        Ok(None)
    }

    fn escaped(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), NotBase64> {
        self.escape = match (self.escape, byte) {
            (Escape::Begun, b'u') => Escape::Unicode { digits: 0, code: 0 },
            (Escape::Begun, b'/') => {
                self.decode(b"/", out)?;
                Escape::None
            }
            (Escape::Unicode { digits, code }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(NotBase64)?;
                let (digits, code) = (digits + 1, code * 16 + digit);
                if digits < 4 {
                    Escape::Unicode { digits, code }
                } else {
                    self.decode(&[u8::try_from(code).map_err(|_| NotBase64)?], out)?;
                    Escape::None
                }
            }
            // Line breaks, quotation marks and the like are no base64, escaped or not.
            _ => return Err(NotBase64),
        };
        Ok(())
    }

    fn decode(&mut self, characters: &[u8], out: &mut Vec<u8>) -> Result<(), NotBase64> {
        for batch in characters.chunks(BATCH) {
            self.pending.extend_from_slice(batch);
            let whole_groups = self.pending.len().saturating_sub(1) / 4 * 4;
            let (ready, _) = self.pending.split_at(whole_groups);
            MIDDLE.decode_vec(ready, out)?;
            self.pending.drain(..whole_groups);
        }
        Ok(())
    }
}
