//! What an endpoint is owed, where that is more than one write changes: held, delivered, discarded, called off and brought
//! forward to the end, and nothing of it sent that should not be.

use std::time::Duration;

use http::Method;
use insta::assert_json_snapshot;
use model::EndpointId;
use serde_json::json;
use store::{
    DeliveryState::{self, Cancelled, Delivered, Held},
    EndpointChange, EndpointState, HeldChoice, ListDeliveries,
};

use crate::support::{Client, Org, Receiver, Reply, Setup, TestApp, on_both_with};

/// As many deliveries as some writes change, beside the one that they are copies of.
const COPIES: usize = 1200;

fn setup() -> Setup {
    Setup { schedule: Some("10h,10h"), ..Setup::unhurried() }
}

/// An organization with one endpoint, and the endpoint's path.
async fn set(app: &TestApp) -> (Org, Receiver, EndpointId, String) {
    let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
    let endpoint = org.endpoint(&receiver.url("/hook")).await.id;
    (org, receiver, endpoint, format!("/v1/webhooks/{endpoint}"))
}

/// Copies of the first delivery, made a little later each and standing like this.
async fn copy(app: &TestApp, state: &str, due_at: &str, later: usize) {
    let id = match app.database_url().starts_with("sqlite") {
        true => "randomblob(16)",
        false => "gen_random_uuid()",
    };
    app.execute(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {COPIES}), \
             d AS (SELECT org_id, endpoint_id, event_id, created_at, updated_at FROM deliveries ORDER BY created_at LIMIT 1) \
         INSERT INTO deliveries (id, org_id, endpoint_id, event_id, state, attempts, due_at, created_at, updated_at) \
         SELECT {id}, org_id, endpoint_id, event_id, '{state}', 1, {due_at}, created_at + 100 + {later} + i, updated_at \
         FROM d, n"
    ))
    .await;
    // The record clock is ahead of what it has stamped.
    app.execute("UPDATE org_clocks SET last_stamp = last_stamp + 10000").await;
}

/// How many deliveries stand like each of these.
async fn count<const N: usize>(org: &Org, states: [DeliveryState; N]) -> [usize; N] {
    let all = org.records.find_deliveries(ListDeliveries::newest(10_000)).await.expect("a list").records;
    states.map(|state| all.iter().filter(|delivery| delivery.state == state).count())
}

async fn call(client: &Client<'_>, name: &str) {
    client.write_call(json!({"external_id": name, "summary": name})).await;
}

/// As the endpoint's page does, without a worker that goes on at once.
async fn turn(app: &TestApp, org: &Org, id: EndpointId, state: EndpointState, held: HeldChoice) {
    let change = EndpointChange { state: Some(state), held, ..EndpointChange::default() };
    let store = app.store_ahead(Duration::ZERO).await;
    store.org(org.id).update_endpoint(id, change).await.expect("a write").expect("an endpoint");
}

