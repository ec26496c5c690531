//! A worker over a store of its own, an organization, and an endpoint that behaves well beside those that don't.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use conform::receiver::{Authority, Behavior, Flaw, Receiver};
use delivery::{
    Options, Worker,
    client::{Client, ClientOptions},
    guard::{AllowList, Lookup},
    schedule::Schedule,
};
use ingest::Ingest;
use metrics::Metrics;
use model::{
    Clock, DeliveryId, EndpointId, EventFilter, EventType, Time, sample,
    testing::{CountedIds, ManualClock},
};
use store::{
    DatabaseUrl,
    DeliveryState::{self, InFlight, Pending},
    EventData, ListDeliveries, ListedDelivery, NewEndpoint, NewEvent, OrgStore, Store, StoredAttempt,
};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// How long a try may take: what hangs, hangs no longer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

/// How long, in real time, what is over in a moment may take on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An endpoint, and what is to become of a webhook to it.
pub(crate) struct Case {
    /// What it is called when the test fails.
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) state: DeliveryState,
    pub(crate) status: Option<i64>,
    /// The cause in words, to the letter.
    pub(crate) error: Option<String>,
}

impl Case {
    /// One that fails, and why.
    pub(crate) fn fails(name: &str, url: String, status: Option<i64>, error: &str) -> Self {
        let error = Some(error.to_owned());
        Self { name: name.to_owned(), url, state: DeliveryState::Retrying, status, error }
    }

    /// One that arrives all the same.
    pub(crate) fn arrives(name: &str, url: String, status: i64) -> Self {
        let (state, status) = (DeliveryState::Delivered, Some(status));
        Self { name: name.to_owned(), url, state, status, error: None }
    }
}

/// How names are looked up in a test.
pub(crate) type Names = fn(&str, usize) -> Option<io::Result<Vec<IpAddr>>>;

/// Everything that a test needs.
pub(crate) struct Scene {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) authority: Authority,
    store: Store,
    org: OrgStore,
    /// An endpoint that behaves well, beside all others.
    neighbor: EndpointId,
    well: Receiver,
    stop: watch::Sender<bool>,
    worker: JoinHandle<()>,
}

/// Runs a test on SQLite and on PostgreSQL, with names that all lead home.
pub(crate) async fn on_both(test: impl AsyncFn(&Scene)) {
    on_both_with(|_, _| Some(Ok(vec![conform::receiver::HOME])), test).await;
}

/// Runs a test on both, with names of its own: a resolver that gives `None` never answers. It is told how often it was
/// asked for the name before.
pub(crate) async fn on_both_with(names: Names, test: impl AsyncFn(&Scene)) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = postgres::Database::create().await;
    for url in [sqlite(folder.path()), database.url()] {
        let scene = Scene::set(&url, names).await;
        test(&scene).await;
        scene.stop.send_replace(true);
        scene.worker.await.expect("the worker ends well");
    }
    database.drop().await;
}

fn sqlite(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("hostile.db").display())
}

fn lookup(names: Names) -> Lookup {
    let asked = Mutex::<HashMap<String, usize>>::default();
    Arc::new(move |name| {
        let mut asked = asked.lock().expect("no panic");
        let times = asked.entry(name.clone()).or_default();
        let answer = names(&name, *times);
        *times += 1;
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    })
}

impl Scene {
    async fn set(url: &str, names: Names) -> Self {
        let clock = Arc::new(ManualClock::new("2026-02-24T21:00:00Z".parse().expect("a time")));
        let ids = Arc::new(CountedIds::default());
        let url: DatabaseUrl = url.parse().expect("an address");
        let store = Store::open(&url, clock.clone(), ids.clone()).await.expect("a store");
        let authority = Authority::new().expect("an authority");
        let allow = AllowList::parse(&["127.0.0.1".to_owned(), "plain.test".to_owned()]);
        let allow = Arc::new(allow.expect("a list"));
        let client = ClientOptions {
            lookup: lookup(names),
            timeout: TIMEOUT,
            ca_bundle: Some(authority.pem().into_bytes()),
            ..ClientOptions::new(allow.clone())
        };
        let options = Options {
            slots: 512,
            under_way_per_endpoint: 16,
            schedule: Schedule::default(),
            allow,
            lease: Duration::from_secs(60),
            metrics: Metrics::off(),
        };
        let client = Client::new(&client).expect("a client");
        store.serve_api("http://127.0.0.1");
        let worker = Worker::attach(store.clone(), clock.clone(), ids, client, options);
        let org = store.create_org("Harbor Plumbing").await.expect("an organization").id;
        let org = store.org(org);
        let (stop, stopped) = watch::channel(false);
        #[expect(clippy::disallowed_methods, reason = "`on_both_with` waits for it")]
        let worker = tokio::spawn(worker.run(stopped));
        let well = Receiver::start(Behavior::good()).await.expect("a port");
        let neighbor = make_endpoint(&org, &well.url()).await;
        Self { clock, authority, store, org, neighbor, well, stop, worker }
    }

    /// Tells all endpoints of an event.
    pub(crate) async fn tell(&self) {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let rules = Ingest::new(self.store.clone(), clock, Arc::new(CountedIds::default()), Duration::ZERO);
        let data = sample::data(EventType::CallCompleted).to_string();
        let event = NewEvent { event: EventType::CallCompleted, call_id: None, data: EventData::Json(data) };
        self.org.tell_sample(event, None, rules.rules()).await.expect("an event");
    }

