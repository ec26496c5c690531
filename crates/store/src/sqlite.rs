//! The embedded database: one writer thread that groups commits, and reader threads beside it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, PoisonError, TryLockError},
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use tokio::sync::oneshot;

use crate::{
    error::{Error, Result},
    outbox::Outbox,
    tx::{Tx, Work, drive},
};

/// How many writes one commit may hold. With `synchronous=FULL` a commit waits for the disk; the writes that arrive
/// meanwhile form the next group, so a lone write never waits for company and many share one wait.
const GROUP: usize = 256;

/// How long a writer of another process is waited for.
const BUSY: Duration = Duration::from_secs(15);

/// A database in a file.
pub(crate) struct Sqlite {
    writer: Sender<WriteJob>,
    readers: Sender<ReadJob>,
    /// The reader threads' connections, for bounded reads on the thread that asks.
    connections: Vec<Arc<Mutex<Connection>>>,
}

type ReadJob = Box<dyn FnOnce(&mut Connection) + Send>;
/// Runs inside a savepoint and tells what to do with it.
type WriteJob = Box<dyn FnOnce(&mut Connection) -> Written + Send>;
/// Answers whoever asked for the write, once it is known whether the commit succeeded.
type Answer = Box<dyn FnOnce(Result<(), Arc<rusqlite::Error>>) + Send>;

struct Written {
    keep: bool,
    answer: Answer,
}

impl Sqlite {
    /// Starts the threads over a file whose schema is up to date.
    pub(crate) fn start(path: &Path, readers: usize) -> Result<Self> {
        let (writer, jobs) = unbounded::<WriteJob>();
        let connection = open(path)?;
        thread::Builder::new().name("store-writer".into()).spawn(move || write_loop(connection, &jobs))?;
        let (reads, jobs) = unbounded::<ReadJob>();
        let mut connections = Vec::with_capacity(readers);
        for number in 0..readers {
            let connection = Arc::new(Mutex::new(open_reader(path)?));
            connections.push(connection.clone());
            let jobs: Receiver<ReadJob> = jobs.clone();
            thread::Builder::new().name(format!("store-reader-{number}")).spawn(move || {
                for job in jobs {
                    job(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
                }
            })?;
        }
        Ok(Self { writer, readers: reads, connections })
    }

    /// Runs a read on one of the reader threads.
    pub(crate) async fn read<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx<'_>) -> Work<'t, T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: ReadJob = Box::new(move |connection| {
            let result = unwind(|| drive(operation(&mut Tx::sqlite(connection))));
            // Nobody waits any more where the request was given up.
            let _ = answer.send(result);
        });
        self.readers.send(job).map_err(|_| Error::Dropped)?;
        answered.await.map_err(|_| Error::Dropped)?
    }

    /// Runs a read of a bounded number of records by an index: at once, on the thread that asks. It takes
    /// microseconds, of which handing it to another thread and back would be a good part. Where all connections are
    /// taken, it goes to a reader thread like any other.
    pub(crate) async fn peek<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx<'_>) -> Work<'t, T> + Send + 'static,
    {
        for connection in &self.connections {
            let mut connection = match connection.try_lock() {
                Ok(connection) => connection,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => continue,
            };
            return unwind(|| drive(operation(&mut Tx::sqlite(&mut connection))));
        }
        self.read(operation).await
    }

    /// Runs a write on the writer thread. It is durable when this returns `Ok`.
    pub(crate) async fn write<T, F>(&self, outbox: &Arc<Outbox>, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx<'_>) -> Work<'t, T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let outbox = outbox.clone();
        let job: WriteJob = Box::new(move |connection| {
            let mut tx = Tx::sqlite(connection);
            let result = unwind(|| drive(operation(&mut tx)));
            let (leased, left) = (std::mem::take(&mut tx.leased), std::mem::take(&mut tx.left));
            Written {
                keep: result.is_ok(),
                answer: Box::new(move |committed| {
                    let result = result.and_then(|value| committed.map(|()| value).map_err(Error::Commit));
                    if result.is_ok() {
                        outbox.committed(leased, &left);
                    }
                    let _ = answer.send(result);
                }),
            }
        });
        self.writer.send(job).map_err(|_| Error::Dropped)?;
        answered.await.map_err(|_| Error::Dropped)?
    }
}

fn unwind<T>(operation: impl FnOnce() -> Result<T>) -> Result<T> {
    // The panic's message has gone to the panic hook; the transaction is rolled back by the caller.
    catch_unwind(AssertUnwindSafe(operation)).unwrap_or(Err(Error::Panicked))
}

/// A connection as every thread wants it.
pub(crate) fn open(path: &Path) -> Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // A commit returns when the write-ahead log is on the disk: what was answered survives a power cut.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -4096)?;
    connection.pragma_update(None, "analysis_limit", 400)?;
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    // Plans do not depend on the values that are bound, so a statement is not planned anew for another LIMIT.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// After so many commits the planner's statistics are looked after.
const OPTIMIZE_EVERY: u64 = 10_000;

fn open_reader(path: &Path) -> Result<Connection> {
    let connection = open(path)?;
    // In KiB: the upper levels of the indexes of a million calls. The operating system's cache serves the rest.
    connection.pragma_update(None, "cache_size", -8192)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn write_loop(mut connection: Connection, jobs: &Receiver<WriteJob>) {
    let mut commits: u64 = 0;
    while let Ok(first) = jobs.recv() {
        if commits.is_multiple_of(OPTIMIZE_EVERY) {
            // Without statistics the planner takes a status for as telling as a phone number. Bounded by
            // `analysis_limit`, so it takes milliseconds; where it fails, the next time may do.
            let _ = connection.execute_batch("PRAGMA optimize(0x10002)");
        }
        commits += 1;
        let mut answers = Vec::new();
        let committed = commit_group(&mut connection, first, jobs, &mut answers).map_err(Arc::new);
        if let Err(error) = &committed {
            tracing::error!(%error, "a group of {} writes could not be committed", answers.len());
            if !connection.is_autocommit() {
                // Where even this fails the next `BEGIN` reports it.
                let _ = connection.execute_batch("ROLLBACK");
            }
        }
        for answer in answers {
            answer(committed.clone());
        }
    }
}

fn commit_group(
    connection: &mut Connection,
    first: WriteJob,
    jobs: &Receiver<WriteJob>,
    answers: &mut Vec<Answer>,
) -> rusqlite::Result<()> {
    // Where this fails the job is dropped, and its asker told that the store could not take it.
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut next = Some(first);
    while let Some(job) = next {
        connection.prepare_cached("SAVEPOINT one")?.execute([])?;
        let written = job(connection);
        if !written.keep {
            connection.prepare_cached("ROLLBACK TO one")?.execute([])?;
        }
        connection.prepare_cached("RELEASE one")?.execute([])?;
        answers.push(written.answer);
        next = if answers.len() < GROUP { jobs.try_recv().ok() } else { None };
    }
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}
