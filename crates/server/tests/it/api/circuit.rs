//! An endpoint that fails again and again: only a probe is sent now and then, and all that waited when it is well.

use std::time::Duration;

use insta::assert_json_snapshot;
use model::EndpointId;
use serde_json::{Value, json};
use store::{
    DeliveryState::{self, Delivered, Pending, Retrying},
    ListDeliveries,
};

use crate::support::{Client, Got, Org, Receiver, Reply, Setup, TestApp, on_both, on_both_with};

const FAILS: Reply = Reply(500, &[]);

/// An organization with one endpoint, and the endpoint's path.
async fn set(app: &TestApp) -> (Org, Receiver, EndpointId, String) {
    let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
    let endpoint = org.endpoint(&receiver.url("/hook")).await.id;
    (org, receiver, endpoint, format!("/v1/webhooks/{endpoint}"))
}

async fn calls(app: &TestApp, client: &Client<'_>, names: &[&str]) {
    for name in names {
        client.write_call(json!({"external_id": name, "summary": name})).await;
        app.settle().await;
    }
}

/// Five calls whose webhooks all fail.
async fn break_it(app: &TestApp, client: &Client<'_>, receiver: &Receiver) {
    receiver.reply([FAILS; 5]);
    calls(app, client, &["a", "b", "c", "d", "e"]).await;
    assert_eq!(receiver.take().len(), 5);
}

/// How the deliveries stand, the oldest first.
async fn states(org: &Org) -> Vec<DeliveryState> {
    let mut all = org.records.find_deliveries(ListDeliveries::newest(100)).await.expect("a list").records;
    all.reverse();
    all.iter().map(|delivery| delivery.state).collect()
}

async fn trouble(client: &Client<'_>, path: &str) -> Value {
    client.data(path).await["trouble"].clone()
}

/// What the tries of a delivery were made for.
async fn triggers(client: &Client<'_>, delivery: &Value) -> Vec<String> {
    let id = delivery["id"].as_str().expect("an id");
    let shown = client.data(&format!("/v1/deliveries/{id}")).await;
    let tries = shown["attempts"].as_array().expect("its tries").iter();
    tries.map(|one| one["trigger"].as_str().expect("a trigger").to_owned()).collect()
}

