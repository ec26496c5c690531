//! What arrived at a source: shown as it came, and read again.

use std::time::Duration;

use insta::assert_snapshot;
use model::Platform;
use serde_json::{Value, json};

use crate::support::{Client, Receiver, Setup, booking, on_both, on_both_with, report};

/// A message that no secret proves, and so is rejected.
const WRONG: [(&str, &str); 1] = [("x-vapi-secret", "a wrong one")];

fn rows(answer: &Value) -> Vec<String> {
    let shown = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let each = answer["data"].as_array().expect("a list").iter().map(|message| {
        let words = ["event", "external_id", "outcome", "reason"].map(|name| shown(&message[name]));
        let call = if message["call_id"].is_string() { "a call" } else { "no call" };
        format!("{}, {call}, {} bytes", words.join(", "), message["size"])
    });
    each.collect()
}

async fn newest(client: &Client<'_>, source: model::SourceId) -> Value {
    client.data(&format!("/v1/sources/{source}/events")).await[0].take()
}

fn id(message: &Value) -> &str {
    message["id"].as_str().expect("an id")
}

#[test]
fn everything_that_arrived_is_listed_with_what_became_of_it() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (client, vapi) = (app.key(&org), org.source(Platform::Vapi).await);
        let message = report("c", json!("+14155550142"), json!({}));
        for body in [message.as_str(), "{", r#"{"message":{"type":"a-new-event"}}"#, &message] {
            vapi.post(app, body).await;
            app.tick(Duration::from_secs(1)).await;
        }
        vapi.post_with(&app.anon(), &WRONG, &message).await;
        let path = format!("/v1/sources/{}/events", vapi.source);
        let all = client.get(&path).await.json();
        assert_snapshot!(rows(&all).join("\n"), @"
        -, -, rejected, the header x-vapi-secret does not match: the platform uses another secret than this source has, or something between changed the body, no call, 357 bytes
        end-of-call-report, c, duplicate, the same message was accepted within the last day, a call, 357 bytes
        a-new-event, -, ignored, -, no call, 34 bytes
        -, -, failed, the body is not JSON: EOF while parsing an object at line 1 column 1, no call, 1 bytes
        end-of-call-report, c, accepted, -, a call, 357 bytes
        ");
        let call = all["data"][4]["call_id"].as_str().expect("a call").to_owned();
        let mut counts = Vec::new();
        for filter in [
            "outcome=failed".to_owned(),
            "outcome=rejected".to_owned(),
            "event=a-new-event".to_owned(),
            format!("call_id={call}"),
            "call_id=0197a3c4-0000-7000-8000-00000000dead".to_owned(),
            format!("since={}", all["data"][2]["received_at"].as_str().expect("a time")),
            "event=end-of-call-report&outcome=duplicate".to_owned(),
        ] {
            let found = client.get(&format!("{path}?{filter}")).await.json();
            counts.push(found["data"].as_array().expect("a list").len());
        }
        assert_eq!(counts, [1, 1, 1, 2, 0, 2, 1]);
        for wrong in ["outcome=done", "call_id=5", "evnet=x", "cursor=x", "limit=0"] {
            let answer = client.get(&format!("{path}?{wrong}")).await;
            assert!(answer.error().contains(wrong.split('=').next().expect("a name")), "{}", answer.shown());
        }
    });
}

#[test]
fn messages_of_one_moment_are_walked_without_repeating_or_skipping_one() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (client, vapi) = (app.key(&org), org.source(Platform::Vapi).await);
        for number in 0..7 {
            vapi.accept(app, &report(&format!("c{number}"), Value::Null, json!({}))).await;
        }
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = client.get(&format!("/v1/sources/{}/events?limit=3{cursor}", vapi.source)).await;
            let page = page.json();
            for message in page["data"].as_array().expect("a list") {
                walked.push(message["external_id"].as_str().expect("an id").to_owned());
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(walked, ["c6", "c5", "c4", "c3", "c2", "c1", "c0"]);
    });
}

