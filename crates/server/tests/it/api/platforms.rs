//! What real platforms really sent, posted to the product and read from the API.

use std::{env, fs, path::Path};

use model::Platform;
use serde_json::{Value, json};

use crate::support::{Setup, on_both_with};

/// Beside the workspace, shared with other projects; not ours to publish.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures");

/// The rows of the platforms that we take; none where the folder is not there, which only CI may not let pass.
#[expect(clippy::print_stderr, reason = "a test that checks nothing should say so")]
pub(crate) fn recorded() -> Vec<(Platform, String, String, Value)> {
    let Ok(rows) = fs::read_to_string(Path::new(FOLDER).join("expected-normalised.json")) else {
        assert_ne!(env::var("CI").as_deref(), Ok("true"), "CI needs the recorded calls in {FOLDER}");
        eprintln!("skipped: there are no recorded calls in {FOLDER}");
        return Vec::new();
    };
    let rows: serde_json::Map<String, Value> = serde_json::from_str(&rows).expect("rows");
    let ours = rows.into_iter().filter_map(|(file, row)| {
        let (platform, _) = file.split_once('/')?;
        let body = fs::read_to_string(Path::new(FOLDER).join(&file)).expect("the file of a row");
        Some((Platform::parse(platform)?, file.clone(), body, row))
    });
    ours.collect()
}

#[test]
fn every_recorded_message_gives_the_call_that_is_expected() {
    let recorded = recorded();
    on_both_with(Setup::unhurried(), async |app| {
        for (platform, file, body, row) in &recorded {
            let org = app.org(file).await;
            let source = org.source(*platform).await;
            let answer = source.post(app, body).await;
            assert_eq!(answer.status, 200, "{file}: {}", answer.shown());
            // A call that waits for its analysis is told without it.
            app.tick(std::time::Duration::from_secs(61)).await;
            let client = app.key(&org);
            let calls = client.data("/v1/calls").await;
            let entry = org.records.list_inbox(source.source, 1).await.expect("a list").remove(0);
            assert_eq!(entry.event.as_deref(), row["event"].as_str(), "{file}");
            let Some(id) = calls[0]["id"].as_str() else {
                assert_eq!(entry.outcome, store::Outcome::Ignored, "{file}");
                let says_something =
                    ["status", "transfer_to", "transfer_status"].iter().any(|field| row.get(field).is_some());
                assert!(!says_something, "{file} gives a call");
                continue;
            };
            let call = client.data(&format!("/v1/calls/{id}")).await;
            let assistants = client.data("/v1/assistants").await;
            check(file, row, &call, &assistants);
        }
    });
}

/// What a row tells and a call does not.
fn is_elsewhere(file: &str, name: &str) -> bool {
    match (file, name) {
        // The event is in the inbox; where a call was transferred to and what was captured is told by events.
        (_, "event" | "event_id" | "roles" | "transfer_to" | "analysis_fields") => true,
        // Of the message, the room and the recording, not of the call.
        (_, "at" | "room" | "dialed" | "sip_status" | "egress_status" | "recording_seconds") => true,
        // ElevenLabs sends the recording itself, in a message of its own; it has no address.
        (file, "recording") if file.starts_with("elevenlabs/") => true,
        // The row counts a file whose location is empty.
        ("livekit/egress_ended.complete.json", "recording") => true,
        // A room's messages name the room, and only some of them the telephone call in it.
        ("livekit/participant_joined.sip.derived.json", "provider_call_id") => true,
        _ => false,
    }
}

fn check(file: &str, row: &Value, call: &Value, assistants: &Value) {
    let none = Vec::new();
    let messages = call["messages"].as_array().unwrap_or(&none);
    let (tools, spoken): (Vec<_>, Vec<_>) = messages.iter().partition(|message| message["role"] == "tool");
    let tools: Vec<_> = tools.iter().map(|message| message["tool"]["name"].clone()).collect();
    let assistant =
        assistants.as_array().expect("a list").iter().find(|known| known["id"] == call["assistant_id"]);
    let length = |text: &Value| text.as_str().map_or(0, |text| text.chars().count());
    let ours = json!({
        "provider_call_id": call["external_id"], "status": call["status"], "raw_status": call["ended_reason"],
        "direction": call["direction"], "caller_phone": call["caller_phone"], "duration_seconds": call["duration_seconds"],
        "started_at": call["started_at"], "ended_at": call["ended_at"], "summary_len": length(&call["summary"]),
        "messages": spoken.len(), "tools": tools, "recording": call["recording_available"],
        "assistant_id": assistant.map(|known| &known["external_id"]), "transfer_status": call["transfer_status"],
    });
    for (name, value) in row.as_object().expect("a row is an object") {
        if !is_elsewhere(file, name) {
            assert_eq!(*value, ours[name], "{name} of {file}");
        }
    }
    for message in spoken {
        assert!(
            ["assistant", "user", "system"].contains(&message["role"].as_str().expect("a role")),
            "{file}"
        );
        assert_eq!(message["tool"], Value::Null);
    }
    // What is not known is null, never absent, never "" or 0.
    assert_eq!(call["recording_url"].is_string(), call["recording_available"] == true, "{file}");
    for (name, value) in call.as_object().expect("an object") {
        assert_ne!(*value, json!(""), "{name} of {file}");
    }
}
