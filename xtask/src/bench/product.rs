//! The product as it is shipped: its database with many calls, its commands, and its server.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use model::{OrgId, SourceId};
use serde_json::Value;
use store::seed;
use tempfile::TempDir;

use super::process::Process;
use crate::workspace::Workspace;

/// What makes a kept database another one: its schema, and what is written into it.
const MAKERS: [&str; 2] = ["crates/store/migrations/sqlite", "crates/store/src/seed.rs"];

/// The product's database and commands.
pub(super) struct Product {
    program: PathBuf,
    folder: TempDir,
    /// The organisation that has the calls; none where there are no calls.
    pub(super) org: String,
}

impl Product {
    /// A fresh copy of a database of so many calls, in a folder of its own.
    pub(super) fn prepare(calls: u64) -> Result<Self> {
        let workspace = Workspace::read()?;
        let home = workspace.target.join("bench");
        fs::create_dir_all(&home)?;
        let program = workspace.target.join("release/inboundflow");
        let kept = home.join(format!("seed-{calls}-{:016x}", makers_hash(&workspace.root)?));
        if !kept.is_dir() {
            make_seed(&program, &home, &kept, calls)?;
        }
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in(&home)?;
        let database = folder.path().join("inboundflow.db");
        fs::copy(kept.join("inboundflow.db"), &database).context("cannot copy the database")?;
        // Written out now, lest it be written out under the measurements.
        fs::File::open(&database)?.sync_all()?;
        let org = fs::read_to_string(kept.join("org"))?;
        Ok(Self { program, folder, org })
    }

    /// An empty database, in a folder of its own.
    pub(super) fn fresh() -> Result<Self> {
        let target = Workspace::read()?.target;
        let home = target.join("bench");
        fs::create_dir_all(&home)?;
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in(&home)?;
        Ok(Self { program: target.join("release/inboundflow"), folder, org: String::new() })
    }

    /// Where the data is, and the logs.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs one of the operator's commands and returns a field of its answer.
    pub(super) fn command(&self, args: &[&str], field: &str) -> Result<String> {
        command(&self.program, self.folder(), args, field)
    }

    /// A key of the organisation with the calls, with a limit that is counted but never reached.
    pub(super) fn make_key(&self) -> Result<String> {
        self.command(
            &["key", "create", "--org", &self.org, "--name", "bench", "--rate-limit", "1000000000"],
            "key",
        )
    }

    /// A new organisation with a source of Vapi. Returns the organisation and the path of the source.
    pub(super) fn make_source(&self, secret: &str) -> Result<(String, String)> {
        let file = self.folder().join("secret");
        fs::write(&file, secret)?;
        let org = self.command(&["org", "create", "--name", "Bench"], "id")?;
        let file = file.to_string_lossy();
        let create = ["source", "create", "--org", &org, "--platform", "vapi", "--secret-file", &file];
        let source = self.command(&create, "id")?;
        Ok((org, format!("/ingest/vapi/{source}")))
    }

    /// An endpoint of an organisation that is told of finished calls; its id.
    pub(super) fn make_endpoint(&self, org: &str, url: &str) -> Result<String> {
        let create = ["webhook", "create", "--org", org, "--url", url, "--events", "call.completed"];
        self.command(&create, "id")
    }

    /// Starts the server with its usual settings, but that webhooks may go to this machine.
    pub(super) fn serve(&self) -> Result<Process> {
        let mut command = clean(&self.program, self.folder());
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        Process::start(command, &self.folder().join("server.log"))
    }
}

/// The program in a folder, without what this shell's environment would set.
fn clean(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("INBOUNDFLOW_") || name == "RUST_LOG" {
            command.env_remove(&*name);
        }
    }
    command.env("INBOUNDFLOW_DELIVERY__ALLOW_TARGETS", "127.0.0.1/32");
    command.current_dir(folder).stdin(Stdio::null());
    command.env("INBOUNDFLOW_DATA_DIR", folder);
    command
}

fn command(program: &Path, folder: &Path, args: &[&str], field: &str) -> Result<String> {
    let output = clean(program, folder).args(args).arg("--json").output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "inboundflow {}: {error}", args.join(" "));
    let value: Value = serde_json::from_slice(&output.stdout)?;
    let text = value[field].as_str().with_context(|| format!("no {field} in {value}"))?;
    Ok(text.to_owned())
}

fn make_seed(program: &Path, home: &Path, kept: &Path, calls: u64) -> Result<()> {
    // Renamed when it is whole: a run that is broken off leaves nothing that looks ready.
    let folder = tempfile::Builder::new().prefix("making-").tempdir_in(home)?;
    let org = command(program, folder.path(), &["org", "create", "--name", "Bench"], "id")?;
    let create = ["source", "create", "--org", &org, "--platform", "vapi"];
    let source = command(program, folder.path(), &create, "id")?;
    let plan = seed::Plan { org: org.parse::<OrgId>()?, source: source.parse::<SourceId>()?, calls };
    let began = super::timing::now();
    seed::fill(&folder.path().join("inboundflow.db"), &plan)?;
    let seconds = began.elapsed().as_secs_f64();
    super::measure::progress(&format!(
        "wrote {calls} calls in {seconds:.1} s, kept in {} (without their words in the full-text index)",
        kept.display()
    ));
    fs::write(folder.path().join("org"), org)?;
    fs::rename(folder.keep(), kept)?;
    Ok(())
}

fn makers_hash(root: &Path) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    for maker in MAKERS {
        let path = root.join(maker);
        let mut files = vec![path.clone()];
        if path.is_dir() {
            files = fs::read_dir(&path)?.map(|entry| entry.map(|it| it.path())).collect::<Result<_, _>>()?;
            files.sort();
        }
        for file in files {
            fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?.hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}
