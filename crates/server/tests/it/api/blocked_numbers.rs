//! The block list: calls of its numbers are kept, and come to nothing.

use std::time::Duration;

use insta::assert_snapshot;
use model::Platform;
use serde_json::{Value, json};

use super::orders::{Outcome, fixtures, outcome, permutations};
use crate::support::{Receiver, Setup, TestApp, booking, on_both, on_both_with, report};

#[test]
fn a_number_is_blocked_once_and_unblocked() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let answer =
            client.post("/v1/blocked-numbers", &json!({"phone": "+1 415 555 0142", "reason": "Spam"})).await;
        assert_snapshot!(answer.shown(), @r#"
        201 Created
        etag: W/"64b982baaf401"
        x-ratelimit-limit: 60
        x-ratelimit-remaining: 59
        x-ratelimit-reset: 1771966860
        ratelimit: "default";r=59;t=60
        ratelimit-policy: "default";q=60;w=60
        x-request-id: req_00000000000070008000000000000033
        content-type: application/json
        x-content-type-options: nosniff
        cache-control: private, no-cache
        vary: accept-encoding
        content-length: 236

        {"data":{"id":"00000000-0000-7000-8000-000000000034","phone":"+14155550142","reason":"Spam","created_at":"2026-02-24T21:00:00.000001Z"},"meta":{"request_id":"req_00000000000070008000000000000033","timestamp":"2026-02-24T21:00:00.000Z"}}
        "#);
        let number = answer.json()["data"].take();
        let path = format!("/v1/blocked-numbers/{}", number["id"].as_str().expect("an id"));
        assert_eq!(client.data(&path).await, number);
        let twice = client.post("/v1/blocked-numbers", &json!({"phone": "+14155550142"})).await;
        let told =
            format!("it belongs to the blocked number {} already", number["id"].as_str().expect("an id"));
        assert_eq!(twice.error(), format!("409 conflict: Wrong field `phone`: {told}"));
        let other =
            client.made("/v1/blocked-numbers", json!({"phone": "+14155550143", "reason": null})).await;
        assert_eq!(client.data("/v1/blocked-numbers").await, json!([other, number]));
        assert_eq!(client.data("/v1/blocked-numbers?phone=%2B14155550142").await, json!([number]));
        assert_eq!(client.delete(&path).await.json()["data"], json!({"id": number["id"], "deleted": true}));
        assert_eq!(
            client.delete(&path).await.error(),
            "404 not_found: There is no blocked number with this id"
        );
        assert_eq!(client.data("/v1/blocked-numbers").await, json!([other]));
    });
}

#[test]
fn a_blocked_caller_s_call_is_blocked_and_comes_to_nothing() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        let (client, source) = (app.key(&org), org.source(Platform::Vapi).await);
        let blocked = client.made("/v1/blocked-numbers", json!({"phone": "+14155550142"})).await;
        source.accept(app, &report("a", json!("+14155550142"), booking())).await;
        client
            .write_call(json!({"external_id": "b", "caller_phone": "+14155550142", "summary": "It leaks."}))
            .await;
        let calls = client.data("/v1/calls?status=blocked").await;
        let told = calls.as_array().expect("a list").iter();
        let told: Vec<_> = told
            .map(|call| format!("{} {} {}", call["external_id"], call["status"], call["contact_id"]))
            .collect();
        assert_eq!(told, [r#""b" "blocked" null"#, r#""a" "blocked" null"#]);
        assert_eq!(calls[1]["summary"], "The boiler leaks.", "it is kept");
        for kind in ["contacts", "leads", "appointments"] {
            assert_eq!(client.data(&format!("/v1/{kind}")).await, json!([]), "{kind}");
        }
        assert_eq!(receiver.take_events(), [""; 0]);

        // Others are none the worse for it.
        source.accept(app, &report("c", json!("+14155550143"), booking())).await;
        assert_eq!(receiver.take_events(), ["appointment.booked", "call.completed", "lead.created"]);
        // A withheld number cannot be blocked, and is not waited for.
        source.accept(app, &report("d", json!("sip:desk@example.com"), json!({}))).await;
        assert_eq!(receiver.take_events(), ["call.completed"]);

        client.delete(&format!("/v1/blocked-numbers/{}", blocked["id"].as_str().expect("an id"))).await;
        source.accept(app, &report("e", json!("+14155550142"), json!({}))).await;
        assert_eq!(receiver.take_events(), ["call.completed", "lead.created"]);
        source
            .accept(app, &report("a", json!("+14155550142"), json!({"timestamp": 1_771_966_900_000_i64})))
            .await;
        assert_eq!(receiver.take_events(), [""; 0], "what was blocked stays so");
        assert_eq!(client.data("/v1/calls?status=blocked").await.as_array().map(Vec::len), Some(2));
    });
}

