//! Recordings that a platform's API alone gives out, to who has the account's key.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use model::Platform;
use serde_json::{Value, json};

use super::recordings::{fetching, files, only_call, path_of, recorded};
use crate::support::{Item, Org, Signing, Storage, TestApp, on_both_with, wav};

const TRANSCRIPTION: &str =
    include_str!("../../../../connectors/fixtures/elevenlabs/post_call_transcription.json");
const AUDIO: &str = "/v1/convai/conversations/conv_155/audio";

/// A source with a key of its platform's API, which is at an address.
async fn connected(app: &TestApp, org: &Org, platform: Platform, api: &Storage) -> Signing {
    let source = org.source(platform).await;
    give_key(app, org, &source, api).await;
    source
}

async fn give_key(app: &TestApp, org: &Org, source: &Signing, api: &Storage) {
    let key = json!({"platform_api_key": "the-key", "platform_api_url": api.url("/")});
    let changed = app.key(org).patch(&format!("/v1/sources/{}", source.source), &key).await;
    assert_eq!(changed.status, 200, "{}", changed.shown());
    app.settle().await;
}

/// Which recordings it was asked for; its calls are listed there too.
fn asked(api: &Storage) -> Vec<String> {
    let mut asked = api.asked();
    asked.retain(|path| path.ends_with("/audio") || path.ends_with("-recording"));
    asked
}

#[test]
fn a_conversation_with_audio_has_its_recording_fetched_by_the_source_s_key() {
    on_both_with(fetching(), async |app| {
        let (api, sound) = (Storage::start().await, wav(1, 1));
        // Not at once: they make it when the conversation is over.
        api.put(AUDIO, [Item::status(404), Item::sound(&sound)]);
        let org = app.org("Harbor Plumbing").await;
        let source = connected(app, &org, Platform::ElevenLabs, &api).await;
        let client = app.key(&org);
        source.accept(app, TRANSCRIPTION).await;
        assert_eq!(only_call(&client).await["recording_available"], false);
        assert_eq!(asked(&api), Vec::<String>::new(), "the message that may bring it is waited for");
        app.tick(Duration::from_secs(60)).await;
        assert_eq!(asked(&api), [AUDIO]);
        app.tick(Duration::from_secs(10)).await;
        assert_eq!(asked(&api), [AUDIO]);
        let call = only_call(&client).await;
        assert_eq!(call["recording_available"], true);
        assert_eq!(client.get(&path_of(&call)).await.bytes, sound);
        assert_eq!(api.shown(AUDIO), Some(Some("the-key".to_owned())));
        // Said again a day later, it is not fetched again.
        app.tick(Duration::from_secs(90_000)).await;
        source.accept(app, TRANSCRIPTION).await;
        app.tick(Duration::from_secs(60)).await;
        assert_eq!(asked(&api), Vec::<String>::new());
        assert_eq!(client.get(&path_of(&only_call(&client).await)).await.bytes, sound);
    });
}

#[test]
fn a_recording_that_a_message_brings_is_not_asked_for() {
    let audio = json!({"type": "post_call_audio", "event_timestamp": 1_771_938_160, "data": {
        "agent_id": "agent_155", "conversation_id": "conv_155", "full_audio": BASE64.encode(wav(2, 1)),
    }});
    let messages = [TRANSCRIPTION.to_owned(), audio.to_string()];
    on_both_with(fetching(), async |app| {
        for order in [[0, 1], [1, 0]] {
            let (api, org) = (Storage::start().await, app.org("Harbor Plumbing").await);
            api.put(AUDIO, [Item::sound(&wav(1, 1))]);
            let source = connected(app, &org, Platform::ElevenLabs, &api).await;
            for message in order {
                source.accept(app, &messages[message]).await;
                app.tick(Duration::from_secs(5)).await;
            }
            app.tick(Duration::from_secs(3600)).await;
            assert_eq!(asked(&api), Vec::<String>::new());
            let client = app.key(&org);
            assert_eq!(client.get(&path_of(&only_call(&client).await)).await.bytes, wav(2, 1));
        }
        assert_eq!(files(&app.recordings_folder()).len(), 2);
    });
}

