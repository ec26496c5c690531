//! The adapter for InboundFlow: its API, with a key that may write.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Created, Endpoint, Seen, State};

/// A running InboundFlow server.
pub struct InboundFlow {
    http: reqwest::Client,
    base: String,
    key: String,
}

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

impl InboundFlow {
    /// The server at an address, such as `http://127.0.0.1:8080`, for one of its keys.
    pub fn new(base: &str, key: &str) -> Result<Self> {
        // An error says that it was chosen before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), key: key.trim().to_owned() })
    }

    pub(super) async fn create_endpoint(&self, url: &str, secret: &str) -> Result<Created> {
        let body = json!({"url": url, "events": ["call.completed"], "secret": secret});
        let (status, answer) = self.ask(Method::POST, "/v1/webhooks", Some(&body)).await?;
        match status {
            StatusCode::CREATED => {
                let endpoint = text(&answer["data"]["id"]).context("the endpoint has no id")?;
                Ok(Created::Made(Endpoint { endpoint, secret: None }))
            }
            StatusCode::BAD_REQUEST => {
                let why = text(&answer["error"]["message"]).unwrap_or_default();
                Ok(Created::Refused(why))
            }
            _ => bail!("POST /v1/webhooks: {status}: {answer}"),
        }
    }

    pub(super) async fn trigger(&self) -> Result<()> {
        let call = json!({"status": "completed", "summary": "A call of the conformance kit."});
        let (status, answer) = self.ask(Method::POST, "/v1/calls", Some(&call)).await?;
        anyhow::ensure!(status.is_success(), "POST /v1/calls: {status}: {answer}");
        Ok(())
    }

    pub(super) async fn state(&self, endpoint: &str) -> Result<Option<Seen>> {
        let path = format!("/v1/deliveries?limit=1&webhook_id={endpoint}");
        let (status, answer) = self.ask(Method::GET, &path, None).await?;
        anyhow::ensure!(status.is_success(), "GET {path}: {status}: {answer}");
        let Some(delivery) = answer["data"].get(0) else { return Ok(None) };
        let state = match delivery["state"].as_str().unwrap_or_default() {
            "pending" | "in_flight" | "retrying" => State::Waiting,
            "delivered" => State::Delivered,
            "exhausted" => State::Failed,
            "held" | "cancelled" => State::Stopped,
            other => bail!("a delivery's state is \"{other}\", which this kit does not know"),
        };
        let attempts = delivery["attempt_count"].as_u64().context("a delivery has no attempt_count")?;
        Ok(Some(Seen { state, attempts, cause: text(&delivery["last_error"]) }))
    }

    pub(super) async fn delete_endpoint(&self, endpoint: &str) -> Result<()> {
        let path = format!("/v1/webhooks/{endpoint}");
        let (status, answer) = self.ask(Method::DELETE, &path, None).await?;
        anyhow::ensure!(status.is_success(), "DELETE {path}: {status}: {answer}");
        Ok(())
    }

    /// Asks, and asks again where the key has asked too often.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(StatusCode, Value)> {
        loop {
            let url = format!("{}{path}", self.base);
            let mut request = self.http.request(method.clone(), url).bearer_auth(&self.key);
            if let Some(body) = body {
                request = request.header("content-type", "application/json").body(body.to_string());
            }
            let answer = request.send().await.with_context(|| format!("{method} {path}"))?;
            let status = answer.status();
            if status == StatusCode::TOO_MANY_REQUESTS {
                let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
                let seconds = after.and_then(|value| value.parse().ok()).unwrap_or(1);
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                continue;
            }
            let bytes = answer.bytes().await?;
            let value = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
            return Ok((status, value));
        }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
