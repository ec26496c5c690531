//! Recordings come in whole or not at all, and are never held whole.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::StatusCode;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    receiver::Reply,
    scene::{PLATFORM_SECRET, Scene, report, text},
    server::{Kind, PATIENCE, Server, until},
};

const FETCH: (&str, &str) = ("INBOUNDFLOW_RECORDINGS__FETCH", "true");

/// A piece of a recording: what it is base64 of must be a multiple of three.
const PIECE: usize = 48 << 10;

/// Pieces of a recording of 64 MB.
const PIECES: usize = (64_000_000 / PIECE) + 1;

const BEFORE: &str = r#"{"type":"post_call_audio","event_timestamp":1771938160,"data":{"conversation_id":"conv_155","full_audio":""#;
const AFTER: &str = r#""}}"#;

fn piece(number: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..PIECE).map(|n| (n * 31 + number) as u8).collect();
    if number == 0 {
        bytes[..4].copy_from_slice(b"ID3\x04");
    }
    bytes
}

/// The body, in parts.
fn parts() -> impl Iterator<Item = Vec<u8>> {
    let sound = (0..PIECES).map(|number| BASE64.encode(piece(number)).into_bytes());
    std::iter::once(BEFORE.into()).chain(sound).chain(std::iter::once(AFTER.into()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_with_64_megabytes_of_sound_takes_less_than_100_megabytes_of_memory() {
    let scene = Scene::set(Kind::Sqlite, |_| Reply::with(204)).await;
    let create =
        ["source", "create", "--org", &scene.org, "--platform", "elevenlabs", "--secret-file", "-", "--json"];
    let source = text(&scene.home.run_with_input(&create, PLATFORM_SECRET).json(), "id");
    let server = scene.serve(&[FETCH]).await;
    let sent = post_in_chunks(&server, &format!("/ingest/elevenlabs/{source}")).await;
    assert!(sent.starts_with("HTTP/1.1 200"), "{sent}");
    assert!(sent.contains(r#""outcome":"accepted""#), "{sent}");

    let call = scene.calls(&server).await.remove(0);
    let url = text(&call, "recording_url");
    let mut answer = scene.http.get(&url).bearer_auth(&scene.key).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let (mut theirs, mut ours) = (Sha256::new(), Sha256::new());
    while let Some(bytes) = answer.chunk().await.expect("a piece") {
        theirs.update(&bytes);
    }
    (0..PIECES).for_each(|number| ours.update(piece(number)));
    assert_eq!(theirs.finalize(), ours.finalize(), "what went in comes out");
    let peak = server.peak_memory();
    assert!(peak < 100_000_000, "{peak} bytes of memory");
}

/// Posts the body as ElevenLabs does: signed, in chunks, without its length said before.
async fn post_in_chunks(server: &Server, path: &str) -> String {
    let seconds = seconds();
    let mut mac = Hmac::<Sha256>::new_from_slice(PLATFORM_SECRET.as_bytes()).expect("a key");
    mac.update(format!("{seconds}.").as_bytes());
    parts().for_each(|part| mac.update(&part));
    let signature = hex::encode(mac.finalize().into_bytes());
    let mut connection = TcpStream::connect(server.address()).await.expect("a connection");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\
         elevenlabs-signature: t={seconds},v0={signature}\r\nconnection: close\r\n\r\n",
        server.address()
    );
    connection.write_all(head.as_bytes()).await.expect("it reads");
    for part in parts() {
        connection.write_all(format!("{:x}\r\n", part.len()).as_bytes()).await.expect("it reads");
        connection.write_all(&part).await.expect("it reads");
        connection.write_all(b"\r\n").await.expect("it reads");
    }
    connection.write_all(b"0\r\n\r\n").await.expect("it reads");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[expect(clippy::disallowed_methods, reason = "the server looks at the real clock")]
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("later").as_secs()
}

/// The first who asks gets half of the recording and then nothing, for ever; the others get all of it.
async fn halting_storage(sound: Vec<u8>) -> (String, Arc<AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/a.mp3", listener.local_addr().expect("its address"));
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, mut tasks) = (asked.clone(), JoinSet::new());
    tasks.spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut connection, _) = listener.accept().await.expect("a connection");
            let mut request = [0; 4096];
            let read = connection.read(&mut request).await.expect("a request");
            assert!(read > 0, "it asks for something");
            let length = sound.len();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: {length}\r\n\r\n");
            let first = count.fetch_add(1, Ordering::SeqCst) == 0;
            let end = if first { length / 2 } else { length };
            // Who was killed does not read on.
            let _ = connection.write_all(head.as_bytes()).await;
            let _ = connection.write_all(&sound[..end]).await;
            open.push(connection);
        }
    });
    (url, asked, tasks)
}

