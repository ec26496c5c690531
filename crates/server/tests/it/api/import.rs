//! What comes in from another server: everything, once, in its order, at that server's pace, and told to nobody.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    extract::Request,
    http::StatusCode,
    middleware::{self, Next},
    response::IntoResponse,
};
use inboundflow::import::{Conversations, Import, Remote};
use model::{ApiKey, Platform, Scopes, testing::ManualClock};
use serde_json::{Value, json};
use store::NewKey;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::support::{Client, Org, Receiver, Setup, TestApp, booking, on_both, on_both_with, report, spawn};

const KINDS: [&str; 5] = ["assistants", "contacts", "calls", "leads", "appointments"];

/// Another installation behind a socket, which can stop answering.
struct Theirs {
    app: TestApp,
    org: Org,
    url: String,
    gate: Arc<Gate>,
    server: JoinHandle<std::io::Result<()>>,
}

/// What stands before it.
#[derive(Default)]
struct Gate {
    /// So many more requests are let through.
    open_for: AtomicI64,
    /// So many requests came.
    came: AtomicU32,
    /// So many were refused for the rate limit.
    limited: AtomicU32,
}

impl Theirs {
    async fn beside(app: &TestApp) -> Self {
        let app = app.beside().await;
        let org = app.org("Harbor Plumbing").await;
        let gate = Arc::new(Gate { open_for: i64::MAX.into(), ..Gate::default() });
        let kept = gate.clone();
        let router = app.router.clone().layer(middleware::from_fn(move |request: Request, next: Next| {
            let gate = kept.clone();
            async move {
                gate.came.fetch_add(1, Relaxed);
                if gate.open_for.fetch_sub(1, Relaxed) <= 0 {
                    return StatusCode::UNAUTHORIZED.into_response();
                }
                let response = next.run(request).await;
                if response.status() == 429 {
                    gate.limited.fetch_add(1, Relaxed);
                }
                response
            }
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let server = spawn(async move { axum::serve(listener, router).await });
        Self { app, org, url, gate, server }
    }

    fn client(&self) -> Client<'_> {
        self.app.key(&self.org)
    }

    /// Reports of calls with bookings, and some that were written, of `people` persons.
    async fn fill(&self, calls: usize, people: usize) {
        let source = self.org.source(Platform::Vapi).await;
        for number in 0..calls {
            let phone = format!("+1415555{:04}", 100 + number % people);
            if number % 3 == 0 {
                let mut rest = booking();
                rest["customer"] = json!({"number": phone, "name": format!("Robin Vale {number}")});
                source.accept(&self.app, &report(&format!("v{number}"), json!(phone), rest)).await;
            } else {
                let call = json!({"external_id": format!("a{number}"), "caller_phone": phone,
                    "summary": format!("A leaking tap {number}"), "started_at": "2026-02-20T10:00:00Z",
                    "status": if number % 3 == 1 { "completed" } else { "failed" },
                    "messages": [{"role": "user", "content": "It leaks.", "offset_seconds": 1.0, "tool": null}]});
                self.client().write_call(call).await;
            }
        }
    }

    fn remote(&self, app: &TestApp, key: &ApiKey) -> Remote {
        let list = delivery::guard::AllowList::parse(&["127.0.0.1/32".to_owned()]).expect("a list");
        Remote::new(&self.url, key.reveal(), list, app.clock.clone()).expect("a server")
    }

    async fn end(self) {
        self.server.abort();
        self.app.finish().await;
    }
}

pub(super) fn begin(app: &TestApp, org: &Org) -> Import {
    let rules = ingest::rules(Duration::from_secs(60));
    Import::new(&app.store, org.id, rules, Conversations::With)
}

/// Brings in what is there; what came of it.
async fn pull(app: &TestApp, org: &Org, theirs: &Theirs) -> anyhow::Result<Value> {
    let mut import = begin(app, org);
    import.pull(&mut theirs.remote(app, &theirs.org.key)).await?;
    Ok(import.summary())
}

/// Every record of a kind, newest first, without when it was stored; calls with their conversations.
async fn records(client: &Client<'_>, kind: &str) -> Vec<Value> {
    let (mut all, mut path) = (Vec::new(), format!("/v1/{kind}?limit=100"));
    loop {
        let page = client.get(&path).await.json();
        for record in page["data"].as_array().expect("a list") {
            let mut record = match kind {
                "calls" => client.data(&format!("/v1/calls/{}", record["id"].as_str().expect("an id"))).await,
                _ => record.clone(),
            };
            let fields = record.as_object_mut().expect("an object");
            fields.shift_remove("created_at");
            fields.shift_remove("updated_at");
            all.push(record);
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/{kind}?limit=100&cursor={cursor}"),
            None => return all,
        }
    }
}

async fn assert_same(app: &TestApp, org: &Org, theirs: &Theirs) {
    for kind in KINDS {
        let (here, there) = (records(&app.key(org), kind).await, records(&theirs.client(), kind).await);
        assert!(!there.is_empty(), "{kind}");
        assert_eq!(here, there, "{kind}");
    }
}

/// Every cell of the database but the record clock, which moves whoever looks at it.
async fn cells(app: &TestApp) -> Vec<String> {
    let all = app.dump().await;
    let mut all: Vec<String> =
        all.lines().filter(|line| !line.starts_with("org_clocks")).map(str::to_owned).collect();
    all.sort();
    all
}

fn sums(summary: &Value) -> Vec<(u64, u64)> {
    let count = |kind: &str, what: &str| summary["imported"][kind][what].as_u64().expect("a count");
    KINDS.map(|kind| (count(kind, "added"), count(kind, "known"))).to_vec()
}

#[test]
fn everything_comes_in_once_in_its_order_however_often_it_is_cut_off() {
    on_both_with(Setup::unhurried(), async |app| {
        let theirs = Theirs::beside(app).await;
        theirs.fill(230, 110).await;
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/hook")).await;
        let mut cuts = 0;
        loop {
            theirs.gate.open_for.store(37, Relaxed);
            match pull(app, &org, &theirs).await {
                Ok(_) => break,
                Err(error) => assert!(error.to_string().contains("does not take the key"), "{error:#}"),
            }
            cuts += 1;
            // Not only what was there in the beginning: a call and a contact are made meanwhile.
            if cuts == 2 {
                let late = json!({"external_id": "late", "caller_phone": "+14155559999", "summary": "Late"});
                theirs.client().write_call(late).await;
            }
            assert!(cuts < 20, "each go comes further");
        }
        assert!(cuts >= 5, "{cuts}");
        theirs.gate.open_for.store(i64::MAX, Relaxed);
        assert_same(app, &org, &theirs).await;
        assert_eq!(records(&app.key(&org), "calls").await.len(), 231);

        pull(app, &org, &theirs).await.expect("an import");
        let came = theirs.gate.came.load(Relaxed);
        let before = cells(app).await;
        assert_eq!(sums(&pull(app, &org, &theirs).await.expect("an import")), [(0, 0); 5]);
        assert_eq!(theirs.gate.came.load(Relaxed) - came, 5, "it asks only for what is new");
        assert_eq!(cells(app).await, before, "and changes nothing");

        theirs.client().write_call(json!({"external_id": "new", "summary": "One more"})).await;
        let summary = pull(app, &org, &theirs).await.expect("an import");
        assert_eq!(summary["imported"]["calls"], json!({"added": 1, "known": 0, "erased": 0}));
        assert_eq!(receiver.take().len(), 0, "history is told to nobody");
        assert_eq!(app.key(&org).get("/v1/export/events").await.bytes, b"");
        theirs.end().await;
    });
}

/// Lets time pass while somebody waits for it.
fn passing(clock: Arc<ManualClock>) -> JoinHandle<()> {
    spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            clock.advance(Duration::from_secs(1));
        }
    })
}