#[test]
fn a_message_is_shown_as_it_came_without_what_proves_its_sender() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (client, vapi) = (app.key(&org), org.source(Platform::Vapi).await);
        let headers = [("x-vapi-secret", "a platform's secret"), ("user-agent", "axios")];
        vapi.post_with(&app.anon(), &headers, "{\"é\": 1} ").await;
        let listed = newest(&client, vapi.source).await;
        let path = format!("/v1/sources/{}/events/{}", vapi.source, id(&listed));
        let mut shown = client.data(&path).await;
        assert_eq!(shown["body"], "{\"é\": 1} ");
        assert_eq!((&shown["body_base64"], &shown["size"]), (&Value::Null, &json!(10)));
        let headers = shown["headers"].take();
        assert_eq!(
            headers,
            json!([
                {"name": "content-type", "value": "application/json"},
                {"name": "user-agent", "value": "axios"},
            ])
        );
        for (name, value) in listed.as_object().expect("an object") {
            assert_eq!(shown[name], *value, "{name} as in the list");
        }
        let json = [("content-type", "application/json"), ("x-vapi-secret", "a platform's secret")];
        app.anon().send(http::Method::POST, &vapi.path(), &json, b"\xff\x00".to_vec()).await;
        let path = format!("/v1/sources/{}/events/{}", vapi.source, id(&newest(&client, vapi.source).await));
        let shown = client.data(&path).await;
        assert_eq!((&shown["body"], &shown["body_base64"]), (&Value::Null, &json!("/wA=")));

        // The right secret of the platform is not shown either where the source has another.
        let settings = json!({"auth": {"scheme": "header", "header": "X-Token"}});
        let custom = org.source_with(Platform::Custom, settings).await;
        custom.post_with(&app.anon(), &[("x-token", "the right one")], "{}").await;
        let rejected = newest(&client, custom.source).await;
        let rejected = format!("/v1/sources/{}/events/{}", custom.source, id(&rejected));
        assert!(!client.data(&rejected).await.to_string().contains("the right one"));

        // A message belongs to its source alone.
        let other = org.source(Platform::Vapi).await;
        let elsewhere = path.replace(&vapi.source.to_string(), &other.source.to_string());
        assert_eq!(client.get(&elsewhere).await.error(), "404 not_found: There is no event with this id");
        let again = client.post(&format!("{elsewhere}/reprocess"), &json!({})).await;
        assert_eq!(again.error(), "404 not_found: There is no event with this id");
        assert_eq!(client.get(&format!("/v1/sources/{}/events/5", vapi.source)).await.status, 404);
    });
}

#[test]
fn a_mended_mapping_reads_what_came_before_it() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let receiver = Receiver::start().await;
        org.endpoint(&receiver.url("/")).await;
        let client = app.key(&org);
        let wrong = json!({"call_id": "$.ID", "status": "completed"});
        let custom = org.source_with(Platform::Custom, wrong).await;
        custom.post(app, r#"{"id": "c", "from": "+14155550142"}"#).await;
        let failed = newest(&client, custom.source).await;
        assert_eq!(failed["outcome"], "failed");
        assert_eq!((client.data("/v1/calls").await, receiver.take_events().len()), (json!([]), 0));

        let right = json!({"call_id": "$.id", "status": "completed", "fields": {"caller_phone": "$.from"}});
        let path = format!("/v1/sources/{}", custom.source);
        assert_eq!(client.patch(&path, &json!({"settings": right})).await.status, 200);
        let reprocess = format!("{path}/events/{}/reprocess", id(&failed));
        let answer = client.post(&reprocess, &json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.shown());
        let read = answer.json()["data"].take();
        let calls = client.data("/v1/calls").await;
        assert_eq!(calls[0]["caller_phone"], "+14155550142");
        assert_eq!((&read["outcome"], &read["reason"]), (&json!("accepted"), &Value::Null));
        assert_eq!((&read["call_id"], &read["external_id"]), (&calls[0]["id"], &json!("c")));
        assert_eq!(newest(&client, custom.source).await, read, "and the list says so");
        assert_eq!(receiver.take_events(), ["call.completed"]);

        // Again: nothing more happens, and nothing is told twice.
        client.post(&reprocess, &json!({})).await;
        assert_eq!(client.data("/v1/calls").await, calls);
        assert_eq!(receiver.take_events(), [""; 0]);
        // The platform's own repetition of it is known as one.
        let answer = custom.post(app, r#"{"id": "c", "from": "+14155550142"}"#).await;
        assert_eq!(answer.json()["data"]["outcome"], "duplicate");
    });
}

#[test]
fn a_rejected_message_is_read_only_when_a_person_says_so() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (client, vapi) = (app.key(&org), org.source(Platform::Vapi).await);
        let message = report("c", json!("+14155550142"), booking());
        vapi.post_with(&app.anon(), &WRONG, &message).await;
        let rejected = newest(&client, vapi.source).await;
        let path = format!("/v1/sources/{}", vapi.source);
        let one = format!("{path}/events/{}/reprocess", id(&rejected));
        let mut told = Vec::new();
        for body in [json!({}), json!({"accept_rejected": false}), json!({"accept": true})] {
            told.push(client.post(&one, &body).await.error());
        }
        let range = format!("{path}/reprocess");
        told.push(client.post(&range, &json!({"outcome": "rejected"})).await.error());
        let without = client.post(&range, &json!({"accept_rejected": true})).await.json()["data"].take();
        assert_eq!(without["processed"], 0, "they have to be asked for");
        assert_eq!(client.data("/v1/calls").await, json!([]));
        let answer = client.post(&one, &json!({"accept_rejected": true})).await.json()["data"].take();
        told.push(format!("{}: {}", answer["outcome"], answer["reason"]));
        assert_snapshot!(told.join("\n"), @r#"
        409 conflict: This message was rejected on arrival: the sender was not proven. If you know that it was the platform, send `accept_rejected`: true
        409 conflict: This message was rejected on arrival: the sender was not proven. If you know that it was the platform, send `accept_rejected`: true
        400 bad_request: Wrong field: unknown field `accept`, expected `accept_rejected` at line 1 column 9
        409 conflict: These messages were rejected on arrival: the sender was not proven. If you know that it was the platform, send `accept_rejected`: true
        "accepted": "taken for the platform's when it was read again, though it had been rejected: the header x-vapi-secret does not match: the platform uses another secret than this source has, or something between changed the body"
        "#);
        for kind in ["calls", "leads", "appointments"] {
            assert_eq!(client.data(&format!("/v1/{kind}")).await.as_array().map(Vec::len), Some(1), "{kind}");
        }
    });
}

