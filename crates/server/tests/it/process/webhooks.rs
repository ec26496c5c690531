//! The operator's commands on endpoints, deliveries and signatures, beside a running server.

use std::{fs, time::Duration};

use serde_json::{Value, json};

use super::{
    receiver::{Hook, Receiver, Reply},
    scene::{Scene, text},
    server::{Kind, PATIENCE, Ran, until},
};

/// What lets the commands send to this machine too.
const CONFIGURATION: &str = "[delivery]\nallow_targets = [\"127.0.0.1/32\"]\n";

/// The endpoint that the scene has, and what its secret is from now on.
fn endpoint(scene: &Scene) -> (String, String) {
    fs::write(scene.home.path().join("inboundflow.toml"), CONFIGURATION).expect("a file");
    let id = text(&scene.home.json(&["webhook", "list", "--org", &scene.org])["data"][0], "id");
    let secret = text(&scene.home.json(&["webhook", "rotate-secret", &id, "--no-overlap"]), "secret");
    (id, secret)
}

/// What `signature verify` says of a webhook as it arrived.
fn verify(scene: &Scene, hook: &Hook, secret: &str) -> Ran {
    let file = |name: &str, content: &[u8]| fs::write(scene.home.path().join(name), content).expect("a file");
    file("secret", secret.as_bytes());
    file("body", &hook.body);
    let names = ["x-inboundflow-signature", "webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers = names.map(|name| format!("{name}: {}", hook.header(name)));
    let mut args = vec!["signature", "verify", "--secret-file", "secret", "--body-file", "body"];
    for header in &headers {
        args.extend(["--header", header]);
    }
    scene.home.run(&args)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_tried_changed_rotated_and_deleted_on_sqlite() {
    manage(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_tried_changed_rotated_and_deleted_on_postgres() {
    manage(Kind::Postgres).await;
}

async fn manage(kind: Kind) {
    let scene = Scene::set(kind, |number| Reply::with(if number == 1 { 500 } else { 200 })).await;
    let server = scene.serve(&[]).await;
    let (id, old) = endpoint(&scene);
    try_out(&scene, &id, &old);

    let home = &scene.home;
    let changed = home.json(&["webhook", "update", &id, "--events", "all", "--description", "The CRM"]);
    assert_eq!((&changed["events"], &changed["description"]), (&json!(["all"]), &json!("The CRM")));
    fs::write(home.path().join("secret"), &old).expect("a file");
    let same = home.json(&["webhook", "rotate-secret", &id, "--secret-file", "secret"]);
    assert_eq!(same["previous_secret_until"], Value::Null, "a rotation to the same secret begins no overlap");
    let rotated = home.json(&["webhook", "rotate-secret", &id]);
    let new = text(&rotated, "secret");
    assert!(rotated["previous_secret_until"].is_string());
    assert!(!home.json(&["webhook", "get", &id]).to_string().contains(&new), "a secret is shown once");

    let paced = home.json(&["webhook", "update", &id, "--rate", "100", "--ordering", "strict"]);
    assert_eq!((&paced["rate"], &paced["ordering"]), (&json!(100), &json!("strict")));
    let again = home.json(&["webhook", "update", &id, "--rate", "none", "--ordering", "none"]);
    assert_eq!((&again["rate"], &again["ordering"]), (&Value::Null, &json!("none")));
    home.run(&["webhook", "update", &id, "--rate", "0"]).assert_refused(&["--rate", "1 to 1000"]);

    assert_eq!(home.json(&["webhook", "pause", &id])["state"], "paused");
    assert_eq!(scene.post_call(&server, "a").await.expect("an answer"), 200);
    let discard = ["webhook", "enable", &id, "--held", "discard"];
    assert_eq!(home.json(&discard)["state"], "enabled");
    assert_eq!(scene.post_call(&server, "b").await.expect("an answer"), 200);
    let delivery = resend(&scene, &id, &new).await;

    let told = ["trigger", "lead.created", "--org", &scene.org, "--set", "name=Dave", "--webhook", &id];
    assert_eq!(home.json(&told)["deliveries"], 1);
    let dave = async || {
        scene.receiver.hooks().iter().any(|hook| hook.json()["data"]["name"] == "Dave").then_some(())
    };
    until("the server tells the sample", PATIENCE, dave).await;

    assert_eq!(home.json(&["webhook", "delete", &id]), json!({"id": id, "deleted": true}));
    for command in ["get", "update", "pause", "enable", "delete", "rotate-secret", "test"] {
        let change: &[&str] = if command == "update" { &["--events", "all"] } else { &[] };
        home.run(&[&["webhook", command, &id], change].concat()).assert_refused(&[&id]);
    }
    home.run(&["deliveries", "resend", &delivery]).assert_refused(&["was deleted"]);
}

/// Tests the endpoint, whose receiver fails the second time, and an address that is none yet.
fn try_out(scene: &Scene, id: &str, secret: &str) {
    let home = &scene.home;
    let tested = home.json(&["webhook", "test", id]);
    assert_eq!((&tested["delivered"], &tested["secret"]), (&json!(true), &Value::Null));
    assert!(verify(scene, &scene.receiver.hooks()[0], secret).status.success());
    let failed = home.run(&["webhook", "test", id, "--event", "lead.created"]);
    assert!(!failed.status.success(), "{failed:?}");
    assert!(failed.stdout.contains("failed: the receiver answered 500"), "{failed:?}");
    let unsaved = home.json(&["webhook", "test", "--org", &scene.org, "--url", &scene.receiver.url()]);
    assert!(verify(scene, &scene.receiver.hooks()[2], &text(&unsaved, "secret")).status.success());
    assert!(scene.deliveries().is_empty(), "a test leaves nothing behind");
}

/// Finds the one webhook of a completed call, which was sent in a rotation to the secret `new`, ends that, and has it
/// sent once more. Returns its delivery.
async fn resend(scene: &Scene, id: &str, new: &str) -> String {
    let home = &scene.home;
    let completed = ["deliveries", "list", "--org", &scene.org, "--event", "call.completed"];
    let of_state = |state| home.json(&[&completed[..], &["--state", state]].concat())["data"].clone();
    let delivered = async || of_state("delivered")[0]["id"].as_str().map(str::to_owned);
    let delivery = until("the webhook is delivered", PATIENCE, delivered).await;
    assert_eq!((of_state("delivered").as_array().map(Vec::len), of_state("exhausted")), (Some(1), json!([])));
    let same = |hook: &Hook| hook.json()["delivery_id"] == delivery.as_str();
    let first = scene.receiver.hooks().into_iter().find(same).expect("it arrived");
    let said = verify(scene, &first, new);
    assert!(said.stdout.contains("webhook-signature: right"), "{said:?}");
    assert!(said.stdout.contains("the one before"), "{said:?}");
    home.json(&["webhook", "rotate-secret", id, "--expire-previous"]);

    home.json(&["deliveries", "resend", &delivery]);
    let again = async || scene.receiver.hooks().into_iter().filter(same).nth(1);
    let again = until("the server sends it once more", PATIENCE, again).await;
    assert_eq!(again.body, first.body);
    assert!(verify(scene, &again, new).status.success(), "the old secret signs no more");
    let triggers = async || {
        let shown = home.json(&["deliveries", "get", &delivery]);
        let tries = shown["attempts"].as_array().expect("tries").clone();
        (tries.len() == 2).then(|| tries.iter().map(|attempt| text(attempt, "trigger")).collect::<Vec<_>>())
    };
    assert_eq!(until("both tries are kept", PATIENCE, triggers).await, ["schedule", "manual"]);
    let shown = home.run(&["deliveries", "get", &delivery]).stdout;
    for line in ["state: delivered", "try 2, manual", "> POST http://127.0.0.1", "> webhook-id: ", "< 200"] {
        assert!(shown.contains(line), "no {line} in {shown}");
    }
    delivery
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_after_its_endpoint_was_deleted_is_not_tried_again_on_sqlite() {
    delete_under_way(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_after_its_endpoint_was_deleted_is_not_tried_again_on_postgres() {
    delete_under_way(Kind::Postgres).await;
}

async fn delete_under_way(kind: Kind) {
    let slow = |_| Reply { after: Duration::from_secs(2), ..Reply::with(500) };
    let scene = Scene::set(kind, slow).await;
    let server = scene.serve(&[("INBOUNDFLOW_DELIVERY__SCHEDULE", "1s,1s")]).await;
    let (id, _) = endpoint(&scene);
    assert_eq!(scene.post_call(&server, "a").await.expect("an answer"), 200);
    scene.arrived(1).await;
    scene.home.json(&["webhook", "delete", &id]);
    assert_eq!(scene.deliveries()[0]["state"], "in_flight", "it waits for its answer");
    let called_off = async || (scene.deliveries()[0]["state"] == "cancelled").then_some(());
    until("it is called off", PATIENCE, called_off).await;
    assert_eq!((scene.receiver.count(), &scene.deliveries()[0]["last_status"]), (1, &json!(500)));
}

#[tokio::test]
async fn a_wrong_option_of_these_commands_is_named() {
    let scene = Scene::set(Kind::Sqlite, |_| Reply::with(200)).await;
    let (home, (id, _)) = (&scene.home, endpoint(&scene));
    let unknown = "0197a3c4-0000-7000-8000-00000000dead";
    let cases: [(&[&str], &[&str]); 14] = [
        (&["webhook", "enable", &id, "--held", "later"], &["--held", "`deliver`", "`discard`"]),
        (&["webhook", "update", &id], &["--url", "--events", "--description"]),
        (&["webhook", "update", &id, "--events", "call"], &["--events", "`call`", "lead.created"]),
        (&["webhook", "update", &id, "--url", "nowhere"], &["--url"]),
        (&["webhook", "rotate-secret", &id, "--overlap", "8d"], &["--overlap", "7d"]),
        (
            &["webhook", "rotate-secret", &id, "--overlap", "1h", "--no-overlap"],
            &["--overlap", "--no-overlap"],
        ),
        (&["webhook", "test"], &["ID"]),
        (&["webhook", "test", "--url", "https://example.com/"], &["--org"]),
        (&["webhook", "test", "--url", "https://10.0.0.1/", "--org", &scene.org], &["10.0.0.1 is private"]),
        (&["deliveries", "list", "--org", &scene.org, "--state", "done"], &["--state", "exhausted"]),
        (&["deliveries", "get", unknown], &[unknown]),
        (&["deliveries", "resend", unknown], &[unknown]),
        (&["trigger", "lead.created", "--org", &scene.org, "--set", "nam=Dave"], &["--set", "`nam`"]),
        (&["trigger", "lead.created", "--org", &scene.org, "--webhook", unknown], &["--webhook", unknown]),
    ];
    for (args, words) in cases {
        home.run(args).assert_refused(words);
    }
}

#[tokio::test]
async fn what_is_signed_by_hand_is_verified_and_what_is_wrong_is_named() {
    let home = super::server::Home::new(Kind::Sqlite).await;
    let file = |name: &str, content: &str| fs::write(home.path().join(name), content).expect("a file");
    file("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    file("body", r#"{"delivery_id":"one"}"#);
    file("other", r#"{"delivery_id":"two"}"#);
    let files = |body| ["--secret-file", "secret", "--body-file", body];
    let signed =
        home.json(&[&["signature", "sign", "--timestamp", "1771966800"], &files("body")[..]].concat());
    assert_eq!((&signed["webhook-id"], &signed["webhook-timestamp"]), (&json!("one"), &json!("1771966800")));
    let headers: Vec<String> = signed
        .as_object()
        .expect("headers")
        .iter()
        .map(|(name, value)| format!("--header={name}: {}", value.as_str().expect("a text")))
        .collect();
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let verify = |body| home.run(&[&["signature", "verify"], &files(body)[..], &headers[..]].concat());
    let right = verify("body");
    assert_eq!(right.stdout, "X-InboundFlow-Signature: right\nwebhook-signature: right\n");
    assert!(right.status.success() && right.stderr.contains("receivers refuse more than 300 s"), "{right:?}");
    let wrong = verify("other");
    assert!(!wrong.status.success() && wrong.stdout.contains("the secret or the body"), "{wrong:?}");
    assert!(!home.path().join("data").exists(), "no database is needed");
    let bare = ["signature", "verify", "--header", "webhook-id: one"];
    home.run(&[&bare[..], &files("body")].concat()).assert_refused(&["neither"]);
    home.run(&[&["signature", "sign"], &files("secret")[..]].concat()).assert_refused(&["--id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_posted_to_who_listens_signed_as_the_endpoint_signs() {
    let scene = Scene::set(Kind::Sqlite, |_| Reply::with(200)).await;
    let (id, secret) = endpoint(&scene);
    let server = scene.serve(&[]).await;
    assert_eq!(scene.post_call(&server, "first").await.expect("an answer"), 200);
    let sent = until("all is sent", PATIENCE, async || {
        let all = scene.deliveries();
        let is_sent = !all.is_empty() && all.iter().all(|delivery| delivery["state"] == "delivered");
        is_sent.then_some(all.len())
    })
    .await;
    let workshop = Receiver::start(|number| Reply::with(if number == 0 { 500 } else { 204 })).await;
    let listen = ["listen", "--org", &scene.org, "--forward-to", &workshop.url(), "--json", "--count"];
    let since = ["2", "--since", "2026-01-01T00:00:00Z", "--webhook", &id];
    let ran = scene.home.run(&[&listen[..], &since].concat());
    assert!(ran.status.success(), "{ran:?}");
    let told: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let statuses: Vec<_> = told.iter().map(|line| (&line["status"], line["error"].is_null())).collect();
    assert_eq!(statuses, [(&json!(500), false), (&json!(204), true)]);
    let hooks = workshop.hooks();
    assert_eq!(told[1]["event"], hooks[1].json()["event"]);
    assert!(verify(&scene, &hooks[1], &secret).status.success());
    assert_eq!(scene.receiver.count(), sent, "the endpoint was sent nothing more");

    let only = ["1", "--since", "2026-01-01T00:00:00Z", "--events", "lead.created"];
    let ran = scene.home.run(&[&listen[..], &only].concat());
    assert!(ran.stderr.contains("whsec_"), "a secret is made up: {}", ran.stderr);
    assert_eq!(workshop.hooks()[2].json()["event"], "lead.created");
    for (wrong, words) in [("ftp://x", "--forward-to"), ("nonsense", "--forward-to")] {
        scene.home.run(&["listen", "--org", &scene.org, "--forward-to", wrong]).assert_refused(&[words]);
    }
}
