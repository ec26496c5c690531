//! What failed for good is sent again, all of it, and only that.

use std::time::Duration;

use insta::assert_json_snapshot;
use serde_json::{Value, json};
use store::{
    DeliveryState::{self, Delivered, Exhausted, Held},
    ListDeliveries,
};

use crate::support::{Client, Got, Org, Receiver, Reply, Setup, TestApp, on_both_with};

/// Two tries: the second failure is the last.
fn setup() -> Setup {
    Setup { schedule: Some("1s"), ..Setup::unhurried() }
}

const FAILS: Reply = Reply(500, &[]);

/// An organization with one endpoint, and the endpoint's path.
async fn set(app: &TestApp) -> (Org, Receiver, String) {
    let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
    let endpoint = org.endpoint(&receiver.url("/hook")).await.id;
    (org, receiver, format!("/v1/webhooks/{endpoint}"))
}

/// A call whose webhook is given up.
async fn lose(app: &TestApp, client: &Client<'_>, receiver: &Receiver, name: &str) {
    receiver.reply([FAILS; 2]);
    client.write_call(json!({"external_id": name, "summary": name})).await;
    app.settle().await;
    app.tick(Duration::from_secs(2)).await;
}

async fn states(org: &Org) -> Vec<DeliveryState> {
    let mut all = org.records.find_deliveries(ListDeliveries::newest(100)).await.expect("a list").records;
    all.reverse();
    all.iter().map(|delivery| delivery.state).collect()
}

async fn count(client: &Client<'_>, path: &str, query: &str) -> Value {
    client.data(&format!("{path}/recoverable{query}")).await["count"].clone()
}

#[test]
fn everything_that_failed_since_a_time_is_sent_again_under_its_own_id() {
    on_both_with(setup(), async |app| {
        let (org, receiver, path) = set(app).await;
        let client = app.key(&org);
        lose(app, &client, &receiver, "a").await;
        lose(app, &client, &receiver, "b").await;
        let sent = receiver.take();
        // One that is taken, lest the circuit opens.
        client.write_call(json!({"external_id": "taken"})).await;
        app.settle().await;
        let since = app.now();
        lose(app, &client, &receiver, "c").await;
        receiver.take();
        assert_eq!(states(&org).await, [Exhausted, Exhausted, Delivered, Exhausted]);
        assert_eq!(count(&client, &path, "").await, 3);
        assert_eq!(count(&client, &path, &format!("?since={since}")).await, 1);
        assert_eq!(count(&client, &path, &format!("?until={since}")).await, 2);
        assert_eq!(count(&client, &path, "?state=cancelled").await, 0);

        let body = json!({"until": since});
        let mut begun = client.made(&format!("{path}/recover"), body).await;
        let shown = client.data(&format!("/v1/recoveries/{}", begun["id"].as_str().expect("an id"))).await;
        assert_eq!(shown, begun, "few are due at once");
        for id in ["id", "webhook_id"] {
            begun[id].take();
        }
        assert_json_snapshot!(begun, @r#"
        {
          "id": null,
          "webhook_id": null,
          "state": "done",
          "states": [
            "exhausted"
          ],
          "since": null,
          "until": "2026-02-24T21:00:04.000Z",
          "total": 2,
          "done": 2,
          "not_kept": 0,
          "created_at": "2026-02-24T21:00:06.000Z",
          "finished_at": "2026-02-24T21:00:06.000Z"
        }
        "#);
        app.settle().await;
        let ids = |got: &[Got]| -> Vec<String> {
            let mut ids: Vec<_> = got.iter().map(|one| one.header("webhook-id").to_owned()).collect();
            ids.sort();
            ids.dedup();
            ids
        };
        let again = receiver.take();
        assert_eq!((again.len(), ids(&again)), (2, ids(&sent)), "the first two, once each");
        assert_eq!(states(&org).await, [Delivered, Delivered, Delivered, Exhausted]);
        let first = client.data(&format!("/v1/deliveries/{}", ids(&again)[0])).await;
        let tries = first["attempts"].as_array().expect("its tries").iter();
        assert_eq!(
            tries.map(|one| one["trigger"].clone()).collect::<Vec<_>>(),
            ["schedule", "schedule", "recover"]
        );

        client.made(&format!("{path}/recover"), json!({})).await;
        app.settle().await;
        assert_eq!((receiver.take().len(), count(&client, &path, "").await), (1, json!(0)));
    });
}

#[test]
fn what_is_recovered_has_its_whole_schedule_again() {
    on_both_with(setup(), async |app| {
        let (org, receiver, path) = set(app).await;
        let client = app.key(&org);
        lose(app, &client, &receiver, "a").await;
        receiver.reply([FAILS]);
        client.made(&format!("{path}/recover"), json!({})).await;
        app.settle().await;
        assert_ne!(states(&org).await, [Exhausted]);
        app.tick(Duration::from_secs(2)).await;
        assert_eq!((states(&org).await, receiver.take().len()), (vec![Delivered], 4));
    });
}

#[test]
fn many_are_recovered_a_few_at_a_time_and_nobody_else_s() {
    on_both_with(setup(), async |app| {
        let (org, receiver, path) = set(app).await;
        let client = app.key(&org);
        let other = org.endpoint(&receiver.url("/other")).await.id;
        receiver.reply([FAILS; 4]);
        client.write_call(json!({"external_id": "a"})).await;
        app.settle().await;
        app.tick(Duration::from_secs(2)).await;
        assert_eq!((receiver.take().len(), states(&org).await), (4, vec![Exhausted; 2]));
        // As many more as one write does not do, to each endpoint.
        let copies = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 700) ";
        let id = match app.database_url().starts_with("sqlite") {
            true => "randomblob(16)",
            false => "gen_random_uuid()",
        };
        app.execute(&format!(
            "{copies} INSERT INTO deliveries (id, org_id, endpoint_id, event_id, state, attempts, created_at, updated_at) \
             SELECT {id}, org_id, endpoint_id, event_id, CASE WHEN i % 2 = 0 THEN 'cancelled' ELSE 'exhausted' END, 2, \
                    created_at + 10 * i, updated_at FROM deliveries, n"
        ))
        .await;
        app.clock.advance(Duration::from_secs(60));
        assert_eq!(count(&client, &path, "").await, 351);
        assert_eq!(count(&client, &path, "?state=cancelled").await, 350);
        let both = json!({"states": ["cancelled", "exhausted"]});
        let begun = client.made(&format!("{path}/recover"), both).await;
        assert_eq!((&begun["state"], &begun["total"]), (&json!("running"), &json!(701)));
        app.settle().await;
        let done = client.data(&format!("/v1/recoveries/{}", begun["id"].as_str().expect("an id"))).await;
        assert_eq!((&done["state"], &done["done"]), (&json!("done"), &json!(701)));
        let got = receiver.take();
        assert_eq!(got.iter().filter(|one| one.path == "/hook").count(), 701);
        assert_eq!(
            (got.len(), count(&client, &format!("/v1/webhooks/{other}"), "").await),
            (701, json!(351))
        );
    });
}

