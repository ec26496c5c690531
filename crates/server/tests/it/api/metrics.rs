//! Figures for whoever runs the server: who may see them, what they say, and what they do not.

use std::{collections::BTreeSet, time::Duration};

use model::Platform;
use serde_json::{Value, json};

use crate::support::{METRICS_TOKEN, Receiver, Reply, Setup, TestApp, on_both, on_both_with, report};

const PAGE: &str = include_str!("../../../../../docs/metrics.md");

async fn scrape(app: &TestApp) -> String {
    let answer = app.bearer(METRICS_TOKEN).get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    String::from_utf8(answer.bytes).expect("UTF-8")
}

/// The figure of a metric with its labels.
fn figure(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|figure| figure.parse().expect("a number"))
}

#[test]
fn figures_are_told_only_to_who_knows_the_token() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        for client in [app.anon(), app.key(&org), app.bearer("the-token-of-the-scrapeR"), app.bearer("")] {
            let answer = client.get("/metrics").await;
            assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, "Bearer"));
            assert!(!answer.shown().contains("inboundflow_"));
        }
        assert!(scrape(app).await.ends_with("# EOF\n"));
    });
}

/// A platform's message, a receiver that fails and is well again, one that is paused, and one that is well.
async fn live(app: &TestApp) -> (Receiver, Receiver) {
    let (org, other) = (app.org("Harbor Plumbing").await, app.org("Another").await);
    let (fails, takes) = (Receiver::start().await, Receiver::start().await);
    org.endpoint(&fails.url("/secret-path")).await;
    let paused = other.endpoint(&takes.url("/paused")).await.id;
    let key = app.key(&other);
    key.changed(&format!("/v1/webhooks/{paused}"), json!({"state": "paused"})).await;
    other.endpoint(&takes.url("/well")).await;
    let call = json!({"external_id": "theirs", "caller_name": "Robin Vale", "caller_phone": "+14155550142"});
    key.write_call(call).await;
    fails.reply([Reply(500, &[]); 5]);
    for name in ["a", "b", "c", "d", "e"] {
        app.key(&org).write_call(json!({"external_id": name})).await;
    }
    let vapi = org.source(Platform::Vapi).await;
    vapi.accept(app, &report("f", json!("+14155550143"), Value::Null)).await;
    vapi.post_with(&app.anon(), &[], "{}").await;
    app.anon().get("/v1/nothing/+14155550142").await;
    (fails, takes)
}

#[test]
fn what_waits_and_what_happened_is_counted() {
    on_both_with(Setup { schedule: Some("1h,1h"), ..Setup::unhurried() }, async |app| {
        let (_fails, _takes) = live(app).await;
        app.tick(Duration::from_secs(10)).await;
        let text = scrape(app).await;
        let figure = |name: &str| figure(&text, name).unwrap_or_else(|| panic!("{name} in\n{text}"));
        let is = |name: &str, value: f64| assert_eq!(figure(name), value, "{name}");
        is(r#"inboundflow_webhook_deliveries{state="held"}"#, 1.0);
        is(r#"inboundflow_webhook_deliveries{state="retrying"}"#, 5.0);
        is(r#"inboundflow_webhook_deliveries{state="in_flight"}"#, 0.0);
        is(r#"inboundflow_webhook_deliveries{state="waiting"}"#, 7.0);
        is(r#"inboundflow_webhook_oldest_due_age_seconds{circuit="closed"}"#, 0.0);
        assert!(figure(r#"inboundflow_webhook_oldest_due_age_seconds{circuit="open"}"#) >= 10.0);
        is(r#"inboundflow_webhook_endpoints{state="enabled"}"#, 2.0);
        is(r#"inboundflow_webhook_endpoints{state="paused"}"#, 1.0);
        is("inboundflow_webhook_circuits_open", 1.0);
        is(r#"inboundflow_webhook_circuit_turns_total{turn="opened"}"#, 1.0);
        let tried = r#"inboundflow_webhook_attempts_total{trigger="schedule",answer="5xx",outcome="retry"}"#;
        is(tried, 5.0);
        is(r#"inboundflow_webhook_attempt_duration_seconds_count{outcome="retry"}"#, 5.0);
        is(r#"inboundflow_webhook_delivery_latency_seconds_count{try="first"}"#, 1.0);
        is(r#"inboundflow_ingest_messages_total{platform="vapi",outcome="accepted"}"#, 1.0);
        is(r#"inboundflow_ingest_messages_total{platform="vapi",outcome="rejected"}"#, 1.0);
        is(r#"inboundflow_http_requests_total{route="none",method="GET",status="401"}"#, 1.0);
        is(r#"inboundflow_http_requests_total{route="/v1/calls",method="POST",status="201"}"#, 6.0);
        is("inboundflow_database_answers", 1.0);
        assert!(figure("process_resident_memory_bytes") > 1e6 && figure("process_open_fds") > 2.0);
        for secret in ["4155550142", "Robin", "secret-path", "127.0.0.1", "Harbor"] {
            assert!(!text.contains(secret), "{secret} in\n{text}");
        }

        app.tick(Duration::from_secs(60)).await;
        let text = scrape(app).await;
        let after = |name: &str| self::figure(&text, name);
        assert_eq!(after("inboundflow_webhook_circuits_open"), Some(0.0));
        assert_eq!(after(r#"inboundflow_webhook_circuit_turns_total{turn="closed"}"#), Some(1.0));
        assert_eq!(after(r#"inboundflow_webhook_deliveries{state="retrying"}"#), Some(0.0));
    });
}

#[test]
fn every_metric_is_described_and_every_one_that_is_described_is_there() {
    on_both_with(Setup { schedule: Some("1h,1h"), ..Setup::unhurried() }, async |app| {
        let (_fails, _takes) = live(app).await;
        let text = scrape(app).await;
        let told: BTreeSet<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .map(|line| match line.split_once(' ').expect("a type") {
                (name, "counter") => format!("{name}_total"),
                (name, _) => name.to_owned(),
            })
            .collect();
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
        let described: BTreeSet<String> =
            rows.map(|row| row.split_once('`').expect("a name").0.to_owned()).collect();
        assert_eq!(told, described);
        app.tick(Duration::from_secs(60)).await;
    });
}

#[test]
fn many_who_scrape_ask_the_database_once() {
    on_both(async |app| {
        let name = r#"inboundflow_webhook_endpoints{state="enabled"}"#;
        let org = app.org("Harbor Plumbing").await;
        assert_eq!(figure(&scrape(app).await, name), Some(0.0));
        org.endpoint("https://example.com/hook").await;
        assert_eq!(figure(&scrape(app).await, name), Some(0.0), "what it said a moment ago");
        app.tick(Duration::from_secs(5)).await;
        assert_eq!(figure(&scrape(app).await, name), Some(1.0));
    });
}