#[test]
fn the_other_server_is_asked_no_more_often_than_it_allows() {
    on_both_with(Setup::unhurried(), async |app| {
        let theirs = Theirs::beside(app).await;
        theirs.fill(150, 20).await;
        let new = NewKey { name: "slow".into(), expires_at: None, rate_limit: Some(60), scopes: Scopes::All };
        let (_, key) = theirs.org.records.create_key(new).await.expect("a key");
        let client = theirs.app.bearer(key.reveal());
        for _ in 0..60 {
            client.get("/v1/leads?limit=1").await;
        }
        let org = app.org("Harbor Plumbing").await;
        let (begun, time) = (app.now(), passing(app.clock.clone()));
        let mut import = begin(app, &org);
        import.pull(&mut theirs.remote(app, &key)).await.expect("an import");
        time.abort();
        // The first request is one too many; after it every window is used up and waited for.
        assert_eq!(theirs.gate.limited.load(Relaxed), 1);
        let passed = app.now().since(begun).as_secs();
        assert!((120..600).contains(&passed), "{passed} s");
        assert_same(app, &org, &theirs).await;
        theirs.end().await;
    });
}

#[test]
fn an_export_s_files_come_in_like_the_server_that_wrote_them() {
    on_both_with(Setup::unhurried(), async |app| {
        let theirs = Theirs::beside(app).await;
        theirs.fill(30, 7).await;
        let folder = tempfile::tempdir().expect("a folder");
        let mut whole = Vec::new();
        for kind in [&KINDS[..], &["events", "messages"]].concat() {
            let lines = theirs.client().get(&format!("/v1/export/{kind}")).await.bytes;
            std::fs::write(folder.path().join(format!("{kind}.jsonl")), &lines).expect("a file");
            whole.extend_from_slice(&lines);
        }
        let one = folder.path().join("whole");
        std::fs::write(&one, whole).expect("a file");

        let org = app.org("Harbor Plumbing").await;
        let mut import = begin(app, &org);
        import.read_path(folder.path()).await.expect("an import");
        assert_eq!(sums(&import.summary())[2], (30, 0));
        assert_same(app, &org, &theirs).await;
        let before = cells(app).await;
        let mut again = begin(app, &org);
        again.read_path(&one).await.expect("an import");
        assert!(sums(&again.summary()).iter().all(|(added, _)| *added == 0), "{}", again.summary());
        assert!(again.summary()["passed_over"]["event"].as_u64() > Some(0), "{}", again.told());
        assert_eq!(cells(app).await, before);

        // A second organization of the same server has the same records under other ids.
        let other = app.org("Lakeside").await;
        let mut import = begin(app, &other);
        import.read_path(&one).await.expect("an import");
        let calls = app.key(&other).data("/v1/calls?limit=100").await;
        assert_eq!(calls.as_array().map(Vec::len), Some(30));
        let id = calls[0]["id"].as_str().expect("an id");
        assert_eq!(app.key(&org).get(&format!("/v1/calls/{id}")).await.status, 404);
        theirs.end().await;
    });
}

