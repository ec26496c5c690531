//! The operator's commands on what a source's platform has: its key, imports, the gaps. And an import that is killed.

use std::{collections::HashSet, fs, os::unix::fs::PermissionsExt, time::Duration};

use model::{Platform, Time};
use serde_json::{Value, json};

use super::{
    receiver::Reply,
    scene::{Scene, text},
    server::{Kind, PATIENCE, Server, until},
};
use crate::support::{StandIn, finished};

const ALLOWED: &str = "[delivery]\nallow_targets = [\"127.0.0.1/32\"]\n";
const SECRET_KEY: &str = "secret_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn history_is_imported_by_command_on_sqlite() {
    import(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_imported_by_command_on_postgres() {
    import(Kind::Postgres).await;
}

async fn import(kind: Kind) {
    let (scene, stand_in) =
        (Scene::set(kind, |_| Reply::with(200)).await, StandIn::start(Platform::Vapi).await);
    let (home, id) = (&scene.home, scene.source.as_str());
    let since: Time = "2026-01-01T00:00:00Z".parse().expect("a time");
    stand_in.has(["a", "b", "c"].map(|id| finished(Platform::Vapi, id, since)));
    let import = ["source", "import", "--id", id, "--since", "2026-01-01T00:00:00Z"];
    home.run(&import).assert_refused(&["--api-key-file"]);

    let file = |name: &str, text: &str| fs::write(home.path().join(name), text).expect("a file");
    file("key", &format!("{}\n", stand_in.key()));
    file("inboundflow.toml", ALLOWED);
    let url = stand_in.url();
    let update = ["source", "update", id, "--api-key-file", "key", "--api-url", &url];
    match kind {
        Kind::Sqlite => {}
        // Several processes may share it, so a file of this one would not do.
        Kind::Postgres => {
            home.run(&update).assert_refused(&["secret_key", "INBOUNDFLOW_SECRET_KEY"]);
            file("inboundflow.toml", &format!("{SECRET_KEY}{ALLOWED}"));
        }
    }
    let updated = home.json(&update);
    assert_eq!(updated["platform_api"]["key_last4"], "d-in");
    assert!(!updated.to_string().contains(stand_in.key()), "a key is never shown");
    if kind == Kind::Sqlite {
        let file = fs::metadata(home.path().join("data/secret.key")).expect("the key file");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    let done = home.json(&import);
    let counts = (&done["status"], &done["found"], &done["imported"]);
    assert_eq!(counts, (&json!("done"), &json!(3), &json!(3)), "{done}");
    assert_eq!(home.json(&import)["imported"], 0, "and the second time nothing is new");
    assert_eq!(home.json(&["source", "gaps", "--id", id])["data"], json!([]));
    let imports = home.json(&["source", "imports", "--id", id]);
    assert_eq!(imports["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(imports["data"][1], done, "the newest first");
    for option in ["--pause", "--resume"] {
        let again = home.json(&["source", "import", "--id", id, option, &text(&done, "id")]);
        assert_eq!(again, done, "what is done stays done");
        let unknown = ["source", "import", "--id", id, option, "0197a3c4-0000-7000-8000-00000000dead"];
        home.run(&unknown).assert_refused(&[option]);
    }
    let reconciler = home.json(&["source", "reconciler", "--id", id]);
    assert_eq!((&reconciler["status"], &reconciler["complete_until"]), (&json!("waiting"), &Value::Null));
    assert_eq!(text(&home.json(&["source", "get", id]), "id"), id);

    file("key", "a key of yesterday's\n");
    home.run(&update).assert_refused(&["platform_api_key"]);
    file("key", "a-key-of-yesterday\n");
    home.json(&update);
    let refused = home.run(&import);
    assert!(!refused.status.success() && refused.stderr.contains("refuses the API key"), "{refused:?}");
    file("key", stand_in.key());
    home.json(&update);
    let failed = &home.json(&["source", "imports", "--id", id])["data"][0];
    assert_eq!(failed["status"], "failed");
    let resumed = home.json(&["source", "import", "--id", id, "--resume", &text(failed, "id")]);
    assert_eq!((&resumed["status"], &resumed["found"]), (&json!("done"), &json!(3)));
    home.json(&["source", "update", id, "--no-api-key"]);
    home.run(&import).assert_refused(&["--api-key-file"]);
    home.run(&["source", "update", id, "--api-url", &url]).assert_refused(&["--api-key-file"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_goes_on_and_takes_every_call_once_on_sqlite() {
    survive_kills(Kind::Sqlite, &[70, 140, 35], PATIENCE).await;
}

/// Here another process might hold the page, so it is taken up when its lease of 90 s has run out.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_goes_on_and_takes_every_call_once_on_postgres() {
    survive_kills(Kind::Postgres, &[125], Duration::from_secs(150)).await;
}

/// Kills the server each time that its platform was asked so many times more.
async fn survive_kills(kind: Kind, kills: &[usize], patience: Duration) {
    const COUNT: u32 = 400;
    let scene = Scene::set(kind, |_| Reply::with(200)).await;
    let stand_in = StandIn::start(Platform::Bland).await;
    let since: Time = "2026-01-01T00:00:00Z".parse().expect("a time");
    let call = |number: u32| {
        finished(Platform::Bland, &format!("call{number}"), since + Duration::from_secs(60) * number)
    };
    stand_in.has((0..COUNT).map(call));
    let file = |name: &str, text: &str| fs::write(scene.home.path().join(name), text).expect("a file");
    file("key", stand_in.key());
    file("inboundflow.toml", &format!("{SECRET_KEY}{ALLOWED}"));
    let url = stand_in.url();
    let source = ["source", "create", "--org", &scene.org, "--platform", "bland", "--api-key-file", "key"];
    let source = text(&scene.home.json(&[&source[..], &["--api-url", &url]].concat()), "id");
    let mut server = scene.serve(&[]).await;
    let import = start_import(&scene, &server, &source, since).await;
    for &asked in kills {
        stand_in.take_asked();
        let mut seen = 0;
        until("the platform is asked", patience, async || {
            seen += stand_in.take_asked().len();
            (seen >= asked).then_some(())
        })
        .await;
        server.kill();
        server.ended(PATIENCE).await;
        server = scene.serve(&[]).await;
    }
    let done = until("the import is done", patience, async || {
        let (_, answer) = scene.get(&server, &import).await;
        (answer["data"]["status"] == "done").then(|| answer["data"].clone())
    })
    .await;
    assert_eq!(
        (&done["found"], &done["missing"], &done["imported"]),
        (&json!(COUNT), &json!(COUNT), &json!(COUNT))
    );
    let calls = scene.calls(&server).await;
    let distinct: HashSet<String> = calls.iter().map(|call| text(call, "external_id")).collect();
    assert_eq!((calls.len(), distinct.len()), (COUNT as usize, COUNT as usize));
    assert_eq!(scene.receiver.count(), 0, "history is told to nobody");
}

async fn start_import(scene: &Scene, server: &Server, source: &str, since: Time) -> String {
    let url = server.url(&format!("/v1/sources/{source}/imports"));
    let request = scene.http.post(url).bearer_auth(&scene.key).header("content-type", "application/json");
    let answer = request.body(json!({ "since": since }).to_string()).send().await.expect("an answer");
    let answer: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
    format!("/v1/sources/{source}/imports/{}", text(&answer["data"], "id"))
}
