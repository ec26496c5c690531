//! The product as one value: requests go in without sockets, time passes when it is told to, and whoever leaves work
//! undone fails.

use std::{path::PathBuf, sync::Arc, time::Duration};

use api::Streams;
use axum::Router;
use delivery::Retention;
use inboundflow::{
    app::{self, World},
    config::Config,
};
use model::{
    ApiKey, Clock, EventFilter, OrgId, Platform, Scopes, SourceId, Time,
    testing::{CountedIds, ManualClock},
};
use reconcile::Reconciler;
use serde_json::Value;
use store::{
    DatabaseUrl, DeliveryState, Endpoint, ListDeliveries, NewEndpoint, NewKey, NewSource, OrgStore,
    Recordings, Store,
};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle};

use super::{
    client::Client,
    database::{Database, Kind},
    platform::Signing,
};

/// When every test begins.
pub(crate) const START: &str = "2026-02-24T21:00:00Z";

/// The address outside, where recordings are fetched.
pub(crate) const PUBLIC_URL: &str = "https://calls.example.com";

/// What whoever scrapes the figures sends.
pub(crate) const METRICS_TOKEN: &str = "the-token-of-the-scraper";

/// How long, in real time, work may take to settle.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is set otherwise than by default.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    /// Requests a minute for each key.
    pub(crate) per_minute: u32,
    /// Requests without a good key a minute for each address.
    pub(crate) failures_per_minute: u32,
    /// When failed deliveries are tried again.
    pub(crate) schedule: Option<&'static str>,
    /// Whether recordings are fetched.
    pub(crate) recordings: Recordings,
}

impl Default for Setup {
    fn default() -> Self {
        Self { per_minute: 60, failures_per_minute: 30, schedule: None, recordings: Recordings::Leave }
    }
}

impl Setup {
    /// For tests that ask for more than a client may in a minute.
    pub(crate) fn unhurried() -> Self {
        Self { per_minute: 1_000_000, failures_per_minute: 1_000_000, ..Self::default() }
    }
}

/// Runs a test on SQLite and on PostgreSQL.
pub(crate) fn on_both(test: impl AsyncFn(&TestApp)) {
    on_both_with(Setup::default(), test);
}

/// Runs a test on both, set up otherwise.
pub(crate) fn on_both_with(setup: Setup, test: impl AsyncFn(&TestApp)) {
    for kind in Kind::BOTH {
        on(kind, setup, &test);
    }
}

/// Runs a test on PostgreSQL alone, of what only that can be made to do.
pub(crate) fn on_postgres(test: impl AsyncFn(&TestApp)) {
    on(Kind::Postgres, Setup::default(), &test);
}

#[expect(clippy::print_stdout, reason = "shown only where the test fails: on which database it did")]
fn on(kind: Kind, setup: Setup, test: &impl AsyncFn(&TestApp)) {
    println!("on {kind:?}");
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
    // Both databases must give the same bodies: each inline snapshot is compared twice.
    insta::allow_duplicates! {
        runtime.block_on(async {
            let app = TestApp::start(kind, setup).await;
            test(&app).await;
            app.finish().await;
        });
    }
}

/// The product, running in this process.
pub(crate) struct TestApp {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) router: Router,
    pub(crate) streams: Streams,
    pub(crate) reconciler: Arc<Reconciler>,
    retention: Arc<Retention>,
    world: World,
    config: Config,
    orgs: std::sync::Mutex<Vec<OrgId>>,
    stop: watch::Sender<bool>,
    worker: JoinHandle<()>,
    completer: JoinHandle<()>,
    lister: JoinHandle<()>,
    keeper: JoinHandle<()>,
    forgetter: JoinHandle<()>,
    _data: Option<TempDir>,
    // The last to be dropped: it takes the connections of the others with it.
    database: Option<Database>,
}

