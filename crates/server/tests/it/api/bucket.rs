//! Recordings in a bucket: stand-ins speak as much of S3, Google Cloud Storage and Azure Blob Storage as is needed.

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
    parts: Mutex<BTreeMap<usize, Vec<u8>>>,
}

/// Whose the bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    S3,
    Google,
    Azure,
}

impl Kind {
    const ALL: [Self; 3] = [Self::S3, Self::Google, Self::Azure];

    fn store(self) -> &'static str {
        match self {
            Self::S3 => "s3://recordings/of/calls",
            Self::Google => "gs://recordings/of/calls",
            Self::Azure => "az://recordings/of/calls",
        }
    }

    /// What an operator sets, and where the stand-in is.
    fn options(self, endpoint: &str) -> Vec<(&'static str, &str)> {
        match self {
            Self::S3 => vec![
                ("aws_endpoint", endpoint),
                ("aws_allow_http", "true"),
                ("aws_region", "eu-central-1"),
                ("aws_access_key_id", "the-key"),
                ("aws_secret_access_key", "the-secret"),
            ],
            Self::Google => vec![
                ("google_base_url", endpoint),
                ("google_allow_http", "true"),
                ("google_bearer_token", "the-token"),
            ],
            Self::Azure => vec![
                ("azure_storage_endpoint", endpoint),
                ("azure_allow_http", "true"),
                ("azure_storage_account_name", "account"),
                ("azure_storage_account_key", "dGhlLWtleQ=="),
            ],
        }
    }

    /// How a request begins its proof.
    fn proof(self) -> &'static str {
        match self {
            Self::S3 => "AWS4-HMAC-SHA256 Credential=the-key/",
            Self::Google => "Bearer the-token",
            Self::Azure => "SharedKey account:",
        }
    }

    /// In which header the type of the sound is.
    fn content_type(self) -> &'static str {
        if self == Self::Azure { "x-ms-blob-content-type" } else { "content-type" }
    }
}

async fn answer(
    State((kind, bucket)): State<(Kind, Arc<Bucket>)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !header("authorization").starts_with(kind.proof()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    // Google's client writes the slashes of a name as it writes any other sign.
    let path = uri.path().replace("%2F", "/");
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let asks = |name: &str| query.contains_key(name);
    let is_sound = || assert_eq!(header(kind.content_type()), "audio/mpeg");
    let (mut objects, mut parts) = (bucket.objects.lock().expect("it"), bucket.parts.lock().expect("they"));
    match method.as_str() {
        "POST" if query.get("comp").is_some_and(|comp| comp == "batch") => {
            let body = String::from_utf8(body.to_vec()).expect("text");
            let named = body.lines().find_map(|line| line.strip_prefix("DELETE ")?.split(' ').next());
            deleted_in_batch(objects.remove(named.expect("a name")).is_some())
        }
        "POST" if asks("uploads") => {
            is_sound();
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
                .into_response()
        }
        "PUT" if asks("partNumber") || asks("blockid") => {
            let number = parts.len();
            parts.insert(number, body.to_vec());
            [("etag", format!("\"{number}\""))].into_response()
        }
        "POST" | "PUT" if asks("uploadId") || query.get("comp").is_some_and(|comp| comp == "blocklist") => {
            objects.insert(path, std::mem::take(&mut *parts).into_values().flatten().collect());
            let done = "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>";
            ([("etag", "\"e\"")], done).into_response()
        }
        "PUT" => {
            is_sound();
            objects.insert(path, body.to_vec());
            [("etag", "\"e\"")].into_response()
        }
        "GET" => match objects.get(&path) {
            Some(bytes) => part_of(bytes, header("range")),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        "DELETE" if asks("uploadId") => {
            parts.clear();
            StatusCode::NO_CONTENT.into_response()
        }
        "DELETE" => match objects.remove(&path) {
            // S3 does not say that there was nothing.
            None if kind == Kind::Google => StatusCode::NOT_FOUND.into_response(),
            _ => StatusCode::NO_CONTENT.into_response(),
        },
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

/// Azure's answer to a batch of one deletion.
fn deleted_in_batch(was_there: bool) -> Response {
    let status = if was_there { "202 Accepted" } else { "404 The specified blob does not exist." };
    let body = format!(
        "--b\r\nContent-Type: application/http\r\nContent-ID: 0\r\n\r\nHTTP/1.1 {status}\r\nx-ms-version: 1\r\n\r\n--b--\r\n"
    );
    (StatusCode::ACCEPTED, [("content-type", "multipart/mixed; boundary=b")], body).into_response()
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
    for kind in Kind::ALL {
        keep(kind).await;
    }
}

async fn keep(kind: Kind) {
    let bucket = Arc::<Bucket>::default();
    let state = (kind, bucket.clone());
    let router = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(state);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    spawn(async move { axum::serve(listener, router).await });
    let mut config = Config::default();
    config.recordings.store = Some(kind.store().into());
    for (name, value) in kind.options(&endpoint) {
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
    // What is no object yet Azure throws away by itself.
    assert!(kind == Kind::Azure || bucket.parts.lock().expect("they").is_empty(), "{kind:?}");
    assert!(bucket.objects.lock().expect("it").is_empty(), "{kind:?}");
}
