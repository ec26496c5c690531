//! `cargo xtask test`: every test, on every database, with nothing skipped.
//!
//! The tests that need a server read its address from the environment and fail without it; here the servers are
//! installed where they are missing, started for this run only, and stopped after it. The test in a browser comes last,
//! where no tests are chosen.

use std::{
    env,
    ffi::OsString,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context, Result, bail};

use crate::{
    browser,
    services::{Postgres, Redis},
    tools::{SCHEMATHESIS_VERSION, Tools},
    workspace::{Workspace, cargo},
};

/// Recorded calls of real platforms, kept beside the repository.
const FIXTURES: &str = "../shared/fixtures";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to `cargo test`, for example `-- --package store` or `-- -- a_key_is_shown_once`.
    #[arg(last = true)]
    cargo: Vec<OsString>,
}

impl Args {
    /// Whether `--package` or `-p` is among what `cargo test` is told.
    fn choose_packages(&self) -> bool {
        let for_cargo = self.cargo.iter().map(|arg| arg.to_string_lossy()).take_while(|arg| arg != "--");
        for_cargo.into_iter().any(|arg| arg.starts_with("--package") || arg.starts_with("-p"))
    }
}

/// Runs the tests; the exit code is that of `cargo test`.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::read()?;
    let fixtures = find_fixtures(&workspace)?;
    let tools = Tools::ensure(&workspace)?;
    outlive_interrupt()?;

    let postgres = Postgres::start(&tools.postgres)?;
    let redis = Redis::start(&tools.redis)?;
    println!("xtask: PostgreSQL at {}, Redis at {}", postgres.url(), redis.url());

    let status = Command::new(cargo())
        .args(["test", "--locked"])
        // Cargo lets `--workspace` win over a package that was asked for.
        .args((!args.choose_packages()).then_some("--workspace"))
        .args(&args.cargo)
        .current_dir(&workspace.root)
        .env("INBOUNDFLOW_TEST_POSTGRES", postgres.url())
        .env("INBOUNDFLOW_TEST_REDIS", redis.url())
        .env("INBOUNDFLOW_TEST_SCHEMATHESIS", &tools.schemathesis)
        .status()
        .context("cannot run cargo test")?;

    let is_whole = args.cargo.is_empty();
    let which = if is_whole { "every test" } else { "the chosen tests" };
    println!("\nxtask: ran {which} with:");
    println!("  {}", tools.postgres.version());
    println!("  {}", tools.redis_version());
    println!("  Schemathesis {SCHEMATHESIS_VERSION}");
    match fixtures {
        Some(folder) => println!("  the recorded calls in {}", folder.display()),
        None => {
            println!("  no recorded calls: there is no {FIXTURES}, so the tests over it had nothing to read")
        }
    }
    println!("  {}", disks());
    if status.success() {
        println!("xtask: they passed");
        if is_whole {
            // After the others, which would keep a browser waiting.
            println!("xtask: and now in {}", tools.browser.chromium_version());
            browser::test(&workspace, &tools.browser)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    println!("xtask: they did NOT all pass ({status})");
    // A code out of range means that a signal ended it, Ctrl-C for example.
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// The recorded calls. A developer may lack them; CI may not, or it would pass on less than it promises.
fn find_fixtures(workspace: &Workspace) -> Result<Option<PathBuf>> {
    let folder = workspace.root.join(FIXTURES);
    if folder.is_dir() {
        return Ok(Some(PathBuf::from(FIXTURES)));
    }
    if env::var("CI").is_ok_and(|ci| ci == "true") {
        bail!("CI=true, but there are no recorded calls in {FIXTURES}");
    }
    Ok(None)
}

/// What the tests of a full disk had, which try the same themselves.
fn disks() -> &'static str {
    let may_mount = || {
        let place = tempfile::tempdir().ok()?;
        let quiet = |command: &mut Command| {
            command.stderr(Stdio::null()).status().is_ok_and(|status| status.success()).then_some(())
        };
        quiet(Command::new("mount").args(["-t", "tmpfs", "-o", "size=1M", "tmpfs"]).arg(place.path()))?;
        quiet(Command::new("umount").arg(place.path()))
    };
    match may_mount() {
        Some(()) => "disks of their own, filled and made read-only",
        None => "a limit on the size of files in the place of a full disk: nothing may be mounted here",
    }
}

/// Keeps Ctrl-C from ending us: it ends `cargo test`, and then we stop the servers and remove their folders.
pub(crate) fn outlive_interrupt() -> Result<()> {
    // Nobody reads the flag: a handler, unlike "ignore", isn't inherited by the programs we start.
    let flag = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, flag).context("cannot handle Ctrl-C")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose_packages(args: &[&str]) -> bool {
        Args { cargo: args.iter().map(OsString::from).collect() }.choose_packages()
    }

    #[test]
    fn all_packages_are_tested_unless_some_are_chosen() {
        assert!(!choose_packages(&[]));
        assert!(!choose_packages(&["--test", "it", "--", "-p", "--package"]));
        assert!(choose_packages(&["--package", "store"]));
        assert!(choose_packages(&["-pstore", "--", "a_test"]));
    }
}
