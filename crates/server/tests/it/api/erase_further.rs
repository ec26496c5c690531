//! What is told of a person beside their calls goes with them: further numbers, merged contacts, recordings, what people
//! wrote, what platforms were answered, what was forwarded, and the block list.

use std::fs;

use insta::assert_json_snapshot;
use model::Platform;
use serde_json::{Value, json};
use store::{AnswerSummary, AnsweredBy, KeptAnswer};

use super::recordings::{fetching, files, recorded};
use crate::support::{
    Client, Item, Org, Receiver, Setup, Signing, Storage, TestApp, on_both_with, report, wav,
};

/// What the person is known by, in small letters.
const PERSONAL: [&str; 5] = ["robin", "4155550142", "4155550177", "leaking", "vale"];

fn found(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    PERSONAL.into_iter().filter(|mark| text.contains(mark)).collect()
}

fn id(record: &Value) -> String {
    record["id"].as_str().expect("an id").to_owned()
}

/// A person with something of theirs wherever something can be. Returns their contact.
async fn person(app: &TestApp, client: &Client<'_>, org: &Org, vapi: &Signing, storage: &Storage) -> String {
    let url = storage.put("/robin.wav", [Item::sound(&wav(3, 1))]);
    vapi.accept(app, &recorded("c", json!({ "recordingUrl": url }))).await;
    let contact = id(&client.data("/v1/contacts?phone=%2B14155550142").await[0]);
    let other = json!({"phone": "+14155550177", "name": "Robin V.", "notes": "The leaking tap"});
    let other = id(&client.made("/v1/contacts", other).await);
    client.post(&format!("/v1/contacts/{contact}/merge"), &json!({"from": other})).await;
    let change = json!({"name": "Robin Vale", "email": "robin@vale.example", "tags": ["robin"]});
    client
        .send(
            http::Method::PATCH,
            &format!("/v1/contacts/{contact}"),
            &[("content-type", "application/json"), ("idempotency-key", "k")],
            change.to_string().into_bytes(),
        )
        .await;
    let second = json!({"external_id": "second", "caller_phone": "+14155550177", "caller_name": "Robin Vale",
        "summary": "It is leaking", "status": "completed"});
    let second = id(&client.write_call(second).await);
    client
        .changed(
            &format!("/v1/calls/{second}"),
            json!({"notes": "Robin again", "tags": ["vale"], "reviewed": true}),
        )
        .await;
    client
        .made("/v1/blocked-numbers", json!({"phone": "+14155550177", "reason": "Robin rings at night"}))
        .await;
    let messages = client.data(&format!("/v1/sources/{}/events", vapi.source)).await;
    let answer = KeptAnswer {
        summary: AnswerSummary {
            by: AnsweredBy::Url,
            took_ms: 5,
            status: 200,
            content_type: None,
            size: 5,
            fault: None,
        },
        body: b"Robin".to_vec(),
    };
    org.records.keep_answer(id(&messages[0]).parse().expect("an id"), answer).await.expect("a write");
    contact
}

#[test]
fn whatever_was_kept_beside_a_person_s_calls_is_erased_with_them() {
    on_both_with(fetching(), async |app| {
        let (org, receiver, storage) =
            (app.org("Harbor Plumbing").await, Receiver::start().await, Storage::start().await);
        let (client, vapi) = (app.key(&org), org.source(Platform::Vapi).await);
        let forward = json!({"url": receiver.url("/further")});
        client.post(&format!("/v1/sources/{}/forwards", vapi.source), &forward).await;
        org.endpoint(&receiver.url("/hook")).await;
        client.made("/v1/webhooks", json!({"url": receiver.url("/everything"), "events": ["*"]})).await;
        let contact = person(app, &client, &org, &vapi, &storage).await;
        assert_eq!(found(&app.dump().await), PERSONAL, "they are there before");
        assert_eq!(files(&app.recordings_folder()).len(), 1);

        let erasure = client.post(&format!("/v1/contacts/{contact}/erase"), &json!({})).await.json();
        assert_eq!(erasure["data"]["state"], "done", "{erasure}");
        assert_json_snapshot!(erasure["data"]["erased"], @r#"
        {
          "contacts": 1,
          "calls": 2,
          "conversations": 0,
          "recordings": 1,
          "leads": 1,
          "appointments": 0,
          "source_messages": 1,
          "platform_answers": 1,
          "events": 11,
          "deliveries_cancelled": 0,
          "attempts": 14,
          "kept_answers": 1,
          "blocked_numbers": 1
        }
        "#);
        let dump = app.dump().await;
        let left: Vec<_> = dump.lines().filter(|line| !found(line).is_empty()).collect();
        assert_eq!(left, Vec::<&str>::new());
        assert_eq!(found(&String::from_utf8_lossy(&app.bytes())), Vec::<&str>::new());
        let folder = app.recordings_folder();
        assert_eq!(files(&folder), Vec::<String>::new(), "the sound itself is gone");
        for path in files(folder.parent().expect("the data folder")) {
            let bytes = fs::read(&path).expect("a file");
            assert_eq!(found(&String::from_utf8_lossy(&bytes)), Vec::<&str>::new(), "{path}");
        }
        assert_eq!(client.data("/v1/blocked-numbers").await, json!([]));

        // What comes late, with a recording once more, and goes to nobody.
        receiver.take();
        let url = storage.put("/robin-again.wav", [Item::sound(&wav(3, 1))]);
        let answer = vapi.post(app, &recorded("c", json!({ "recordingUrl": url }))).await.json();
        assert_eq!(answer["data"]["outcome"], "ignored");
        assert_eq!(receiver.take().len(), 0, "nothing of it is forwarded");
        assert_eq!(files(&folder), Vec::<String>::new());
        assert_eq!(found(&app.dump().await), Vec::<&str>::new());
    });
}

#[test]
fn a_message_that_was_erased_is_not_forwarded_any_more() {
    let setup = Setup { schedule: Some("1h"), ..Setup::default() };
    on_both_with(setup, async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let (client, vapi) = (app.key(&org), org.source(Platform::Vapi).await);
        receiver.reply([crate::support::Reply(500, &[])]);
        let forward = json!({"url": receiver.url("/further")});
        client.post(&format!("/v1/sources/{}/forwards", vapi.source), &forward).await;
        vapi.accept(app, &report("c", json!("+14155550142"), json!({}))).await;
        assert_eq!(receiver.take().len(), 1);
        let message = id(&client.data(&format!("/v1/sources/{}/events", vapi.source)).await[0]);
        let contact = id(&client.data("/v1/contacts").await[0]);
        let erasure = client.post(&format!("/v1/contacts/{contact}/erase"), &json!({})).await.json();
        assert_eq!(erasure["data"]["erased"]["deliveries_cancelled"], 1, "{erasure}");
        app.tick(std::time::Duration::from_secs(7200)).await;
        assert_eq!(receiver.take().len(), 0);
        let original = org.records.original_message(message.parse().expect("an id")).await;
        assert!(original.expect("an answer").is_none(), "it counts as gone");
    });
}

#[test]
fn a_call_under_way_whose_person_was_erased_is_not_swept_nor_healed() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let call = json!({"external_id": "a", "caller_phone": "+14155550142", "status": "in-progress"});
        client.write_call(call).await;
        assert!(app.store.first_open_call().await.expect("an answer").is_some());
        let contact = id(&client.data("/v1/contacts").await[0]);
        client.post(&format!("/v1/contacts/{contact}/erase"), &json!({})).await;
        assert!(app.store.first_open_call().await.expect("an answer").is_none());
        assert_eq!(found(&app.dump().await), Vec::<&str>::new());
    });
}
