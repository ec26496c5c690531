//! A person is forgotten: nothing of them is left, what was counted still counts, and nothing brings them back.

use std::time::Duration;

use insta::assert_json_snapshot;
use model::{ContactId, ErasureId, Platform, testing::CountedIds};
use serde_json::{Value, json};
use store::{Compaction, ErasureState, ErasureStep, ListDeliveries};

use crate::support::{
    Client, Receiver, Reply, Setup, TestApp, booking, on_both, on_both_with, report, worker,
};

const VAPI_REPORT: &str = include_str!("../../../../connectors/fixtures/vapi/end-of-call-report.json");

/// What the person is known by, in small letters.
const PERSONAL: [&str; 5] = ["robin", "4155550142", "leaking", "vale", "storage.vapi"];

/// The call that the fixture tells of.
fn call_id() -> Value {
    serde_json::from_str::<Value>(VAPI_REPORT).expect("JSON")["message"]["call"]["id"].clone()
}

/// Which of the person's marks are in the text.
fn found(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    PERSONAL.into_iter().filter(|mark| text.contains(mark)).collect()
}

async fn contact(client: &Client<'_>) -> String {
    let contacts = client.data("/v1/contacts?phone=%2B14155550142").await;
    contacts[0]["id"].as_str().expect("a contact").to_owned()
}

async fn erase(client: &Client<'_>) -> Value {
    let path = format!("/v1/contacts/{}/erase", contact(client).await);
    let answer = client.post(&path, &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.shown());
    answer.json()["data"].take()
}

#[test]
fn nothing_of_an_erased_person_is_left_in_the_database() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let (client, source) = (app.key(&org), org.source(Platform::Vapi).await);
        org.endpoint(&receiver.url("/hook")).await;
        source.accept(app, VAPI_REPORT).await;
        // What led to no call of theirs: said in passing, unreadable, and not proven.
        let passing = json!({"message": {"type": "speech-update", "call": {"id": call_id()},
            "customer": {"number": "+14155550142"}}});
        assert_eq!(source.post(app, &passing.to_string()).await.json()["data"]["outcome"], "ignored");
        source.post(app, r#"{"message": {"customer": "+14155550142"}"#).await;
        source.post_with(&app.anon(), &[], &passing.to_string()).await;
        let again = json!({"external_id": "a", "caller_phone": "+14155550142", "caller_name": "Robin Vale",
            "summary": "A leaking tap", "notes": null});
        client.post_with("/v1/calls", &[("idempotency-key", "k")], &again).await;
        let again = json!({"external_id": "a", "caller_phone": "+14155550142", "caller_name": "Robin Vale",
            "summary": "A leaking tap", "status": "completed"});
        client.post_with("/v1/calls", &[("idempotency-key", "l")], &again).await;
        source.accept(app, &report("other", json!("+14155550143"), booking())).await;
        assert_eq!(found(&app.dump().await), PERSONAL, "they are there before");

        let erasure = erase(&client).await;
        assert_json_snapshot!(erasure["erased"], @r#"
        {
          "contacts": 1,
          "calls": 2,
          "conversations": 1,
          "recordings": 0,
          "leads": 1,
          "appointments": 1,
          "source_messages": 4,
          "platform_answers": 0,
          "events": 4,
          "deliveries_cancelled": 0,
          "attempts": 4,
          "kept_answers": 1,
          "blocked_numbers": 0
        }
        "#);
        assert_eq!((&erasure["state"], &erasure["note"]), (&json!("done"), &Value::Null));
        let left: Vec<String> =
            app.dump().await.lines().filter(|line| !found(line).is_empty()).map(str::to_owned).collect();
        assert_eq!(left, Vec::<String>::new());
        assert_eq!(
            found(&String::from_utf8_lossy(&app.bytes())),
            Vec::<&str>::new(),
            "nor in the file's free places"
        );
        assert_eq!(client.data("/v1/calls?q=leaking").await, json!([]));
        let others = client.data("/v1/calls?q=boiler").await;
        assert_eq!(others[0]["caller_phone"], "+14155550143", "and nobody else is touched");
        assert_eq!(client.data("/v1/leads").await.as_array().map(Vec::len), Some(2));
    });
}

