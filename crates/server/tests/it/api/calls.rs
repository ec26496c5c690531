//! Calls that are written through the API.

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Receiver, on_both};

#[test]
fn a_call_is_created_once_and_then_updated_by_its_external_id() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        let client = app.key(&org);
        let first = client
            .post("/v1/calls", &json!({"external_id": "a", "status": "in-progress", "caller_name": "Robin"}))
            .await;
        assert_eq!(first.status, 201);
        assert!(receiver.take().is_empty(), "it is not over");
        app.tick(Duration::from_secs(30)).await;
        let whole = json!({
            "external_id": "a", "caller_phone": "+14155550142", "caller_name": "Robin Vale",
            "caller_email": "robin@example.com", "status": "completed", "direction": "inbound",
            "started_at": "2026-02-24T21:58:00+01:00", "ended_at": "2026-02-24T20:59:00.5Z", "summary": "The boiler leaks.",
            "transcript": "AI: Hello\nUser: It leaks", "recording_url": "https://example.com/a.wav",
            "messages": [{"role": "assistant", "content": "Hello", "offset_seconds": 0.5},
                {"role": "tool", "tool": {"name": "lookup", "call_id": "t", "arguments": {"a": 1}, "result": "found", "ok": true}}],
            "transfer_status": "connected", "ended_reason": "hung up", "assistant_id": "front desk", "intent": "Repair", "urgency": "high",
        });
        let second = client.post("/v1/calls", &whole).await;
        assert_eq!(
            (second.status.as_u16(), &second.json()["data"]["id"]),
            (200, &first.json()["data"]["id"])
        );
        let id = first.json()["data"]["id"].as_str().expect("an id").to_owned();
        let read = client.data(&format!("/v1/calls/{id}")).await;
        assert_eq!(second.json()["data"], read, "the answer is the call");
        assert_snapshot!(serde_json::to_string_pretty(&read).expect("JSON"), @r#"
        {
          "id": "00000000-0000-7000-8000-000000000035",
          "caller_phone": "+14155550142",
          "caller_name": "Robin Vale",
          "status": "completed",
          "duration_seconds": 61,
          "summary": "The boiler leaks.",
          "transcript": "AI: Hello\nUser: It leaks",
          "recording_url": "https://example.com/a.wav",
          "transfer_status": "connected",
          "started_at": "2026-02-24T20:58:00.000Z",
          "ended_at": "2026-02-24T20:59:00.500Z",
          "assistant_id": "00000000-0000-7000-8000-000000000037",
          "contact_id": "00000000-0000-7000-8000-000000000038",
          "created_at": "2026-02-24T21:00:00.000001Z",
          "caller_email": "robin@example.com",
          "intent": "Repair",
          "urgency": "high",
          "direction": "inbound",
          "source": "api",
          "external_id": "a",
          "ended_reason": "hung up",
          "recording_available": true,
          "updated_at": "2026-02-24T21:00:30.000002Z",
          "reviewed": false,
          "spam": false,
          "tags": [],
          "notes": null,
          "messages": [
            {
              "role": "assistant",
              "content": "Hello",
              "offset_seconds": 0.5,
              "tool": null
            },
            {
              "role": "tool",
              "content": null,
              "offset_seconds": null,
              "tool": {
                "name": "lookup",
                "call_id": "t",
                "arguments": {
                  "a": 1
                },
                "result": "found",
                "ok": true
              }
            }
          ],
          "recordings": []
        }
        "#);
        assert_eq!(receiver.take_events(), ["call.completed", "lead.created"]);
        let listed = &client.data("/v1/calls").await[0];
        assert_eq!(listed.get("messages"), None, "the list never carries the conversation");
        let external = &client.data("/v1/assistants").await[0];
        assert_eq!(
            (&external["external_id"], &external["id"]),
            (&json!("front desk"), &read["assistant_id"])
        );
    });
}

#[test]
fn without_an_external_id_every_write_is_another_call() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        for _ in 0..2 {
            assert_eq!(client.post("/v1/calls", &json!({})).await.status, 201);
        }
        let calls = client.data("/v1/calls").await;
        assert_eq!(calls.as_array().map(Vec::len), Some(2));
        assert_eq!(calls[0]["external_id"], Value::Null);
    });
}

