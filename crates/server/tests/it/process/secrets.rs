//! The log is for operators, who may see ids, and not what callers said or what opens doors.

use std::fs;

use inboundflow::system::SystemClock;
use model::{Clock, Platform};
use serde_json::json;

use super::{
    receiver::Reply,
    scene::{ALLOWED, PLATFORM_SECRET, Scene, report, text},
    server::{Kind, PATIENCE, Server, until},
};
use crate::support::{StandIn, finished};

#[tokio::test(flavor = "multi_thread")]
async fn no_log_level_shows_a_secret_or_what_was_said_on_sqlite() {
    keep_secrets(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_level_shows_a_secret_or_what_was_said_on_postgres() {
    keep_secrets(Kind::Postgres).await;
}

async fn keep_secrets(kind: Kind) {
    let scene = Scene::set(kind, |number| Reply::with(if number == 0 { 500 } else { 200 })).await;
    let hook_secret = "the-secret-of-the-webhook-8842";
    fs::write(scene.home.path().join("secret"), hook_secret).expect("a file");
    let url = format!("{}?token=the-token-in-the-address", scene.receiver.url());
    let signed = ["webhook", "create", "--org", &scene.org, "--url", &url, "--events", "all"];
    fs::write(scene.home.path().join("headers"), "X-Key: the-key-of-the-receiver").expect("a file");
    let told = ["--secret-file", "secret", "--headers-file", "headers", "--v1a", "on"];
    scene.home.json(&[&signed[..], &told[..]].concat());

    let stand_in = StandIn::start(Platform::Vapi).await;
    let secret_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    for level in ["debug", "trace"] {
        let environment = [
            ALLOWED,
            ("INBOUNDFLOW_LOG", level),
            ("INBOUNDFLOW_DELIVERY__SCHEDULE", "100ms"),
            ("INBOUNDFLOW_SECRET_KEY", secret_key),
        ];
        let server = Server::start(&scene.home, &environment).await;
        let before = scene.deliveries().len();
        use_everything(&scene, &server, level).await;
        list_calls(&scene, &server, &stand_in, level).await;
        until("every webhook is delivered", PATIENCE, async || {
            let deliveries = scene.deliveries();
            let done = deliveries.iter().all(|delivery| delivery["state"] == "delivered");
            (done && deliveries.len() > before + 1).then_some(())
        })
        .await;
        server.signal("TERM");
        server.ended(PATIENCE).await;
        let said = server.said();
        assert!(said.contains("DEBUG"), "it logs at this level: {said}");
        let secrets = [
            scene.key.as_str(),
            &scene.key[8..],
            PLATFORM_SECRET,
            hook_secret,
            "the-key-of-the-receiver",
            stand_in.key(),
            secret_key,
            "the-token-in-the-address",
            "a-wrong-secret",
            "sk_live_",
            "Bearer",
            "4155550142",
            "4155550199",
            "Robin",
            "robin@example.com",
            "boiler",
            "water under",
            "v1,",
            "v1a,",
            "sha256=",
        ];
        for secret in secrets {
            let line = said.lines().find(|line| line.to_lowercase().contains(&secret.to_lowercase()));
            assert_eq!(line, None, "`{secret}` is in the log at {level}");
        }
    }
}

/// Everything that has to do with secrets: calls in, with right and wrong secrets; answers out; keys, good and bad.
async fn use_everything(scene: &Scene, server: &Server, call: &str) {
    assert_eq!(scene.post_call(server, call).await.expect("an answer"), 200);
    let ingest = server.url(&format!("/ingest/vapi/{}", scene.source));
    for body in [report("wrong"), "{\"message\": \"+14155550142, not a report".to_owned()] {
        let wrong = scene.http.post(&ingest).header("x-vapi-secret", "a-wrong-secret").body(body);
        assert_eq!(wrong.send().await.expect("an answer").status(), 401);
    }
    let unreadable = scene.http.post(&ingest).header("x-vapi-secret", PLATFORM_SECRET);
    let unreadable = unreadable.body("{\"message\": \"+14155550142, Robin, boiler").send().await;
    assert_eq!(unreadable.expect("an answer").status(), 200);
    let calls = scene.calls(server).await;
    scene.get(server, &format!("/v1/calls/{}", text(&calls[0], "id"))).await;
    for path in
        ["/v1/calls?phone=%2B14155550142", "/v1/calls?q=boiler", "/v1/contacts", "/v1/leads?nonsense=Robin"]
    {
        scene.get(server, path).await;
    }
    let body = format!(
        r#"{{"external_id": "{call}", "caller_phone": "+14155550199", "caller_name": "Robin", "transcript": "boiler"}}"#
    );
    for body in [body, r#"{"caller_phone": ["+14155550199"], "Robin": "boiler"}"#.to_owned()] {
        let post = scene.http.post(server.url("/v1/calls")).bearer_auth(&scene.key).body(body);
        post.header("content-type", "application/json").send().await.expect("an answer");
    }
    let wrong = scene.http.get(server.url("/v1/calls")).bearer_auth("sk_live_wrong").send().await;
    assert_eq!(wrong.expect("an answer").status(), 401);
}

/// Gives the source a key of its platform's API, with which a call is found that was missed.
async fn list_calls(scene: &Scene, server: &Server, stand_in: &StandIn, level: &str) {
    let missed = format!("missed at {level}");
    stand_in.has([finished(Platform::Vapi, &missed, SystemClock.now().plus_micros(-600_000_000))]);
    let url = server.url(&format!("/v1/sources/{}", scene.source));
    let key = json!({"platform_api_key": stand_in.key(), "platform_api_url": stand_in.url()}).to_string();
    let change = scene.http.patch(url).bearer_auth(&scene.key).header("content-type", "application/json");
    assert_eq!(change.body(key).send().await.expect("an answer").status(), 200);
    until("the call that was missed is here", PATIENCE, async || {
        let calls = scene.calls(server).await;
        calls.iter().any(|call| call["external_id"] == missed.as_str()).then_some(())
    })
    .await;
}
