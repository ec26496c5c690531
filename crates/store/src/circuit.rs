//! The circuit of each endpoint: after some failures in a row only a probe is sent now and then, and its first success
//! sends all that waited. So a receiver that is down is not hammered, and one that is back is told within minutes.
//!
//! An endpoint that is well costs nothing: only failures are written down, and the first success after them.

use std::time::Duration;

use model::{DeliveryId, EndpointId, OrgId, Time};

use crate::{
    Attempt, Result,
    outbox::Delivery,
    tx::Tx,
    value::{Cells, params},
};

/// After so many failures in a row, of two deliveries at least, the circuit opens: one delivery that a receiver cannot
/// digest says nothing of the others.
const OPENS_AFTER: i64 = 5;

/// How long after its opening, and then after each probe that failed, the next probe is sent; the last again and again.
const PROBES: [Duration; 5] = [
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(2 * 60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(10 * 60),
];

/// How an endpoint fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Failures since the last success.
    pub failures: u32,
    /// When the first of them was.
    pub since: Time,
    /// Why the last one failed, in words.
    pub last_error: Option<String>,
    /// The circuit, where it is open.
    pub circuit: Option<OpenCircuit>,
}

/// A circuit that is open: what the endpoint is owed waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenCircuit {
    /// Since when.
    pub opened_at: Time,
    /// When the next probe is sent, if anything waits then.
    pub probe_at: Time,
}

/// What a try does to a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It opened.
    Opened,
    /// It closed: what waited is sent.
    Closed,
}

/// Reads `failures, failing_since, last_error, opened_at, probe_at`.
pub(crate) fn read(row: &mut Cells<'_>) -> Result<Option<Trouble>> {
    let failures: i64 = row.get()?;
    let (since, last_error) = (row.get::<Option<Time>>()?, row.get()?);
    let (opened_at, probe_at) = (row.get::<Option<Time>>()?, row.get::<Option<Time>>()?);
    Ok(since.map(|since| Trouble {
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        since,
        last_error,
        circuit: opened_at.zip(probe_at).map(|(opened_at, probe_at)| OpenCircuit { opened_at, probe_at }),
    }))
}

fn wait_before_probe(failed: i64) -> Duration {
    let step = usize::try_from(failed).unwrap_or(usize::MAX).min(PROBES.len() - 1);
    PROBES[step]
}

/// A try failed: it is counted, and the circuit opens where that was one too many, or the next probe is set.
pub(crate) async fn note_failure(
    tx: &mut Tx<'_>,
    delivery: &Delivery,
    attempt: &Attempt,
    (now, not_before): (Time, Time),
) -> Result<Option<Turn>> {
    let (endpoint, org) = (delivery.endpoint.id, delivery.org);
    // Who is told in this transaction is told as it stands from now on.
    tx.known.subscribers.remove(&org);
    let sql = "UPDATE endpoints SET failures = failures + 1, failing_since = COALESCE(failing_since, ?4), \
                   first_failed = COALESCE(first_failed, ?3), \
                   others_failed = others_failed OR COALESCE(first_failed, ?3) <> ?3, last_error = ?5 \
               WHERE id = ?1 AND org_id = ?2 \
               RETURNING failures, others_failed, opened_at, probes";
    let read = |row: &mut Cells<'_>| {
        Ok((row.get::<i64>()?, row.get::<bool>()?, row.get::<Option<Time>>()?, row.get::<i64>()?))
    };
    let failed = tx.first(sql, params![endpoint, org, delivery.id, now, &attempt.error], read).await?;
    let Some((failures, others_failed, opened_at, probes)) = failed else { return Ok(None) };
    let (opened_at, probes, turn) = match opened_at {
        None if failures >= OPENS_AFTER && others_failed => (now, 0, Some(Turn::Opened)),
        Some(opened_at) if delivery.is_probe => (opened_at, probes + 1, None),
        _ => return Ok(None),
    };
    let sql = "UPDATE endpoints SET opened_at = ?3, probe_at = ?4, probes = ?5 WHERE id = ?1 AND org_id = ?2";
    // A probe comes no sooner than the receiver asked for at the last one.
    let earliest = if delivery.is_probe { not_before } else { now };
    let probe_at = earliest.max(now + wait_before_probe(probes));
    tx.execute(sql, params![endpoint, org, opened_at, probe_at, probes]).await?;
    // Whoever sleeps until something is due has another time to sleep until.
    tx.left.others = true;
    Ok(turn)
}

/// An endpoint that had failed is well again, by a success or by a person's word. Where its circuit was open, all that
/// waited is due at once, the oldest first.
pub(crate) async fn close(
    tx: &mut Tx<'_>,
    org: OrgId,
    endpoint: EndpointId,
    now: Time,
) -> Result<Option<Turn>> {
    tx.known.subscribers.remove(&org);
    let sql = "SELECT opened_at FROM endpoints WHERE id = ?1 AND org_id = ?2 AND failing_since IS NOT NULL";
    let found = tx.first(sql, params![endpoint, org], |row| row.get::<Option<Time>>()).await?;
    let Some(opened_at) = found else { return Ok(None) };
    let sql = "UPDATE endpoints SET failures = 0, failing_since = NULL, first_failed = NULL, others_failed = FALSE, \
                   last_error = NULL, opened_at = NULL, probe_at = NULL, probes = 0 \
               WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![endpoint, org]).await?;
    if opened_at.is_none() {
        return Ok(None);
    }
    // Few: none was tried while the circuit was open but probes, so these failed before or as one.
    let sql = "UPDATE deliveries SET due_at = CASE WHEN created_at < ?2 THEN created_at ELSE ?2 END \
               WHERE endpoint_id = ?1 AND due_at > ?2";
    tx.execute(sql, params![endpoint, now]).await?;
    tx.left.others = true;
    Ok(Some(Turn::Closed))
}

/// Takes an endpoint's turn to be probed, which nobody else takes before `until`. False where another has it.
pub(crate) async fn take_probe(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    (probe_at, until): (Time, Time),
) -> Result<bool> {
    let sql = "UPDATE endpoints SET probe_at = ?3 WHERE id = ?1 AND probe_at = ?2 AND opened_at IS NOT NULL";
    Ok(tx.execute(sql, params![endpoint, probe_at, until]).await? > 0)
}

/// The deliveries that a person asked to have sent now, for all that their endpoint's circuit is open: so many at most.
pub(crate) async fn asked_for(tx: &mut Tx<'_>, endpoint: EndpointId, most: usize) -> Result<Vec<DeliveryId>> {
    let sql = "SELECT id FROM deliveries WHERE endpoint_id = ?1 AND manual_attempt > 0 \
                   AND due_at IS NOT NULL AND manual_attempt = attempts + 1 LIMIT ?2";
    tx.query(sql, params![endpoint, i64::try_from(most).unwrap_or(i64::MAX)], |row| row.get()).await
}

/// Whether there are any.
pub(crate) async fn is_asked_for(tx: &mut Tx<'_>, endpoint: EndpointId) -> Result<bool> {
    Ok(!asked_for(tx, endpoint, 1).await?.is_empty())
}
