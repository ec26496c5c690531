//! What the operator takes out, by command.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};

use super::{receiver::Reply, scene::Scene, server::Kind};

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
    assert_eq!(left.len(), 8, "no part is left beside them: {left:?}");

    let table = ["export", "--org", org, "--format", "csv", "--only", "contacts", "--out", "-"];
    let (people, programs) = (home.run(&table), home.run(&[&table[..], &["--raw"]].concat()));
    assert!(people.stdout.contains(",'+1415555"), "{people:?}");
    assert!(programs.stdout.contains(",+1415555"), "{programs:?}");
    assert_eq!(people.stderr, "", "progress is for terminals");
    home.run(&["export", "--org", org, "--format", "csv", "--out", "-"]).assert_refused(&["--out", "--only"]);
    home.run(&["export", "--org", org, "--only", "keys", "--out", "x"]).assert_refused(&["keys", "calls"]);
}