#[test]
fn what_can_not_be_read_is_named_and_stops_nothing_else() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let file = tempfile::NamedTempFile::new().expect("a file");
        let lines = [
            json!({"type": "contact", "id": "0197a3c4-0000-7000-8000-00000000000a", "name": "Ada", "new": 1}),
            json!({"type": "contact", "id": 7, "name": "Kim"}),
            json!({"type": "lead", "id": "0197a3c4-0000-7000-8000-00000000000b", "phone": "12", "status": "odd"}),
        ];
        let text: Vec<String> = lines.iter().map(Value::to_string).collect();
        std::fs::write(file.path(), text.join("\n")).expect("a file");
        let mut import = begin(app, &org);
        import.read_path(file.path()).await.expect("an import");
        let left = json!([{"kind": "contacts", "id": null, "why": "it has no `id` that is a UUID"}]);
        assert_eq!(import.summary()["left_out"], left);
        let lead = app.key(&org).data("/v1/leads").await[0].clone();
        assert_eq!((&lead["phone"], &lead["status"]), (&Value::Null, &json!("new")));
        std::fs::write(file.path(), "{\"type\": \"contact\", \"name\": \"Ada").expect("a file");
        let error = begin(app, &org).read_path(file.path()).await.expect_err("no JSON");
        assert!(error.to_string().ends_with("line 1: it is not JSON"), "{error}");
    });
}

