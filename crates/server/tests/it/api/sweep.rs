//! Calls of which no more is heard: closed, unless their platform says how they ended.

use std::time::Duration;

use insta::assert_snapshot;
use model::Platform;
use serde_json::json;

use super::completeness::{all, before, connected};
use crate::support::{Client, Org, Receiver, Signing, StandIn, TestApp, finished, on_both, report};

const SECOND: Duration = Duration::from_secs(1);
const QUARTER: Duration = Duration::from_secs(15 * 60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A Vapi source with a call that is under way.
async fn with_open_call(app: &TestApp, org: &Org, stand_in: Option<&StandIn>) -> Signing {
    let client = app.key(org);
    let signing = match stand_in {
        None => org.source(Platform::Vapi).await,
        Some(stand_in) => {
            let source = connected(&client, Platform::Vapi, stand_in).await;
            let source = source.rsplit('/').next().expect("an id").parse().expect("a source's id");
            let secret = "a secret of the platform's".into();
            Signing { platform: Platform::Vapi, source, secret }
        }
    };
    let under_way = json!({"message": {"type": "status-update", "status": "in-progress",
        "call": {"id": "open"}, "customer": {"number": "+14155550142"}}});
    signing.accept(app, &under_way.to_string()).await;
    signing
}

async fn only_call(client: &Client<'_>) -> String {
    let calls = client.data("/v1/calls").await;
    assert_eq!(calls.as_array().map(Vec::len), Some(1));
    format!("{} {}", calls[0]["status"], calls[0]["ended_reason"])
}

#[test]
fn a_call_that_cannot_be_closed_keeps_no_other_open() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        with_open_call(app, &org, None).await;
        app.execute("UPDATE calls SET captured = '{'").await;
        with_open_call(app, &org, None).await;
        app.tick(4 * HOUR + QUARTER + SECOND).await;
        let calls = app.key(&org).data("/v1/calls").await;
        let statuses: Vec<_> = calls.as_array().expect("a list").iter().map(|call| &call["status"]).collect();
        assert_eq!(statuses, ["failed", "in-progress"], "the newer one is closed");
        app.execute("UPDATE calls SET captured = NULL").await;
        app.tick(QUARTER).await;
        assert_eq!(app.key(&org).data("/v1/calls").await[1]["status"], "failed", "and this one later");
    });
}

#[test]
fn a_call_of_which_no_more_is_heard_is_closed_and_its_last_message_still_counts() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/hook")).await;
        let vapi = with_open_call(app, &org, None).await;
        let client = app.key(&org);
        app.tick(4 * HOUR + QUARTER - SECOND).await;
        assert_snapshot!(only_call(&client).await, @r#""in-progress" null"#);
        app.tick(2 * SECOND).await;
        assert_snapshot!(only_call(&client).await, @r#""failed" "no_final_event""#);
        assert_eq!(receiver.take_events(), [""; 0], "a call that failed is not told as completed");
        // A message that says nothing new does not open it again.
        let under_way = json!({"message": {"type": "status-update", "status": "in-progress",
            "timestamp": app.now().micros() / 1000, "call": {"id": "open"}}});
        vapi.accept(app, &under_way.to_string()).await;
        assert_snapshot!(only_call(&client).await, @r#""failed" "no_final_event""#);
        vapi.accept(app, &report("open", json!("+14155550142"), json!({}))).await;
        assert_snapshot!(only_call(&client).await, @r#""completed" "customer-ended-call""#);
        assert_eq!(receiver.take_events(), ["call.completed", "lead.created"]);
    });
}

#[test]
fn a_call_of_which_no_more_is_heard_is_asked_about_where_there_is_a_key() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let stand_in = StandIn::start(Platform::Vapi).await;
        org.endpoint(&receiver.url("/hook")).await;
        // It goes on for longer than the list looks back.
        let mut call = finished(Platform::Vapi, "open", before(app.now(), DAY));
        call["status"] = "in-progress".into();
        stand_in.has([call]);
        with_open_call(app, &org, Some(&stand_in)).await;
        let client = app.key(&org);
        app.tick(4 * HOUR + QUARTER + SECOND).await;
        assert_snapshot!(only_call(&client).await, @r#""in-progress" null"#);
        assert!(stand_in.take_asked().contains(&"/call/open".to_owned()));
        stand_in.ends("open");
        app.tick(QUARTER).await;
        assert_snapshot!(only_call(&client).await, @r#""completed" "customer-ended-call""#);
        assert_eq!(receiver.take_events(), ["call.completed", "lead.created"]);
        let source = client.data("/v1/sources").await[0]["id"].as_str().expect("an id").to_owned();
        let gaps = all(&client, &format!("/v1/sources/{source}/gaps")).await;
        assert_eq!((gaps.len(), &gaps[0]["missing"]), (1, &json!("final_event")));
    });
}

#[test]
fn a_call_that_its_platform_never_ends_is_closed_a_day_later() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let stand_in = StandIn::start(Platform::Vapi).await;
        let mut call = finished(Platform::Vapi, "open", before(app.now(), DAY));
        call["status"] = "in-progress".into();
        stand_in.has([call]);
        with_open_call(app, &org, Some(&stand_in)).await;
        let client = app.key(&org);
        app.tick(4 * HOUR + QUARTER + DAY - SECOND).await;
        assert_snapshot!(only_call(&client).await, @r#""in-progress" null"#);
        app.tick(QUARTER + SECOND).await;
        assert_snapshot!(only_call(&client).await, @r#""failed" "no_final_event""#);
    });
}

#[test]
fn a_call_that_its_platform_does_not_know_is_closed() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let stand_in = StandIn::start(Platform::Vapi).await;
        with_open_call(app, &org, Some(&stand_in)).await;
        let client = app.key(&org);
        app.tick(4 * HOUR + QUARTER + SECOND).await;
        assert_snapshot!(only_call(&client).await, @r#""failed" "no_final_event""#);
    });
}
