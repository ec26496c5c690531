//! Completeness: with a key of its platform, every call of a source is here, once, whatever its webhooks did.

use std::{collections::HashSet, time::Duration};

use insta::assert_snapshot;
use model::{Platform, Time};
use serde_json::{Value, json};

use crate::support::{
    Client, Receiver, Reply, Setup, Signing, StandIn, finished, on_both, on_both_with, report,
};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const QUARTER: Duration = Duration::from_secs(15 * 60);

const LISTED: [Platform; 6] = [
    Platform::Vapi,
    Platform::Retell,
    Platform::ElevenLabs,
    Platform::Bland,
    Platform::Twilio,
    Platform::Telnyx,
];

/// A source whose platform's calls can be listed; its path.
pub(super) async fn connected(client: &Client<'_>, platform: Platform, stand_in: &StandIn) -> String {
    connected_with(client, platform, stand_in, stand_in.key()).await
}

async fn connected_with(client: &Client<'_>, platform: Platform, stand_in: &StandIn, key: &str) -> String {
    let secret = "a secret of the platform's";
    let body = json!({"platform": platform, "secret": secret, "platform_api_key": key,
        "platform_api_url": stand_in.url()});
    let answer = client.post("/v1/sources", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.shown());
    format!("/v1/sources/{}", answer.json()["data"]["id"].as_str().expect("an id"))
}

/// So many calls, evenly spread from a time on.
fn calls(platform: Platform, count: usize, from: Time, every: Duration) -> Vec<Value> {
    let call = |number: usize| {
        let id = format!("call{number:03}");
        finished(platform, &id, from + every * u32::try_from(number).expect("a number"))
    };
    (0..count).map(call).collect()
}

/// Every record of a list.
pub(super) async fn all(client: &Client<'_>, path: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let mut page = client.get(&format!("{path}?limit=100{cursor}")).await.json();
        all.extend(page["data"].take().as_array().expect("a list").clone());
        let Some(next) = page["next_cursor"].as_str() else { return all };
        cursor = format!("&cursor={next}");
    }
}

fn distinct(records: &[Value], field: &str) -> usize {
    records.iter().map(|record| record[field].to_string()).collect::<HashSet<_>>().len()
}

