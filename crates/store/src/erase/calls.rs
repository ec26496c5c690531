//! The calls of a person who is erased, with everything that hangs on each by its id, and the contact itself.

use model::{CallId, OrgId, Stamp};

use crate::{
    Result,
    erase::{Erased, Job, Phase},
    search,
    tx::Tx,
    value::params,
};

/// How many calls a step erases.
const SOME: i64 = 50;

/// How many calls a step looks at for an e-mail address.
const WINDOW: i64 = 500;

/// The person's calls that are not erased yet. Those of other contacts with their number too: such as the platform
/// told of a number late.
const THEIRS: &str =
    "org_id = ?1 AND erasure_id IS NULL AND (contact_id = ?2 OR (org_id = ?1 AND caller_phone = ?3))";

/// Erases some calls; where there are none, the leads and appointments that hang on the contact or the number alone.
pub(super) async fn erase_some(tx: &mut Tx<'_>, job: &mut Job, stamp: Stamp) -> Result<()> {
    let (org, contact) = (job.org, job.erasure.contact_id);
    let sql = format!("SELECT seq, id FROM calls WHERE {THEIRS} LIMIT ?4");
    let params = params![org, contact, &job.subject.phone, SOME];
    let some = tx.query(&sql, params, |row| Ok((row.get::<i64>()?, row.get::<CallId>()?))).await?;
    for (seq, call) in &some {
        erase_call(tx, job, (*seq, *call), stamp).await?;
    }
    if some.is_empty() {
        let erased = &mut job.erasure.erased;
        let conditions = "(contact_id = ?3 OR (org_id = ?1 AND phone = ?4))";
        let values = params![org, stamp, contact, &job.subject.phone];
        erased.leads += erase_leads(tx, conditions, values).await?;
        let conditions = "(contact_id = ?3 OR (org_id = ?1 AND attendee_phone = ?4))";
        erased.appointments += erase_appointments(tx, conditions, values).await?;
        job.go_to(Phase::Addresses);
    }
    Ok(())
}

/// Erases the calls that only the person's e-mail address leads to, and then such leads and appointments. No index leads
/// there: they are looked for from the oldest to the newest, a window at a time. What has a number or a contact is left
/// alone: an address may be shared, and that is somebody else's.
pub(super) async fn erase_by_address(tx: &mut Tx<'_>, job: &mut Job, stamp: Stamp) -> Result<()> {
    let Some(email) = job.subject.email.as_deref().map(str::to_lowercase) else {
        job.go_to(Phase::Messages);
        return Ok(());
    };
    let (org, begin): (OrgId, i64) = (job.org, job.place()?);
    let sql = "SELECT max(created_at) FROM (SELECT created_at FROM calls WHERE org_id = ?1 AND created_at > ?2 \
               ORDER BY created_at LIMIT ?3) AS part";
    let end = tx.first(sql, params![org, begin, WINDOW], |row| row.get::<Option<i64>>()).await?.flatten();
    let Some(end) = end else {
        let erased = &mut job.erasure.erased;
        let values = params![org, stamp, &email];
        let condition = "contact_id IS NULL AND phone IS NULL AND lower(email) = ?3";
        erased.leads += erase_leads(tx, condition, values).await?;
        let condition = "contact_id IS NULL AND attendee_phone IS NULL AND lower(attendee_email) = ?3";
        erased.appointments += erase_appointments(tx, condition, values).await?;
        job.go_to(Phase::Messages);
        return Ok(());
    };
    let sql = "SELECT seq, id FROM calls WHERE org_id = ?1 AND created_at > ?2 AND created_at <= ?3 \
               AND erasure_id IS NULL AND contact_id IS NULL AND caller_phone IS NULL AND lower(caller_email) = ?4";
    let found = tx.query(sql, params![org, begin, end, &email], |row| Ok((row.get()?, row.get()?))).await?;
    for call in found {
        erase_call(tx, job, call, stamp).await?;
    }
    job.note_place(&end);
    Ok(())
}

