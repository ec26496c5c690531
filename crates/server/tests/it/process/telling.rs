//! The operator's options on what endpoints are told, and their organization's key.

use std::fs;

use serde_json::{Value, json};

use super::{
    receiver::Reply,
    scene::{Scene, text},
    server::Kind,
};

const ALLOWED: &str = "[delivery]\nallow_targets = [\"127.0.0.1/32\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_is_told_is_said_by_options_on_sqlite() {
    say(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_is_told_is_said_by_options_on_postgres() {
    say(Kind::Postgres).await;
}

async fn say(kind: Kind) {
    let scene = Scene::set(kind, |_| Reply::with(200)).await;
    let home = &scene.home;
    fs::write(home.path().join("inboundflow.toml"), ALLOWED).expect("a file");
    fs::write(home.path().join("headers"), "Authorization: Bearer the-key-of-4711\nX-Tenant: blue\n")
        .expect("a file");
    let url = scene.receiver.url();
    let create = ["webhook", "create", "--org", &scene.org, "--url", &url, "--events", "all"];
    let more =
        ["--urgencies", "high,medium", "--min-duration", "30", "--redact", "phone", "--format", "standard"];
    let made = home.json(&[&create[..], &more[..], &["--headers-file", "headers", "--v1a", "on"]].concat());
    let id = text(&made, "id");
    let shown = home.json(&["webhook", "get", &id]);
    let filters = json!({"assistant_ids": null, "statuses": null, "urgencies": ["high", "medium"],
        "min_duration_seconds": 30, "max_duration_seconds": null});
    assert_eq!((&shown["filters"], &shown["redact"]), (&filters, &json!(["phone"])));
    assert_eq!((&shown["format"], &shown["sign_v1a"]), (&json!("standard"), &json!(true)));
    assert_eq!(shown["headers"], json!({"authorization": "****4711", "x-tenant": "****"}));

    let test = home.json(&["webhook", "test", &id]);
    assert_eq!(test["delivered"], true);
    let hook = scene.receiver.hooks().pop().expect("a test");
    assert_eq!(hook.header("authorization"), "Bearer the-key-of-4711");
    assert_eq!(
        (&hook.json()["type"], &hook.json()["data"]["caller_phone"]),
        (&json!("call.completed"), &json!("+*********42"))
    );
    let key = text(&home.json(&["webhook", "public-key", "--org", &scene.org]), "public_key");
    let rotated = home.json(&["webhook", "rotate-key", "--org", &scene.org]);
    assert_eq!(text(&rotated, "previous_public_key"), key);
    let ended = home.json(&["webhook", "rotate-key", "--org", &scene.org, "--expire-previous"]);
    assert_eq!((&ended["public_key"], &ended["previous_until"]), (&rotated["public_key"], &Value::Null));
    verify(
        &scene,
        &key,
        &hook.body,
        &["webhook-id", "webhook-timestamp", "webhook-signature"]
            .map(|name| format!("{name}: {}", hook.header(name))),
    );

    fs::write(home.path().join("headers"), "x-tenant:\n").expect("a file");
    let less = ["--urgencies", "any", "--redact", "none", "--headers-file", "headers", "--v1a", "off"];
    let changed = home.json(&[&["webhook", "update", &id][..], &less[..]].concat());
    assert_eq!(
        (&changed["filters"]["urgencies"], &changed["filters"]["min_duration_seconds"]),
        (&Value::Null, &json!(30))
    );
    assert_eq!((&changed["redact"], &changed["format"]), (&json!([]), &json!("standard")));
    assert_eq!(
        (&changed["headers"], &changed["sign_v1a"]),
        (&json!({"authorization": "****4711"}), &json!(false))
    );
    for (wrong, words) in [
        (["--urgencies", "urgent"], "--urgencies: `urgent` is none"),
        (["--max-duration", "29"], "--max-duration: must not be less than --min-duration"),
        (["--assistants", "0197a3c4-0000-7000-8000-00000000dead"], "--assistants: there is no assistant"),
        (["--redact", "email"], "--redact: `email` is none"),
        (["--headers-file", "missing"], "--headers-file: cannot read missing"),
    ] {
        home.run(&[&["webhook", "update", &id][..], &wrong[..]].concat()).assert_refused(&[words]);
    }
    fs::write(home.path().join("headers"), "Host: the-secret-host\n").expect("a file");
    let ran = home.run(&["webhook", "update", &id, "--headers-file", "headers"]);
    ran.assert_refused(&["--headers-file: Host is about the connection"]);
    assert!(!ran.stderr.contains("the-secret-host"), "{}", ran.stderr);
}

/// `signature verify` with the public key alone says that the webhook is right, and that another body is not.
fn verify(scene: &Scene, key: &str, body: &[u8], headers: &[String]) {
    let file = |name: &str, content: &[u8]| fs::write(scene.home.path().join(name), content).expect("a file");
    file("body", body);
    file("other", b"{}");
    let run = |body: &str| {
        let mut args = vec!["signature", "verify", "--public-key", key, "--body-file", body];
        for header in headers {
            args.extend(["--header", header]);
        }
        scene.home.run(&args)
    };
    let right = run("body");
    assert!(right.status.success() && right.stdout.contains("webhook-signature (v1a): right"), "{right:?}");
    let wrong = run("other");
    assert!(
        !wrong.status.success() && wrong.stdout.contains("webhook-signature (v1a): wrong: "),
        "{wrong:?}"
    );
}
