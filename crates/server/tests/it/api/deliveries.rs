//! What became of webhooks: listed, looked at to the byte, and sent once more.

use std::time::Duration;

use insta::assert_snapshot;
use model::Platform;
use serde_json::{Value, json};
use store::NewEndpoint;

use crate::support::{Org, Receiver, Reply, Setup, TestApp, booking, on_both, on_both_with, report};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const FAILS: Reply = Reply(500, &[("x-reason", "tired")]);

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

async fn one(app: &TestApp, org: &Org) -> Value {
    let listed = app.key(org).data("/v1/deliveries").await;
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    app.key(org).data(&format!("/v1/deliveries/{}", text(&listed[0]["id"]))).await
}

#[test]
fn a_delivery_shows_every_try_as_it_was_sent_and_answered() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/hook")).await;
        receiver.reply([FAILS]);
        app.key(&org).write_call(json!({"external_id": "a"})).await;
        app.tick(Duration::from_secs(6)).await;
        let (got, mut delivery) = (receiver.take(), one(app, &org).await);
        let attempts = delivery["attempts"].as_array().expect("a list").clone();
        assert_eq!((got.len(), attempts.len()), (2, 2));
        for (got, attempt) in got.iter().zip(&attempts) {
            assert_eq!(attempt["request"]["body"], got.body);
            assert_eq!(attempt["request"]["url"], receiver.url("/hook"));
            for header in attempt["request"]["headers"].as_array().expect("headers") {
                assert_eq!(got.header(text(&header["name"])), header["value"]);
            }
        }
        let told = |attempt: &Value| {
            format!(
                "{} {} {} {}",
                attempt["number"], attempt["trigger"], attempt["response"]["status"], attempt["error"]
            )
        };
        assert_snapshot!(attempts.iter().map(told).collect::<Vec<_>>().join("\n"), @r#"
        1 "schedule" 500 "the receiver answered 500"
        2 "schedule" 204 null
        "#);
        let line = json!({"name": "x-reason", "value": "tired"});
        assert!(attempts[0]["response"]["headers"].as_array().expect("headers").contains(&line));
        let moved = json!({"url": receiver.url("/moved")});
        app.key(&org).patch(&format!("/v1/webhooks/{}", text(&delivery["webhook_id"])), &moved).await;
        let later = one(app, &org).await;
        assert_eq!(later["url"], moved["url"]);
        assert_eq!(later["attempts"], delivery["attempts"], "where they went, not where they would go now");
        delivery["attempts"] = json!("see above");
        delivery["url"] = json!("see above");
        assert_snapshot!(delivery, @r#"{"id":"00000000-0000-7000-8000-000000000037","webhook_id":"00000000-0000-7000-8000-000000000033","url":"see above","event":"call.completed","event_id":"00000000-0000-7000-8000-000000000036","call_id":"00000000-0000-7000-8000-000000000035","state":"delivered","attempt_count":2,"next_attempt_at":null,"last_status":204,"last_error":null,"created_at":"2026-02-24T21:00:00.000003Z","updated_at":"2026-02-24T21:00:06.000000Z","attempts":"see above"}"#);
    });
}

#[test]
fn a_resend_is_the_same_delivery_and_says_that_a_person_asked_for_it() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/hook")).await;
        app.key(&org).write_call(json!({"external_id": "a"})).await;
        let first = receiver.take().pop().expect("a webhook");
        let path = format!("/v1/deliveries/{}/resend", text(&first.json()["delivery_id"]));
        let key = [("idempotency-key", "again")];
        app.clock.advance(Duration::from_secs(3600));
        let answer = app.key(&org).post_with(&path, &key, &json!({})).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["data"]["state"]), (200, &json!("retrying")));
        let again = receiver.take().pop().expect("a webhook");
        assert_eq!(again.body, first.body);
        assert_ne!(
            again.header("webhook-timestamp"),
            first.header("webhook-timestamp"),
            "the time of this try"
        );
        again.verify(SECRET);
        app.key(&org).post_with(&path, &key, &json!({})).await;
        assert!(receiver.take().is_empty(), "the same request does nothing twice");
        let delivery = one(app, &org).await;
        let triggers: Vec<_> = delivery["attempts"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|try_| text(&try_["trigger"]))
            .collect();
        assert_eq!((triggers, text(&delivery["state"])), (vec!["schedule", "manual"], "delivered"));
    });
}

#[test]
fn a_delivery_that_was_given_up_can_be_resent() {
    let setup = Setup { schedule: Some("1s"), ..Setup::default() };
    on_both_with(setup, async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/hook")).await;
        receiver.reply([FAILS; 3]);
        app.key(&org).write_call(json!({"external_id": "a"})).await;
        app.tick(Duration::from_secs(2)).await;
        let delivery = one(app, &org).await;
        assert_eq!(delivery["state"], "exhausted");
        let path = format!("/v1/deliveries/{}/resend", text(&delivery["id"]));
        app.key(&org).post(&path, &json!({})).await;
        assert_eq!(one(app, &org).await["state"], "exhausted", "one more try, and the schedule has none");
        app.key(&org).post(&path, &json!({})).await;
        let delivery = one(app, &org).await;
        let triggers: Vec<_> = delivery["attempts"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|try_| text(&try_["trigger"]))
            .collect();
        assert_eq!(triggers, ["schedule", "schedule", "manual", "manual"]);
        assert_eq!(delivery["state"], "delivered");
    });
}

