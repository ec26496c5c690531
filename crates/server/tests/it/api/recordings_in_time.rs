//! What becomes of recordings in time: kept by rule, left where they are, fetched again, taken over.

use std::time::Duration;

use http::Method;
use model::{Platform, RecordingState};
use serde_json::{Value, json};
use store::Fetched;
use uuid::Uuid;

use super::{
    completeness::{before, connected, import},
    recordings::{fetching, files, only_call, org_with_call, path_of, recorded},
};
use crate::support::{Item, Receiver, StandIn, Storage, finished, on_both_with, wav};

#[test]
fn recordings_are_kept_as_long_as_the_source_says_and_then_gone() {
    on_both_with(fetching(), async |app| {
        let storage = Storage::start().await;
        let url = storage.put("/a.wav", [Item::sound(&wav(1, 1))]);
        let org = app.org("Harbor Plumbing").await;
        let source = org.source_with(Platform::Vapi, json!({"recordings": {"keep_days": 30}})).await;
        source.accept(app, &recorded("c", json!({ "recordingUrl": url }))).await;
        let client = app.key(&org);
        app.tick(Duration::from_secs(30 * 86_400 - 1)).await;
        let path = path_of(&only_call(&client).await);
        assert_eq!(client.get(&path).await.status, 200);
        assert_eq!(files(&app.recordings_folder()).len(), 1);

        app.tick(Duration::from_secs(1)).await;
        let gone = client.get(&path).await;
        assert_eq!(gone.error(), "404 not_found: The recording was deleted");
        assert_eq!(files(&app.recordings_folder()), Vec::<String>::new());
        let call = only_call(&client).await;
        assert_eq!((&call["recording_url"], &call["recording_available"]), (&Value::Null, &json!(false)));

        // The platform tells of it again, at another address.
        storage.asked();
        let again = storage.put("/b.wav", [Item::sound(&wav(1, 1))]);
        let later = recorded("c", json!({ "recordingUrl": again })).replace("1771966800000", "1771966900000");
        source.accept(app, &later).await;
        assert_eq!(storage.asked(), Vec::<String>::new(), "what was deleted is not fetched again");
        assert_eq!(client.get(&path).await.status, 404);
    });
}

#[test]
fn a_source_can_leave_its_recordings_where_they_are() {
    on_both_with(fetching(), async |app| {
        let storage = Storage::start().await;
        let url = storage.put("/a.wav", [Item::sound(&wav(1, 1))]);
        let org = app.org("Harbor Plumbing").await;
        let source = org.source_with(Platform::Vapi, json!({"recordings": {"fetch": false}})).await;
        source.accept(app, &recorded("c", json!({ "recordingUrl": url }))).await;
        let client = app.key(&org);
        let call = only_call(&client).await;
        assert_eq!((&call["recording_url"], &call["recordings"]), (&json!(url), &json!([])));
        let path = format!("/v1/calls/{}/recording", call["id"].as_str().expect("an id"));
        assert_eq!(client.get(&path).await.error(), "404 not_found: There is no such recording");
        // Neither is what a client writes: it keeps its recordings itself.
        let written = client.write_call(json!({"external_id": "w", "recording_url": url})).await;
        assert_eq!(written["recording_url"], url);
        assert_eq!(storage.asked(), Vec::<String>::new());
    });
}

