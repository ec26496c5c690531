//! Webhooks that fail, and webhooks that must not be sent.

use std::collections::HashSet;

use serde_json::json;

use super::{
    receiver::Reply,
    scene::{Scene, text},
    server::{Kind, PATIENCE, Server, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_webhook_is_sent_again_with_the_same_body_and_a_new_timestamp_on_sqlite() {
    send_again(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_webhook_is_sent_again_with_the_same_body_and_a_new_timestamp_on_postgres() {
    send_again(Kind::Postgres).await;
}

async fn send_again(kind: Kind) {
    let scene = Scene::set(kind, |number| Reply::with(if number < 2 { 500 } else { 200 })).await;
    let server = scene.serve(&[("INBOUNDFLOW_DELIVERY__SCHEDULE", "1s,1s")]).await;
    assert_eq!(scene.post_call(&server, "again").await.expect("an answer"), 200);
    scene.arrived(3).await;
    let hooks = scene.receiver.hooks();
    let distinct = |header: &str| hooks.iter().map(|hook| hook.header(header)).collect::<HashSet<_>>().len();
    assert!(hooks.iter().all(|hook| hook.body == hooks[0].body), "the same bytes");
    assert_eq!(hooks[0].json()["delivery_id"], hooks[0].header("x-inboundflow-delivery-id"));
    assert_eq!((distinct("x-inboundflow-delivery-id"), distinct("webhook-id")), (1, 1));
    assert_eq!(distinct("x-inboundflow-signature"), 1, "it is over the body alone");
    assert_eq!((distinct("x-inboundflow-timestamp"), distinct("webhook-timestamp")), (3, 3));
    assert_eq!(distinct("webhook-signature"), 3, "it is over the timestamp too");
    let delivery = until("the success is recorded", PATIENCE, async || {
        scene.deliveries().into_iter().find(|delivery| delivery["state"] == "delivered")
    })
    .await;
    assert_eq!((&delivery["attempts"], &delivery["last_status"]), (&3.into(), &200.into()));
    assert_eq!(delivery["id"], hooks[0].header("webhook-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_given_up_after_the_last_step() {
    let scene = Scene::set(Kind::Sqlite, |_| Reply::with(500)).await;
    let server = scene.serve(&[("INBOUNDFLOW_DELIVERY__SCHEDULE", "100ms,100ms")]).await;
    assert_eq!(scene.post_call(&server, "never").await.expect("an answer"), 200);
    let delivery = until("it is given up", PATIENCE, async || {
        scene.deliveries().into_iter().find(|delivery| delivery["state"] == "exhausted")
    })
    .await;
    assert_eq!((&delivery["attempts"], scene.receiver.count()), (&3.into(), 3));
    assert_eq!(delivery["next_attempt_at"], serde_json::Value::Null);
    assert_eq!(text(&delivery, "last_error"), "the receiver answered 500");

    let endpoint = text(&delivery, "endpoint");
    let recover = ["deliveries", "recover", "--webhook", &endpoint];
    let count = scene.home.json(&[&recover[..], &["--preview"]].concat());
    assert_eq!(count, json!({"webhook_id": endpoint, "count": 1, "not_kept": 0}));
    let none = scene.home.json(&[&recover[..], &["--preview", "--until", "2026-01-01T00:00:00Z"]].concat());
    assert_eq!(none["count"], 0);
    let done = scene.home.json(&recover);
    assert_eq!((&done["done"], &done["webhook_id"]), (&json!(1), &json!(endpoint)));
    until("it is tried again", PATIENCE, async || (scene.receiver.count() > 3).then_some(())).await;
    let wrong = ["deliveries", "recover", "--webhook", &scene.org];
    scene.home.run(&wrong).assert_refused(&["no endpoint"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_allowed_is_never_dialled_and_the_cause_is_shown() {
    let scene = Scene::set(Kind::Sqlite, |_| Reply::with(200)).await;
    let host = format!("https://127.0.0.1:{}/hook", scene.receiver.address.port());
    let webhook = ["webhook", "create", "--org", &scene.org, "--url", &host, "--events", "all"];
    let created = scene.home.run(&webhook);
    assert!(created.status.success() && created.stderr.contains("delivery.allow_targets"), "{created:?}");

    let server = Server::start(&scene.home, &[("INBOUNDFLOW_DELIVERY__SCHEDULE", "100ms")]).await;
    assert_eq!(scene.post_call(&server, "forbidden").await.expect("an answer"), 200);
    let deliveries = until("both endpoints' failed", PATIENCE, async || {
        let deliveries = scene.deliveries();
        let failed = deliveries.iter().filter(|delivery| delivery["last_error"].is_string()).count();
        (failed >= 2 && failed == deliveries.len()).then_some(deliveries)
    })
    .await;
    for delivery in deliveries {
        assert!(text(&delivery, "last_error").contains("delivery.allow_targets"), "{delivery}");
        assert_eq!(delivery["last_status"], serde_json::Value::Null);
    }
    assert_eq!(scene.receiver.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_recovers_more_than_one_write_makes_due() {
    let scene = Scene::set(Kind::Sqlite, |number| Reply::with(if number < 2 { 500 } else { 200 })).await;
    let server = scene.serve(&[("INBOUNDFLOW_DELIVERY__SCHEDULE", "100ms")]).await;
    let endpoint = text(&scene.home.json(&["webhook", "list", "--org", &scene.org])["data"][0], "id");
    scene.home.json(&["webhook", "update", &endpoint, "--events", "call.completed"]);
    assert_eq!(scene.post_call(&server, "lost").await.expect("an answer"), 200);
    until("it is given up", PATIENCE, async || {
        scene.deliveries().iter().any(|delivery| delivery["state"] == "exhausted").then_some(())
    })
    .await;
    let database =
        rusqlite::Connection::open(scene.home.path().join("data/inboundflow.db")).expect("a database");
    database.busy_timeout(PATIENCE).expect("patience");
    let copies = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) \
        INSERT INTO deliveries (id, org_id, endpoint_id, event_id, state, attempts, created_at, updated_at) \
        SELECT randomblob(16), org_id, endpoint_id, event_id, 'exhausted', 2, created_at - i, updated_at \
        FROM deliveries, n";
    assert_eq!(database.execute(copies, []).expect("a write"), 1200);
    let url = server.url(&format!("/v1/webhooks/{endpoint}/recover"));
    let begun = scene
        .http
        .post(url)
        .bearer_auth(&scene.key)
        .header("content-type", "application/json")
        .body("{}")
        .send()
        .await
        .expect("an answer");
    assert_eq!(begun.status(), 201);
    scene.arrived(2 + 1201).await;
}
