//! What webhooks sent and were answered is kept for a time; then it is gone, and what happened and when is still there.

use std::time::Duration;

use axum::body::Body;
use http::Method;
use http_body_util::BodyExt;
use insta::assert_json_snapshot;
use model::EndpointId;
use serde_json::{Value, json};
use store::{
    DeliveryState::{self, Cancelled, Delivered, Exhausted, Held},
    ListDeliveries,
};

use crate::support::{Client, Org, Receiver, Reply, Setup, TestApp, on_both, on_both_with};

const DAY: Duration = Duration::from_secs(86_400);

/// What a receiver says that nobody else does.
const SAID: Reply = Reply(200, &[("x-said", "the receiver's word")]);

/// An organization with one endpoint, and the endpoint's path.
async fn set(app: &TestApp) -> (Org, Receiver, EndpointId, String) {
    let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
    let endpoint = org.endpoint(&receiver.url("/hook")).await.id;
    (org, receiver, endpoint, format!("/v1/webhooks/{endpoint}"))
}

async fn call(client: &Client<'_>, name: &str) {
    client.write_call(json!({"external_id": name, "caller_name": name})).await;
}

async fn states(org: &Org) -> Vec<DeliveryState> {
    let mut all = org.records.find_deliveries(ListDeliveries::newest(100)).await.expect("a list").records;
    all.reverse();
    all.iter().map(|delivery| delivery.state).collect()
}

/// The lines of the database's events and tries in which a text stands.
async fn kept(app: &TestApp, text: &str) -> usize {
    let dump = app.dump().await;
    let is_meant = |line: &&str| line.starts_with("events: ") || line.starts_with("attempts: ");
    dump.lines().filter(is_meant).filter(|line| line.contains(text)).count()
}

/// How many cells of a table are in the database.
async fn cells(app: &TestApp, table: &str) -> usize {
    let dump = app.dump().await;
    dump.lines().filter(|line| line.split(": ").next() == Some(table)).count()
}

/// Names and whether they were removed, of a list of events.
fn outline(events: &Value) -> Vec<(Value, Value)> {
    let outline = |event: &Value| (event["event"].clone(), event["removed"].clone());
    events.as_array().expect("a list").iter().map(outline).collect()
}