#[test]
fn what_was_given_up_is_fetched_when_it_is_asked_for_again() {
    on_both_with(fetching(), async |app| {
        let storage = Storage::start().await;
        let sound = wav(1, 1);
        let missing = std::iter::repeat_n(Item::status(404), 5);
        let url = storage.put("/a.wav", missing.chain([Item::sound(&sound)]));
        let org = org_with_call(app, &url).await;
        for seconds in [10, 60, 300, 1800, 86_400] {
            app.tick(Duration::from_secs(seconds)).await;
        }
        assert_eq!(storage.asked().len(), 5);
        let client = app.key(&org);
        let call = only_call(&client).await;
        let recording = format!("/v1/calls/{}/recording", call["id"].as_str().expect("an id"));
        let fetch = format!("{recording}/fetch");
        let asked = client.post(&fetch, &json!({})).await;
        assert_eq!(
            (asked.status.as_u16(), &asked.json()["data"]["recordings"][0]["state"]),
            (200, &json!("pending"))
        );
        app.settle().await;
        let path = path_of(&only_call(&client).await);
        assert_eq!(client.get(&path).await.bytes, sound);
        let again = client.post(&fetch, &json!({})).await;
        assert_eq!(again.json()["data"]["recordings"][0]["state"], "stored", "what is there stays");

        let deleted = client.delete(&recording).await;
        assert_eq!((deleted.status.as_u16(), &deleted.json()["data"]["recording_url"]), (200, &json!(null)));
        app.settle().await;
        assert_eq!(files(&app.recordings_folder()), Vec::<String>::new());
        let again = client.post(&fetch, &json!({})).await;
        assert_eq!(again.json()["data"]["recordings"][0]["state"], "deleted", "deleted is deleted");
        assert_eq!(client.get(&path).await.error(), "404 not_found: The recording was deleted");
    });
}

#[test]
fn what_was_given_up_is_fetched_when_the_platform_tells_of_it_again() {
    on_both_with(fetching(), async |app| {
        let storage = Storage::start().await;
        let sound = wav(1, 1);
        let missing = std::iter::repeat_n(Item::status(404), 5);
        let url = storage.put("/a.wav", missing.chain([Item::sound(&sound)]));
        let org = app.org("Harbor Plumbing").await;
        let source = org.source(Platform::Vapi).await;
        let report = recorded("c", json!({ "recordingUrl": url }));
        source.accept(app, &report).await;
        for seconds in [10, 60, 300, 1800, 86_400] {
            app.tick(Duration::from_secs(seconds)).await;
        }
        let client = app.key(&org);
        assert_eq!(only_call(&client).await["recording_url"], url);
        source.accept(app, &report.replace("1771966800000", "1771966900000")).await;
        assert_eq!(client.get(&path_of(&only_call(&client).await)).await.bytes, sound);
    });
}

#[test]
fn a_signed_address_that_changes_is_no_other_recording() {
    on_both_with(fetching(), async |app| {
        let storage = Storage::start().await;
        storage.put("/a.wav", [Item::sound(&wav(1, 1)), Item::sound(&wav(2, 1))]);
        storage.put("/b.wav", [Item::status(404), Item::sound(&wav(3, 1))]);
        let org = app.org("Harbor Plumbing").await;
        let source = org.source(Platform::Vapi).await;
        let client = app.key(&org);
        let mut lengths = Vec::new();
        // Each a second later than the one before, so that its word counts.
        for (second, place) in
            ["/a.wav?signature=1", "/a.wav?signature=2", "/b.wav?signature=3"].iter().enumerate()
        {
            let report = recorded("c", json!({ "recordingUrl": storage.url(place) }));
            source.accept(app, &report.replace("1771966800000", &format!("177196680{second}000"))).await;
            lengths.push(only_call(&client).await["recordings"][0]["duration_seconds"].as_i64());
        }
        assert_eq!(lengths, [Some(1), Some(1), Some(1)]);
        let path = path_of(&only_call(&client).await);
        assert_eq!(client.get(&path).await.bytes, wav(1, 1), "until there is another, it stays");
        app.tick(Duration::from_secs(10)).await;
        assert_eq!(client.get(&path).await.bytes, wav(3, 1));
        assert_eq!(storage.asked(), ["/a.wav", "/b.wav", "/b.wav"]);
        assert_eq!(files(&app.recordings_folder()).len(), 1, "what was replaced is deleted");
    });
}

