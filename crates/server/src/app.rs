//! The wiring: everything that runs, made once and from one place, for the server as for the tests.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use api::{
    Answerer, AppState, Streams,
    limit::{Limits, Shared},
};
use axum::Router;
use delivery::{
    Options, Trials, Worker,
    client::{Client, ClientError, ClientOptions},
    guard::AllowList,
};
use ingest::Ingest;
use model::{Clock, IdGen, RecordingLinks};
use reconcile::{Keys, Reconciler};
use recordings::{Keeper, Vault};
use store::{Recordings, Store};

use crate::config::Config;

/// The world outside: what time it is, and what is new.
#[derive(Clone)]
pub struct World {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn IdGen>,
}

/// The parts of a running server.
pub struct App {
    /// What handlers share.
    pub state: AppState,
    /// Sends webhooks.
    pub worker: Worker,
    /// Fetches and keeps recordings.
    pub keeper: Keeper,
}

/// Longer than a try may take, so that no lease runs out under a try.
const LEASE: Duration = Duration::from_secs(60);

/// How long a platform may take to answer when its calls are listed, the answer's body included.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// The part that lists platforms' calls, for the server as for a command.
pub(crate) fn reconciler(
    config: &Config,
    world: &World,
    store: Store,
    ingest: Arc<Ingest>,
) -> anyhow::Result<Reconciler> {
    let client = ClientOptions { timeout: LIST_TIMEOUT, ..config.client_options()? };
    let options = reconcile::Options {
        client: made(&client)?,
        keys: Keys::new(config.sealer(world.ids.clone())?, client.allow),
        every: config.reconcile_every(),
        overlap: Duration::from_secs(config.ingest.reconcile_overlap_minutes * 60),
        longest_call: Duration::from_secs(config.ingest.longest_call_minutes * 60),
    };
    Ok(Reconciler::new(store, ingest, (world.clock.clone(), world.ids.clone()), options))
}

/// Puts the parts together over an open store.
pub fn build(config: &Config, world: &World, store: Store) -> anyhow::Result<App> {
    let World { clock, ids } = world.clone();
    let ingest = Ingest::new(store.clone(), clock.clone(), ids.clone(), config.completion_wait());
    let fetch = if config.recordings.fetch { Recordings::Fetch } else { Recordings::Leave };
    let ingest = Arc::new(ingest.with_recordings(fetch));
    let (client, allow) = client(config)?;
    let answerer = Answerer::new(client.clone(), allow.clone());
    let options = Options {
        slots: config.delivery.slots,
        slots_per_org: config.delivery.slots_per_org(),
        schedule: config.schedule()?,
        allow: allow.clone(),
        lease: LEASE,
    };
    let vault = vault(config)?;
    let keeper = Keeper::new(
        store.clone(),
        (clock.clone(), ids.clone()),
        (client.clone(), config.sealer(ids.clone())?),
        vault.clone(),
        keeping(config, allow.clone()),
    );
    let trials = Arc::new(Trials::new(client.clone(), allow, clock.clone(), ids.clone()));
    let worker = Worker::attach(store.clone(), clock.clone(), ids.clone(), client, options);
    let mut limits = Limits::new(config.rate_limit.per_minute, config.rate_limit.failures_per_minute);
    if let Some(url) = &config.redis_url {
        limits = limits.shared(Shared::connect(url).context("redis_url")?);
    }
    let reconciler = reconciler(config, world, store.clone(), ingest.clone())?;
    let state = AppState::new(api::Shared {
        store,
        ingest,
        answerer,
        reconciler: Arc::new(reconciler),
        trials,
        streams: Streams::default(),
        event_types: api::event_types(),
        clock,
        ids,
        limits,
        vault,
        public_url: config.public_url.clone(),
        openapi: api::openapi::rendered(),
    });
    Ok(App { state, worker, keeper })
}

/// Everything that is answered by HTTP: the interface, and the pages for people.
pub fn router(state: AppState) -> anyhow::Result<Router> {
    let pages = dashboard::router(dashboard::Parts {
        store: state.store.clone(),
        ingest: state.ingest.clone(),
        trials: state.trials.clone(),
        clock: state.clock.clone(),
        ids: state.ids.clone(),
        public_url: state.public_url.clone(),
        docs: dashboard::DocsSources { openapi: state.openapi.clone(), commands: crate::cli::reference() },
    })?;
    Ok(api::router(state).merge(pages))
}

/// Where somebody becomes the first owner, once and for half an hour, behind the server's address; nowhere where there is
/// an owner.
pub async fn setup_path(world: &World, store: &Store) -> anyhow::Result<Option<String>> {
    if store.has_owner().await? {
        return Ok(None);
    }
    let token = dashboard::Token::generate(&*world.ids);
    store.put_setup_link(token.hash(), world.clock.now() + dashboard::SETUP_LINK_LIFETIME).await?;
    Ok(Some(format!("/setup?token={}", token.reveal())))
}

/// How long a try to fetch a recording may take in all.
const FETCH: Duration = Duration::from_secs(300);

const DAY_SECONDS: u64 = 86_400;

fn keeping(config: &Config, allow: Arc<AllowList>) -> recordings::Options {
    let config = &config.recordings;
    recordings::Options {
        at_once: config.at_once,
        limits: recordings::Limits { bytes: config.max_megabytes * 1_000_000, time: FETCH },
        keep: config.keep_days.map(|days| Duration::from_secs(u64::from(days) * DAY_SECONDS)),
        allow,
    }
}

/// Where recordings are kept.
pub fn vault(config: &Config) -> anyhow::Result<Vault> {
    match &config.recordings.store {
        Some(url) => Vault::open(url, config.recordings.options.clone()),
        None => Vault::folder(&config.data_dir.join("recordings")),
    }
    .context("recordings.store")
}

/// Has recordings' addresses be ours, at which this server serves them. `listening` is where it does, for when the
/// operator says nothing of the address outside.
pub async fn serve_recordings(
    config: &Config,
    world: &World,
    store: &Store,
    listening: Option<SocketAddr>,
) -> anyhow::Result<()> {
    let mut offered = [0; 32];
    world.ids.fill(&mut offered);
    let key = store.instance_secret("recording-links", offered).await?;
    let lifetime = Duration::from_secs(u64::from(config.recordings.link_days) * DAY_SECONDS);
    store.serve_recordings(RecordingLinks::new(&config.public_url(listening), key, lifetime));
    Ok(())
}

/// The client that goes to addresses that people chose, and the operator's exceptions to its guard.
fn client(config: &Config) -> anyhow::Result<(Client, Arc<AllowList>)> {
    let options = config.client_options()?;
    Ok((made(&options)?, options.allow))
}

fn made(options: &ClientOptions) -> anyhow::Result<Client> {
    match Client::new(options) {
        Err(error @ ClientError::CaBundle(_)) => Err(error).context("delivery.ca_file"),
        // What is written like a certificate is only read when it is added to the others.
        Err(error) if options.ca_bundle.is_some() => {
            Err(error).context("delivery.ca_file, or the certificates of the system")
        }
        made => Ok(made?),
    }
}

/// What sends samples, for a command that runs without a server.
pub(crate) fn trials(config: &Config, world: &World, store: &Store) -> anyhow::Result<Trials> {
    store.serve_api(&config.public_url(None));
    let (client, allow) = client(config)?;
    Ok(Trials::new(client, allow, world.clock.clone(), world.ids.clone()))
}
