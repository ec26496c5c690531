//! A full disk.

use super::{
    super::{
        crash::rows,
        receiver::{Gate, Reply},
        scene::Scene,
        server::{Home, Kind, PATIENCE, Server, until},
    },
    assert_sent_once,
    disk::Disk,
    is_answered_for, post_until_answered,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_messages_until_there_is_room_again_and_nothing_is_lost_or_sent_twice() {
    let home = Home::new(Kind::Sqlite).await;
    let disk = Disk::fillable(&home);
    go_through(disk, home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_may_not_grow_are_like_a_full_disk() {
    go_through(Disk::Shared, Home::new(Kind::Sqlite).await).await;
}

async fn go_through(disk: Disk, home: Home) {
    // The second webhook is under way when the disk is full, and answered then.
    let gate = Gate::closed();
    let closed = gate.clone();
    let reply = move |number| Reply { gate: (number == 1).then(|| closed.clone()), ..Reply::with(204) };
    let scene = Scene::set_in(home, reply).await;
    let server = disk.serve(&scene.home).await;
    for (number, call) in ["before", "under way"].into_iter().enumerate() {
        assert!(is_answered_for(&scene, &server, call).await);
        scene.arrived(number + 1).await;
    }
    disk.fill(&server);
    gate.open();
    let (answered, refused) = post_into_the_full(&scene, &server).await;
    until("the try under way finds no room, or what a larger write left", PATIENCE, async || {
        let is_kept = rows(&scene.home, "SELECT count(*) FROM attempts").await[0][0].int() > 1;
        (is_kept || server.said().contains("could not be kept")).then_some(())
    })
    .await;
    // What is there can be read, and what was refused is not there.
    assert_eq!(scene.calls(&server).await.len(), 2 + answered);
    let health = scene.http.get(server.url("/healthz")).send().await.expect("an answer");
    assert_eq!(health.status(), 200, "the process is alive");

    disk.free(&server);
    post_until_answered(&scene, &server, &refused).await;
    let calls = 2 + answered + refused.len();
    assert_sent_once(&scene, calls, PATIENCE).await;
    assert_eq!(scene.calls(&server).await.len(), calls, "each call once");
    server.signal("TERM");
    assert_eq!(server.ended(PATIENCE).await.code(), Some(0), "{}", server.said());
    let sound =
        rows(&scene.home, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'").await;
    assert_eq!(sound[0][0].int(), 0, "the database is sound");
    // Before the folder that it is mounted in.
    drop(disk);
}

/// Posts until some are refused. Returns how many were answered for, because there was room for them yet in the log, and
/// which were not.
async fn post_into_the_full(scene: &Scene, server: &Server) -> (usize, Vec<String>) {
    let (mut answered, mut refused) = (0, Vec::new());
    for number in 0..500 {
        let call = format!("full-{number}");
        if is_answered_for(scene, server, &call).await {
            answered += 1;
        } else {
            refused.push(call);
        }
        if refused.len() == 5 {
            return (answered, refused);
        }
    }
    panic!("a full disk took {answered} messages");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_over_a_full_disk_serves_what_is_there_and_goes_on_when_there_is_room() {
    let home = Home::new(Kind::Sqlite).await;
    let disk = Disk::fillable(&home);
    let scene = Scene::set_in(home, |_| Reply::with(204)).await;
    let server = disk.serve(&scene.home).await;
    assert!(is_answered_for(&scene, &server, "before").await);
    scene.arrived(1).await;
    server.kill();
    server.ended(PATIENCE).await;
    // A limit is one of a process, so where nothing may be mounted it comes when the next has started.
    let is_mounted = matches!(disk, Disk::Memory(_));
    if is_mounted {
        disk.fill(&server);
    }
    let server = disk.serve(&scene.home).await;
    if !is_mounted {
        disk.fill(&server);
    }
    let (answered, refused) = post_into_the_full(&scene, &server).await;
    assert_eq!(scene.calls(&server).await.len(), 1 + answered, "{}", server.said());
    disk.free(&server);
    post_until_answered(&scene, &server, &refused).await;
    scene.arrived(1 + answered + refused.len()).await;
    // Before the folder that it is mounted in.
    drop((server, disk));
}
