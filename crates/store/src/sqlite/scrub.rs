//! Clears a database's file of what was deleted from it.
//!
//! What is deleted while `secure_delete` is on is overwritten; but what an earlier change of a row left behind stands in
//! some free place of a page until that is used again, and in the write-ahead log until it begins anew. Only writing
//! the file anew (`VACUUM`) is sure to leave nothing.

use std::path::Path;

use super::{checkpoint, open, reader::Reader};
use crate::{Compaction, error::Result};

/// A file up to this size, in bytes, is written anew without being asked: that takes a second or two, in which writes
/// wait.
const SMALL_BYTES: u64 = 256 << 20;

const LARGE: &str = "The database's file is large, so it was not written anew: free places in it may hold remnants \
     until they are used again, or until `inboundflow contact erase --compact`";
const READ: &str = "Another process was reading the database: the write-ahead log beside its file may hold remnants \
     until it begins anew";

/// Clears the file and its log; a sentence where that could not be done whole.
pub(super) fn scrub(path: &Path, readers: &[Reader], compaction: Compaction) -> Result<Option<&'static str>> {
    let connection = open(path)?;
    let is_small = std::fs::metadata(path)?.len() <= SMALL_BYTES;
    let is_compacted = is_small || compaction == Compaction::Always;
    if is_compacted {
        connection.execute_batch("VACUUM")?;
    }
    let is_busy = !checkpoint::empty_log(&connection, readers)?;
    Ok(match (is_compacted, is_busy) {
        (false, _) => Some(LARGE),
        (true, true) => Some(READ),
        (true, false) => None,
    })
}