#[test]
fn ids_times_and_statuses_stay_so_that_counts_and_cursors_hold() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (client, source) = (app.key(&org), org.source(Platform::Vapi).await);
        source.accept(app, &report("other", json!("+14155550143"), booking())).await;
        source.accept(app, VAPI_REPORT).await;
        let outline = async || {
            let mut all = Vec::new();
            for kind in ["calls", "contacts", "leads", "appointments", "export/events"] {
                let answer = client.get(&format!("/v1/{kind}")).await;
                let records: Vec<Value> = match kind.strip_prefix("export/") {
                    Some(_) => String::from_utf8(answer.bytes)
                        .expect("UTF-8")
                        .lines()
                        .map(|line| serde_json::from_str(line).expect("JSON"))
                        .collect(),
                    None => answer.json()["data"].as_array().expect("a list").clone(),
                };
                for record in records {
                    let kept =
                        ["id", "created_at", "status", "started_at", "ended_at", "starts_at", "call_id"];
                    all.push(kept.map(|field| record.get(field).cloned()));
                }
            }
            all
        };
        let before = outline().await;
        let cursor = client.get("/v1/calls?limit=1").await.json()["next_cursor"].clone();
        erase(&client).await;
        assert_eq!(outline().await, before);
        let next =
            client.get(&format!("/v1/calls?limit=1&cursor={}", cursor.as_str().expect("a cursor"))).await;
        assert_eq!(next.json()["data"][0]["caller_phone"], "+14155550143");
        let call = client.data("/v1/calls").await[0]["id"].as_str().expect("an id").to_owned();
        let call = client.data(&format!("/v1/calls/{call}")).await;
        assert_eq!(
            (&call["transcript"], &call["messages"], &call["duration_seconds"]),
            (&Value::Null, &Value::Null, &json!(19))
        );
    });
}

#[test]
fn nothing_that_is_said_later_of_an_erased_call_brings_the_person_back() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let (client, source) = (app.key(&org), org.source(Platform::Vapi).await);
        source.accept(app, VAPI_REPORT).await;
        erase(&client).await;
        org.endpoint(&receiver.url("/hook")).await;
        let mut better: Value = serde_json::from_str(VAPI_REPORT).expect("JSON");
        better["message"]["timestamp"] = json!(1_771_999_999_999_i64);
        let passing = json!({"message": {"type": "speech-update", "call": {"id": call_id()},
            "customer": {"number": "+14155550142"}}});
        for message in [VAPI_REPORT.to_owned(), better.to_string(), better.to_string(), passing.to_string()] {
            let answer = source.post(app, &message).await.json();
            assert_eq!(answer["data"]["outcome"], "ignored", "{answer}");
        }
        let path = format!("/v1/sources/{}/reprocess", source.source);
        client.post(&path, &json!({})).await;
        assert_eq!(found(&app.dump().await), Vec::<&str>::new());
        let inbox = org.inbox(source.source).await;
        let told = "it speaks of a call whose person was erased, so nothing of it is kept";
        assert_eq!(inbox[1..], vec![("ignored", Some(told.to_owned())); 4]);
        assert_eq!(receiver.take_events(), Vec::<String>::new());
        assert_eq!(client.data("/v1/contacts").await.as_array().map(Vec::len), Some(1));

        source.accept(app, &report("new", json!("+14155550142"), json!({}))).await;
        let contacts = client.data("/v1/contacts").await;
        assert_eq!(
            (contacts.as_array().map(Vec::len), &contacts[0]["phone"]),
            (Some(2), &json!("+14155550142"))
        );
        assert_eq!(contacts[0]["call_count"], 1, "who calls again is a new contact");
    });
}

