//! What most of these tests begin with: an organization, its key, a source, and an endpoint at a receiver.

use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

use super::{
    receiver::{Receiver, Reply},
    server::{Home, Kind, PATIENCE, Server, http_client, until},
};

const REPORT: &str = include_str!("../../../../connectors/fixtures/vapi/end-of-call-report.json");

/// What Vapi shows to prove that it is Vapi.
pub(super) const PLATFORM_SECRET: &str = "the-secret-of-the-platform-5531";

/// Lets webhooks go to this machine.
pub(super) const ALLOWED: (&str, &str) = ("INBOUNDFLOW_DELIVERY__ALLOW_TARGETS", "127.0.0.1/32");

pub(super) struct Scene {
    pub(super) home: Home,
    pub(super) org: String,
    pub(super) key: String,
    pub(super) source: String,
    pub(super) receiver: Receiver,
    pub(super) http: Client,
    numbers: AtomicUsize,
}

impl Scene {
    /// Everything by the operator's commands; the endpoint is told of `call.completed`.
    pub(super) async fn set(kind: Kind, reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::set_in(Home::new(kind).await, reply).await
    }

    /// The same in a home that is there.
    pub(super) async fn set_in(home: Home, reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let receiver = Receiver::start(reply).await;
        let org = text(&home.json(&["org", "create", "--name", "Harbor"]), "id");
        let key = ["key", "create", "--org", &org, "--name", "test", "--rate-limit", "1000000"];
        let key = text(&home.json(&key), "key");
        let source =
            ["source", "create", "--org", &org, "--platform", "vapi", "--secret-file", "-", "--json"];
        let source = text(&home.run_with_input(&source, PLATFORM_SECRET).json(), "id");
        let url = receiver.url();
        let webhook = home.run_with_input(
            &["webhook", "create", "--org", &org, "--url", &url, "--events", "call.completed", "--json"],
            "",
        );
        assert!(webhook.status.success(), "{webhook:?}");
        Self { home, org, key, source, receiver, http: http_client(), numbers: AtomicUsize::new(0) }
    }

    /// A server that may send to the receiver.
    pub(super) async fn serve(&self, environment: &[(&str, &str)]) -> Server {
        Server::start(&self.home, &[&[ALLOWED], environment].concat()).await
    }

    /// Vapi's report of a call that ended; the answer's status.
    pub(super) async fn post_call(&self, server: &Server, call: &str) -> reqwest::Result<StatusCode> {
        Ok(self.post(server, call).await?.status())
    }

    /// Vapi's report of a call that ended.
    pub(super) async fn post(&self, server: &Server, call: &str) -> reqwest::Result<Response> {
        let url = server.url(&format!("/ingest/vapi/{}", self.source));
        let request = self.http.post(url).header("content-type", "application/json");
        request.header("x-vapi-secret", PLATFORM_SECRET).body(report(call)).send().await
    }

    /// A number that nobody had.
    pub(super) fn next_number(&self) -> usize {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// A request with the key.
    pub(super) async fn get(&self, server: &Server, path: &str) -> (StatusCode, Value) {
        let response =
            self.http.get(server.url(path)).bearer_auth(&self.key).send().await.expect("an answer");
        let (status, body) = (response.status(), response.bytes().await.expect("a body"));
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    /// Every call, page by page.
    pub(super) async fn calls(&self, server: &Server) -> Vec<Value> {
        let mut calls = Vec::new();
        let mut path = "/v1/calls?limit=100".to_owned();
        loop {
            let (status, page) = self.get(server, &path).await;
            assert_eq!(status, StatusCode::OK, "{page}");
            calls.extend(page["data"].as_array().expect("a list").clone());
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("/v1/calls?limit=100&cursor={cursor}"),
                None => return calls,
            }
        }
    }

    /// The newest deliveries, as the operator sees them.
    pub(super) fn deliveries(&self) -> Vec<Value> {
        let list = self.home.json(&["deliveries", "list", "--org", &self.org, "--limit", "1000"]);
        list["data"].as_array().expect("a list").clone()
    }

    /// Waits until so many webhooks have arrived.
    pub(super) async fn arrived(&self, count: usize) {
        let what = format!("{count} webhooks arrive");
        until(&what, PATIENCE, async || (self.receiver.count() >= count).then_some(())).await;
    }
}

/// The body of Vapi's report of a call.
pub(super) fn report(call: &str) -> String {
    let mut report: Value = serde_json::from_str(REPORT).expect("JSON");
    report["message"]["call"]["id"] = call.into();
    report.to_string()
}

pub(super) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}
