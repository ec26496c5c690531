//! Figures across all organizations, for whoever runs the server. Each is read by steps along an index or counted up to a limit,
//! so that looking is cheap however much waits.

use std::{collections::HashMap, time::Duration};

use model::Time;

use crate::{
    Database, DeliveryState, EndpointState, Result, Store,
    delivery_log::FAILED,
    value::{Cells, params},
};

/// Where counting ends, of all that waits and of what each endpoint is owed.
const MOST: i64 = 100_000;

/// How many endpoints are looked at.
const ENDPOINTS: i64 = 10_000;

/// What is owed and to whom.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// How many deliveries stand like this, of those that are owed.
    pub deliveries: Vec<(DeliveryState, i64)>,
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
    retrying: i64,
    held: i64,
}

fn owed() -> String {
    // Each endpoint is some steps along indexes: nothing here reads a delivery itself.
    let count = |state: &str| {
        format!(
            "(SELECT count(*) FROM (SELECT 1 AS one FROM deliveries d WHERE d.endpoint_id = p.id AND d.{FAILED} \
             AND d.state = '{state}' LIMIT {MOST}) AS {state}_ones)"
        )
    };
    format!(
        "SELECT p.state, p.opened_at IS NOT NULL, \
             (SELECT min(d.due_at) FROM deliveries d WHERE d.endpoint_id = p.id AND d.due_at IS NOT NULL), \
             {}, {} FROM endpoints p WHERE p.deleted_at IS NULL LIMIT {ENDPOINTS}",
        count("retrying"),
        count("held")
    )
}

fn read(row: &mut Cells<'_>) -> Result<Owed> {
    Ok(Owed {
        state: row.word("endpoint state", EndpointState::parse)?,
        is_open: row.get()?,
        oldest: row.get()?,
        retrying: row.get()?,
        held: row.get()?,
    })
}

impl Store {
    /// What is owed and to whom.
    pub async fn figures(&self) -> Result<Figures> {
        let now = self.0.clock.now();
        self.read(move |tx| {
            Box::pin(async move {
                let endpoints = tx.query(&owed(), &[], read).await?;
                let sql = "SELECT count(*) FROM (SELECT 1 AS one FROM deliveries WHERE due_at IS NOT NULL LIMIT ?1) AS due";
                let due: i64 = tx.first(sql, params![MOST], |row| row.get()).await?.unwrap_or_default();
                let sql = "SELECT count(*) FROM (SELECT 1 AS one FROM deliveries WHERE lease_until IS NOT NULL LIMIT ?1) \
                           AS leased";
                let leased: i64 = tx.first(sql, params![MOST], |row| row.get()).await?.unwrap_or_default();
                Ok(Figures::of(&endpoints, (due, leased), now))
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

impl Figures {
    fn of(endpoints: &[Owed], (due, leased): (i64, i64), now: Time) -> Self {
        let retrying: i64 = endpoints.iter().map(|endpoint| endpoint.retrying).sum();
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
            deliveries: vec![
                (DeliveryState::Pending, (due - retrying).max(0)),
                (DeliveryState::InFlight, leased),
                (DeliveryState::Retrying, retrying),
                (DeliveryState::Held, endpoints.iter().map(|endpoint| endpoint.held).sum()),
            ],
            oldest_due,
            endpoints: EndpointState::ALL.map(|state| (state, count(state))).to_vec(),
            circuits_open: endpoints.iter().filter(|endpoint| endpoint.is_open).count() as i64,
        }
    }
}