#[test]
fn what_a_client_writes_or_asks_again_of_an_erased_call_brings_nobody_back() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let call = json!({"external_id": "a", "caller_phone": "+14155550142", "caller_name": "Robin Vale",
            "summary": "A leaking tap", "status": "completed"});
        let key = [("idempotency-key", "k")];
        let first = client.post_with("/v1/calls", &key, &call).await.json()["data"].take();
        erase(&client).await;
        let again = client.post_with("/v1/calls", &key, &call).await.json()["data"].take();
        assert_eq!((&again["id"], &again["status"]), (&first["id"], &json!("completed")));
        assert_eq!((&again["caller_phone"], &again["summary"]), (&Value::Null, &Value::Null));
        let written = client.post("/v1/calls", &call).await;
        assert_eq!((written.status.as_u16(), &written.json()["data"]["caller_phone"]), (200, &Value::Null));
        assert_eq!(found(&app.dump().await), Vec::<&str>::new());
    });
}

#[test]
fn who_gave_only_an_address_is_found_by_it_and_nobody_who_shares_it() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        for (id, phone, name) in [
            ("web", Value::Null, "Robin Vale"),
            ("phone", json!("+14155550142"), "Robin Vale"),
            ("colleague", json!("+14155550143"), "Kim Reed"),
        ] {
            let call = json!({"external_id": id, "caller_phone": phone, "caller_name": name,
                "caller_email": "Office@example.com", "summary": "A leaking tap", "status": "completed"});
            client.write_call(call).await;
        }
        let erasure = erase(&client).await;
        assert_eq!((&erasure["erased"]["calls"], &erasure["erased"]["leads"]), (&json!(2), &json!(2)));
        let names: Vec<Value> = client
            .data("/v1/calls")
            .await
            .as_array()
            .expect("a list")
            .iter()
            .map(|call| call["caller_name"].clone())
            .collect();
        assert_eq!(names, [json!("Kim Reed"), Value::Null, Value::Null]);
    });
}

#[test]
fn webhooks_that_wait_are_cancelled_and_show_why() {
    let setup = Setup { schedule: Some("1h"), ..Setup::default() };
    on_both_with(setup, async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        org.endpoint(&receiver.url("/hook")).await;
        receiver.reply([Reply(500, &[]), Reply(500, &[]), Reply(500, &[])]);
        org.source(Platform::Vapi).await.accept(app, VAPI_REPORT).await;
        assert_eq!(receiver.take().len(), 3);
        let erasure = erase(&client).await;
        assert_eq!(
            (&erasure["erased"]["deliveries_cancelled"], &erasure["erased"]["attempts"]),
            (&json!(3), &json!(3))
        );
        for delivery in org.records.find_deliveries(ListDeliveries::newest(10)).await.expect("a list").records
        {
            let told = delivery.last_error.as_deref();
            let state = (delivery.state.as_str(), delivery.due_at, told);
            assert_eq!(state, ("cancelled", None, Some("called off: the person it tells of was erased")));
        }
        app.tick(Duration::from_secs(7200)).await;
        assert_eq!(receiver.take().len(), 0);

        // Nor are they sent again, one by one or all together.
        let one = client.data("/v1/deliveries").await[0].clone();
        let resend = format!("/v1/deliveries/{}/resend", one["id"].as_str().expect("an id"));
        let refused = client.post(&resend, &json!({})).await;
        assert_eq!((refused.code().as_str(), refused.error().contains("erased")), ("conflict", true));
        let webhook = format!("/v1/webhooks/{}", one["webhook_id"].as_str().expect("an id"));
        assert_eq!(client.data(&format!("{webhook}/recoverable?state=cancelled")).await["count"], 0);
        let recovery = client.made(&format!("{webhook}/recover"), json!({"states": ["cancelled"]})).await;
        assert_eq!((&recovery["state"], &recovery["done"]), (&json!("done"), &json!(0)));
        app.settle().await;
        assert_eq!(receiver.take().len(), 0);
    });
}

