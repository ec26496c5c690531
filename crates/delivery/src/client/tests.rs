//! The client against real servers on this machine, well-behaved and otherwise.

#![expect(clippy::disallowed_methods, reason = "a test's server ends with its runtime")]

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::*;
use crate::guard::{
    Reason,
    testing::{allow, answering},
};

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
async fn a_redirect_is_shown_and_not_followed() {
    let (port, mut heard) =
        saying("HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n").await;
    let outcome = post(&local(), &format!("http://127.0.0.1:{port}/")).await;
    assert_eq!((outcome.status, &outcome.error), (Some(302), &None));
    assert!(!outcome.is_success());
    assert!(outcome.response_headers.contains(&("location".to_owned(), "/elsewhere".to_owned())));
    assert!(heard.recv().await.is_some());
    assert!(heard.try_recv().is_err(), "nothing was sent after the redirect");
}

#[tokio::test]
async fn the_time_limit_includes_a_body_that_trickles() {
    let (port, _heard) = serve(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await?;
        loop {
            stream.write_all(b"x").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let options = ClientOptions { timeout: Duration::from_millis(300), ..local() };
    let outcome = post(&options, &format!("http://127.0.0.1:{port}/")).await;
    assert_eq!(outcome.status, Some(200));
    assert!(!outcome.is_success());
    assert!(outcome.response_body.starts_with(b"xx"), "what came is kept");
    let cause = outcome.error.expect("a cause").to_string();
    assert_eq!(cause, "the answer began but did not end within 0.3 s");
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
async fn an_endless_body_is_cut_off() {
    let (gone, mut is_gone) = mpsc::unbounded_channel();
    let (port, _heard) = serve(move |mut stream| {
        let gone = gone.clone();
        async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            while stream.write_all(&[b'x'; 1024]).await.is_ok() {}
            gone.send(()).map_err(io::Error::other)
        }
    })
    .await;
    let outcome = post(&local(), &format!("http://127.0.0.1:{port}/")).await;
    assert!(outcome.is_success(), "{:?}", outcome.error);
    assert_eq!(outcome.response_body.len(), KEPT_BYTES);
    assert_eq!(is_gone.recv().await, Some(()), "the connection was closed");
}

#[tokio::test]
async fn many_headers_are_kept_in_part() {
    let line = ("x-long".to_owned(), "v".repeat(5000));
    let headers = HeaderMap::from_iter((0..9).map(|n| {
        (
            http::HeaderName::try_from(format!("{}{n}", line.0)).expect("a name"),
            line.1.parse().expect("a value"),
        )
    }));
    assert_eq!(kept_headers(&headers).len(), 3);
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

#[tokio::test]
async fn a_conversation_that_breaks_says_where() {
    for (answer, words) in [
        ("", "the connection was closed before the answer's head was complete"),
        ("HTTP/1.1 200 O", "the connection was closed before the answer's head was complete"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
            "the connection was closed before the answer's body was complete",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
            "the connection was closed before the answer's body was complete",
        ),
        ("SSH-2.0-OpenSSH_9.6\r\n", "the answer is not HTTP: invalid HTTP version parsed"),
    ] {
        let (port, _heard) = saying(answer).await;
        assert_eq!(cause(&local(), &format!("http://127.0.0.1:{port}/")).await, words, "{answer:?}");
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_dialled() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://hooks.example.com:{}/", listener.local_addr().expect("an address").port());
    for (answer, words) in [
        (
            vec!["10.0.0.1"],
            "the address 10.0.0.1 of hooks.example.com is private; allow it with delivery.allow_targets",
        ),
        (
            vec!["93.184.216.34", "127.0.0.1"],
            "the address 127.0.0.1 of hooks.example.com is loopback; allow it with delivery.allow_targets",
        ),
    ] {
        let options = ClientOptions { lookup: answering(&answer), allow: Arc::default(), ..local() };
        let outcome = post(&options, &url).await;
        assert_eq!(outcome.address, None);
        assert!(matches!(outcome.error, Some(Cause::Forbidden(_))), "{:?}", outcome.error);
        assert_eq!(outcome.error.expect("a cause").to_string(), words);
    }
    let dialled = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(dialled.is_err(), "nobody called");
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_judged_by_what_is_dialled() {
    let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let lookup: Lookup = Arc::new(move |_| {
        let first = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        let ip = if first { "93.184.216.34" } else { "127.0.0.1" };
        Box::pin(async move { Ok(vec![ip.parse().map_err(io::Error::other)?]) })
    });
    assert!(
        lookup("rebind.example.com".to_owned()).await.is_ok(),
        "whoever looked before saw a public address"
    );
    let options = ClientOptions { lookup, allow: Arc::default(), ..local() };
    let outcome = post(&options, "https://rebind.example.com/").await;
    assert!(matches!(
        outcome.error,
        Some(Cause::Forbidden(crate::guard::Forbidden { reason: Reason::Loopback, .. }))
    ));
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_is_told() {
    let options =
        ClientOptions { lookup: Arc::new(|_| Box::pin(async { Err(io::Error::other("nope")) })), ..local() };
    let outcome = post(&options, "https://hooks.test/").await;
    assert!(matches!(outcome.error, Some(Cause::Dns(_))), "{:?}", outcome.error);
    assert_eq!(
        outcome.error.expect("a cause").to_string(),
        "the name hooks.test could not be resolved: nope"
    );
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
