//! What an endpoint is owed while it is paused: held, and delivered or discarded when it is enabled.

use std::time::Duration;

use model::EndpointId;
use serde_json::{Value, json};
use store::{
    DeliveryState::{self, Cancelled, Delivered, Held, Retrying},
    EndpointChange, EndpointState, ListDeliveries,
};
use uuid::Uuid;

use crate::support::{Client, Got, Org, Receiver, Reply, TestApp, on_both, worker};

/// An organization with one endpoint, and the endpoint's path.
async fn set(app: &TestApp) -> (Org, Receiver, EndpointId, String) {
    let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
    let endpoint = org.endpoint(&receiver.url("/hook")).await.id;
    (org, receiver, endpoint, format!("/v1/webhooks/{endpoint}"))
}

async fn turn(client: &Client<'_>, path: &str, change: Value) {
    let answer = client.patch(path, &change).await;
    assert_eq!(answer.status, 200, "{}", answer.shown());
}

/// A call a minute, so that there is a time between any two.
async fn calls(app: &TestApp, client: &Client<'_>, names: &[&str]) {
    for name in names {
        app.clock.advance(Duration::from_secs(60));
        client.write_call(json!({"external_id": name, "summary": name})).await;
    }
}

/// How the deliveries stand, the oldest first.
async fn states(org: &Org) -> Vec<DeliveryState> {
    let newest = ListDeliveries::newest(100);
    let mut all = org.records.find_deliveries(newest).await.expect("a list").records;
    all.reverse();
    assert!(all.iter().all(|delivery| delivery.state != DeliveryState::Held || delivery.due_at.is_none()));
    all.iter().map(|delivery| delivery.state).collect()
}

/// The summaries that arrived, in alphabetical order.
fn summaries(receiver: &Receiver) -> Vec<String> {
    let summary = |got: &Got| got.json()["data"]["summary"].as_str().map(str::to_owned);
    let mut all: Vec<_> = receiver.take().iter().filter_map(summary).collect();
    all.sort();
    all
}

#[test]
fn what_comes_up_while_an_endpoint_is_paused_is_held_and_delivered_when_it_is_enabled() {
    on_both(async |app| {
        let (org, receiver, _, path) = set(app).await;
        let client = app.key(&org);
        turn(&client, &path, json!({"state": "paused"})).await;
        calls(app, &client, &["a", "b"]).await;
        app.tick(Duration::from_secs(30 * 86_400)).await;
        assert!(receiver.take().is_empty());
        assert_eq!(states(&org).await, [Held, Held]);
        turn(&client, &path, json!({"state": "enabled"})).await;
        assert_eq!(summaries(&receiver), ["a", "b"]);
        assert_eq!(states(&org).await, [Delivered, Delivered]);
        turn(&client, &path, json!({"state": "enabled"})).await;
        assert!(receiver.take().is_empty(), "once");
    });
}

#[test]
fn a_person_chooses_what_becomes_of_what_was_held() {
    on_both(async |app| {
        let (org, receiver, _, path) = set(app).await;
        let (other, client) = (app.org("Another").await, app.key(&org));
        let elsewhere = other.endpoint(&receiver.url("/other")).await.id;
        let elsewhere = format!("/v1/webhooks/{elsewhere}");
        turn(&app.key(&other), &elsewhere, json!({"state": "paused"})).await;
        calls(app, &app.key(&other), &["theirs"]).await;

        turn(&client, &path, json!({"state": "paused"})).await;
        calls(app, &client, &["a", "b"]).await;
        // The stamps of what is written run a little ahead of a clock that stands still.
        app.clock.advance(Duration::from_secs(30));
        let between = app.now();
        calls(app, &client, &["c"]).await;
        turn(&client, &path, json!({"state": "enabled", "held": between})).await;
        assert_eq!(summaries(&receiver), ["c"]);
        assert_eq!(states(&org).await, [Cancelled, Cancelled, Delivered]);

        turn(&client, &path, json!({"state": "paused"})).await;
        calls(app, &client, &["d"]).await;
        turn(&client, &path, json!({"state": "enabled", "held": "discard"})).await;
        calls(app, &client, &["e"]).await;
        assert_eq!(summaries(&receiver), ["e"]);
        assert_eq!(states(&org).await[3..], [Cancelled, Delivered]);
        assert_eq!(states(&other).await, [Held], "another organization's stays as it is");
    });
}

