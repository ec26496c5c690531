//! One handle over both drivers, so that every statement and every write of several steps is written once.
//!
//! On PostgreSQL the futures wait for the network. On SQLite they are ready at once, so the writer and the reader
//! threads can drive an operation to its end with a single poll ([`drive`]).

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    ops::Range,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use deadpool_postgres::{Client, Transaction};
use model::OrgId;
use tokio_postgres::types::ToSql;

use crate::{
    dialect::Dialect,
    endpoints::Subscriber,
    error::{Error, Result},
    outbox::{Leased, Left},
    value::{Cells, Row, Value},
};

/// The future of an operation inside a transaction.
pub(crate) type Work<'t, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 't>>;

/// What becomes of the rest where an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// All of the transaction is rolled back and run again with [`Care::Alone`]. So an operation need not be able to
    /// go on after an error.
    Group,
    /// The operation is undone and nothing else, so it may also catch an error of a part, undo that, and go on.
    Alone,
}

/// What operations of one transaction need not ask for again.
#[derive(Default)]
pub(crate) struct Known {
    /// Stamps that were taken and not given yet.
    pub(crate) stamps: HashMap<OrgId, Range<i64>>,
    /// Organizations that block numbers. Known with their stamps, and never forgotten: to look once too often is no harm.
    pub(crate) blocking: HashSet<OrgId>,
    /// Organizations where somebody asks, or asked, for opt-in events: known and kept likewise.
    pub(crate) opted_in: HashSet<OrgId>,
    /// Who is told an organization's events. Whatever writes endpoints forgets it.
    pub(crate) subscribers: HashMap<OrgId, Arc<[Subscriber]>>,
}

/// A transaction, or on the reading side a connection, of either database.
pub(crate) struct Tx<'c> {
    connection: Connection<'c>,
    /// What becomes of the rest where the operation fails.
    pub(crate) care: Care,
    /// What is known in the transaction.
    pub(crate) known: Known,
    /// Deliveries that this transaction leased to this process: handed over when it has committed, dropped (and
    /// their slots freed) when it has not.
    pub(crate) leased: Vec<Leased>,
    /// What the transaction left for a worker to claim.
    pub(crate) left: Left,
}

enum Connection<'c> {
    // By mutable reference, because that can be sent to another thread and a shared one to it can not.
    Sqlite(&'c mut rusqlite::Connection),
    Postgres(&'c Transaction<'c>),
    PostgresRead(&'c Client),
}

impl<'c> Tx<'c> {
    fn over(connection: Connection<'c>, care: Care) -> Self {
        Self { connection, care, known: Known::default(), leased: Vec::new(), left: Left::default() }
    }

    pub(crate) fn sqlite(connection: &'c mut rusqlite::Connection, care: Care) -> Self {
        Self::over(Connection::Sqlite(connection), care)
    }

    pub(crate) fn postgres(transaction: &'c Transaction<'c>, care: Care) -> Self {
        Self::over(Connection::Postgres(transaction), care)
    }

    pub(crate) fn postgres_read(client: &'c Client) -> Self {
        Self::over(Connection::PostgresRead(client), Care::Alone)
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self.connection {
            Connection::Sqlite(_) => Dialect::Sqlite,
            Connection::Postgres(_) | Connection::PostgresRead(_) => Dialect::Postgres,
        }
    }

    /// Every row of a query.
    pub(crate) async fn query<T: Send>(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        mut read: impl FnMut(&mut Cells<'_>) -> Result<T> + Send,
    ) -> Result<Vec<T>> {
        let sql = self.dialect().translate(sql);
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(&sql)?;
                let mut rows = statement.query(rusqlite::params_from_iter(params))?;
                let mut all = Vec::new();
                while let Some(row) = rows.next()? {
                    all.push(read(&mut Cells::new(Row::Sqlite(row)))?);
                }
                Ok(all)
            }
            Connection::Postgres(transaction) => {
                let statement = transaction.prepare_cached(&sql).await?;
                let rows = transaction.query(&statement, &as_dyn(params)).await?;
                rows.iter().map(|row| read(&mut Cells::new(Row::Postgres(row)))).collect()
            }
            Connection::PostgresRead(client) => {
                let statement = client.prepare_cached(&sql).await?;
                let rows = client.query(&statement, &as_dyn(params)).await?;
                rows.iter().map(|row| read(&mut Cells::new(Row::Postgres(row)))).collect()
            }
        }
    }

    /// The first row of a query, if there is one.
    pub(crate) async fn first<T: Send>(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        read: impl FnMut(&mut Cells<'_>) -> Result<T> + Send,
    ) -> Result<Option<T>> {
        Ok(self.query(sql, params, read).await?.into_iter().next())
    }

    /// Inserts a row into a table that numbers its rows, and tells the row's number (its `seq`).
    ///
    /// Not by `RETURNING` on SQLite: with it a statement copies every page before it changes it, and lets the full-text
    /// index write what it has. Statements of the hot paths do without.
    pub(crate) async fn insert_numbered(&mut self, sql: &str, params: &[Value<'_>]) -> Result<i64> {
        if let Connection::Sqlite(connection) = &mut self.connection {
            connection.prepare_cached(sql)?.execute(rusqlite::params_from_iter(params))?;
            return Ok(connection.last_insert_rowid());
        }
        let seq = self.first(&format!("{sql} RETURNING seq"), params, |row| row.get()).await?;
        seq.ok_or(Error::Stored { what: "row", why: "was not given a number".into() })
    }

    /// From here on the embedded database overwrites what it deletes, instead of leaving it in a free place of its
    /// file. That costs, so only an erasure asks for it.
    pub(crate) async fn overwrite_deleted(&mut self) -> Result<()> {
        if let Connection::Sqlite(connection) = &mut self.connection {
            connection.pragma_update(None, "secure_delete", true)?;
        }
        Ok(())
    }

    /// The end of [`Tx::overwrite_deleted`].
    pub(crate) async fn leave_deleted(&mut self) -> Result<()> {
        if let Connection::Sqlite(connection) = &mut self.connection {
            connection.pragma_update(None, "secure_delete", false)?;
        }
        Ok(())
    }

    /// Merges parts of the embedded full-text index, about so many pages of it, and tells whether there was something
    /// to merge. PostgreSQL's has no words that were replaced.
    pub(crate) async fn merge_words(&mut self, pages: i64) -> Result<bool> {
        let Connection::Sqlite(connection) = &mut self.connection else { return Ok(false) };
        let before = connection.total_changes();
        let sql = "INSERT INTO call_search (call_search, rank) VALUES ('merge', ?1)";
        connection.prepare_cached(sql)?.execute([pages])?;
        Ok(connection.total_changes() - before >= 2)
    }

    /// Runs a statement and tells how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        let sql = self.dialect().translate(sql);
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                let changed = connection.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(params))?;
                Ok(changed as u64)
            }
            Connection::Postgres(transaction) => {
                let statement = transaction.prepare_cached(&sql).await?;
                Ok(transaction.execute(&statement, &as_dyn(params)).await?)
            }
            Connection::PostgresRead(_) => {
                Err(Error::Stored { what: "connection", why: "a write on the reading side".into() })
            }
        }
    }
}

fn as_dyn<'a>(params: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
}

/// Drives a future over SQLite to its end. Such a future never waits, so one poll is enough.
pub(crate) fn drive<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => {
            Err(Error::Stored { what: "operation", why: "waited for something outside the database".into() })
        }
    }
}
