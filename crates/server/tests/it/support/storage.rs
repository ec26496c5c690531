//! Where a platform keeps recordings, on a real socket: it gives out what was put there, and notes what it was asked for.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};

use tokio::net::TcpListener;

use super::app::spawn;

/// A storage that listens.
pub(crate) struct Storage {
    base: String,
    shelves: Arc<Shelves>,
}

#[derive(Default)]
struct Shelves {
    items: Mutex<HashMap<String, VecDeque<Item>>>,
    asked: Mutex<Vec<String>>,
    shown: Mutex<HashMap<String, Option<String>>>,
}

/// What is given out at an address.
#[derive(Clone)]
pub(crate) struct Item {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    is_chunked: bool,
}

impl Item {
    /// A recording, with its length said before.
    pub(crate) fn sound(bytes: &[u8]) -> Self {
        Self { body: bytes.to_vec(), ..Self::status(200) }.with("content-type", "audio/x-wav")
    }

    /// A recording whose length is not said before.
    pub(crate) fn chunked(bytes: &[u8]) -> Self {
        Self { is_chunked: true, ..Self::sound(bytes) }
    }

    /// A page where a recording should be.
    pub(crate) fn page(html: &str) -> Self {
        Self { body: html.into(), ..Self::status(200) }.with("content-type", "audio/mpeg")
    }

    /// No recording.
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), is_chunked: false }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

impl Storage {
    pub(crate) async fn start() -> Self {
        let shelves = Arc::<Shelves>::default();
        let router = Router::new().fallback(give).with_state(shelves.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        spawn(async move { axum::serve(listener, router).await });
        Self { base, shelves }
    }

    /// An address here.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Gives these out at a path, one after the other, and the last for good. Returns the address.
    pub(crate) fn put(&self, path: &str, items: impl IntoIterator<Item = Item>) -> String {
        let items = items.into_iter().collect();
        self.shelves.items.lock().expect("the items").insert(path.to_owned(), items);
        self.url(path)
    }

    /// The paths that were asked for since the last look, in alphabetical order: recordings are fetched several at a
    /// time.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.shelves.asked.lock().expect("the notes"));
        asked.sort();
        asked
    }

    /// The `Authorization`, or the key in ElevenLabs' header, that a path was last asked for with. `None` where it was not asked for.
    pub(crate) fn shown(&self, path: &str) -> Option<Option<String>> {
        self.shelves.shown.lock().expect("the notes").get(path).cloned()
    }
}

async fn give(State(shelves): State<Arc<Shelves>>, uri: Uri, headers: HeaderMap) -> Response {
    let shown = headers
        .get("authorization")
        .or_else(|| headers.get("xi-api-key"))
        .map(|value| value.to_str().expect("text").to_owned());
    shelves.shown.lock().expect("the notes").insert(uri.path().to_owned(), shown);
    shelves.asked.lock().expect("the notes").push(uri.path().to_owned());
    let item = {
        let mut items = shelves.items.lock().expect("the items");
        let at = items.entry(uri.path().to_owned()).or_default();
        let next = at.pop_front();
        if let Some(last) = next.clone().filter(|_| at.is_empty()) {
            at.push_back(last);
        }
        next.unwrap_or_else(|| Item::status(404))
    };
    let body = if item.is_chunked {
        let pieces: Vec<_> = item
            .body
            .chunks(10_000)
            .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
            .collect();
        Body::from_stream(futures_util::stream::iter(pieces))
    } else {
        Body::from(item.body)
    };
    let mut response = body.into_response();
    *response.status_mut() = StatusCode::from_u16(item.status).expect("a status");
    for (name, value) in item.headers {
        response.headers_mut().insert(name, value.parse().expect("a value"));
    }
    response
}

/// A recording of so many seconds, in WAV: 8000 samples a second of 16 bits for each channel.
pub(crate) fn wav(seconds: u32, channels: u16) -> Vec<u8> {
    let rate = 8000 * 2 * u32::from(channels);
    let data = rate * seconds;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + data).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16_u32.to_le_bytes());
    bytes.extend_from_slice(&1_u16.to_le_bytes());
    bytes.extend_from_slice(&channels.to_le_bytes());
    bytes.extend_from_slice(&8000_u32.to_le_bytes());
    bytes.extend_from_slice(&rate.to_le_bytes());
    bytes.extend_from_slice(&(2 * channels).to_le_bytes());
    bytes.extend_from_slice(&16_u16.to_le_bytes());
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&data.to_le_bytes());
    bytes.extend((0..data).map(|n| (n % 251) as u8));
    bytes
}