#[test]
fn the_messages_of_a_day_are_read_again_page_by_page() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let receiver = Receiver::start().await;
        org.endpoint(&receiver.url("/")).await;
        let (client, vapi) = (app.key(&org), org.source(Platform::Vapi).await);
        for number in 0..5 {
            let message = report(&format!("c{number}"), Value::Null, json!({}));
            vapi.post_with(&app.anon(), &WRONG, &message).await;
            app.tick(Duration::from_secs(1)).await;
        }
        vapi.post_with(&app.anon(), &WRONG, "{").await;
        vapi.accept(app, &report("good", Value::Null, json!({}))).await;
        assert_eq!(receiver.take_events(), ["call.completed"]);
        let path = format!("/v1/sources/{}/reprocess", vapi.source);
        let mut body = json!({"outcome": "rejected", "accept_rejected": true, "limit": 2.0,
            "since": "2026-02-24T21:00:00Z", "until": "2026-02-24T22:00:00Z"});
        let mut told = Vec::new();
        loop {
            let answer = client.post(&path, &body).await;
            let batch = answer.json()["data"].take();
            told.push(
                [&batch["processed"], &batch["accepted"], &batch["ignored"], &batch["failed"]]
                    .map(Value::to_string)
                    .join(" "),
            );
            if batch["next"].is_null() {
                break;
            }
            body["cursor"] = batch["next"].clone();
        }
        // The first arrived at 21:00:00 and not after it.
        assert_eq!(told, ["2 2 0 0", "2 2 0 0", "1 0 0 1"]);
        assert_eq!(receiver.take_events(), ["call.completed"; 4]);
        // Everything but what is rejected, again: nobody is told twice.
        let all = client.post(&path, &json!({})).await.json()["data"].take();
        assert_eq!(all, json!({"processed": 6, "accepted": 5, "ignored": 0, "failed": 1, "next": null}));
        assert_eq!(receiver.take_events(), [""; 0]);
        assert_eq!(client.data("/v1/calls").await.as_array().map(Vec::len), Some(5));
        let mut told = Vec::new();
        for wrong in [
            json!({"limit": 0}),
            json!({"limit": 101}),
            json!({"cursor": "x"}),
            json!({"since": "today"}),
            json!({"outcome": "done"}),
        ] {
            told.push(client.post(&path, &wrong).await.error());
        }
        assert_snapshot!(told.join("\n"), @"
        400 bad_request: Wrong field `limit`: must be a whole number from 1 to 100
        400 bad_request: Wrong field `limit`: must be a whole number from 1 to 100
        400 bad_request: Wrong field `cursor`: must be the `next` of an answer before at line 1 column 14
        400 bad_request: Wrong field `since`: must be an ISO 8601 date-time with its offset, such as 2026-02-24T21:00:00Z at line 1 column 17
        400 bad_request: Wrong field `outcome`: unknown variant `done`, expected one of `accepted`, `duplicate`, `ignored`, `rejected`, `failed` at line 1 column 17
        ");
    });
}

#[test]
fn a_message_that_cannot_be_read_any_more_keeps_its_call() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let right = json!({"call_id": "$.id", "status": "completed"});
        let custom = org.source_with(Platform::Custom, right).await;
        custom.accept(app, r#"{"id": "c"}"#).await;
        let accepted = newest(&client, custom.source).await;
        let path = format!("/v1/sources/{}", custom.source);
        client.patch(&path, &json!({"settings": {"call_id": "$.ID", "status": "completed"}})).await;
        let reprocess = format!("{path}/events/{}/reprocess", id(&accepted));
        let read = client.post(&reprocess, &json!({})).await.json()["data"].take();
        assert_eq!((&read["outcome"], &read["call_id"]), (&json!("failed"), &accepted["call_id"]));
        assert_eq!(client.data("/v1/calls").await.as_array().map(Vec::len), Some(1));
    });
}
