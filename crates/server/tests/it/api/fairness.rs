//! Endpoints that hang, and those that do not: nobody waits for the others.

use std::time::Duration;

use http::Method;
use model::EndpointId;
use serde_json::{Value, json};
use store::{DeliveryState::InFlight, ListDeliveries};
use tokio::net::TcpListener;

use crate::support::{Client, Org, Receiver, Setup, TestApp, on_both_with};

/// Takes connections, and says nothing.
struct Hole(TcpListener);

impl Hole {
    async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a port"))
    }

    fn url(&self) -> String {
        format!("http://{}/hole", self.0.local_addr().expect("an address"))
    }
}

/// An organization that tells so many endpoints, all of which hang.
async fn stuck(app: &TestApp, hole: &Hole, endpoints: usize) -> (Org, Vec<EndpointId>) {
    let org = app.org("Stuck").await;
    let mut made = Vec::new();
    for _ in 0..endpoints {
        made.push(org.endpoint(&hole.url()).await.id);
    }
    (org, made)
}

/// Writes a call, and does not wait for what follows.
async fn call(client: &Client<'_>, name: &str) {
    let json = [("content-type", "application/json")];
    let body = json!({"external_id": name}).to_string().into_bytes();
    let answer = client.send_only(Method::POST, "/v1/calls", &json, body).await;
    assert_eq!(answer.status, 201, "{}", answer.shown());
}

async fn under_way(org: &Org) -> usize {
    let all = org.records.find_deliveries(ListDeliveries::newest(1000)).await.expect("a list").records;
    all.iter().filter(|delivery| delivery.state == InFlight).count()
}

async fn arrived(receiver: &Receiver, count: usize) {
    let mut got = 0;
    let all = tokio::time::timeout(Duration::from_secs(10), async {
        while got < count {
            got += receiver.take().len();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(all.await.is_ok(), "{got} of {count} arrived");
}

#[test]
fn endpoints_that_hang_take_their_share_and_others_are_told_at_once() {
    let setup = Setup { slots: 64, timeout_seconds: 5, ..Setup::unhurried() };
    on_both_with(setup, async |app| {
        let hole = Hole::start().await;
        let (one, of_one) = stuck(app, &hole, 40).await;
        let (two, of_two) = stuck(app, &hole, 40).await;
        let mut others = Vec::new();
        for _ in 0..4 {
            let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
            org.endpoint(&receiver.url("/hook")).await;
            others.push((org, receiver));
        }
        for name in ["a", "b", "c"] {
            call(&app.key(&one), name).await;
            call(&app.key(&two), name).await;
        }
        for (org, receiver) in &others {
            for name in ["a", "b", "c"] {
                call(&app.key(org), name).await;
            }
            arrived(receiver, 3).await;
        }
        // A quarter of all for each organization, and all of them still hang.
        assert_eq!((under_way(&one).await, under_way(&two).await), (16, 16));
        for (org, endpoints) in [(&one, of_one), (&two, of_two)] {
            let client = app.key(org);
            for id in endpoints {
                let path = format!("/v1/webhooks/{id}");
                let answer = client.send_only(Method::DELETE, &path, &[], vec![]).await;
                assert_eq!(answer.json()["data"]["deleted"], Value::Bool(true));
            }
        }
        app.settle().await;
        app.tick(Duration::from_secs(10)).await;
    });
}
