//! The limit for webhooks: signed posts and nothing else, from the product's HTTP library to the peer.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use delivery::sign;
use reqwest::{Client, StatusCode};
use tokio::task::JoinSet;

use super::{peer::Peer, table::Sample, timing};

/// As many as the product has under way for one endpoint.
const CONNECTIONS: usize = 16;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Posts bodies of this size for a while.
pub(super) fn run(peer: &Peer, body: &str, measured: Duration) -> Result<Sample> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let client = client()?;
    let url: Arc<str> = format!("http://{}/hook", peer.0.address).into();
    let body = Bytes::copy_from_slice(body.as_bytes());
    runtime.block_on(async {
        let warm_up = measured / 10;
        post_all(&client, &url, &body, warm_up).await?;
        let began = timing::now();
        let mut micros = post_all(&client, &url, &body, measured).await?;
        Ok(Sample::of(&mut micros, began.elapsed(), None))
    })
}

/// As the product makes it, less the guard of addresses.
fn client() -> Result<Client> {
    delivery::client::install_crypto();
    let builder =
        Client::builder().no_proxy().http1_only().tcp_nodelay(true).timeout(Duration::from_secs(15));
    builder.build().context("cannot make an HTTP client")
}

async fn post_all(client: &Client, url: &Arc<str>, body: &Bytes, measured: Duration) -> Result<Vec<u32>> {
    let mut tasks = JoinSet::new();
    let end = timing::now() + measured;
    for task in 0..CONNECTIONS {
        let (client, url, body) = (client.clone(), url.clone(), body.clone());
        tasks.spawn(async move {
            let mut micros = Vec::new();
            while timing::now() < end {
                let began = timing::now();
                let id = format!("msg_{task:04}_{:08}", micros.len());
                post(&client, &url, &body, &id).await?;
                micros.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            anyhow::Ok(micros)
        });
    }
    let mut all = Vec::new();
    while let Some(done) = tasks.join_next().await {
        all.extend(done??);
    }
    ensure!(!all.is_empty(), "nothing was posted");
    Ok(all)
}

/// One post with both signatures of the product.
async fn post(client: &Client, url: &str, body: &Bytes, id: &str) -> Result<()> {
    let seconds = timing::unix_seconds();
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("x-inboundflow-signature", sign::hex_signature(SECRET, body))
        .header("webhook-id", id)
        .header("webhook-timestamp", seconds)
        .header("webhook-signature", sign::standard_signature(SECRET, id, seconds, body))
        .body(body.clone());
    let response = request.send().await?;
    let status = response.status();
    response.bytes().await?;
    ensure!(status == StatusCode::NO_CONTENT, "the peer answered {status}");
    Ok(())
}
