//! The block list: calls of its numbers are kept, and come to nothing.

use std::time::Duration;

use insta::assert_snapshot;
use model::{EventFilter, EventType, Platform};
use serde_json::{Value, json};
use store::NewEndpoint;

use super::{
    orders::{Outcome, fixtures, outcome, permutations},
    recordings::{fetching, only_call, path_of, recorded},
};
use crate::support::{Item, Receiver, Setup, Storage, TestApp, booking, on_both, on_both_with, report, wav};

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

#[test]
fn a_blocked_caller_s_recording_is_fetched_only_when_a_person_asks_after_unblocking() {
    on_both_with(fetching(), async |app| {
        let storage = Storage::start().await;
        let sound = wav(1, 1);
        let org = app.org("Harbor Plumbing").await;
        let (client, source) = (app.key(&org), org.source(Platform::Vapi).await);
        let blocked = client.made("/v1/blocked-numbers", json!({"phone": "+14155550142"})).await;
        let url = storage.put("/a.wav", [Item::sound(&sound)]);
        source.accept(app, &recorded("c", json!({ "recordingUrl": url }))).await;
        app.settle().await;
        let call = only_call(&client).await;
        assert_eq!((&call["status"], &call["recording_available"]), (&json!("blocked"), &json!(false)));
        assert_snapshot!(call["recordings"], @r#"[{"variant":"mono","state":"failed","url":null,"content_type":null,"size_bytes":null,"duration_seconds":null,"error":"it is not fetched: the caller's number is blocked"}]"#);
        let path = format!("/v1/calls/{}/recording/fetch", call["id"].as_str().expect("an id"));
        let asked = client.post(&path, &json!({})).await;
        assert_eq!(asked.error(), "409 conflict: The caller's number is blocked: unblock it first");

        client.delete(&format!("/v1/blocked-numbers/{}", blocked["id"].as_str().expect("an id"))).await;
        // Another address for it is noted, and still nobody has asked.
        let moved = storage.put("/b.wav", [Item::sound(&sound)]);
        let later =
            json!({"timestamp": 1_771_966_900_000_i64, "artifact": {"messages": [], "recordingUrl": moved}});
        source.accept(app, &report("c", json!("+14155550142"), later)).await;
        app.settle().await;
        assert_eq!(storage.asked(), [""; 0]);
        assert_eq!(client.post(&path, &json!({})).await.status, 200);
        app.settle().await;
        assert_eq!(storage.asked(), ["/b.wav"]);
        assert_eq!(client.get(&path_of(&only_call(&client).await)).await.bytes, sound);
    });
}

#[test]
fn what_was_still_to_be_fetched_is_called_off_when_a_call_turns_out_to_be_blocked() {
    on_both_with(fetching(), async |app| {
        let storage = Storage::start().await;
        let org = app.org("Harbor Plumbing").await;
        let (client, source) = (app.key(&org), org.source(Platform::Retell).await);
        let url = storage.put("/a.wav", [Item::status(404), Item::sound(&wav(1, 1))]);
        let message = |event: &str| {
            let call = json!({"call_id": "c", "direction": "inbound", "from_number": "+14155550142",
                "call_status": "ended", "recording_url": url});
            json!({"event": event, "call": call}).to_string()
        };
        source.accept(app, &message("call_ended")).await;
        app.settle().await;
        assert_eq!(storage.asked(), ["/a.wav"], "it is not there yet");
        client.made("/v1/blocked-numbers", json!({"phone": "+14155550142"})).await;
        source.accept(app, &message("call_analyzed")).await;
        app.tick(Duration::from_secs(3600)).await;
        assert_eq!(storage.asked(), [""; 0]);
        let call = only_call(&client).await;
        assert_eq!((&call["status"], &call["recordings"][0]["state"]), (&json!("blocked"), &json!("failed")));
        assert_eq!((&call["recording_url"], &call["recording_available"]), (&json!(url), &json!(false)));
    });
}

#[test]
fn that_a_call_started_is_told_once_however_the_block_list_changes_during_it() {
    on_both_with(Setup::unhurried(), async |app| {
        let begins = |id: &str| json!({"external_id": id, "status": "in-progress"});
        let names = |id: &str| json!({"external_id": id, "caller_phone": "+14155550143"});
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let new = NewEndpoint {
            url: receiver.url("/"),
            events: EventFilter::Only(vec![EventType::CallStarted]),
            secret: None,
            source: None,
            telling: Default::default(),
        };
        org.endpoint_with(new).await;
        let client = app.key(&org);
        client.write_call(begins("before")).await;
        assert_eq!(receiver.take_events(), ["call.started"], "nobody is blocked");
        let blocked = client.made("/v1/blocked-numbers", json!({"phone": "+14155550142"})).await;
        client.write_call(names("before")).await;
        assert_eq!(receiver.take_events(), [""; 0], "it was told");
        client.write_call(begins("during")).await;
        client.write_call(begins("after")).await;
        assert_eq!(receiver.take_events(), [""; 0], "it may be a blocked caller");
        client.write_call(names("during")).await;
        assert_eq!(receiver.take_events(), ["call.started"]);
        client.delete(&format!("/v1/blocked-numbers/{}", blocked["id"].as_str().expect("an id"))).await;
        client.write_call(names("after")).await;
        assert_eq!(receiver.take_events(), ["call.started"], "it is told late rather than not at all");
        client.write_call(json!({"external_id": "after", "caller_name": "Robin"})).await;
        assert_eq!(receiver.take_events(), [""; 0]);
    });
}