#[test]
fn what_is_too_old_is_forgotten_and_stays_in_the_log() {
    on_both(async |app| {
        let (org, receiver, _, _) = set(app).await;
        let client = app.key(&org);
        receiver.reply([SAID]);
        call(&client, "Robin Vale").await;
        app.tick(2 * DAY).await;
        call(&client, "Alex Reed").await;
        let ids = |list: &Value| -> Vec<Value> {
            list.as_array().expect("a list").iter().map(|one| one["id"].clone()).collect()
        };
        let (events, deliveries) = (client.data("/v1/events").await, client.data("/v1/deliveries").await);
        assert!(kept(app, "Robin Vale").await > 0 && kept(app, "the receiver's word").await > 0);

        app.tick(29 * DAY).await;
        assert_eq!((kept(app, "Robin Vale").await, kept(app, "the receiver's word").await), (0, 0));
        assert_eq!(kept(app, "Alex Reed").await, 1, "the other is not old enough");
        let log = client.data("/v1/events").await;
        assert_eq!((ids(&log), ids(&client.data("/v1/deliveries").await)), (ids(&events), ids(&deliveries)));
        let (name, expired) = (json!("call.completed"), json!("expired"));
        assert_eq!(outline(&log), [(name.clone(), expired), (name, Value::Null)]);
        assert_eq!((&log[0]["data"], &log[1]["data"]["caller_name"]), (&Value::Null, &json!("Alex Reed")));
        let calls = client.data("/v1/calls?q=Robin").await;
        assert_eq!(calls[0]["caller_name"], "Robin Vale", "calls are kept");

        let path = format!("/v1/deliveries/{}", deliveries[1]["id"].as_str().expect("an id"));
        let mut delivery = client.data(&path).await;
        for id in ["id", "webhook_id", "event_id", "call_id", "url"] {
            delivery[id].take();
        }
        let attempt = &mut delivery["attempts"][0];
        attempt["request"]["url"].take();
        attempt["address"].take();
        attempt["duration_ms"].take();
        assert_json_snapshot!(delivery, @r#"
        {
          "id": null,
          "webhook_id": null,
          "url": null,
          "event": "call.completed",
          "event_id": null,
          "call_id": null,
          "state": "delivered",
          "attempt_count": 1,
          "next_attempt_at": null,
          "last_status": 200,
          "last_error": null,
          "created_at": "2026-02-24T21:00:00.000003Z",
          "updated_at": "2026-02-24T21:00:00.000000Z",
          "removed": "expired",
          "attempts": [
            {
              "number": 1,
              "trigger": "schedule",
              "started_at": "2026-02-24T21:00:00.000000Z",
              "duration_ms": null,
              "address": null,
              "request": {
                "method": "POST",
                "url": null,
                "headers": [],
                "body": null
              },
              "response": {
                "status": 200,
                "headers": [],
                "body": "",
                "body_base64": null
              },
              "error": null
            }
          ]
        }
        "#);
        let refused = client.post(&format!("{path}/resend"), &json!({})).await;
        insta::assert_snapshot!(refused.error(), @"410 gone: What this delivery sent is no longer kept: it is too old, so it cannot be sent again");
        assert_eq!(receiver.take().len(), 2, "nothing is sent that says nothing");
        assert_eq!(states(&org).await, [Delivered, Delivered]);
        let samples = client.data("/v1/event-types/call.completed/samples").await;
        assert_eq!(samples.as_array().map(Vec::len), Some(1));
        assert_eq!(samples[0]["data"]["caller_name"], "Alex Reed", "no sample is empty");
    });
}

#[test]
fn who_asks_what_they_missed_is_told_that_it_is_no_longer_kept() {
    let setup = Setup { schedule: Some("1s"), ..Setup::unhurried() };
    on_both_with(setup, async |app| {
        let (org, receiver, _, path) = set(app).await;
        let client = app.key(&org);
        receiver.reply([Reply(500, &[]); 2]);
        call(&client, "Robin Vale").await;
        app.tick(Duration::from_secs(2)).await;
        app.tick(31 * DAY).await;
        receiver.reply([Reply(500, &[]); 2]);
        call(&client, "Alex Reed").await;
        app.tick(Duration::from_secs(2)).await;
        assert_eq!(states(&org).await, [Exhausted, Exhausted]);
        receiver.take();

        let missed = client.data(&format!("{path}/missed")).await;
        assert_eq!((&missed[0]["body"], &missed[0]["removed"]), (&Value::Null, &json!("expired")));
        assert_eq!(missed[1]["body"]["data"]["caller_name"], "Alex Reed");
        assert_eq!(missed[1].get("removed"), None);
        let count = client.data(&format!("{path}/recoverable")).await;
        assert_eq!((&count["count"], &count["not_kept"]), (&json!(1), &json!(1)));
        let recovery = client.made(&format!("{path}/recover"), json!({})).await;
        let told = ["state", "total", "done", "not_kept"].map(|field| recovery[field].clone());
        assert_eq!(told, [json!("done"), json!(1), json!(1), json!(1)]);
        let got = receiver.take();
        assert_eq!((got.len(), &got[0].json()["data"]["caller_name"]), (1, &json!("Alex Reed")));
        assert_eq!(states(&org).await, [Exhausted, Delivered]);
        let told = followed(&client, "/v1/events/stream?since=2026-01-01T00:00:00Z").await;
        assert_eq!(told, ["removed null", r#"call.completed "Alex Reed""#]);
    });
}

/// What a stream tells at first: the events' names, and the callers'.
async fn followed(client: &Client<'_>, path: &str) -> Vec<String> {
    let response = client.begin(Method::GET, path, &[], Vec::new()).await;
    let mut body: Body = response.into_body();
    let mut words = String::new();
    while !words.contains("data: ") {
        let frame = body.frame().await.expect("more words").expect("no error");
        words.push_str(std::str::from_utf8(frame.data_ref().expect("data")).expect("UTF-8"));
    }
    let blocks = words.split("\n\n").filter(|block| block.contains("data: "));
    let outline = |block: &str| {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
        let data: Value = serde_json::from_str(field("data: ")).expect("JSON");
        format!("{} {}", field("event: "), data["data"]["caller_name"])
    };
    blocks.map(outline).collect()
}

#[test]
fn what_is_owed_to_somebody_is_spared_until_it_is_sent() {
    on_both(async |app| {
        let (org, receiver, _, path) = set(app).await;
        let (client, elsewhere) = (app.key(&org), Receiver::start().await);
        org.endpoint(&elsewhere.url("/other")).await;
        client.changed(&path, json!({"state": "paused"})).await;
        elsewhere.reply([SAID]);
        call(&client, "Robin Vale").await;
        app.tick(60 * DAY).await;
        assert_eq!(states(&org).await, [Held, Delivered]);
        assert_eq!(kept(app, "the receiver's word").await, 0, "what was delivered is not kept for the other");
        client.changed(&path, json!({"state": "enabled"})).await;
        let got = receiver.take();
        assert_eq!((got.len(), &got[0].json()["data"]["caller_name"]), (1, &json!("Robin Vale")));
        assert_eq!(states(&org).await, [Delivered, Delivered]);
        assert_eq!(kept(app, "Robin Vale").await, 1);
        app.tick(DAY / 2).await;
        assert_eq!(kept(app, "Robin Vale").await, 0, "it is not kept for longer than that");
        assert_eq!(outline(&client.data("/v1/events").await)[0].1, "expired");
    });
}

#[test]
fn an_organization_may_keep_its_webhooks_for_another_time() {
    on_both(async |app| {
        let mut orgs = Vec::new();
        for (name, days) in [("Default", None), ("Short", Some(2)), ("For ever", Some(0))] {
            let org = app.org(name).await;
            org.records.set_keep_days(days).await.expect("a write");
            call(&app.key(&org), name).await;
            orgs.push(org);
        }
        let mut seen = Vec::new();
        for days in [3, 27, 3650] {
            app.tick(days * DAY + Duration::from_secs(7200)).await;
            let mut kept_by = Vec::new();
            for name in ["Default", "Short", "For ever"] {
                kept_by.push(kept(app, name).await);
            }
            seen.push(kept_by);
        }
        assert_eq!(seen, [[1, 0, 1], [0, 0, 1], [0, 0, 1]]);
    });
}

#[test]
fn more_than_one_write_forgets_are_forgotten_and_nobody_else_s() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, _, _, _) = set(app).await;
        call(&app.key(&org), "Robin Vale").await;
        let other = app.org("Another").await;
        other.records.set_keep_days(Some(0)).await.expect("a write");
        call(&app.key(&other), "Theirs").await;
        // Each with a delivery right behind it, as they are written.
        let copies = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 350) ";
        let event = match app.database_url().starts_with("sqlite") {
            true => "CAST(printf('%016d', i) AS BLOB)",
            false => "CAST(lpad(CAST(i AS TEXT), 32, '0') AS UUID)",
        };
        app.execute(&format!(
            "{copies} INSERT INTO events (id, org_id, created_at, type, data) \
             SELECT {event}, org_id, created_at + 100 * i, type, data FROM events, n WHERE data LIKE '%Robin%'; \
             {copies} INSERT INTO deliveries (id, org_id, endpoint_id, event_id, state, attempts, created_at, updated_at) \
             SELECT {event}, org_id, endpoint_id, {event}, CASE WHEN i % 50 = 0 THEN 'held' ELSE 'delivered' END, 1, \
                    created_at + 100 * i, updated_at FROM deliveries, n",
        ))
        .await;
        assert_eq!(kept(app, "Robin Vale").await, 351);
        app.tick(31 * DAY).await;
        assert_eq!((kept(app, "Robin Vale").await, kept(app, "Theirs").await), (7, 1), "seven are held");
    });
}

