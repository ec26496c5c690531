//! Webhook endpoints by API: made, changed, tried out, rotated, deleted, and subscribed to by Zapier.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Got, Receiver, Reply, Setup, TestApp, on_both, on_both_with};

async fn create(client: &Client<'_>, body: Value) -> Value {
    let answer = client.post("/v1/webhooks", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.shown());
    answer.json()["data"].take()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// The signatures that the reference library makes with a secret over what was received.
fn standard(got: &Got, secret: &str) -> String {
    let library = standardwebhooks::Webhook::new(secret).expect("a secret");
    let seconds = got.header("webhook-timestamp").parse().expect("a number");
    library.sign(got.header("webhook-id"), seconds, got.body.as_bytes()).expect("a signature")
}

#[test]
fn an_endpoint_is_made_shown_changed_and_deleted() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let body = json!({"url": "https://hooks.example.com/in", "events": ["call.completed", "lead.created"],
            "description": "The CRM", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"});
        let made = client.post("/v1/webhooks", &body).await;
        assert_snapshot!(made.json()["data"], @r#"{"id":"00000000-0000-7000-8000-000000000034","url":"https://hooks.example.com/in","description":"The CRM","events":["call.completed","lead.created"],"source_id":null,"rate":null,"ordering":"none","state":"enabled","signed":true,"secret_last4":"LaSw","previous_secret_until":null,"filters":null,"redact":[],"format":"inboundflow","headers":{},"sign_v1a":false,"trouble":null,"created_at":"2026-02-24T21:00:00.000001Z","updated_at":"2026-02-24T21:00:00.000001Z","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}"#);
        let id = made.json()["data"]["id"].clone();
        assert_eq!(made.json()["id"], id, "where Zapier looks for it");
        let path = format!("/v1/webhooks/{}", text(&id));

        let shown = client.get(&path).await;
        assert_snapshot!(shown.json()["data"], @r#"{"id":"00000000-0000-7000-8000-000000000034","url":"https://hooks.example.com/in","description":"The CRM","events":["call.completed","lead.created"],"source_id":null,"rate":null,"ordering":"none","state":"enabled","signed":true,"secret_last4":"LaSw","previous_secret_until":null,"filters":null,"redact":[],"format":"inboundflow","headers":{},"sign_v1a":false,"trouble":null,"created_at":"2026-02-24T21:00:00.000001Z","updated_at":"2026-02-24T21:00:00.000001Z"}"#);
        assert!(!shown.header("etag").is_empty());
        assert_eq!(client.data("/v1/webhooks").await, json!([shown.json()["data"]]));

        let change = json!({"url": "https://hooks.example.com/other", "events": ["all"], "description": null,
            "state": "paused"});
        let changed = client.patch(&path, &change).await;
        assert_snapshot!(changed.json()["data"], @r#"{"id":"00000000-0000-7000-8000-000000000034","url":"https://hooks.example.com/other","description":null,"events":["all"],"source_id":null,"rate":null,"ordering":"none","state":"paused","signed":true,"secret_last4":"LaSw","previous_secret_until":null,"filters":null,"redact":[],"format":"inboundflow","headers":{},"sign_v1a":false,"trouble":null,"created_at":"2026-02-24T21:00:00.000001Z","updated_at":"2026-02-24T21:00:00.000017Z"}"#);
        assert_ne!(changed.header("etag"), shown.header("etag"));
        let kept = client.patch(&path, &json!({"state": "enabled"})).await.json()["data"].take();
        assert_eq!((&kept["state"], &kept["url"]), (&json!("enabled"), &change["url"]));

        assert_snapshot!(client.delete(&path).await.json()["data"], @r#"{"id":"00000000-0000-7000-8000-000000000034","deleted":true}"#);
        assert_eq!(
            (client.get(&path).await.status, client.delete(&path).await.status),
            (404.try_into().expect("a status"), 404.try_into().expect("a status"))
        );
        assert_eq!(client.data("/v1/webhooks").await, json!([]));
    });
}

#[test]
fn a_secret_is_made_up_given_or_left_out() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let url = "https://hooks.example.com/in";
        let made_up = create(&client, json!({"url": url, "events": ["all"]})).await;
        let secret = text(&made_up["secret"]).strip_prefix("whsec_").expect("whsec_");
        assert_eq!(STANDARD.decode(secret).expect("base64").len(), 24);
        let own = create(&client, json!({"url": url, "events": ["all"], "secret": "correct horse"})).await;
        assert_eq!((&own["secret"], &own["secret_last4"]), (&json!("correct horse"), &json!("orse")));
        let none = create(&client, json!({"url": url, "events": ["all"], "secret": null})).await;
        assert_eq!((&none["secret"], &none["signed"]), (&Value::Null, &json!(false)));
        let listed = client.data("/v1/webhooks").await.to_string();
        assert!(!listed.contains(secret) && !listed.contains("correct horse"), "a secret is shown once");
    });
}

#[test]
fn what_is_wrong_with_an_endpoint_is_told() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let url = "https://hooks.example.com/in";
        let bodies = [
            json!({}),
            json!({"url": url}),
            json!({"url": url, "events": []}),
            json!({"url": url, "events": ["call.answered"]}),
            json!({"url": url, "events": ["all"], "evnts": 1}),
            json!({"url": url, "events": ["all"], "secret": " "}),
            json!({"url": url, "events": ["all"], "description": "x".repeat(501)}),
            json!({"url": "hooks.example.com", "events": ["all"]}),
            json!({"url": "http://hooks.example.com", "events": ["all"]}),
            json!({"url": "https://10.0.0.1/in", "events": ["all"]}),
            json!({"url": "https://169.254.169.254/latest", "events": ["all"]}),
        ];
        let mut told = Vec::new();
        for body in bodies {
            told.push(client.post("/v1/webhooks", &body).await.error());
        }
        let id = text(&create(&client, json!({"url": url, "events": ["all"]})).await["id"]).to_owned();
        for body in [
            json!({"url": "https://10.0.0.1/in"}),
            json!({"url": null}),
            json!({"state": "gone"}),
            json!({"state": "enabled", "held": "later"}),
            json!({"secret": "new"}),
        ] {
            told.push(client.patch(&format!("/v1/webhooks/{id}"), &body).await.error());
        }
        for body in [json!({"overlap_seconds": 604_801}), json!({"expire_previous": "later"})] {
            told.push(client.post(&format!("/v1/webhooks/{id}/rotate-secret"), &body).await.error());
        }
        told.push(client.post("/v1/webhooks/test", &json!({"url": "https://127.0.0.2/"})).await.error());
        told.push(client.post("/v1/webhooks/test", &json!({"url": url, "event": "call"})).await.error());
        assert_snapshot!(told.join("\n"), @"
        400 bad_request: Wrong field: missing field `url` at line 1 column 2
        400 bad_request: Wrong field: missing field `events` at line 1 column 38
        400 bad_request: Wrong field `events`: must name at least one event, or `all` at line 1 column 50
        400 bad_request: Wrong field `events`: `call.answered` is no event: there are all, *, call.completed, call.transferred, appointment.booked, lead.created, call.started, call.updated, lead.updated, appointment.updated, appointment.cancelled, contact.created, contact.updated, endpoint.failing, endpoint.disabled, endpoint.recovered at line 1 column 65
        400 bad_request: Wrong field: unknown field `evnts`, expected one of `hookUrl`, `targetUrl`, `target_url`, `url`, `event`, `events`, `description`, `secret`, `filters`, `redact`, `format`, `headers`, `sign_v1a`, `subscription_url` at line 1 column 62
        400 bad_request: Wrong field `secret`: must have 1 to 1000 characters, not all of them blank
        400 bad_request: Wrong field `description`: must have at most 500 characters
        400 bad_request: Wrong field `url`: the URL must begin with https://
        400 bad_request: Wrong field `url`: the URL must begin with https://; for plain http the host hooks.example.com must be listed in delivery.allow_targets
        400 bad_request: Wrong field `url`: the address 10.0.0.1 is private; allow it with delivery.allow_targets
        400 bad_request: Wrong field `url`: the address 169.254.169.254 is a cloud metadata address; allow it with delivery.allow_targets
        400 bad_request: Wrong field `url`: the address 10.0.0.1 is private; allow it with delivery.allow_targets
        400 bad_request: Wrong field `url`: invalid type: null, expected a string at line 1 column 11
        400 bad_request: Wrong field `state`: unknown variant `gone`, expected `enabled` or `paused` at line 1 column 15
        400 bad_request: Wrong field `held`: must be `deliver`, `discard` or an ISO 8601 date-time with its offset, such as 2026-02-24T21:00:00Z at line 1 column 34
        400 bad_request: Wrong field: unknown field `secret`, expected one of `url`, `description`, `events`, `filters`, `redact`, `format`, `headers`, `sign_v1a`, `state`, `held` at line 1 column 9
        400 bad_request: Wrong field `overlap_seconds`: must be a whole number from 0 to 604800
        400 bad_request: Wrong field `expire_previous`: unknown variant `later`, expected `now` at line 1 column 26
        400 bad_request: Wrong field `url`: the address 127.0.0.2 is loopback; allow it with delivery.allow_targets
        400 bad_request: Wrong field `event`: `call` is no event: there are call.completed, call.transferred, appointment.booked, lead.created, call.started, call.updated, lead.updated, appointment.updated, appointment.cancelled, contact.created, contact.updated, endpoint.failing, endpoint.disabled, endpoint.recovered at line 1 column 53
        ");
    });
}