/// How a source's reconciler or an import stands, in a line.
async fn state(client: &Client<'_>, path: &str) -> String {
    let data = client.data(path).await;
    let fields = data.as_object().expect("an object").iter();
    let told = fields.filter(|(name, _)| {
        ["status", "pages", "found", "missing", "healed", "imported", "error", "failures"]
            .contains(&name.as_str())
    });
    told.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

pub(super) async fn import(client: &Client<'_>, source: &str, since: Time) -> String {
    let answer = client.post(&format!("{source}/imports"), &json!({ "since": since })).await;
    assert_eq!(answer.status, 201, "{}", answer.shown());
    format!("{source}/imports/{}", answer.json()["data"]["id"].as_str().expect("an id"))
}

pub(super) fn before(time: Time, by: Duration) -> Time {
    time.plus_micros(-i64::try_from(by.as_micros()).expect("a duration"))
}

#[test]
fn after_a_day_of_silence_every_call_of_every_platform_is_here_once_and_told_once() {
    const COUNT: usize = 60;
    on_both_with(Setup::unhurried(), async |app| {
        for platform in LISTED {
            let word = platform.as_str();
            let (org, receiver) = (app.org(word).await, Receiver::start().await);
            let (client, stand_in) = (app.key(&org), StandIn::start(platform).await);
            org.endpoint(&receiver.url("/hook")).await;
            let source = connected(&client, platform, &stand_in).await;
            app.settle().await;
            stand_in.has(calls(platform, COUNT, app.now() + HOUR, Duration::from_secs(22 * 60)));
            app.tick(DAY).await;

            let found = all(&client, "/v1/calls").await;
            assert_eq!((found.len(), distinct(&found, "external_id")), (COUNT, COUNT), "{word}");
            for call in &found {
                assert_eq!(call["status"], "completed", "{call}");
                assert_eq!(call["duration_seconds"], 60, "{call}");
                if platform != Platform::Twilio {
                    assert_eq!(call["summary"], "The boiler leaks.", "{call}");
                }
                if platform != Platform::Telnyx {
                    assert_eq!(call["direction"], "inbound", "{call}");
                }
                assert_eq!(call["caller_phone"], "+14155550142", "{call}");
            }
            let gaps = all(&client, &format!("{source}/gaps")).await;
            assert_eq!((gaps.len(), distinct(&gaps, "call_id")), (COUNT, COUNT), "{word}");
            assert!(
                gaps.iter().all(|gap| gap["missing"] == "call" && gap["healed_at"].is_string()),
                "{word}"
            );
            let told = receiver.take_events();
            let completed = told.iter().filter(|event| *event == "call.completed").count();
            assert_eq!(completed, COUNT, "{word}: what was missed is told");

            // The hours that overlap are listed again, and nothing comes of it.
            app.tick(QUARTER).await;
            assert_eq!(all(&client, "/v1/calls").await.len(), COUNT, "{word}");
            assert_eq!(all(&client, &format!("{source}/gaps")).await.len(), COUNT, "{word}");
            assert_eq!(receiver.take_events(), [""; 0], "{word}");
            let reconciler = client.data(&format!("{source}/reconciler")).await;
            assert_eq!((&reconciler["status"], &reconciler["error"]), (&json!("waiting"), &Value::Null));
            let deleted = client.delete(&source).await;
            assert_eq!(deleted.status, 200);
        }
    });
}

#[test]
fn what_webhooks_told_is_no_gap_and_a_call_without_its_end_is_one() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let (client, stand_in) = (app.key(&org), StandIn::start(Platform::Vapi).await);
        let source = connected(&client, Platform::Vapi, &stand_in).await;
        let id = source.rsplit('/').next().expect("an id").parse().expect("a source's id");
        let vapi =
            Signing { platform: Platform::Vapi, source: id, secret: "a secret of the platform's".into() };
        org.endpoint(&receiver.url("/hook")).await;
        let began = before(app.now(), HOUR / 2);
        stand_in.has(["told", "begun", "silent"].map(|id| finished(Platform::Vapi, id, began)));
        vapi.accept(app, &report("told", json!("+14155550142"), json!({}))).await;
        let under_way = json!({"message": {"type": "status-update", "status": "in-progress",
            "call": {"id": "begun"}, "customer": {"number": "+14155550142"}}});
        vapi.accept(app, &under_way.to_string()).await;
        assert_eq!(receiver.take_events(), ["call.completed", "lead.created"]);
        app.tick(QUARTER).await;
        let gaps = all(&client, &format!("{source}/gaps")).await;
        let exported = client.get("/v1/export/gaps").await;
        let exported = String::from_utf8(exported.bytes).expect("UTF-8");
        let mut lines: Vec<Value> =
            exported.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        for line in &mut lines {
            let fields = line.as_object_mut().expect("an object");
            let fields: Vec<_> = [fields.shift_remove("type"), fields.shift_remove("source_id")].into();
            assert_eq!(fields[0], Some(json!("gap")));
        }
        lines.reverse();
        assert_eq!(lines, gaps, "an export has them as the API shows them");
        let mut gaps: Vec<_> =
            gaps.iter().map(|gap| format!("{} {}", gap["external_id"], gap["missing"])).collect();
        gaps.sort();
        assert_snapshot!(gaps.join("\n"), @r#"
        "begun" "final_event"
        "silent" "call"
        "#);
        assert_eq!(receiver.take_events(), ["call.completed", "call.completed"]);
        // What is kept of them can be read again, and changes nothing more.
        let arrived = all(&client, &format!("{source}/events")).await;
        let events: HashSet<_> = arrived.iter().map(|event| event["event"].to_string()).collect();
        assert!(events.contains("\"history.call\""), "{events:?}");
        let again = client.post(&format!("{source}/reprocess"), &json!({})).await;
        assert_eq!(again.json()["data"]["failed"], 0, "{}", again.shown());
        assert_eq!((all(&client, "/v1/calls").await.len(), receiver.take_events().len()), (3, 0));
        // So does its webhook, where it comes after all.
        vapi.accept(app, &report("silent", json!("+14155550142"), json!({}))).await;
        assert_eq!((all(&client, "/v1/calls").await.len(), receiver.take_events().len()), (3, 0));
    });
}

