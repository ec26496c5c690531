//! Receivers that hang beside some that do not, and what waited for all of them while the server was down.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post, serve::ListenerExt};
use store::seed::{Backlog, fill_backlog};
use tokio::{net::TcpListener, runtime::Runtime};

use super::{
    measure::{SECRET, progress},
    process::Process,
    product::Product,
    reports::{self, Reports},
    table::Sample,
    timing,
    webhooks::{Pace, send_all},
};

/// Organisations whose endpoints all hang, and how many each has.
const STUCK: usize = 10;
const HOLES: usize = 10;

/// Organisations whose endpoints all answer at once, and how many each has.
const WELL: usize = 4;
const HEALTHY: usize = 5;

/// Calls a second of each organisation, and for how long: until those that hang have timed out, and are probed.
const PER_SECOND: u64 = 50;
const SECONDS: u64 = 40;

/// Receivers in this process: one that answers and notes when, and one that takes connections and says nothing.
struct Receivers {
    runtime: Runtime,
    notes: Arc<Mutex<Notes>>,
    well: SocketAddr,
    hole: SocketAddr,
}

#[derive(Default)]
struct Notes {
    first: Option<Instant>,
    count: u64,
    /// When the webhooks of a call arrived.
    arrivals: HashMap<u64, Vec<Instant>>,
}

impl Receivers {
    fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let notes = Arc::<Mutex<Notes>>::default();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let well = listener.local_addr()?;
        let router = Router::new().route("/hook", post(receive)).with_state(notes.clone());
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        // Both end with the runtime.
        runtime.spawn(async move { axum::serve(listener, router).await });
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let hole = listener.local_addr()?;
        runtime.spawn(async move {
            let mut held = Vec::new();
            while let Ok(connection) = listener.accept().await {
                held.push(connection);
            }
        });
        Ok(Self { runtime, notes, well, hole })
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until so many have arrived, for two minutes at most.
    fn until(&self, count: u64) -> Result<()> {
        for _ in 0..12_000 {
            if self.notes().count >= count {
                return Ok(());
            }
            timing::pause(Duration::from_millis(10));
        }
        anyhow::bail!("{} of {count} webhooks arrived within two minutes", self.notes().count)
    }
}

async fn receive(State(notes): State<Arc<Mutex<Notes>>>, body: Bytes) -> StatusCode {
    let arrived = timing::now();
    let number = reports::number_of(&body);
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    notes.first.get_or_insert(arrived);
    notes.count += 1;
    if let Some(number) = number {
        notes.arrivals.entry(number).or_default().push(arrived);
    }
    StatusCode::NO_CONTENT
}

fn hook(address: SocketAddr) -> String {
    format!("http://{address}/hook")
}

/// An organisation's source, whose calls so many endpoints are told of.
fn organisation(product: &Product, endpoints: usize, url: &str) -> Result<Reports> {
    let (org, source) = product.make_source(SECRET)?;
    for _ in 0..endpoints {
        product.make_endpoint(&org, url)?;
    }
    Reports::new(&source, SECRET)
}

/// How long webhooks of endpoints that are well take, beside a hundred that hang.
pub(super) fn beside_holes() -> Result<Sample> {
    let (product, receivers) = (Product::fresh()?, Receivers::start()?);
    let mut sources = Vec::new();
    for _ in 0..WELL {
        sources.push(organisation(&product, HEALTHY, &hook(receivers.well))?);
    }
    for _ in 0..STUCK {
        sources.push(organisation(&product, HOLES, &hook(receivers.hole))?);
    }
    let server = product.serve()?;
    let pace = Pace { per_second: PER_SECOND * sources.len() as u64, seconds: SECONDS };
    let cpu_before = server.cpu.seconds()?;
    let began = timing::now();
    let departures = receivers.runtime.block_on(send_all(server.address, &sources, pace, 0))?;
    let elapsed = began.elapsed();
    let told = departures.iter().filter(|(number, _)| number % (sources.len() as u64) < WELL as u64).count();
    receivers.until((told * HEALTHY) as u64)?;
    let cpu = server.cpu.seconds()? - cpu_before;
    let notes = receivers.notes();
    let mut micros = Vec::new();
    for (number, departed) in departures {
        for arrived in notes.arrivals.get(&number).into_iter().flatten() {
            let taken = arrived.saturating_duration_since(departed).as_micros();
            micros.push(u32::try_from(taken).unwrap_or(u32::MAX));
        }
    }
    ensure!(!micros.is_empty(), "nothing arrived");
    Ok(Sample::of(&mut micros, elapsed, Some(cpu)))
}

/// What a server does that finds a backlog.
pub(super) struct Found {
    /// Seconds from the process's start to the first delivery.
    pub(super) first_after: f64,
    /// Seconds of processor time for 1,000 of the deliveries that followed.
    pub(super) cpu: f64,
    /// Peak memory in MB.
    pub(super) memory: f64,
}

/// Endpoints that the backlog waits for.
const WAITED_FOR: u64 = 100;

/// How many deliveries are watched at most.
const WATCHED: u64 = 20_000;

/// Starts a server that finds so many deliveries waiting.
pub(super) fn backlog(waiting: u64) -> Result<Found> {
    let (product, receivers) = (Product::fresh()?, Receivers::start()?);
    let org = product.command(&["org", "create", "--name", "Bench"], "id")?;
    let mut endpoints = Vec::new();
    for _ in 0..WAITED_FOR {
        endpoints.push(product.make_endpoint(&org, &hook(receivers.well))?.parse()?);
    }
    let backlog = Backlog { org: org.parse()?, endpoints, events: waiting / WAITED_FOR };
    fill_backlog(&product.folder().join("inboundflow.db"), &backlog)?;
    progress(&format!("{waiting} deliveries wait"));
    let began = timing::now();
    let server = product.serve()?;
    receivers.until(1)?;
    let first = receivers.notes().first.context("the first delivery")?;
    receivers.until(waiting.min(WATCHED))?;
    figures(&server, &receivers, first.saturating_duration_since(began))
}

fn figures(server: &Process, receivers: &Receivers, first_after: Duration) -> Result<Found> {
    let (cpu, count) = (server.cpu.seconds()?, receivers.notes().count);
    Ok(Found {
        first_after: first_after.as_secs_f64(),
        cpu: cpu * 1000.0 / count as f64,
        memory: server.peak_memory()?,
    })
}
