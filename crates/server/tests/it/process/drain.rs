//! Told to stop, the server finishes what is under way and nothing else.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    receiver::{Gate, Reply},
    scene::{PLATFORM_SECRET, Scene, report},
    server::{Home, Kind, PATIENCE, Server, http_client, until},
};

/// What "at once" may take on a busy machine: less than the 25 s that draining may take, so that who waits for its end
/// is found out.
const AT_ONCE: Duration = Duration::from_secs(20);

/// Waits until the server says that it stops.
async fn stopping(server: &Server) {
    until("it says that it stops", PATIENCE, async || server.said().contains("stopping").then_some(())).await;
}

/// It ends well, and left nothing behind for lack of time.
async fn assert_ended(server: &Server) {
    assert_eq!(server.ended(AT_ONCE).await.code(), Some(0), "{}", server.said());
    assert!(!server.said().contains("not everything under way ended in time"), "{}", server.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_under_way_at_sigterm_is_delivered_once_and_recorded_on_sqlite() {
    finish_webhook(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_under_way_at_sigterm_is_delivered_once_and_recorded_on_postgres() {
    finish_webhook(Kind::Postgres).await;
}

async fn finish_webhook(kind: Kind) {
    let (scene, gate) = gated(kind).await;
    let server = scene.serve(&[]).await;
    assert_eq!(scene.post_call(&server, "slow").await.expect("an answer"), 200);
    scene.arrived(1).await;
    server.signal("TERM");
    stopping(&server).await;
    gate.open();
    assert_ended(&server).await;
    let deliveries = scene.deliveries();
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0]["state"], "delivered", "{deliveries:?}");
    assert_eq!(deliveries[0]["attempts"], 1);
    assert_eq!(deliveries[0]["last_status"], 200);

    // The next server finds nothing to repeat.
    let server = scene.serve(&[]).await;
    assert_eq!(scene.post_call(&server, "next").await.expect("an answer"), 200);
    scene.arrived(2).await;
    server.signal("TERM");
    assert_ended(&server).await;
    assert_eq!(scene.receiver.count(), 2);
}

/// A scene whose receiver answers nothing before the gate is opened.
async fn gated(kind: Kind) -> (Scene, Gate) {
    let gate = Gate::closed();
    let closed = gate.clone();
    let reply = move |_| Reply { gate: Some(closed.clone()), ..Reply::with(200) };
    (Scene::set(kind, reply).await, gate)
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_wait_at_sigterm_are_sent_by_the_next_server_on_sqlite() {
    leave_waiting(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_wait_at_sigterm_are_sent_by_the_next_server_on_postgres() {
    leave_waiting(Kind::Postgres).await;
}

/// More webhooks than one endpoint has slots for: those under way are finished, the others given back, so that the
/// next server need not wait for a lease.
async fn leave_waiting(kind: Kind) {
    let (scene, gate) = gated(kind).await;
    let server = scene.serve(&[]).await;
    for number in 0..40 {
        assert_eq!(scene.post_call(&server, &format!("call-{number}")).await.expect("an answer"), 200);
    }
    server.signal("TERM");
    until("what waits is given back", PATIENCE, async || {
        let deliveries = scene.deliveries();
        let waiting = deliveries.iter().filter(|delivery| delivery["state"] == "pending").count();
        (waiting > 0 && waiting + scene.receiver.count() == 40).then_some(())
    })
    .await;
    gate.open();
    assert_ended(&server).await;
    let first = scene.receiver.count();
    assert!(first < 40, "some had to wait");
    let states: Vec<_> = scene.deliveries().iter().map(|delivery| delivery["state"].clone()).collect();
    assert_eq!(states.iter().filter(|state| *state == "delivered").count(), first, "{states:?}");
    assert_eq!(states.iter().filter(|state| *state == "pending").count(), 40 - first, "{states:?}");

    let server = scene.serve(&[]).await;
    scene.arrived(40).await;
    until("all are recorded", PATIENCE, async || {
        scene.deliveries().iter().all(|delivery| delivery["state"] == "delivered").then_some(())
    })
    .await;
    assert_eq!(scene.receiver.count(), 40, "each once");
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_at_sigterm_is_answered_and_kept() {
    let scene = Scene::set(Kind::Sqlite, |_| Reply::with(200)).await;
    let server = scene.serve(&[]).await;
    let body = report("half");
    let (first, rest) = body.split_at(body.len() / 2);
    let mut connection = TcpStream::connect(server.address()).await.expect("a connection");
    let head = format!(
        "POST /ingest/vapi/{} HTTP/1.1\r\nhost: test\r\nx-vapi-secret: {PLATFORM_SECRET}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{first}",
        scene.source,
        body.len()
    );
    connection.write_all(head.as_bytes()).await.expect("sent");
    // An answer to another request shows that the server has read what was sent before it.
    assert_eq!(scene.get(&server, "/v1/calls").await.0, 200);
    server.signal("TERM");
    stopping(&server).await;
    until("new connections are refused", PATIENCE, async || {
        TcpStream::connect(server.address()).await.is_err().then_some(())
    })
    .await;
    connection.write_all(rest.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("an answer, then the end");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_ended(&server).await;

    let server = scene.serve(&[]).await;
    assert_eq!(scene.calls(&server).await.len(), 1);
    scene.arrived(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_stops_at_once_whoever_is_connected() {
    for signal in ["TERM", "INT"] {
        let home = Home::new(Kind::Sqlite).await;
        let server = Server::start(&home, &[]).await;
        let http = http_client();
        // This client keeps its connection, that one has not said anything yet.
        let answer = http.get(server.url("/healthz")).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let silent = TcpStream::connect(server.address()).await.expect("a connection");
        server.signal(signal);
        assert_ended(&server).await;
        drop((silent, http));
    }
}
