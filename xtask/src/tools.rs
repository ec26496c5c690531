//! What the tests and the fuzzer need beside Rust: found where it is installed, else installed from Debian's packages and PyPI. Packages
//! of the npm registry come with their test (`browser.rs`).

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::Workspace;

/// Pinned, because a new version finds new faults, and they should come with a commit of their own.
pub(crate) const SCHEMATHESIS_VERSION: &str = "4.32.5";

/// Where the programs are.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) postgres: PostgresTools,
    /// `redis-server`.
    pub(crate) redis: PathBuf,
    /// `schemathesis`, in a Python environment of its own.
    pub(crate) schemathesis: PathBuf,
    pub(crate) browser: BrowserTools,
}

/// What the test in a browser runs with.
#[derive(Debug)]
pub(crate) struct BrowserTools {
    pub(crate) node: PathBuf,
    pub(crate) npm: PathBuf,
    pub(crate) chromium: PathBuf,
}

impl BrowserTools {
    fn ensure(apt: &mut Apt) -> Result<Self> {
        let mut ensure = |name, package, program| find_or_install(name, package, apt, || on_path(program));
        Ok(Self {
            node: ensure("Node.js", "nodejs", "node")?,
            npm: ensure("npm", "npm", "npm")?,
            chromium: ensure("Chromium", "chromium", "chromium")?,
        })
    }

    /// What `chromium --version` says.
    pub(crate) fn chromium_version(&self) -> String {
        first_line(Command::new(&self.chromium).arg("--version"))
    }
}

/// The folder of `initdb`, `postgres`, `pg_ctl` and `pg_isready`.
#[derive(Debug)]
pub(crate) struct PostgresTools(PathBuf);

impl Tools {
    /// Finds or installs every tool. An error names each one that is still missing.
    pub(crate) fn ensure(workspace: &Workspace) -> Result<Self> {
        let mut apt = Apt::default();
        let postgres = find_or_install("PostgreSQL", "postgresql", &mut apt, PostgresTools::find);
        let redis = find_or_install("Redis", "redis-server", &mut apt, || on_path("redis-server"));
        let schemathesis = ensure_schemathesis(&workspace.tools().join("venv"), &mut apt)
            .with_context(|| format!("Schemathesis {SCHEMATHESIS_VERSION}"));
        let browser = BrowserTools::ensure(&mut apt);
        match (postgres, redis, schemathesis, browser) {
            (Ok(postgres), Ok(redis), Ok(schemathesis), Ok(browser)) => {
                Ok(Self { postgres, redis, schemathesis, browser })
            }
            (postgres, redis, schemathesis, browser) => {
                let missing = [postgres.err(), redis.err(), schemathesis.err(), browser.err()];
                let missing: Vec<_> = missing.iter().flatten().map(|error| format!("  {error:#}")).collect();
                bail!(
                    "not every test can run; what is missing and cannot be installed:\n{}",
                    missing.join("\n")
                )
            }
        }
    }

    /// What `redis-server --version` says.
    pub(crate) fn redis_version(&self) -> String {
        first_line(Command::new(&self.redis).arg("--version"))
    }
}

/// Finds or installs the compiler that builds the fuzzer's engine, which is written in C++.
pub(crate) fn ensure_cpp_compiler() -> Result<()> {
    find_or_install("a C++ compiler", "g++", &mut Apt::default(), || on_path("c++")).map(drop)
}

/// Finds or installs PostgreSQL alone.
pub(crate) fn ensure_postgres() -> Result<PostgresTools> {
    find_or_install("PostgreSQL", "postgresql", &mut Apt::default(), PostgresTools::find)
}

impl PostgresTools {
    /// Debian keeps the server's programs out of PATH, in a folder for each version: the newest is taken.
    fn find() -> Option<Self> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut folders: Vec<(u32, PathBuf)> = versions
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .collect();
        folders.sort_by(|one, other| other.cmp(one));
        let on_path = on_path("initdb").and_then(|initdb| Some(initdb.parent()?.to_owned()));
        folders.into_iter().map(|(_, folder)| folder).chain(on_path).map(Self).find(Self::is_complete)
    }

    fn is_complete(&self) -> bool {
        ["initdb", "postgres", "pg_ctl", "pg_isready"].iter().all(|name| self.program(name).is_file())
    }

    /// The path of one of the programs.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What `postgres --version` says.
    pub(crate) fn version(&self) -> String {
        first_line(Command::new(self.program("postgres")).arg("--version"))
    }
}

/// Debian's package manager; it updates its lists once.
#[derive(Default)]
struct Apt {
    updated: bool,
}

impl Apt {
    fn install(&mut self, package: &str) -> Result<()> {
        ensure!(on_path("apt-get").is_some(), "no apt-get here: install it by hand");
        if !self.updated {
            // A list that can't be refreshed may still be good enough: the install has the last word.
            let _ = self.run(&["update"]);
            self.updated = true;
        }
        self.run(&["install", "--yes", "--no-install-recommends", package])
    }

    fn run(&self, args: &[&str]) -> Result<()> {
        println!("xtask: apt-get {}", args.join(" "));
        let mut command = if is_root() { Command::new("env") } else { Command::new("sudo") };
        if !is_root() {
            command.arg("env");
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]).args(args);
        run(&mut command)
    }
}

fn find_or_install<T>(name: &str, package: &str, apt: &mut Apt, find: impl Fn() -> Option<T>) -> Result<T> {
    if let Some(found) = find() {
        return Ok(found);
    }
    apt.install(package).with_context(|| format!("{name} (Debian's package {package})"))?;
    find().with_context(|| {
        format!("{name} (Debian's package {package} is installed, but its programs are not found)")
    })
}

/// Schemathesis in the Python environment `venv`, which is made anew when it is absent, broken or of another version.
fn ensure_schemathesis(venv: &Path, apt: &mut Apt) -> Result<PathBuf> {
    let program = venv.join("bin/schemathesis");
    let is_right = || {
        let version = first_line(Command::new(&program).arg("--version"));
        version.split_whitespace().any(|word| word == SCHEMATHESIS_VERSION)
    };
    if is_right() {
        return Ok(program);
    }
    println!("xtask: installing Schemathesis {SCHEMATHESIS_VERSION} from PyPI");
    if make_venv(venv).is_err() {
        apt.install("python3-venv").context("Debian's package python3-venv")?;
        make_venv(venv)?;
    }
    run(Command::new(venv.join("bin/python")).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        &format!("schemathesis=={SCHEMATHESIS_VERSION}"),
    ]))?;
    ensure!(is_right(), "it is installed, but {} does not run", program.display());
    Ok(program)
}

fn make_venv(venv: &Path) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))
}

/// Whether we are root, who may install, but whom PostgreSQL refuses.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The first program of this name in PATH.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let found = env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())?;
    // PATH may hold links into the folder where a program's companions are.
    fs::canonicalize(&found).ok().filter(|real| real.ends_with(name)).or(Some(found))
}

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot run {name}"))?;
    ensure!(status.success(), "{name}: {status}");
    Ok(())
}

/// The first line a command prints, or nothing when it fails.
fn first_line(command: &mut Command) -> String {
    let output = command.stderr(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}
