//! What the server stands on fails: the disk is full or takes nothing more, PostgreSQL goes away or falls silent. Clients
//! are told so, nothing that was answered for is lost, nothing is sent twice, and it goes on when what failed is back.

mod cluster;
mod disk;
mod full;
mod postgres;
mod proxy;
mod read_only;

use std::{collections::HashMap, time::Duration};

use reqwest::{Response, StatusCode, header};
use serde_json::{Value, json};

use super::{
    scene::{Scene, text},
    server::{PATIENCE, Server, until},
};

/// Posts a call. Returns whether it was answered for; where it was not, the platform was told to try again.
async fn is_answered_for(scene: &Scene, server: &Server, call: &str) -> bool {
    let answer = scene.post(server, call).await.expect("an answer");
    if answer.status() == StatusCode::OK {
        return true;
    }
    assert_unavailable(answer).await;
    false
}

/// The answer says that the server can do nothing now, as the interface says it.
async fn assert_unavailable(answer: Response) {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    assert_eq!(headers[header::RETRY_AFTER], "5");
    assert_eq!((&body["error"]["code"], &body["error"]["status"]), (&json!("unavailable"), &json!(503)));
    assert!(body["meta"]["request_id"].is_string(), "{body}");
}

/// Posts calls again as platforms do, until each is answered for.
async fn post_until_answered(scene: &Scene, server: &Server, calls: &[String]) {
    for call in calls {
        until("a message is answered for again", 3 * PATIENCE, async || {
            is_answered_for(scene, server, call).await.then_some(())
        })
        .await;
    }
}

/// Everything is delivered, was sent once, and has the one try that it took.
async fn assert_sent_once(scene: &Scene, calls: usize, patience: Duration) {
    let mut shown = Vec::new();
    until("everything is delivered", patience, async || {
        shown = scene.deliveries();
        let is_delivered = |delivery: &Value| delivery["state"] == "delivered";
        (shown.len() == calls && shown.iter().all(is_delivered)).then_some(())
    })
    .await;
    let mut arrivals: HashMap<String, usize> = HashMap::new();
    for hook in scene.receiver.hooks() {
        *arrivals.entry(hook.header("webhook-id").to_owned()).or_default() += 1;
    }
    assert_eq!(arrivals.len(), calls);
    for delivery in &shown {
        let arrived = arrivals.get(&text(delivery, "id")).copied();
        assert_eq!((arrived, &delivery["attempts"]), (Some(1), &json!(1)), "{delivery}");
    }
}