#[test]
fn much_that_was_held_is_delivered_a_few_at_a_time_to_the_last() {
    on_both_with(setup(), async |app| {
        let (org, receiver, id, path) = set(app).await;
        let client = app.key(&org);
        client.changed(&path, json!({"state": "paused"})).await;
        call(&client, "a").await;
        copy(app, "held", "NULL", 0).await;
        assert_eq!(count(&org, [Held, Delivered]).await, [COPIES + 1, 0]);

        turn(app, &org, id, EndpointState::Enabled, HeldChoice::Deliver).await;
        // Without waiting for what follows.
        let backlog = client.send_only(Method::GET, &format!("{path}/backlog"), &[], Vec::new()).await;
        assert_json_snapshot!(backlog.json()["data"]["changes"], @r#"
        [
          {
            "change": "deliver",
            "done": 500,
            "began_at": "2026-02-24T21:00:00.000Z"
          }
        ]
        "#);
        app.tick(Duration::from_secs(15)).await;
        assert_eq!(count(&org, [Held, Delivered]).await, [0, COPIES + 1]);
        assert_eq!(receiver.take().len(), COPIES + 1, "each once");
        assert_eq!(client.data(&format!("{path}/backlog")).await["changes"], json!([]));
    });
}

#[test]
fn what_is_discarded_is_not_sent_though_it_is_due_before_its_turn() {
    on_both_with(setup(), async |app| {
        let (org, receiver, id, path) = set(app).await;
        let client = app.key(&org);
        receiver.reply([Reply(500, &[])]);
        call(&client, "a").await;
        assert_eq!(receiver.take().len(), 1);
        turn(app, &org, id, EndpointState::Paused, HeldChoice::Deliver).await;
        // Some failed while the endpoint was paused, and are due now.
        copy(app, "retrying", "1", 0).await;
        copy(app, "held", "NULL", COPIES).await;
        turn(app, &org, id, EndpointState::Enabled, HeldChoice::Discard).await;
        // The worker looks by itself after a while: another process has turned the endpoint.
        app.clock.advance(Duration::from_secs(15));
        call(&client, "b").await;
        app.tick(Duration::from_secs(15)).await;
        let got = receiver.take();
        assert_eq!((got.len(), &got[0].json()["data"]["summary"]), (1, &json!("b")));
        assert_eq!(count(&org, [Cancelled, Delivered]).await, [2 * COPIES + 1, 1]);
        // Whoever wants one after all is sent it.
        let cancelled = client.data("/v1/deliveries?state=cancelled&limit=1").await;
        let resend = format!("/v1/deliveries/{}/resend", cancelled[0]["id"].as_str().expect("an id"));
        assert_eq!(client.post(&resend, &json!({})).await.status, 200);
        assert_eq!(receiver.take().len(), 1);
        assert_eq!(client.data(&format!("{path}/backlog")).await["changes"], json!([]));
    });
}

#[test]
fn much_that_is_due_is_held_when_its_endpoint_is_paused_and_nothing_of_it_is_sent() {
    on_both_with(setup(), async |app| {
        let (org, receiver, id, path) = set(app).await;
        let client = app.key(&org);
        receiver.reply([Reply(500, &[])]);
        call(&client, "a").await;
        copy(app, "retrying", "9000000000000000", 0).await;
        copy(app, "pending", "1", COPIES).await;
        turn(app, &org, id, EndpointState::Paused, HeldChoice::Deliver).await;
        app.tick(Duration::from_secs(15)).await;
        assert_eq!((count(&org, [Held]).await, receiver.take().len()), ([2 * COPIES + 1], 1));
        let backlog = client.data(&format!("{path}/backlog")).await;
        assert_eq!((&backlog["held"], &backlog["pending"]), (&json!(1001), &json!(0)), "counting ends there");
        // Turned again before the first change is at its end: the newest word counts.
        turn(app, &org, id, EndpointState::Enabled, HeldChoice::Deliver).await;
        turn(app, &org, id, EndpointState::Paused, HeldChoice::Deliver).await;
        app.tick(Duration::from_secs(15)).await;
        assert_eq!((count(&org, [Held]).await, receiver.take().len()), ([2 * COPIES + 1], 0));
        client.changed(&path, json!({"state": "enabled", "held": "discard"})).await;
        assert_eq!((count(&org, [Cancelled]).await, receiver.take().len()), ([2 * COPIES + 1], 0));
    });
}

#[test]
fn what_was_to_be_discarded_is_not_delivered_by_a_later_word() {
    on_both_with(setup(), async |app| {
        let (org, receiver, id, path) = set(app).await;
        let client = app.key(&org);
        client.changed(&path, json!({"state": "paused"})).await;
        call(&client, "a").await;
        copy(app, "held", "NULL", 0).await;
        turn(app, &org, id, EndpointState::Enabled, HeldChoice::Discard).await;
        turn(app, &org, id, EndpointState::Paused, HeldChoice::Deliver).await;
        turn(app, &org, id, EndpointState::Enabled, HeldChoice::Deliver).await;
        app.tick(Duration::from_secs(15)).await;
        assert_eq!((count(&org, [Cancelled]).await, receiver.take().len()), ([COPIES + 1], 0));
    });
}

#[test]
fn much_that_is_owed_is_called_off_with_an_endpoint_that_is_deleted_or_gone() {
    for is_gone in [false, true] {
        on_both_with(setup(), async |app| {
            let (org, receiver, id, path) = set(app).await;
            let client = app.key(&org);
            receiver.reply([Reply(500, &[])]);
            call(&client, "a").await;
            copy(app, "retrying", "9000000000000000", 0).await;
            copy(app, "held", "NULL", COPIES).await;
            if is_gone {
                receiver.reply([Reply(410, &[])]);
                call(&client, "b").await;
                assert_eq!(client.data(&path).await["state"], "gone");
            } else {
                assert!(
                    app.store_ahead(Duration::ZERO)
                        .await
                        .org(org.id)
                        .delete_endpoint(id)
                        .await
                        .expect("a write")
                );
            }
            app.tick(Duration::from_secs(15)).await;
            let owed = 2 * COPIES + 1 + usize::from(is_gone);
            assert_eq!(count(&org, [Cancelled]).await, [owed]);
            assert_eq!(receiver.take().len(), 1 + usize::from(is_gone), "nothing else is sent");
        });
    }
}

#[test]
fn all_retries_are_brought_forward_when_an_endpoint_is_well_again() {
    on_both_with(setup(), async |app| {
        let (org, receiver, _, path) = set(app).await;
        let client = app.key(&org);
        receiver.reply([Reply(500, &[]); 5]);
        for name in ["a", "b", "c", "d", "e"] {
            call(&client, name).await;
        }
        assert!(client.data(&path).await["trouble"]["circuit_open_since"].is_string());
        // They would be tried again in ten hours.
        let in_ten_hours = (app.now() + Duration::from_secs(36_000)).micros();
        copy(app, "retrying", &in_ten_hours.to_string(), 10 * COPIES).await;
        app.execute(&format!("UPDATE deliveries SET updated_at = {}", app.now().micros())).await;
        receiver.take();
        for _ in 0..4 {
            app.tick(Duration::from_secs(30)).await;
        }
        assert_eq!((count(&org, [Delivered]).await, receiver.take().len()), ([COPIES + 5], COPIES + 5));
    });
}

#[test]
fn another_process_goes_on_where_one_has_died() {
    on_both_with(setup(), async |app| {
        let (org, receiver, id, path) = set(app).await;
        let client = app.key(&org);
        client.changed(&path, json!({"state": "paused"})).await;
        call(&client, "a").await;
        copy(app, "held", "NULL", 0).await;
        let store = app.store_ahead(Duration::ZERO).await;
        let change = EndpointChange { state: Some(EndpointState::Enabled), ..EndpointChange::default() };
        store.org(org.id).update_endpoint(id, change).await.expect("a write");
        assert!(store.advance_backlog().await.expect("a write"));
        drop(store);
        assert_eq!(count(&org, [Held]).await, [COPIES + 1 - 1000], "two writes were made, of 500 each");
        app.tick(Duration::from_secs(15)).await;
        assert_eq!((count(&org, [Delivered]).await, receiver.take().len()), ([COPIES + 1], COPIES + 1));
    });
}
