//! The client against real servers on this machine. Those that behave badly are in `tests/hostile`.

#![expect(clippy::disallowed_methods, reason = "a test's server ends with its runtime")]

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::*;
use crate::guard::testing::{allow, answering};

/// A client for which every name is this machine, and which may go there.
pub(super) fn local() -> ClientOptions {
    let options = ClientOptions::new(Arc::new(allow(&["127.0.0.0/8", "hooks.test"])));
    ClientOptions { lookup: answering(&["127.0.0.1"]), timeout: Duration::from_secs(5), ..options }
}

pub(super) async fn post(options: &ClientOptions, url: &str) -> Outcome {
    let target = Target::parse(url, &options.allow).expect("a target");
    let client = Client::new(options).expect("a client");
    client.post(&target, HeaderMap::new(), Bytes::from_static(b"{}")).await
}

pub(super) async fn cause(options: &ClientOptions, url: &str) -> String {
    let outcome = post(options, url).await;
    assert!(!outcome.is_success());
    outcome.error.expect("a cause").to_string()
}

/// A server that hears each request out and then answers in its way; what it hears comes out of the channel.
async fn serve<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> (u16, mpsc::UnboundedReceiver<String>)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (heard, hears) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = hear(&mut stream).await;
            if heard.send(request).is_ok() {
                tokio::spawn(answer(stream));
            }
        }
    });
    (port, hears)
}

/// One request with the body `{}`.
async fn hear(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.ends_with(b"\r\n\r\n{}") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
    }
    String::from_utf8_lossy(&request).into_owned()
}

/// A server that always says this and closes.
pub(super) async fn saying(words: &'static str) -> (u16, mpsc::UnboundedReceiver<String>) {
    serve(move |mut stream| async move { stream.write_all(words.as_bytes()).await }).await
}

/// A port on which nothing listens.
async fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test]
async fn an_accepted_webhook_is_told_in_full() {
    let (port, mut heard) =
        saying("HTTP/1.1 202 Accepted\r\nX-Thing: a\r\ncontent-length: 2\r\n\r\nok").await;
    let options = local();
    let target =
        Target::parse(&format!("http://hooks.test:{port}/in?x=1"), &options.allow).expect("a target");
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", "InboundFlow-Webhook/1.0".parse().expect("a value"));
    let client = Client::new(&options).expect("a client");
    let outcome = client.post(&target, headers, Bytes::from_static(b"{}")).await;

    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!((outcome.status, outcome.response_body.as_slice()), (Some(202), b"ok".as_slice()));
    assert!(outcome.response_headers.contains(&("x-thing".to_owned(), "a".to_owned())));
    assert_eq!(outcome.address, Some(SocketAddr::from(([127, 0, 0, 1], port))));
    assert!(outcome.duration < Duration::from_secs(5));
    let request = heard.recv().await.expect("a request");
    assert!(request.starts_with("POST /in?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("user-agent: InboundFlow-Webhook/1.0\r\n"), "{request}");
    assert!(request.contains("content-length: 2\r\n"), "{request}");
    assert!(!request.contains("accept-encoding"), "{request}");
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let (port, mut heard) = serve(|mut stream| async move {
        loop {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
            hear(&mut stream).await;
        }
    })
    .await;
    let options = local();
    let target = Target::parse(&format!("http://hooks.test:{port}/"), &options.allow).expect("a target");
    let client = Client::new(&options).expect("a client");
    for _ in 0..3 {
        let outcome = client.post(&target, HeaderMap::new(), Bytes::from_static(b"{}")).await;
        assert!(outcome.is_success() && outcome.address.is_some(), "{outcome:?}");
    }
    assert!(heard.recv().await.is_some());
    assert!(heard.try_recv().is_err(), "there was one connection");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let (port, _heard) = serve(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
        Ok(())
    })
    .await;
    let options = ClientOptions { timeout: Duration::from_millis(300), ..local() };
    let outcome = post(&options, &format!("http://hooks.test:{port}/")).await;
    assert_eq!(outcome.error.expect("a cause").to_string(), "no answer within 0.3 s");
    assert_eq!(outcome.address, Some(SocketAddr::from(([127, 0, 0, 1], port))));
    // The handshake of TLS counts as connecting.
    let options = ClientOptions { connect_timeout: Duration::from_millis(300), ..local() };
    assert_eq!(cause(&options, &format!("https://hooks.test:{port}/")).await, "no connection within 0.3 s");
}

#[tokio::test]
async fn a_connection_that_fails_says_what_was_dialled() {
    let port = closed_port().await;
    let expected = format!("connection refused by 127.0.0.1:{port}");
    assert_eq!(cause(&local(), &format!("http://127.0.0.1:{port}/")).await, expected);
    assert_eq!(cause(&local(), &format!("https://hooks.test:{port}/")).await, expected);
    let two = ClientOptions { lookup: answering(&["127.0.0.1", "127.0.0.2"]), ..local() };
    let outcome = post(&two, &format!("http://hooks.test:{port}/")).await;
    assert_eq!(outcome.address, None, "it may have been either");
    let expected = format!("connection refused by 127.0.0.1:{port} and 127.0.0.2:{port}");
    assert_eq!(outcome.error.expect("a cause").to_string(), expected);
}

/// A question without a body, which the server of these tests takes for one of its own.
async fn fetched(words: &'static str, limit: usize) -> Result<(u16, String), String> {
    let (port, _heard) = saying(words).await;
    let options = local();
    let target = Target::parse(&format!("http://hooks.test:{port}/calls"), &options.allow).expect("a target");
    let client = Client::new(&options).expect("a client");
    let body = Some(Bytes::from_static(b"{}"));
    let answer = client.fetch(&target, HeaderMap::new(), body, limit).await;
    let text = |answer: Answer| (answer.status, String::from_utf8_lossy(&answer.body).into_owned());
    answer.map(text).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_good_answer_is_whole_or_none() {
    let whole = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwhat";
    assert_eq!(fetched(whole, 4).await, Ok((200, "what".into())));
    assert_eq!(fetched(whole, 3).await, Err("the answer is longer than 3 bytes".into()));
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\nwhat";
    assert!(fetched(cut, 100).await.is_err());
    // Of a bad one nobody reads the end.
    let cut = "HTTP/1.1 429 Slow\r\nretry-after: 5\r\ncontent-length: 40\r\n\r\nwhat";
    assert_eq!(fetched(cut, 100).await, Ok((429, "what".into())));
    // Where it leads to is not asked, because the key would go there.
    let moved = "HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(fetched(moved, 100).await, Ok((302, String::new())));
}
