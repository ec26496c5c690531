//! What the receivers of webhooks saw: every arrival with the answer that it got, by the round in which it came.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use uuid::Uuid;

use super::super::server::{PATIENCE, until};

/// How an endpoint's receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// It takes everything at once.
    Steady,
    /// It takes its time.
    Slow,
    /// It refuses one in five the first time.
    Moody,
}

impl Manner {
    pub(super) const ALL: [Self; 3] = [Self::Steady, Self::Slow, Self::Moody];

    /// The path of its address.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Steady => "/steady",
            Self::Slow => "/slow",
            Self::Moody => "/moody",
        }
    }
}

/// A webhook as it arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) delivery: Uuid,
    pub(super) round: usize,
    /// What it was answered, or would have been where the sender was killed meanwhile.
    pub(super) status: u16,
    /// A hash of its body.
    pub(super) body: u64,
}

/// Receivers on one port of this machine. They are gone when this is dropped.
pub(super) struct Ledger {
    pub(super) address: SocketAddr,
    book: Arc<Book>,
    _task: JoinSet<()>,
}

#[derive(Default)]
struct Book {
    round: AtomicUsize,
    open: AtomicUsize,
    arrivals: Mutex<Vec<Arrival>>,
    mood: Mutex<Mood>,
}

/// Which deliveries the moody one has seen, and how many it took since it last refused one.
#[derive(Default)]
struct Mood {
    seen: HashMap<Uuid, usize>,
    taken: usize,
}

impl Ledger {
    pub(super) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let book = Arc::<Book>::default();
        let (mut task, kept) = (JoinSet::new(), book.clone());
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                kept.open.fetch_add(1, Ordering::SeqCst);
                let book = kept.clone();
                connections.spawn(async move {
                    let _ = book.serve(stream).await;
                    book.open.fetch_sub(1, Ordering::SeqCst);
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, book, _task: task }
    }

    /// Begins a round. What the process of the round before sent must have been read by now, or it would count here.
    pub(super) async fn begin(&self, round: usize) {
        until("the connections of the server before have ended", PATIENCE, async || {
            (self.book.open.load(Ordering::SeqCst) == 0).then_some(())
        })
        .await;
        self.book.round.store(round, Ordering::SeqCst);
    }

    /// Everything that arrived, in its order.
    pub(super) fn arrivals(&self) -> Vec<Arrival> {
        lock(&self.book.arrivals).clone()
    }
}

impl Book {
    /// Reads requests from a connection and answers them until it ends.
    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = BufStream::new(stream);
        while let Some((path, delivery, body)) = read(&mut stream).await? {
            let manner =
                Manner::ALL.into_iter().find(|manner| manner.path() == path).expect("a path of ours");
            let status = self.write_down(manner, delivery, &body);
            if manner == Manner::Slow {
                tokio::time::sleep(Duration::from_millis(u64::from(delivery.as_bytes()[15]) / 4)).await;
            }
            stream.write_all(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n").as_bytes()).await?;
            stream.flush().await?;
        }
        Ok(())
    }

    fn write_down(&self, manner: Manner, delivery: Uuid, body: &[u8]) -> u16 {
        let status = if manner == Manner::Moody { lock(&self.mood).answer(delivery) } else { 200 };
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let round = self.round.load(Ordering::SeqCst);
        lock(&self.arrivals).push(Arrival { delivery, round, status, body: hasher.finish() });
        status
    }
}

impl Mood {
    /// Never so many refusals in a row that the endpoint's circuit would open: that has tests of its own, and would have
    /// these wait for a probe.
    fn answer(&mut self, delivery: Uuid) -> u16 {
        let seen = self.seen.entry(delivery).or_default();
        *seen += 1;
        if *seen == 1 && delivery.as_bytes()[15].is_multiple_of(5) && self.taken >= 3 {
            self.taken = 0;
            return 500;
        }
        self.taken += 1;
        200
    }
}

/// A request: its path, the delivery that it names, and its body. `None` where the connection ended before one.
async fn read(stream: &mut BufStream<TcpStream>) -> std::io::Result<Option<(String, Uuid, Vec<u8>)>> {
    let (mut line, mut path, mut delivery, mut length) = (String::new(), String::new(), None, 0);
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim_end().split_once([':', ' ']) else { break };
        match name.to_ascii_lowercase().as_str() {
            "post" => path = value.split(' ').next().unwrap_or_default().to_owned(),
            "x-inboundflow-delivery-id" => delivery = Uuid::parse_str(value.trim()).ok(),
            "content-length" => length = value.trim().parse().expect("a length"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some((path, delivery.expect("a delivery's id"), body)))
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
