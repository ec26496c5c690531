//! The HTTP client that sends webhooks, and anything else that goes to a URL a person chose. It follows nothing,
//! decodes nothing, trusts no proxy, and reads and waits only so much.

mod cause;
mod connecting;
mod download;
mod fetch;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_tls;

pub use cause::{Cause, Phase};
pub use download::Download;
pub use fetch::{Answer, FetchError};

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::{Certificate, ClientBuilder, Response, redirect, retry};

use self::connecting::NotingLayer;
use crate::guard::{
    AllowList, DnsError, Lookup, Notes, Target, VettingResolver, WaitsFor, noting, system_lookup,
};

/// How much of an answer's body is read. Who sends more is cut off.
const READ_BYTES: usize = 64 * 1024;

/// How much of an answer's body is kept.
const KEPT_BYTES: usize = 16 * 1024;

/// How much of an answer's header lines is kept, names and values together.
const KEPT_HEADER_BYTES: usize = 16 * 1024;

/// Header lines of an answer that say what is to be done, or where it should have gone.
const DECISIVE: [HeaderName; 2] = [header::RETRY_AFTER, header::LOCATION];

/// How the client is set up.
#[derive(Clone)]
pub struct ClientOptions {
    /// The private places it may go to.
    pub allow: Arc<AllowList>,
    /// How names are looked up.
    pub lookup: Lookup,
    /// How long a request may take in all, the answer's body included.
    pub timeout: Duration,
    /// How long a new connection may take: resolving the name (3 s at most), TCP and TLS together.
    pub connect_timeout: Duration,
    /// Certificates (PEM) of authorities to trust besides the system's.
    pub ca_bundle: Option<Vec<u8>>,
}

impl ClientOptions {
    /// The usual set-up: 8 s for a connection, 15 s in all, names and authorities from the system.
    pub fn new(allow: Arc<AllowList>) -> Self {
        Self {
            allow,
            lookup: system_lookup(),
            timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(8),
            ca_bundle: None,
        }
    }
}

/// How long a request may take, and how much of its answer is taken.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long it may take in all, the answer's body included.
    pub timeout: Duration,
    /// How much of the answer's body is read, in bytes. Who sends more is cut off.
    pub read_bytes: usize,
    /// How much of the answer's body is kept, in bytes.
    pub kept_bytes: usize,
}

/// Why a [`Client`] cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The CA bundle holds no certificate that can be read.
    #[error("the CA bundle holds no PEM certificate that can be read")]
    CaBundle(#[source] Option<reqwest::Error>),
    /// The rest.
    #[error("the HTTP client cannot be set up")]
    Build(#[source] reqwest::Error),
}

/// Sends requests over pooled connections. Made once; a clone shares the pool.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    timeout: Duration,
    connect_timeout: Duration,
    authorities: Authorities,
}

/// Who vouches for the servers that we call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Authorities {
    /// Those of the system, and of the CA bundle.
    Known,
    /// Nobody: the system has no certificates, so that every https request fails.
    Missing,
}

/// What came of a request.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The answer's status, where one came.
    pub status: Option<u16>,
    /// The answer's header lines, names in lower case, at most 16 KiB of them.
    pub response_headers: Vec<(String, String)>,
    /// The beginning of the answer's body: at most 16 KiB, unless more was asked for.
    pub response_body: Vec<u8>,
    /// The address that was dialled, where it is known.
    pub address: Option<SocketAddr>,
    /// How long it took, the answer's body included.
    pub duration: Duration,
    /// What went wrong. An answer with a bad status is an answer, not an error.
    pub error: Option<Cause>,
}

