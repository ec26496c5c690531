//! Killed at any moment, the server loses nothing that it had answered for.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use inboundflow::system::SystemIds;
use model::IdGen;
use serde_json::Value;
use tokio::{sync::Notify, task::JoinSet};

use super::{
    receiver::Reply,
    scene::{Scene, text},
    server::{Kind, PATIENCE, Server, until},
};

/// Platforms that post at the same time.
const CLIENTS: usize = 32;

/// Deliveries of one endpoint that may be sent and not written down yet: the worker holds eight times those that may be
/// under way (`UNDER_WAY_PER_ENDPOINT` in `app.rs`).
const HELD: usize = 8 * 16;

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_answered_ingest_and_no_webhook_on_sqlite() {
    survive_kills(Kind::Sqlite, 5000, 300..1100, PATIENCE).await;
}

/// Here other processes may hold leases, so what was under way is due again only when its lease of 60 s has run out.
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_answered_ingest_and_no_webhook_on_postgres() {
    survive_kills(Kind::Postgres, 900, 150..400, Duration::from_secs(100)).await;
}

async fn survive_kills(kind: Kind, goal: usize, answers: std::ops::Range<usize>, patience: Duration) {
    let scene = Arc::new(Scene::set(kind, |_| Reply::with(204)).await);
    let posted = Arc::new(AtomicUsize::new(0));
    let mut answered: Vec<String> = Vec::new();
    let mut kills = 0;
    while answered.len() < goal {
        let server = Arc::new(scene.serve(&[]).await);
        let until_kill = between(&answers);
        answered.extend(post_until_killed(&scene, &server, &posted, until_kill).await);
        kills += 1;
    }
    assert!(kills >= 3, "{kills} kills are too few");

    let server = scene.serve(&[]).await;
    let ids: HashMap<String, String> = (scene.calls(&server).await.iter())
        .map(|call| (text(call, "external_id"), text(call, "id")))
        .collect();
    for call in &answered {
        assert!(ids.contains_key(call), "{call} was answered 200 and is not in the API");
    }
    // What was kept but not answered is told of as well.
    until("every call's webhook arrives", patience, async || {
        if scene.receiver.count() < ids.len() {
            return None;
        }
        let told = told(&scene);
        ids.values().all(|id| told.contains_key(id)).then_some(())
    })
    .await;
    // On PostgreSQL what was sent and not written down is sent again when its lease has run out.
    until("every delivery is recorded as delivered", patience, async || {
        scene.deliveries().iter().all(|delivery| delivery["state"] == "delivered").then_some(())
    })
    .await;

    let told = told(&scene);
    let strangers = told.keys().filter(|call| !ids.values().any(|id| id == *call)).count();
    assert_eq!(strangers, 0, "webhooks of calls that the API does not know");
    let mut repeated = 0;
    for deliveries in told.values() {
        assert!(deliveries.len() <= 1 + kills, "one kill repeats a delivery once at most");
        assert_eq!(deliveries.iter().collect::<HashSet<_>>().len(), 1, "a repetition is the same delivery");
        repeated += deliveries.len() - 1;
    }
    assert!(repeated <= kills * HELD, "{repeated} webhooks came twice, after {kills} kills");
}

/// Posts until the server is killed, a moment after so many answers. Returns the calls that were answered 200.
async fn post_until_killed(
    scene: &Arc<Scene>,
    server: &Arc<Server>,
    posted: &Arc<AtomicUsize>,
    answers: usize,
) -> Vec<String> {
    let answered: Arc<Mutex<Vec<String>>> = Arc::default();
    let enough = Arc::new(Notify::new());
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (scene, server, posted) = (scene.clone(), server.clone(), posted.clone());
        let (answered, enough) = (answered.clone(), enough.clone());
        clients.spawn(async move {
            loop {
                let call = format!("call-{}", posted.fetch_add(1, Ordering::Relaxed));
                // The connection breaks when the server is killed.
                let Ok(status) = scene.post_call(&server, &call).await else { return };
                assert_eq!(status, 200, "{call}");
                let mut answered = answered.lock().expect("nobody panicked");
                answered.push(call);
                if answered.len() == answers {
                    enough.notify_one();
                }
            }
        });
    }
    tokio::time::timeout(PATIENCE, enough.notified()).await.expect("enough answers in time");
    tokio::time::sleep(Duration::from_micros(between(&(0..20_000)) as u64)).await;
    server.kill();
    while let Some(client) = clients.join_next().await {
        client.expect("a client's assertions hold");
    }
    server.ended(PATIENCE).await;
    std::mem::take(&mut *answered.lock().expect("nobody panicked"))
}

/// Which deliveries arrived, one entry for each arrival, by call.
fn told(scene: &Scene) -> HashMap<String, Vec<String>> {
    let mut told: HashMap<String, Vec<String>> = HashMap::new();
    for hook in scene.receiver.hooks() {
        let body: Value = hook.json();
        told.entry(text(&body["data"], "call_id")).or_default().push(text(&body, "delivery_id"));
    }
    told
}

fn between(range: &std::ops::Range<usize>) -> usize {
    let ids: &dyn IdGen = &SystemIds;
    range.start + ((range.len() - 1) as f64 * ids.fraction()) as usize
}
