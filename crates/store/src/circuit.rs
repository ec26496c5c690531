//! The circuit of each endpoint: after some failures in a row, or where it asks to be left alone, only a probe is sent
//! now and then, and its first success sends all that waited. So a receiver that is down is not hammered, and one that
//! is back is told within minutes. One that is down for days is disabled.
//!
//! An endpoint that is well costs nothing: only failures are written down, and the first success after them.

use std::time::Duration;

use model::{DeliveryId, EndpointId, EventType, OrgId, Time, event::EndpointStanding};

use crate::{
    Attempt, EndpointState, EventData, NewEvent, Result,
    events::{self, Teller},
    outbox::Delivery,
    stamps::Stamps,
    tx::Tx,
    value::{Cells, params},
    writes,
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

/// How many retries are brought forward when a circuit closes.
const BROUGHT_FORWARD: u32 = 1000;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an endpoint fails before the others are told that it is to be disabled.
const WARNED_AFTER: Duration = DAY.saturating_mul(4);

/// How long after that the first failure disables it: after five days in all, of which the last failure is at least
/// twelve hours after another.
const DISABLED_AFTER_WARNING: Duration = DAY;

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
    /// When the first failure disables it, where that is foreseen; or did.
    pub disable_at: Option<Time>,
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
    /// The endpoint failed for so long that it is disabled.
    Disabled,
}

/// Reads `failures, failing_since, last_error, opened_at, probe_at, disable_at`.
pub(crate) fn read(row: &mut Cells<'_>) -> Result<Option<Trouble>> {
    let failures: i64 = row.get()?;
    let (since, last_error) = (row.get::<Option<Time>>()?, row.get()?);
    let (opened_at, probe_at) = (row.get::<Option<Time>>()?, row.get::<Option<Time>>()?);
    let disable_at = row.get()?;
    Ok(since.map(|since| Trouble {
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        since,
        last_error,
        circuit: opened_at.zip(probe_at).map(|(opened_at, probe_at)| OpenCircuit { opened_at, probe_at }),
        disable_at,
    }))
}

fn wait_before_probe(failed: i64) -> Duration {
    let step = usize::try_from(failed).unwrap_or(usize::MAX).min(PROBES.len() - 1);
    PROBES[step]
}

/// An endpoint that fails, as it is kept.
struct Failing {
    failures: i64,
    others_failed: bool,
    since: Time,
    last_error: Option<String>,
    opened_at: Option<Time>,
    probe_at: Option<Time>,
    probes: i64,
    disable_at: Option<Time>,
    is_told: bool,
    state: EndpointState,
    description: Option<String>,
}

const FAILING: &str = "failures, others_failed, failing_since, last_error, opened_at, probe_at, probes, disable_at, \
     is_failing_told, state, description";

fn read_failing(row: &mut Cells<'_>) -> Result<Failing> {
    Ok(Failing {
        failures: row.get()?,
        others_failed: row.get()?,
        since: row.get()?,
        last_error: row.get()?,
        opened_at: row.get()?,
        probe_at: row.get()?,
        probes: row.get()?,
        disable_at: row.get()?,
        is_told: row.get()?,
        state: row.word("endpoint state", EndpointState::parse)?,
        description: row.get()?,
    })
}

impl Failing {
    /// More than a delivery that a receiver cannot digest.
    fn is_serious(&self) -> bool {
        self.others_failed || self.opened_at.is_some()
    }

    fn event(&self, event: EventType, endpoint: EndpointId) -> NewEvent {
        let data = EndpointStanding {
            webhook_id: endpoint,
            description: self.description.as_deref(),
            failures: self.failures,
            failing_since: self.since,
            last_error: self.last_error.as_deref(),
            disable_at: self.disable_at,
        };
        NewEvent { event, call_id: None, data: EventData::Json(writes::to_json(&data)) }
    }
}