impl Outcome {
    /// Whether the receiver has accepted: a status from 200 to 299 and nothing went wrong.
    pub fn is_success(&self) -> bool {
        self.error.is_none() && self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// Makes *ring* the cryptography of this process's TLS, unless another was chosen before. [`Client::new`] calls it;
/// a program that uses rustls elsewhere calls it first thing in `main`.
pub fn install_crypto() {
    // An error says that there is a choice already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Client {
    /// A client with a pool of its own. It can be made on a machine without CA certificates, where https fails later
    /// with words that say so.
    pub fn new(options: &ClientOptions) -> Result<Self, ClientError> {
        install_crypto();
        let bundle = read_bundle(options)?;
        let with_system = builder(options).tls_certs_merge(bundle.clone()).build();
        let (http, authorities) = match with_system {
            Ok(http) => (http, Authorities::Known),
            Err(error) if bundle.is_empty() => {
                tracing::warn!(?error, "no CA certificates on this system: https webhooks will fail");
                (without_authorities(options)?, Authorities::Missing)
            }
            Err(error) => return Err(ClientError::Build(error)),
        };
        let ClientOptions { timeout, connect_timeout, .. } = *options;
        Ok(Self { http, timeout, connect_timeout, authorities })
    }

    /// How long a request may take in all.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Posts a body. Whatever happens is told by the outcome.
    pub async fn post(&self, target: &Target, headers: HeaderMap, body: Bytes) -> Outcome {
        let usual = Bounds { timeout: self.timeout, read_bytes: READ_BYTES, kept_bytes: KEPT_BYTES };
        self.post_within(target, headers, body, usual).await
    }

    /// Posts a body, with bounds of one's own to how long it may take and how much of the answer counts.
    pub async fn post_within(
        &self,
        target: &Target,
        headers: HeaderMap,
        body: Bytes,
        bounds: Bounds,
    ) -> Outcome {
        self.carry(target, self.http.post(target.url().clone()).headers(headers).body(body), bounds).await
    }

    /// Sends a request and takes the answer. Whatever happens is told by the outcome.
    async fn carry(&self, target: &Target, request: reqwest::RequestBuilder, bounds: Bounds) -> Outcome {
        let watch = stopwatch();
        let mut outcome = Outcome::default();
        let (result, notes) =
            noting(tokio::time::timeout(bounds.timeout, exchange(request, &mut outcome, bounds))).await;
        outcome.duration = watch.elapsed();

        let phase = if outcome.status.is_some() { Phase::Body } else { Phase::Answer };
        let dialled = dialled(target, &notes);
        outcome.error = match result {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(cause::of(&error, phase, &dialled, target, self)),
            Err(_) => Some(out_of_time(target, phase, notes.waits_for, bounds.timeout)),
        };
        if let [only] = dialled[..] {
            outcome.address.get_or_insert(only);
        }
        outcome
    }
}

/// Starts measuring how long something takes: the one place that asks the system for that.
///
/// A duration for people to read need not come from the `Clock`.
#[expect(clippy::disallowed_methods, reason = "it measures and decides nothing")]
fn stopwatch() -> Instant {
    Instant::now()
}

/// Sends the request and reads the answer into the outcome, which keeps what came before an error or a timeout.
async fn exchange(
    request: reqwest::RequestBuilder,
    outcome: &mut Outcome,
    bounds: Bounds,
) -> reqwest::Result<()> {
    let mut response = request.send().await?;
    outcome.status = Some(response.status().as_u16());
    outcome.address = response.remote_addr();
    outcome.response_headers = kept_headers(response.headers());
    read_body(&mut response, &mut outcome.response_body, bounds).await
}

async fn read_body(response: &mut Response, kept: &mut Vec<u8>, bounds: Bounds) -> reqwest::Result<()> {
    let mut read = 0;
    while read < bounds.read_bytes
        && let Some(chunk) = response.chunk().await?
    {
        read += chunk.len();
        let room = bounds.kept_bytes.saturating_sub(kept.len());
        kept.extend(chunk.iter().take(room));
    }
    Ok(())
}

/// The header lines that are kept, in their order. Those that we act on come before all others, however many there are;
/// of the others those that find room.
fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let size = |name: &HeaderName, value: &HeaderValue| name.as_str().len() + value.len();
    let decisive = headers.iter().filter(|(name, _)| DECISIVE.contains(name));
    let mut room = KEPT_HEADER_BYTES;
    let mut reserved = 0;
    for (name, value) in decisive {
        reserved += size(name, value).min(room - reserved);
    }
    room -= reserved;
    let mut kept = Vec::new();
    for (name, value) in headers {
        let (size, room) =
            (size(name, value), if DECISIVE.contains(name) { &mut reserved } else { &mut room });
        if size <= *room {
            *room -= size;
            kept.push((name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        }
    }
    kept
}

/// What is said where the whole time is over: it is what was waited for that did not come.
fn out_of_time(target: &Target, phase: Phase, waits_for: WaitsFor, after: Duration) -> Cause {
    match (phase, waits_for) {
        (Phase::Body, _) | (_, WaitsFor::Answer) => Cause::Timeout { phase, after },
        (_, WaitsFor::Connection) => Cause::Timeout { phase: Phase::Connect, after },
        (_, WaitsFor::Addresses) => Cause::Dns(DnsError::Timeout { host: target.host().to_owned(), after }),
    }
}

/// Where a new connection may have gone: one address, or several if the name has them.
fn dialled(target: &Target, notes: &Notes) -> Vec<SocketAddr> {
    let addresses: Vec<IpAddr> = target.ip().map_or_else(|| notes.resolved.clone(), |ip| vec![ip]);
    addresses.into_iter().map(|ip| SocketAddr::new(ip, target.port())).collect()
}

fn read_bundle(options: &ClientOptions) -> Result<Vec<Certificate>, ClientError> {
    let Some(pem) = &options.ca_bundle else { return Ok(vec![]) };
    let certificates =
        Certificate::from_pem_bundle(pem).map_err(|error| ClientError::CaBundle(Some(error)))?;
    if certificates.is_empty() {
        return Err(ClientError::CaBundle(None));
    }
    Ok(certificates)
}

fn without_authorities(options: &ClientOptions) -> Result<reqwest::Client, ClientError> {
    builder(options).tls_certs_only([]).build().map_err(ClientError::Build)
}

fn builder(options: &ClientOptions) -> ClientBuilder {
    let resolver = VettingResolver::new(options.allow.clone(), options.lookup.clone());
    reqwest::Client::builder()
        .dns_resolver(Arc::new(resolver))
        // A redirect may lead anywhere, and the person should see that it is one.
        .redirect(redirect::Policy::none())
        // Retries are the schedule's, each with its own record.
        .retry(retry::never())
        // A proxy would resolve names itself, past the guard.
        .no_proxy()
        // What is kept is what was sent; a small answer must not become a large one.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .http1_only()
        .tcp_nodelay(true)
        .connector_layer(NotingLayer)
        .connect_timeout(options.connect_timeout)
        .pool_idle_timeout(Duration::from_secs(60))
}