impl TestApp {
    async fn start(kind: Kind, setup: Setup) -> Self {
        let database = Database::create(kind).await;
        let clock = Arc::new(ManualClock::new(START.parse().expect("a time")));
        let world = World { clock: clock.clone(), ids: Arc::new(CountedIds::default()) };
        let mut config = Config { database_url: Some(database.url()), ..Config::default() };
        config.rate_limit.per_minute = setup.per_minute;
        config.rate_limit.failures_per_minute = setup.failures_per_minute;
        // As the operator of a PostgreSQL must; of no value anywhere else.
        config.secret_key = Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into());
        config.delivery.schedule = setup.schedule.map(str::to_owned);
        // The tests' receivers are on this machine, which webhooks are otherwise kept away from.
        config.delivery.allow_targets = vec!["127.0.0.1/32".into()];
        let data = tempfile::tempdir().expect("a folder");
        config.data_dir = data.path().to_owned();
        config.recordings.fetch = setup.recordings == Recordings::Fetch;
        config.recordings.max_megabytes = 1;
        config.metrics.token = Some(METRICS_TOKEN.to_owned());
        if config.recordings.fetch {
            config.public_url = Some(PUBLIC_URL.to_owned());
        }
        Self { _data: Some(data), ..Self::run(world, clock, config, Some(database)).await }
    }

    async fn run(world: World, clock: Arc<ManualClock>, config: Config, database: Option<Database>) -> Self {
        delivery::client::install_crypto();
        let url = config.database_url().expect("an address");
        let store = Store::open(&url, world.clock.clone(), world.ids.clone()).await.expect("a store");
        store.serve_api(&config.public_url(None));
        let app = app::build(&config, &world, store.clone()).expect("a configuration");
        if config.recordings.fetch {
            app::serve_recordings(&config, &world, &store, None).await.expect("a key");
        }
        let (stop, stopped) = watch::channel(false);
        let (ingest, reconciler) = (app.state.ingest.clone(), app.state.reconciler.clone());
        let lister = reconciler.clone();
        let (retention, forgetter) = (app.retention.clone(), app.retention);
        let streams = app.state.streams.clone();
        Self {
            store,
            clock,
            router: app::router(app.state, Some(app.exporter)).expect("a router"),
            streams,
            reconciler,
            retention,
            world,
            config,
            orgs: std::sync::Mutex::default(),
            stop,
            worker: spawn(app.worker.run(stopped.clone())),
            completer: spawn(async move { ingest.run().await }),
            lister: spawn(async move { lister.run().await }),
            keeper: spawn(app.keeper.run(stopped)),
            forgetter: spawn(async move { forgetter.run().await }),
            _data: None,
            database,
        }
    }

    /// Another server process over the same database.
    pub(crate) async fn another(&self) -> Self {
        Self::run(self.world.clone(), self.clock.clone(), self.config.clone(), None).await
    }

    /// Another installation: a database of its own of the same kind, and the same time.
    pub(crate) async fn beside(&self) -> Self {
        let kind = if self.file().is_some() { Kind::Sqlite } else { Kind::Postgres };
        let database = Database::create(kind).await;
        let config = Config { database_url: Some(database.url()), ..self.config.clone() };
        let ids = Arc::new(CountedIds::behind(1 << 32));
        let world = World { clock: self.clock.clone(), ids };
        Self::run(world, self.clock.clone(), config, Some(database)).await
    }

    /// The store as a process finds it whose clock is ahead: what waits for this one's clock is due there.
    pub(crate) async fn store_ahead(&self, by: Duration) -> Store {
        let clock = Arc::new(ManualClock::new(self.now() + by));
        let url = self.config.database_url().expect("an address");
        Store::open(&url, clock, self.world.ids.clone()).await.expect("a store")
    }

    /// Does to the database what the product has no operation for.
    pub(crate) async fn execute(&self, sql: &str) {
        self.database.as_ref().expect("the first process's database").execute(sql).await;
    }

    /// An organization with a key that has the instance's limit.
    pub(crate) async fn org(&self, name: &str) -> Org {
        let org = self.store.create_org(name).await.expect("an organization");
        self.orgs.lock().expect("the list").push(org.id);
        let records = self.store.org(org.id);
        let new = NewKey { name: "test".into(), expires_at: None, rate_limit: None, scopes: Scopes::All };
        let (_, key) = records.create_key(new).await.expect("a key");
        Org { id: org.id, key, records }
    }

    /// A client with an organization's key.
    pub(crate) fn key<'a>(&'a self, org: &Org) -> Client<'a> {
        self.bearer(org.key.reveal())
    }

    /// A client with whatever it takes for a key.
    pub(crate) fn bearer(&self, token: &str) -> Client<'_> {
        Client::new(self, Some(format!("Bearer {token}")))
    }

    /// A client without a key.
    pub(crate) fn anon(&self) -> Client<'_> {
        Client::new(self, None)
    }

    /// The database's file, where it is one.
    pub(crate) fn file(&self) -> Option<std::path::PathBuf> {
        match self.config.database_url().expect("an address") {
            DatabaseUrl::Sqlite(path) => Some(path),
            DatabaseUrl::Postgres(_) => None,
        }
    }

    /// The database's address.
    pub(crate) fn database_url(&self) -> String {
        self.config.database_url.clone().expect("an address")
    }

    /// The world that the product is in.
    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Lets time pass, and what is due at its end happen.
    pub(crate) async fn tick(&self, by: Duration) {
        self.clock.advance(by);
        self.settle().await;
    }

    /// Lets everything happen that is due now.
    pub(crate) async fn settle(&self) {
        let settled = tokio::time::timeout(PATIENCE, async {
            while let Some(work) = self.due_now().await {
                tracing::trace!(work, "not settled yet");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        if settled.await.is_err() {
            panic!("work does not settle: {:?}", self.due_now().await);
        }
    }

    async fn due_now(&self) -> Option<String> {
        let now = self.now();
        if let Some(due) = self.store.next_completion_due().await.expect("a reading")
            && due <= now
        {
            return Some(format!("a call waits to be told as completed since {due}"));
        }
        if let Some(due) = self.recordings_due().await
            && due <= now
        {
            return Some(format!("something is to be done for recordings since {due}"));
        }
        if let Some(due) = self.reconciler.next_due().await.expect("a reading")
            && due <= now
        {
            return Some(format!("a listing or a call of which no more is heard is due since {due}"));
        }
        if let Some(due) = self.retention.next_due().await.expect("a reading")
            && due <= now
        {
            return Some(format!("something is to be forgotten since {due}"));
        }
        if self.store.count_busy_syncs().await.expect("a reading") > 0 {
            return Some("a step of a listing is due or under way".into());
        }
        if let Some(due) = self.delivery_due().await {
            return Some(due);
        }
        if let Some(delivery) = self.undone(|state| state == DeliveryState::InFlight).await {
            return Some(delivery);
        }
        // Again, because what was under way may have made others due.
        self.delivery_due().await
    }

    async fn delivery_due(&self) -> Option<String> {
        let due = self.store.next_delivery_due(self.now()).await.expect("a reading")?;
        (due <= self.now()).then(|| format!("a delivery is due since {due}"))
    }

    /// When something is to be done for recordings; now, while something is being done.
    async fn recordings_due(&self) -> Option<Time> {
        if !self.config.recordings.fetch {
            return None;
        }
        // Asked on both sides of the second question: what is taken up between two questions is in neither answer,
        // and what is under way leaves something to be done.
        let before = self.next_for_recordings().await;
        if self.store.recordings_under_way().await.expect("a reading") > 0 {
            return Some(self.now());
        }
        [before, self.next_for_recordings().await].into_iter().flatten().min()
    }

    async fn next_for_recordings(&self) -> Option<Time> {
        let fetch = self.store.next_recording_due().await.expect("a reading");
        let delete = self.store.next_object_due().await.expect("a reading");
        let retire = self.store.next_retirement(None).await.expect("a reading");
        [fetch, delete, retire].into_iter().flatten().min()
    }

    /// The folder that recordings are in.
    pub(crate) fn recordings_folder(&self) -> PathBuf {
        self.config.data_dir.join("recordings")
    }

    /// A delivery in one of some states.
    async fn undone(&self, is_undone: impl Fn(DeliveryState) -> bool) -> Option<String> {
        let orgs = self.orgs.lock().expect("the list").clone();
        for org in orgs {
            let list = ListDeliveries::newest(10_000);
            let deliveries = self.store.org(org).find_deliveries(list).await.expect("a list");
            if let Some(delivery) = deliveries.records.into_iter().find(|delivery| is_undone(delivery.state))
            {
                return Some(format!("{delivery:?}"));
            }
        }
        None
    }

    /// Ends the test: what is owed must have been sent, or given up.
    pub(crate) async fn finish(self) {
        self.settle().await;
        use DeliveryState::{InFlight, Pending, Retrying};
        let undone = self.undone(|state| [InFlight, Pending, Retrying].contains(&state)).await;
        assert_eq!(undone, None, "a delivery is left undone");
        let waiting = self.store.next_completion_due().await.expect("a reading");
        assert_eq!(waiting, None, "a call still waits to be told as completed");
        let fetch = self.store.next_recording_due().await.expect("a reading");
        assert_eq!(fetch, None, "a recording still waits to be fetched");
        self.stop().await;
    }

    /// Stops the tasks, whatever they have to do.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.completer.abort();
        self.lister.abort();
        self.forgetter.abort();
        self.worker.await.expect("the worker ends well");
        self.keeper.await.expect("the keeper ends well");
        let _ = self.completer.await;
        let _ = self.lister.await;
        let _ = self.forgetter.await;
    }
}

/// An organization.
pub(crate) struct Org {
    pub(crate) id: OrgId,
    pub(crate) key: ApiKey,
    pub(crate) records: OrgStore,
}

impl Org {
    /// A source of a platform, which signs in the platform's usual way.
    pub(crate) async fn source(&self, platform: Platform) -> Signing {
        self.source_with(platform, Value::Null).await
    }

    /// A source with settings.
    pub(crate) async fn source_with(&self, platform: Platform, settings: Value) -> Signing {
        let (name, secret) = (platform.as_str().to_owned(), Signing::secret_for(platform));
        let new = NewSource { platform, name, secret: secret.clone(), settings };
        let source = self.records.create_source(new).await.expect("a source");
        Signing { platform, source: source.id, secret }
    }

    /// An endpoint that wants every event, signed.
    pub(crate) async fn endpoint(&self, url: &str) -> Endpoint {
        let secret = Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        self.endpoint_with(NewEndpoint {
            url: url.to_owned(),
            events: EventFilter::default(),
            secret,
            source: None,
            telling: Default::default(),
        })
        .await
    }

    pub(crate) async fn endpoint_with(&self, new: NewEndpoint) -> Endpoint {
        self.records.create_endpoint(new).await.expect("an endpoint")
    }

    /// What came in at a source, oldest first: the verdict and its reason.
    pub(crate) async fn inbox(&self, source: SourceId) -> Vec<(&'static str, Option<String>)> {
        let mut entries = self.records.list_inbox(source, 100).await.expect("a list");
        entries.sort_by_key(|entry| entry.id);
        entries.into_iter().map(|entry| (entry.outcome.as_str(), entry.reason)).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "`TestApp::stop` waits for them")]
pub(crate) fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(task)
}
