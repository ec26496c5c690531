//! The two databases. Every test runs on both.

use std::{env, path::Path};

use tokio_postgres::NoTls;
use uuid::Uuid;

/// A kind of database.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub(crate) const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

/// A fresh database that is gone when the test is.
pub(crate) enum Database {
    Sqlite(tempfile::TempDir),
    Postgres { server: String, name: String },
}

impl Database {
    pub(crate) async fn create(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::Sqlite(tempfile::tempdir().expect("a folder")),
            Kind::Postgres => {
                let server = env::var("INBOUNDFLOW_TEST_POSTGRES").unwrap_or_else(|_| {
                    panic!(
                        "INBOUNDFLOW_TEST_POSTGRES names no PostgreSQL server. Run `cargo xtask test`, which starts one"
                    )
                });
                #[expect(clippy::disallowed_methods, reason = "other test processes use the same server")]
                let name = format!("test_{}", Uuid::from_u128(rand::random()).simple());
                execute(&server, &format!("CREATE DATABASE {name}")).await;
                Self::Postgres { server, name }
            }
        }
    }

    /// Its address, as the configuration has it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:{}", file(folder.path())),
            Self::Postgres { server, name } => {
                let (address, _) = server.rsplit_once('/').expect("postgres://HOST/DATABASE");
                format!("{address}/{name}")
            }
        }
    }
}

impl Database {
    /// Runs a statement that the product has no operation for.
    pub(crate) async fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(folder) => {
                let connection = rusqlite::Connection::open(file(folder.path())).expect("the database");
                connection.execute_batch(sql).expect(sql);
            }
            Self::Postgres { .. } => execute(&self.url(), sql).await,
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Self::Postgres { server, name } = self else { return };
        let (server, sql) = (server.clone(), format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        // On a thread of its own: a test that failed may be unwinding within its runtime.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(execute(&server, &sql));
        });
        let _ = dropped.join();
    }
}

fn file(folder: &Path) -> String {
    folder.join("inboundflow.db").to_string_lossy().into_owned()
}

async fn execute(server: &str, sql: &str) {
    let connected = tokio_postgres::connect(server, NoTls).await;
    let (client, connection) = connected.expect("the server of INBOUNDFLOW_TEST_POSTGRES answers");
    tokio::select! {
        done = client.batch_execute(sql) => done.expect(sql),
        _ = connection => panic!("the connection to PostgreSQL ended"),
    }
}
