//! Runs the binary: a folder and a database for each test, commands in it, and servers that are killed when dropped.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::IdGen;
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take that is over in a moment, on a machine that is busy with other tests.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `check` gives something, and fails with `what` when the time is over.
pub(super) async fn until<T>(what: &str, patience: Duration, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let found = tokio::time::timeout(patience, async {
        loop {
            if let Some(found) = check().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("not within {patience:?}: {what}"))
}

/// Which database a test runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

/// A folder, which is the binary's working directory, and a database.
pub(super) struct Home {
    folder: TempDir,
    database_url: Option<String>,
}

impl Home {
    /// An empty database. The one on PostgreSQL is made beside the one that `cargo xtask test` names.
    pub(super) async fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database_url = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(make_postgres_database().await),
        };
        Self { folder, database_url }
    }

    /// Over a PostgreSQL database that is there.
    pub(super) fn at(database_url: String) -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), database_url: Some(database_url) }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The address of its database, where that is on PostgreSQL.
    pub(super) fn postgres(&self) -> Option<&str> {
        self.database_url.as_deref()
    }

    /// The binary in this home, with nothing of this process's own configuration.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inboundflow"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("INBOUNDFLOW_") {
                command.env_remove(name);
            }
        }
        if let Some(url) = &self.database_url {
            command.env("INBOUNDFLOW_DATABASE_URL", url);
        }
        // The calls are made up: there is nothing where their recordings are said to be.
        command.env("INBOUNDFLOW_RECORDINGS__FETCH", "false");
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(super) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("the binary starts"))
    }

    /// Runs a command with something on its standard input.
    pub(super) fn run_with_input(&self, args: &[&str], input: &str) -> Ran {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("its input");
        // One that refuses its arguments is gone before it reads.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        Ran::of(child.wait_with_output().expect("it ends"))
    }

    /// What a command prints with `--json`: exactly one object.
    pub(super) fn json(&self, args: &[&str]) -> Value {
        self.run(&[args, &["--json"]].concat()).json()
    }
}

/// A command that has ended.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ran {
    pub(super) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub(super) fn json(&self) -> Value {
        assert!(self.status.success(), "{self:?}");
        let value: Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert!(value.is_object(), "{value}");
        value
    }

    /// It failed, and said all of `words` on standard error and nothing on standard output.
    pub(super) fn assert_refused(&self, words: &[&str]) {
        assert!(!self.status.success() && self.status.code().is_some(), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is not in: {}", self.stderr);
        }
    }
}

/// A process that serves. Dropped, it is killed.
pub(super) struct Server {
    child: Mutex<Child>,
    lines: Arc<Mutex<Vec<String>>>,
    /// `http://HOST:PORT`.
    pub(super) base: String,
}

impl Server {
    /// Starts `inboundflow serve` on a free port.
    pub(super) async fn start(home: &Home, environment: &[(&str, &str)]) -> Self {
        let mut command = home.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.envs(environment.iter().copied());
        Self::spawn(command).await
    }

    /// Starts a command that serves, and waits until it says where.
    pub(super) async fn spawn(mut command: Command) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let stderr = child.stderr.take().expect("its standard error");
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                lock(&kept).push(String::from_utf8_lossy(&line).into_owned());
            }
        });
        let mut server = Self { child: Mutex::new(child), lines, base: String::new() };
        server.base = until("`listening on` is printed", PATIENCE, async || {
            let said = server.said();
            let line = said.lines().find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
            assert!(line.is_some() || server.status().is_none(), "it ended before it listened: {said}");
            line
        })
        .await;
        server
    }

    /// What it has said on standard error.
    pub(super) fn said(&self) -> String {
        lock(&self.lines).join("\n")
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// `HOST:PORT`.
    pub(super) fn address(&self) -> &str {
        self.base.strip_prefix("http://").expect("a plain address")
    }

    /// Kills it as the kernel does when memory runs out (SIGKILL): it has no last word.
    pub(super) fn kill(&self) {
        lock(&self.child).kill().expect("it is ours");
    }

    /// The number of the process.
    pub(super) fn pid(&self) -> u32 {
        lock(&self.child).id()
    }

    /// The most memory that it had so far, in bytes (`VmHWM`, see proc(5)).
    pub(super) fn peak_memory(&self) -> u64 {
        let pid = self.pid();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    }

    /// Sends a signal by name, such as `TERM`.
    pub(super) fn signal(&self, name: &str) {
        let pid = self.pid();
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIG{name} is sent");
    }

    fn status(&self) -> Option<ExitStatus> {
        lock(&self.child).try_wait().expect("it is ours")
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&self, patience: Duration) -> ExitStatus {
        until("the server ends", patience, async || self.status()).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut child = lock(&self.child);
        // It may have ended long ago.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client as an integrator has one. It waits longer than the server lets anybody wait, which is 30 s.
pub(super) fn http_client() -> reqwest::Client {
    delivery::client::install_crypto();
    reqwest::Client::builder().timeout(2 * PATIENCE).build().expect("a client")
}

async fn make_postgres_database() -> String {
    let url = std::env::var("INBOUNDFLOW_TEST_POSTGRES")
        .expect("INBOUNDFLOW_TEST_POSTGRES is not set: run the tests with `cargo xtask test`");
    let (client, connection) =
        tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("the PostgreSQL of the tests");
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    let name = format!("process_{}", inboundflow::system::SystemIds.uuid().simple());
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database");
    let (server, _) = url.rsplit_once('/').expect("an address with a database's name");
    format!("{server}/{name}")
}
