//! The operator's commands on the block list, beside a running server.

use super::{
    receiver::Reply,
    scene::{Scene, text},
    server::Kind,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_knows_at_once_who_is_blocked_on_sqlite() {
    block(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_knows_at_once_who_is_blocked_on_postgres() {
    block(Kind::Postgres).await;
}

async fn block(kind: Kind) {
    let scene = Scene::set(kind, |_| Reply::with(200)).await;
    let server = scene.serve(&[]).await;
    let on =
        |command: &'static str| ["blocked-number", command, "--org", &scene.org, "--phone", "+14155550142"];
    assert_eq!(scene.post_call(&server, "open").await.expect("an answer"), 200);
    scene.arrived(1).await;
    let number = scene.home.json(&[&on("create")[..], &["--reason", "Spam"]].concat());
    assert_eq!((text(&number, "phone"), text(&number, "reason")), ("+14155550142".into(), "Spam".into()));
    let listed = scene.home.json(&["blocked-number", "list", "--org", &scene.org]);
    assert_eq!(listed["data"], serde_json::json!([number]));
    scene.home.run(&on("create")).assert_refused(&["--phone"]);
    assert_eq!(scene.post_call(&server, "blocked").await.expect("an answer"), 200);
    assert_eq!(scene.home.json(&on("delete"))["deleted"], true);
    scene.home.run(&on("delete")).assert_refused(&["--phone"]);
    assert_eq!(scene.post_call(&server, "open again").await.expect("an answer"), 200);
    scene.arrived(2).await;
    let calls = scene.calls(&server).await;
    let statuses: Vec<_> = calls.iter().map(|call| text(call, "status")).collect();
    assert_eq!(statuses, ["completed", "blocked", "completed"]);
    assert_eq!(scene.deliveries().len(), 2);
}
