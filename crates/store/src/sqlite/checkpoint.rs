//! Moves what was committed from the write-ahead log into the database's file, on a thread of its own: it is a good
//! part of what a write costs, and waits for the disk.
//!
//! Beside a busy writer such a checkpoint never reaches the end of the log, and only at its end can the log begin
//! anew. So where the log has become long, the writer itself makes the last step between two commits: little is left
//! to move then, and it lets the readers' held snapshots go, which would keep the log as it is.

use std::{
    cell::Cell,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use rusqlite::Connection;

use super::{open, reader::Reader};
use crate::error::Result;

/// After so many changed rows a checkpoint is made: about as many pages of the log.
const ROWS: u64 = 4000;

/// From so many pages on the log is to begin anew. Every look at a page searches the log's index first, and every
/// checkpoint sorts it.
const LONG: i64 = 6000;

/// Asks for checkpoints, and makes the last step of those that the log needs to begin anew.
pub(super) struct Checkpoints {
    wanted: Sender<()>,
    rows: Cell<u64>,
    readers: Vec<Reader>,
    /// Whether the log is long and moved but for what was committed meanwhile.
    nearly_done: Arc<AtomicBool>,
}

impl Checkpoints {
    /// Says that something was committed.
    pub(super) fn committed(&self, connection: &Connection) {
        if self.nearly_done.swap(false, Ordering::Relaxed) {
            // A snapshot taken before the end would keep the log as it is, one taken after it does not. One who is
            // reading now is not waited for: the next time may do.
            let mut held: Vec<_> = self.readers.iter().filter_map(Reader::try_lock).collect();
            held.iter_mut().for_each(|reader| reader.let_go());
            checkpoint(connection);
        }
        let rows = connection.total_changes();
        if rows - self.rows.get() >= ROWS {
            // Where one is waiting already, it will see this too.
            let _ = self.wanted.try_send(());
            self.rows.set(rows);
        }
    }
}

/// Starts the thread. It ends when the [`Checkpoints`] are gone.
pub(super) fn start(path: &Path, readers: Vec<Reader>) -> Result<Checkpoints> {
    let (wanted, asked) = bounded(1);
    let nearly_done = Arc::new(AtomicBool::new(false));
    let checkpoints = Checkpoints {
        wanted,
        rows: Cell::new(0),
        readers: readers.clone(),
        nearly_done: nearly_done.clone(),
    };
    let connection = open(path)?;
    thread::Builder::new()
        .name("store-checkpoint".into())
        .spawn(move || make(&asked, &connection, &readers, &nearly_done))?;
    Ok(checkpoints)
}

fn make(asked: &Receiver<()>, connection: &Connection, readers: &[Reader], nearly_done: &AtomicBool) {
    for () in asked {
        for reader in readers {
            reader.lock().let_go();
        }
        if checkpoint(connection) >= LONG {
            nearly_done.store(true, Ordering::Relaxed);
        }
    }
}

/// Moves what can be moved: it waits for nobody, and nobody for it. Returns how many pages the log has.
fn checkpoint(connection: &Connection) -> i64 {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1)).unwrap_or_else(|error| {
        tracing::warn!(%error, "the write-ahead log could not be moved into the database; trying again later");
        0
    })
}

/// How long readers of another process are waited for where the log is to be emptied: ours wait meanwhile.
const BUSY: Duration = Duration::from_secs(1);

/// Moves everything and empties the log, so that nothing of what was deleted is left in it. Returns whether it could:
/// another process may be reading.
pub(super) fn empty_log(connection: &Connection, readers: &[Reader]) -> Result<bool> {
    connection.busy_timeout(BUSY)?;
    let mut held: Vec<_> = readers.iter().map(Reader::lock).collect();
    held.iter_mut().for_each(|reader| reader.let_go());
    let is_busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))?;
    Ok(!is_busy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::{generation::Generations, open_reader, open_writer};

    #[test]
    fn a_held_snapshot_does_not_keep_the_log_from_beginning_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("test.db");
        let writer = open_writer(&path).expect("a connection");
        writer.execute_batch("CREATE TABLE t (body TEXT); INSERT INTO t VALUES ('first')").expect("a table");
        let reader = Reader::new(open_reader(&path).expect("a connection"));
        let checkpoints = Checkpoints {
            wanted: bounded(1).0,
            rows: Cell::new(0),
            readers: vec![reader.clone()],
            nearly_done: Arc::default(),
        };
        let generations = Generations::open(&path).expect("the log's index");
        let look = || -> i64 {
            let mut held = reader.lock();
            let connection = held.snapshot(generations.now()).expect("a snapshot");
            connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("a count")
        };
        let write = || {
            writer.execute("INSERT INTO t VALUES (printf('%.*c', 8000, 'x'))", []).expect("a row");
            checkpoints.committed(&writer);
        };

        for _ in 0..100 {
            write();
        }
        assert_eq!(look(), 101);
        assert!(checkpoint(&writer) > 100, "the snapshot is held, so the log goes on");
        write();
        assert!(checkpoint(&writer) > 100);

        checkpoints.nearly_done.store(true, Ordering::Relaxed);
        write();
        assert!(checkpoint(&writer) > 100, "this was the last step");
        write();
        assert!(checkpoint(&writer) < 10, "the log began anew");
        assert_eq!(look(), 104);
    }
}
