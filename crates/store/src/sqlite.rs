//! The embedded database: one writer thread that groups commits, and reader threads beside it.

mod checkpoint;
mod generation;
mod reader;
mod scrub;
mod writer;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use tokio::sync::oneshot;

pub(crate) use self::generation::Generation;
use self::{
    generation::Generations,
    reader::Reader,
    writer::{Answered, Job, Writing},
};
use crate::{
    Compaction, Pressure,
    error::{Error, Result},
    outbox::Outbox,
    tx::{Care, Tx, Work, drive},
};

/// How long a writer of another process is waited for.
const BUSY: Duration = Duration::from_secs(15);

/// A database in a file.
pub(crate) struct Sqlite {
    writer: Sender<Box<dyn Job>>,
    readers: Sender<ReadJob>,
    /// What the reader threads read with, and bounded reads on the thread that asks.
    connections: Vec<Reader>,
    generations: Option<Generations>,
    path: PathBuf,
}

type ReadJob = Box<dyn FnOnce(&mut Connection) + Send>;
impl Sqlite {
    /// Starts the threads over a file whose schema is up to date.
    pub(crate) fn start(path: &Path, readers: usize) -> Result<Self> {
        let connections =
            (0..readers).map(|_| Ok(Reader::new(open_reader(path)?))).collect::<Result<Vec<_>>>()?;
        let writer = writer::start(open_writer(path)?, checkpoint::start(path, connections.clone())?)?;
        let (reads, jobs) = unbounded::<ReadJob>();
        for (number, reader) in connections.iter().enumerate() {
            let (reader, jobs): (_, Receiver<ReadJob>) = (reader.clone(), jobs.clone());
            thread::Builder::new().name(format!("store-reader-{number}")).spawn(move || {
                for job in jobs {
                    job(reader.lock().newest());
                }
            })?;
        }
        let (generations, path) = (Generations::open(path), path.to_owned());
        Ok(Self { writer, readers: reads, connections, generations, path })
    }

    /// The state that the database is in: while it is the same, whatever was read in it is still so.
    pub(crate) fn generation(&self) -> Option<Generation> {
        self.generations.as_ref()?.now()
    }

    /// Runs a read on one of the reader threads.
    pub(crate) async fn read<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx<'_>) -> Work<'t, T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: ReadJob = Box::new(move |connection| {
            let result = unwind(|| drive(operation(&mut Tx::sqlite(connection, Care::Alone))));
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
        if let Some(mut held) = self.connections.iter().find_map(Reader::try_lock) {
            let now = self.generation();
            let result = match held.snapshot(now) {
                Ok(connection) => unwind(|| drive(operation(&mut Tx::sqlite(connection, Care::Alone)))),
                Err(error) => Err(error.into()),
            };
            if result.is_err() {
                held.let_go();
            }
            return result;
        }
        self.read(operation).await
    }

    /// Runs a write on the writer thread. It is durable when this returns `Ok`.
    pub(crate) async fn write<T, F>(&self, outbox: &Arc<Outbox>, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx<'_>) -> Work<'t, T> + Send + 'static,
    {
        let mut operation = Some(operation);
        let run = move |tx: &mut Tx<'_>| match operation.take() {
            Some(operation) => drive(operation(tx)),
            None => Err(Error::Dropped),
        };
        self.hand_over(Writing::once(run, outbox)).await
    }

    /// Runs a write that can be run again, which costs less: it needs no savepoint of its own (see `writer`).
    pub(crate) async fn write_repeatable<T, F>(&self, outbox: &Arc<Outbox>, mut operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnMut(&'t mut Tx<'_>) -> Work<'t, T> + Send + 'static,
    {
        let run = move |tx: &mut Tx<'_>| drive(operation(tx));
        self.hand_over(Writing::repeatable(run, outbox)).await
    }

    /// How busy the writer is, and how large the files are.
    pub(crate) fn pressure(&self) -> Pressure {
        let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        Pressure {
            writes_waiting: self.writer.len(),
            file_bytes: bytes(&self.path),
            log_bytes: bytes(Path::new(&log)),
            ..Pressure::default()
        }
    }

    /// Clears the free places of the file and the write-ahead log of what was deleted. A sentence where that could not
    /// be done.
    pub(crate) async fn scrub(&self, compaction: Compaction) -> Result<Option<&'static str>> {
        let (path, readers) = (self.path.clone(), self.connections.clone());
        let (answer, answered) = oneshot::channel();
        thread::Builder::new().name("store-scrub".into()).spawn(move || {
            // Nobody waits any more where the request was given up.
            let _ = answer.send(scrub::scrub(&path, &readers, compaction));
        })?;
        answered.await.map_err(|_| Error::Dropped)?
    }

    async fn hand_over<T, F>(&self, (writing, answered): (Writing<T, F>, Answered<T>)) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.writer.send(Box::new(writing)).map_err(|_| Error::Dropped)?;
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
    // For a new file. Twice the usual: fewer of them are written where a call with all that follows is some 20 KB.
    connection.pragma_update(None, "page_size", 8192)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // A commit returns when the write-ahead log is on the disk: what was answered survives a power cut.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -4096)?;
    connection.pragma_update(None, "analysis_limit", 400)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    // Plans do not depend on the values that are bound, so a statement is not planned anew for another LIMIT.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

fn open_writer(path: &Path) -> Result<Connection> {
    let connection = open(path)?;
    // Not by every commit that finds the log long: see `checkpoint`.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

fn open_reader(path: &Path) -> Result<Connection> {
    let connection = open(path)?;
    // In KiB: the upper levels of the indexes of a million calls. The operating system's cache serves the rest.
    connection.pragma_update(None, "cache_size", -8192)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}
