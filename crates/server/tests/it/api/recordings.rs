//! Recordings are fetched while the platform still has them, and served under our address.

use std::{fs, path::Path, time::Duration};

use http::Method;
use insta::{assert_json_snapshot, assert_snapshot};
use model::Platform;
use serde_json::{Value, json};
use store::{Recordings, Refetch};

use crate::support::{
    Client, Item, Org, PUBLIC_URL, Receiver, Setup, Storage, TestApp, on_both_with, report, wav,
};

pub(super) fn fetching() -> Setup {
    Setup { recordings: Recordings::Fetch, ..Setup::unhurried() }
}

/// A report of Vapi's with recordings at these addresses.
pub(super) fn recorded(call: &str, places: Value) -> String {
    let mut artifact = json!({"messages": []});
    artifact.as_object_mut().expect("an object").extend(places.as_object().expect("an object").clone());
    report(call, json!("+14155550142"), json!({ "artifact": artifact }))
}

/// The organization's only call.
pub(super) async fn only_call(client: &Client<'_>) -> Value {
    let calls = client.data("/v1/calls").await;
    assert_eq!(calls.as_array().map(Vec::len), Some(1), "{calls}");
    client.data(&format!("/v1/calls/{}", calls[0]["id"].as_str().expect("an id"))).await
}

pub(super) fn path_of(call: &Value) -> String {
    let url = call["recording_url"].as_str().expect("an address");
    url.strip_prefix(PUBLIC_URL).unwrap_or_else(|| panic!("not ours: {url}")).to_owned()
}

/// An organization with one call of Vapi's, which was recorded at an address.
pub(super) async fn org_with_call(app: &TestApp, url: &str) -> Org {
    let org = app.org("Harbor Plumbing").await;
    let source = org.source(Platform::Vapi).await;
    source.accept(app, &recorded("c", json!({ "recordingUrl": url }))).await;
    org
}

/// The files in a folder and below.
pub(super) fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let each = entries.flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![path.to_string_lossy().into_owned()],
    });
    each.collect()
}

