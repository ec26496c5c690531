//! `cargo xtask fuzz`: every connector against what nobody expected, guided by what its code does with it.
//!
//! libFuzzer needs instrumented code, which stable Rust can make (LLVM's SanitizerCoverage); of the sanitizers, which
//! stable Rust lacks, none is missed where nothing is unsafe.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::Mutex,
    thread,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    tools::ensure_cpp_compiler,
    workspace::{Workspace, cargo},
};

/// The fuzzer's package, a workspace of its own.
pub(crate) const PACKAGE: &str = "crates/connectors/fuzz";

/// A folder of messages for each platform: what the fuzzer begins with, and how the platforms are known.
const FIXTURES: &str = "crates/connectors/fixtures";

/// What makes the code tell the fuzzer where it has been, and what it compared.
const INSTRUMENTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long in all, in seconds, shared by the platforms
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Only this platform
    #[arg(long)]
    platform: Option<String>,
}

/// Fuzzes every connector, several at once. Fails where one of them did, and says which input it was.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::read()?;
    let platforms = platforms(&workspace, args.platform.as_deref())?;
    let program = build(&workspace)?;
    let places = thread::available_parallelism().map_or(1, usize::from).min(platforms.len());
    let seconds = (args.seconds * places as u64 / platforms.len() as u64).max(1);
    println!("xtask: fuzzing {} connectors for {seconds} s each, {places} at once", platforms.len());

    let (waiting, failed) = (Mutex::new(platforms), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..places {
            scope.spawn(|| {
                // One after the other, until none is left.
                while let Some(platform) = waiting.lock().ok().and_then(|mut waiting| waiting.pop()) {
                    let outcome = fuzz(&workspace, &program, &platform, seconds);
                    if let Err(error) = outcome
                        && let Ok(mut failed) = failed.lock()
                    {
                        failed.push(format!("{platform}: {error:#}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for each in failed {
        println!("xtask: {each}");
    }
    Ok(ExitCode::FAILURE)
}

fn platforms(workspace: &Workspace, only: Option<&str>) -> Result<Vec<String>> {
    let folders = fs::read_dir(workspace.root.join(FIXTURES)).context(FIXTURES)?;
    let mut platforms: Vec<String> =
        folders.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    platforms.retain(|platform| only.is_none_or(|only| only == platform));
    ensure!(!platforms.is_empty(), "there are no messages for this platform in {FIXTURES}");
    platforms.sort_unstable_by(|one, other| other.cmp(one));
    Ok(platforms)
}

/// Builds the fuzzer; the path of its program.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    ensure_cpp_compiler()?;
    let host = host()?;
    let target = workspace.target.join("fuzz");
    // With a target named, only what runs there is instrumented, and no build script or macro.
    let status = Command::new(cargo())
        .args(["build", "--release", "--locked", "--target", &host, "--manifest-path"])
        .arg(workspace.root.join(PACKAGE).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTFLAGS", INSTRUMENTED)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .context("cannot run cargo build")?;
    ensure!(status.success(), "the fuzzer cannot be built");
    Ok(target.join(host).join("release/connectors-fuzz"))
}

/// The triple of this machine.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say what machine this is")
}

/// Fuzzes one connector. What it finds is kept, for the next run and for who mends it.
fn fuzz(workspace: &Workspace, program: &Path, platform: &str, seconds: u64) -> Result<()> {
    let home = workspace.target.join("fuzz").join(platform);
    let corpus = home.join("corpus");
    fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
    let output = Command::new(program)
        .arg(&corpus)
        .arg(workspace.root.join(FIXTURES).join(platform))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", home.display()))
        // A message that takes longer than this or more memory is a fault too.
        .args(["-timeout=5", "-rss_limit_mb=1024", "-max_len=16384"])
        .env("FUZZ_PLATFORM", platform)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        let done = told.lines().rfind(|line| line.starts_with("Done ")).unwrap_or("Done");
        let reached = told.lines().rev().find_map(|line| {
            let (_, rest) = line.split_once(" cov: ")?;
            rest.split_whitespace().next()
        });
        println!("xtask: {platform}: {done}, {} places in the code reached", reached.unwrap_or("?"));
        return Ok(());
    }
    println!("{told}");
    bail!(
        "the input is in {}; to see it again: FUZZ_PLATFORM={platform} {} FILE",
        home.display(),
        program.display()
    )
}
