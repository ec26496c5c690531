//! The binary: one command line for the server and for the chores beside it.

use std::process::ExitCode;

use clap::Parser;
use inboundflow::cli::Cli;

/// Set up in `.cargo/config.toml`.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match inboundflow::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            inboundflow::output::complain(&format!("inboundflow: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