#[test]
fn all_that_was_recorded_of_a_call_is_fetched_and_served_under_our_address() {
    on_both_with(fetching(), async |app| {
        let storage = Storage::start().await;
        let (mono, stereo, caller) = (wav(3, 1), wav(2, 2), wav(1, 1));
        let report = recorded(
            "c",
            json!({
                "recordingUrl": storage.put("/mono.wav", [Item::sound(&mono)]),
                "stereoRecordingUrl": storage.put("/stereo.wav", [Item::chunked(&stereo)]),
                "recording": {"mono": {
                    "customerUrl": storage.put("/caller.wav", [Item::sound(&caller)]),
                    "assistantUrl": storage.put("/missing.wav", [Item::page("<html>gone</html>")]),
                }},
            }),
        );
        let org = app.org("Harbor Plumbing").await;
        org.source(Platform::Vapi).await.accept(app, &report).await;
        assert_eq!(storage.asked(), ["/caller.wav", "/missing.wav", "/mono.wav", "/stereo.wav"]);
        let client = app.key(&org);
        let call = only_call(&client).await;
        assert_eq!(call["recording_available"], true);
        let path = path_of(&call);
        assert_eq!(path, format!("/v1/calls/{}/recording", call["id"].as_str().expect("an id")));

        for (query, bytes) in [
            ("", &mono),
            ("?variant=mono", &mono),
            ("?variant=stereo", &stereo),
            ("?variant=caller", &caller),
        ] {
            let answer = client.get(&format!("{path}{query}")).await;
            assert_eq!(answer.status, 200, "{query}");
            assert!(answer.bytes == *bytes, "{query}: {} bytes", answer.bytes.len());
            assert_eq!(answer.header("content-type"), "audio/wav", "as it is, not as it was called");
            assert_eq!(answer.header("content-length"), bytes.len().to_string());
        }
        assert_eq!(client.get(&format!("{path}?variant=assistant")).await.status, 503, "it is tried again");
        let unknown = client.get(&format!("{path}?variant=video")).await;
        assert_eq!((unknown.status.as_u16(), unknown.code().as_str()), (400, "bad_request"));

        for seconds in [10, 60, 300, 1800] {
            app.tick(Duration::from_secs(seconds)).await;
        }
        assert_eq!(storage.asked(), ["/missing.wav"; 4]);
        let call = only_call(&client).await;
        assert_json_snapshot!(call["recordings"], @r#"
        [
          {
            "variant": "mono",
            "state": "stored",
            "url": "https://calls.example.com/v1/calls/00000000-0000-7000-8000-000000000037/recording?variant=mono",
            "content_type": "audio/wav",
            "size_bytes": 48044,
            "duration_seconds": 3,
            "error": null
          },
          {
            "variant": "stereo",
            "state": "stored",
            "url": "https://calls.example.com/v1/calls/00000000-0000-7000-8000-000000000037/recording?variant=stereo",
            "content_type": "audio/wav",
            "size_bytes": 64044,
            "duration_seconds": 2,
            "error": null
          },
          {
            "variant": "caller",
            "state": "stored",
            "url": "https://calls.example.com/v1/calls/00000000-0000-7000-8000-000000000037/recording?variant=caller",
            "content_type": "audio/wav",
            "size_bytes": 16044,
            "duration_seconds": 1,
            "error": null
          },
          {
            "variant": "assistant",
            "state": "failed",
            "url": null,
            "content_type": null,
            "size_bytes": null,
            "duration_seconds": null,
            "error": "the answer is no recording but a web page"
          }
        ]
        "#);
    });
}

#[test]
fn a_part_of_a_recording_is_served_and_one_that_is_known_is_not_sent_again() {
    on_both_with(fetching(), async |app| {
        let storage = Storage::start().await;
        let sound = wav(1, 1);
        let org = org_with_call(app, &storage.put("/a.wav", [Item::sound(&sound)])).await;
        let client = app.key(&org);
        let path = path_of(&only_call(&client).await);
        let part = client.get_with(&path, &[("range", "bytes=44-143")]).await;
        assert_eq!((part.status.as_u16(), &part.bytes[..]), (206, &sound[44..144]));
        assert_eq!(part.header("content-range"), format!("bytes 44-143/{}", sound.len()));
        assert_eq!(part.header("accept-ranges"), "bytes");
        let end = client.get_with(&path, &[("range", "bytes=-10"), ("accept-encoding", "gzip")]).await;
        assert_eq!((end.status.as_u16(), &end.bytes[..]), (206, &sound[sound.len() - 10..]));
        let outside = client.get_with(&path, &[("range", "bytes=999999-")]).await;
        assert_eq!((outside.status.as_u16(), outside.code().as_str()), (416, "range_not_satisfiable"));
        assert_eq!(outside.header("content-range"), format!("bytes */{}", sound.len()));

        let tag = part.header("etag").to_owned();
        let known = client.get_with(&path, &[("if-none-match", &tag)]).await;
        assert_eq!((known.status.as_u16(), known.bytes.len()), (304, 0));
        let range = ("range", "bytes=0-9");
        let same = client.get_with(&path, &[range, ("if-range", &tag)]).await;
        let other = client.get_with(&path, &[range, ("if-range", "\"other\"")]).await;
        assert_eq!((same.status.as_u16(), other.status.as_u16()), (206, 200));
        let head = client.send(Method::HEAD, &path, &[], Vec::new()).await;
        assert_eq!((head.status.as_u16(), head.bytes.len()), (200, 0));
        assert_eq!(head.header("content-length"), sound.len().to_string());
    });
}

#[test]
fn a_webhook_carries_a_link_that_needs_no_key_and_expires() {
    on_both_with(fetching(), async |app| {
        let (storage, receiver) = (Storage::start().await, Receiver::start().await);
        let sound = wav(1, 1);
        let url = storage.put("/a.wav", [Item::status(404), Item::sound(&sound)]);
        let org = app.org("Harbor Plumbing").await;
        org.endpoint(&receiver.url("/hook")).await;
        let source = org.source(Platform::Vapi).await;
        source.accept(app, &recorded("c", json!({ "recordingUrl": url }))).await;
        let told = receiver.take();
        let told = told.iter().find(|got| got.event() == "call.completed").expect("the event").json();
        let link = path_of(&told["data"]);
        assert!(link.starts_with("/recordings/"), "{link}");

        let early = app.anon().get(&link).await;
        assert_eq!((early.status.as_u16(), early.header("retry-after")), (503, "5"));
        app.tick(Duration::from_secs(10)).await;
        let answer = app.anon().get_with(&link, &[("range", "bytes=0-99")]).await;
        assert_eq!((answer.status.as_u16(), &answer.bytes[..]), (206, &sound[..100]));

        let (place, _) = link.split_once("/main?").expect("the first that there is");
        let changed = link.replace("/main?", "/stereo?");
        let other = link.replace(place, "/recordings/0197a3c4-0000-7000-8000-00000000dead");
        for (link, status) in [
            (changed, 403),
            (other, 403),
            (format!("{place}/main"), 400),
            (format!("{link}&more=1"), 400),
            ("/recordings/nonsense/main?expires=1&signature=00".to_owned(), 404),
        ] {
            assert_eq!(app.anon().get(&link).await.status, status, "{link}");
        }
        app.tick(Duration::from_secs(7 * 86_400)).await;
        let late = app.anon().get(&link).await;
        assert_eq!(late.error(), "403 forbidden: This link has expired");
        assert_eq!(app.key(&org).get(&path_of(&only_call(&app.key(&org)).await)).await.status, 200);
    });
}

#[test]
fn what_cannot_be_fetched_is_tried_again_and_then_told_with_its_cause() {
    let big = vec![b'R'; 2_000_001];
    let forever = Duration::from_secs(30 * 86_400);
    for (what, items, causes) in [
        (
            "gone",
            vec![Item::status(404)],
            "expired: the platform answered 404: it is not there, or not any more",
        ),
        (
            "private",
            vec![Item::status(403)],
            "expired: the platform answered 403: it is private, or its address is no longer good",
        ),
        ("page", vec![Item::page("<!doctype html>")], "failed: the answer is no recording but a web page"),
        ("empty", vec![Item::status(200)], "failed: the answer is empty"),
        (
            "astray",
            vec![Item::status(302).with("location", "http://10.1.2.3/a.wav")],
            "failed: the address 10.1.2.3 is private; allow it with delivery.allow_targets",
        ),
        (
            "in a circle",
            vec![Item::status(302).with("location", "/a.wav")],
            "failed: the platform redirects more than 3 times",
        ),
        ("large", vec![Item::sound(&big)], "failed: the recording is larger than 1000000 bytes"),
        (
            "large and chunked",
            vec![Item::chunked(&[wav(1, 1), big.clone()].concat())],
            "failed: the recording is larger than 1000000 bytes",
        ),
    ] {
        on_both_with(fetching(), async |app| {
            let storage = Storage::start().await;
            let url = storage.put("/a.wav", items.clone());
            let org = org_with_call(app, &url).await;
            app.tick(forever).await;
            for _ in 0..5 {
                app.tick(Duration::from_secs(1800)).await;
            }
            let client = app.key(&org);
            let call = only_call(&client).await;
            let recording = &call["recordings"][0];
            let told = format!(
                "{}: {}",
                recording["state"].as_str().unwrap_or("?"),
                recording["error"].as_str().unwrap_or("?")
            );
            assert_eq!(told, causes, "{what}");
            // What we have not is where the platform had it, perhaps.
            assert_eq!(
                (&call["recording_url"], &call["recording_available"]),
                (&json!(url), &json!(false)),
                "{what}"
            );
            let path = format!("/v1/calls/{}/recording", call["id"].as_str().expect("an id"));
            let answer = client.get(&path).await;
            assert_eq!(answer.code(), "not_found", "{what}");
            assert_eq!(files(&app.recordings_folder()), Vec::<String>::new(), "{what} leaves nothing behind");
        });
    }
}

#[test]
fn a_recording_that_is_late_or_hindered_is_fetched_when_it_is_there() {
    on_both_with(fetching(), async |app| {
        let storage = Storage::start().await;
        let sound = wav(1, 1);
        storage.put("/moved.wav", [Item::sound(&sound)]);
        let url = storage.put(
            "/a.wav",
            [
                Item::status(404),
                Item::status(429).with("retry-after", "120"),
                Item::status(500),
                Item::status(307).with("location", "/moved.wav"),
            ],
        );
        let org = org_with_call(app, &url).await;
        let client = app.key(&org);
        let mut states = Vec::new();
        for seconds in [0, 9, 1, 119, 1, 300] {
            app.tick(Duration::from_secs(seconds)).await;
            let recordings = org.records.list_recordings(None, 10).await.expect("a list");
            let [recording] = &recordings[..] else { panic!("{recordings:?}") };
            let found = &recording.found;
            let error = found.error.as_deref().unwrap_or("-");
            states.push(format!("{} after {}: {error}", found.state.as_str(), recording.attempts));
        }
        assert_snapshot!(states.join("\n"), @"
        pending after 1: the platform answered 404: it is not there, or not any more
        pending after 1: the platform answered 404: it is not there, or not any more
        pending after 2: the platform answered 429
        pending after 2: the platform answered 429
        pending after 3: the platform answered 500
        stored after 4: -
        ");
        assert_eq!(client.get(&path_of(&only_call(&client).await)).await.bytes, sound);
    });
}

#[test]
fn a_recording_is_shown_to_its_organization_alone() {
    on_both_with(fetching(), async |app| {
        let storage = Storage::start().await;
        let org = org_with_call(app, &storage.put("/a.wav", [Item::sound(&wav(1, 1))])).await;
        let path = path_of(&only_call(&app.key(&org)).await);
        let stranger = app.org("Lakeside Dental").await;
        let answer = app.key(&stranger).get(&path).await;
        assert_eq!(answer.error(), "404 not_found: There is no such recording");
        assert_eq!(app.anon().get(&path).await.status, 401);
        let call = only_call(&app.key(&org)).await["id"].as_str().expect("an id").parse().expect("an id");
        assert_eq!(stranger.records.delete_recordings(call).await.expect("a write"), 0);
        assert_eq!(stranger.records.refetch_recordings(call).await.expect("a write"), Refetch::Asked(0));
        assert_eq!(stranger.records.list_recordings(Some(call), 10).await.expect("a list").len(), 0);
        assert_eq!(app.key(&org).get(&path).await.status, 200);
    });
}