#[test]
fn after_five_failures_only_a_probe_is_sent_now_and_then_and_its_success_sends_all_that_waited() {
    on_both(async |app| {
        let (org, receiver, _, path) = set(app).await;
        let client = app.key(&org);
        assert_eq!(trouble(&client, &path).await, Value::Null);
        break_it(app, &client, &receiver).await;
        calls(app, &client, &["f"]).await;
        assert!(receiver.take().is_empty(), "what comes now waits");
        let mut waiting = vec![Retrying; 5];
        waiting.push(Pending);
        assert_eq!(states(&org).await, waiting);
        assert_json_snapshot!(trouble(&client, &path).await, @r#"
        {
          "failures": 5,
          "failing_since": "2026-02-24T21:00:00.000Z",
          "last_error": "the receiver answered 500",
          "circuit_open_since": "2026-02-24T21:00:00.000Z",
          "next_probe_at": "2026-02-24T21:00:30.000Z",
          "disable_at": null
        }
        "#);
        for waits in client.data("/v1/deliveries").await.as_array().expect("a list") {
            assert_eq!(waits["next_attempt_at"], "2026-02-24T21:00:30.000Z", "not before the probe");
        }

        let mut replies = vec![FAILS; 2];
        replies.push(Reply(200, &[]));
        receiver.reply(replies);
        for (wait, probe) in [(30, "first"), (60, "second")] {
            app.tick(Duration::from_secs(wait - 1)).await;
            assert!(receiver.take().is_empty(), "the {probe} probe is not sent before its time");
            app.tick(Duration::from_secs(1)).await;
            assert_eq!(receiver.take().len(), 1, "the {probe} probe");
        }
        assert!(states(&org).await.iter().all(|state| matches!(state, Pending | Retrying)));
        app.tick(Duration::from_secs(120)).await;
        assert_eq!(receiver.take().len(), 6, "the third probe, and then all that waited");
        assert_eq!(states(&org).await, [Delivered; 6]);
        assert_eq!(trouble(&client, &path).await, Value::Null);
        calls(app, &client, &["g"]).await;
        assert_eq!(receiver.take().len(), 1, "and what comes now is sent at once");
    });
}

#[test]
fn a_success_between_two_failures_starts_the_count_anew() {
    on_both(async |app| {
        let (org, receiver, _, path) = set(app).await;
        let client = app.key(&org);
        let mut replies = vec![FAILS; 4];
        replies.push(Reply(200, &[]));
        replies.extend([FAILS; 4]);
        receiver.reply(replies);
        calls(app, &client, &["a", "b", "c", "d"]).await;
        assert_eq!(trouble(&client, &path).await["failures"], 4);
        calls(app, &client, &["e"]).await;
        assert_eq!(trouble(&client, &path).await, Value::Null);
        calls(app, &client, &["f", "g", "h", "i"]).await;
        let now = trouble(&client, &path).await;
        assert_eq!((&now["failures"], &now["circuit_open_since"]), (&json!(4), &Value::Null));
        app.tick(Duration::from_secs(6)).await;
        assert!(states(&org).await.iter().all(|state| *state == Delivered), "each by its own schedule");
    });
}

#[test]
fn probes_use_up_no_try_of_the_schedule_however_long_the_endpoint_is_down() {
    on_both(async |app| {
        let (org, receiver, _, _) = set(app).await;
        let client = app.key(&org);
        break_it(app, &client, &receiver).await;
        receiver.reply([FAILS; 40]);
        for _ in 0..40 {
            app.tick(Duration::from_secs(600)).await;
        }
        assert_eq!(states(&org).await, [Retrying; 5]);
        let probes = receiver.take().len();
        assert!(probes > 30, "{probes} probes");
        // What is left of the forty replies fails once more; then it is well.
        for _ in 0..(41 - probes) {
            app.tick(Duration::from_secs(600)).await;
        }
        assert_eq!(states(&org).await, [Delivered; 5]);
    });
}

#[test]
fn what_a_person_asks_for_is_sent_though_the_circuit_is_open_and_its_success_closes_it() {
    on_both(async |app| {
        let (org, receiver, _, path) = set(app).await;
        let client = app.key(&org);
        break_it(app, &client, &receiver).await;
        let newest = client.data("/v1/deliveries").await[0].clone();
        let resend = format!("/v1/deliveries/{}/resend", newest["id"].as_str().expect("an id"));
        receiver.reply([FAILS]);
        client.post(&resend, &json!({})).await;
        app.settle().await;
        assert_eq!(receiver.take().len(), 1);
        assert_ne!(trouble(&client, &path).await["circuit_open_since"], Value::Null);
        client.post(&resend, &json!({})).await;
        app.settle().await;
        assert_eq!(receiver.take().len(), 5, "that one, and then all that waited");
        assert_eq!(states(&org).await, [Delivered; 5]);
        assert_eq!(triggers(&client, &newest).await, ["schedule", "manual", "manual"]);
    });
}

#[test]
fn another_address_is_tried_at_once_and_other_endpoints_notice_nothing() {
    on_both(async |app| {
        let (org, receiver, _, path) = set(app).await;
        let (client, well) = (app.key(&org), Receiver::start().await);
        break_it(app, &client, &receiver).await;
        org.endpoint(&well.url("/well")).await;
        well.reply([FAILS]);
        calls(app, &client, &["f"]).await;
        assert_eq!((receiver.take().len(), well.take().len()), (0, 1));
        app.tick(Duration::from_secs(6)).await;
        assert_eq!((receiver.take().len(), well.take().len()), (0, 1), "its retry has its own time");
        let moved = client.patch(&path, &json!({"url": receiver.url("/new")})).await;
        assert_eq!(moved.status, 200, "{}", moved.shown());
        assert_eq!(moved.json()["data"]["trouble"], Value::Null);
        app.settle().await;
        let got = receiver.take();
        assert_eq!((got.len(), got[0].path.as_str()), (6, "/new"));
    });
}

#[test]
fn who_asks_to_be_left_alone_is_sent_nothing_until_then() {
    on_both(async |app| {
        let (org, receiver, _, path) = set(app).await;
        let client = app.key(&org);
        receiver.reply([Reply(429, &[("retry-after", "20")])]);
        calls(app, &client, &["a", "b", "c"]).await;
        assert_eq!(receiver.take().len(), 1);
        assert_eq!(
            trouble(&client, &path).await["next_probe_at"],
            json!(app.now() + Duration::from_secs(20))
        );
        app.tick(Duration::from_secs(19)).await;
        assert_eq!((receiver.take().len(), states(&org).await), (0, vec![Retrying, Pending, Pending]));
        app.tick(Duration::from_secs(1)).await;
        assert_eq!((receiver.take().len(), states(&org).await), (3, vec![Delivered; 3]));
        assert_eq!(trouble(&client, &path).await, Value::Null);
    });
}

/// An endpoint that is told how the organization's other endpoints fare.
async fn watcher(client: &Client<'_>) -> Receiver {
    let watcher = Receiver::start().await;
    let events = ["endpoint.failing", "endpoint.disabled", "endpoint.recovered"];
    client.made("/v1/webhooks", json!({"url": watcher.url("/watch"), "events": events})).await;
    watcher
}

const HALF_A_DAY: Duration = Duration::from_secs(12 * 60 * 60);

#[test]
fn an_endpoint_that_takes_nothing_for_five_days_is_disabled_and_the_others_are_told_a_day_ahead() {
    on_both(async |app| {
        let (org, receiver, id, path) = set(app).await;
        let client = app.key(&org);
        client.patch(&path, &json!({"description": "Our CRM"})).await;
        let watcher = watcher(&client).await;
        break_it(app, &client, &receiver).await;
        let told = watcher.take();
        assert_eq!(told.iter().map(Got::event).collect::<Vec<_>>(), ["endpoint.failing"]);
        let mut data = told[0].json()["data"].clone();
        assert_eq!(data["webhook_id"].take(), json!(id));
        assert_json_snapshot!(data, @r#"
        {
          "webhook_id": null,
          "description": "Our CRM",
          "failures": 5,
          "failing_since": "2026-02-24T21:00:00.000Z",
          "last_error": "the receiver answered 500",
          "disable_at": null
        }
        "#);

        receiver.reply([FAILS; 10]);
        for _ in 0..7 {
            app.tick(HALF_A_DAY).await;
        }
        assert_eq!((watcher.take().len(), &trouble(&client, &path).await["disable_at"]), (0, &Value::Null));
        app.tick(HALF_A_DAY).await;
        let told = watcher.take();
        assert_eq!(told.iter().map(Got::event).collect::<Vec<_>>(), ["endpoint.failing"]);
        let disable_at = told[0].json()["data"]["disable_at"].clone();
        assert_eq!(disable_at, json!(app.now() + 2 * HALF_A_DAY));
        assert_eq!(trouble(&client, &path).await["disable_at"], disable_at);

        app.tick(HALF_A_DAY).await;
        assert_eq!((watcher.take().len(), &client.data(&path).await["state"]), (0, &json!("enabled")));
        app.tick(HALF_A_DAY).await;
        assert_eq!(watcher.take_events(), ["endpoint.disabled"]);
        assert_eq!(client.data(&path).await["state"], "disabled");
        assert_eq!(receiver.take().len(), 10, "a probe each time");
        calls(app, &client, &["f"]).await;
        app.tick(HALF_A_DAY).await;
        assert_eq!((receiver.take().len(), watcher.take().len()), (0, 0), "now it is left alone");
        let mut to_crm = states(&org).await;
        to_crm.retain(|state| *state != Delivered);
        assert_eq!(to_crm, [DeliveryState::Held; 6], "and nothing is lost");

        let enabled = client.patch(&path, &json!({"state": "enabled"})).await.json()["data"].clone();
        assert_eq!((&enabled["state"], &enabled["trouble"]), (&json!("enabled"), &Value::Null));
        app.settle().await;
        assert_eq!(receiver.take().len(), 6);
        assert_eq!(watcher.take().len(), 0, "who enabled it knows");
    });
}

#[test]
fn who_was_told_that_an_endpoint_fails_is_told_when_it_is_well() {
    on_both(async |app| {
        let (org, receiver, _, _) = set(app).await;
        let client = app.key(&org);
        let watcher = watcher(&client).await;
        let mut replies = vec![FAILS; 4];
        replies.push(Reply(200, &[]));
        receiver.reply(replies);
        calls(app, &client, &["1", "2", "3", "4", "5"]).await;
        assert_eq!(watcher.take().len(), 0, "four failures open no circuit, so nothing is over");
        app.tick(Duration::from_secs(6)).await;
        receiver.take();
        break_it(app, &client, &receiver).await;
        assert_eq!(watcher.take_events(), ["endpoint.failing"]);
        app.tick(Duration::from_secs(30)).await;
        assert_eq!(watcher.take_events(), ["endpoint.recovered"]);
    });
}

#[test]
fn while_our_own_network_is_down_nothing_is_given_up_and_nobody_is_disabled() {
    let setup = Setup { schedule: Some("1h"), ..Setup::unhurried() };
    on_both_with(setup, async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let watcher = watcher(&client).await;
        let mut paths = Vec::new();
        for host in ["one", "two", "three"] {
            let url = format!("https://{host}.invalid/hook");
            let made = client.made("/v1/webhooks", json!({"url": url, "events": ["call.completed"]})).await;
            paths.push(format!("/v1/webhooks/{}", made["id"].as_str().expect("an id")));
        }
        // The first failures are not known to be ours; from then on all are.
        for name in ["a", "b", "c", "d", "e", "f"] {
            client.write_call(json!({"external_id": name})).await;
            app.settle().await;
        }
        for _ in 0..12 {
            app.tick(Duration::from_secs(600)).await;
        }
        for path in &paths {
            let trouble = trouble(&client, path).await;
            assert_ne!(trouble["circuit_open_since"], Value::Null, "nobody is hammered meanwhile");
            let since: model::Time =
                trouble["failing_since"].as_str().expect("a time").parse().expect("a time");
            let failing = app.now().since(since);
            assert!(failing < Duration::from_secs(1200), "it does not add up to days: {failing:?}");
        }
        assert_eq!(watcher.take().len(), 0);
        assert_eq!(states(&org).await.iter().filter(|state| **state == DeliveryState::Exhausted).count(), 0);
        for path in &paths {
            client.delete(path).await;
        }
    });
}
