//! What erasing a person would erase, before anything is.

use model::{ContactId, OrgId, Phone};
use serde::Serialize;
use utoipa::ToSchema;

use super::calls::theirs;
use crate::{
    OrgStore, Result, blocked_numbers, contacts,
    tx::Tx,
    value::{Value, params},
};

/// How many records of each kind hang on a person by their contact or one of their numbers. What only their e-mail
/// address leads to, events and tries of webhooks are looked for when they are erased, and counted then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Erasable {
    /// Calls.
    #[schema(minimum = 0)]
    pub calls: i64,
    /// Recordings of those calls.
    #[schema(minimum = 0)]
    pub recordings: i64,
    /// Leads.
    #[schema(minimum = 0)]
    pub leads: i64,
    /// Appointments.
    #[schema(minimum = 0)]
    pub appointments: i64,
    /// Messages of those calls as they arrived from platforms.
    #[schema(minimum = 0)]
    pub source_messages: i64,
    /// Entries of the block list.
    #[schema(minimum = 0)]
    pub blocked_numbers: i64,
}

impl OrgStore {
    /// What erasing the person that a contact stands for would erase. `None` where the organization has no such contact.
    pub async fn count_erasable(&self, contact: ContactId) -> Result<Option<Erasable>> {
        let org = self.org;
        self.store.read(move |tx| Box::pin(async move { count(tx, org, contact).await })).await
    }
}

async fn count(tx: &mut Tx<'_>, org: OrgId, contact: ContactId) -> Result<Option<Erasable>> {
    let Some(person) = contacts::resolve(tx, org, contact).await? else { return Ok(None) };
    let phones: Vec<String> =
        person.phone.iter().chain(&person.other_phones).map(ToString::to_string).collect();
    let mut values = params![org, person.id].to_vec();
    let calls = theirs("caller_phone", &phones, &mut values);
    let calls = format!("org_id = ?1 AND erasure_id IS NULL AND {calls}");
    let of_calls = format!("call_id IN (SELECT id FROM calls WHERE {calls})");
    let mut erasable = Erasable {
        calls: one(tx, &format!("SELECT count(*) FROM calls WHERE {calls}"), &values).await?,
        recordings: beside(tx, "recordings", &format!("{of_calls} AND object_key IS NOT NULL"), &values)
            .await?,
        source_messages: beside(tx, "inbox", &of_calls, &values).await?,
        ..Erasable::default()
    };
    for (table, column) in [("leads", "phone"), ("appointments", "attendee_phone")] {
        // The same parameters, with the same numbers, so that one list of values is right for both conditions.
        let mut again = params![org, person.id].to_vec();
        let own = theirs(column, &phones, &mut again);
        let found = beside(tx, table, &format!("({own} OR {of_calls})"), &values).await?;
        if table == "leads" { erasable.leads = found } else { erasable.appointments = found }
    }
    let phones: Vec<Phone> = person.phone.into_iter().chain(person.other_phones).collect();
    erasable.blocked_numbers = blocked_numbers::among(tx, org, &phones).await?.len() as i64;
    Ok(Some(erasable))
}

async fn beside(tx: &mut Tx<'_>, table: &str, condition: &str, values: &[Value<'_>]) -> Result<i64> {
    let sql = format!("SELECT count(*) FROM {table} WHERE org_id = ?1 AND {condition}");
    one(tx, &sql, values).await
}

async fn one(tx: &mut Tx<'_>, sql: &str, values: &[Value<'_>]) -> Result<i64> {
    Ok(tx.first(sql, values, |row| row.get()).await?.unwrap_or(0))
}