#[test]
fn a_delivery_whose_event_is_no_longer_kept_is_never_sent() {
    on_both(async |app| {
        let (org, receiver, _, _) = set(app).await;
        call(&app.key(&org), "Robin Vale").await;
        receiver.take();
        app.tick(31 * DAY).await;
        // As if somebody had asked for it in the moment in which it was forgotten.
        app.execute("UPDATE deliveries SET state = 'retrying', due_at = 1, manual_attempt = attempts + 1")
            .await;
        app.tick(Duration::from_secs(60)).await;
        let deliveries = app.key(&org).data("/v1/deliveries").await;
        assert_eq!(deliveries[0]["last_error"], "called off: what it told is no longer kept");
        assert_eq!((receiver.take().len(), states(&org).await), (0, vec![Cancelled]));
    });
}

#[test]
fn what_is_good_for_nothing_any_more_is_cleared_away() {
    let setup = Setup { schedule: Some("1s"), ..Setup::unhurried() };
    on_both_with(setup, async |app| {
        let (org, receiver, _, path) = set(app).await;
        let client = app.key(&org);
        let key = [("idempotency-key", "k")];
        let body = json!({"external_id": "a", "caller_name": "Robin Vale"});
        client.post_with("/v1/calls", &key, &body).await;
        receiver.reply([Reply(500, &[]); 2]);
        call(&client, "b").await;
        app.tick(Duration::from_secs(2)).await;
        client.made(&format!("{path}/recover"), json!({})).await;
        assert!(cells(app, "idempotency_keys").await > 0 && cells(app, "recoveries").await > 0);

        // Not cleared yet, and good for nothing: the key is anybody's.
        app.tick(DAY).await;
        assert!(cells(app, "idempotency_keys").await > 0);
        let again = client.post_with("/v1/calls", &key, &json!({"external_id": "c"})).await;
        assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (201, ""));
        app.tick(DAY + Duration::from_secs(7200)).await;
        assert_eq!(cells(app, "idempotency_keys").await, 0);
        app.tick(31 * DAY).await;
        assert_eq!(cells(app, "recoveries").await, 0);
    });
}

