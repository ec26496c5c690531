//! Endpoints that are sent only so many webhooks in a second, or one after the other.

use std::time::Duration;

use model::Ordering;
use serde_json::{Value, json};
use store::{
    DeliveryState::{self, Delivered, Exhausted, Pending, Retrying},
    EndpointChange, ListDeliveries,
};
use uuid::Uuid;

use crate::support::{Client, Org, Receiver, Reply, Setup, TestApp, on_both, on_both_with, worker};

const FAILS: Reply = Reply(500, &[]);

/// An organization with one endpoint, and the endpoint's path.
async fn set(app: &TestApp, pacing: Value) -> (Org, Receiver, String) {
    let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
    let mut body = json!({"url": receiver.url("/hook"), "events": ["*"]});
    body.as_object_mut().expect("an object").extend(pacing.as_object().expect("an object").clone());
    let made = app.key(&org).made("/v1/webhooks", body).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().expect("an id"));
    (org, receiver, path)
}

async fn call(client: &Client<'_>, name: &str) {
    client.write_call(json!({"external_id": name, "summary": name, "status": "completed"})).await;
}

/// The calls whose webhooks were received since the last look, in their order.
fn told(receiver: &Receiver) -> Vec<String> {
    let name =
        |got: crate::support::Got| got.json()["data"]["summary"].as_str().expect("a summary").to_owned();
    receiver.take().into_iter().map(name).collect()
}

/// How the deliveries stand, the oldest first.
async fn states(org: &Org) -> Vec<DeliveryState> {
    let mut all = org.records.find_deliveries(ListDeliveries::newest(100)).await.expect("a list").records;
    all.reverse();
    all.iter().map(|delivery| delivery.state).collect()
}

#[test]
fn no_more_are_sent_in_a_second_than_the_endpoint_takes_and_the_others_wait_for_all_to_see() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver, _) = set(app, json!({"rate": 20, "events": ["call.completed"]})).await;
        let (client, other) = (app.key(&org), Receiver::start().await);
        org.endpoint(&other.url("/hook")).await;
        for number in 0..9 {
            call(&client, &number.to_string()).await;
        }
        assert_eq!((told(&receiver), told(&other).len()), (vec!["0".to_owned(), "1".to_owned()], 9));
        let waiting = client.data("/v1/deliveries?state=pending").await;
        let due: Vec<_> =
            waiting.as_array().expect("a list").iter().map(|one| &one["next_attempt_at"]).collect();
        assert_eq!(due, vec![&json!("2026-02-24T21:00:00.100Z"); 7]);
        app.tick(Duration::from_millis(99)).await;
        assert_eq!(told(&receiver), [""; 0]);
        app.tick(Duration::from_millis(1)).await;
        let mut next = told(&receiver);
        next.sort();
        assert_eq!(next, ["2", "3"], "the oldest first");
        // What comes now does not overtake those that wait.
        call(&client, "9").await;
        assert_eq!(told(&receiver), [""; 0]);
        let mut rest = Vec::new();
        for _ in 0..3 {
            app.tick(Duration::from_millis(100)).await;
            let mut next = told(&receiver);
            next.sort();
            rest.extend(next);
        }
        assert_eq!(rest, ["4", "5", "6", "7", "8", "9"]);
        app.tick(Duration::from_secs(1)).await;
        call(&client, "a").await;
        assert_eq!(told(&receiver), ["a"], "and at once where there is nothing to wait for");
    });
}

