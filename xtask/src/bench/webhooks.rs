//! Calls at a steady pace, whatever the answers do, and how long each takes from the platform's message in to our
//! webhook out.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post, serve::ListenerExt};
use tokio::{net::TcpListener, runtime::Runtime, task::JoinSet};

use super::{
    process::Cpu,
    reports::{self, Reports},
    table::Sample,
    timing,
    wire::Connection,
};

/// How many calls in a second, and for how long.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub(super) per_second: u64,
    pub(super) seconds: u64,
}

/// Each takes its turn: so many that of 200 in a second a turn comes only every tenth of one.
const CONNECTIONS: u64 = 20;

/// A receiver in this process, with one clock for both ends of a call's way.
pub(super) struct Receiver {
    runtime: Runtime,
    arrivals: Arc<Arrivals>,
    pub(super) address: SocketAddr,
}

#[derive(Default)]
struct Arrivals(Mutex<HashMap<u64, Instant>>);

impl Receiver {
    pub(super) fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let arrivals = Arc::new(Arrivals::default());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let router = Router::new().route("/hook", post(receive)).with_state(arrivals.clone());
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        // It ends with the runtime.
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self { runtime, arrivals, address })
    }

    /// Sends the reports from a number on, to each of the sources in turn, and waits for their webhooks but those of the
    /// first so many sources, which are not listened to. Returns how long each took.
    pub(super) fn pace(
        &self,
        server: SocketAddr,
        cpu: &Cpu,
        (sources, dead): (&[Reports], u64),
        (pace, first): (Pace, u64),
    ) -> Result<Sample> {
        let cpu_before = cpu.seconds()?;
        let began = timing::now();
        let departures = self.runtime.block_on(send_all(server, sources, pace, first))?;
        let elapsed = began.elapsed();
        let mut micros = Vec::with_capacity(departures.len());
        for (number, departed) in departures {
            if (number - first) % (sources.len() as u64) < dead {
                continue;
            }
            let arrived = self.arrivals.wait(number)?;
            let taken = arrived.saturating_duration_since(departed).as_micros();
            micros.push(u32::try_from(taken).unwrap_or(u32::MAX));
        }
        Ok(Sample::of(&mut micros, elapsed, Some(cpu.seconds()? - cpu_before)))
    }
}

impl Arrivals {
    fn wait(&self, number: u64) -> Result<Instant> {
        for _ in 0..1000 {
            let arrived = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&number).copied();
            if let Some(arrived) = arrived {
                return Ok(arrived);
            }
            timing::pause(Duration::from_millis(10));
        }
        anyhow::bail!("the webhook of a call did not arrive")
    }
}

async fn receive(State(arrivals): State<Arc<Arrivals>>, body: Bytes) -> StatusCode {
    let arrived = timing::now();
    if let Some(number) = reports::number_of(&body) {
        arrivals.0.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_insert(arrived);
    }
    StatusCode::NO_CONTENT
}

/// Sends reports to each of the sources in turn, and returns when each left.
pub(super) async fn send_all(
    server: SocketAddr,
    sources: &[Reports],
    pace: Pace,
    first: u64,
) -> Result<Vec<(u64, Instant)>> {
    let sources: Arc<[Reports]> = sources.into();
    let mut tasks = JoinSet::new();
    let start = timing::now() + Duration::from_millis(50);
    for place in 0..CONNECTIONS {
        let connection = Connection::open(server).await?;
        tasks.spawn(send_turns(connection, sources.clone(), (pace, start), first, place));
    }
    let mut departures = Vec::new();
    while let Some(done) = tasks.join_next().await {
        departures.extend(done??);
    }
    Ok(departures)
}

async fn send_turns(
    mut connection: Connection,
    sources: Arc<[Reports]>,
    (pace, start): (Pace, Instant),
    first: u64,
    place: u64,
) -> Result<Vec<(u64, Instant)>> {
    let mut departures = Vec::new();
    let mut request = Vec::new();
    let turns = (place..pace.per_second * pace.seconds).step_by(CONNECTIONS as usize);
    for turn in turns {
        request.clear();
        sources[(turn % sources.len() as u64) as usize].write(first + turn, &mut request);
        let planned = start + Duration::from_micros(turn * 1_000_000 / pace.per_second);
        tokio::time::sleep_until(planned.into()).await;
        let now = timing::now();
        // The timer is coarse by a millisecond, which is not the product's. A later start is: the answer before
        // came so late that this call had to wait, and that counts.
        let is_late = now.saturating_duration_since(planned) > Duration::from_millis(5);
        departures.push((first + turn, if is_late { planned } else { now }));
        let answer = connection.exchange(&request).await?;
        ensure!(answer.status == 200, "a report was answered {}", answer.status);
    }
    Ok(departures)
}