/// The sizes of the files in a folder and below, by their names.
fn files(folder: &Path) -> Vec<(String, u64)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let each = paths.flat_map(|path| match path.metadata() {
        Ok(metadata) if metadata.is_dir() => files(&path),
        Ok(metadata) => vec![(path.to_string_lossy().into_owned(), metadata.len())],
        Err(_) => vec![],
    });
    each.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_recording_the_next_server_fetches_all_of_it() {
    let scene = Scene::set(Kind::Sqlite, |_| Reply::with(204)).await;
    let mut sound = b"ID3\x04".to_vec();
    sound.extend((0..2_000_000_u32).map(|n| (n % 253) as u8));
    let (url, asked, _storage) = halting_storage(sound.clone()).await;
    let server = scene.serve(&[FETCH]).await;
    let ingest = server.url(&format!("/ingest/vapi/{}", scene.source));
    let mut body: Value = serde_json::from_str(&report("call")).expect("JSON");
    body["message"]["artifact"] = serde_json::json!({"messages": [], "recordingUrl": url});
    let post = scene.http.post(ingest).header("x-vapi-secret", PLATFORM_SECRET);
    let answer = post.header("content-type", "application/json").body(body.to_string()).send().await;
    assert_eq!(answer.expect("an answer").status(), StatusCode::OK);

    let folder = scene.home.path().join("data/recordings");
    let half = sound.len() as u64 / 2;
    until("half of it is on the disk", PATIENCE, async || {
        files(&folder).iter().any(|(_, size)| (half / 2..=half).contains(size)).then_some(())
    })
    .await;
    server.kill();
    server.ended(PATIENCE).await;

    let server = scene.serve(&[FETCH]).await;
    let call = scene.calls(&server).await.remove(0);
    let path = format!("/v1/calls/{}/recording", text(&call, "id"));
    let whole = until("the recording is served", PATIENCE, async || {
        let request = scene.http.get(server.url(&path)).bearer_auth(&scene.key);
        let answer = request.send().await.expect("an answer");
        if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
            return None;
        }
        assert_eq!(answer.status(), StatusCode::OK);
        Some(answer.bytes().await.expect("a body"))
    })
    .await;
    assert!(whole == sound, "{} bytes", whole.len());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let list = scene.home.json(&["recordings", "list", "--org", &scene.org]);
    assert_eq!(
        (&list["data"][0]["state"], &list["data"][0]["attempts"]),
        (&"stored".into(), &2.into()),
        "{list}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_fetches_and_deletes_recordings_beside_a_running_server() {
    let scene = Scene::set(Kind::Sqlite, |_| Reply::with(204)).await;
    let server = scene.serve(&[FETCH, ("INBOUNDFLOW_DELIVERY__ALLOW_TARGETS", "")]).await;
    let mut body: Value = serde_json::from_str(&report("call")).expect("JSON");
    body["message"]["artifact"] =
        serde_json::json!({"messages": [], "recordingUrl": "https://127.0.0.1/a.wav"});
    let post = scene.http.post(server.url(&format!("/ingest/vapi/{}", scene.source)));
    let post = post.header("content-type", "application/json").header("x-vapi-secret", PLATFORM_SECRET);
    assert_eq!(post.body(body.to_string()).send().await.expect("an answer").status(), StatusCode::OK);
    let list = ["recordings", "list", "--org", &scene.org];
    let given_up = until("it is given up", PATIENCE, async || {
        let list = scene.home.json(&list);
        (list["data"][0]["state"] == "failed").then_some(list["data"][0].clone())
    })
    .await;
    let error = text(&given_up, "error");
    assert!(error.contains("127.0.0.1") && error.contains("delivery.allow_targets"), "{error}");

    let call = text(&given_up, "call_id");
    let fetched = scene.home.json(&["recordings", "fetch", "--org", &scene.org, "--call", &call]);
    assert_eq!(fetched["count"], 1);
    let deleted = scene.home.json(&["recordings", "delete", "--org", &scene.org, "--call", &call]);
    assert_eq!(deleted["count"], 1);
    assert_eq!(scene.home.json(&list)["data"][0]["state"], "deleted");
    let (_, of_call) = scene.get(&server, &format!("/v1/calls/{call}")).await;
    assert_eq!(of_call["data"]["recording_url"], Value::Null);
    let nobody = "0197a3c4-0000-7000-8000-00000000dead";
    let unknown = scene.home.run(&["recordings", "fetch", "--org", &scene.org, "--call", nobody]);
    unknown.assert_refused(&["--call", nobody]);
}