#[test]
fn history_is_imported_in_steps_that_are_paused_and_resumed_and_nobody_is_told() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let (client, stand_in) = (app.key(&org), StandIn::start(Platform::Vapi).await);
        org.endpoint(&receiver.url("/hook")).await;
        let since = before(app.now(), 10 * DAY);
        stand_in.has(calls(Platform::Vapi, 120, since, HOUR));
        let source = connected(&client, Platform::Vapi, &stand_in).await;
        app.settle().await;
        assert_eq!(all(&client, "/v1/calls").await.len(), 0, "a key alone brings no history");

        // After the first page the platform wants a pause.
        stand_in.reply([Reply(200, &[]), Reply(429, &[("retry-after", "90")])]);
        let import = import(&client, &source, since).await;
        assert_snapshot!(state(&client, &import).await, @r#"status="running" pages=1 found=20 missing=20 imported=20 error="the platform asks to wait for 90 s""#);
        stand_in.take_asked();
        let paused = client.post(&format!("{import}/pause"), &json!({})).await;
        assert_eq!(paused.json()["data"]["status"], "paused");
        app.tick(5 * Duration::from_secs(60)).await;
        assert_eq!(stand_in.take_asked(), [""; 0], "and stays so");
        let resumed = client.post(&format!("{import}/resume"), &json!({})).await;
        assert_eq!(resumed.status, 200);
        app.settle().await;
        assert_snapshot!(state(&client, &import).await, @r#"status="done" pages=7 found=126 missing=120 imported=120 error=null"#);
        let found = all(&client, "/v1/calls").await;
        assert_eq!((found.len(), distinct(&found, "external_id")), (120, 120));
        assert_eq!(all(&client, "/v1/leads").await.len(), 1, "what follows from calls is made");
        assert_eq!(receiver.take_events(), [""; 0], "and nobody is told");
        assert_eq!(all(&client, &format!("{source}/gaps")).await.len(), 0, "history is no gap");

        // The same history once more changes nothing.
        let again = self::import(&client, &source, since).await;
        app.settle().await;
        assert_snapshot!(state(&client, &again).await, @r#"status="done" pages=7 found=126 missing=0 imported=0 error=null"#);
        let imports = all(&client, &format!("{source}/imports")).await;
        assert_eq!(imports.len(), 2);
        for done in ["pause", "resume"] {
            let answer = client.post(&format!("{again}/{done}"), &json!({})).await;
            assert_eq!(answer.json()["data"]["status"], "done", "what is done stays done");
        }
    });
}