#[test]
fn a_rate_is_changed_and_lifted_and_zapier_has_one_by_itself() {
    on_both(async |app| {
        let (org, receiver, path) = set(app, json!({"rate": 1, "events": ["call.completed"]})).await;
        let client = app.key(&org);
        for name in ["a", "b", "c"] {
            call(&client, name).await;
        }
        assert_eq!(told(&receiver), ["a"]);
        assert_eq!(client.changed(&path, json!({"rate": null})).await["rate"], Value::Null);
        app.settle().await;
        assert_eq!(told(&receiver).len(), 2, "at once");

        let zapier = "https://hooks.zapier.com/hooks/standard/1/abc/";
        let hook = json!({"url": zapier, "events": ["lead.created"]});
        assert_eq!(client.made("/v1/webhooks", hook.clone()).await["rate"], 25);
        let mut unlimited = hook;
        unlimited["rate"] = Value::Null;
        assert_eq!(client.made("/v1/webhooks", unlimited).await["rate"], Value::Null);
        let moved = client.changed(&path, json!({"url": zapier, "events": ["lead.created"]})).await;
        assert_eq!(moved["rate"], 25);
        assert_eq!(client.changed(&path, json!({"rate": 5.0})).await["rate"], 5);
        for (rate, why) in [(json!(0), "1 to 1000"), (json!(1001), "1 to 1000"), (json!(1.5), "whole")] {
            let answer = client.patch(&path, &json!({"rate": rate})).await;
            assert!(answer.error().starts_with("400") && answer.error().contains(why), "{}", answer.shown());
        }
    });
}

#[test]
fn one_after_the_other_means_that_one_that_fails_keeps_the_others_waiting() {
    on_both(async |app| {
        let (org, receiver, _) = set(app, json!({"ordering": "strict", "events": ["call.completed"]})).await;
        let client = app.key(&org);
        call(&client, "a").await;
        assert_eq!(told(&receiver), ["a"]);
        receiver.reply([FAILS, FAILS]);
        for name in ["b", "c", "d"] {
            call(&client, name).await;
        }
        assert_eq!(told(&receiver), ["b"]);
        assert_eq!(states(&org).await, [Delivered, Retrying, Pending, Pending]);
        app.tick(Duration::from_secs(6)).await;
        assert_eq!(told(&receiver), ["b"], "again, and it fails again");
        app.tick(Duration::from_secs(6 * 60)).await;
        assert_eq!(told(&receiver), ["b", "c", "d"]);
        assert_eq!(states(&org).await, [Delivered; 4]);
    });
}

#[test]
fn one_that_is_given_up_or_called_off_keeps_nobody_waiting_any_more() {
    let setup = Setup { schedule: Some("1s"), ..Setup::unhurried() };
    on_both_with(setup, async |app| {
        let (org, receiver, path) =
            set(app, json!({"ordering": "strict", "events": ["call.completed"]})).await;
        let client = app.key(&org);
        receiver.reply([FAILS, FAILS]);
        for name in ["a", "b", "c"] {
            call(&client, name).await;
        }
        app.tick(Duration::from_secs(2)).await;
        assert_eq!(told(&receiver), ["a", "a", "b", "c"]);
        assert_eq!(states(&org).await, [Exhausted, Delivered, Delivered]);
        // What is recovered is sent one after the other, too.
        receiver.reply([FAILS]);
        client.post(&format!("{path}/recover"), &json!({})).await;
        call(&client, "d").await;
        assert_eq!(told(&receiver), ["a"]);
        app.tick(Duration::from_secs(2)).await;
        assert_eq!(told(&receiver), ["a", "d"]);
    });
}

#[test]
fn what_a_person_sends_once_more_goes_out_of_turn() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver, _) = set(app, json!({"ordering": "strict", "events": ["call.completed"]})).await;
        let client = app.key(&org);
        call(&client, "a").await;
        receiver.reply([FAILS]);
        call(&client, "b").await;
        told(&receiver);
        let first = client.data("/v1/deliveries").await[1]["id"].as_str().expect("an id").to_owned();
        client.post(&format!("/v1/deliveries/{first}/resend"), &json!({})).await;
        app.settle().await;
        assert_eq!(told(&receiver), ["a"]);
        assert_eq!(states(&org).await, [Delivered, Retrying]);
        app.tick(Duration::from_secs(6)).await;
        assert_eq!(told(&receiver), ["b"]);
    });
}

