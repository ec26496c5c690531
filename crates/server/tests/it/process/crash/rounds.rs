//! The rounds: a server is started over what the one before left, is posted to, and is killed or stopped.

use std::{
    ops::Range,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use inboundflow::system::SystemClock;
use model::{Clock, Time};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    super::{
        scene::{ALLOWED, PLATFORM_SECRET, text},
        server::{Home, Kind, PATIENCE, Server, until},
    },
    ledger::{Ledger, Manner, lock},
    load::Platforms,
    records::{Cell, execute, rows},
};

/// What is refused is tried again within a round or two.
const SCHEDULE: (&str, &str) = ("INBOUNDFLOW_DELIVERY__SCHEDULE", "200ms,200ms,400ms,1s,1s,1s");
const LOG: (&str, &str) = ("INBOUNDFLOW_LOG", "warn");

/// Deliveries that stand otherwise than one can that is owed or done: what waits says until when.
const NEITHER_DONE_NOR_WAITING: &str = "SELECT count(*) FROM deliveries WHERE NOT ( \
     (state = 'delivered' AND due_at IS NULL AND lease_until IS NULL) \
     OR (state = 'in_flight' AND due_at IS NULL AND lease_until IS NOT NULL) \
     OR (state IN ('pending', 'retrying') AND due_at IS NOT NULL AND lease_until IS NULL))";

/// One life of the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) end: End,
    /// When it ends: this long after it listens, or after it was started where it ends before.
    after: Duration,
    /// Connections that post at the same time.
    clients: usize,
    /// Whether the records are looked at before the next server does anything about them.
    look: bool,
}

/// How the server's life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// `kill -9` while it is posted to.
    Kill,
    /// `kill -9` while it starts.
    KillAtStart,
    /// `SIGTERM` while it is posted to: then nothing at all may be repeated.
    Stop,
}

impl Round {
    /// What happens in so many rounds. The same seed gives the same plan; what the machine makes of it differs.
    pub(super) fn plan(rounds: usize, seed: u64) -> Vec<Self> {
        let mut random = StdRng::seed_from_u64(seed);
        (0..rounds)
            .map(|_| {
                let (end, millis) = match random.random_range(0..20) {
                    0 => (End::KillAtStart, 0..120),
                    1 | 2 => (End::Stop, 0..300),
                    _ => (End::Kill, 0..500),
                };
                let after = Duration::from_micros(random.random_range(micros(millis)));
                let clients = random.random_range(1..=24);
                Self { end, after, clients, look: random.random_range(0..10) == 0 }
            })
            .collect()
    }
}

fn micros(millis: Range<u64>) -> Range<u64> {
    millis.start * 1000..millis.end * 1000
}

/// Everything that outlives the server.
pub(super) struct Trial {
    kind: Kind,
    pub(super) home: Home,
    pub(super) ledger: Ledger,
    pub(super) platforms: Arc<Platforms>,
    /// When each round began, the last one being that of [`Trial::finish`].
    began: Mutex<Vec<Time>>,
}

impl Trial {
    /// An organization with a source, and an endpoint for each kind of receiver.
    pub(super) async fn begin(kind: Kind) -> Self {
        let (home, ledger) = (Home::new(kind).await, Ledger::open().await);
        let org = text(&home.json(&["org", "create", "--name", "Harbor"]), "id");
        let source =
            ["source", "create", "--org", &org, "--platform", "vapi", "--secret-file", "-", "--json"];
        let source = text(&home.run_with_input(&source, PLATFORM_SECRET).json(), "id");
        for manner in Manner::ALL {
            let url = format!("http://{}{}", ledger.address, manner.path());
            // The operator's command does not know yet that the server may send there, and says so.
            let create = ["webhook", "create", "--org", &org, "--url", &url, "--events", "all", "--json"];
            home.run(&create).json();
        }
        let platforms = Arc::new(Platforms::of(&source));
        Self { kind, home, ledger, platforms, began: Mutex::default() }
    }

    /// How many messages were answered so far.
    pub(super) fn answered(&self) -> usize {
        self.platforms.counts().0
    }

    /// When each round began.
    pub(super) fn began(&self) -> Vec<Time> {
        lock(&self.began).clone()
    }

    /// Runs a round.
    pub(super) async fn run(&self, round: &Round) {
        self.note_beginning().await;
        if round.end == End::KillAtStart {
            let mut command = self.home.command(&["serve", "--listen", "127.0.0.1:0"]);
            command.envs([ALLOWED, SCHEDULE, LOG]).stderr(Stdio::null());
            let mut child = command.spawn().expect("the binary starts");
            tokio::time::sleep(round.after).await;
            child.kill().expect("it is ours");
            child.wait().expect("it ends");
        } else {
            let server = Server::start(&self.home, &[ALLOWED, SCHEDULE, LOG]).await;
            self.post_and_end(&server, round).await;
        }
        if round.look {
            assert_eq!(rows(&self.home, NEITHER_DONE_NOR_WAITING).await, [[Cell::Int(0)]], "{round:?}");
        }
    }

    async fn note_beginning(&self) {
        let round = lock(&self.began).len();
        self.ledger.begin(round).await;
        lock(&self.began).push(SystemClock.now());
    }

    async fn post_and_end(&self, server: &Server, round: &Round) {
        let stop = Arc::new(AtomicBool::new(false));
        let end = async {
            tokio::time::sleep(round.after).await;
            if round.end == End::Kill {
                server.kill();
                server.ended(PATIENCE).await;
            } else {
                server.signal("TERM");
                let code = server.ended(PATIENCE).await.code();
                assert_eq!(code, Some(0), "{}", server.said());
            }
            stop.store(true, Ordering::Relaxed);
        };
        tokio::join!(self.platforms.post(&server.base, round.clients, &stop), end);
        assert!(!server.said().contains("panicked"), "{}", server.said());
    }

    /// Starts a last server, which is asked for everything that is owed and then stopped.
    pub(super) async fn finish(&self) {
        if self.kind == Kind::Postgres {
            // Other processes could hold leases there, so those of the killed run out in their time: let it be over.
            execute(&self.home, "UPDATE deliveries SET lease_until = 0 WHERE lease_until IS NOT NULL").await;
        }
        self.note_beginning().await;
        let server = Server::start(&self.home, &[ALLOWED, SCHEDULE, LOG]).await;
        self.platforms.post_the_rest(&server.base).await;
        let owed = "SELECT count(*) FROM deliveries WHERE state <> 'delivered'";
        until("everything that is owed is delivered", 4 * PATIENCE, async || {
            // Not more often: the other process's writer waits for whoever reads.
            tokio::time::sleep(Duration::from_millis(200)).await;
            (rows(&self.home, owed).await == [[Cell::Int(0)]]).then_some(())
        })
        .await;
        server.signal("TERM");
        assert_eq!(server.ended(PATIENCE).await.code(), Some(0), "{}", server.said());
    }
}