#[test]
fn a_call_that_is_over_stays_over_and_what_is_known_stays_known() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        let client = app.key(&org);
        client.write_call(json!({"external_id": "a", "status": "completed", "summary": "One", "duration_seconds": 30.0})).await;
        app.tick(Duration::from_secs(1)).await;
        let after =
            client.write_call(json!({"external_id": "a", "status": "in-progress", "summary": null})).await;
        assert_eq!(
            (&after["status"], &after["summary"], &after["duration_seconds"]),
            (&json!("completed"), &json!("One"), &json!(30))
        );
        app.tick(Duration::from_secs(1)).await;
        let after = client.write_call(json!({"external_id": "a", "caller_name": "Robin"})).await;
        assert_eq!(after["status"], "completed");
        assert_eq!(receiver.take_events(), ["call.completed"], "once");
    });
}

#[test]
fn the_same_request_with_the_same_idempotency_key_is_done_once() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (client, key) = (app.key(&org), [("idempotency-key", "k-1")]);
        let body = json!({"summary": "One", "caller_phone": "+14155550142"});
        let first = client.post_with("/v1/calls", &key, &body).await;
        assert_eq!((first.status.as_u16(), first.header("idempotent-replayed")), (201, ""));
        app.tick(Duration::from_secs(86_399)).await;
        let again = client.post_with("/v1/calls", &key, &body).await;
        assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (201, "true"));
        assert_eq!(again.json()["data"], first.json()["data"]);
        let other = client.post_with("/v1/calls", &key, &json!({"summary": "Two"})).await;
        assert_snapshot!(other.error(), @"409 conflict: Another request was made with this Idempotency-Key within the last 24 hours");
        assert_eq!(client.data("/v1/calls").await.as_array().map(Vec::len), Some(1));

        let theirs = app.org("Other").await;
        let answer = app.key(&theirs).post_with("/v1/calls", &key, &json!({"summary": "Two"})).await;
        assert_eq!(answer.status, 201, "another organization's keys are its own");

        app.tick(Duration::from_secs(2)).await;
        let later = client.post_with("/v1/calls", &key, &json!({"summary": "Two"})).await;
        assert_eq!(later.status, 201, "after 24 hours the key is forgotten");
        for wrong in ["", "a b", &"k".repeat(256)] {
            assert_eq!(client.post_with("/v1/calls", &[("idempotency-key", wrong)], &body).await.status, 400);
        }
    });
}

#[test]
fn requests_at_once_with_the_same_idempotency_key_make_one_call() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let headers = [("content-type", "application/json"), ("idempotency-key", "k-1")];
        let all =
            (0..10).map(|_| client.send_only(http::Method::POST, "/v1/calls", &headers, b"{}".to_vec()));
        let answers = futures_util::future::join_all(all).await;
        app.settle().await;
        for answer in &answers {
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["data"]),
                (201, &answers[0].json()["data"]),
                "{}",
                answer.shown()
            );
        }
        assert_eq!(client.data("/v1/calls").await.as_array().map(Vec::len), Some(1));
    });
}

#[test]
fn any_text_survives() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        let client = app.key(&org);
        let texts = [
            "NUL \u{0} in the middle",
            "🎉 𝒳 Grüße 你好 \u{202e}",
            "\"quotes\" \\ and \u{7f}\u{1}",
            "a\r\nb\tc",
            "\u{2028}</script>",
        ];
        for (number, text) in texts.into_iter().enumerate() {
            let body = json!({"external_id": text, "caller_name": text, "summary": text, "transcript": text, "assistant_id": text,
                "messages": [{"role": "user", "content": text}]});
            let call = client.write_call(body).await;
            let read = client.data(&format!("/v1/calls/{}", call["id"].as_str().expect("an id"))).await;
            for field in ["external_id", "caller_name", "summary", "transcript"] {
                // PostgreSQL's text has no NUL, so on both databases the sign for what cannot be shown takes its place.
                assert_eq!(read[field], text.replace('\0', "\u{fffd}"), "{field} {number}");
            }
            assert_eq!(read["messages"][0]["content"], text);
            let again = client.post("/v1/calls", &json!({"external_id": text})).await;
            assert_eq!(again.status, 200, "it is found by its external_id");
            let sent = receiver.take();
            assert_eq!(sent[0].json()["data"]["summary"], text);
        }
    });
}
