//! A disk that can be read and not written.

use std::time::Duration;

use super::{
    super::{
        receiver::Reply,
        scene::Scene,
        server::{Home, Kind, PATIENCE, until},
    },
    assert_sent_once,
    disk::Disk,
    is_answered_for, post_until_answered,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_becomes_read_only_refuses_messages_and_the_next_server_goes_on() {
    let home = Home::new(Kind::Sqlite).await;
    let disk = Disk::failing(&home);
    let scene = Scene::set_in(home, |_| Reply::with(204)).await;
    let server = disk.serve(&scene.home).await;
    assert!(is_answered_for(&scene, &server, "before").await);
    scene.arrived(1).await;
    assert_sent_once(&scene, 1, PATIENCE).await;
    disk.fail(&server);
    let refused: Vec<String> = (0..3).map(|number| format!("refused-{number}")).collect();
    for call in &refused {
        assert!(!is_answered_for(&scene, &server, call).await, "nothing can be kept");
    }
    assert_eq!(scene.calls(&server).await.len(), 1, "what is there can be read");
    let health = scene.http.get(server.url("/healthz")).send().await.expect("an answer");
    assert_eq!(health.status(), 200, "the process is alive");
    server.signal("TERM");
    assert_eq!(server.ended(PATIENCE).await.code(), Some(0), "{}", server.said());

    disk.repair(&scene.home);
    let server = disk.serve(&scene.home).await;
    post_until_answered(&scene, &server, &refused).await;
    scene.arrived(4).await;
    assert_sent_once(&scene, 4, PATIENCE).await;
    // Before the folder that it is mounted in.
    drop((server, disk));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_read_only_at_the_start_is_named() {
    let home = Home::new(Kind::Sqlite).await;
    let disk = Disk::fillable(&home);
    let scene = Scene::set_in(home, |_| Reply::with(204)).await;
    let server = disk.serve(&scene.home).await;
    assert!(is_answered_for(&scene, &server, "before").await);
    assert_sent_once(&scene, 1, PATIENCE).await;
    server.signal("TERM");
    server.ended(PATIENCE).await;
    let is_mounted = until("nobody writes any more", Duration::from_secs(5), async || match disk {
        Disk::Shared => Some(false),
        Disk::Memory(_) | Disk::File(_) => disk.remount("ro").then_some(true),
    })
    .await;
    if is_mounted {
        let serve = ["serve", "--listen", "127.0.0.1:0"];
        scene.home.run(&serve).assert_refused(&["data/inboundflow.db", "Read-only"]);
        scene.home.run(&["org", "create", "--name", "x"]).assert_refused(&["data/inboundflow.db"]);
        assert!(disk.remount("rw"));
    }
    let server = disk.serve(&scene.home).await;
    assert!(is_answered_for(&scene, &server, "after").await);
    assert_sent_once(&scene, 2, PATIENCE).await;
    // Before the folder that it is mounted in.
    drop((server, disk));
}
