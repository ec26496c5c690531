//! An authority of the operator's own, whose receivers are trusted beside the system's.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};
use serde_json::{Value, json};

use super::{
    scene::text,
    server::{Home, Kind, Ran},
};

/// An authority that nobody trusts, and what it has signed: a certificate for 127.0.0.1, valid from 2020 to 2126. Made
/// with openssl; its key is gone.
const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBezCCASKgAwIBAgIUTQYIK6CtHX5NIMZCxF50+6qBjucwCgYIKoZIzj0EAwIw\n\
GzEZMBcGA1UEAwwQcmVjZWl2ZXIgdGVzdCBDQTAgFw0yMDAxMDEwMDAwMDBaGA8y\n\
MTI2MDEwMTAwMDAwMFowGzEZMBcGA1UEAwwQcmVjZWl2ZXIgdGVzdCBDQTBZMBMG\n\
ByqGSM49AgEGCCqGSM49AwEHA0IABPsGj8Xj/G+5H9jQ33AU1lKPI1DjgxXxwrif\n\
OHftqgU/2jT/SrdVylNLJ9g19MMElrMngv1yNwlTiBuAYLEJtYOjQjBAMA8GA1Ud\n\
EwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgIEMB0GA1UdDgQWBBRdQqVE8W5jvmKT\n\
07A9PKtEDfACDjAKBggqhkjOPQQDAgNHADBEAiB7Jb31xz3+F6Hqe/89xkC/L7zj\n\
zMCXksgiV6N7Xrr5LgIgZIntwprdxZcPHjbIY7+eHYAmIGSQclz8MPqEgQhI/A8=\n\
-----END CERTIFICATE-----\n";
const CERTIFICATE: &str = "\
    MIIBqDCCAU+gAwIBAgIUYMVjOcYd0jl0wxtDrb+udWaaacYwCgYIKoZIzj0EAwIwGzEZMBcGA1UEAwwQcmVjZWl2ZXIgdGVzdCBD\
    QTAgFw0yMDAxMDEwMDAwMDBaGA8yMTI2MDEwMTAwMDAwMFowFDESMBAGA1UEAwwJMTI3LjAuMC4xMFkwEwYHKoZIzj0CAQYIKoZI\
    zj0DAQcDQgAEMmQCTIMCAKF0E+Phaz55D12iI7P/TibzSYNcNus9qYqsMT6aTsenkPrmBjghnN1/PE/RL4BB+l5N/wTMDPphfKN2\
    MHQwDAYDVR0TAQH/BAIwADAPBgNVHREECDAGhwR/AAABMBMGA1UdJQQMMAoGCCsGAQUFBwMBMB0GA1UdDgQWBBSu7JI5dMSl/5Fg\
    yWjMnUMdkDzfATAfBgNVHSMEGDAWgBRdQqVE8W5jvmKT07A9PKtEDfACDjAKBggqhkjOPQQDAgNHADBEAiASJ07ZIvqMsIgqULHT\
    o/S9fECU/+46K/aU0fUan1YQSwIgOA8/4tq7nf6RUJilQnIpnsQjdzSeXTzGW30jDmgKjoo=";
const KEY: &str = "\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgPpH88vZntMw+OKpgNdihkZinwYhlW8YOq1TUkEMYxMKhRANCAAQy\
    ZAJMgwIAoXQT4+FrPnkPXaIjs/9OJvNJg1w26z2piqwxPppOx6eQ+uYGOCGc3X88T9EvgEH6Xk3/BMwM+mF8";

/// A receiver for one connection that answers 200 over TLS. The port.
fn serve_tls() -> u16 {
    delivery::client::install_crypto();
    let bytes = |base64: &str| STANDARD.decode(base64).expect("base64");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![bytes(CERTIFICATE).into()], PrivatePkcs8KeyDer::from(bytes(KEY)).into())
        .expect("a certificate");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let (socket, _) = listener.accept()?;
        let connection = ServerConnection::new(Arc::new(config)).map_err(std::io::Error::other)?;
        let mut stream = StreamOwned::new(connection, socket);
        let _head = stream.read(&mut [0; 4096])?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
        stream.flush()?;
        std::io::copy(&mut stream, &mut std::io::sink())
    });
    port
}

const ALLOWED: &str = "[delivery]\nallow_targets = [\"127.0.0.1/32\"]\n";

#[tokio::test]
async fn an_authority_of_the_operators_file_is_trusted_beside_the_systems() {
    let home = Home::new(Kind::Sqlite).await;
    let configure = |text: &str| {
        fs::write(home.path().join("inboundflow.toml"), format!("{ALLOWED}{text}")).expect("a file");
    };
    let org = text(&home.json(&["org", "create", "--name", "Harbor"]), "id");
    let test = || -> Ran {
        let url = format!("https://127.0.0.1:{}/", serve_tls());
        home.run(&["webhook", "test", "--org", &org, "--url", &url, "--json"])
    };
    configure("");
    let refused: Value = serde_json::from_str(&test().stdout).expect("JSON");
    assert!(text(&refused, "error").starts_with("no TLS connection to 127.0.0.1: "), "{refused}");
    fs::write(home.path().join("ca.pem"), AUTHORITY).expect("a file");
    configure("ca_file = \"ca.pem\"\n");
    let taken = test().json();
    assert_eq!((&taken["delivered"], &taken["error"]), (&json!(true), &Value::Null));
}

#[tokio::test]
async fn a_file_of_authorities_that_cannot_be_used_is_named_at_the_start() {
    let home = Home::new(Kind::Sqlite).await;
    fs::write(home.path().join("empty.pem"), "").expect("a file");
    fs::write(home.path().join("words.pem"), "these are no certificates").expect("a file");
    let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(home.path().join("odd.pem"), odd).expect("a file");
    for (file, words) in [
        ("missing.pem", "cannot read missing.pem"),
        ("empty.pem", "no PEM certificate that can be read"),
        ("words.pem", "no PEM certificate that can be read"),
        ("odd.pem", ""),
    ] {
        let mut command = home.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("INBOUNDFLOW_DELIVERY__CA_FILE", file);
        Ran::of(command.output().expect("it starts")).assert_refused(&["delivery.ca_file", words]);
    }
}
