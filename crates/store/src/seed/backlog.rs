//! Deliveries that wait: what a server finds that was down, or whose receivers were.

use std::path::Path;

use model::{EndpointId, OrgId};
use rusqlite::{Connection, params};

use super::{micros, uuid};
use crate::{Result, sqlite};

/// What waits.
#[derive(Clone, Debug)]
pub struct Backlog {
    /// Whose it is. The organisation must have no events.
    pub org: OrgId,
    /// Who is owed each event.
    pub endpoints: Vec<EndpointId>,
    /// How many events.
    pub events: u64,
}

/// How many events a transaction holds.
const GROUP: u64 = 500;

/// About as long as a finished call's.
const DATA_BYTES: usize = 1200;

/// Writes the events and their deliveries into a file whose schema is up to date and that no server has open.
pub fn fill_backlog(path: &Path, backlog: &Backlog) -> Result<()> {
    let mut connection = sqlite::open(path)?;
    // A benchmark's database that a crash destroys is made again.
    connection.pragma_update(None, "synchronous", "off")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "cache_size", -512 * 1024)?;
    let mut begin = 0;
    while begin < backlog.events {
        let end = backlog.events.min(begin + GROUP);
        write_group(&mut connection, backlog, begin, end)?;
        begin = end;
    }
    connection.execute(
        "UPDATE org_clocks SET last_stamp = ?2 WHERE org_id = ?1",
        params![backlog.org.uuid().as_bytes(), micros(backlog.events)],
    )?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

fn write_group(connection: &mut Connection, backlog: &Backlog, begin: u64, end: u64) -> Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut event = transaction.prepare_cached(
            "INSERT INTO events (id, org_id, created_at, type, data) VALUES (?1, ?2, ?3, 'call.completed', ?4)",
        )?;
        let mut delivery = transaction.prepare_cached(
            "INSERT INTO deliveries (id, org_id, endpoint_id, event_id, state, attempts, due_at, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, 'pending', 0, ?5, ?5, ?5)",
        )?;
        let org = backlog.org.uuid();
        for number in begin..end {
            let (id, at) = (uuid(number, 4), micros(number));
            let data = format!(r#"{{"call_id":"{id}","summary":"{:.<DATA_BYTES$}"}}"#, "");
            event.execute(params![id.as_bytes(), org.as_bytes(), at, data])?;
            for (endpoint, place) in backlog.endpoints.iter().zip(1_i64..) {
                let delivery_id = uuid(number, 100 + place.unsigned_abs());
                let endpoint = endpoint.uuid();
                delivery.execute(params![
                    delivery_id.as_bytes(),
                    org.as_bytes(),
                    endpoint.as_bytes(),
                    id.as_bytes(),
                    at + place
                ])?;
            }
        }
    }
    Ok(transaction.commit()?)
}
