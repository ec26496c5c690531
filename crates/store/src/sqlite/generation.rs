//! Whether a database has changed at all, told by a look at its write-ahead log's index and without a transaction.
//!
//! A commit, whichever process makes it, changes the index's header before it is reported: a counter, the log's end
//! and checksums (<https://www.sqlite.org/walformat.html#the_wal_index_header>). So what was read before is still
//! true while the header is the same. A header that is read while it is written is like no other, and then something
//! is looked up once more than it need be.

use std::{fs::File, mem::ManuallyDrop, os::unix::fs::FileExt, path::Path};

/// The length of the header's first copy.
const HEADER_BYTES: usize = 48;

/// A state of the database.
pub(crate) type Generation = [u8; HEADER_BYTES];

/// Looks at the index.
pub(super) struct Generations {
    /// Never closed: to close any handle of a file drops all locks of the process on it (POSIX), SQLite's too.
    index: ManuallyDrop<File>,
}

impl Generations {
    /// Over the database at a path that is open already. `None` where the index cannot be read: then nothing is
    /// remembered.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let mut index = path.as_os_str().to_owned();
        index.push("-shm");
        let generations = Self { index: ManuallyDrop::new(File::open(index).ok()?) };
        generations.now().map(|_| generations)
    }

    /// The present state. Some microseconds less than a transaction.
    pub(super) fn now(&self) -> Option<Generation> {
        let mut header = [0; HEADER_BYTES];
        self.index.read_exact_at(&mut header, 0).ok()?;
        Some(header)
    }
}
