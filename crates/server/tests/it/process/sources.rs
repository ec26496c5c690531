//! The operator's commands on sources and their messages, beside a running server.

use std::{fs, time::Duration};

use serde_json::{Value, json};

use super::{
    receiver::Reply,
    scene::{PLATFORM_SECRET, Scene, report, text},
    server::{Kind, PATIENCE, Server, until},
};

async fn post(scene: &Scene, server: &Server, secret: &str, call: &str) -> u16 {
    let url = server.url(&format!("/ingest/vapi/{}", scene.source));
    let request = scene.http.post(url).header("x-vapi-secret", secret).body(report(call));
    request.send().await.expect("an answer").status().as_u16()
}

fn outcomes(scene: &Scene, rest: &[&str]) -> Vec<String> {
    let messages = scene.home.json(&[&["source", "events", "--source", &scene.source], rest].concat());
    let rows = messages["data"].as_array().expect("a list");
    rows.iter().map(|message| text(message, "outcome")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_set_up_wrong_costs_no_call_on_sqlite() {
    mend(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_set_up_wrong_costs_no_call_on_postgres() {
    mend(Kind::Postgres).await;
}

async fn mend(kind: Kind) {
    let scene = Scene::set(kind, |_| Reply::with(200)).await;
    let server = scene.serve(&[]).await;
    let (home, id) = (&scene.home, scene.source.as_str());
    for call in ["a", "b", "c"] {
        assert_eq!(post(&scene, &server, "the right one", call).await, 401);
    }
    assert_eq!(outcomes(&scene, &[]), ["rejected"; 3]);
    assert_eq!(outcomes(&scene, &["--outcome", "accepted"]), [""; 0]);

    fs::write(home.path().join("right"), "the right one\n").expect("a file");
    let changed = home.json(&["source", "update", id, "--name", "Front desk", "--secret-file", "right"]);
    assert_eq!((text(&changed, "name"), changed.get("secret")), ("Front desk".to_owned(), None));
    assert_eq!(post(&scene, &server, "the right one", "d").await, 200);
    assert_eq!(post(&scene, &server, PLATFORM_SECRET, "e").await, 401, "it was replaced");
    scene.arrived(1).await;

    let all = ["source", "reprocess", "--source", id];
    home.run(&[&all[..], &["--outcome", "rejected"]].concat()).assert_refused(&["--accept-rejected"]);
    assert_eq!(home.json(&all), json!({"processed": 1, "accepted": 1, "ignored": 0, "failed": 0}));
    let until_then = ["--outcome", "rejected", "--accept-rejected", "--until", "2000-01-01T00:00:00Z"];
    assert_eq!(home.json(&[&all[..], &until_then].concat())["processed"], 0);
    let done = home.json(&[&all[..], &["--outcome", "rejected", "--accept-rejected"]].concat());
    assert_eq!(done["accepted"], 4);
    // The running server tells of them, when it next looks for what others have left: within a quarter of a minute.
    let told = async || (scene.receiver.count() >= 5).then_some(());
    until("the server tells of what the command read", PATIENCE * 3, told).await;
    until("the calls are there", PATIENCE, async || (scene.calls(&server).await.len() == 5).then_some(()))
        .await;
    let message = text(&home.json(&["source", "events", "--source", id])["data"][0], "id");
    let one = home.json(&[&all[..], &["--event", &message]].concat());
    assert_eq!((&one["outcome"], &one["reason"]), (&json!("accepted"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_shown_given_a_new_secret_and_deleted() {
    let scene = Scene::set(Kind::Sqlite, |_| Reply::with(200)).await;
    let server = scene.serve(&[]).await;
    let (home, id) = (&scene.home, scene.source.as_str());
    let shown = home.json(&["source", "get", id]);
    assert_eq!((text(&shown, "id"), text(&shown, "platform")), (id.to_owned(), "vapi".to_owned()));
    assert!(!shown.to_string().contains(PLATFORM_SECRET), "a secret is shown once");
    let rotated = home.json(&["source", "rotate-secret", id]);
    let second = text(&rotated, "secret");
    assert!(rotated["previous_secret_until"].is_string());
    for secret in [PLATFORM_SECRET, &second] {
        assert_eq!(post(&scene, &server, secret, "a").await, 200);
    }
    let third = text(&home.json(&["source", "rotate-secret", id, "--no-overlap"]), "secret");
    assert_eq!(post(&scene, &server, &second, "b").await, 401);
    assert_eq!(post(&scene, &server, &third, "b").await, 200);
    assert_eq!(home.json(&["source", "delete", id]), json!({"id": id, "deleted": true}));
    assert_eq!(post(&scene, &server, &third, "c").await, 404);
    for command in ["get", "delete", "rotate-secret"] {
        home.run(&["source", command, id]).assert_refused(&[id]);
    }
    home.run(&["source", "events", "--source", id]).assert_refused(&["--source", id]);
}

/// The receiver takes its time with the first webhook of each kind, so that the kill comes while they are under way.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_forwarded_by_the_operator_and_its_messages_survive_kill_9() {
    let slow = |number| Reply {
        after: if number < 2 { Duration::from_secs(60) } else { Duration::ZERO },
        ..Reply::with(200)
    };
    let scene = Scene::set(Kind::Sqlite, slow).await;
    let (home, id, url) = (&scene.home, scene.source.as_str(), scene.receiver.url());
    fs::write(home.path().join("secret"), "the forward's own secret").expect("a file");
    let forward = ["source", "forward", id, "--url", &url, "--secret-file", "secret"];
    let forward = home.json(&forward);
    assert_eq!((text(&forward, "source_id"), text(&forward, "url")), (id.to_owned(), url));
    let shown = home.json(&["webhook", "get", &text(&forward, "id")]);
    assert_eq!((&shown["events"], &shown["source_id"]), (&json!(["source.message"]), &json!(id)));

    let server = scene.serve(&[]).await;
    assert_eq!(post(&scene, &server, PLATFORM_SECRET, "a").await, 200);
    scene.arrived(2).await;
    server.kill();
    server.ended(PATIENCE).await;
    let server = scene.serve(&[]).await;
    scene.arrived(4).await;
    let hooks = scene.receiver.hooks();
    let (forwarded, told): (Vec<_>, Vec<_>) =
        hooks.iter().partition(|hook| hook.header("x-inboundflow-event") == "source.message");
    assert_eq!((forwarded.len(), told.len()), (2, 2), "each once more");
    assert!(forwarded.iter().all(|hook| hook.body == report("a")), "as it came");
    assert_eq!(forwarded[0].header("webhook-id"), forwarded[1].header("webhook-id"));
    until("both are delivered", PATIENCE, async || {
        scene.deliveries().iter().all(|delivery| delivery["state"] == "delivered").then_some(())
    })
    .await;
    drop(server);
}

#[tokio::test]
async fn what_a_message_would_become_is_told_before_there_is_a_source() {
    let scene = Scene::set(Kind::Sqlite, |_| Reply::with(200)).await;
    let home = &scene.home;
    let mapping = r#"{"call_id": "$.id", "status": "completed",
        "fields": {"caller_phone": "$.caller.number", "summary": "$.text"}}"#;
    fs::write(home.path().join("mapping"), mapping).expect("a file");
    let preview = [
        "source",
        "preview",
        "--json",
        "--settings-file",
        "mapping",
        "--message-file",
        "-",
        "--platform",
        "custom",
    ];
    let told = |message: &str| home.run_with_input(&preview, message).json();
    let whole = told(r#"{"id": "c-1", "text": "A leak.", "caller": {"number": "+14155550142"}}"#);
    assert_eq!((&whole["outcome"], &whole["missed"]), (&json!("accepted"), &json!([])));
    assert_eq!(whole["changes"][0]["facts"]["summary"], "A leak.");
    let without = told(r#"{"id": "c-1", "text": "A leak."}"#);
    assert_eq!(without["missed"][0]["setting"], "settings.fields.caller_phone");
    let unreadable = told("no JSON");
    assert_eq!((&unreadable["outcome"], &unreadable["changes"]), (&json!("failed"), &json!([])));
    assert!(unreadable["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    home.run(&preview[..7]).assert_refused(&["--platform"]);
}

#[tokio::test]
async fn a_wrong_option_of_a_source_s_commands_is_named() {
    let scene = Scene::set(Kind::Sqlite, |_| Reply::with(200)).await;
    let (home, id) = (&scene.home, scene.source.as_str());
    let retell = text(&home.json(&["source", "create", "--org", &scene.org, "--platform", "retell"]), "id");
    fs::write(home.path().join("settings"), r#"{"auth": {"scheme": "guess"}}"#).expect("a file");
    fs::write(home.path().join("answers"), r#"{"answers": {"url": "example.com"}}"#).expect("a file");
    fs::write(home.path().join("empty"), "\n").expect("a file");
    let cases: [(&[&str], &[&str]); 13] = [
        (&["forward", id], &["--url"]),
        (&["forward", id, "--url", "nowhere"], &["--url"]),
        (&["update", id], &["--name"]),
        (&["update", id, "--name", " "], &["--name"]),
        (&["update", id, "--secret-file", "empty"], &["--secret-file"]),
        (&["update", id, "--settings-file", "settings"], &["--settings-file", "auth"]),
        (
            &["update", id, "--settings-file", "answers"],
            &["--settings-file", "settings.answers.url", "https://"],
        ),
        (&["rotate-secret", id, "--overlap", "8d"], &["--overlap", "7d"]),
        (&["rotate-secret", id, "--overlap", "1h", "--no-overlap"], &["--overlap", "--no-overlap"]),
        (&["rotate-secret", &retell], &["retell", "--secret-file"]),
        (&["events", "--source", id, "--outcome", "done"], &["--outcome", "rejected"]),
        (&["reprocess", "--source", id, "--since", "today"], &["--since"]),
        (&["reprocess", "--source", id, "--event", id], &["--event", id]),
    ];
    for (args, words) in cases {
        home.run(&[&["source"], args].concat()).assert_refused(words);
    }
}
