//! Every platform's messages, written to the running binary's socket by hand, as they are: no client of ours between.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

use inboundflow::system::SystemClock;
use model::{Clock, Platform};
use serde_json::Value;

use super::{
    receiver::Reply,
    scene::{Scene, text},
    server::{Kind, Server},
};
use crate::{
    api::platforms::recorded,
    support::{Signing, content_type},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_platform_s_messages_are_taken_on_sqlite() {
    take(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_platform_s_messages_are_taken_on_postgres() {
    take(Kind::Postgres).await;
}

/// Our own messages of a platform, in the order of their names.
fn own(platform: Platform) -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../connectors/fixtures");
    let folder = Path::new(folder).join(platform.as_str());
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a file").path())
        // The others are settings, and messages for them.
        .filter(|path| platform != Platform::Custom || path.ends_with("call.json"))
        .collect();
    files.sort();
    files.iter().map(|path| fs::read_to_string(path).expect("text")).collect()
}

async fn take(kind: Kind) {
    let scene = Scene::set(kind, |_| Reply::with(200)).await;
    let server = scene.serve(&[]).await;
    let recorded = recorded();
    for platform in Platform::ALL.into_iter().filter(|platform| *platform != Platform::Api) {
        let signing = source(&scene, platform);
        let theirs = recorded.iter().filter(|(of, ..)| *of == platform).map(|(_, _, body, _)| body.clone());
        let messages: Vec<String> = own(platform).into_iter().chain(theirs).collect();
        for message in &messages {
            let answer = post(&server, &signing, message);
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{platform:?}: {answer}");
        }
        let path = format!("/v1/sources/{}/events?limit=100", signing.source);
        let (_, events) = scene.get(&server, &path).await;
        let outcomes: Vec<_> =
            events["data"].as_array().expect("a list").iter().map(|it| text(it, "outcome")).collect();
        assert_eq!(outcomes.len(), messages.len(), "{platform:?}: each is kept");
        assert!(outcomes.iter().any(|outcome| outcome == "accepted"), "{platform:?}");
        let is_fine = |outcome: &String| ["accepted", "ignored", "duplicate"].contains(&outcome.as_str());
        assert!(outcomes.iter().all(is_fine), "{platform:?}: {events}");
    }
    let calls = scene.calls(&server).await;
    for platform in Platform::ALL.into_iter().filter(|platform| *platform != Platform::Api) {
        let is_its = |call: &Value| call["source"] == platform.as_str();
        assert!(calls.iter().any(is_its), "{platform:?} has a call");
    }
}

/// A source made by command, and what signs for it.
fn source(scene: &Scene, platform: Platform) -> Signing {
    let secret = Signing::secret_for(platform);
    let args = [
        "source",
        "create",
        "--org",
        &scene.org,
        "--platform",
        platform.as_str(),
        "--secret-file",
        "-",
        "--json",
    ];
    let made = scene.home.run_with_input(&args, &secret).json();
    let source = text(&made, "id").parse().expect("an id");
    Signing { platform, source, secret }
}

/// Posts a message as its platform does; the answer as it came.
fn post(server: &Server, signing: &Signing, message: &str) -> String {
    let mut request = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: {}\r\nConnection: close\r\n",
        signing.path(),
        server.address(),
        content_type(message)
    );
    for (name, value) in signing.signature_at(SystemClock.now(), &server.base, message) {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut request = request.into_bytes();
    if signing.platform == Platform::ElevenLabs {
        // Its messages come in pieces, and nothing says of how many bytes in all.
        request.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
        for piece in message.as_bytes().chunks(1000) {
            request.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            request.extend_from_slice(&[piece, b"\r\n"].concat());
        }
        request.extend_from_slice(b"0\r\n\r\n");
    } else {
        let length = message.len();
        request.extend_from_slice(format!("Content-Length: {length}\r\n\r\n{message}").as_bytes());
    }
    let mut socket = TcpStream::connect(server.address()).expect("a connection");
    socket.write_all(&request).expect("it is sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    answer
}
