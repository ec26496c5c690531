//! What is measured, in which order: in each round a limit of the machine and then the product, so that both meet
//! the same machine.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use model::Cursor;
use store::seed;

use super::{
    Args, Part,
    load::{Done, Load},
    peer::Peer,
    process::{Cpu, Process},
    product::Product,
    raw,
    reports::Reports,
    table::{Row, Sample, Table},
    timing, webhooks, wire,
};

const ROUNDS: u64 = 3;

/// Clients at once: for reading, and for platforms' messages.
const READERS: usize = 16;
const PLATFORMS: usize = 64;

/// What all sources have as their secret.
const SECRET: &str = "bench-secret-0123456789abcdef0123456789";

/// How far apart the numbers of reports are that different measurements send.
const REPORTS_APART: u64 = 400_000;

/// Tells the person who waits what is going on.
#[expect(clippy::print_stderr, reason = "standard output is for the result")]
pub(super) fn progress(line: &str) {
    eprintln!("bench: {line}");
}

/// Measures everything and prints it.
pub(super) fn run(args: &Args) -> Result<()> {
    progress("making the database ready");
    let product = Product::prepare(args.calls)?;
    let mut bench = Bench::start(args, &product)?;
    for round in 0..ROUNDS {
        for part in [Part::List, Part::Id, Part::Ingest, Part::Deliver, Part::Latency] {
            if args.only.is_empty() || args.only.contains(&part) {
                progress(&format!("round {} of {ROUNDS}: {}", round + 1, format!("{part:?}").to_lowercase()));
                bench.measure(part, round)?;
            }
        }
    }
    bench.table.memory = bench.server.peak_memory()?;
    if args.json {
        println!("{}", bench.table.json())
    } else {
        print!("{}", bench.table.text())
    }
    Ok(())
}

/// Everything that runs while it is measured.
struct Bench {
    server: Process,
    peer: Peer,
    receiver: webhooks::Receiver,
    calls: u64,
    key: String,
    measured: Duration,
    silent: Reports,
    delivering: Reports,
    paced: Reports,
    table: Table,
}

impl Bench {
    fn start(args: &Args, product: &Product) -> Result<Self> {
        let server = product.serve()?;
        let key = product.make_key()?;
        let calls = args.calls;
        let list = wire::ask(server.address, &wire::get(FIRST_PAGE, Some(&key)))?;
        let one = wire::ask(server.address, &wire::get(&one_path(calls / 2), Some(&key)))?;
        let peer = Peer::start(product.folder(), &list, &one)?;
        let receiver = webhooks::Receiver::start()?;
        let (_, silent) = product.make_source(SECRET)?;
        let (org, delivering) = product.make_source(SECRET)?;
        product.make_endpoint(&org, &hook(peer.0.address))?;
        let (org, paced) = product.make_source(SECRET)?;
        product.make_endpoint(&org, &hook(receiver.address))?;
        let silent = Reports::new(&silent, SECRET)?;
        let notes = vec![
            format!(
                "{calls} calls in the database; a page of 50 is {} bytes, one call {}, a report {}; the deep page is \
                 number {}",
                list.len(),
                one.len(),
                silent.body().len(),
                deep_page(calls)
            ),
            format!(
                "{READERS} connections read, {PLATFORMS} send reports; every fifth call books an appointment; the \
                 seeded calls' words are not in the full-text index"
            ),
        ];
        Ok(Self {
            server,
            peer,
            receiver,
            calls,
            key,
            measured: Duration::from_secs(args.seconds),
            silent,
            delivering: Reports::new(&delivering, SECRET)?,
            paced: Reports::new(&paced, SECRET)?,
            table: Table::with_notes(notes),
        })
    }

    fn measure(&mut self, part: Part, round: u64) -> Result<()> {
        // What the measurement before left to be written is written.
        timing::pause(Duration::from_millis(300));
        match part {
            Part::List => self.list(),
            Part::Id => self.one_by_id(),
            Part::Ingest => self.ingest(round),
            Part::Deliver => self.deliver(round),
            Part::Latency => self.latency(round),
        }
    }

