//! What a call's tools changed of appointments that are there: looked up for the rules, and noted once it is done.

use model::{AppointmentId, CallId, CallState, InboxId, Time};

use crate::{
    Result,
    accept::{BookingChanges, Context, guarded},
    appointments,
    tx::Tx,
    value::params,
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
        let sql = "SELECT max(began_at) FROM appointment_changes \
                   WHERE appointment_id = ?1 AND org_id = ?2 AND call_id <> ?3";
        let params = params![target.id, context.org, call.id];
        let began = tx.first(sql, params, |row| row.get::<Option<Time>>()).await?.flatten();
        changes.changed.extend(began.map(|began| (target.id, began)));
    }
    Ok(changes)
}

/// Notes which uses of tools changed an appointment: they never do so again.
pub(crate) async fn note(
    tx: &mut Tx<'_>,
    context: &Context,
    (call, message): (&CallState, Option<InboxId>),
    changes: &[(String, AppointmentId)],
) -> Result<()> {
    for (tool, appointment) in changes {
        let sql = "INSERT INTO appointment_changes (call_id, tool_call_id, org_id, appointment_id, message_id, \
                       began_at, changed_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (call_id, tool_call_id) DO NOTHING";
        let (began, now) = (call.facts.started_at, context.now);
        tx.execute(sql, params![call.id, tool, context.org, *appointment, message, began, now]).await?;
    }
    Ok(())
}