#[test]
fn a_retry_that_waits_or_is_under_way_is_held_too_and_a_resend_is_sent_all_the_same() {
    on_both(async |app| {
        let (org, receiver, _, path) = set(app).await;
        let client = app.key(&org);
        receiver.reply([Reply(500, &[]); 2]);
        calls(app, &client, &["a"]).await;
        turn(&client, &path, json!({"state": "paused"})).await;
        assert_eq!((receiver.take().len(), states(&org).await), (1, vec![Held]));

        // The resend fails, and is due again though the endpoint is paused.
        let delivery = client.data("/v1/deliveries").await[0]["id"].as_str().expect("an id").to_owned();
        client.post(&format!("/v1/deliveries/{delivery}/resend"), &json!({})).await;
        assert_eq!((receiver.take().len(), states(&org).await), (1, vec![Retrying]));
        app.tick(Duration::from_secs(3600)).await;
        assert_eq!((receiver.take().len(), states(&org).await), (0, vec![Held]));

        turn(&client, &path, json!({"state": "enabled"})).await;
        assert_eq!((receiver.take().len(), states(&org).await), (1, vec![Delivered]));
        let shown = client.data(&format!("/v1/deliveries/{delivery}")).await;
        let triggers: Vec<_> =
            shown["attempts"].as_array().expect("tries").iter().map(|t| &t["trigger"]).collect();
        assert_eq!(triggers, ["schedule", "manual", "schedule"]);
    });
}

#[test]
fn what_failed_while_the_endpoint_was_paused_is_discarded_with_the_rest() {
    on_both(async |app| {
        let (org, receiver, _, path) = set(app).await;
        let client = app.key(&org);
        receiver.reply([Reply(500, &[]); 2]);
        calls(app, &client, &["a"]).await;
        turn(&client, &path, json!({"state": "paused"})).await;
        let delivery = client.data("/v1/deliveries").await[0]["id"].as_str().expect("an id").to_owned();
        client.post(&format!("/v1/deliveries/{delivery}/resend"), &json!({})).await;
        assert_eq!((receiver.take().len(), states(&org).await), (2, vec![Retrying]));
        turn(&client, &path, json!({"state": "enabled", "held": "discard"})).await;
        app.tick(Duration::from_secs(86_400)).await;
        assert_eq!((receiver.take().len(), states(&org).await), (0, vec![Cancelled]));
    });
}

#[test]
fn what_was_held_is_called_off_with_its_endpoint() {
    on_both(async |app| {
        let (org, receiver, _, path) = set(app).await;
        let client = app.key(&org);
        turn(&client, &path, json!({"state": "paused"})).await;
        calls(app, &client, &["a"]).await;
        client.delete(&path).await;
        assert_eq!((receiver.take().len(), states(&org).await), (0, vec![Cancelled]));
    });
}

#[test]
fn the_oldest_of_what_was_held_is_sent_first() {
    on_both(async |app| {
        let (org, receiver, endpoint, path) = set(app).await;
        let client = app.key(&org);
        receiver.reply([Reply(500, &[])]);
        calls(app, &client, &["a"]).await;
        turn(&client, &path, json!({"state": "paused"})).await;
        calls(app, &client, &["b", "c"]).await;
        receiver.take();

        // Another process enables it, and claims before this one's worker looks again.
        let store = app.store_ahead(Duration::from_secs(1)).await;
        let change = EndpointChange { state: Some(EndpointState::Enabled), ..EndpointChange::default() };
        store.org(org.id).update_endpoint(endpoint, change).await.expect("a write");
        let owner = Uuid::from_u128(1);
        let mut claimed = Vec::new();
        for turn in 0..3 {
            let one = store.claim_deliveries(worker(owner, 1), turn).await.expect("a claim");
            claimed.extend(one.leased.into_iter().map(|leased| leased.delivery));
        }
        let newest = ListDeliveries::newest(3);
        let listed = store.org(org.id).find_deliveries(newest).await.expect("a list").records;
        let oldest_first: Vec<_> = listed.iter().rev().map(|delivery| delivery.id).collect();
        assert_eq!(claimed.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), oldest_first);
        for delivery in &claimed {
            store.give_back(delivery, owner).await.expect("a write");
        }
        app.tick(Duration::from_secs(30)).await;
        assert_eq!((summaries(&receiver).len(), states(&org).await), (3, vec![Delivered; 3]));
    });
}
