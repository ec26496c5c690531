//! The chores of this repository, run as `cargo xtask <chore>`.
//!
//! A chore is a module with a `run`, a variant of [`Chore`] and an arm of `main`.

#![expect(clippy::print_stdout, reason = "a chore talks to the person who runs it")]

mod bench;
mod browser;
mod crash;
mod fuzz;
mod services;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The chores of this repository.")]
enum Chore {
    /// Runs every test, after installing and starting what they need.
    Test(test::Args),
    /// Fuzzes every connector.
    Fuzz(fuzz::Args),
    /// Kills the server again and again, and looks what became of what it had answered for.
    Crash(crash::Args),
    /// Measures how fast the product is, beside what this machine can do at all.
    Bench(bench::Args),
    /// Checks what the house promises and no compiler checks.
    Tidy,
}

fn main() -> anyhow::Result<ExitCode> {
    match Chore::parse() {
        Chore::Test(args) => test::run(&args),
        Chore::Fuzz(args) => fuzz::run(&args),
        Chore::Crash(args) => crash::run(&args),
        Chore::Bench(args) => bench::run(&args),
        Chore::Tidy => tidy::run(),
    }
}
