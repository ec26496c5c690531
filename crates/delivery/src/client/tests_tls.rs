//! The client against servers that speak TLS, or should.

use std::{
    io::{Read, Write},
    net::TcpListener as StdListener,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};

use super::{tests::*, *};

/// An authority that nobody trusts, and what it has signed: a certificate for `hooks.test`, valid from 2020 to 2126.
/// Made with openssl; its key is gone.
const AUTHORITY: &str = "\
    -----BEGIN CERTIFICATE-----\n\
    MIIBfDCCASKgAwIBAgIUHJqC7EKwtC0+13U+6uRyt3S321YwCgYIKoZIzj0EAwIw\n\
    GzEZMBcGA1UEAwwQZGVsaXZlcnkgdGVzdCBDQTAgFw0yMDAxMDEwMDAwMDBaGA8y\n\
    MTI2MDEwMTAwMDAwMFowGzEZMBcGA1UEAwwQZGVsaXZlcnkgdGVzdCBDQTBZMBMG\n\
    ByqGSM49AgEGCCqGSM49AwEHA0IABCE6qe2Eoz5Sn8tnzd83kBbY4X+51ezb5f2R\n\
    nWlpSK1cOG1bEkQzcfH/nsq99YnNwXmvLi9BwNb+u/iV7FSdWkWjQjBAMA8GA1Ud\n\
    EwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgIEMB0GA1UdDgQWBBSECxM3e4eAwheB\n\
    TiOcb1k1Q41ulTAKBggqhkjOPQQDAgNIADBFAiAglB6USxxwLhWWzkubsiUiD4Km\n\
    0s8n7i1aFftWkNyE/gIhANSRin6g1TsDmIkJiJVcmXP1Jda0QES4V4qxrTnJMt+G\n\
    -----END CERTIFICATE-----\n";
const CERTIFICATE: &str = "\
    MIIBsTCCAVagAwIBAgIUXsZ46S0pJ/Yf86jy3dcJqshSksUwCgYIKoZIzj0EAwIwGzEZMBcGA1UEAwwQZGVsaXZlcnkgdGVz\
    dCBDQTAgFw0yMDAxMDEwMDAwMDBaGA8yMTI2MDEwMTAwMDAwMFowFTETMBEGA1UEAwwKaG9va3MudGVzdDBZMBMGByqGSM49\
    AgEGCCqGSM49AwEHA0IABDZ8tQ3eFTb3F36/1V9yEaejOPp83b7plQXQH8I2JrPjXxIa9k3aYlIDdMTKazLbzD4XeSB2C1bG\
    tqnRWGfcgFyjfDB6MAwGA1UdEwEB/wQCMAAwFQYDVR0RBA4wDIIKaG9va3MudGVzdDATBgNVHSUEDDAKBggrBgEFBQcDATAd\
    BgNVHQ4EFgQUSmG68Fhqy6KlafgD6Trgkfun2zMwHwYDVR0jBBgwFoAUhAsTN3uHgMIXgU4jnG9ZNUONbpUwCgYIKoZIzj0E\
    AwIDSQAwRgIhANN8QwRZJ3kw8DrWPLOGUpzAON0aiMatOxffWYr4zE9eAiEAq/C0MIbL0eMgYO7iiLtxuA6silLwiTR9T93W\
    ju49Wkk=";
const KEY: &str = "\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTxB2Y+fheXM0pqv+IDsTRFNC/4MW6tW6T814ZqlIc4yhRANC\
    AAQ2fLUN3hU29xd+v9VfchGnozj6fN2+6ZUF0B/CNiaz418SGvZN2mJSA3TEymsy28w+F3kgdgtWxrap0Vhn3IBc";

/// A server for one connection that answers 200 over TLS.
fn serve_tls() -> u16 {
    install_crypto();
    let bytes = |base64: &str| STANDARD.decode(base64).expect("base64");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![bytes(CERTIFICATE).into()], PrivatePkcs8KeyDer::from(bytes(KEY)).into())
        .expect("a certificate");
    let listener = StdListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let (socket, _) = listener.accept()?;
        let connection = ServerConnection::new(Arc::new(config)).map_err(std::io::Error::other)?;
        let mut stream = StreamOwned::new(connection, socket);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
        stream.flush()?;
        std::io::copy(&mut stream, &mut std::io::sink())
    });
    port
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let outcome = post(&local(), &format!("https://hooks.test:{}/", serve_tls())).await;
    assert!(!outcome.is_success());
    assert!(matches!(outcome.error, Some(Cause::Tls { .. })), "{:?}", outcome.error);
}

#[tokio::test]
async fn an_authority_of_the_operators_bundle_is_trusted_for_the_right_name_only() {
    let options = ClientOptions { ca_bundle: Some(AUTHORITY.into()), ..local() };
    let outcome = post(&options, &format!("https://hooks.test:{}/", serve_tls())).await;
    assert!(outcome.is_success(), "{:?}", outcome.error);
    assert_eq!(
        cause(&options, &format!("https://127.0.0.1:{}/", serve_tls())).await,
        "no TLS connection to 127.0.0.1: the server's certificate is for another host"
    );
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
        let url = format!("https://hooks.test:{}/", serve_tls());
        let target = Target::parse(&url, &options.allow).expect("a target");
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
