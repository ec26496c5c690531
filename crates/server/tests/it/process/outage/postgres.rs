//! PostgreSQL goes away, is cut off, or falls silent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinSet;

use super::{
    super::{
        receiver::{Gate, Reply},
        scene::Scene,
        server::{Home, PATIENCE, Server, until},
    },
    assert_sent_once, assert_unavailable,
    cluster::Cluster,
    is_answered_for, post_until_answered,
    proxy::Proxy,
};

/// Longer than an operation waits for an answer (60 s), and the worker for its next look (15 s).
const SILENCE: Duration = Duration::from_secs(120);

/// Platforms that post at the same time.
const CLIENTS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_crashes_and_recovers_loses_nothing_and_has_nothing_sent_twice() {
    let mut cluster = Cluster::start().await;
    let scene = Arc::new(Scene::set_in(Home::at(Cluster::url(cluster.port)), |_| Reply::with(204)).await);
    let server = Arc::new(scene.serve(&[]).await);
    let (stop, posted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(post_on(scene.clone(), server.clone(), stop.clone(), posted.clone()));
    }
    for outage in 0..4 {
        let before = posted.load(Ordering::Relaxed);
        until("messages are answered for", PATIENCE, async || {
            (posted.load(Ordering::Relaxed) >= before + 20).then_some(())
        })
        .await;
        if outage % 2 == 0 {
            cluster.crash().await;
            // Somebody asks while it is away.
            assert!(!is_answered_for(&scene, &server, "away").await);
            let ready = scene.http.get(server.url("/readyz")).send().await.expect("an answer");
            assert_unavailable(ready).await;
            cluster.restart().await;
        } else {
            cluster.kill_a_backend().await;
            cluster.ready().await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.expect("a platform is told what is right");
    }
    // Where a commit succeeded and only the word of it was lost, a delivery waits for its lease to run out: let it. What
    // the server has under way is not touched by that.
    cluster.run_out_of_leases().await;
    post_until_answered(&scene, &server, &["last".to_owned()]).await;
    assert_sent_once(&scene, posted.load(Ordering::Relaxed) + 1, PATIENCE).await;
    server.signal("TERM");
    assert_eq!(server.ended(PATIENCE).await.code(), Some(0), "{}", server.said());
}

/// Posts calls, each until it is answered for.
async fn post_on(scene: Arc<Scene>, server: Arc<Server>, stop: Arc<AtomicBool>, posted: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let call = format!("call-{}", scene.next_number());
        while !is_answered_for(&scene, &server, &call).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        posted.fetch_add(1, Ordering::Relaxed);
    }
}

/// A server behind a network with one webhook delivered, and one under way until the gate is opened.
async fn under_way(proxy: &Proxy) -> (Scene, Server, Gate) {
    let gate = Gate::closed();
    let closed = gate.clone();
    let reply = move |number| Reply { gate: (number == 1).then(|| closed.clone()), ..Reply::with(204) };
    let scene = Scene::set_in(Home::at(Cluster::url(proxy.port)), reply).await;
    let server = scene.serve(&[]).await;
    for (number, call) in ["before", "under way"].into_iter().enumerate() {
        assert!(is_answered_for(&scene, &server, call).await);
        scene.arrived(number + 1).await;
    }
    (scene, server, gate)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_cut_off_from_postgres_says_so_and_goes_on_by_itself() {
    let cluster = Cluster::start().await;
    let proxy = Proxy::start(cluster.port).await;
    let (scene, server, gate) = under_way(&proxy).await;
    proxy.cut();
    gate.open();
    assert!(!is_answered_for(&scene, &server, "cut off").await);
    until("the try under way finds no database", PATIENCE, async || {
        server.said().contains("could not be kept").then_some(())
    })
    .await;
    let health = scene.http.get(server.url("/healthz")).send().await.expect("an answer");
    assert_eq!(health.status(), 200, "the process is alive");
    proxy.open();
    post_until_answered(&scene, &server, &["cut off".to_owned()]).await;
    assert_sent_once(&scene, 3, PATIENCE).await;
}

/// The worst of networks: the connections stay, and nothing comes through. Only a limit on the time tells.
#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_falls_silent_is_given_up_in_time_and_found_again() {
    let cluster = Cluster::start().await;
    let proxy = Proxy::start(cluster.port).await;
    let (scene, server, gate) = under_way(&proxy).await;
    proxy.silence();
    gate.open();
    assert!(!is_answered_for(&scene, &server, "in silence").await);
    proxy.open();
    post_until_answered(&scene, &server, &["in silence".to_owned()]).await;
    assert_sent_once(&scene, 3, SILENCE).await;
}
