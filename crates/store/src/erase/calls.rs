//! The calls of a person who is erased, with everything that hangs on each by its id, and the contact itself.

use model::{CallId, OrgId, Stamp};

use crate::{
    Result, blocked_numbers,
    erase::{Job, Phase},
    recording_objects, search,
    tx::Tx,
    value::{Value, params},
};

/// How many calls a step erases.
const SOME: i64 = 50;

/// How many calls a step looks at for an e-mail address.
const WINDOW: i64 = 500;

/// Where a record hangs on the contact (`?2`) or has one of the person's numbers. Those of other contacts too: such as
/// the platform told of a number late.
pub(super) fn theirs<'v>(column: &str, phones: &'v [String], values: &mut Vec<Value<'v>>) -> String {
    let places = phones.iter().map(|phone| {
        values.push(phone.into());
        format!(" OR (org_id = ?1 AND {column} = ?{})", values.len())
    });
    format!("(contact_id = ?2{})", places.collect::<String>())
}

/// The person's calls that are not erased yet, at most so many.
async fn their_calls(tx: &mut Tx<'_>, job: &Job, limit: i64) -> Result<Vec<(i64, CallId)>> {
    let mut values = params![job.org, job.erasure.contact_id, limit].to_vec();
    let theirs = theirs("caller_phone", &job.subject.phones, &mut values);
    let sql =
        format!("SELECT seq, id FROM calls WHERE org_id = ?1 AND erasure_id IS NULL AND {theirs} LIMIT ?3");
    tx.query(&sql, &values, |row| Ok((row.get()?, row.get()?))).await
}

/// Erases some calls; where there are none, the leads and appointments that hang on the contact or the number alone.
pub(super) async fn erase_some(tx: &mut Tx<'_>, job: &mut Job, stamp: Stamp) -> Result<()> {
    let some = their_calls(tx, job, SOME).await?;
    for call in &some {
        erase_call(tx, job, *call, stamp).await?;
    }
    if some.is_empty() {
        let mut values = params![job.org, job.erasure.contact_id, stamp].to_vec();
        let condition = theirs("phone", &job.subject.phones, &mut values);
        let leads = erase_leads(tx, &condition, &values).await?;
        values.truncate(3);
        let condition = theirs("attendee_phone", &job.subject.phones, &mut values);
        let appointments = erase_appointments(tx, &condition, &values).await?;
        job.erasure.erased.leads += leads;
        job.erasure.erased.appointments += appointments;
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
        let values = params![org, &email, stamp];
        let condition = "contact_id IS NULL AND phone IS NULL AND lower(email) = ?2";
        erased.leads += erase_leads(tx, condition, values).await?;
        let condition = "contact_id IS NULL AND attendee_phone IS NULL AND lower(attendee_email) = ?2";
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
                   carrier_id = NULL, tags = '[]', notes = NULL, deleted_bookings = NULL, completion_due_at = NULL, \
                   erasure_id = ?3, updated_at = ?4 \
               WHERE id = ?1 AND org_id = ?2";
    let erased = &mut job.erasure.erased;
    erased.calls += tx.execute(sql, params![call, job.org, job.erasure.id, stamp]).await?;
    erased.conversations += tx.execute("DELETE FROM messages WHERE seq = ?1", params![seq]).await?;
    let words = search::words_of(job.org, &[]);
    let sql = tx.dialect().put_words();
    tx.execute(sql, params![seq, &words]).await?;
    let values = params![job.org, call, stamp];
    erased.leads += erase_leads(tx, "call_id = ?2", values).await?;
    erased.appointments += erase_appointments(tx, "call_id = ?2", values).await?;
    let sql = "UPDATE inbox SET headers = '[]', body = ?4, fingerprint = ?4, reason = NULL, erasure_id = ?3 \
               WHERE call_id = ?1 AND org_id = ?2 AND erasure_id IS NULL";
    let nothing: &[u8] = &[];
    erased.source_messages += tx.execute(sql, params![call, job.org, job.erasure.id, nothing]).await?;
    erase_beside(tx, job, call, stamp).await
}

/// Whatever else hangs on a call by its id. Here a table that comes to hold something of a call is added, with its count
/// in [`Erased`](crate::Erased).
async fn erase_beside(tx: &mut Tx<'_>, job: &mut Job, call: CallId, stamp: Stamp) -> Result<()> {
    let sql = "DELETE FROM answers WHERE org_id = ?2 \
               AND message_id IN (SELECT id FROM inbox WHERE call_id = ?1 AND org_id = ?2)";
    job.erasure.erased.platform_answers += tx.execute(sql, params![call, job.org]).await?;
    for table in ["appointment_changes", "awaited_bookings"] {
        let sql = format!("DELETE FROM {table} WHERE call_id = ?1 AND org_id = ?2");
        tx.execute(&sql, params![call, job.org]).await?;
    }
    let recordings = recording_objects::delete_of_call(tx, (job.org, call), job.now, stamp).await?;
    job.erasure.erased.recordings += recordings as u64;
    Ok(())
}

/// `condition` speaks of `?2` and what follows `?3`, which is the stamp.
async fn erase_leads(tx: &mut Tx<'_>, condition: &str, values: &[Value<'_>]) -> Result<u64> {
    let sql = format!(
        "UPDATE leads SET name = NULL, phone = NULL, email = NULL, intent = NULL, summary = NULL, notes = NULL, \
             updated_at = ?3 \
         WHERE org_id = ?1 AND {condition} AND NOT (name IS NULL AND phone IS NULL AND email IS NULL \
             AND intent IS NULL AND summary IS NULL AND notes IS NULL)"
    );
    tx.execute(&sql, values).await
}

/// `condition` is as that of [`erase_leads`].
async fn erase_appointments(tx: &mut Tx<'_>, condition: &str, values: &[Value<'_>]) -> Result<u64> {
    let sql = format!(
        "UPDATE appointments SET title = NULL, attendee_name = NULL, attendee_phone = NULL, \
             attendee_email = NULL, location = NULL, notes = NULL, updated_at = ?3 \
         WHERE org_id = ?1 AND {condition} AND NOT (title IS NULL AND attendee_name IS NULL \
             AND attendee_phone IS NULL AND attendee_email IS NULL AND location IS NULL AND notes IS NULL)"
    );
    tx.execute(&sql, values).await
}

/// Erases the contact, when no call is left: one that came in meanwhile begins the round anew.
pub(super) async fn erase_contact(tx: &mut Tx<'_>, job: &mut Job, stamp: Stamp) -> Result<()> {
    let (org, contact) = (job.org, job.erasure.contact_id);
    if !their_calls(tx, job, 1).await?.is_empty() {
        job.go_to(Phase::Calls);
        return Ok(());
    }
    for phone in &job.subject.phones {
        job.erasure.erased.blocked_numbers += blocked_numbers::forget(tx, org, phone).await?;
    }
    let sql = "DELETE FROM contact_phones WHERE contact_id = ?1 AND org_id = ?2";
    tx.execute(sql, params![contact, org]).await?;
    let sql = "UPDATE contacts SET name = NULL, phone = NULL, other_phones = '[]', email = NULL, company = NULL, \
                   notes = NULL, tags = '[]', updated_at = ?3 \
               WHERE id = ?1 AND org_id = ?2";
    job.erasure.erased.contacts += tx.execute(sql, params![contact, org, stamp]).await?;
    job.go_to(Phase::Remnants);
    Ok(())
}