#[test]
fn a_call_under_way_is_blocked_and_what_was_told_stays_told() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        let client = app.key(&org);
        let write = async |id: &str, rest: Value| {
            let mut call = json!({"external_id": id, "caller_phone": "+14155550142", "summary": "It leaks."});
            call.as_object_mut().expect("an object").extend(rest.as_object().cloned().unwrap_or_default());
            client.write_call(call).await
        };
        write("told", json!({})).await;
        assert_eq!(write("under way", json!({"status": "in-progress"})).await["status"], "in-progress");
        assert_eq!(receiver.take_events(), ["call.completed", "lead.created"]);
        client.made("/v1/blocked-numbers", json!({"phone": "+14155550142"})).await;
        assert_eq!(write("under way", json!({"status": "completed"})).await["status"], "blocked");
        let told = write("told", json!({"transcript": "It came late."})).await;
        assert_eq!((&told["status"], &told["transcript"]), (&json!("completed"), &json!("It came late.")));
        assert_eq!(receiver.take_events(), [""; 0]);
        let contact = &client.data("/v1/contacts").await[0];
        assert_eq!(contact["call_count"], 2, "both were calls of somebody who is known");
        assert_eq!(client.data("/v1/leads").await.as_array().map(Vec::len), Some(1));
    });
}

#[test]
fn where_numbers_are_blocked_a_call_waits_a_little_for_who_calls() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        let client = app.key(&org);
        client.made("/v1/blocked-numbers", json!({"phone": "+14155550142"})).await;
        for id in ["theirs", "another's", "nobody's"] {
            client.write_call(json!({"external_id": id, "summary": "It leaks."})).await;
        }
        assert_eq!(receiver.take_events(), [""; 0]);
        client.write_call(json!({"external_id": "theirs", "caller_phone": "+14155550142"})).await;
        assert_eq!(receiver.take_events(), [""; 0]);
        client.write_call(json!({"external_id": "another's", "caller_phone": "+14155550143"})).await;
        assert_eq!(receiver.take_events(), ["call.completed", "lead.created"], "it is known now");
        app.tick(Duration::from_secs(61)).await;
        assert_eq!(receiver.take_events(), ["call.completed"], "nobody has come");
        let calls = client.data("/v1/calls").await;
        let told: Vec<_> =
            calls.as_array().expect("a list").iter().map(|call| call["status"].clone()).collect();
        assert_eq!(told, ["completed", "completed", "blocked"]);
    });
}

/// What comes of messages in every order and every order twice over, where some number is blocked.
async fn in_any_order(app: &TestApp, platform: Platform, messages: &[&str], blocked: &str) -> Outcome {
    let expected = outcome(app, platform, messages, Some(blocked)).await;
    for order in permutations(messages) {
        assert_eq!(outcome(app, platform, &order, Some(blocked)).await, expected);
        let again: Vec<_> = order.iter().chain(&order).copied().collect();
        assert_eq!(outcome(app, platform, &again, Some(blocked)).await, expected);
    }
    expected
}

#[test]
fn a_blocked_call_is_the_same_in_any_order_and_any_other_as_if_nobody_was_blocked() {
    on_both_with(Setup::unhurried(), async |app| {
        for (platform, messages) in [
            (
                Platform::Vapi,
                fixtures!("vapi": "status-update.in-progress", "status-update.forwarding", "end-of-call-report"),
            ),
            (Platform::Retell, fixtures!("retell": "call_started", "call_ended", "call_analyzed")),
        ] {
            let open = outcome(app, platform, &messages, None).await;
            let number = open.records["calls"][0]["caller_phone"].as_str().expect("a number").to_owned();
            assert_eq!(in_any_order(app, platform, &messages, "+14155550199").await, open);
            let blocked = in_any_order(app, platform, &messages, &number).await;
            assert_eq!(blocked.events, [""; 0]);
            assert_eq!(blocked.records["calls"][0]["status"], "blocked");
            for kind in ["leads", "appointments"] {
                assert_eq!(blocked.records[kind], json!([]), "{kind}");
            }
        }
    });
}
