//! What can go wrong in the store.

use std::sync::Arc;

use tokio_postgres::error::SqlState;

/// A result of the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the store could not do what was asked. A record that is not there is no error but `None`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// SQLite refused or failed.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL refused or failed.
    #[error("PostgreSQL: {0}")]
    Postgres(#[from] tokio_postgres::Error),
    /// No connection to PostgreSQL could be had.
    #[error("no connection to PostgreSQL: {0}")]
    Pool(#[from] deadpool_postgres::PoolError),
    /// PostgreSQL took a statement and did not answer in time.
    #[error("PostgreSQL does not answer")]
    NoAnswer,
    /// The schema could not be brought up to date.
    #[error("migration: {0}")]
    Migration(#[from] refinery::Error),
    /// The group of writes that this one was committed with could not be made durable.
    #[error("commit: {0}")]
    Commit(Arc<rusqlite::Error>),
    /// A stored value is not what this version can read.
    #[error("stored {what}: {why}")]
    Stored {
        /// Which value.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The address of the database cannot be used.
    #[error("database address: {0}")]
    Address(String),
    /// A file could not be opened or made.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The operation panicked; what it had written is rolled back.
    #[error("a store operation panicked")]
    Panicked,
    /// The operation was dropped before it ran: the store is closing, or could not begin a transaction (the log
    /// tells why).
    #[error("the store did not take the operation")]
    Dropped,
}

impl Error {
    /// Whether trying again later may help: the disk is full, the database locked or out of reach.
    pub fn is_unavailable(&self) -> bool {
        use rusqlite::ErrorCode as Code;
        let sqlite = |error: &rusqlite::Error| {
            matches!(
                error.sqlite_error_code(),
                Some(Code::DatabaseBusy | Code::DatabaseLocked | Code::DiskFull | Code::ReadOnly)
                    | Some(Code::SystemIoFailure | Code::CannotOpen)
            )
        };
        match self {
            Self::Sqlite(error) => sqlite(error),
            Self::Commit(error) => sqlite(error),
            Self::Postgres(error) => error.is_closed() || error.code().is_none_or(is_passing),
            Self::Pool(_) | Self::NoAnswer | Self::Dropped => true,
            Self::Migration(_) | Self::Stored { .. } | Self::Address(_) | Self::Io(_) | Self::Panicked => {
                false
            }
        }
    }
}

/// Whether a code of PostgreSQL says that the server is not well, or not now, and nothing of the statement
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>): a lost connection, resources that ran out such as
/// the disk, one who shut it down or lets it start, an error of its system, and a standby that takes no writes.
fn is_passing(code: &SqlState) -> bool {
    let class = code.code().get(..2).unwrap_or_default();
    ["08", "53", "57", "58"].contains(&class)
        || [&SqlState::READ_ONLY_SQL_TRANSACTION, &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT]
            .contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_told_from_what_does_not() {
        for code in ["57P01", "57P02", "57P03", "53100", "53300", "08006", "58030", "25006", "25P03"] {
            assert!(is_passing(&SqlState::from_code(code)), "{code}");
        }
        for code in ["23505", "40P01", "42P01", "22003", "XX000"] {
            assert!(!is_passing(&SqlState::from_code(code)), "{code}");
        }
    }
}
