//! A connection that reads, and the snapshot that it may hold from one read to the next.
//!
//! To begin and to end a read transaction takes locks that all threads of the process share, and is a good part of a
//! short read. So a bounded read leaves its transaction open, and the next one goes on with it if nothing was written
//! since. A held snapshot keeps the write-ahead log from beginning anew, so `checkpoint` has it let go.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::Connection;

use super::Generation;

/// A reading connection that threads take turns with.
#[derive(Clone)]
pub(super) struct Reader(Arc<Mutex<Held>>);

/// The connection, for as long as one holds this.
pub(super) struct Held {
    connection: Connection,
    /// The state of the database before the open transaction's snapshot was taken.
    snapshot: Option<Generation>,
}

impl Reader {
    pub(super) fn new(connection: Connection) -> Self {
        Self(Arc::new(Mutex::new(Held { connection, snapshot: None })))
    }

    /// Waits for one's turn.
    pub(super) fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a turn if it is free.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, Held>> {
        match self.0.try_lock() {
            Ok(held) => Some(held),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl Held {
    /// The connection outside any transaction: each statement sees the newest state.
    pub(super) fn newest(&mut self) -> &mut Connection {
        self.let_go();
        &mut self.connection
    }

    /// The connection with a snapshot that is not older than `now`, the state that the database is in.
    pub(super) fn snapshot(&mut self, now: Option<Generation>) -> rusqlite::Result<&mut Connection> {
        if now.is_none() || self.snapshot != now {
            self.let_go();
            if now.is_some() {
                // The snapshot itself is taken at the first look, so it is not older than `now`.
                self.connection.prepare_cached("BEGIN")?.execute([])?;
                self.snapshot = now;
            }
        }
        Ok(&mut self.connection)
    }

    /// Ends the transaction that is held, if there is one.
    pub(super) fn let_go(&mut self) {
        self.snapshot = None;
        if !self.connection.is_autocommit() {
            // It wrote nothing. Where it cannot be ended, the next `BEGIN` says so.
            let _ = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        }
    }
}