#[test]
fn a_request_that_is_sent_again_makes_no_second_endpoint() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let (key, body) =
            ([("idempotency-key", "one")], json!({"url": "https://hooks.example.com/in", "events": ["all"]}));
        let first = client.post_with("/v1/webhooks", &key, &body).await;
        let again = client.post_with("/v1/webhooks", &key, &body).await;
        assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (201, "true"));
        assert_eq!(
            (&again.json()["data"], &again.json()["id"]),
            (&first.json()["data"], &first.json()["id"])
        );
        let other = json!({"url": "https://hooks.example.com/other", "events": ["all"]});
        assert_eq!(client.post_with("/v1/webhooks", &key, &other).await.code(), "conflict");
        assert_eq!(client.data("/v1/webhooks").await.as_array().map(Vec::len), Some(1));
    });
}

#[test]
fn a_change_counts_from_the_next_event() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let hook = create(&client, json!({"url": receiver.url("/in"), "events": ["call.completed"]})).await;
        let path = format!("/v1/webhooks/{}", text(&hook["id"]));
        client.write_call(json!({"external_id": "a"})).await;
        let got = receiver.take();
        assert_eq!(got.len(), 1);
        got[0].verify(text(&hook["secret"]));
        for (change, expected) in [
            (json!({"events": ["lead.created"]}), vec![]),
            (json!({"events": ["all"], "url": receiver.url("/new")}), vec!["/new"]),
            (json!({"state": "paused"}), vec![]),
            (json!({"state": "enabled"}), vec!["/new", "/new"]),
        ] {
            client.patch(&path, &change).await;
            client.write_call(json!({"summary": "Another"})).await;
            let paths: Vec<_> = receiver.take().into_iter().map(|got| got.path).collect();
            assert_eq!(paths, expected, "{change}");
        }
        client.delete(&path).await;
        client.write_call(json!({"summary": "The last"})).await;
        assert!(receiver.take().is_empty());
    });
}