    /// The newest delivery of each endpoint, when none of them is under way.
    pub(crate) async fn settled(&self) -> HashMap<EndpointId, ListedDelivery> {
        let settled = async {
            loop {
                let mut all =
                    self.org.find_deliveries(ListDeliveries::newest(1000)).await.expect("a list").records;
                let now = self.clock.now();
                let is_busy = |delivery: &ListedDelivery| {
                    matches!(delivery.state, Pending | InFlight)
                        || delivery.due_at.is_some_and(|due| due <= now)
                };
                if !all.iter().any(is_busy) {
                    // The newest come first, and the last one stays.
                    all.reverse();
                    return all.into_iter().map(|delivery| (delivery.endpoint, delivery)).collect();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, settled).await.expect("every webhook is settled in time")
    }

    /// Lets time pass, and what is due at its end happen.
    pub(crate) async fn tick(&self, by: Duration) -> HashMap<EndpointId, ListedDelivery> {
        self.clock.advance(by);
        self.settled().await
    }

    /// The tries of a delivery.
    pub(crate) async fn tries(&self, id: DeliveryId) -> Vec<StoredAttempt> {
        self.org.get_delivery(id).await.expect("a reading").expect("a delivery").attempts
    }

    /// Tells every case of the first event, and the neighbor with them: it gets its own while the others keep the worker
    /// busy. Returns what became of the cases, in their order.
    pub(crate) async fn bear(&self, cases: &[Case]) -> Vec<ListedDelivery> {
        let mut endpoints = Vec::new();
        for case in cases {
            endpoints.push(make_endpoint(&self.org, &case.url).await);
        }
        self.tell().await;
        assert!(self.well.arrived(1, TIMEOUT).await, "the neighbor gets its own at once");
        let mut all = self.settled().await;
        let neighbor = all.remove(&self.neighbor).expect("the neighbor's");
        assert_eq!((neighbor.state, neighbor.attempts), (DeliveryState::Delivered, 1));
        assert_eq!(self.well.got().len(), 1);
        let mut became = Vec::new();
        for (case, endpoint) in cases.iter().zip(endpoints) {
            let delivery = all.remove(&endpoint).expect("a delivery");
            let got = (delivery.state, delivery.last_status, delivery.last_error.as_deref());
            assert_eq!(got, (case.state, case.status, case.error.as_deref()), "{}", case.name);
            assert_eq!(delivery.attempts, 1, "{}", case.name);
            became.push(delivery);
        }
        became
    }

    /// A receiver of HTTPS whose certificate has a flaw.
    pub(crate) async fn secure(&self, flaw: Flaw) -> Receiver {
        let identity = self.authority.identity(flaw).expect("a certificate");
        Receiver::start_tls(&identity, Behavior::good()).await.expect("a port")
    }
}

/// An endpoint that is told of calls.
async fn make_endpoint(org: &OrgStore, url: &str) -> EndpointId {
    let new = NewEndpoint {
        url: url.to_owned(),
        events: EventFilter::Only(vec![EventType::CallCompleted]),
        secret: Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
        source: None,
        telling: Default::default(),
    };
    org.create_endpoint(new).await.expect("an endpoint").id
}

/// How long after now a delivery is tried again.
pub(crate) fn wait(now: Time, delivery: &ListedDelivery) -> Duration {
    delivery.due_at.expect("another try is due").since(now)
}

/// Several receivers, which live as long as the test holds them.
pub(crate) async fn receivers(behaviors: impl IntoIterator<Item = Behavior>) -> Vec<Receiver> {
    let mut receivers = Vec::new();
    for behavior in behaviors {
        receivers.push(Receiver::start(behavior).await.expect("a port"));
    }
    receivers
}

mod postgres {
    //! A database of the tests' own in the PostgreSQL that `cargo xtask test` starts.

    use tokio_postgres::NoTls;

    use super::JoinSet;

    pub(super) struct Database {
        server: String,
        name: String,
    }

    impl Database {
        pub(super) async fn create() -> Self {
            let server = std::env::var("INBOUNDFLOW_TEST_POSTGRES").unwrap_or_else(|_| {
                panic!("INBOUNDFLOW_TEST_POSTGRES names no server: run the tests with `cargo xtask test`")
            });
            let folder = tempfile::tempdir().expect("a folder");
            // A name that no other test has at this time.
            let unique = folder.path().file_name().expect("a name").to_string_lossy().to_ascii_lowercase();
            let name = format!("hostile_{}_{}", std::process::id(), unique.trim_start_matches(".tmp"));
            execute(&server, &format!("CREATE DATABASE {name}")).await;
            Self { server, name }
        }

        pub(super) fn url(&self) -> String {
            let (address, _) = self.server.rsplit_once('/').expect("postgres://HOST/DATABASE");
            format!("{address}/{}", self.name)
        }

        pub(super) async fn drop(self) {
            execute(&self.server, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await;
        }
    }

    async fn execute(server: &str, sql: &str) {
        let (client, connection) = tokio_postgres::connect(server, NoTls).await.expect("PostgreSQL answers");
        let mut tasks = JoinSet::new();
        tasks.spawn(connection);
        client.batch_execute(sql).await.expect(sql);
    }
}
