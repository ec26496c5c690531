//! The database for more than one machine: a pool of connections to PostgreSQL.

use std::{sync::Arc, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::NoTls;

use crate::{
    Pressure,
    error::{Error, Result},
    outbox::Outbox,
    tx::{Care, Tx, Work},
};

/// How long a free connection is waited for.
const WAIT: Duration = Duration::from_secs(10);

/// A PostgreSQL database.
pub(crate) struct Postgres {
    pool: Pool,
}

impl Postgres {
    /// How busy the connections are.
    pub(crate) fn pressure(&self) -> Pressure {
        let status = self.pool.status();
        Pressure {
            in_use: status.size.saturating_sub(status.available),
            idle: status.available,
            wanted: status.waiting,
            ..Pressure::default()
        }
    }

    /// Makes the pool. Connections are opened when they are needed.
    pub(crate) fn connect(url: &str, connections: usize) -> Result<Self> {
        let config: tokio_postgres::Config =
            url.parse().map_err(|error: tokio_postgres::Error| Error::Address(error.to_string()))?;
        let manager =
            Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .build()
            .map_err(|error| Error::Address(error.to_string()))?;
        Ok(Self { pool })
    }

    /// A connection of the pool.
    pub(crate) async fn client(&self) -> Result<deadpool_postgres::Client> {
        Ok(self.pool.get().await?)
    }

    /// Runs a read outside a transaction.
    pub(crate) async fn read<T, F>(&self, operation: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx<'_>) -> Work<'t, T> + Send,
    {
        let client = self.client().await?;
        operation(&mut Tx::postgres_read(&client)).await
    }

    /// Runs an operation in a transaction of its own.
    pub(crate) async fn write<T, F>(&self, outbox: &Arc<Outbox>, operation: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx<'_>) -> Work<'t, T> + Send,
    {
        self.transact(outbox, operation, Care::Alone).await
    }

    /// Runs an operation that can be run again: first without savepoints, which are two more round trips each, and
    /// where that fails once more with them.
    pub(crate) async fn write_repeatable<T, F>(&self, outbox: &Arc<Outbox>, mut operation: F) -> Result<T>
    where
        F: for<'t> FnMut(&'t mut Tx<'_>) -> Work<'t, T> + Send,
    {
        match self.transact(outbox, &mut operation, Care::Group).await {
            Err(error) if !error.is_unavailable() => self.transact(outbox, operation, Care::Alone).await,
            done => done,
        }
    }

    async fn transact<T, F>(&self, outbox: &Arc<Outbox>, operation: F, care: Care) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx<'_>) -> Work<'t, T> + Send,
    {
        let mut client = self.client().await?;
        // Dropped without a commit, the transaction is rolled back.
        let transaction = client.transaction().await?;
        let mut tx = Tx::postgres(&transaction, care);
        let value = operation(&mut tx).await?;
        let (leased, left) = (std::mem::take(&mut tx.leased), std::mem::take(&mut tx.left));
        drop(tx);
        transaction.commit().await?;
        outbox.committed(leased, &left);
        Ok(value)
    }
}
