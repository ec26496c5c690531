//! What is measured, in which order: in each round a limit of the machine and then the product, so that both meet
//! the same machine.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use model::Cursor;
use store::seed;

use super::{
    Args, Part, crowd,
    load::{Done, Load},
    peer::Peer,
    process::{Cpu, Process},
    product::Product,
    raw,
    reports::Reports,
    table::{Row, Sample, Table},
    timing,
    webhooks::{self, Pace},
    wire,
};

const ROUNDS: u64 = 3;

/// Clients at once: for reading, and for platforms' messages.
const READERS: usize = 16;
const PLATFORMS: usize = 64;

/// What all sources have as their secret.
pub(super) const SECRET: &str = "bench-secret-0123456789abcdef0123456789";

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
        for part in EACH_ROUND {
            if is_wanted(args, part) {
                progress(&format!("round {} of {ROUNDS}: {}", round + 1, format!("{part:?}").to_lowercase()));
                bench.measure(part, round)?;
            }
        }
    }
    bench.table.memory = bench.server.peak_memory()?;
    for part in ONCE.into_iter().filter(|part| is_wanted(args, *part)) {
        progress(&format!("once: {}", format!("{part:?}").to_lowercase()));
        bench.measure(part, 0)?;
    }
    if args.json {
        println!("{}", bench.table.json())
    } else {
        print!("{}", bench.table.text())
    }
    Ok(())
}

/// What is measured in each round, and what once.
const EACH_ROUND: [Part; 7] =
    [Part::List, Part::Id, Part::Ingest, Part::Deliver, Part::Latency, Part::Fan, Part::Dead];
const ONCE: [Part; 3] = [Part::Idle, Part::Holes, Part::Backlog];

fn is_wanted(args: &Args, part: Part) -> bool {
    args.only.is_empty() || args.only.contains(&part)
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
    fanning: Reports,
    beside_dead: Vec<Reports>,
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
        let (org, fanning) = product.make_source(SECRET)?;
        for _ in 0..FAN {
            product.make_endpoint(&org, &hook(peer.0.address))?;
        }
        let mut beside_dead = Vec::new();
        for place in 0..SOURCES_BESIDE_DEAD {
            let (org, source) = product.make_source(SECRET)?;
            // Nobody listens at the port of the first.
            let to = if place < DEAD {
                hook(SocketAddr::from(([127, 0, 0, 1], 9)))
            } else {
                hook(receiver.address)
            };
            product.make_endpoint(&org, &to)?;
            beside_dead.push(Reports::new(&source, SECRET)?);
        }
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
            fanning: Reports::new(&fanning, SECRET)?,
            beside_dead,
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
            Part::Fan => self.fan(round),
            Part::Dead => self.beside_dead(round),
            Part::Holes => self.beside_holes(),
            Part::Backlog => self.backlog(),
            Part::Idle => self.idle(),
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
        let reports = self.delivering.clone();
        let sample = self.deliver_each(&reports, 1, round * REPORTS_APART)?;
        self.table.add(Row::Delivered, sample);
        Ok(())
    }

    fn fan(&mut self, round: u64) -> Result<()> {
        let reports = self.fanning.clone();
        let sample = self.deliver_each(&reports, FAN, round * REPORTS_APART)?;
        self.table.add(Row::Fanned, sample);
        Ok(())
    }

    /// Sends reports, each of which so many endpoints are told of.
    fn deliver_each(&self, reports: &Reports, each: u64, first: u64) -> Result<Sample> {
        let warm = self.send_and_wait((reports, each), first, self.measured / 10)?;
        let (began, cpu_before) = (timing::now(), self.server.cpu.seconds()?);
        let sent = self.send_and_wait((reports, each), first + warm, self.measured)?;
        let elapsed = began.elapsed();
        // The last tries are still written down, and that is part of the work.
        timing::pause(Duration::from_millis(200));
        let cpu = self.server.cpu.seconds()? - cpu_before;
        Ok(Sample::rate(sent * each, elapsed, Some(cpu)))
    }

    /// Sends reports for a while and returns how many, when the webhooks of all of them have arrived.
    fn send_and_wait(&self, (reports, each): (&Reports, u64), first: u64, measured: Duration) -> Result<u64> {
        let before = self.peer.count()?;
        let done = self.send(reports, first, Duration::ZERO, measured)?;
        let owed = done.total * each;
        let arrived = self.peer.until(before + owed)? - before;
        ensure!(arrived >= owed, "of {owed} webhooks {arrived} arrived within a minute");
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
        let (sources, at) = ([self.paced.clone()], (PACE, round * REPORTS_APART));
        let sample = self.receiver.pace(self.server.address, &self.server.cpu, (&sources, 0), at)?;
        self.table.add(Row::Paced, sample);
        Ok(())
    }

    fn beside_dead(&mut self, round: u64) -> Result<()> {
        // Behind the numbers of the row before: the receiver knows calls by them.
        let at = (PACE, round * REPORTS_APART + REPORTS_APART / 2);
        let sources = (&self.beside_dead[..], DEAD);
        let sample = self.receiver.pace(self.server.address, &self.server.cpu, sources, at)?;
        self.table.add(Row::PacedBesideDead, sample);
        Ok(())
    }

    fn beside_holes(&mut self) -> Result<()> {
        self.table.add(Row::BesideHoles, crowd::beside_holes()?);
        Ok(())
    }

    fn backlog(&mut self) -> Result<()> {
        let few = crowd::backlog(FEW_WAIT)?;
        let many = crowd::backlog(MANY_WAIT)?;
        self.table.note("a million wait: s to the first", many.first_after, 2.0);
        self.table.note("a million wait: peak memory, MB", many.memory, 300.0);
        self.table.note("a million wait: CPU-s per 1,000", many.cpu, few.cpu);
        Ok(())
    }

    fn idle(&mut self) -> Result<()> {
        timing::pause(Duration::from_secs(2));
        let before = self.server.cpu.seconds()?;
        timing::pause(IDLE);
        let share = (self.server.cpu.seconds()? - before) / IDLE.as_secs_f64();
        self.table.note("idle: % of a processor", share * 100.0, 0.5);
        Ok(())
    }
}

/// How many endpoints are told of each call where it is more than one.
const FAN: u64 = 4;

/// The steady pace.
const PACE: Pace = Pace { per_second: 200, seconds: 10 };

/// Of so many sources, so many have an endpoint that is dead: one in twenty.
const SOURCES_BESIDE_DEAD: u64 = 20;
const DEAD: u64 = 1;

/// How many deliveries wait for a server that was down.
const FEW_WAIT: u64 = 1000;
const MANY_WAIT: u64 = 1_000_000;

/// How long a server is watched that has nothing to do.
const IDLE: Duration = Duration::from_secs(10);

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