#[test]
fn a_step_that_died_half_way_is_taken_again_and_counted_once() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (client, stand_in) = (app.key(&org), StandIn::start(Platform::Bland).await);
        let since = before(app.now(), 10 * DAY);
        stand_in.has(calls(Platform::Bland, 70, since, HOUR));
        let source = connected(&client, Platform::Bland, &stand_in).await;
        app.settle().await;
        // The details of the first twenty calls come, then no more.
        let some = (0..21).map(|_| Reply(200, &[]));
        stand_in.reply(some.chain([Reply(429, &[("retry-after", "60")])]));
        let import = import(&client, &source, since).await;
        assert_snapshot!(state(&client, &import).await, @r#"status="running" pages=0 found=0 missing=20 imported=20 error="the platform asks to wait for 60 s""#);
        // Another process takes the step, and is killed.
        let kinds = &[store::SyncKind::Import];
        let other = app.store_ahead(Duration::from_secs(60)).await;
        let lease = (uuid::Uuid::from_u128(155), app.now() + HOUR);
        let taken = other.claim_syncs(kinds, None, lease, 1).await.expect("an answer");
        assert_eq!(taken.len(), 1);
        // While it lives it holds the step for longer, and nobody else does.
        let longer = app.now() + HOUR;
        assert!(other.renew_sync(&taken[0], lease.0, longer).await.expect("an answer"));
        assert!(!other.renew_sync(&taken[0], uuid::Uuid::from_u128(156), longer).await.expect("an answer"));
        app.tick(HOUR).await;
        assert!(!other.renew_sync(&taken[0], lease.0, longer).await.expect("an answer"), "it is over");
        assert_snapshot!(state(&client, &import).await, @r#"status="done" pages=2 found=70 missing=70 imported=70 error=null"#);
        let found = all(&client, "/v1/calls").await;
        assert_eq!((found.len(), distinct(&found, "external_id")), (70, 70));
    });
}

#[test]
fn a_wrong_key_is_told_in_words_and_a_right_one_mends_it() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (client, stand_in) = (app.key(&org), StandIn::start(Platform::Retell).await);
        stand_in.has(calls(Platform::Retell, 3, before(app.now(), DAY), HOUR));
        let source = connected_with(&client, Platform::Retell, &stand_in, "a-key-of-yesterday").await;
        app.settle().await;
        let reconciler = format!("{source}/reconciler");
        assert_snapshot!(state(&client, &reconciler).await, @r#"status="failed" failures=1 error="the platform refuses the API key: it answered 401" found=0 missing=0 healed=0"#);
        let import = import(&client, &source, before(app.now(), 2 * DAY)).await;
        app.settle().await;
        assert_snapshot!(state(&client, &import).await, @r#"status="failed" pages=0 found=0 missing=0 imported=0 error="the platform refuses the API key: it answered 401""#);

        let right = json!({"platform_api_key": stand_in.key(), "platform_api_url": stand_in.url()});
        assert_eq!(client.patch(&source, &right).await.status, 200);
        app.settle().await;
        assert_snapshot!(state(&client, &reconciler).await, @r#"status="waiting" failures=0 error=null found=0 missing=0 healed=0"#);
        client.post(&format!("{import}/resume"), &json!({})).await;
        app.settle().await;
        assert_snapshot!(state(&client, &import).await, @r#"status="done" pages=1 found=3 missing=3 imported=3 error=null"#);

        // Without its key there is nothing to ask with.
        assert_eq!(client.patch(&source, &json!({"platform_api_key": null})).await.status, 200);
        assert_snapshot!(state(&client, &reconciler).await, @r#"status="off" failures=0 error=null found=0 missing=0 healed=0"#);
        let refused = client.post(&format!("{source}/imports"), &json!({"since": app.now()})).await;
        assert_snapshot!(refused.error(), @"409 conflict: The source has no `platform_api_key`, with which its platform could be asked for its calls");
    });
}

#[test]
fn failures_that_pass_are_waited_out_ever_longer_and_a_stale_page_begins_again() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (client, stand_in) = (app.key(&org), StandIn::start(Platform::ElevenLabs).await);
        let since = before(app.now(), 10 * DAY);
        stand_in.has(calls(Platform::ElevenLabs, 60, since, HOUR));
        let source = connected(&client, Platform::ElevenLabs, &stand_in).await;
        app.settle().await;
        stand_in.reply([Reply(500, &[]), Reply(502, &[])]);
        let import = import(&client, &source, since).await;
        assert_snapshot!(state(&client, &import).await, @r#"status="running" pages=0 found=0 missing=0 imported=0 error="the platform answered 500""#);
        app.tick(Duration::from_secs(30)).await;
        assert_snapshot!(state(&client, &import).await, @r#"status="running" pages=0 found=0 missing=0 imported=0 error="the platform answered 502""#);
        // A page with its fifty details, and then the platform no longer knows where the next page is.
        stand_in.reply((0..51).map(|_| Reply(200, &[])).chain([Reply(422, &[])]));
        app.tick(Duration::from_secs(59)).await;
        stand_in.take_asked();
        app.tick(Duration::from_secs(1)).await;
        assert_snapshot!(state(&client, &import).await, @r#"status="running" pages=1 found=50 missing=50 imported=50 error="the platform answered 422; beginning this listing again""#);
        app.tick(Duration::from_secs(30)).await;
        assert_snapshot!(state(&client, &import).await, @r#"status="done" pages=3 found=110 missing=60 imported=60 error=null"#);
        assert_eq!(all(&client, "/v1/calls").await.len(), 60);
    });
}

#[test]
fn two_processes_heal_a_gap_once() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let (client, stand_in) = (app.key(&org), StandIn::start(Platform::Twilio).await);
        org.endpoint(&receiver.url("/hook")).await;
        let source = connected(&client, Platform::Twilio, &stand_in).await;
        app.settle().await;
        let another = app.another().await;
        stand_in.has(calls(Platform::Twilio, 60, app.now() + HOUR, QUARTER));
        app.tick(DAY).await;
        another.settle().await;
        let found = all(&client, "/v1/calls").await;
        assert_eq!((found.len(), distinct(&found, "external_id")), (60, 60));
        assert_eq!(all(&client, &format!("{source}/gaps")).await.len(), 60);
        assert_eq!(receiver.take_events(), ["call.completed"; 60]);
        another.stop().await;
    });
}