#[test]
fn deliveries_are_found_by_what_they_are_and_what_became_of_them() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver, broken) =
            (app.org("Harbor Plumbing").await, Receiver::start().await, Receiver::start().await);
        let good = org.endpoint(&receiver.url("/")).await.id;
        broken.reply([Reply(404, &[]); 3]);
        let bad = org.endpoint(&broken.url("/")).await.id;
        let nowhere = NewEndpoint {
            url: "https://127.0.0.1:1/".into(),
            events: model::EventFilter::default(),
            secret: None,
            source: None,
            telling: Default::default(),
        };
        let nowhere = org.endpoint_with(nowhere).await.id;
        org.source(Platform::Vapi).await.accept(app, &report("a", json!("+14155550142"), booking())).await;
        let client = app.key(&org);
        let call = client.data("/v1/calls").await[0]["id"].clone();
        client.write_call(json!({"external_id": "b"})).await;
        let event = client.data("/v1/events").await[0]["id"].clone();
        let mut found = Vec::new();
        for filter in [
            "limit=100".into(),
            format!("webhook_id={good}"),
            format!("webhook_id={bad}&event=lead.created"),
            "event=call.completed".into(),
            format!("event_id={}", text(&event)),
            format!("call_id={}", text(&call)),
            "state=delivered".into(),
            "state=retrying".into(),
            "state=exhausted".into(),
            "status=2xx".into(),
            "status=4xx".into(),
            "status=none".into(),
            "since=2026-02-24T20:00:00Z".into(),
            "until=2026-02-24T20:00:00Z".into(),
        ] {
            let listed = client.data(&format!("/v1/deliveries?{filter}")).await;
            let listed = listed.as_array().expect("a list").clone();
            assert!(listed.iter().all(|delivery| client_matches(delivery, &filter)), "{filter}");
            let shown = filter.replace(&good.to_string(), "GOOD").replace(&bad.to_string(), "BAD");
            let shown = shown.replace(text(&event), "EVENT").replace(text(&call), "CALL");
            found.push(format!("{} {shown}", listed.len()));
        }
        assert_snapshot!(found.join("\n"), @"
        12 limit=100
        4 webhook_id=GOOD
        1 webhook_id=BAD&event=lead.created
        6 event=call.completed
        3 event_id=EVENT
        9 call_id=CALL
        5 state=delivered
        7 state=retrying
        0 state=exhausted
        5 status=2xx
        3 status=4xx
        4 status=none
        12 since=2026-02-24T20:00:00Z
        0 until=2026-02-24T20:00:00Z
        ");
        let mut walked = Vec::new();
        let mut path = "/v1/deliveries?limit=5".to_owned();
        loop {
            let page = client.get(&path).await.json();
            walked.extend(
                page["data"].as_array().expect("a list").iter().map(|delivery| delivery["id"].clone()),
            );
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/deliveries?limit=5&cursor={cursor}");
        }
        let all = client.data("/v1/deliveries").await;
        let all: Vec<_> =
            all.as_array().expect("a list").iter().map(|delivery| delivery["id"].clone()).collect();
        assert_eq!(walked, all);
        for endpoint in [bad, nowhere] {
            org.records.delete_endpoint(endpoint).await.expect("a write");
        }
    });
}

fn client_matches(delivery: &Value, filter: &str) -> bool {
    match filter.split_once('=') {
        Some(("state", state)) => delivery["state"] == state,
        Some(("event", event)) => delivery["event"] == event,
        Some(("call_id", call)) => delivery["call_id"] == call,
        Some(("status", "none")) => delivery["last_status"].is_null(),
        _ => true,
    }
}

#[test]
fn filters_that_are_wrong_are_named() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let mut told = Vec::new();
        for filter in ["state=done", "status=200", "event=call", "webhook_id=5", "webhook=5", "until=now"] {
            told.push(app.key(&org).get(&format!("/v1/deliveries?{filter}")).await.error());
        }
        assert_snapshot!(told.join("\n"), @"
        400 bad_request: Wrong query parameter `state`: unknown variant `done`, expected one of `pending`, `in_flight`, `delivered`, `retrying`, `exhausted`, `held`, `cancelled`
        400 bad_request: Wrong query parameter `status`: unknown variant `200`, expected one of `2xx`, `3xx`, `4xx`, `5xx`, `none`
        400 bad_request: Wrong query parameter `event`: `call` is no event: there are call.completed, call.transferred, appointment.booked, lead.created, call.started, call.updated, lead.updated, appointment.updated, appointment.cancelled, contact.created, contact.updated, endpoint.failing, endpoint.disabled, endpoint.recovered
        400 bad_request: Wrong query parameter `webhook_id`: UUID parsing failed: invalid length: found 1
        400 bad_request: Wrong query parameter: unknown field `webhook`, expected one of `limit`, `cursor`, `since`, `until`, `webhook_id`, `event`, `event_id`, `state`, `status`, `call_id`
        400 bad_request: Wrong query parameter `until`: must be an ISO 8601 date-time with its offset, such as 2026-02-24T21:00:00Z
        ");
    });
}
