//! The demo, as somebody runs it who has just cloned the repository.

use super::server::{Home, Kind};

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_a_verified_webhook_and_exits_with_0_on_sqlite() {
    show(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_a_verified_webhook_and_exits_with_0_on_postgres() {
    show(Kind::Postgres).await;
}

/// Twice, because the second time there is a database already.
async fn show(kind: Kind) {
    let home = Home::new(kind).await;
    for _ in 0..2 {
        let ran = home.run(&["demo", "--exit"]);
        assert_eq!(ran.status.code(), Some(0), "{ran:?}");
        for words in [
            "call.completed",
            "lead.created",
            "appointment.booked",
            "verified",
            "webhook-signature: v1,",
            "x-inboundflow-signature: sha256=",
            "\"status\": \"completed\"",
            "curl -H 'Authorization: Bearer sk_live_",
            "Every step worked.",
        ] {
            assert!(ran.stdout.contains(words), "`{words}` is not in: {}", ran.stdout);
        }
    }
}
