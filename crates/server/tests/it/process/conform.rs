//! The conformance kit against the real binary: the server passes every check of `docs/conformance.md`.

use std::{fs, time::Duration};

use conform::{
    adapter::{Adapter, InboundFlow},
    checks::{self, Limits},
    receiver::Authority,
    report, run,
};

use super::{
    scene::{ALLOWED, text},
    server::{Home, Kind, Server},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_server_passes_the_conformance_kit_on_sqlite() {
    conform(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_passes_the_conformance_kit_on_postgres() {
    conform(Kind::Postgres).await;
}

async fn conform(kind: Kind) {
    let home = Home::new(kind).await;
    let org = text(&home.json(&["org", "create", "--name", "Harbor"]), "id");
    let key = ["key", "create", "--org", &org, "--name", "kit", "--rate-limit", "1000000"];
    let key = text(&home.json(&key), "key");
    let authority = Authority::new().expect("an authority");
    let certificate = home.path().join("authority.pem");
    fs::write(&certificate, authority.pem()).expect("a file");
    let environment = [
        ALLOWED,
        ("SSL_CERT_FILE", certificate.to_str().expect("a path")),
        ("INBOUNDFLOW_DELIVERY__SCHEDULE", "1s,1s,1s,1s"),
        ("INBOUNDFLOW_DELIVERY__TIMEOUT_SECONDS", "1"),
    ];
    let server = Server::start(&home, &environment).await;
    let limits = Limits {
        timeout: Duration::from_secs(4),
        retry_after: Duration::from_secs(3),
        settle: Duration::from_secs(1),
        patience: Duration::from_secs(60),
    };
    let sender = Adapter::InboundFlow(InboundFlow::new(&server.base, &key).expect("a client"));
    let checks = checks::all(&limits, true);
    let lines = run::run(&sender, &authority, &checks, &limits).await.expect("a run");
    assert!(lines.len() > 60 && lines.iter().all(report::Line::has_passed), "{}", report::table(&lines));
    let left = home.json(&["webhook", "list", "--org", &org]);
    assert_eq!(left["data"].as_array().map(Vec::len), Some(0), "the kit removes what it made");
}
