//! How often a client may ask.

use std::time::Duration;

use insta::assert_snapshot;
use model::Scopes;
use serde_json::json;
use store::NewKey;

use crate::support::{Answer, on_both};

fn limits(answer: &Answer) -> String {
    let names = [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
    ];
    let told: Vec<_> = names.iter().map(|name| format!("{name}: {}", answer.header(name))).collect();
    format!("{}, {}", answer.status.as_u16(), told.join(", "))
}

#[test]
fn the_61st_request_in_a_minute_is_told_when_to_come_back() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        app.clock.advance(Duration::from_millis(250));
        let mut told = Vec::new();
        for number in 1..=60 {
            let answer = client.get("/v1/calls?limit=1").await;
            assert_eq!(answer.status, 200, "request {number}");
            assert_eq!(answer.header("x-ratelimit-remaining"), (60 - number).to_string());
            if [1, 60].contains(&number) {
                told.push(limits(&answer));
            }
            if number == 30 {
                app.tick(Duration::from_millis(20_500)).await;
            }
        }
        let refused = client.get("/v1/calls").await;
        told.push(limits(&refused));
        assert_snapshot!(told.join("\n"), @r#"
        200, x-ratelimit-limit: 60, x-ratelimit-remaining: 59, x-ratelimit-reset: 1771966861, ratelimit: "default";r=59;t=60, ratelimit-policy: "default";q=60;w=60, retry-after: 
        200, x-ratelimit-limit: 60, x-ratelimit-remaining: 0, x-ratelimit-reset: 1771966861, ratelimit: "default";r=0;t=40, ratelimit-policy: "default";q=60;w=60, retry-after: 
        429, x-ratelimit-limit: 60, x-ratelimit-remaining: 0, x-ratelimit-reset: 1771966861, ratelimit: "default";r=0;t=40, ratelimit-policy: "default";q=60;w=60, retry-after: 40
        "#);
        assert_snapshot!(refused.shown(), @r#"
        429 Too Many Requests
        x-ratelimit-limit: 60
        x-ratelimit-remaining: 0
        x-ratelimit-reset: 1771966861
        ratelimit: "default";r=0;t=40
        ratelimit-policy: "default";q=60;w=60
        retry-after: 40
        x-request-id: req_0000000000007000800000000000006f
        content-type: application/json
        x-content-type-options: nosniff
        cache-control: private, no-cache
        vary: accept-encoding
        content-length: 211

        {"error":{"code":"rate_limited","message":"More than 60 requests in a minute; try again in 40 s","status":429},"meta":{"request_id":"req_0000000000007000800000000000006f","timestamp":"2026-02-24T21:00:20.750Z"}}
        "#);

        // What is refused costs nothing and has no effect.
        for _ in 0..100 {
            assert_eq!(client.post("/v1/calls", &json!({"summary": "No"})).await.status, 429);
        }
        let seconds: u64 = refused.header("retry-after").parse().expect("a number");
        app.tick(Duration::from_secs(seconds) - Duration::from_secs(1)).await;
        assert_eq!(client.get("/v1/calls").await.code(), "rate_limited");
        app.tick(Duration::from_secs(1)).await;
        let answer = client.get("/v1/calls").await;
        assert_eq!((answer.status.as_u16(), answer.header("x-ratelimit-remaining")), (200, "59"));
        assert_eq!(answer.json()["data"], json!([]));
    });
}

#[test]
fn keys_are_counted_apart_and_can_have_a_limit_of_their_own() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let new = NewKey { name: "small".into(), expires_at: None, rate_limit: Some(2), scopes: Scopes::All };
        let (_, small) = org.records.create_key(new).await.expect("a key");
        let small = app.bearer(small.reveal());
        for remaining in ["1", "0"] {
            let answer = small.get("/v1/leads").await;
            assert_eq!(
                (answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")),
                ("2", remaining)
            );
        }
        assert_eq!(small.get("/v1/leads").await.status, 429);
        let answer = app.key(&org).get("/v1/leads").await;
        assert_eq!(
            (answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")),
            ("60", "59")
        );
    });
}

#[test]
fn an_address_that_guesses_keys_is_stopped() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        for number in 1..=30 {
            let answer = app.bearer("sk_live_guess").get("/v1/calls").await;
            assert_eq!(answer.status, 401);
            assert_eq!(answer.header("x-ratelimit-limit"), "30");
            assert_eq!(answer.header("x-ratelimit-remaining"), (30 - number).to_string());
        }
        let refused = app.anon().get("/v1/nothing").await;
        assert_snapshot!(limits(&refused), @r#"429, x-ratelimit-limit: 30, x-ratelimit-remaining: 0, x-ratelimit-reset: 1771966860, ratelimit: "default";r=0;t=60, ratelimit-policy: "default";q=30;w=60, retry-after: 60"#);
        assert_eq!(refused.code(), "rate_limited");
        assert_eq!(app.key(&org).get("/v1/calls").await.status, 200, "a good key from there is served");
        app.tick(Duration::from_secs(60)).await;
        assert_eq!(app.anon().get("/v1/calls").await.status, 401);
    });
}

#[test]
fn every_answer_under_v1_tells_the_limit_and_no_other_does() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        for path in ["/v1/calls", "/v1/calls?limit=0", "/v1/calls/x", "/v1/nothing", "/v1"] {
            for answer in
                [client.get(path).await, app.anon().get(path).await, client.post(path, &json!(5)).await]
            {
                for name in [
                    "x-ratelimit-limit",
                    "x-ratelimit-remaining",
                    "x-ratelimit-reset",
                    "ratelimit",
                    "ratelimit-policy",
                ] {
                    assert_ne!(answer.header(name), "", "{name} of {path}: {}", answer.shown());
                }
            }
        }
        assert_eq!(app.anon().get("/healthz").await.header("x-ratelimit-limit"), "");
    });
}
