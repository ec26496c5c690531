//! Takes the recording out of a `post_call_audio` body while it arrives: a scanner that knows just enough of JSON to
//! tell the value of `data.full_audio` from everything that looks like it.

use model::Time;

use super::{base64_text::Base64Text, proof::Proof};
use crate::{LargeBody, Rejection, TakenApart, Unreadable};

/// How much a body may hold besides the recording, in bytes.
const REST_LIMIT: usize = 2 * 1024 * 1024;

/// More than a name needs that is one of ours, though each of its letters be an escape sequence of six.
const NAME_LIMIT: usize = 64;

/// A body on its way in.
pub(super) struct AudioBody {
    proof: Result<Proof, Rejection>,
    place: Place,
    within: Within,
    /// The body without the recording.
    rest: Vec<u8>,
    had_recording: bool,
    fault: Option<Unreadable>,
}

/// What the next byte belongs to.
enum Place {
    /// Between texts.
    Open,
    /// A text that matters to nobody here.
    Text { escaped: bool },
    /// A field's name that may be one of ours, as it is written, from its opening quotation mark on.
    Name { raw: Vec<u8>, escaped: bool },
    /// The recording.
    Recording(Base64Text),
}

/// How deep in the body the next value is, and under which names.
#[derive(Default)]
struct Within {
    /// How many objects and arrays are open.
    depth: usize,
    root_is_object: bool,
    /// Whether the last name in the root was `data`.
    after_data: bool,
    /// Whether what is open at the second level is the object `data`.
    data: bool,
    /// Whether the last name in `data` was `full_audio`.
    after_full_audio: bool,
    /// Whether a text would be a name, if this is an object.
    name_next: bool,
}

impl LargeBody for AudioBody {
    fn push(&mut self, piece: &[u8], audio: &mut Vec<u8>) {
        if let Ok(proof) = &mut self.proof {
            proof.update(piece);
        }
        let mut piece = piece;
        while self.fault.is_none()
            && let Some((&byte, after)) = piece.split_first()
        {
            piece = match &mut self.place {
                Place::Recording(text) => match text.take(piece, audio) {
                    Ok(None) => return,
                    Ok(Some(after)) => {
                        self.keep(b'"');
                        self.place = Place::Open;
                        after
                    }
                    Err(_) => {
                        self.fault = Some(Unreadable::new("data.full_audio is not base64"));
                        return;
                    }
                },
                _ => {
                    self.keep(byte);
                    self.step(byte);
                    after
                }
            };
        }
    }

    fn finish(self: Box<Self>, now: Time) -> TakenApart {
        let Self { proof, place, rest, fault, .. } = *self;
        let cut_off = matches!(place, Place::Recording(_))
            .then(|| Unreadable::new("the body ends in the middle of data.full_audio"));
        TakenApart {
            verdict: proof.and_then(|proof| proof.finish(now)),
            body: rest,
            fault: fault.or(cut_off),
        }
    }
}

impl AudioBody {
    pub(super) fn new(proof: Result<Proof, Rejection>) -> Self {
        Self {
            proof,
            place: Place::Open,
            within: Within::default(),
            rest: Vec::new(),
            had_recording: false,
            fault: None,
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.rest.len() < REST_LIMIT {
            self.rest.push(byte);
        } else {
            let why = format!("the body has more than {REST_LIMIT} bytes besides data.full_audio");
            self.fault = Some(Unreadable::new(why));
        }
    }

    /// Goes past a byte that is not the recording's.
    fn step(&mut self, byte: u8) {
        match &mut self.place {
            Place::Open => self.structure(byte),
            Place::Text { escaped } => {
                if ends_text(byte, escaped) {
                    self.place = Place::Open;
                }
            }
            Place::Name { raw, escaped } => {
                if raw.len() < NAME_LIMIT {
                    raw.push(byte);
                }
                if ends_text(byte, escaped) {
                    self.within.named(raw);
                    self.place = Place::Open;
                }
            }
            // Its bytes are taken elsewhere, many at a time.
            Place::Recording(_) => {}
        }
    }

    fn structure(&mut self, byte: u8) {
        match byte {
            b'{' => self.within.open(true),
            b'[' => self.within.open(false),
            b'}' | b']' => self.within.close(),
            b',' => self.within.name_next = true,
            b':' => self.within.name_next = false,
            b'"' => self.place = self.text(),
            _ => {}
        }
    }

    /// What the text is that begins here.
    fn text(&mut self) -> Place {
        if self.within.is_name() {
            return Place::Name { raw: vec![b'"'], escaped: false };
        }
        if !self.within.is_recording() {
            return Place::Text { escaped: false };
        }
        if self.had_recording {
            self.fault = Some(Unreadable::new("data.full_audio is there twice"));
        }
        self.had_recording = true;
        Place::Recording(Base64Text::default())
    }
}

impl Within {
    fn open(&mut self, is_object: bool) {
        self.depth = self.depth.saturating_add(1);
        match self.depth {
            1 => {
                self.root_is_object = is_object;
                self.after_data = false;
            }
            2 => {
                self.data = is_object && self.root_is_object && self.after_data && !self.name_next;
                self.after_full_audio = false;
            }
            _ => {}
        }
        self.name_next = is_object;
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.data = self.data && self.depth > 1;
        self.name_next = false;
    }

    fn is_name(&self) -> bool {
        let in_ours = match self.depth {
            1 => self.root_is_object,
            2 => self.data,
            _ => false,
        };
        in_ours && self.name_next
    }

    fn is_recording(&self) -> bool {
        self.depth == 2 && self.data && self.after_full_audio && !self.name_next
    }

    /// Takes note of a field's name, which is still in its quotation marks and with its escape sequences.
    fn named(&mut self, raw: &[u8]) {
        let name: Option<String> = serde_json::from_slice(raw).ok();
        match self.depth {
            1 => self.after_data = name.as_deref() == Some("data"),
            _ => self.after_full_audio = name.as_deref() == Some("full_audio"),
        }
    }
}

/// Whether the byte is the closing quotation mark of the text it is in.
fn ends_text(byte: u8, escaped: &mut bool) -> bool {
    let was_escaped = std::mem::replace(escaped, byte == b'\\' && !*escaped);
    byte == b'"' && !was_escaped
}
