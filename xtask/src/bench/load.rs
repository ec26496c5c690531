//! Load in a closed loop: each connection sends its next request when it has the answer to the last.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::task::{JoinSet, LocalSet};

use super::{process::Cpu, table::Sample, timing, wire::Connection};

/// A load.
pub(super) struct Load<'a> {
    pub(super) address: SocketAddr,
    pub(super) connections: usize,
    /// Not measured: caches fill, and the processor finds its pace.
    pub(super) warm_up: Duration,
    pub(super) measured: Duration,
    /// The process whose processor time counts.
    pub(super) cpu: &'a Cpu,
}

/// What a load did.
pub(super) struct Done {
    pub(super) sample: Sample,
    /// Requests that were answered, those outside the measured time included.
    pub(super) total: u64,
}

/// What all connections of a load share. They live on one thread: threads that wake each other would take time from
/// the server.
struct Shared<F> {
    write: F,
    sent: Cell<u64>,
    counting: Cell<bool>,
    stopped: Cell<bool>,
    micros: RefCell<Vec<u32>>,
}

impl Load<'_> {
    /// Runs it. `write` appends the request with a number, counted from 0.
    pub(super) fn run(&self, write: impl Fn(u64, &mut Vec<u8>) + 'static) -> Result<Done> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, self.drive(write))
    }

    async fn drive(&self, write: impl Fn(u64, &mut Vec<u8>) + 'static) -> Result<Done> {
        let shared = Rc::new(Shared {
            write,
            sent: Cell::new(0),
            counting: Cell::new(false),
            stopped: Cell::new(false),
            micros: RefCell::default(),
        });
        let mut connections = JoinSet::new();
        for _ in 0..self.connections {
            let connection = Connection::open(self.address).await?;
            connections.spawn_local(repeat(connection, shared.clone()));
        }
        tokio::time::sleep(self.warm_up).await;
        let (began, cpu_before) = (timing::now(), self.cpu.seconds()?);
        shared.counting.set(true);
        tokio::time::sleep(self.measured).await;
        let (elapsed, cpu) = (began.elapsed(), self.cpu.seconds()? - cpu_before);
        shared.counting.set(false);
        shared.stopped.set(true);
        while let Some(ended) = connections.join_next().await {
            ended??;
        }
        let mut micros = shared.micros.take();
        ensure!(!micros.is_empty(), "nothing was answered in the measured time");
        let sample = Sample::of(&mut micros, elapsed, Some(cpu));
        Ok(Done { sample, total: shared.sent.get() })
    }
}

async fn repeat<F: Fn(u64, &mut Vec<u8>)>(mut connection: Connection, shared: Rc<Shared<F>>) -> Result<()> {
    let mut request = Vec::with_capacity(8 << 10);
    while !shared.stopped.get() {
        let number = shared.sent.replace(shared.sent.get() + 1);
        request.clear();
        (shared.write)(number, &mut request);
        let began: Instant = timing::now();
        let answer = connection.exchange(&request).await?;
        let text = || String::from_utf8_lossy(answer.body).into_owned();
        ensure!(answer.status == 200, "a request was answered {}: {}", answer.status, text());
        if shared.counting.get() {
            let micros = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
            shared.micros.borrow_mut().push(micros);
        }
    }
    Ok(())
}