async fn state(app: &TestApp, client: &Client<'_>, id: ErasureId, wanted: ErasureState) {
    for _ in 0..3000 {
        let erasure = client.send_only(http::Method::GET, &format!("/v1/erasures/{id}"), &[], vec![]).await;
        if erasure.json()["data"]["state"] == wanted.as_str() {
            return;
        }
        app.clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not {wanted:?} within 30 s, at {}", app.now());
}

#[test]
fn an_erasure_that_a_crash_cut_off_is_not_done_until_it_is_finished() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        for number in 0..120 {
            client
                .write_call(json!({"external_id": format!("{number}"), "caller_phone": "+14155550142",
                "caller_name": "Robin Vale", "status": "completed"}))
                .await;
        }
        let id: ContactId = contact(&client).await.parse().expect("an id");
        let begun = org.records.begin_erasure(id).await.expect("a write").expect("a contact");
        let step = org.records.continue_erasure(begun.id, Compaction::IfSmall).await.expect("a write");
        let Some(ErasureStep::More(erasure)) = step else { panic!("one step is not all: {step:?}") };
        assert_eq!((erasure.erased.calls, erasure.erased.contacts), (50, 0));
        let shown = client.data(&format!("/v1/erasures/{}", begun.id)).await;
        assert_eq!((&shown["state"], &shown["finished_at"]), (&json!("running"), &Value::Null));
        let again = org.records.begin_erasure(id).await.expect("a write").expect("a contact");
        assert_eq!(again.id, begun.id, "asking again goes on with the same");
        let other = client.made("/v1/contacts", json!({"phone": "+14155550143"})).await;
        for (into, from) in [(json!(id), &other["id"]), (other["id"].clone(), &json!(id))] {
            let path = format!("/v1/contacts/{}/merge", into.as_str().expect("an id"));
            assert_eq!(client.post(&path, &json!({ "from": from })).await.code(), "conflict");
        }

        // The next process finds it at its start.
        let next = app.another().await;
        state(app, &client, begun.id, ErasureState::Done).await;
        next.stop().await;
        let done = org.records.get_erasure(begun.id).await.expect("a reading").expect("an erasure");
        assert_eq!((done.erased.calls, done.erased.contacts), (120, 1));
        assert_eq!(found(&app.dump().await), Vec::<&str>::new());
    });
}

#[test]
fn an_erasure_waits_for_a_webhook_that_is_under_way() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        org.endpoint("https://127.0.0.1:1/hook").await;
        // Nobody sends: it is as if another process did.
        app.store.outbox().detach();
        let call =
            json!({"caller_phone": "+14155550142", "caller_name": "Robin Vale", "status": "completed"});
        let json = [("content-type", "application/json")];
        client.send_only(http::Method::POST, "/v1/calls", &json, call.to_string().into_bytes()).await;
        let owner = model::IdGen::uuid(&CountedIds::default());
        let claimed = app.store.claim_deliveries(worker(owner, 10), 0).await.expect("a write");
        let claimed: Vec<_> = claimed.leased.into_iter().map(|leased| leased.delivery).collect();
        assert!(!claimed.is_empty());

        // A client that does not wait for everything to be settled: it is not.
        let listed = client.send_only(http::Method::GET, "/v1/contacts", &[], vec![]).await.json();
        let path = format!("/v1/contacts/{}/erase", listed["data"][0]["id"].as_str().expect("an id"));
        let answer = client.send_only(http::Method::POST, &path, &[], vec![]).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["data"]["state"]), (202, &json!("running")));
        for delivery in &claimed {
            app.store.give_back(delivery, owner).await.expect("a write");
        }
        let id = answer.json()["data"]["id"].as_str().expect("an id").parse().expect("an id");
        state(app, &client, id, ErasureState::Done).await;
        let states = org.records.find_deliveries(ListDeliveries::newest(10)).await.expect("a list").records;
        assert!(states.iter().all(|delivery| delivery.state.as_str() == "cancelled"), "{states:?}");
        assert_eq!(found(&app.dump().await), Vec::<&str>::new());
    });
}
