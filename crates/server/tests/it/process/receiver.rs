//! A receiver of webhooks inside the test: it keeps what arrives and answers as it is told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

/// A webhook as it arrived.
#[derive(Clone)]
pub(super) struct Hook {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Hook {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_else(|| panic!("no {name}"))
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// What the receiver answers, and how long it takes.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) after: Duration,
    /// Waited for first.
    pub(super) gate: Option<Gate>,
}

impl Reply {
    pub(super) fn with(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status");
        Self { status, after: Duration::ZERO, gate: None }
    }
}

/// What answers wait for: closed, until it is opened for good.
#[derive(Clone)]
pub(super) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    pub(super) fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(super) fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(&self) {
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// A receiver on a port of this machine; it is gone when it is dropped.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    hooks: Arc<Mutex<Vec<Hook>>>,
    _task: JoinSet<()>,
}

impl Receiver {
    /// Answers with what `reply` says to the number of the webhook, from 0.
    pub(super) async fn start(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let hooks: Arc<Mutex<Vec<Hook>>> = Arc::default();
        let (kept, reply) = (hooks.clone(), Arc::new(reply));
        let router = Router::new().route(
            "/hook",
            post(move |headers: HeaderMap, body: Bytes| {
                let (kept, reply) = (kept.clone(), reply.clone());
                async move {
                    let number = {
                        let mut hooks = kept.lock().unwrap_or_else(PoisonError::into_inner);
                        hooks.push(Hook { headers, body });
                        hooks.len() - 1
                    };
                    let Reply { status, after, gate } = reply(number);
                    if let Some(gate) = gate {
                        gate.passed().await;
                    }
                    tokio::time::sleep(after).await;
                    status
                }
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let mut task = JoinSet::new();
        task.spawn(async move {
            axum::serve(listener, router).await.expect("the receiver listens");
        });
        Self { address, hooks, _task: task }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Every webhook so far.
    pub(super) fn hooks(&self) -> Vec<Hook> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn count(&self) -> usize {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