/// A try failed: it is counted, and the circuit opens where that was one too many, or the next probe is set. An endpoint
/// that has failed for days is disabled, of which the others are told a day ahead.
///
/// Who asks to be left alone by `Retry-After` (RFC 9110 section 10.2.3) is, until then at least. A failure of ours opens
/// the circuit too, so that all that waits is sent when we are well again, but disables nothing and is told to nobody.
pub(crate) async fn note_failure(
    tx: &mut Tx<'_>,
    teller: &Teller,
    delivery: &Delivery,
    attempt: &Attempt,
) -> Result<Option<Turn>> {
    let (endpoint, org, now) = (delivery.endpoint.id, delivery.org, teller.now);
    // Before the endpoint: whoever changes one locks the clock before it too.
    let mut stamps = Stamps::take(tx, org, now).await?;
    // Who is told in this transaction is told as it stands from now on.
    tx.known.subscribers.remove(&org);
    // What is our own fault says nothing of the endpoint: how long it fails begins anew.
    let since = if attempt.is_our_fault { "?4, disable_at = NULL" } else { "COALESCE(failing_since, ?4)" };
    let sql = format!(
        "UPDATE endpoints SET failures = failures + 1, failing_since = {since}, \
             first_failed = COALESCE(first_failed, ?3), \
             others_failed = others_failed OR COALESCE(first_failed, ?3) <> ?3, last_error = ?5 \
         WHERE id = ?1 AND org_id = ?2 RETURNING {FAILING}"
    );
    let values = params![endpoint, org, delivery.id, now, &attempt.error];
    let Some(mut failing) = tx.first(&sql, values, read_failing).await? else { return Ok(None) };
    if failing.state != EndpointState::Enabled {
        return Ok(None);
    }
    if failing.is_serious() && failing.disable_at.is_some_and(|at| at <= now) {
        disable(tx, teller, endpoint, &failing, &mut stamps).await?;
        return Ok(Some(Turn::Disabled));
    }
    let is_failing = failing.failures >= OPENS_AFTER && failing.is_serious();
    let asked = attempt.asked_to_wait.map(|wait| now + wait);
    let opens = failing.opened_at.is_none() && (is_failing || asked.is_some());
    let is_probe = failing.opened_at.is_some() && delivery.is_probe;
    let is_warned =
        failing.is_serious() && failing.disable_at.is_none() && now.since(failing.since) >= WARNED_AFTER;
    if is_probe {
        failing.probes += 1;
    }
    if opens || is_probe || asked > failing.probe_at {
        failing.opened_at.get_or_insert(now);
        // Who only asks to be left alone for a moment is sent a probe after it.
        let own = (is_failing || is_probe).then(|| now + wait_before_probe(failing.probes));
        failing.probe_at = own.into_iter().chain(asked).max();
        // Whoever sleeps until something is due has another time to sleep until.
        tx.left.others = true;
    } else if !is_warned {
        return Ok(None);
    }
    if is_warned {
        failing.disable_at = Some(now + DISABLED_AFTER_WARNING);
    }
    let tells = is_warned || (is_failing && !failing.is_told && !attempt.is_our_fault);
    failing.is_told |= tells;
    let sql = "UPDATE endpoints SET opened_at = ?3, probe_at = ?4, probes = ?5, disable_at = ?6, is_failing_told = ?7 \
               WHERE id = ?1 AND org_id = ?2";
    let Failing { opened_at, probe_at, probes, disable_at, is_told, .. } = failing;
    tx.execute(sql, params![endpoint, org, opened_at, probe_at, probes, disable_at, is_told]).await?;
    if tells {
        let event = failing.event(EventType::EndpointFailing, endpoint);
        events::insert_about(tx, teller, event, endpoint, &mut stamps).await?;
    }
    Ok(opens.then_some(Turn::Opened))
}

/// The endpoint is not told any more. What it is owed becomes held as a worker comes upon it, a few at a time.
async fn disable(
    tx: &mut Tx<'_>,
    teller: &Teller,
    endpoint: EndpointId,
    failing: &Failing,
    stamps: &mut Stamps,
) -> Result<()> {
    let stamp = stamps.next(tx).await?;
    let sql = "UPDATE endpoints SET state = ?3, updated_at = ?4, opened_at = NULL, probe_at = NULL, probes = 0 \
               WHERE id = ?1 AND org_id = ?2";
    let state = EndpointState::Disabled.as_str();
    tx.execute(sql, params![endpoint, teller.org, state, stamp]).await?;
    tx.left.others = true;
    let event = failing.event(EventType::EndpointDisabled, endpoint);
    events::insert_about(tx, teller, event, endpoint, stamps).await
}

