//! Figures across all organizations, for whoever runs the server. Each is read by steps along an index or counted up to a limit,
//! so that looking is cheap however much waits.

use std::{collections::HashMap, time::Duration};

use model::Time;

use crate::{
    Database, EndpointState, Result, Store,
    delivery_log::have_failed,
    tx::Tx,
    value::{Cells, params},
};

/// Where counting ends, of those that stand like this.
const MOST: i64 = 50_000;

/// How many endpoints are looked at.
const ENDPOINTS: i64 = 10_000;

/// What is owed and to whom.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Deliveries that were not tried yet or are to be tried again; those of them that are to be tried again; those that are
    /// under way; and those that are held.
    pub deliveries: [i64; 4],
    /// For how long the oldest is due, of endpoints whose circuit is closed, and of the others.
    pub oldest_due: [Duration; 2],
    /// How many endpoints stand like this.
    pub endpoints: Vec<(EndpointState, i64)>,
    /// How many of them have an open circuit.
    pub circuits_open: i64,
}

/// How busy the way to the database is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Writes that wait for the writer of the embedded database.
    pub writes_waiting: usize,
    /// Connections to PostgreSQL that are in use.
    pub in_use: usize,
    /// Connections to PostgreSQL that are open and idle.
    pub idle: usize,
    /// Askers that wait for one.
    pub wanted: usize,
    /// The embedded database's file, in bytes.
    pub file_bytes: u64,
    /// Its write-ahead log, in bytes.
    pub log_bytes: u64,
}

/// An endpoint with what it is owed.
struct Owed {
    state: EndpointState,
    is_open: bool,
    oldest: Option<Time>,
}

const OWED: &str = "SELECT p.state, p.opened_at IS NOT NULL, \
         (SELECT min(d.due_at) FROM deliveries d WHERE d.endpoint_id = p.id AND d.due_at IS NOT NULL) \
     FROM endpoints p WHERE p.deleted_at IS NULL LIMIT ?1";

fn read(row: &mut Cells<'_>) -> Result<Owed> {
    Ok(Owed {
        state: row.word("endpoint state", EndpointState::parse)?,
        is_open: row.get()?,
        oldest: row.get()?,
    })
}

impl Store {
    /// What is owed and to whom.
    pub async fn figures(&self) -> Result<Figures> {
        let now = self.0.clock.now();
        self.read(move |tx| {
            Box::pin(async move {
                let endpoints = tx.query(OWED, params![ENDPOINTS], read).await?;
                let due = count(tx, "FROM deliveries d WHERE d.due_at IS NOT NULL").await?;
                let leased = count(tx, "FROM deliveries d WHERE d.lease_until IS NOT NULL").await?;
                let retrying = count(tx, &of_endpoints("retrying")).await?;
                let held = count(tx, &of_endpoints("held")).await?;
                Ok(Figures::of([due, retrying, leased, held], &endpoints, now))
            })
        })
        .await
    }

    /// How busy the way to the database is.
    pub fn pressure(&self) -> Pressure {
        match &self.0.database {
            Database::Sqlite(sqlite) => sqlite.pressure(),
            Database::Postgres(postgres) => postgres.pressure(),
        }
    }
}

/// Counts rows up to the limit: entries of one index.
async fn count(tx: &mut Tx<'_>, from: &str) -> Result<i64> {
    let sql = format!("SELECT count(*) FROM (SELECT 1 AS one {from} LIMIT ?1) AS counted");
    Ok(tx.first(&sql, params![MOST], |row| row.get()).await?.unwrap_or_default())
}

/// The deliveries that stand like this, endpoint by endpoint: the index is by endpoint, and what was given up stands in it
/// too. In this order because of the `CROSS JOIN`, which SQLite does not turn round.
fn of_endpoints(state: &str) -> String {
    let failed = have_failed("d.");
    format!(
        "FROM endpoints p CROSS JOIN deliveries d WHERE d.endpoint_id = p.id AND p.deleted_at IS NULL AND {failed} \
         AND d.state = '{state}'"
    )
}

impl Figures {
    fn of(deliveries: [i64; 4], endpoints: &[Owed], now: Time) -> Self {
        let oldest_due = [false, true].map(|is_open| {
            let these = endpoints.iter().filter(|endpoint| endpoint.is_open == is_open);
            these
                .filter_map(|endpoint| endpoint.oldest)
                .min()
                .map_or(Duration::ZERO, |oldest| now.since(oldest))
        });
        let mut states: HashMap<&str, i64> = HashMap::new();
        for endpoint in endpoints {
            *states.entry(endpoint.state.as_str()).or_default() += 1;
        }
        let count = |state: EndpointState| states.get(state.as_str()).copied().unwrap_or_default();
        Self {
            deliveries,
            oldest_due,
            endpoints: EndpointState::ALL.map(|state| (state, count(state))).to_vec(),
            circuits_open: endpoints.iter().filter(|endpoint| endpoint.is_open).count() as i64,
        }
    }
}