    fn list(&mut self) -> Result<()> {
        let deep = format!("{FIRST_PAGE}&cursor={}", deep_cursor(self.calls).encode());
        let limit = read(&self.peer.0, self.measured, wire::get("/list", None))?;
        self.table.add(Row::StaticList, limit);
        let first = read(&self.server, self.measured, wire::get(FIRST_PAGE, Some(&self.key)))?;
        self.table.add(Row::FirstPage, first);
        let deep = read(&self.server, self.measured, wire::get(&deep, Some(&self.key)))?;
        self.table.add(Row::DeepPage, deep);
        Ok(())
    }

    fn one_by_id(&mut self) -> Result<()> {
        let limit = read(&self.peer.0, self.measured, wire::get("/one", None))?;
        self.table.add(Row::StaticOne, limit);
        let (calls, key) = (self.calls, self.key.clone());
        let load = reading(self.server.address, &self.server.cpu, self.measured);
        let done = load.run(move |number, out| {
            // Multiplied by a large prime: all over the calls, never the same again soon.
            let path = one_path(number.wrapping_mul(2_147_483_647) % calls);
            out.extend_from_slice(&wire::get(&path, Some(&key)));
        })?;
        self.table.add(Row::OneById, done.sample);
        Ok(())
    }

    fn ingest(&mut self, round: u64) -> Result<()> {
        let warm_up = self.measured / 10;
        let done = self.send(&self.silent, round * REPORTS_APART, warm_up, self.measured)?;
        self.table.add(Row::Ingest, done.sample);
        Ok(())
    }

    fn deliver(&mut self, round: u64) -> Result<()> {
        let body = self.delivering.body();
        let limit = raw::run(&self.peer, &body, self.measured)?;
        self.table.add(Row::RawPosts, limit);
        let first = round * REPORTS_APART;
        let warm = self.send_and_wait(first, self.measured / 10)?;
        let (began, cpu_before) = (timing::now(), self.server.cpu.seconds()?);
        let sent = self.send_and_wait(first + warm, self.measured)?;
        let elapsed = began.elapsed();
        // The last tries are still written down, and that is part of the work.
        timing::pause(Duration::from_millis(200));
        let cpu = self.server.cpu.seconds()? - cpu_before;
        self.table.add(Row::Delivered, Sample::rate(sent, elapsed, Some(cpu)));
        Ok(())
    }

    /// Sends reports for a while and returns how many, when the webhooks of all of them have arrived.
    fn send_and_wait(&self, first: u64, measured: Duration) -> Result<u64> {
        let before = self.peer.count()?;
        let done = self.send(&self.delivering, first, Duration::ZERO, measured)?;
        let arrived = self.peer.until(before + done.total)? - before;
        ensure!(arrived >= done.total, "of {} webhooks {arrived} arrived within a minute", done.total);
        Ok(done.total)
    }

    fn send(&self, reports: &Reports, first: u64, warm_up: Duration, measured: Duration) -> Result<Done> {
        let load = Load {
            address: self.server.address,
            connections: PLATFORMS,
            warm_up,
            measured,
            cpu: &self.server.cpu,
        };
        let reports = reports.clone();
        load.run(move |number, out| reports.write(first + number, out))
    }

    fn latency(&mut self, round: u64) -> Result<()> {
        let first = round * REPORTS_APART;
        let sample = self.receiver.pace(self.server.address, &self.server.cpu, &self.paced, first)?;
        self.table.add(Row::Paced, sample);
        Ok(())
    }
}

const FIRST_PAGE: &str = "/v1/calls?limit=50";

fn read(process: &Process, measured: Duration, request: Vec<u8>) -> Result<Sample> {
    let load = reading(process.address, &process.cpu, measured);
    Ok(load.run(move |_, out| out.extend_from_slice(&request))?.sample)
}

fn reading(address: SocketAddr, cpu: &Cpu, measured: Duration) -> Load<'_> {
    Load { address, connections: READERS, warm_up: measured / 10, measured, cpu }
}

fn one_path(number: u64) -> String {
    format!("/v1/calls/{}", seed::call_id(number))
}

fn hook(address: SocketAddr) -> String {
    format!("http://{address}/hook")
}

/// Nine tenths down the list: page 18,000 of a million calls.
fn deep_page(calls: u64) -> u64 {
    calls * 9 / 10 / 50
}

/// The cursor of the page before it, whose last call is this far from the newest.
fn deep_cursor(calls: u64) -> Cursor {
    Cursor(seed::stamp(calls - (deep_page(calls) - 1) * 50))
}
