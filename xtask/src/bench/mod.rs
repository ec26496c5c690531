//! `cargo xtask bench`: how fast the product is, beside what this machine can do at all.
//!
//! The load comes from this program, so it is built like the product: the chore builds both in release mode, and then
//! hands over to its own release build, which alone has the feature `bench` and the libraries behind it.

#[cfg(feature = "bench")]
mod crowd;
#[cfg(feature = "bench")]
mod load;
#[cfg(feature = "bench")]
mod measure;
#[cfg(feature = "bench")]
mod peer;
#[cfg(feature = "bench")]
mod process;
#[cfg(feature = "bench")]
mod product;
#[cfg(feature = "bench")]
mod raw;
#[cfg(feature = "bench")]
mod reports;
#[cfg(feature = "bench")]
mod table;
#[cfg(feature = "bench")]
mod timing;
#[cfg(feature = "bench")]
mod webhooks;
#[cfg(feature = "bench")]
mod wire;

#[cfg(feature = "bench")]
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many calls the database has. It is kept in target/bench for the next time
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..=8_000_000))]
    calls: u64,
    /// How many seconds each measurement takes; there are three of each
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// What to measure; all of it where nothing is said
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Be the other side: a server of fixed answers, and a receiver of webhooks
    #[cfg(feature = "bench")]
    #[arg(long, hide = true, num_args = 2)]
    peer: Vec<PathBuf>,
}

/// A part of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Pages of calls.
    List,
    /// One call by its id.
    Id,
    /// Platforms' messages in, without webhooks out.
    Ingest,
    /// Platforms' messages in, webhooks out.
    Deliver,
    /// How long one call takes from in to out at a steady pace.
    Latency,
    /// Platforms' messages in, each told to four endpoints.
    Fan,
    /// The steady pace, with one endpoint in twenty that hangs.
    Dead,
    /// Endpoints that are well beside a hundred that hang; once.
    Holes,
    /// A server that finds a thousand, and a million deliveries waiting; once.
    Backlog,
    /// A server that has nothing to do; once.
    Idle,
}

/// Measures and prints. It doesn't fail where a target is missed: it says so.
#[cfg(feature = "bench")]
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match args.peer.as_slice() {
        [list, one] => peer::serve(list, one)?,
        _ => measure::run(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the product and this program for measuring, and hands over.
#[cfg(not(feature = "bench"))]
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    use crate::{tools, workspace};

    let root = workspace::Workspace::read()?.root;
    let cargo = |given: &[&str]| {
        let mut command = std::process::Command::new(workspace::cargo());
        command.current_dir(&root).args(given);
        command
    };
    // Two builds, lest the features of one end up in the other: what is measured is what is shipped.
    tools::run(&mut cargo(&["build", "--release", "--package", "inboundflow"]))?;
    let mut measuring = cargo(&["run", "--quiet", "--release", "--package", "xtask", "--features", "bench"]);
    measuring.args([
        "--",
        "bench",
        "--calls",
        &args.calls.to_string(),
        "--seconds",
        &args.seconds.to_string(),
    ]);
    for part in &args.only {
        measuring.arg(format!("--only={}", format!("{part:?}").to_lowercase()));
    }
    measuring.args(args.json.then_some("--json"));
    tools::run(&mut measuring)?;
    Ok(ExitCode::SUCCESS)
}
