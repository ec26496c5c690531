//! The other side, a process of its own: a server of fixed answers, as the limit of what axum can do on this machine,
//! and a receiver of webhooks that counts them.

use std::{fs, future::ready, path::Path, process::Command};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, Uri, header},
    response::IntoResponse,
    routing::{get, post},
    serve::ListenerExt,
};
use tokio::{net::TcpListener, sync::watch};

use super::{process::Process, wire};

/// A peer that runs.
pub(super) struct Peer(pub(super) Process);

impl Peer {
    /// Starts this program once more as the peer. It answers `/list` and `/one` with these texts.
    pub(super) fn start(folder: &Path, list: &[u8], one: &[u8]) -> Result<Self> {
        let (list_file, one_file) = (folder.join("list.json"), folder.join("one.json"));
        fs::write(&list_file, list)?;
        fs::write(&one_file, one)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "--peer"]).args([&list_file, &one_file]);
        Ok(Self(Process::start(command, &folder.join("peer.log"))?))
    }

    /// How many webhooks it has received.
    pub(super) fn count(&self) -> Result<u64> {
        self.until(0)
    }

    /// Waits until it has received so many webhooks, and returns how many it has.
    pub(super) fn until(&self, count: u64) -> Result<u64> {
        let answer = wire::ask(self.0.address, &wire::get(&format!("/until/{count}"), None))?;
        String::from_utf8_lossy(&answer).parse().context("the peer's count")
    }
}

/// Is the peer, until it is killed.
pub(super) fn serve(list: &Path, one: &Path) -> Result<()> {
    let (list, one) = (Bytes::from(fs::read(list)?), Bytes::from(fs::read(one)?));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let counted = watch::Sender::new(0_u64);
        let router = Router::new()
            .route("/list", get(move || ready(json(list.clone()))))
            .route("/one", get(move || ready(json(one.clone()))))
            .route("/hook", post(receive))
            .route("/until/{count}", get(until))
            .with_state(counted);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        announce(&format!("listening on http://{}", listener.local_addr()?));
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        Ok(axum::serve(listener, router).await?)
    })
}

#[expect(clippy::print_stderr, reason = "whoever started us reads the address there")]
fn announce(line: &str) {
    eprintln!("{line}");
}

fn json(body: Bytes) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], body)
}

async fn receive(State(counted): State<watch::Sender<u64>>, _body: Bytes) -> StatusCode {
    counted.send_modify(|count| *count += 1);
    StatusCode::NO_CONTENT
}

async fn until(State(counted): State<watch::Sender<u64>>, uri: Uri) -> String {
    let wanted: u64 = uri.path().rsplit('/').next().and_then(|count| count.parse().ok()).unwrap_or(0);
    let mut counts = counted.subscribe();
    let reached = counts.wait_for(|count| *count >= wanted);
    // Whoever asks waits for a while, not for ever: where a webhook is missing they are told how many came.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(60), reached).await;
    let count = *counted.borrow();
    count.to_string()
}
