//! What the operator takes out, and whom they erase, by command.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};

use super::{
    receiver::Reply,
    scene::{Scene, text},
    server::{Home, Kind},
};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_written_into_files_beside_a_running_server_on_sqlite() {
    write_files(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_written_into_files_beside_a_running_server_on_postgres() {
    write_files(Kind::Postgres).await;
}

async fn write_files(kind: Kind) {
    let scene = Scene::set(kind, |_| Reply::with(200)).await;
    let server = scene.serve(&[]).await;
    for call in ["one", "two"] {
        assert_eq!(scene.post_call(&server, call).await.expect("an answer"), 200);
    }
    scene.arrived(2).await;
    let (home, org) = (&scene.home, scene.org.as_str());
    let exported = home.json(&["export", "--org", org, "--out", "dump"]);
    let counts = &exported["exported"];
    assert_eq!(
        (&counts["calls"], &counts["contacts"], &counts["messages"]),
        (&json!(2), &json!(1), &json!(2))
    );
    let path = home.path().join("dump/calls.jsonl");
    assert_eq!(
        fs::metadata(&path).expect("a file").permissions().mode() & 0o777,
        0o600,
        "for its owner alone"
    );
    let calls: Vec<Value> = fs::read_to_string(&path)
        .expect("a file")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let ids: Vec<_> = calls.iter().map(|call| (&call["type"], &call["external_id"])).collect();
    assert_eq!(ids, [(&json!("call"), &json!("one")), (&json!("call"), &json!("two"))]);
    assert!(calls[0]["messages"].is_array());
    let left: Vec<_> = fs::read_dir(home.path().join("dump")).expect("a folder").collect();
    assert_eq!(left.len(), 11, "no part is left beside them: {left:?}");

    let table = ["export", "--org", org, "--format", "csv", "--only", "contacts", "--out", "-"];
    let (people, programs) = (home.run(&table), home.run(&[&table[..], &["--raw"]].concat()));
    assert!(people.stdout.contains(",'+1415555"), "{people:?}");
    assert!(programs.stdout.contains(",+1415555"), "{programs:?}");
    assert_eq!(people.stderr, "", "progress is for terminals");
    home.run(&["export", "--org", org, "--format", "csv", "--out", "-"]).assert_refused(&["--out", "--only"]);
    home.run(&["export", "--org", org, "--only", "keys", "--out", "x"]).assert_refused(&["keys", "calls"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_s_records_come_in_by_command_on_sqlite() {
    import(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_s_records_come_in_by_command_on_postgres() {
    import(Kind::Postgres).await;
}

async fn import(kind: Kind) {
    let theirs = Scene::set(kind, |_| Reply::with(200)).await;
    let server = theirs.serve(&[]).await;
    for call in ["one", "two"] {
        assert_eq!(theirs.post_call(&server, call).await.expect("an answer"), 200);
    }
    theirs.arrived(2).await;
    let home = Home::new(kind).await;
    let org = text(&home.json(&["org", "create", "--name", "Harbor"]), "id");
    let from = ["import", "--org", &org, "--from", &server.base];
    let with_key = [&from[..], &["--key-file", "key", "--json"]].concat();
    let write_key = |key: &str| fs::write(home.path().join("key"), key).expect("a file");
    write_key(&theirs.key);
    home.run(&from).assert_refused(&["--key-file"]);
    home.run(&with_key).assert_refused(&["delivery.allow_targets"]);
    fs::write(home.path().join("inboundflow.toml"), "[delivery]\nallow_targets = [\"127.0.0.1/32\"]\n")
        .expect("a file");
    write_key("sk_live_wrong");
    home.run(&with_key).assert_refused(&["does not take the key (401)"]);
    write_key(&theirs.key);
    let imported = home.run(&with_key);
    assert_eq!(imported.stderr, "", "progress is for terminals");
    assert_eq!(imported.json()["imported"]["calls"], json!({"added": 2, "known": 0, "erased": 0}));

    let exported = theirs.home.json(&["export", "--org", &theirs.org, "--out", "dump"]);
    assert_eq!(exported["exported"]["calls"], 2);
    let folder = theirs.home.path().join("dump").display().to_string();
    let again = home.json(&["import", "--org", &org, "--from", &folder]);
    assert_eq!(again["imported"]["calls"], json!({"added": 0, "known": 2, "erased": 0}));
    home.run(&["import", "--org", &org, "--from", "nowhere"]).assert_refused(&["--from", "nowhere"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_erased_by_command_on_sqlite() {
    erase(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_erased_by_command_on_postgres() {
    erase(Kind::Postgres).await;
}

async fn erase(kind: Kind) {
    let scene = Scene::set(kind, |_| Reply::with(200)).await;
    let server = scene.serve(&[]).await;
    assert_eq!(scene.post_call(&server, "one").await.expect("an answer"), 200);
    scene.arrived(1).await;
    let (_, contacts) = scene.get(&server, "/v1/contacts").await;
    let id = text(&contacts["data"][0], "id");
    let erase = ["contact", "erase", "--org", &scene.org, &id];
    let erased = scene.home.json(&[&erase[..], &["--compact"]].concat());
    assert_eq!((&erased["erased"]["calls"], &erased["erased"]["contacts"]), (&json!(1), &json!(1)));
    let (_, call) = scene.get(&server, "/v1/calls").await;
    assert_eq!(call["data"][0]["caller_phone"], Value::Null);
    let again = scene.home.run(&erase);
    assert!(again.status.success() && again.stdout.starts_with("Erased: "), "{again:?}");
    let nobody = ["contact", "erase", "--org", &scene.org, "0197a3c4-0000-7000-8000-00000000dead"];
    scene.home.run(&nobody).assert_refused(&["there is no contact"]);
}
