//! Schemathesis, a stranger with a thousand questions, reads the description and finds nothing that breaks it.

use std::{
    env,
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use model::Platform;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{Receiver, Setup, booking, on_both_with, report, spawn};

const HOOKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/api");

#[test]
fn schemathesis_finds_nothing() {
    let program = env::var("INBOUNDFLOW_TEST_SCHEMATHESIS").unwrap_or_else(|_| {
        panic!("INBOUNDFLOW_TEST_SCHEMATHESIS names no executable. Run `cargo xtask test`, which installs it")
    });
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let source = org.source(Platform::Vapi).await;
        let receiver = Receiver::start().await;
        // Each stream ends at once.
        app.streams.close();
        for (id, phone) in [("a", "+14155550142"), ("b", "+14155550143")] {
            source.accept(app, &report(id, json!(phone), booking())).await;
        }
        let appointment = app.key(&org).data("/v1/appointments").await[0]["id"].clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = app.router.clone().into_make_service_with_connect_info::<SocketAddr>();
        let server = spawn(async move { axum::serve(listener, service).await });

        let folder = tempfile::tempdir().expect("a folder");
        // What no operation makes, and so no link leads to.
        let config = format!(
            "[[operations]]\ninclude-name = \"GET /v1/appointments/{{id}}\"\nparameters = {{ id = {appointment} }}\n\
             [[operations]]\ninclude-name = \"POST /ingest/{{platform}}/{{source_id}}\"\n\
             parameters = {{ platform = \"vapi\", source_id = \"{}\" }}\nheaders = {{ \"X-Vapi-Secret\" = \"{}\" }}\n\
             # The other contact is made up, and not there.\n\
             [[operations]]\ninclude-name = \"POST /v1/contacts/{{id}}/merge\"\n\
             checks = {{ positive_data_acceptance = {{ expected-statuses = [\"2xx\", \"400\", \"404\", \"409\"] }} }}\n",
            source.source, source.secret
        );
        std::fs::write(folder.path().join("schemathesis.toml"), config).expect("a file");
        let mut command = Command::new(&program);
        command
            .args(["run", &format!("http://{address}/openapi.json")])
            .args(["--url", &format!("http://{address}")])
            .args(["--header", &format!("Authorization: Bearer {}", org.key.reveal())])
            .args(["--checks", "all", "--max-examples", "25", "--seed", "155"])
            .args(["--phases", "examples,coverage,fuzzing,stateful"])
            .args(["--generation-deterministic", "--continue-on-failure", "--no-color"])
            .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
            .env("INBOUNDFLOW_TEST_RECEIVER", receiver.url(""))
            .env("PYTHONPATH", HOOKS)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(folder.path())
            .stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("a task");
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
        server.abort();
        // It blocked numbers too, so calls without one wait for who calls.
        app.tick(Duration::from_secs(61)).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    });
}
