//! The operator's commands: they work on the database, and a running server sees it at once.

use std::{fs, process::Stdio};

use serde_json::{Value, json};

use super::{
    receiver::Reply,
    scene::{Scene, report, text},
    server::{Home, Kind, PATIENCE, Ran, until},
};

fn fields(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn rows(list: &Value) -> &Vec<Value> {
    assert_eq!(fields(list), ["data"]);
    list["data"].as_array().expect("a list")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_prints_one_object_beside_a_running_server_on_sqlite() {
    print_objects(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_prints_one_object_beside_a_running_server_on_postgres() {
    print_objects(Kind::Postgres).await;
}

async fn print_objects(kind: Kind) {
    let scene = Scene::set(kind, |_| Reply::with(200)).await;
    let server = scene.serve(&[]).await;
    let home = &scene.home;

    let org = home.json(&["org", "create", "--name", "  Lakeside  "]);
    assert_eq!((fields(&org), &org["name"]), (vec!["id", "name"], &"Lakeside".into()));
    let org = text(&org, "id");
    for list in ["key", "source", "blocked-number", "webhook", "deliveries"] {
        assert_eq!(rows(&home.json(&[list, "list", "--org", &org])).len(), 0, "a fresh one has no {list}");
    }

    let key = home.json(&["key", "create", "--org", &org, "--name", "mine", "--expires-in", "90d"]);
    assert_eq!(fields(&key), ["id", "key", "name", "expires_at", "scopes"]);
    assert_eq!(key["scopes"], json!(["all"]));
    assert!(text(&key, "key").starts_with("sk_live_"));
    let keys = home.json(&["key", "list", "--org", &org]);
    let listed = &rows(&keys)[0];
    assert_eq!((rows(&keys).len(), &listed["id"], &listed["revoked_at"]), (1, &key["id"], &Value::Null));
    assert!(!keys.to_string().contains(&text(&key, "key")), "a key is shown once");
    let revoked = home.json(&["key", "revoke", &text(&key, "id")]);
    assert_eq!((fields(&revoked), &revoked["id"]), (vec!["id", "revoked_at"], &key["id"]));
    assert_eq!(rows(&home.json(&["key", "list", "--org", &org]))[0]["revoked_at"], revoked["revoked_at"]);

    for platform in ["vapi", "retell"] {
        let source = home.json(&["source", "create", "--org", &org, "--platform", platform]);
        assert_eq!(fields(&source), ["id", "url", "secret"]);
        assert!(text(&source, "url").ends_with(&format!("/ingest/{platform}/{}", text(&source, "id"))));
        assert!(text(&source, "secret").len() >= 32);
    }
    let sources = home.json(&["source", "list", "--org", &org]);
    assert_eq!((rows(&sources).len(), rows(&sources)[0].get("secret")), (2, None));

    let hook = ["webhook", "create", "--org", &org, "--url", "https://example.com/hook", "--events"];
    let hook = home.json(&[&hook[..], &["call.completed,lead.created"]].concat());
    assert_eq!(
        (fields(&hook), &hook["url"]),
        (vec!["id", "url", "secret"], &"https://example.com/hook".into())
    );
    assert!(text(&hook, "secret").starts_with("whsec_"));
    let hooks = home.json(&["webhook", "list", "--org", &org]);
    let listed = &rows(&hooks)[0];
    assert_eq!(
        (&listed["events"], &listed["signed"]),
        (&json!(["call.completed", "lead.created"]), &true.into())
    );
    assert_eq!(listed.get("secret"), None);

    assert_eq!(scene.post_call(&server, "one").await.expect("an answer"), 200);
    scene.arrived(1).await;
    let deliveries = scene.deliveries();
    assert_eq!(deliveries.len(), 1);
    let names =
        ["id", "endpoint", "event", "state", "attempts", "next_attempt_at", "last_status", "last_error"];
    assert_eq!(fields(&deliveries[0])[..8], names);
    assert_eq!(deliveries[0]["event"], "call.completed");

    let block = ["blocked-number", "create", "--org", &scene.org, "--phone", "+14155550199"];
    assert_eq!(fields(&home.json(&block)), ["id", "phone", "reason", "created_at"]);

    // Without --json, it is the same for people.
    for list in ["key", "source", "blocked-number", "webhook", "deliveries"] {
        let ran = home.run(&[list, "list", "--org", &scene.org]);
        assert!(ran.status.success() && ran.stdout.lines().count() == 2, "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_does_counts_from_the_next_request_on_sqlite() {
    count_at_once(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_does_counts_from_the_next_request_on_postgres() {
    count_at_once(Kind::Postgres).await;
}

async fn count_at_once(kind: Kind) {
    let mut scene = Scene::set(kind, |_| Reply::with(200)).await;
    let server = scene.serve(&[]).await;
    let key = scene.home.json(&["key", "create", "--org", &scene.org, "--name", "short"]);
    let old = std::mem::replace(&mut scene.key, text(&key, "key"));
    for _ in 0..3 {
        assert_eq!(scene.get(&server, "/v1/calls").await.0, 200);
    }
    scene.home.json(&["key", "revoke", &text(&key, "id")]);
    let (status, answer) = scene.get(&server, "/v1/calls").await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (401, &"unauthorized".into()));
    scene.key = old;

    assert_eq!(scene.post_call(&server, "by the first source").await.expect("an answer"), 200);
    scene.arrived(1).await;
    let url = scene.receiver.url();
    scene.home.json(&[
        "webhook",
        "create",
        "--org",
        &scene.org,
        "--url",
        &url,
        "--events",
        "all",
        "--no-secret",
    ]);
    let source = scene.home.json(&["source", "create", "--org", &scene.org, "--platform", "vapi"]);
    let path = format!("/ingest/vapi/{}", text(&source, "id"));
    let post = scene.http.post(server.url(&path)).header("x-vapi-secret", text(&source, "secret"));
    assert_eq!(post.body(report("by the second")).send().await.expect("an answer").status(), 200);
    until("both endpoints are told of the second call", PATIENCE, async || {
        let completed =
            scene.receiver.hooks().iter().filter(|hook| hook.json()["event"] == "call.completed").count();
        (completed == 3).then_some(())
    })
    .await;
    let unsigned = scene
        .receiver
        .hooks()
        .iter()
        .filter(|hook| !hook.headers.contains_key("x-inboundflow-signature"))
        .count();
    assert!(unsigned >= 1, "the new endpoint has no secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_key_is_refused() {
    let mut scene = Scene::set(Kind::Sqlite, |_| Reply::with(200)).await;
    let server = scene.serve(&[]).await;
    let key = [
        "key",
        "create",
        "--org",
        &scene.org,
        "--name",
        "short",
        "--expires-in",
        "1s",
        "--rate-limit",
        "100000",
    ];
    scene.key = text(&scene.home.json(&key), "key");
    until("the key expires", PATIENCE, async || {
        (scene.get(&server, "/v1/calls").await.0 == 401).then_some(())
    })
    .await;
}

/// A home with an organization, and somebody else's id.
async fn home_and_org() -> (Home, String) {
    let home = Home::new(Kind::Sqlite).await;
    let org = text(&home.json(&["org", "create", "--name", "x"]), "id");
    (home, org)
}

const NOBODY: &str = "018f0000-0000-7000-8000-000000000000";

/// Each of the arguments, after those that they share, is refused with the words.
fn assert_all_refused(home: &Home, shared: &[&str], cases: &[(&[&str], &[&str])]) {
    for (args, words) in cases {
        home.run(&[shared, args].concat()).assert_refused(words);
    }
}

#[tokio::test]
async fn a_wrong_option_is_named() {
    let (home, org) = home_and_org().await;
    assert_all_refused(
        &home,
        &[],
        &[
            (&["org", "create"], &["--name"]),
            (&["org", "create", "--name", " "], &["--name"]),
            (&["key", "create", "--org", "x", "--name", "n"], &["--org"]),
            (&["key", "create", "--org", NOBODY, "--name", "n"], &["--org", NOBODY]),
            (&["key", "create", "--org", &org], &["--name"]),
            (&["key", "list", "--org", NOBODY], &["--org", NOBODY]),
            (&["key", "revoke", NOBODY], &[NOBODY]),
            (&["key", "revoke", "x"], &["<ID>"]),
            (&["deliveries", "list", "--org", NOBODY], &["--org", NOBODY]),
            (&["deliveries", "list", "--org", &org, "--limit", "0"], &["--limit"]),
            (&["serve", "--listem", "127.0.0.1:0"], &["--listem"]),
        ],
    );
    let key = ["key", "create", "--org", &org, "--name", "n"];
    assert_all_refused(
        &home,
        &key,
        &[
            (&["--expires-in", "90"], &["--expires-in", "90d"]),
            (&["--rate-limit", "0"], &["--rate-limit"]),
            (&["--scope", "read,write"], &["--scope", "write", "calls:write"]),
        ],
    );
    assert_eq!(rows(&home.json(&["key", "list", "--org", &org])).len(), 0, "nothing was made");
}

#[tokio::test]
async fn a_wrong_option_of_a_source_or_a_webhook_is_named() {
    let (home, org) = home_and_org().await;
    fs::write(home.path().join("empty"), "\n").expect("a file");
    fs::write(home.path().join("text"), "not JSON").expect("a file");
    fs::write(home.path().join("settings"), r#"{"auth": {"scheme": "guess"}}"#).expect("a file");
    let source = ["source", "create", "--platform"];
    assert_all_refused(
        &home,
        &source,
        &[
            (&["fax", "--org", &org], &["--platform", "vapi", "retell"]),
            (&["vapi", "--org", NOBODY], &["--org", NOBODY]),
            (&["vapi", "--org", &org, "--secret-file", "no"], &["--secret-file", "no"]),
            (&["vapi", "--org", &org, "--secret-file", "empty"], &["--secret-file"]),
            (&["vapi", "--org", &org, "--settings-file", "no"], &["--settings-file", "no"]),
            (&["vapi", "--org", &org, "--settings-file", "text"], &["--settings-file"]),
            (&["vapi", "--org", &org, "--settings-file", "settings"], &["--settings-file", "auth"]),
        ],
    );
    let webhook = ["webhook", "create", "--org", &org, "--url"];
    let both = ["https://a.example", "--events", "all", "--no-secret", "--secret-file", "text"];
    assert_all_refused(
        &home,
        &webhook,
        &[
            (&["https://a.example", "--events", "call.begun"], &["--events", "call.begun", "call.completed"]),
            (&["ftp://a.example", "--events", "all"], &["--url", "ftp"]),
            (&both, &["--no-secret", "--secret-file"]),
        ],
    );
    assert_eq!(rows(&home.json(&["source", "list", "--org", &org])).len(), 0, "nothing was made");
    assert_eq!(rows(&home.json(&["webhook", "list", "--org", &org])).len(), 0, "nothing was made");
}

#[tokio::test]
async fn a_secret_is_read_from_standard_input() {
    let home = Home::new(Kind::Sqlite).await;
    let org = text(&home.json(&["org", "create", "--name", "x"]), "id");
    let source = ["source", "create", "--org", &org, "--platform", "retell", "--secret-file", "-", "--json"];
    assert_eq!(home.run_with_input(&source, "key_of_retell\n").json()["secret"], "key_of_retell");
    home.run_with_input(&source, "\n").assert_refused(&["--secret-file"]);
    let hook =
        ["webhook", "create", "--org", &org, "--url", "https://a.example", "--events", "all", "--json"];
    let with_secret = home.run_with_input(&[&hook[..], &["--secret-file", "-"]].concat(), "my own secret\n");
    assert_eq!(with_secret.json()["secret"], "my own secret");
    assert_eq!(home.json(&[&hook[..8], &["--no-secret"]].concat())["secret"], Value::Null);
    // In text, a secret that was given is not repeated.
    let ran = home.run_with_input(&source[..8], "key_of_retell\n");
    assert!(ran.status.success() && !ran.stdout.contains("key_of_retell"), "{ran:?}");
}

#[tokio::test]
async fn people_are_made_listed_and_given_another_password() {
    let (home, org) = home_and_org().await;
    let create = ["user", "create", "--org", &org, "--role", "viewer", "--password-file", "-", "--email"];
    let made = home
        .run_with_input(&[&create[..], &["Ann@Example.com", "--json"]].concat(), "twelve letters\n")
        .json();
    assert_eq!(fields(&made), ["id", "email", "role"]);
    assert_eq!((&made["email"], &made["role"]), (&json!("ann@example.com"), &json!("viewer")));
    home.run_with_input(&[&create[..], &["ann@example.com"]].concat(), "twelve letters\n")
        .assert_refused(&["--email", "already"]);
    home.run_with_input(&[&create[..], &["ann"]].concat(), "twelve letters\n").assert_refused(&["--email"]);
    home.run_with_input(&[&create[..], &["b@example.com"]].concat(), "short\n")
        .assert_refused(&["--password-file"]);
    assert_all_refused(
        &home,
        &["user"],
        &[
            (&["list", "--org", NOBODY], &["--org", NOBODY]),
            (&["create", "--org", &org, "--email", "b@example.com", "--role", "king"], &["--role", "owner"]),
            (
                &["reset-password", "--email", "b@example.com", "--password-file", "no"],
                &["--password-file", "no"],
            ),
        ],
    );
    let listed = home.json(&["user", "list", "--org", &org]);
    assert_eq!(rows(&listed).len(), 1, "nobody else was made");
    assert_eq!(fields(&rows(&listed)[0]), ["id", "email", "role", "since"]);

    let reset = ["user", "reset-password", "--password-file", "-", "--json", "--email"];
    let done = home.run_with_input(&[&reset[..], &["ann@example.com"]].concat(), "another twelve\n").json();
    assert_eq!(done, json!({"email": "ann@example.com", "reset": true}));
    home.run_with_input(&[&reset[..], &["b@example.com"]].concat(), "another twelve\n")
        .assert_refused(&["--email"]);
}

#[tokio::test]
async fn a_reader_that_stops_listening_causes_no_panic() {
    let home = Home::new(Kind::Sqlite).await;
    for args in [
        &["openapi"][..],
        &["org", "create", "--name", "x"],
        &["--help"],
        &["--version"],
        &["demo", "--exit"],
    ] {
        let mut command = home.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        let ran = Ran::of(child.wait_with_output().expect("it ends"));
        assert!(!ran.stderr.contains("panicked"), "{args:?}: {ran:?}");
        assert_eq!(ran.status.code(), Some(0), "{args:?}: {ran:?}");
    }
}
