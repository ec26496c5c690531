//! Why a request failed, in words for the person whose endpoint it was. The HTTP client's own errors say it deep
//! inside, in other crates' types.

use std::{error::Error, io, net::SocketAddr, time::Duration};

use rustls::{AlertDescription, CertificateError, PeerIncompatible};

use super::{Authorities, Client};
use crate::guard::{DnsError, Forbidden, ResolveError, Target};

/// Why a request failed. Its `Display` is a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The name leads to an address that may not be dialled.
    #[error(transparent)]
    Forbidden(Forbidden),
    /// The name could not be resolved.
    #[error(transparent)]
    Dns(DnsError),
    /// The machine is there and nothing listens on the port, or a firewall says so.
    #[error("connection refused by {by}")]
    Refused {
        /// What was dialled: addresses with their port.
        by: String,
    },
    /// The network does not lead there.
    #[error("no connection to {to}: {why}")]
    Unreachable {
        /// What was dialled: addresses with their port.
        to: String,
        /// What the system says.
        why: String,
    },
    /// No encrypted connection came about, or not to the right server.
    #[error("no TLS connection to {host}: {why}")]
    Tls {
        /// The host.
        host: String,
        /// What is wrong.
        why: String,
    },
    /// It took too long.
    #[error("{} within {} s", phase.missing(), after.as_secs_f64())]
    Timeout {
        /// What was waited for.
        phase: Phase,
        /// How long.
        after: Duration,
    },
    /// The receiver closed the connection.
    #[error("the connection was closed before {} was complete", phase.noun())]
    Closed {
        /// What was not complete.
        phase: Phase,
    },
    /// The receiver reset the connection, or somebody on the way did.
    #[error("the connection was reset before {} was complete", phase.noun())]
    Reset {
        /// What was not complete.
        phase: Phase,
    },
    /// The answer's status and header lines are longer than is read.
    #[error("the answer's head is too long: more than 100 lines or some 400 KB")]
    HeadTooLong,
    /// What came back is not HTTP.
    #[error("the answer is not HTTP: {0}")]
    NotHttp(String),
    /// Anything else.
    #[error("the request failed: {0}")]
    Other(String),
}

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Resolving the name, TCP and TLS.
    Connect,
    /// Sending the request, until the answer's status and header lines.
    Answer,
    /// The answer's body.
    Body,
}

impl Phase {
    fn missing(self) -> &'static str {
        match self {
            Self::Connect => "no connection",
            Self::Answer => "no answer",
            Self::Body => "the answer began but did not end",
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Connect => "the connection",
            Self::Answer => "the answer's head",
            Self::Body => "the answer's body",
        }
    }
}

/// Reads the cause out of the HTTP client's error.
pub(super) fn of(
    error: &reqwest::Error,
    phase: Phase,
    dialled: &[SocketAddr],
    target: &Target,
    client: &Client,
) -> Cause {
    match find::<ResolveError>(error).cloned() {
        Some(ResolveError::Forbidden(forbidden)) => return Cause::Forbidden(forbidden),
        Some(ResolveError::Dns(error)) => return Cause::Dns(error),
        None => {}
    }
    if let Some(error) = find::<rustls::Error>(error) {
        return Cause::Tls { host: target.host().to_owned(), why: tls_words(error, client.authorities) };
    }
    match (error.is_connect(), error.is_timeout()) {
        (true, true) => Cause::Timeout { phase: Phase::Connect, after: client.connect_timeout },
        (true, false) => no_connection(error, dialled, target),
        // Our own limit is not among these: it is the system that gave up on a connection.
        (false, true) => Cause::Closed { phase },
        (false, false) => no_answer(error, phase),
    }
}

fn no_connection(error: &reqwest::Error, dialled: &[SocketAddr], target: &Target) -> Cause {
    let Some(io) = last_io(error) else { return Cause::Other(words(error)) };
    match io.kind() {
        io::ErrorKind::ConnectionRefused => Cause::Refused { by: list(dialled, target) },
        // TCP answers an attempt to connect with none of these, so it was TLS that they interrupted.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            Cause::Tls {
                host: target.host().to_owned(),
                why: "the server closed the connection during the handshake".to_owned(),
            }
        }
        _ => Cause::Unreachable { to: list(dialled, target), why: io.to_string() },
    }
}

fn no_answer(error: &reqwest::Error, phase: Phase) -> Cause {
    let io = last_io(error).map(io::Error::kind);
    if io == Some(io::ErrorKind::ConnectionReset) {
        return Cause::Reset { phase };
    }
    if let Some(error) = find::<hyper::Error>(error) {
        if error.is_parse_too_large() {
            return Cause::HeadTooLong;
        }
        if error.is_parse() {
            return Cause::NotHttp(words(error));
        }
        if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            return Cause::Closed { phase };
        }
    }
    match io {
        // What no chunk of a body can begin with.
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => Cause::NotHttp(words(error)),
        Some(_) => Cause::Closed { phase },
        None => Cause::Other(words(error)),
    }
}

/// What is wrong with a TLS connection, seen from the receiver's side.
fn tls_words(error: &rustls::Error, authorities: Authorities) -> String {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(_) if authorities == Authorities::Missing => {
            "this InboundFlow server has no CA certificates to check others with".to_owned()
        }
        Tls::InvalidCertificate(certificate) => certificate_words(certificate),
        Tls::InvalidMessage(_) => "the server does not speak TLS on this port".to_owned(),
        Tls::AlertReceived(AlertDescription::ProtocolVersion)
        | Tls::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "the server speaks no TLS version that is still safe (1.2 and 1.3)".to_owned()
        }
        Tls::AlertReceived(alert) => format!("the server refused the handshake ({alert:?})"),
        Tls::PeerIncompatible(_) => "the server has no TLS version or cipher in common with us".to_owned(),
        other => other.to_string(),
    }
}

fn certificate_words(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another host".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "the server's certificate is self-signed, of an unknown authority, or sent without its chain"
                .to_owned()
        }
        CertificateError::Revoked => "the server's certificate has been revoked".to_owned(),
        other => format!("the server's certificate is not valid ({other})"),
    }
}

fn list(dialled: &[SocketAddr], target: &Target) -> String {
    if dialled.is_empty() {
        return format!("{}:{}", target.host(), target.port());
    }
    let addresses: Vec<String> = dialled.iter().map(SocketAddr::to_string).collect();
    addresses.join(" and ")
}

/// An error and what caused it, outermost first.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        // An `io::Error` around another error names that one's source as its own and so hides it.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(|error| error.downcast_ref())
}

fn last_io<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    chain(error).filter_map(|error| error.downcast_ref()).last()
}

/// The innermost words. The outer ones repeat them, and reqwest's name the URL, whose path may be a secret.
fn words(error: &(dyn Error + 'static)) -> String {
    chain(error)
        .filter(|error| !error.is::<reqwest::Error>())
        .last()
        .map_or_else(|| "it could not be sent".to_owned(), ToString::to_string)
}