#[test]
fn by_key_only_what_is_of_the_same_call_or_contact_waits() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver, _) = set(app, json!({"ordering": "per_key"})).await;
        let client = app.key(&org);
        let events = || receiver.take().iter().map(|got| got.event()).collect::<Vec<_>>();
        let contact = client.made("/v1/contacts", json!({"name": "Dave", "phone": "+14155550142"})).await;
        let contact = format!("/v1/contacts/{}", contact["id"].as_str().expect("an id"));
        assert_eq!(events(), ["contact.created"]);
        receiver.reply([FAILS]);
        client.changed(&contact, json!({"name": "David"})).await;
        client.changed(&contact, json!({"name": "Davey"})).await;
        client.made("/v1/contacts", json!({"name": "Robin", "phone": "+14155550143"})).await;
        assert_eq!(events(), ["contact.updated", "contact.created"], "another contact waits for nobody");
        receiver.reply([FAILS]);
        call(&client, "a").await;
        let first = events();
        assert_eq!(first.len(), 1, "the first of the call's: {first:?}");
        call(&client, "b").await;
        let other = events();
        assert!(other.len() > 1 || other == first, "another call waits for nobody: {other:?}");
        app.tick(Duration::from_secs(6)).await;
        let rest = receiver.take();
        let names: Vec<_> = rest
            .iter()
            .filter(|got| got.event() == "contact.updated")
            .map(|got| got.json()["data"]["name"].as_str().expect("a name").to_owned())
            .collect();
        assert_eq!(names, ["David", "Davey"]);
        assert!(states(&org).await.iter().all(|state| *state == Delivered));
    });
}

#[test]
fn an_open_circuit_probes_with_the_one_whose_turn_it_is_and_then_all_follow_in_their_order() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver, path) = set(app, json!({"events": ["call.completed"]})).await;
        let client = app.key(&org);
        receiver.reply([FAILS; 5]);
        let names = ["a", "b", "c", "d", "e"];
        for name in names {
            call(&client, name).await;
        }
        told(&receiver);
        assert_eq!(client.changed(&path, json!({"ordering": "strict"})).await["ordering"], "strict");
        call(&client, "f").await;
        app.tick(Duration::from_secs(30)).await;
        assert_eq!(told(&receiver), ["a", "b", "c", "d", "e", "f"]);
        assert_eq!(states(&org).await, [Delivered; 6]);
    });
}

#[test]
fn processes_that_claim_at_the_same_time_send_one_after_the_other_all_the_same() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver, path) =
            set(app, json!({"ordering": "strict", "events": ["call.completed"]})).await;
        let client = app.key(&org);
        client.changed(&path, json!({"state": "paused"})).await;
        for name in ["a", "b", "c"] {
            call(&client, name).await;
        }
        let store = app.store_ahead(Duration::from_secs(1)).await;
        let id = path.rsplit('/').next().expect("an id").parse().expect("an id");
        let change =
            EndpointChange { state: Some(store::EndpointState::Enabled), ..EndpointChange::default() };
        store.org(org.id).update_endpoint(id, change).await.expect("a write");
        let [one, two] = [1, 2].map(Uuid::from_u128);
        let first = store.claim_deliveries(worker(one, 9), 0).await.expect("a claim").leased;
        let second = store.claim_deliveries(worker(two, 9), 0).await.expect("a claim").leased;
        assert_eq!((first.len(), second.len()), (1, 0));
        store.give_back(&first[0].delivery, one).await.expect("a write");
        app.tick(Duration::from_secs(30)).await;
        assert_eq!(told(&receiver), ["a", "b", "c"]);
    });
}

#[test]
fn an_order_can_be_lifted() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver, path) =
            set(app, json!({"ordering": "strict", "events": ["call.completed"]})).await;
        let client = app.key(&org);
        receiver.reply([FAILS]);
        for name in ["a", "b", "c"] {
            call(&client, name).await;
        }
        assert_eq!(told(&receiver), ["a"]);
        client.changed(&path, json!({"ordering": "none"})).await;
        app.settle().await;
        assert_eq!(told(&receiver).len(), 2);
        assert_eq!(states(&org).await, [Retrying, Delivered, Delivered]);
        app.tick(Duration::from_secs(6)).await;
        let listed = org.records.list_endpoints().await.expect("a list");
        assert_eq!(listed[0].pacing.ordering, Ordering::None);
    });
}
