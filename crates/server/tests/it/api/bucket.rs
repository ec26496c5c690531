//! Recordings in a bucket: a stand-in speaks as much of S3 as is needed.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use inboundflow::{app, config::Config};
use recordings::{Vault, sniff::sniff};
use tokio::net::TcpListener;

use crate::support::spawn;

#[derive(Default)]
struct Bucket {
    objects: Mutex<HashMap<String, Vec<u8>>>,
    /// Of the object that is being written.
    parts: Mutex<BTreeMap<u32, Vec<u8>>>,
}

async fn answer(
    State(bucket): State<Arc<Bucket>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=the-key/") {
        return StatusCode::FORBIDDEN.into_response();
    }
    let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or_default());
    let part = query.split('&').find_map(|pair| pair.strip_prefix("partNumber=")?.parse().ok());
    let (mut objects, mut parts) = (bucket.objects.lock().expect("it"), bucket.parts.lock().expect("they"));
    match (method.as_str(), part) {
        ("POST", _) if query.starts_with("uploads") => {
            assert_eq!(header("content-type"), "audio/mpeg");
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
                .into_response()
        }
        ("PUT", Some(number)) => {
            parts.insert(number, body.to_vec());
            [("etag", format!("\"{number}\""))].into_response()
        }
        ("POST", _) => {
            objects.insert(path, std::mem::take(&mut *parts).into_values().flatten().collect());
            "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>"
                .into_response()
        }
        ("PUT", None) => {
            assert_eq!(header("content-type"), "audio/mpeg");
            objects.insert(path, body.to_vec());
            [("etag", "\"e\"")].into_response()
        }
        ("GET", _) => match objects.get(&path) {
            Some(bytes) => part_of(bytes, header("range")),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        ("DELETE", _) if query.contains("uploadId") => {
            parts.clear();
            StatusCode::NO_CONTENT.into_response()
        }
        ("DELETE", _) => {
            objects.remove(&path);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

fn part_of(bytes: &[u8], range: &str) -> Response {
    let (first, last) =
        range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).expect("a range");
    let (first, last): (usize, usize) = (first.parse().expect("a number"), last.parse().expect("a number"));
    let headers = [
        ("content-range", format!("bytes {first}-{last}/{}", bytes.len())),
        ("etag", "\"e\"".into()),
        ("last-modified", "Tue, 24 Feb 2026 21:00:00 GMT".into()),
    ];
    (StatusCode::PARTIAL_CONTENT, headers, bytes[first..=last].to_vec()).into_response()
}

async fn read(vault: &Vault, range: Range<u64>) -> Vec<u8> {
    let mut pieces = vault.get("org/a", range).await.expect("an object");
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece.expect("a piece"));
    }
    bytes
}

#[tokio::test]
async fn a_bucket_keeps_recordings_as_a_folder_does() {
    let bucket = Arc::<Bucket>::default();
    let router = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(bucket.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    spawn(async move { axum::serve(listener, router).await });
    let mut config = Config::default();
    config.recordings.store = Some("s3://recordings/of/calls".into());
    for (name, value) in [
        ("aws_endpoint", endpoint.as_str()),
        ("aws_allow_http", "true"),
        ("aws_region", "eu-central-1"),
        ("aws_access_key_id", "the-key"),
        ("aws_secret_access_key", "the-secret"),
    ] {
        config.recordings.options.insert(name.into(), value.into());
    }
    let vault = app::vault(&config).expect("a vault");
    let sound = sniff(b"ID3\x04", None).expect("sound");
    // In one request, and in parts.
    for size in [1_000_u32, 12_000_000] {
        let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let mut upload = vault.put("org/a", sound);
        for piece in bytes.chunks(70_000) {
            upload.write(Bytes::copy_from_slice(piece)).await.expect("written");
        }
        assert!(bucket.objects.lock().expect("it").is_empty(), "it is not there before it is finished");
        assert_eq!(upload.finish().await.expect("finished").size, u64::from(size));
        let kept = bucket.objects.lock().expect("it").get("/recordings/of/calls/org/a").cloned();
        assert!(kept.expect("an object") == bytes);
        assert!(read(&vault, 0..u64::from(size)).await == bytes);
        assert_eq!(read(&vault, 5..9).await, bytes[5..9]);
        vault.delete("org/a").await.expect("deleted");
        vault.delete("org/a").await.expect("deleted already");
        assert!(vault.get("org/a", 0..10).await.err().is_some_and(|error| error.is_missing()));
    }
    let mut upload = vault.put("org/a", sound);
    upload.write(Bytes::from(vec![0; 12_000_000])).await.expect("written");
    upload.abort().await;
    assert!(bucket.parts.lock().expect("they").is_empty() && bucket.objects.lock().expect("it").is_empty());
}
