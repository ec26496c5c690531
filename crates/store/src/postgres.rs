//! The database for more than one machine: a pool of connections to PostgreSQL.

use std::{sync::Arc, time::Duration};

use deadpool_postgres::{
    Client, Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime,
};
use tokio_postgres::NoTls;

use crate::{
    error::{Error, Result},
    outbox::Outbox,
    tx::{Care, Tx, Work},
};

/// How long a free connection is waited for.
const WAIT: Duration = Duration::from_secs(10);

/// How long the network may swallow what is sent before the connection counts as lost, and how long an idle one is
/// left unasked: without these the kernel waits for a quarter of an hour, and for two hours.
const SILENCE: Duration = Duration::from_secs(30);
const KEEPALIVE: Duration = Duration::from_secs(10);

/// How long an operation may take: none does, but one whose answer never comes, where what is between us and the server
/// keeps the connection and forwards nothing.
const LONGEST: Duration = Duration::from_secs(60);

/// From so long on an operation that is broken off is taken for one whose answer does not come.
const SUSPICIOUS: Duration = Duration::from_secs(5);

/// What each session begins with. Where we are cut off within a transaction, the server ends it soon, and with it the
/// locks that others wait for. And whatever the server is set to, a commit that is reported is on the disk.
const SESSION: &str = "SET idle_in_transaction_session_timeout = '60s'; \
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// A PostgreSQL database.
pub(crate) struct Postgres {
    pool: Pool,
}

impl Postgres {
    /// Makes the pool. Connections are opened when they are needed.
    pub(crate) fn connect(url: &str, connections: usize) -> Result<Self> {
        let mut config: tokio_postgres::Config =
            url.parse().map_err(|error: tokio_postgres::Error| Error::Address(error.to_string()))?;
        config.tcp_user_timeout(SILENCE).keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE);
        let begin = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
            Box::pin(async move { client.batch_execute(SESSION).await.map_err(HookError::Backend) })
        });
        let manager =
            Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .post_create(begin)
            .build()
            .map_err(|error| Error::Address(error.to_string()))?;
        Ok(Self { pool })
    }

    /// A connection of the pool.
    pub(crate) async fn client(&self) -> Result<Client> {
        // The pool's own limits are on connecting, and not on what a session begins with.
        Ok(tokio::time::timeout(LONGEST, self.pool.get()).await.map_err(|_| Error::NoAnswer)??)
    }

    /// Runs a read outside a transaction.
    pub(crate) async fn read<T, F>(&self, operation: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx<'_>) -> Work<'t, T> + Send,
    {
        let client = Lent(Some(self.client().await?));
        let read = async { operation(&mut Tx::postgres_read(client.get()?)).await };
        let done = tokio::time::timeout(LONGEST, read).await.map_err(|_| Error::NoAnswer)?;
        client.give_back();
        done
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
        let mut client = Lent(Some(self.client().await?));
        let transact = async {
            // Dropped without a commit, the transaction is rolled back.
            let transaction = client.get_mut()?.transaction().await?;
            let mut tx = Tx::postgres(&transaction, care);
            let value = operation(&mut tx).await?;
            let (leased, left) = (std::mem::take(&mut tx.leased), std::mem::take(&mut tx.left));
            drop(tx);
            transaction.commit().await?;
            outbox.committed(leased, &left);
            Ok(value)
        };
        let done = tokio::time::timeout(LONGEST, transact).await.map_err(|_| Error::NoAnswer)?;
        client.give_back();
        done
    }
}

/// A connection that goes back to the pool only after an operation that came to its end. One that is broken off may wait
/// for an answer that never comes, and then whoever got it next would wait behind it.
struct Lent(Option<Client>);

impl Lent {
    fn get(&self) -> Result<&Client> {
        self.0.as_ref().ok_or(Error::Dropped)
    }

    fn get_mut(&mut self) -> Result<&mut Client> {
        self.0.as_mut().ok_or(Error::Dropped)
    }

    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(client) = self.0.take() else { return };
        // The idle ones go the same way through the network.
        if Object::metrics(&client).last_used() > SUSPICIOUS
            && let Some(pool) = Object::pool(&client)
        {
            drop(pool.retain(|_, _| false));
        }
        drop(Object::take(client));
    }
}