#[test]
fn what_a_deleted_endpoint_was_owed_is_called_off() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let hook = create(&client, json!({"url": receiver.url("/"), "events": ["all"]})).await;
        receiver.reply([Reply(500, &[])]);
        client.write_call(json!({"external_id": "a"})).await;
        client.delete(&format!("/v1/webhooks/{}", text(&hook["id"]))).await;
        app.tick(Duration::from_secs(86_400)).await;
        assert_eq!(receiver.take().len(), 1, "the first try and no other");
        let delivery = client.data("/v1/deliveries").await[0].take();
        assert_eq!((&delivery["state"], &delivery["last_status"]), (&json!("cancelled"), &json!(500)));
        let resend =
            client.post(&format!("/v1/deliveries/{}/resend", text(&delivery["id"])), &json!({})).await;
        assert_snapshot!(resend.error(), @"409 conflict: The endpoint of this delivery was deleted: there is nowhere to send it to");
    });
}

async fn event(app: &TestApp, client: &Client<'_>, receiver: &Receiver) -> Got {
    client.write_call(json!({"summary": "An event"})).await;
    app.settle().await;
    receiver.take().pop().expect("a webhook")
}

#[test]
fn a_rotation_signs_with_both_until_it_ends() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let hook = create(&client, json!({"url": receiver.url("/"), "events": ["all"]})).await;
        let (path, old) = (format!("/v1/webhooks/{}", text(&hook["id"])), text(&hook["secret"]));
        let rotated = client.post(&format!("{path}/rotate-secret"), &json!({})).await.json()["data"].take();
        let new = text(&rotated["secret"]);
        assert_eq!(rotated["previous_secret_until"], "2026-02-25T21:00:00.000Z");
        assert_eq!(client.data(&path).await.get("secret"), None);

        let got = event(app, &client, &receiver).await;
        let both = format!("{} {}", standard(&got, new), standard(&got, old));
        assert_eq!(got.header("webhook-signature"), both, "either secret is good");
        let fixed = delivery::sign::hex_signature(old, got.body.as_bytes());
        assert_eq!(got.header("x-inboundflow-signature"), fixed, "who knows only this header is not broken");

        app.tick(Duration::from_secs(86_400) - Duration::from_micros(1)).await;
        assert_eq!(event(app, &client, &receiver).await.header("webhook-signature").split(' ').count(), 2);
        app.tick(Duration::from_micros(1)).await;
        event(app, &client, &receiver).await.verify(new);
        assert_eq!(client.data(&path).await["previous_secret_until"], Value::Null);
    });
}

