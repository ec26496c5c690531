//! The client against servers that speak TLS, or should. Those whose certificates are bad are in `tests/hostile`.

use std::{
    io::{Read, Write},
    net::TcpListener as StdListener,
};

use conform::receiver::{Authority, Behavior, Flaw, Receiver};

use super::{tests::*, *};

/// A server with a good certificate of an authority that nobody trusts.
async fn serve_tls() -> Receiver {
    let authority = Authority::new().expect("an authority");
    let identity = authority.identity(Flaw::None).expect("a certificate");
    Receiver::start_tls(&identity, Behavior::good()).await.expect("a port")
}

#[tokio::test]
async fn a_bundle_without_certificates_is_an_error() {
    for bundle in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let options = ClientOptions { ca_bundle: Some(bundle.into()), ..local() };
        assert!(Client::new(&options).is_err(), "{bundle:?}");
    }
}

#[tokio::test]
async fn whose_fault_an_unknown_authority_is_depends_on_whether_we_know_any() {
    let options = local();
    for (authorities, words) in [
        (
            Authorities::Known,
            "the server's certificate is self-signed, of an unknown authority, or sent without its chain",
        ),
        (Authorities::Missing, "this InboundFlow server has no CA certificates to check others with"),
    ] {
        let known = Client::new(&options).expect("a client");
        let http = without_authorities(&options).expect("a client");
        let client = Client { http, authorities, ..known };
        let server = serve_tls().await;
        let target = Target::parse(&server.url_as("hooks.test"), &options.allow).expect("a target");
        let outcome = client.post(&target, HeaderMap::new(), Bytes::new()).await;
        let cause = outcome.error.expect("a cause").to_string();
        assert_eq!(cause, format!("no TLS connection to hooks.test: {words}"));
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart() {
    for (answer, words) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "the server does not speak TLS on this port"),
        ("", "the server closed the connection during the handshake"),
    ] {
        let listener = StdListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept()?;
            let _hello = stream.read(&mut [0; 4096])?;
            stream.write_all(answer.as_bytes())
        });
        let expected = format!("no TLS connection to hooks.test: {words}");
        assert_eq!(cause(&local(), &format!("https://hooks.test:{port}/")).await, expected);
    }
}