/// An endpoint that had failed took something. Where its circuit was open, all that waited is due at once.
pub(crate) async fn note_success(
    tx: &mut Tx<'_>,
    teller: &Teller,
    delivery: &Delivery,
) -> Result<Option<Turn>> {
    let endpoint = delivery.endpoint.id;
    let mut stamps = Stamps::take(tx, teller.org, teller.now).await?;
    let Some(failed) = close(tx, teller.org, endpoint, teller.now).await? else { return Ok(None) };
    let turn = failed.opened_at.map(|_| Turn::Closed);
    if failed.is_told && failed.state == EndpointState::Enabled {
        // Nothing is foreseen any more.
        let event = Failing { disable_at: None, ..failed }.event(EventType::EndpointRecovered, endpoint);
        events::insert_about(tx, teller, event, endpoint, &mut stamps).await?;
    }
    Ok(turn)
}

/// An endpoint was changed by a person: how it failed before says nothing of it any more.
pub(crate) async fn forget(tx: &mut Tx<'_>, org: OrgId, endpoint: EndpointId, now: Time) -> Result<()> {
    close(tx, org, endpoint, now).await.map(drop)
}

/// The failures of an endpoint are over: gives what they were. Where its circuit was open, all that waited is due at
/// once, the oldest first.
async fn close(tx: &mut Tx<'_>, org: OrgId, endpoint: EndpointId, now: Time) -> Result<Option<Failing>> {
    tx.known.subscribers.remove(&org);
    let sql = format!(
        "SELECT {FAILING} FROM endpoints WHERE id = ?1 AND org_id = ?2 AND failing_since IS NOT NULL"
    );
    let Some(failed) = tx.first(&sql, params![endpoint, org], read_failing).await? else { return Ok(None) };
    let sql = "UPDATE endpoints SET failures = 0, failing_since = NULL, first_failed = NULL, others_failed = FALSE, \
                   last_error = NULL, opened_at = NULL, probe_at = NULL, probes = 0, disable_at = NULL, \
                   is_failing_told = FALSE \
               WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![endpoint, org]).await?;
    if failed.opened_at.is_some() {
        // Those that failed before it opened, or as it did: a retry that comes before its time uses up no step of its
        // schedule. The soonest, where there are more than one write should change; the others keep their time.
        let sql = format!(
            "UPDATE deliveries SET due_at = CASE WHEN created_at < ?2 THEN created_at ELSE ?2 END, \
                 off_schedule = off_schedule + 1 \
             WHERE id IN (SELECT id FROM deliveries WHERE endpoint_id = ?1 AND due_at > ?2 \
                          ORDER BY due_at LIMIT {BROUGHT_FORWARD})"
        );
        tx.execute(&sql, params![endpoint, now]).await?;
        tx.left.others = true;
    }
    Ok(Some(failed))
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

/// Of the deliveries that a person asked to have sent now, for all that their endpoint's circuit is open.
const ASKED_FOR: &str = "FROM deliveries WHERE endpoint_id = ?1 AND manual_attempt > 0 AND due_at IS NOT NULL \
     AND manual_attempt = attempts + 1 LIMIT ?2";

/// Those deliveries, so many at most, but any that another process is at.
pub(crate) async fn asked_for(tx: &mut Tx<'_>, endpoint: EndpointId, most: usize) -> Result<Vec<DeliveryId>> {
    let sql = format!("SELECT id {ASKED_FOR} {}", tx.dialect().skip_locked());
    tx.query(&sql, params![endpoint, i64::try_from(most).unwrap_or(i64::MAX)], |row| row.get()).await
}

/// A probe was given back untried: the turn is the next one's.
pub(crate) async fn return_probe(tx: &mut Tx<'_>, org: OrgId, endpoint: EndpointId, now: Time) -> Result<()> {
    let sql = "UPDATE endpoints SET probe_at = ?3 WHERE id = ?1 AND org_id = ?2 AND opened_at IS NOT NULL";
    tx.execute(sql, params![endpoint, org, now]).await.map(drop)
}
