//! How a receiver may behave.

use std::{fmt::Write as _, io::Write as _, time::Duration};

use flate2::{Compression, write::GzEncoder};

/// What a receiver does with the requests of a connection.
#[derive(Clone, Debug)]
pub enum Behavior {
    /// Hears each request out and answers with the next of these, and from then on with the last.
    Answers(Vec<Answer>),
    /// Hears a request out, says these bytes and closes.
    Says(Vec<u8>),
    /// The same, and then resets the connection.
    Resets(Vec<u8>),
    /// Hears a request out, says the first, and then the other again and again.
    Trickles {
        /// What is said once.
        first: Vec<u8>,
        /// What is said again and again.
        then: Vec<u8>,
        /// How long it rests in between.
        pause: Duration,
    },
    /// Says these bytes as soon as it has the request's head, and never reads the body.
    AnswersEarly(Vec<u8>),
    /// Accepts, and closes the connection without a word though it could be used again.
    ClosesIdle,
    /// Accepts, and closes the connection when the next request comes over it.
    ClosesReused,
}

/// An answer that is well-formed.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// One without a body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// With another header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Whatever\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        // These two have no body, by definition (RFC 9110, sections 15.3.5 and 15.4.5).
        if !matches!(self.status, 204 | 304) {
            let _ = write!(head, "content-length: {}\r\n", self.body.len());
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl Behavior {
    /// Answers every request with a status.
    pub fn status(status: u16) -> Self {
        Answer::status(status).into()
    }

    /// Accepts everything.
    pub fn good() -> Self {
        Self::status(204)
    }

    /// Fails so often, and then accepts.
    pub fn fails(times: usize) -> Self {
        let mut answers = vec![Answer::status(500); times];
        answers.push(Answer::status(204));
        Self::Answers(answers)
    }

    /// Redirects every request to another path of the same receiver.
    pub fn redirects(status: u16, to: &str) -> Self {
        Answer::status(status).header("location", to).into()
    }

    /// Never says anything.
    pub fn silent() -> Self {
        Self::Trickles { first: Vec::new(), then: Vec::new(), pause: Duration::from_millis(100) }
    }

    /// Says the status and then a header line now and then.
    pub fn slow_head(pause: Duration) -> Self {
        Self::Trickles { first: b"HTTP/1.1 200 OK\r\n".into(), then: b"x-more: to come\r\n".into(), pause }
    }

    /// Says the head and then a byte now and then.
    pub fn slow_body(pause: Duration) -> Self {
        let first = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n".into();
        Self::Trickles { first, then: b"x".into(), pause }
    }

    /// Says as much body as is taken.
    pub fn endless_body() -> Self {
        let first = b"HTTP/1.1 200 OK\r\n\r\n".into();
        Self::Trickles { first, then: vec![b'x'; 4096], pause: Duration::ZERO }
    }

    /// Says nothing but that it will say something.
    pub fn interim_flood() -> Self {
        let then = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n".into();
        Self::Trickles { first: Vec::new(), then, pause: Duration::ZERO }
    }
}

impl From<Answer> for Behavior {
    fn from(answer: Answer) -> Self {
        Self::Answers(vec![answer])
    }
}

/// An answer that is small on the wire and 64 MiB large where somebody unpacks it.
pub fn gzip_bomb() -> Answer {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..64 {
        // Writing to memory cannot fail.
        let _ = packer.write_all(&zeros);
    }
    let body = packer.finish().unwrap_or_default();
    Answer::status(200).header("content-encoding", "gzip").body(body)
}
