//! A receiver of webhooks on a real socket, which writes down everything and answers as it is told.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::{net::TcpListener, sync::mpsc};

use super::app::spawn;

/// A receiver that listens.
#[derive(Clone)]
pub(crate) struct Receiver {
    base: String,
    notes: Arc<Notes>,
}

#[derive(Default)]
struct Notes {
    got: Mutex<Vec<Got>>,
    replies: Mutex<VecDeque<Reply>>,
}

/// A request that was received.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// How a request is answered; 204 where nothing is told.
#[derive(Clone, Copy)]
pub(crate) struct Reply(pub(crate) u16, pub(crate) &'static [(&'static str, &'static str)]);

impl Receiver {
    pub(crate) async fn start() -> Self {
        let notes = Arc::<Notes>::default();
        let router = Router::new().fallback(receive).with_state(notes.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        spawn(async move { axum::serve(listener, router).await });
        Self { base, notes }
    }

    /// An address here.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Answers the next requests like this, one after the other.
    pub(crate) fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.notes.replies.lock().expect("the replies").extend(replies);
    }

    /// Everything that was received since the last look.
    pub(crate) fn take(&self) -> Vec<Got> {
        std::mem::take(&mut self.notes.got.lock().expect("the notes"))
    }

    /// The events that were received since the last look, in alphabetical order: webhooks leave at once, and may
    /// overtake each other.
    pub(crate) fn take_events(&self) -> Vec<String> {
        let mut events: Vec<_> = self.take().iter().map(Got::event).collect();
        events.sort();
        events
    }
}

/// A receiver that answers when it is told to, whoever waits longest first.
pub(crate) struct Holding {
    pub(crate) url: String,
    arrivals: Arc<AtomicUsize>,
    answers: mpsc::UnboundedSender<StatusCode>,
}

impl Holding {
    pub(crate) async fn start() -> Self {
        let (answers, told) = mpsc::unbounded_channel();
        let (arrivals, told) = (Arc::<AtomicUsize>::default(), Arc::new(tokio::sync::Mutex::new(told)));
        let counted = arrivals.clone();
        let router = Router::new().fallback(move || {
            let told = told.clone();
            counted.fetch_add(1, Ordering::SeqCst);
            // Those who wait for a lock of tokio's get it in their order.
            async move { told.lock().await.recv().await.unwrap_or(StatusCode::GONE) }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        spawn(async move { axum::serve(listener, router).await });
        Self { url, arrivals, answers }
    }

    /// How many requests have come.
    pub(crate) fn arrivals(&self) -> usize {
        self.arrivals.load(Ordering::SeqCst)
    }

    /// Answers one request, now or when it comes.
    pub(crate) fn answer(&self, status: u16) {
        let status = StatusCode::from_u16(status).expect("a status");
        self.answers.send(status).expect("the receiver listens");
    }
}

async fn receive(State(notes): State<Arc<Notes>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let body = String::from_utf8(body.to_vec()).expect("UTF-8");
    notes.got.lock().expect("the notes").push(Got { path: uri.path().to_owned(), headers, body });
    let reply = notes.replies.lock().expect("the replies").pop_front().unwrap_or(Reply(204, &[]));
    let mut response = StatusCode::from_u16(reply.0).expect("a status").into_response();
    for (name, value) in reply.1 {
        response.headers_mut().insert(*name, value.parse().expect("a value"));
    }
    response
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub(crate) fn event(&self) -> String {
        self.json()["event"].as_str().expect("a name").to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The headers of ours and the body, as they came.
    pub(crate) fn shown(&self) -> String {
        let ours = |name: &str| name.starts_with("x-") || name.starts_with("webhook-");
        let ours = |name: &str| ours(name) || ["content-type", "user-agent"].contains(&name);
        let headers = self.headers.iter().filter(|(name, _)| ours(name.as_str()));
        let lines: String =
            headers.map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap_or("?"))).collect();
        format!("{lines}\n{}", self.body)
    }

    /// Fails unless both signatures are right, by other code than ours.
    pub(crate) fn verify(&self, secret: &str) {
        let id = self.header("webhook-id");
        assert_eq!(id, self.header("x-inboundflow-delivery-id"));
        assert_eq!(id, self.json()["delivery_id"], "the body and the headers name the same delivery");
        let seconds = self.header("webhook-timestamp");
        assert_eq!(seconds, self.header("x-inboundflow-timestamp"));
        // `verify` of the library compares with the system's time, and ours is another.
        let theirs = standardwebhooks::Webhook::new(secret).expect("a secret");
        let signature = theirs.sign(id, seconds.parse().expect("a number"), self.body.as_bytes());
        assert_eq!(self.header("webhook-signature"), signature.expect("a signature"));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
        mac.update(self.body.as_bytes());
        let hex = hex::encode(mac.finalize().into_bytes());
        assert_eq!(self.header("x-inboundflow-signature"), format!("sha256={hex}"));
    }
}
