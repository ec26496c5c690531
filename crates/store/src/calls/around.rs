//! What stands around a call: what came of it, and where it came from.

use std::collections::HashMap;

use model::{Appointment, AppointmentStatus, CallId, Lead, LeadStatus, OrgId, SourceId, Time};
use serde_json::Value;

use crate::{
    OrgStore, Result, appointments, leads,
    tx::Tx,
    value::{self, params},
};

/// What stands around a call.
#[derive(Clone, Debug)]
pub struct Around {
    /// The source that it came from.
    pub source: SourceId,
    /// What the conversation told, by the names that the assistant has for it.
    pub captured: Option<Value>,
    /// The lead that was made of it.
    pub lead: Option<Lead>,
    /// The appointments that were booked in it, the first one first.
    pub appointments: Vec<Appointment>,
}

/// What came of a call, as a line in a list has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Came {
    /// How its lead stands.
    pub lead: Option<LeadStatus>,
    /// How its last appointment stands, and when that begins.
    pub appointment: Option<(AppointmentStatus, Option<Time>)>,
}

impl OrgStore {
    /// What stands around a call, if the organization has it.
    pub async fn around_call(&self, id: CallId) -> Result<Option<Around>> {
        let org = self.org;
        self.store.read(move |tx| Box::pin(async move { around(tx, org, id).await })).await
    }

    /// What came of these calls; those of which nothing did are not in it.
    pub async fn came_of_calls(&self, calls: Vec<CallId>) -> Result<HashMap<CallId, Came>> {
        let org = self.org;
        self.store.read(move |tx| Box::pin(async move { came(tx, org, &calls).await })).await
    }
}

async fn around(tx: &mut Tx<'_>, org: OrgId, id: CallId) -> Result<Option<Around>> {
    let sql = "SELECT source_id, captured FROM calls WHERE id = ?1 AND org_id = ?2";
    let found = tx
        .first(sql, params![id, org], |row| Ok((row.get::<SourceId>()?, row.json_or_null("captured")?)))
        .await?;
    let Some((source, captured)) = found else { return Ok(None) };
    let sql = format!("SELECT {} FROM leads WHERE call_id = ?1 AND org_id = ?2", leads::COLUMNS);
    let lead = tx.first(&sql, params![id, org], leads::read).await?;
    let sql = format!(
        "SELECT {} FROM appointments WHERE call_id = ?1 AND org_id = ?2 ORDER BY created_at",
        appointments::COLUMNS
    );
    let appointments = tx.query(&sql, params![id, org], appointments::read).await?;
    Ok(Some(Around { source, captured, lead, appointments }))
}

async fn came(tx: &mut Tx<'_>, org: OrgId, calls: &[CallId]) -> Result<HashMap<CallId, Came>> {
    let mut all: HashMap<CallId, Came> = HashMap::new();
    if calls.is_empty() {
        return Ok(all);
    }
    let marks: Vec<_> = (2..calls.len() + 2).map(|n| format!("?{n}")).collect();
    let marks = marks.join(", ");
    let mut params: Vec<value::Value<'_>> = vec![org.into()];
    params.extend(calls.iter().map(|call| value::Value::from(*call)));
    let sql = format!("SELECT call_id, status FROM leads WHERE org_id = ?1 AND call_id IN ({marks})");
    let leads = tx
        .query(&sql, &params, |row| Ok((row.get::<CallId>()?, row.word("lead status", LeadStatus::parse)?)))
        .await?;
    for (call, status) in leads {
        all.entry(call).or_default().lead = Some(status);
    }
    let sql = format!(
        "SELECT call_id, status, starts_at FROM appointments WHERE org_id = ?1 AND call_id IN ({marks}) \
         ORDER BY created_at"
    );
    let appointments = tx
        .query(&sql, &params, |row| {
            let call = row.get::<CallId>()?;
            Ok((call, (row.word("appointment status", AppointmentStatus::parse)?, row.get()?)))
        })
        .await?;
    for (call, appointment) in appointments {
        all.entry(call).or_default().appointment = Some(appointment);
    }
    Ok(all)
}