#[test]
fn a_recovery_is_refused_or_held_where_the_endpoint_is_not_told() {
    on_both_with(setup(), async |app| {
        let (org, receiver, path) = set(app).await;
        let client = app.key(&org);
        lose(app, &client, &receiver, "a").await;
        client.patch(&path, &json!({"state": "paused"})).await;
        client.made(&format!("{path}/recover"), json!({})).await;
        app.settle().await;
        assert_eq!(states(&org).await, [Held]);
        client.patch(&path, &json!({"state": "enabled"})).await;
        app.settle().await;
        assert_eq!(states(&org).await, [Delivered]);

        receiver.reply([Reply(410, &[])]);
        client.write_call(json!({"external_id": "b", "summary": "b"})).await;
        app.settle().await;
        let recover = format!("{path}/recover");
        let cancelled = json!({"states": ["cancelled"]});
        assert_eq!(client.post(&recover, &cancelled).await.code(), "conflict");
        client.patch(&path, &json!({"state": "enabled"})).await;
        client.made(&recover, cancelled).await;
        app.settle().await;
        assert_eq!(states(&org).await, [Delivered; 2]);
    });
}

#[test]
fn a_request_that_is_sent_again_recovers_nothing_twice_and_nonsense_is_named() {
    on_both_with(setup(), async |app| {
        let (org, receiver, path) = set(app).await;
        let client = app.key(&org);
        lose(app, &client, &receiver, "a").await;
        let recover = format!("{path}/recover");
        let key = [("idempotency-key", "once")];
        let first = client.post_with(&recover, &key, &json!({})).await;
        let again = client.post_with(&recover, &key, &json!({})).await;
        assert_eq!(
            (first.status.as_u16(), first.json()["data"].clone()),
            (201, again.json()["data"].clone())
        );
        assert_eq!(again.header("idempotent-replayed"), "true");
        app.settle().await;
        let mut told = Vec::new();
        for body in [
            json!({"states": []}),
            json!({"states": ["held"]}),
            json!({"since": "yesterday"}),
            json!({"all": true}),
        ] {
            told.push(client.post(&recover, &body).await.error());
        }
        told.push(client.get(&format!("{path}/recoverable?state=delivered")).await.error());
        insta::assert_snapshot!(told.join("\n"), @"
        400 bad_request: Wrong field `states`: must name at least one
        400 bad_request: Wrong field `states[0]`: unknown variant `held`, expected `exhausted` or `cancelled` at line 1 column 17
        400 bad_request: Wrong field `since`: must be an ISO 8601 date-time with its offset, such as 2026-02-24T21:00:00Z at line 1 column 21
        400 bad_request: Wrong field: unknown field `all`, expected one of `states`, `since`, `until` at line 1 column 6
        400 bad_request: Wrong query parameter `state`: unknown variant `delivered`, expected `exhausted` or `cancelled`
        ");
    });
}