#[test]
fn who_was_erased_here_does_not_come_back_by_an_import() {
    on_both_with(Setup::unhurried(), async |app| {
        let theirs = Theirs::beside(app).await;
        theirs.fill(9, 1).await;
        let org = app.org("Harbor Plumbing").await;
        // The assistants, the contacts, the calls' list and six of its nine calls: then it is cut off.
        theirs.gate.open_for.store(9, Relaxed);
        pull(app, &org, &theirs).await.expect_err("it is cut off");
        let client = app.key(&org);
        let calls = records(&client, "calls").await.len();
        assert!((1..9).contains(&calls), "{calls}");
        let contact = client.data("/v1/contacts").await[0]["id"].as_str().expect("an id").to_owned();
        let erased = client.post(&format!("/v1/contacts/{contact}/erase"), &json!({})).await;
        assert_eq!(erased.json()["data"]["state"], "done");

        theirs.gate.open_for.store(i64::MAX, Relaxed);
        let summary = pull(app, &org, &theirs).await.expect("an import");
        assert_eq!(summary["imported"]["calls"]["erased"], json!(9 - calls), "{summary}");
        assert!(summary["imported"]["leads"]["erased"].as_u64() > Some(0), "{summary}");
        let left = app.dump().await.to_lowercase();
        for mark in ["4155550100", "robin", "leaking", "boiler"] {
            assert!(!left.contains(mark), "{mark}");
        }
        theirs.end().await;
    });
}

#[test]
fn what_is_here_already_stays_and_gets_what_it_did_not_have() {
    on_both_with(Setup::unhurried(), async |app| {
        let theirs = Theirs::beside(app).await;
        theirs.fill(2, 1).await;
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let (client, source) = (app.key(&org), org.source(Platform::Vapi).await);
        client
            .write_call(json!({"external_id": "a1", "caller_phone": "+14155550100", "summary": "Ours"}))
            .await;
        pull(app, &org, &theirs).await.expect("an import");
        let contacts = client.data("/v1/contacts").await;
        assert_eq!(contacts.as_array().map(Vec::len), Some(1));
        assert_eq!((&contacts[0]["name"], &contacts[0]["call_count"]), (&json!("Robin Vale 0"), &json!(2)));
        assert_eq!(client.data("/v1/calls?q=Ours").await[0]["external_id"], "a1");

        // The platform sends to our own source what it had sent there: it is the same call, and nothing is told of it.
        org.endpoint(&receiver.url("/hook")).await;
        let before = (client.data("/v1/leads").await, client.data("/v1/appointments").await);
        let mut rest = booking();
        rest["customer"] = json!({"number": "+14155550100", "name": "Robin Vale 0"});
        source.accept(app, &report("v0", json!("+14155550100"), rest)).await;
        assert_eq!(client.data("/v1/calls").await.as_array().map(Vec::len), Some(2));
        assert_eq!(
            client.data("/v1/appointments").await.as_array().map(Vec::len),
            before.1.as_array().map(Vec::len)
        );
        assert_eq!(
            client.data("/v1/leads").await.as_array().map(Vec::len),
            before.0.as_array().map(Vec::len)
        );
        assert_eq!(receiver.take_events(), Vec::<String>::new());
        theirs.end().await;
    });
}

#[test]
fn a_contact_s_further_numbers_come_in_and_lead_to_it_unless_somebody_has_them() {
    on_both(async |app| {
        let (org, file) = (app.org("Harbor Plumbing").await, tempfile::NamedTempFile::new().expect("a file"));
        let client = app.key(&org);
        client.made("/v1/contacts", json!({"phone": "+14155550177", "name": "Kim"})).await;
        let line = json!({"type": "contact", "id": "0197a3c4-0000-7000-8000-00000000000a", "name": "Ada",
            "phone": "+14155550142", "other_phones": ["+14155550177", "+14155550178", "+14155550142"]});
        std::fs::write(file.path(), line.to_string()).expect("a file");
        begin(app, &org).read_path(file.path()).await.expect("an import");
        client.write_call(json!({"caller_phone": "+14155550178", "status": "completed"})).await;
        let contacts = client.data("/v1/contacts").await;
        let told: Vec<_> = [0, 1]
            .map(|n| (&contacts[n]["name"], &contacts[n]["other_phones"], &contacts[n]["call_count"]))
            .into();
        assert_eq!(
            told,
            [(&json!("Ada"), &json!(["+14155550178"]), &json!(1)), (&json!("Kim"), &json!([]), &json!(0))]
        );
        assert_eq!(contacts.as_array().map(Vec::len), Some(2));
    });
}