#[test]
fn without_a_key_nothing_is_promised_and_a_key_that_comes_later_has_it_fetched() {
    on_both_with(fetching(), async |app| {
        let (api, sound) = (Storage::start().await, wav(1, 1));
        api.put(AUDIO, [Item::sound(&sound)]);
        let org = app.org("Harbor Plumbing").await;
        let source = org.source(Platform::ElevenLabs).await;
        let client = app.key(&org);
        source.accept(app, TRANSCRIPTION).await;
        app.tick(Duration::from_secs(3600)).await;
        let call = only_call(&client).await;
        let why =
            "no message has brought it, and the source has no key of the platform's API, which gives it out";
        let known = json!([{"variant": "mono", "state": "failed", "url": null, "content_type": null,
            "size_bytes": null, "duration_seconds": null, "error": why}]);
        assert_eq!((&call["recording_url"], &call["recordings"]), (&Value::Null, &known));
        assert_eq!(call["recording_available"], false);
        give_key(app, &org, &source, &api).await;
        let call = only_call(&client).await;
        assert_eq!(call["recording_available"], true);
        assert_eq!(client.get(&path_of(&call)).await.bytes, sound);
    });
}

#[test]
fn a_recording_that_a_message_brings_to_a_source_without_a_key_is_there_in_either_order() {
    let audio = json!({"type": "post_call_audio", "event_timestamp": 1_771_938_160, "data": {
        "agent_id": "agent_155", "conversation_id": "conv_155", "full_audio": BASE64.encode(wav(2, 1)),
    }});
    let messages = [TRANSCRIPTION.to_owned(), audio.to_string()];
    on_both_with(fetching(), async |app| {
        for order in [[0, 1], [1, 0]] {
            let org = app.org("Harbor Plumbing").await;
            let (source, client) = (org.source(Platform::ElevenLabs).await, app.key(&org));
            for message in order {
                source.accept(app, &messages[message]).await;
            }
            app.tick(Duration::from_secs(3600)).await;
            let call = only_call(&client).await;
            assert_eq!(client.get(&path_of(&call)).await.bytes, wav(2, 1));
            let recording = &call["recordings"][0];
            assert_eq!((&recording["state"], &recording["error"]), (&json!("stored"), &Value::Null));
        }
    });
}

#[test]
fn a_private_recording_is_fetched_where_the_api_sends_us_and_the_key_goes_to_the_api_alone() {
    on_both_with(fetching(), async |app| {
        let (api, private, signed) = (Storage::start().await, Storage::start().await, Storage::start().await);
        let (mono, caller) = (wav(2, 1), wav(1, 1));
        let sent_on = |path: &str, sound: &[u8]| {
            Item::status(302).with("location", &signed.put(path, [Item::sound(sound)]))
        };
        api.put("/call/c%201/mono-recording", [sent_on("/mono", &mono)]);
        api.put("/call/c%201/customer-recording", [sent_on("/caller", &caller)]);
        let report = recorded(
            "c 1",
            json!({
                "recordingUrl": private.put("/mono.wav", [Item::status(403)]),
                "recording": {"mono": {"customerUrl": private.put("/caller.wav", [Item::page("<html>sign in</html>")])}},
            }),
        );
        let org = app.org("Harbor Plumbing").await;
        let source = connected(app, &org, Platform::Vapi, &api).await;
        source.accept(app, &report).await;
        app.settle().await;
        let client = app.key(&org);
        let path = path_of(&only_call(&client).await);
        assert_eq!(client.get(&path).await.bytes, mono);
        assert_eq!(client.get(&format!("{path}?variant=caller")).await.bytes, caller);
        assert_eq!(api.shown("/call/c%201/mono-recording"), Some(Some("Bearer the-key".to_owned())));
        for (place, path) in
            [(&private, "/mono.wav"), (&private, "/caller.wav"), (&signed, "/mono"), (&signed, "/caller")]
        {
            assert_eq!(place.shown(path), Some(None), "{path} is asked for without the key");
        }
    });
}

#[test]
fn an_api_that_has_no_recording_either_says_why() {
    on_both_with(fetching(), async |app| {
        let (api, private) = (Storage::start().await, Storage::start().await);
        let report = recorded("c", json!({"recordingUrl": private.put("/a.wav", [Item::status(403)])}));
        let org = app.org("Harbor Plumbing").await;
        let source = connected(app, &org, Platform::Vapi, &api).await;
        source.accept(app, &report).await;
        for seconds in [10, 60, 300, 1800] {
            app.tick(Duration::from_secs(seconds)).await;
        }
        assert_eq!(asked(&api), ["/call/c/mono-recording"; 5]);
        let call = only_call(&app.key(&org)).await;
        let recording = &call["recordings"][0];
        assert_eq!(
            (&recording["state"], &recording["error"]),
            (&json!("expired"), &json!("the platform answered 404: it is not there, or not any more"))
        );
    });
}
