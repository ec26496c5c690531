//! Moves what was committed from the write-ahead log into the database's file, on a thread of its own: it is a good
//! part of what a write costs, and waits for the disk.
//!
//! Beside a busy writer such a checkpoint never reaches the end of the log, and only at its end can the log begin
//! anew. So from a certain length on the writer makes one itself (`wal_autocheckpoint`), which finds little left to do.

use std::{cell::Cell, path::Path, thread};

use crossbeam_channel::{Sender, bounded};
use rusqlite::Connection;

use super::{open, reader::Reader};
use crate::error::Result;

/// After so many changed rows a checkpoint is made: about as many pages of the log.
const ROWS: u64 = 4000;

/// Asks for checkpoints.
pub(super) struct Checkpoints {
    wanted: Sender<()>,
    rows: Cell<u64>,
}

impl Checkpoints {
    /// Says that something was committed.
    pub(super) fn committed(&self, connection: &Connection) {
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
    let (wanted, asked) = bounded::<()>(1);
    let connection = open(path)?;
    thread::Builder::new().name("store-checkpoint".into()).spawn(move || {
        for () in asked {
            for reader in &readers {
                reader.lock().let_go();
            }
            // Passive: it waits for nobody, and nobody for it.
            let done = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            if let Err(error) = done {
                tracing::warn!(%error, "the write-ahead log could not be moved into the database; trying again later");
            }
        }
    })?;
    Ok(Checkpoints { wanted, rows: Cell::new(0) })
}