#[test]
fn a_platform_s_key_is_never_shown_and_goes_only_where_it_may() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (client, stand_in) = (app.key(&org), StandIn::start(Platform::Vapi).await);
        let source = connected(&client, Platform::Vapi, &stand_in).await;
        let shown = client.get(&source).await;
        assert_eq!(shown.json()["data"]["platform_api"]["key_last4"], "d-in");
        assert_eq!(shown.json()["data"]["platform_api"]["url"], stand_in.url());
        for answer in [shown, client.get("/v1/sources").await] {
            assert!(!String::from_utf8_lossy(&answer.bytes).contains(stand_in.key()), "{}", answer.shown());
        }
        let id = source.rsplit('/').next().expect("an id").parse().expect("a source's id");
        let stored = org.records.platform_key(id).await.expect("an answer").expect("a key");
        assert!(!stored.sealed.windows(8).any(|window| stand_in.key().as_bytes().starts_with(window)));

        let mut told = Vec::new();
        for body in [
            json!({"platform_api_key": "key", "platform_api_url": "https://api.example/?path="}),
            json!({"platform_api_key": ""}),
            json!({"platform_api_key": "two words"}),
            json!({"platform_api_url": "https://elsewhere.example"}),
            json!({"platform_api_key": "key", "platform_api_url": "https://169.254.169.254/"}),
            json!({"platform_api_key": "key", "platform_api_url": "http://api.example"}),
        ] {
            told.push(format!("{body} -> {}", client.patch(&source, &body).await.error()));
        }
        for body in [
            json!({"platform": "livekit", "platform_api_key": "key"}),
            json!({"platform": "twilio", "platform_api_key": "a token alone"}),
        ] {
            told.push(format!("{body} -> {}", client.post("/v1/sources", &body).await.error()));
        }
        assert_snapshot!(told.join("\n"), @r#"
        {"platform_api_key":"key","platform_api_url":"https://api.example/?path="} -> 400 bad_request: Wrong field `platform_api_url`: must end with its path, without ? and #
        {"platform_api_key":""} -> 400 bad_request: Wrong field `platform_api_key`: must have 1 to 1000 printable ASCII characters, no spaces
        {"platform_api_key":"two words"} -> 400 bad_request: Wrong field `platform_api_key`: must have 1 to 1000 printable ASCII characters, no spaces
        {"platform_api_url":"https://elsewhere.example"} -> 400 bad_request: Wrong field `platform_api_url`: belongs beside a `platform_api_key`: that is where the key is sent
        {"platform_api_key":"key","platform_api_url":"https://169.254.169.254/"} -> 400 bad_request: Wrong field `platform_api_url`: the address 169.254.169.254 is a cloud metadata address; allow it with delivery.allow_targets
        {"platform_api_key":"key","platform_api_url":"http://api.example"} -> 400 bad_request: Wrong field `platform_api_url`: the URL must begin with https://; for plain http the host api.example must be listed in delivery.allow_targets
        {"platform":"livekit","platform_api_key":"key"} -> 400 bad_request: Wrong field `platform_api_key`: the calls of livekit cannot be listed
        {"platform":"twilio","platform_api_key":"a token alone"} -> 400 bad_request: Wrong field `platform_api_key`: must be AccountSid:AuthToken, or AccountSid:KeySid:KeySecret with an API key
        "#);
    });
}

