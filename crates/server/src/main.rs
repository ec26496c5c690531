//! The binary: one command line for the server and for the chores beside it.

use std::process::ExitCode;

use clap::Parser;
use inboundflow::cli::Cli;

/// A page of calls is some hundred small strings; the system's allocator took a fifth of a list's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
