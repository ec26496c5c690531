//! A PostgreSQL and a Redis for one run of the tests: private, on free ports of the loopback, gone afterwards.
//!
//! Each is stopped when its value is dropped. Should this process be killed, the kernel stops them (`setpriv
//! --pdeathsig`).

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::chown,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::tools::{PostgresTools, is_root, run};

/// How often a server that starts is asked whether it is ready, and how long between: half a minute in all.
const ASKS: u32 = 300;
const BETWEEN_ASKS: Duration = Duration::from_millis(100);

/// A PostgreSQL cluster of its own, without durability: what is lost in a crash is only a test's.
pub(crate) struct Postgres<'a> {
    tools: &'a PostgresTools,
    owner: Option<Owner>,
    folder: TempDir,
    server: Child,
    port: u16,
}

impl<'a> Postgres<'a> {
    /// Makes the cluster, starts it and waits until it answers.
    pub(crate) fn start(tools: &'a PostgresTools) -> Result<Self> {
        let owner = Owner::find()?;
        let folder = folder_of(owner.as_ref())?;
        let mut initdb = as_owner(&tools.program("initdb"), owner.as_ref());
        initdb.args([
            "--username=inboundflow",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ]);
        initdb.arg("--pgdata").arg(folder.path().join("data"));
        run(initdb.stdout(Stdio::null())).context("cannot make a PostgreSQL cluster")?;

        let port = free_port()?;
        let mut command = as_owner(&tools.program("postgres"), owner.as_ref());
        command.arg("-D").arg(folder.path().join("data")).args(["-p", &port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            // A socket's path may be too long for the kernel, and nobody needs one.
            "unix_socket_directories=",
            // Every test has a database and a pool of its own.
            "max_connections=300",
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
        ] {
            command.args(["-c", setting]);
        }
        let server = spawn(command, folder.path()).context("cannot start PostgreSQL")?;
        let mut postgres = Self { tools, owner, folder, server, port };
        let isready = tools.program("pg_isready");
        wait_until_ready("PostgreSQL", &mut postgres.server, postgres.folder.path(), || {
            let mut ask = Command::new(&isready);
            ask.args(["--quiet", "--host=127.0.0.1", "--port", &port.to_string()])
                .args(["--dbname=postgres"]);
            ask.status().is_ok_and(|status| status.success())
        })?;
        Ok(postgres)
    }

    /// The address of the database that is always there; a test makes its own beside it.
    pub(crate) fn url(&self) -> String {
        format!("postgres://inboundflow@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Postgres<'_> {
    fn drop(&mut self) {
        // Killing the first process would leave its children behind; pg_ctl tells them all.
        let mut stop = as_owner(&self.tools.program("pg_ctl"), self.owner.as_ref());
        stop.args(["stop", "--silent", "--mode=immediate", "--pgdata"]).arg(self.folder.path().join("data"));
        // It fails when the server has ended already, as after a Ctrl-C.
        let _ = stop.stdin(Stdio::null()).stderr(Stdio::null()).status();
        end(&mut self.server);
    }
}

/// A Redis that keeps nothing.
pub(crate) struct Redis {
    server: Child,
    port: u16,
    folder: TempDir,
}

impl Redis {
    /// Starts it and waits until it answers.
    pub(crate) fn start(program: &Path) -> Result<Self> {
        let owner = Owner::find()?;
        let folder = folder_of(owner.as_ref())?;
        let port = free_port()?;
        let mut command = as_owner(program, owner.as_ref());
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder.path());
        let server = spawn(command, folder.path()).context("cannot start Redis")?;
        let mut redis = Self { server, port, folder };
        wait_until_ready("Redis", &mut redis.server, redis.folder.path(), || answers_ping(port))?;
        Ok(redis)
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        end(&mut self.server);
    }
}

fn answers_ping(port: u16) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).map(|()| &answer == b"+PONG")
    };
    ask().unwrap_or(false)
}

/// Who runs the servers when we are root.
struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    /// `None` when we are not root and so run them ourselves.
    fn find() -> Result<Option<Self>> {
        if !is_root() {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
        let owner = Self::named("postgres", &users).or_else(|| Self::named("nobody", &users));
        Ok(Some(owner.context("PostgreSQL refuses root, and there is neither a user postgres nor nobody")?))
    }

    fn named(name: &str, users: &str) -> Option<Self> {
        let mut fields =
            users.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(name))?;
        let (user, group) = (fields.nth(2)?, fields.next()?);
        Some(Self { user: user.parse().ok()?, group: group.parse().ok()? })
    }
}

/// A temporary folder that the servers may write into.
fn folder_of(owner: Option<&Owner>) -> Result<TempDir> {
    let folder =
        tempfile::Builder::new().prefix("inboundflow-test-").tempdir().context("cannot make a folder")?;
    if let Some(owner) = owner {
        chown(folder.path(), Some(owner.user), Some(owner.group)).context("cannot give the folder away")?;
    }
    Ok(folder)
}

/// A command that runs as `owner` and is interrupted when we end, however that comes.
fn as_owner(program: &Path, owner: Option<&Owner>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if let Some(Owner { user, group }) = owner {
        command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
    }
    // The current folder may be closed to the owner, and a server warns of that.
    command.arg("--").arg(program).current_dir("/");
    command
}

/// Starts a server whose words go to `log` in its folder.
fn spawn(mut command: Command, folder: &Path) -> Result<Child> {
    let log = File::create(folder.join("log"))?;
    let server = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    Ok(server)
}

fn wait_until_ready(
    name: &str,
    server: &mut Child,
    folder: &Path,
    is_ready: impl Fn() -> bool,
) -> Result<()> {
    let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
    for _ in 0..ASKS {
        if is_ready() {
            return Ok(());
        }
        if let Some(status) = server.try_wait()? {
            bail!("{name} ended at its start ({status}):\n{}", log());
        }
        pause();
    }
    bail!("{name} did not answer within {:?}:\n{}", ASKS * BETWEEN_ASKS, log())
}

#[expect(clippy::disallowed_methods, reason = "a real server starts in real time")]
fn pause() {
    thread::sleep(BETWEEN_ASKS);
}

/// A port that nobody listens on now.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot find a free port")?;
    Ok(listener.local_addr()?.port())
}

/// Ends a server for good. One that has ended already is fine.
fn end(server: &mut Child) {
    let _ = server.kill();
    let _ = server.wait();
}