#[test]
fn a_person_can_end_a_rotation_before_its_time() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let hook = create(&client, json!({"url": receiver.url("/"), "events": ["all"]})).await;
        let rotate = format!("/v1/webhooks/{}/rotate-secret", text(&hook["id"]));
        let own = json!({"secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "overlap_seconds": 3600});
        let key = [("idempotency-key", "rotate")];
        let rotated = client.post_with(&rotate, &key, &own).await.json()["data"].take();
        assert_eq!(rotated["previous_secret_until"], "2026-02-24T22:00:00.000Z");
        let again = client.post_with(&rotate, &key, &own).await;
        assert_eq!((&again.json()["data"], again.header("idempotent-replayed")), (&rotated, "true"));
        let ended = client.post(&rotate, &json!({"expire_previous": "now"})).await.json()["data"].take();
        assert_eq!((&ended["secret"], &ended["previous_secret_until"]), (&Value::Null, &Value::Null));
        event(app, &client, &receiver).await.verify("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
    });
}

#[test]
fn a_test_works_before_the_endpoint_is_saved() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        receiver.reply([Reply(201, &[("x-receiver", "yes")])]);
        let body = json!({"url": receiver.url("/in"), "event": "lead.created"});
        let answer = client.post("/v1/webhooks/test", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.shown());
        let test = answer.json()["data"].take();
        let got = receiver.take();
        assert_eq!(got.len(), 1);
        got[0].verify(text(&test["secret"]));
        assert_eq!(test["request"]["body"], got[0].body, "told as it was sent");
        for header in test["request"]["headers"].as_array().expect("headers") {
            assert_eq!(got[0].header(text(&header["name"])), header["value"]);
        }
        assert_eq!(
            (&test["delivered"], &test["trigger"], &test["error"]),
            (&json!(true), &json!("test"), &Value::Null)
        );
        assert_eq!((&test["response"]["status"], &test["response"]["body"]), (&json!(201), &json!("")));
        let line = json!({"name": "x-receiver", "value": "yes"});
        assert!(test["response"]["headers"].as_array().expect("headers").contains(&line));
        assert_eq!(client.data("/v1/webhooks").await, json!([]), "nothing is saved");
        assert_eq!(
            (client.data("/v1/deliveries").await, client.data("/v1/events").await),
            (json!([]), json!([]))
        );
    });
}