#[test]
fn a_recording_whose_fetcher_died_is_fetched_by_another_when_its_lease_has_run_out() {
    on_both_with(fetching(), async |app| {
        let storage = Storage::start().await;
        let sound = wav(1, 1);
        let url = storage.put("/a.wav", [Item::status(404), Item::sound(&sound)]);
        let org = org_with_call(app, &url).await;
        let client = app.key(&org);
        // Another process takes the next try, and is never heard of again.
        let (ahead, dead) = (app.store_ahead(Duration::from_secs(10)).await, Uuid::from_u128(1));
        let until = app.now() + Duration::from_secs(60);
        let claimed = ahead.claim_recordings(dead, until, 10).await.expect("a write");
        assert_eq!(claimed.len(), 1);
        app.clock.advance(Duration::from_secs(59));
        let call = client.send_only(Method::GET, "/v1/calls", &[], Vec::new()).await.json();
        let path = path_of(&call["data"][0]);
        assert_eq!(client.send_only(Method::GET, &path, &[], Vec::new()).await.status, 503);
        app.tick(Duration::from_secs(1)).await;
        assert_eq!(client.get(&path).await.bytes, sound);
        // What the dead one says now comes too late.
        let late = Fetched::GivenUp(RecordingState::Failed, "too late".into());
        assert!(!ahead.conclude_recording(&claimed[0], dead, late).await.expect("a write"));
        assert_eq!(client.get(&path).await.bytes, sound);
    });
}

#[test]
fn what_a_source_says_of_recordings_leaves_the_rest_of_its_settings_as_it_is() {
    on_both_with(fetching(), async |app| {
        let (org, stand_in) = (app.org("Harbor Plumbing").await, StandIn::start(Platform::Telnyx).await);
        let client = app.key(&org);
        let source = json!({"platform": "telnyx", "secret": "a secret of the platform's",
            "settings": {"direction": "inbound", "recordings": {"fetch": false}},
            "platform_api_key": stand_in.key(), "platform_api_url": stand_in.url()});
        assert_eq!(client.post("/v1/sources", &source).await.status, 201);
        app.settle().await;
        stand_in.has([finished(Platform::Telnyx, "missed", app.now() + Duration::from_secs(60))]);
        app.tick(Duration::from_secs(7200)).await;
        assert_eq!(only_call(&client).await["direction"], "inbound");
    });
}

#[test]
fn the_recording_of_a_call_that_webhooks_missed_is_fetched_like_any_other() {
    on_both_with(fetching(), async |app| {
        let (storage, sound) = (Storage::start().await, wav(1, 1));
        let (org, stand_in) = (app.org("Harbor Plumbing").await, StandIn::start(Platform::Vapi).await);
        let client = app.key(&org);
        connected(&client, Platform::Vapi, &stand_in).await;
        app.settle().await;
        let mut call = finished(Platform::Vapi, "missed", app.now() + Duration::from_secs(60));
        call["artifact"]["recordingUrl"] = storage.put("/a.wav", [Item::sound(&sound)]).into();
        stand_in.has([call]);
        app.tick(Duration::from_secs(3600)).await;
        assert_eq!(client.get(&path_of(&only_call(&client).await)).await.bytes, sound);
    });
}

#[test]
fn the_recordings_of_imported_history_are_fetched_and_nobody_is_told() {
    on_both_with(fetching(), async |app| {
        let (storage, sound, receiver) = (Storage::start().await, wav(1, 1), Receiver::start().await);
        let (org, stand_in) = (app.org("Harbor Plumbing").await, StandIn::start(Platform::Vapi).await);
        let client = app.key(&org);
        client.made("/v1/webhooks", json!({"url": receiver.url("/"), "events": ["*"]})).await;
        let since = before(app.now(), Duration::from_secs(86_400));
        let mut call = finished(Platform::Vapi, "old", since);
        call["artifact"]["recordingUrl"] = storage.put("/a.wav", [Item::sound(&sound)]).into();
        stand_in.has([call]);
        let source = connected(&client, Platform::Vapi, &stand_in).await;
        import(&client, &source, before(since, Duration::from_secs(60))).await;
        app.settle().await;
        let imported = only_call(&client).await;
        assert_eq!(client.get(&path_of(&imported)).await.bytes, sound);
        assert_eq!(receiver.take_events(), [""; 0], "it is history");
        // What a person does to it now is not.
        client
            .changed(
                &format!("/v1/calls/{}", imported["id"].as_str().expect("an id")),
                json!({"tags": ["old"]}),
            )
            .await;
        app.settle().await;
        assert_eq!(receiver.take_events(), ["call.updated"]);
    });
}