#[test]
fn with_its_source_a_key_is_forgotten_and_nobody_is_asked_any_more() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (client, stand_in) = (app.key(&org), StandIn::start(Platform::Retell).await);
        stand_in.has(calls(Platform::Retell, 60, before(app.now(), 10 * DAY), HOUR));
        let source = connected(&client, Platform::Retell, &stand_in).await;
        app.settle().await;
        stand_in.reply([Reply(429, &[("retry-after", "60")])]);
        import(&client, &source, before(app.now(), 10 * DAY)).await;
        assert_eq!(client.delete(&source).await.status, 200);
        stand_in.take_asked();
        app.tick(DAY).await;
        assert_eq!(stand_in.take_asked(), [""; 0]);
        let id = source.rsplit('/').next().expect("an id").parse().expect("a source's id");
        assert!(org.records.platform_key(id).await.expect("an answer").is_none());
        assert!(org.records.get_reconciler(id).await.expect("an answer").is_none());
    });
}

#[test]
fn a_platform_that_asks_to_wait_is_asked_for_nothing_until_then_and_others_do_not_wait() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let (busy, idle) = (StandIn::start(Platform::Vapi).await, StandIn::start(Platform::Vapi).await);
        let since = before(app.now(), 10 * DAY);
        let mut sources = Vec::new();
        for (name, stand_in) in [("busy", &busy), ("idle", &idle)] {
            stand_in.has([finished(Platform::Vapi, name, since)]);
            sources.push(connected(&client, Platform::Vapi, stand_in).await);
        }
        app.settle().await;
        busy.reply([Reply(429, &[("retry-after", "1200")])]);
        let first = import(&client, &sources[0], since).await;
        app.settle().await;
        busy.take_asked();
        idle.take_asked();
        // Another import and the reconciler, which is due meanwhile, wait as well.
        let second = import(&client, &sources[0], since).await;
        let third = import(&client, &sources[1], since).await;
        app.tick(QUARTER).await;
        assert_snapshot!(state(&client, &second).await, @r#"status="running" pages=0 found=0 missing=0 imported=0 error="the platform asks to wait for 1200 s""#);
        assert_snapshot!(state(&client, &third).await, @r#"status="done" pages=1 found=1 missing=1 imported=1 error=null"#);
        assert_snapshot!(state(&client, &format!("{}/reconciler", sources[0])).await, @r#"status="running" failures=0 error="the platform asks to wait for 300 s" found=0 missing=0 healed=0"#);
        assert_eq!((busy.take_asked().len(), idle.take_asked().len()), (0, 2));
        app.tick(Duration::from_secs(300)).await;
        assert_eq!(busy.take_asked().len(), 3);
        let ended = [client.data(&first).await, client.data(&second).await];
        assert!(ended.iter().all(|import| import["status"] == "done"), "{ended:?}");
        let imported: i64 = ended.iter().filter_map(|import| import["imported"].as_i64()).sum();
        assert_eq!(imported, 1, "whichever of them came first");
    });
}
