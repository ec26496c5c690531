//! `inboundflow-conform`: whether a sender of webhooks bears with receivers that behave badly.

#![expect(clippy::print_stdout, reason = "a command talks to the person who runs it")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Parser};
use conform::{
    adapter::{Adapter, InboundFlow, Program},
    checks::{self, Check, Limits},
    receiver::Authority,
    report, run,
};

/// Whether a sender of webhooks bears with receivers that behave badly.
#[derive(Parser)]
#[command(name = "inboundflow-conform", version)]
enum Command {
    /// Run the checks against a sender
    Run(RunOptions),
    /// List the checks
    List,
    /// Make the authority of the receivers' certificates, for the sender to trust, if it is not there yet
    Authority {
        /// The folder that it is, or will be, in
        folder: PathBuf,
    },
}

#[derive(Args)]
struct RunOptions {
    /// The InboundFlow server to check, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL", conflicts_with = "program")]
    inboundflow: Option<String>,
    /// The file with a key of that server's API, which may write
    #[arg(long, value_name = "FILE", requires = "inboundflow")]
    key_file: Option<PathBuf>,
    /// The adapter for another sender: a program, and its arguments after it
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true)]
    program: Vec<String>,
    /// The folder of the authority, where the sender trusts it
    #[arg(long, value_name = "FOLDER")]
    authority: Option<PathBuf>,
    /// Only checks whose names begin so; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// What receivers ask for by Retry-After, in seconds: more than the sender waits by itself after a first failure
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    retry_after: u64,
    /// How long the sender may hang on to a receiver, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 35)]
    timeout: u64,
    /// How long the whole may take at most for each of the two events, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    patience: u64,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    match Command::parse() {
        Command::Run(options) => run_checks(options).await,
        Command::List => {
            for Check { name, does, expects, why, source, .. } in checks::all(&Limits::default(), true) {
                println!("{name}: {does}\n    expected: {expects}\n    because {why} ({source})");
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Authority { folder } => {
            authority(&folder)?;
            println!("{}", folder.join(CERTIFICATE).display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn run_checks(options: RunOptions) -> Result<ExitCode> {
    let adapter = adapter(&options)?;
    let limits = Limits {
        timeout: Duration::from_secs(options.timeout),
        retry_after: Duration::from_secs(options.retry_after),
        patience: Duration::from_secs(options.patience),
        ..Limits::default()
    };
    let mut checks = checks::all(&limits, options.authority.is_some());
    if !options.only.is_empty() {
        checks.retain(|check| options.only.iter().any(|name| check.name.starts_with(name.as_str())));
        ensure!(!checks.is_empty(), "--only: no check's name begins so; `list` lists them");
    }
    let authority = match &options.authority {
        Some(folder) => authority(folder)?,
        None => Authority::new()?,
    };
    let lines = run::run(&adapter, &authority, &checks, &limits).await?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&lines)?);
    } else {
        println!("{}", report::table(&lines));
    }
    let all_passed = lines.iter().all(report::Line::has_passed);
    Ok(if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn adapter(options: &RunOptions) -> Result<Adapter> {
    match (&options.inboundflow, &options.key_file) {
        (Some(base), Some(file)) => {
            let key = fs::read_to_string(file).with_context(|| format!("--key-file {}", file.display()))?;
            Ok(Adapter::InboundFlow(InboundFlow::new(base, &key)?))
        }
        (None, None) if !options.program.is_empty() => {
            Ok(Adapter::Program(Program::new(options.program.clone())?))
        }
        _ => bail!("give --inboundflow and --key-file, or --program"),
    }
}

const KEY: &str = "authority.key";
const CERTIFICATE: &str = "authority.pem";

/// The authority that is kept in a folder, made where there is none.
fn authority(folder: &Path) -> Result<Authority> {
    let key = folder.join(KEY);
    if key.exists() {
        return Authority::with_key(&fs::read_to_string(&key)?);
    }
    let authority = Authority::new()?;
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    fs::write(&key, authority.key_pem()).with_context(|| format!("{} cannot be written", key.display()))?;
    fs::write(folder.join(CERTIFICATE), authority.pem())?;
    Ok(authority)
}