async fn erase_call(tx: &mut Tx<'_>, job: &mut Job, (seq, call): (i64, CallId), stamp: Stamp) -> Result<()> {
    let sql = "UPDATE calls SET caller_phone = NULL, caller_address = NULL, caller_name = NULL, \
                   caller_email = NULL, summary = NULL, transcript = NULL, recording_url = NULL, \
                   transfer_destination = NULL, transfer_reason = NULL, intent = NULL, captured = NULL, \
                   carrier_id = NULL, tags = '[]', notes = NULL, completion_due_at = NULL, \
                   erasure_id = ?3, updated_at = ?4 \
               WHERE id = ?1 AND org_id = ?2";
    let erased = &mut job.erasure.erased;
    erased.calls += tx.execute(sql, params![call, job.org, job.erasure.id, stamp]).await?;
    erased.conversations += tx.execute("DELETE FROM messages WHERE seq = ?1", params![seq]).await?;
    let words = search::words_of(job.org, &[]);
    let sql = tx.dialect().put_words();
    tx.execute(sql, params![seq, &words]).await?;
    let values = params![job.org, stamp, call];
    erased.leads += erase_leads(tx, "call_id = ?3", values).await?;
    erased.appointments += erase_appointments(tx, "call_id = ?3", values).await?;
    let sql = "UPDATE inbox SET headers = '[]', body = ?4, fingerprint = ?4, reason = NULL, erasure_id = ?3 \
               WHERE call_id = ?1 AND org_id = ?2 AND erasure_id IS NULL";
    let nothing: &[u8] = &[];
    erased.source_messages += tx.execute(sql, params![call, job.org, job.erasure.id, nothing]).await?;
    erase_beside(tx, job.org, call, erased).await
}

/// Whatever else hangs on a call by its id. Here a table that comes to hold something of a call is added (recordings,
/// above all), with its count in [`Erased`].
async fn erase_beside(_tx: &mut Tx<'_>, _org: OrgId, _call: CallId, _erased: &mut Erased) -> Result<()> {
    Ok(())
}

/// `condition` speaks of `?3` and what follows it.
async fn erase_leads(tx: &mut Tx<'_>, condition: &str, values: &[crate::value::Value<'_>]) -> Result<u64> {
    let sql = format!(
        "UPDATE leads SET name = NULL, phone = NULL, email = NULL, intent = NULL, summary = NULL, notes = NULL, \
             updated_at = ?2 \
         WHERE org_id = ?1 AND {condition} AND NOT (name IS NULL AND phone IS NULL AND email IS NULL \
             AND intent IS NULL AND summary IS NULL AND notes IS NULL)"
    );
    tx.execute(&sql, values).await
}

/// `condition` speaks of `?3` and what follows it.
async fn erase_appointments(
    tx: &mut Tx<'_>,
    condition: &str,
    values: &[crate::value::Value<'_>],
) -> Result<u64> {
    let sql = format!(
        "UPDATE appointments SET title = NULL, attendee_name = NULL, attendee_phone = NULL, \
             attendee_email = NULL, location = NULL, notes = NULL, updated_at = ?2 \
         WHERE org_id = ?1 AND {condition} AND NOT (title IS NULL AND attendee_name IS NULL \
             AND attendee_phone IS NULL AND attendee_email IS NULL AND location IS NULL AND notes IS NULL)"
    );
    tx.execute(&sql, values).await
}

/// Erases the contact, when no call is left: one that came in meanwhile begins the round anew.
pub(super) async fn erase_contact(tx: &mut Tx<'_>, job: &mut Job, stamp: Stamp) -> Result<()> {
    let (org, contact) = (job.org, job.erasure.contact_id);
    let sql = format!("SELECT 1 FROM calls WHERE {THEIRS} LIMIT 1");
    let left = tx.first(&sql, params![org, contact, &job.subject.phone], |_| Ok(())).await?;
    if left.is_some() {
        job.go_to(Phase::Calls);
        return Ok(());
    }
    let sql = "UPDATE contacts SET name = NULL, phone = NULL, email = NULL, company = NULL, notes = NULL, \
                   tags = '[]', updated_at = ?3 \
               WHERE id = ?1 AND org_id = ?2";
    job.erasure.erased.contacts += tx.execute(sql, params![contact, org, stamp]).await?;
    job.go_to(Phase::Remnants);
    Ok(())
}
