//! A PostgreSQL of a test's own, which can be crashed and started again.

use std::{
    fs::{self, File},
    net::TcpListener,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio_postgres::NoTls;

use super::super::server::{PATIENCE, until};

/// A cluster in a folder. It is gone when this is dropped.
pub(super) struct Cluster {
    folder: TempDir,
    owner: Option<(u32, u32)>,
    pub(super) port: u16,
    server: Child,
}

impl Cluster {
    /// Makes it and starts it.
    pub(super) async fn start() -> Self {
        let owner = owner();
        let folder = tempfile::Builder::new().prefix("inboundflow-cluster-").tempdir().expect("a folder");
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group)).expect("the folder is ours to give");
        }
        let mut make = as_owner("initdb", owner);
        make.args(["--username=inboundflow", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]);
        let made = make.arg("--pgdata").arg(folder.path().join("data")).stdout(Stdio::null()).status();
        assert!(made.expect("initdb").success(), "a cluster is made");
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let server = launch(folder.path(), owner, port);
        let cluster = Self { folder, owner, port, server };
        cluster.ready().await;
        cluster
    }

    /// The address of the database, at this port: its own, or one that forwards to it.
    pub(super) fn url(port: u16) -> String {
        format!("postgres://inboundflow@127.0.0.1:{port}/postgres")
    }

    /// Ends it without letting it put anything in order (`pg_ctl stop --mode=immediate`).
    pub(super) async fn crash(&mut self) {
        let mut stop = as_owner("pg_ctl", self.owner);
        stop.args(["stop", "--silent", "--mode=immediate", "--pgdata"]).arg(self.folder.path().join("data"));
        assert!(stop.stderr(Stdio::null()).status().expect("pg_ctl").success(), "it is stopped");
        until("PostgreSQL has ended", PATIENCE, async || self.server.try_wait().expect("it is ours")).await;
    }

    /// Starts it again: it recovers what had been committed.
    pub(super) async fn restart(&mut self) {
        self.server = launch(self.folder.path(), self.owner, self.port);
        self.ready().await;
    }

    /// Kills the process that serves one connection, which makes PostgreSQL end all others and recover.
    pub(super) async fn kill_a_backend(&self) {
        let sql = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() \
                   ORDER BY query_start DESC LIMIT 1";
        let (client, connection) =
            tokio_postgres::connect(&Self::url(self.port), NoTls).await.expect("a connection");
        let row = tokio::select! {
            row = client.query_one(sql, &[]) => row.expect("somebody is connected"),
            _ = connection => panic!("the connection to PostgreSQL ended"),
        };
        let pid = row.get::<_, i32>(0).to_string();
        assert!(Command::new("sh").args(["-c", &format!("kill -9 {pid}")]).status().expect("sh").success());
    }

    /// Lets the time of every lease be over.
    pub(super) async fn run_out_of_leases(&self) {
        let (client, connection) =
            tokio_postgres::connect(&Self::url(self.port), NoTls).await.expect("a connection");
        let sql = "UPDATE deliveries SET lease_until = 0 WHERE lease_until IS NOT NULL";
        tokio::select! {
            done = client.batch_execute(sql) => done.expect(sql),
            _ = connection => panic!("the connection to PostgreSQL ended"),
        }
    }

    /// Waits until it answers.
    pub(super) async fn ready(&self) {
        until("PostgreSQL answers", PATIENCE, async || {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let (client, connection) = tokio_postgres::connect(&Self::url(self.port), NoTls).await.ok()?;
            tokio::select! {
                answer = client.simple_query("SELECT 1") => answer.ok().map(drop),
                _ = connection => None,
            }
        })
        .await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = as_owner("pg_ctl", self.owner);
        stop.args(["stop", "--silent", "--mode=immediate", "--pgdata"]).arg(self.folder.path().join("data"));
        // It may be stopped already.
        let _ = stop.stderr(Stdio::null()).status();
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Starts the server. It is less careful with the disk than one should be, because nobody cuts the power; of what a
/// commit means it leaves us to see to it.
fn launch(folder: &Path, owner: Option<(u32, u32)>, port: u16) -> Child {
    let mut command = as_owner("postgres", owner);
    command.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=off",
    ] {
        command.args(["-c", setting]);
    }
    let log = File::options().create(true).append(true).open(folder.join("log")).expect("a file");
    command.stdout(log.try_clone().expect("a file")).stderr(log).spawn().expect("PostgreSQL starts")
}

/// Who runs it where we are root, whom PostgreSQL refuses: the user and group postgres or nobody.
fn owner() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").expect("proc").uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the users");
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(|id| id.parse().expect("a number"));
        Some((ids.next()?, ids.next()?))
    };
    Some(find("postgres").or_else(|| find("nobody")).expect("a user that PostgreSQL may run as"))
}

/// One of PostgreSQL's programs, which ends when we do.
fn as_owner(name: &str, owner: Option<(u32, u32)>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if let Some((user, group)) = owner {
        command.args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"]);
    }
    command.arg("--").arg(programs().join(name)).current_dir("/").stdin(Stdio::null());
    command
}

/// The folder of PostgreSQL's programs: Debian keeps them out of PATH, in one for each version.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| folder.join("initdb").is_file())
        .collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || std::env::split_paths(&path).find(|folder| folder.join("initdb").is_file());
    let found = folders.pop().map(|(_, folder)| folder).or_else(on_path);
    found.expect("PostgreSQL's programs: run the tests with `cargo xtask test`, which installs them")
}
