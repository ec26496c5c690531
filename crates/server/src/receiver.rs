//! A receiver of webhooks, as an integrator would write one: it checks both signatures, with other code than ours.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::{net::TcpListener, sync::mpsc};

use crate::serve::spawn;

/// A webhook that was received.
#[derive(Debug)]
pub(crate) struct Received {
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: serde_json::Value,
    /// Whether its signatures are right.
    pub(crate) verified: Result<(), String>,
}

/// A receiver that listens.
pub(crate) struct Receiver {
    /// Where.
    pub(crate) address: SocketAddr,
    /// What it received.
    pub(crate) received: mpsc::UnboundedReceiver<Received>,
}

struct Inbox {
    secret: String,
    sender: mpsc::UnboundedSender<Received>,
}

impl Receiver {
    /// Listens on a port of this machine for webhooks that are signed with a secret.
    pub(crate) async fn start(secret: String) -> anyhow::Result<Self> {
        let (sender, received) = mpsc::unbounded_channel();
        let inbox = Arc::new(Inbox { secret, sender });
        let router = Router::new().route("/hook", post(receive)).with_state(inbox);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the demo's receiver stopped");
            }
        });
        Ok(Self { address, received })
    }
}

async fn receive(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let verified = verify(&inbox.secret, &headers, &body);
    let status = if verified.is_ok() { StatusCode::NO_CONTENT } else { StatusCode::BAD_REQUEST };
    let body = serde_json::from_slice(&body).unwrap_or_default();
    // The demo may have seen enough and be gone.
    let _ = inbox.sender.send(Received { headers, body, verified });
    status
}

fn verify(secret: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
    let standard = standardwebhooks::Webhook::new(secret).map_err(|error| error.to_string())?;
    standard.verify(body, headers).map_err(|error| format!("webhook-signature: {error}"))?;
    let given =
        headers.get("x-inboundflow-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let hex = given.strip_prefix("sha256=").ok_or("X-InboundFlow-Signature does not begin with sha256=")?;
    let given = hex::decode(hex).map_err(|error| format!("X-InboundFlow-Signature: {error}"))?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|error| error.to_string())?;
    mac.update(body);
    mac.verify_slice(&given).map_err(|_| "X-InboundFlow-Signature does not match".to_owned())
}