#[test]
fn a_source_s_api_key_goes_to_its_platform_s_api_and_stops_at_a_redirect_to_another_place() {
    on_both_with(fetching(), async |app| {
        let (api, elsewhere) = (Storage::start().await, Storage::start().await);
        let sound = wav(1, 1);
        let file = elsewhere.put("/a.wav", [Item::sound(&sound)]);
        let url = api.put("/a", [Item::status(401), Item::status(302).with("location", &file)]);
        let org = app.org("Harbor Plumbing").await;
        let source = org.source(Platform::Vapi).await;
        let client = app.key(&org);
        let key = json!({"platform_api_key": "the-key", "platform_api_url": api.url("")});
        let changed = client.patch(&format!("/v1/sources/{}", source.source), &key).await;
        assert_eq!(changed.status, 200, "{}", changed.shown());

        source.accept(app, &recorded("c", json!({ "recordingUrl": url }))).await;
        let id = only_call(&client).await["id"].as_str().expect("an id").parse().expect("an id");
        let noted = org.records.list_recordings(Some(id), 1).await.expect("a read");
        let error = noted[0].found.error.as_deref();
        assert_eq!(error, Some("the platform refuses the source's API key: it answered 401"));

        app.tick(Duration::from_secs(10)).await;
        assert_eq!(client.get(&path_of(&only_call(&client).await)).await.bytes, sound);
        assert_eq!(api.shown("/a"), Some(Some("Bearer the-key".to_owned())));
        assert_eq!(elsewhere.shown("/a.wav"), Some(None), "asked for without the key");
    });
}

#[test]
fn a_new_key_of_a_source_s_platform_has_recordings_fetched_that_were_given_up() {
    on_both_with(fetching(), async |app| {
        let api = Storage::start().await;
        let sound = wav(1, 1);
        // Its calls are listed there too.
        let asked = || api.asked().iter().filter(|path| *path == "/a").count();
        let refusals = std::iter::repeat_with(|| Item::status(401)).take(5);
        let url = api.put("/a", refusals.chain([Item::sound(&sound)]));
        let org = app.org("Harbor Plumbing").await;
        let source = org.source(Platform::Vapi).await;
        let client = app.key(&org);
        let set = async |key: &str| {
            let key = json!({"platform_api_key": key, "platform_api_url": api.url("")});
            let changed = client.patch(&format!("/v1/sources/{}", source.source), &key).await;
            assert_eq!(changed.status, 200, "{}", changed.shown());
        };
        set("an-old-key").await;
        source.accept(app, &recorded("c", json!({ "recordingUrl": url }))).await;
        for seconds in [10, 60, 300, 1800] {
            app.tick(Duration::from_secs(seconds)).await;
        }
        let given_up = only_call(&client).await;
        assert_eq!((&given_up["recordings"][0]["state"], asked()), (&json!("expired"), 5));
        set("a-new-key").await;
        app.settle().await;
        assert_eq!(asked(), 1);
        assert_eq!(api.shown("/a"), Some(Some("Bearer a-new-key".to_owned())));
        let call = only_call(&client).await;
        assert_eq!(client.get(&path_of(&call)).await.bytes, sound);
        assert_eq!(call["recording_available"], true);
    });
}
