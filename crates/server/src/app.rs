//! The wiring: everything that runs, made once and from one place, for the server as for the tests.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use api::{
    Answerer, AppState, Streams,
    limit::{Limits, Shared},
};
use delivery::{
    Options, Trials, Worker,
    client::{Client, ClientOptions},
    guard::AllowList,
};
use ingest::Ingest;
use model::{Clock, IdGen};
use store::Store;

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
}

/// How many deliveries the worker holds at once, and how many tries may be under way to one endpoint.
const SLOTS: usize = 512;
const UNDER_WAY_PER_ENDPOINT: usize = 16;

/// Longer than a try may take, so that no lease runs out under a try.
const LEASE: Duration = Duration::from_secs(60);

/// Puts the parts together over an open store.
pub fn build(config: &Config, world: &World, store: Store) -> anyhow::Result<App> {
    let World { clock, ids } = world.clone();
    let ingest = Ingest::new(store.clone(), clock.clone(), ids.clone(), config.completion_wait());
    let (client, allow) = client(config)?;
    let answerer = Answerer::new(client.clone(), allow.clone());
    let options = Options {
        slots: SLOTS,
        under_way_per_endpoint: UNDER_WAY_PER_ENDPOINT,
        schedule: config.schedule()?,
        allow: allow.clone(),
        lease: LEASE,
    };
    let trials = Trials::new(client.clone(), allow, clock.clone(), ids.clone());
    let worker = Worker::attach(store.clone(), clock.clone(), ids.clone(), client, options);
    let mut limits = Limits::new(config.rate_limit.per_minute, config.rate_limit.failures_per_minute);
    if let Some(url) = &config.redis_url {
        limits = limits.shared(Shared::connect(url).context("redis_url")?);
    }
    let state = AppState::new(api::Shared {
        store,
        ingest: Arc::new(ingest),
        answerer,
        trials,
        streams: Streams::default(),
        event_types: api::event_types(),
        clock,
        ids,
        limits,
        public_url: config.public_url.clone(),
        openapi: api::openapi::rendered(),
    });
    Ok(App { state, worker })
}

/// The client that goes to addresses that people chose, and the operator's exceptions to its guard.
fn client(config: &Config) -> anyhow::Result<(Client, Arc<AllowList>)> {
    let allow = Arc::new(config.allow_list()?);
    let mut options = ClientOptions::new(allow.clone());
    options.timeout = Duration::from_secs(config.delivery.timeout_seconds);
    Ok((Client::new(&options)?, allow))
}

/// What sends samples, for a command that runs without a server.
pub(crate) fn trials(config: &Config, world: &World) -> anyhow::Result<Trials> {
    let (client, allow) = client(config)?;
    Ok(Trials::new(client, allow, world.clock.clone(), world.ids.clone()))
}
