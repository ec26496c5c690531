//! `cargo xtask crash`: the rounds of `kill -9` that the tests run a few of, for as long as one likes.
//!
//! It is the same code: the test with another number of rounds, whose figures are shown.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::{
    services::Postgres,
    test::outlive_interrupt,
    tools::ensure_postgres,
    workspace::{Workspace, cargo},
};

/// What the tests' names begin with. What follows is the database.
const TEST: &str = "process::crash::kill_9_loses_nothing_and_repeats_only_what_was_under_way_on_";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often the server is killed, or at times stopped
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(3..))]
    rounds: u64,
    /// Over which database
    #[arg(long, default_value = "sqlite")]
    database: Database,
    /// What a run before said, to have the same plan
    #[arg(long)]
    seed: Option<u64>,
    /// With the server as it is shipped, which takes a release build
    #[arg(long)]
    release: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

/// Runs the rounds; the exit code is that of `cargo test`.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::read()?;
    outlive_interrupt()?;
    let tools = (args.database == Database::Postgres).then(ensure_postgres).transpose()?;
    let postgres = tools.as_ref().map(Postgres::start).transpose()?;
    let name = match args.database {
        Database::Sqlite => "sqlite",
        Database::Postgres => "postgres",
    };
    let mut command = Command::new(cargo());
    command.current_dir(&workspace.root).args(["test", "--locked", "--workspace", "--test", "it"]);
    command.args(args.release.then_some("--release"));
    command.args(["--", "--exact", "--nocapture", &format!("{TEST}{name}")]);
    command.env("INBOUNDFLOW_TEST_CRASH_ROUNDS", args.rounds.to_string());
    command.envs(args.seed.map(|seed| ("INBOUNDFLOW_TEST_CRASH_SEED", seed.to_string())));
    command.envs(postgres.as_ref().map(|postgres| ("INBOUNDFLOW_TEST_POSTGRES", postgres.url())));
    let status = command.status().context("cannot run cargo test")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