#[test]
fn a_test_that_fails_says_why_and_changes_nothing() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let hook = create(&client, json!({"url": receiver.url("/"), "events": ["appointment.booked"]})).await;
        let path = format!("/v1/webhooks/{}", text(&hook["id"]));
        let before = client.data(&path).await;
        let test = async || client.post(&format!("{path}/test"), &json!({})).await.json()["data"].take();
        receiver.reply([Reply(410, &[]), Reply(302, &[("location", "/elsewhere")])]);
        let gone = test().await;
        assert_eq!(
            (&gone["error"], &gone["event"]),
            (&json!("the receiver answered 410"), &json!("appointment.booked"))
        );
        let moved = "the receiver answered 302, a redirect to /elsewhere; redirects are never followed";
        assert_eq!(test().await["error"], moved);
        for got in receiver.take() {
            got.verify(text(&hook["secret"]));
        }
        let refused = client.post("/v1/webhooks/test", &json!({"url": "https://127.0.0.1:1/"})).await;
        let refused = refused.json()["data"].take();
        assert_eq!(
            (&refused["error"], &refused["response"]),
            (&json!("connection refused by 127.0.0.1:1"), &Value::Null)
        );
        assert_eq!(client.data(&path).await, before, "410 to a test is no 410 to an event");
    });
}

#[test]
fn zapier_subscribes_and_unsubscribes_as_it_does() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let bodies = [
            json!({"hookUrl": receiver.url("/hook"), "event": "call.completed"}),
            json!({"target_url": receiver.url("/target"), "subscription_url": receiver.url("/target"),
                "event": "call.completed"}),
            json!({"url": receiver.url("/url"), "events": "call.completed"}),
        ];
        let mut subscribed = Vec::new();
        for body in &bodies {
            let answer: Answer = client.post("/v1/webhooks", body).await;
            assert_eq!(answer.status, 201, "{body}: {}", answer.shown());
            subscribed.push(text(&answer.json()["id"]).to_owned());
        }
        client.write_call(json!({"external_id": "a", "summary": "Hello"})).await;
        let got = receiver.take();
        assert_eq!(got.len(), 3);
        let samples = client.get("/v1/event-types/call.completed/samples?format=array").await;
        let sample = samples.json()[0].take();
        let fields =
            |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!((fields(&sample), &sample["data"]), (fields(&got[0].json()), &got[0].json()["data"]));

        // It sends a body with its DELETE, and what it finds there is what it subscribed with.
        let json_type = [("content-type", "application/json")];
        let body = bodies[0].to_string().into_bytes();
        let path = format!("/v1/webhooks/{}", subscribed[0]);
        assert_eq!(client.send(Method::DELETE, &path, &json_type, body).await.status, 200);
        receiver.reply([Reply(410, &[]), Reply(410, &[])]);
        client.write_call(json!({"external_id": "b"})).await;
        assert_eq!(receiver.take().len(), 2);
        client.write_call(json!({"external_id": "c"})).await;
        assert!(receiver.take().is_empty(), "who answers 410 is not told any more");
    });
}
