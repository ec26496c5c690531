//! A receiver of webhooks that behaves as badly as it is told to, and writes down what it gets.

mod authority;
mod behavior;
mod conversation;
mod old_tls;

pub use authority::{Authority, Flaw, Identity};
pub use behavior::{Answer, Behavior, gzip_bomb};
pub use old_tls::OldTls;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};
use tokio_rustls::TlsAcceptor;

use conversation::{End, converse};

/// A receiver on a port of its own, so that no two of them share a connection. It is gone when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    scheme: &'static str,
    notes: Arc<Notes>,
    _tasks: JoinSet<()>,
}

/// A request as it arrived, and what came of its connection.
#[derive(Clone, Debug)]
pub struct Got {
    /// When its body had been read, or its head where the body is not.
    pub at: Instant,
    /// The path that was asked for.
    pub path: String,
    /// The header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; empty where it is not read.
    pub body: Vec<u8>,
    /// How much was written in answer.
    pub written: u64,
    /// When the sender gave up a conversation that has no end.
    pub released: Option<Instant>,
}

impl Got {
    /// A header's value, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }
}

#[derive(Default)]
struct Notes {
    got: Mutex<Vec<Got>>,
    connections: Mutex<usize>,
}

impl Notes {
    fn got(&self) -> std::sync::MutexGuard<'_, Vec<Got>> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request. Returns its number, from 0.
    fn note(&self, request: Got) -> usize {
        let mut got = self.got();
        got.push(request);
        got.len() - 1
    }

    fn note_written(&self, number: usize, bytes: usize) {
        if let Some(got) = self.got().get_mut(number) {
            got.written += bytes as u64;
        }
    }

    fn note_released(&self, number: usize) {
        if let Some(got) = self.got().get_mut(number) {
            got.released = Some(Instant::now());
        }
    }

    fn note_connection(&self) {
        *self.connections.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }
}

/// Where webhooks may go in a test; [`ELSEWHERE`] is where they may not.
pub const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An address of this machine too, which nobody has allowed.
pub const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

impl Receiver {
    /// A receiver of plain HTTP.
    pub async fn start(behavior: Behavior) -> io::Result<Self> {
        Self::start_at(HOME, behavior).await
    }

    /// A receiver of plain HTTP at an address of this machine.
    pub async fn start_at(ip: IpAddr, behavior: Behavior) -> io::Result<Self> {
        let behavior = Arc::new(behavior);
        Self::listen(ip, "http", move |mut stream, notes| {
            let behavior = behavior.clone();
            async move {
                if converse(&mut stream, &behavior, &notes).await == End::Reset {
                    // What was not sent is thrown away, and the other side is told so.
                    let _ = stream.set_zero_linger();
                }
            }
        })
        .await
    }

    /// A receiver of HTTP over TLS.
    pub async fn start_tls(identity: &Identity, behavior: Behavior) -> io::Result<Self> {
        let (acceptor, behavior) = (TlsAcceptor::from(identity.0.clone()), Arc::new(behavior));
        Self::listen(HOME, "https", move |stream, notes| {
            let (acceptor, behavior) = (acceptor.clone(), behavior.clone());
            async move {
                // Who does not like our certificate goes away here.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    converse(&mut stream, &behavior, &notes).await;
                }
            }
        })
        .await
    }

    /// A server whose TLS is of another time.
    pub async fn start_old_tls(old: OldTls) -> io::Result<Self> {
        Self::listen(HOME, "https", move |mut stream, _| async move {
            let _ = old.greet(&mut stream).await;
        })
        .await
    }

    async fn listen<F>(
        ip: IpAddr,
        scheme: &'static str,
        serve: impl Fn(TcpStream, Arc<Notes>) -> F + Send + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((ip, 0)).await?;
        let address = listener.local_addr()?;
        let notes = Arc::<Notes>::default();
        let (mut tasks, kept) = (JoinSet::new(), notes.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                kept.note_connection();
                connections.spawn(serve(stream, kept.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, scheme, notes, _tasks: tasks })
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        self.url_as(&self.address.ip().to_string())
    }

    /// Its address under another name, or in another spelling.
    pub fn url_as(&self, host: &str) -> String {
        format!("{}://{host}:{}/hook", self.scheme, self.address.port())
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far.
    pub fn got(&self) -> Vec<Got> {
        self.notes.got().clone()
    }

    /// How many connections there were, also such that came to no request.
    pub fn connections(&self) -> usize {
        *self.notes.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there were so many requests. Returns whether they came in time.
    pub async fn arrived(&self, count: usize, patience: Duration) -> bool {
        let arrived = async {
            while self.notes.got().len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(patience, arrived).await.is_ok()
    }
}

/// A port of this machine on which nothing listens.
pub async fn closed_port() -> io::Result<u16> {
    let listener = TcpListener::bind((HOME, 0)).await?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn an_authority_whose_key_was_kept_is_the_same_again() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let first = Authority::new().expect("an authority");
        let again = Authority::with_key(&first.key_pem()).expect("an authority");
        let trusted = reqwest::Certificate::from_pem(first.pem().as_bytes()).expect("a certificate");
        let client = reqwest::Client::builder().tls_certs_only([trusted]).build().expect("a client");
        for (flaw, is_trusted) in [(Flaw::None, true), (Flaw::Expired, false), (Flaw::SelfSigned, false)] {
            let identity = again.identity(flaw).expect("a certificate");
            let receiver = Receiver::start_tls(&identity, Behavior::good()).await.expect("a port");
            let sent = client.post(receiver.url()).body("{}").send().await;
            assert_eq!(
                (sent.is_ok(), receiver.got().len()),
                (is_trusted, usize::from(is_trusted)),
                "{flaw:?}"
            );
        }
        assert!(Authority::with_key("nonsense").is_err());
    }

    #[tokio::test]
    async fn a_request_is_written_down_as_it_came_in_one_piece_or_in_chunks() {
        let receiver = Receiver::start(Behavior::fails(1)).await.expect("a port");
        let mut stream = TcpStream::connect(receiver.address()).await.expect("a connection");
        for (framing, body) in
            [("Content-Length: 2", "{}"), ("Transfer-Encoding: chunked", "1;x=y\r\n{\r\n1\r\n}\r\n0\r\n\r\n")]
        {
            let request = format!("POST /hook HTTP/1.1\r\nX-Some: thing\r\n{framing}\r\n\r\n{body}");
            stream.write_all(request.as_bytes()).await.expect("sent");
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                answer.push(stream.read_u8().await.expect("an answer"));
            }
        }
        let got = receiver.got();
        assert_eq!(got.len(), 2);
        assert!(got.iter().all(|got| got.body == b"{}" && got.header("x-some") == "thing"));
        assert_eq!((got[0].path.as_str(), receiver.connections()), ("/hook", 1));
        assert!(
            receiver.arrived(2, Duration::ZERO).await
                && !receiver.arrived(3, Duration::from_millis(10)).await
        );
    }
}
