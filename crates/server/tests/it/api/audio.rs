//! Messages that bring a recording themselves are taken apart as they arrive, however long they are.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use insta::assert_json_snapshot;
use model::Platform;
use serde_json::{Value, json};

use super::recordings::{fetching, files, only_call, path_of};
use crate::support::{Receiver, TestApp, on_both_with};

const TRANSCRIPTION: &str =
    include_str!("../../../../connectors/fixtures/elevenlabs/post_call_transcription.json");

/// Three megabytes that begin as an MP3 does: more than any other body may have.
fn sound() -> Vec<u8> {
    let mut bytes = b"ID3\x04".to_vec();
    bytes.extend((0..3_000_000_u32).map(|n| (n % 251) as u8));
    bytes
}

fn audio(bytes: &[u8]) -> String {
    json!({"type": "post_call_audio", "event_timestamp": 1_771_938_160, "data": {
        "agent_id": "agent_155", "conversation_id": "conv_155", "full_audio": BASE64.encode(bytes),
    }})
    .to_string()
}

/// How many objects there are.
fn objects(app: &TestApp) -> usize {
    files(&app.recordings_folder()).len()
}

#[test]
fn the_recording_in_a_message_is_the_call_s_whichever_message_comes_first() {
    on_both_with(fetching(), async |app| {
        let (sound, mut told) = (sound(), Vec::new());
        for name in ["In order", "The other way round"] {
            let org = app.org(name).await;
            let source = org.source(Platform::ElevenLabs).await;
            let mut messages = [TRANSCRIPTION.to_owned(), audio(&sound)];
            if !told.is_empty() {
                messages.reverse();
            }
            for message in &messages {
                source.accept(app, message).await;
            }
            let client = app.key(&org);
            let mut call = only_call(&client).await;
            let answer = client.get(&path_of(&call)).await;
            assert_eq!(answer.header("content-type"), "audio/mpeg");
            assert!(answer.bytes == sound, "{} bytes", answer.bytes.len());
            call["recordings"][0]["url"].take();
            told.push((call["status"].take(), call["recording_available"].take(), call["recordings"].take()));
        }
        assert_eq!(told[0], told[1]);
        assert_json_snapshot!(told[0], @r#"
        [
          "completed",
          true,
          [
            {
              "variant": "mono",
              "state": "stored",
              "url": null,
              "content_type": "audio/mpeg",
              "size_bytes": 3000004,
              "duration_seconds": null,
              "error": null
            }
          ]
        ]
        "#);
    });
}

#[test]
fn a_message_is_kept_without_its_recording_and_a_repetition_brings_no_other() {
    on_both_with(fetching(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let source = org.source(Platform::ElevenLabs).await;
        let message = audio(&sound());
        source.accept(app, &message).await;
        assert_eq!(source.post(app, &message).await.json()["data"]["outcome"], "duplicate");
        assert_eq!(objects(app), 1);
        let reason = Some("its recording of 3000004 bytes was taken out of the body".to_owned());
        let again = Some("the same message was accepted within the last day".to_owned());
        assert_eq!(org.inbox(source.source).await, [("accepted", reason), ("duplicate", again)]);
        let kept = app.key(&org).data(&format!("/v1/sources/{}/events", source.source)).await;
        let id = kept[1]["id"].as_str().expect("an id");
        let kept = app.key(&org).data(&format!("/v1/sources/{}/events/{id}", source.source)).await;
        assert_eq!(kept["body"], message.replace(&BASE64.encode(sound()), ""));

        // Another recording of the same call takes the place of the first.
        source.accept(app, &audio(&sound()[..1000])).await;
        assert_eq!(objects(app), 1);
        let call = only_call(&app.key(&org)).await;
        assert_eq!(call["recordings"][0]["size_bytes"], 1000);
    });
}

#[test]
fn nothing_is_left_of_a_message_that_is_a_stranger_s_or_broken() {
    on_both_with(fetching(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let source = org.source(Platform::ElevenLabs).await;
        let message = audio(&sound());
        let signature = source.signature(app, "another message");
        let headers: Vec<_> = signature.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let forged = source.post_with(&app.anon(), &headers, &message).await;
        assert_eq!((forged.status.as_u16(), objects(app)), (401, 0));
        let unsigned = source.post_with(&app.anon(), &[], &message).await;
        assert_eq!((unsigned.status.as_u16(), objects(app)), (401, 0));

        let broken = message.replace("\"}}", "!\"}}");
        let answer = source.post(app, &broken).await;
        assert_eq!((answer.status.as_u16(), objects(app)), (200, 0));
        assert_eq!(answer.json()["data"]["outcome"], "failed");
        assert_eq!(app.key(&org).data("/v1/calls").await, json!([]));
        let outcomes: Vec<_> =
            org.inbox(source.source).await.into_iter().map(|(outcome, _)| outcome).collect();
        assert_eq!(outcomes, ["rejected", "rejected", "failed"]);
    });
}

#[test]
fn a_short_message_is_kept_as_it_arrived_where_its_recording_is_none() {
    on_both_with(fetching(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let source = org.source(Platform::ElevenLabs).await;
        let message = audio(b"").replace("\"full_audio\":\"\"", "\"full_audio\":\"SUQz...and so on...\"");
        source.accept(app, &message).await;
        let messages = app.key(&org).data(&format!("/v1/sources/{}/events", source.source)).await;
        let id = messages[0]["id"].as_str().expect("an id");
        let kept = app.key(&org).data(&format!("/v1/sources/{}/events/{id}", source.source)).await;
        assert_eq!(kept["body"], message);
        assert_eq!((objects(app), &only_call(&app.key(&org)).await["recordings"]), (0, &json!([])));
    });
}

#[test]
fn a_recording_that_is_not_wanted_is_not_kept_and_its_message_is() {
    on_both_with(fetching(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let source = org.source_with(Platform::ElevenLabs, json!({"recordings": {"fetch": false}})).await;
        source.accept(app, &audio(&sound())).await;
        assert_eq!(objects(app), 0);
        let call = only_call(&app.key(&org)).await;
        assert_eq!((&call["recording_url"], &call["recordings"]), (&Value::Null, &json!([])));
    });
}

#[test]
fn a_recording_that_was_deleted_stays_so_when_its_message_comes_again() {
    on_both_with(fetching(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let source = org.source(Platform::ElevenLabs).await;
        source.accept(app, &audio(&sound())).await;
        let call = only_call(&app.key(&org)).await["id"].as_str().expect("an id").parse().expect("an id");
        assert_eq!(org.records.delete_recordings(call).await.expect("a write"), 1);
        app.tick(Duration::from_secs(2 * 86_400)).await;
        assert_eq!(objects(app), 0);
        source.accept(app, &audio(&sound())).await;
        app.tick(Duration::from_secs(3600)).await;
        assert_eq!(objects(app), 0, "what came again is cleared away");
        assert_json_snapshot!(only_call(&app.key(&org)).await["recordings"], @r#"
        [
          {
            "variant": "mono",
            "state": "deleted",
            "url": null,
            "content_type": null,
            "size_bytes": null,
            "duration_seconds": null,
            "error": null
          }
        ]
        "#);
    });
}

#[test]
fn what_a_process_leaves_behind_that_is_killed_is_taken_up_and_cleared_away() {
    on_both_with(fetching(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        // As if it had been killed while a recording arrived: part of a file, and a word that there is one.
        let key = org.records.begin_object().await.expect("a write");
        let (folder, name) = key.split_once('/').expect("a folder and a name");
        let folder = app.recordings_folder().join(folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}#1")), "half a record").expect("a file");
        app.tick(Duration::from_secs(3599)).await;
        assert_eq!(objects(app), 1, "it may still be arriving");
        app.tick(Duration::from_secs(1)).await;
        assert_eq!(objects(app), 0);
    });
}

#[test]
fn a_message_that_was_taken_apart_is_not_forwarded_as_if_it_had_come_so() {
    on_both_with(fetching(), async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let source = org.source(Platform::ElevenLabs).await;
        let path = format!("/v1/sources/{}/forwards", source.source);
        let forward = app.key(&org).post(&path, &json!({"url": receiver.url("/")})).await;
        assert_eq!(forward.status, 201, "{}", forward.shown());
        source.accept(app, &audio(&sound())).await;
        source.accept(app, TRANSCRIPTION).await;
        let bodies: Vec<_> = receiver.take().into_iter().map(|got| got.body).collect();
        assert!(bodies == [TRANSCRIPTION], "{} were forwarded", bodies.len());
    });
}