#[test]
fn what_told_of_a_person_who_was_erased_is_listed_as_removed_and_told_to_nobody() {
    let setup = Setup { schedule: Some("1h"), ..Setup::unhurried() };
    on_both_with(setup, async |app| {
        let (org, receiver, _, path) = set(app).await;
        let client = app.key(&org);
        receiver.reply([Reply(302, &[("location", "https://crm.example.com/?name=robin")])]);
        let body = json!({"external_id": "a", "caller_name": "Robin Vale", "caller_phone": "+14155550142"});
        client.write_call(body).await;
        call(&client, "Alex Reed").await;
        let dump = app.dump().await;
        assert!(dump.contains("name=robin"), "the receiver has named them");
        let contact = client.data("/v1/contacts").await[0]["id"].as_str().expect("an id").to_owned();
        client.post(&format!("/v1/contacts/{contact}/erase"), &json!({})).await;
        let dump = app.dump().await.to_lowercase();
        assert_eq!(
            dump.lines().filter(|line| line.contains("robin")).collect::<Vec<_>>(),
            Vec::<&str>::new()
        );

        let (erased, kept) = (json!("erased"), Value::Null);
        let removed =
            |list: &Value| outline(list).into_iter().map(|(_, removed)| removed).collect::<Vec<_>>();
        assert_eq!(removed(&client.data("/v1/events").await), [erased.clone(), kept.clone()]);
        let missed = client.data(&format!("{path}/missed")).await;
        assert_eq!((&missed[0]["body"], &missed[0]["removed"]), (&Value::Null, &erased));
        assert_eq!(missed[1]["body"]["data"]["caller_name"], "Alex Reed");
        let told = followed(&client, "/v1/events/stream?since=2026-01-01T00:00:00Z").await;
        assert_eq!(told, ["removed null", r#"call.completed "Alex Reed""#]);
        let deliveries = client.data("/v1/deliveries").await;
        assert_eq!(removed(&deliveries), [kept, erased]);
        let path = format!("/v1/deliveries/{}", deliveries[1]["id"].as_str().expect("an id"));
        let delivery = client.data(&path).await;
        let attempt = &delivery["attempts"][0];
        assert_eq!((&attempt["request"]["body"], &attempt["request"]["headers"]), (&Value::Null, &json!([])));
        assert_eq!(attempt["error"], "the receiver answered 302, a redirect");
        assert_eq!(client.post(&format!("{path}/resend"), &json!({})).await.code(), "conflict");
        app.tick(2 * DAY).await;
        assert_eq!(receiver.take().len(), 2, "one try of each");
    });
}
