//! What a call's tools changed of appointments that are there: looked up for the rules, and noted once it is done. And
//! what they changed of bookings that are not here yet: found again when one comes.

use model::{Appointment, CallId, CallState, InboxId, Platform, Time};

use crate::{
    Result,
    accept::{
        BookingChanges, ChangedBefore, ChangedNow, Context, Decision, Origin, Telling, ToolChange, guarded,
    },
    appointments,
    calls::{self, Stored},
    tx::Tx,
    value::{Cells, params},
};

/// More ids than this in one conversation are no bookings'.
const MOST: usize = 20;

/// What the tools of a call may change, and changed before. `known` is the call, where it is not new. Nothing is looked
/// up for a call whose tools meant to change nothing.
pub(crate) async fn look_up(
    tx: &mut Tx<'_>,
    context: &Context,
    known: Option<CallId>,
    call: &CallState,
) -> Result<BookingChanges> {
    let mut changes = BookingChanges::default();
    let ids = guarded(|| (context.rules.changed_bookings)(call))?;
    if ids.is_empty() {
        return Ok(changes);
    }
    for id in ids.iter().take(MOST) {
        changes.targets.extend(appointments::by_external_id(tx, context.org, id).await?);
    }
    if let Some(call) = known {
        let sql = "SELECT tool_call_id FROM appointment_changes WHERE call_id = ?1 AND org_id = ?2";
        changes.made = tx.query(sql, params![call, context.org], |row| row.get()).await?;
    }
    for target in &changes.targets {
        let sql = "SELECT appointment_id, kind, call_id, began_at FROM appointment_changes \
                   WHERE appointment_id = ?1 AND org_id = ?2";
        changes.changed.extend(tx.query(sql, params![target.id, context.org], read_change).await?);
        let Some(call) = target.call_id else { continue };
        let sql = "SELECT started_at FROM calls WHERE id = ?1 AND org_id = ?2";
        let began = tx.first(sql, params![call, context.org], |row| row.get::<Option<Time>>()).await?;
        changes.booked.extend(began.flatten().map(|began| (target.id, began)));
    }
    Ok(changes)
}

fn read_change(row: &mut Cells<'_>) -> Result<ChangedBefore> {
    Ok(ChangedBefore {
        appointment: row.get()?,
        change: row.word("change of an appointment", ToolChange::parse)?,
        call: row.get()?,
        began_at: row.get()?,
    })
}

/// Notes which uses of tools changed an appointment: they never do so again. And which bookings the call waits for.
pub(crate) async fn note(
    tx: &mut Tx<'_>,
    context: &Context,
    message: Option<InboxId>,
    decision: &Decision,
) -> Result<()> {
    let (call, now) = (&decision.call, context.now);
    for ChangedNow { tool_call, appointment, change } in &decision.changes {
        let sql = "INSERT INTO appointment_changes (call_id, tool_call_id, org_id, appointment_id, kind, message_id, \
                       began_at, changed_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (call_id, tool_call_id) DO NOTHING";
        let (began, change) = (call.facts.started_at, change.as_str());
        let params = params![call.id, tool_call, context.org, *appointment, change, message, began, now];
        tx.execute(sql, params).await?;
    }
    if !decision.changes.is_empty() {
        let sql = "DELETE FROM awaited_bookings WHERE call_id = ?1 AND org_id = ?2";
        tx.execute(sql, params![call.id, context.org]).await?;
    }
    let is_history = context.rules.telling == Telling::Quiet;
    for id in decision.awaited.iter().take(MOST) {
        let sql = "INSERT INTO awaited_bookings (org_id, external_id, call_id, message_id, is_history) \
                   VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT (org_id, external_id, call_id) DO UPDATE SET is_history = excluded.is_history";
        tx.execute(sql, params![context.org, id, call.id, message, is_history]).await?;
    }
    Ok(())
}

/// A call whose tools changed a booking that was not here.
pub(crate) struct Waiting {
    pub(crate) stored: Stored,
    /// Where it comes from, with the message that told of the change.
    pub(crate) origin: Origin,
    pub(crate) telling: Telling,
}

/// The calls that wait for some appointments, the one that began first at the beginning.
pub(crate) async fn waiting_for(
    tx: &mut Tx<'_>,
    context: &Context,
    come: &[Appointment],
) -> Result<Vec<Waiting>> {
    let mut waiting = Vec::new();
    for id in come.iter().filter_map(|one| one.external_id.as_ref()) {
        let sql = "SELECT c.id, c.source_id, c.source, a.message_id, a.is_history \
                   FROM awaited_bookings a JOIN calls c ON c.id = a.call_id AND c.org_id = a.org_id \
                   WHERE a.org_id = ?1 AND a.external_id = ?2 \
                   ORDER BY coalesce(c.started_at, 0), c.created_at LIMIT 100";
        for (call, origin, telling) in tx.query(sql, params![context.org, id], read_waiting).await? {
            let stored = calls::by_id(tx, context.org, call).await?.filter(|stored| !stored.is_erased);
            waiting.extend(stored.map(|stored| Waiting { stored, origin, telling }));
        }
    }
    Ok(waiting)
}

fn read_waiting(row: &mut Cells<'_>) -> Result<(CallId, Origin, Telling)> {
    let call = row.get()?;
    let source = row.get()?;
    let platform = row.word("platform", Platform::parse)?;
    let origin = Origin { source, platform, message: row.get()? };
    Ok((call, origin, if row.get()? { Telling::Quiet } else { Telling::Owed }))
}
