//! What of a person no index leads to: looked for from the oldest to the newest, a window at a time.

use model::{DeliveryId, EventId, SourceId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::{
    DeliveryState, Result,
    erase::{Job, Phase, json_of, marks},
    tx::Tx,
    value::{Value, params},
};

/// How many records a step looks at.
const WINDOW: i64 = 500;

/// How many pages of the full-text index a step merges.
const MERGED_PAGES: i64 = 1000;

/// How far a walk has come.
#[derive(Default, Serialize, Deserialize)]
struct Place {
    /// The source whose messages are looked at.
    #[serde(default)]
    source: Option<SourceId>,
    /// The time, or stamp, of the last record that was.
    at: i64,
}

/// Empties the messages that name the person, or a call of theirs, and led to no call: ignored ones, failed ones and
/// rejected ones; and those that speak of several calls.
pub(super) async fn erase_messages(tx: &mut Tx<'_>, job: &mut Job) -> Result<()> {
    let mut place: Place = job.place()?;
    let source = match place.source {
        Some(source) => source,
        None => match next_source(tx, job, None).await? {
            Some(first) => first,
            None => {
                job.go_to(Phase::Events);
                return Ok(());
            }
        },
    };
    place.source = Some(source);
    let sql = "SELECT max(received_at) FROM (SELECT received_at FROM inbox WHERE source_id = ?1 AND received_at > ?2 \
               ORDER BY received_at LIMIT ?3) AS part";
    let end =
        tx.first(sql, params![source, place.at, WINDOW], |row| row.get::<Option<i64>>()).await?.flatten();
    let Some(end) = end else {
        place = Place { source: next_source(tx, job, Some(source)).await?, at: 0 };
        if place.source.is_none() {
            job.go_to(Phase::Events);
        } else {
            job.note_place(&place);
        }
        return Ok(());
    };
    let nothing: &[u8] = &[];
    let (marks, contains) = (marks(job), tx.dialect().body_contains());
    let mut values = params![job.org, job.erasure.id, nothing, source, place.at, end].to_vec();
    let mut named = String::new();
    for mark in &marks {
        values.push(Value::Bytes(mark.as_bytes()));
        named.push_str(&format!(" OR {}", contains(values.len())));
    }
    let sql = format!(
        "UPDATE inbox SET headers = '[]', body = ?3, fingerprint = ?3, reason = NULL, erasure_id = ?2 \
         WHERE source_id = ?4 AND org_id = ?1 AND received_at > ?5 AND received_at <= ?6 AND erasure_id IS NULL \
         AND (EXISTS (SELECT 1 FROM calls c WHERE c.source_id = inbox.source_id \
                      AND c.external_id = inbox.external_id AND c.erasure_id = ?2) \
              OR EXISTS (SELECT 1 FROM answers a WHERE a.message_id = inbox.id AND (FALSE{named})){named})"
    );
    job.erasure.erased.source_messages += tx.execute(&sql, &values).await?;
    let sql = "DELETE FROM answers WHERE org_id = ?1 AND message_id IN (SELECT id FROM inbox WHERE source_id = ?2 \
                   AND received_at > ?3 AND received_at <= ?4 AND org_id = ?1 AND erasure_id = ?5)";
    let values = params![job.org, source, place.at, end, job.erasure.id];
    job.erasure.erased.platform_answers += tx.execute(sql, values).await?;
    place.at = end;
    job.note_place(&place);
    Ok(())
}

/// Also of those that were deleted: their messages are kept.
async fn next_source(tx: &mut Tx<'_>, job: &Job, after: Option<SourceId>) -> Result<Option<SourceId>> {
    let after = after.unwrap_or(SourceId::new(uuid::Uuid::nil()));
    let sql = "SELECT id FROM sources WHERE org_id = ?1 AND id > ?2 ORDER BY id LIMIT 1";
    tx.first(sql, params![job.org, after], |row| row.get()).await
}

/// Blanks the events that tell of the person.
pub(super) async fn erase_events(tx: &mut Tx<'_>, job: &mut Job) -> Result<()> {
    let place: Place = job.place()?;
    let sql = "SELECT max(created_at) FROM (SELECT created_at FROM events WHERE org_id = ?1 AND created_at > ?2 \
               ORDER BY created_at LIMIT ?3) AS part";
    let end =
        tx.first(sql, params![job.org, place.at, WINDOW], |row| row.get::<Option<i64>>()).await?.flatten();
    let Some(end) = end else {
        blank_answers(tx, job).await?;
        job.go_to(Phase::Deliveries);
        return Ok(());
    };
    let patterns = patterns(job);
    let mut values = params![job.org, job.erasure.id, place.at, end].to_vec();
    let named = named("e.data", &patterns, &mut values);
    let sql = format!(
        "SELECT e.id, e.data FROM events e LEFT JOIN calls c ON c.id = e.call_id AND c.erasure_id = ?2 \
         WHERE e.org_id = ?1 AND e.created_at > ?3 AND e.created_at <= ?4 AND e.erasure_id IS NULL \
         AND (c.id IS NOT NULL OR EXISTS (SELECT 1 FROM inbox i WHERE i.id = e.message_id AND i.erasure_id = ?2) \
              {named})"
    );
    let found = tx.query(&sql, &values, |row| Ok((row.get::<EventId>()?, row.get::<String>()?))).await?;
    for (id, data) in found {
        let sql = "UPDATE events SET data = ?3, erasure_id = ?4 WHERE id = ?1 AND org_id = ?2";
        let blanked = blanked(&data)?;
        job.erasure.erased.events += tx.execute(sql, params![id, job.org, &blanked, job.erasure.id]).await?;
    }
    job.note_place(&Place { source: None, at: end });
    Ok(())
}

/// Fields of a record, or of an event, that tell nothing of a person: what record it speaks of, when it was and how it stands.
const KEPT: [&str; 21] = [
    "source_id",
    "message_id",
    "call_id",
    "contact_id",
    "lead_id",
    "appointment_id",
    "assistant_id",
    "id",
    "status",
    "source",
    "direction",
    "urgency",
    "duration_seconds",
    "started_at",
    "ended_at",
    "transferred_at",
    "starts_at",
    "ends_at",
    "time_zone",
    "created_at",
    "updated_at",
];

/// A record's or an event's data without what is personal: every other field is null.
fn blanked(data: &str) -> Result<String> {
    let data: Map<String, Json> = serde_json::from_str(data).unwrap_or_default();
    let fields = data.into_iter().map(|(name, value)| {
        // The names of fields tell nothing of a person.
        let is_kept =
            name == "changed" || KEPT.contains(&name.as_str()) && !value.is_object() && !value.is_array();
        (name, if is_kept { value } else { Json::Null })
    });
    json_of(&fields.collect::<Map<_, _>>())
}

/// Blanks the answers that are kept for a day, to be given again: they hold whole records. Their keys stay, so that a
/// request that is sent again writes nothing.
async fn blank_answers(tx: &mut Tx<'_>, job: &mut Job) -> Result<()> {
    let patterns = patterns(job);
    let mut values = params![job.org].to_vec();
    let named = named("data", &patterns, &mut values);
    let sql = format!("SELECT key, data FROM idempotency_keys WHERE org_id = ?1 AND (FALSE{named})");
    let found = tx.query(&sql, &values, |row| Ok((row.get::<String>()?, row.get::<String>()?))).await?;
    for (key, data) in found {
        let blanked = blanked(&data)?;
        // Also what was blanked before is found, by the ids that it keeps.
        if blanked != data {
            let sql = "UPDATE idempotency_keys SET data = ?3 WHERE org_id = ?1 AND key = ?2";
            job.erasure.erased.kept_answers += tx.execute(sql, params![job.org, &key, &blanked]).await?;
        }
    }
    Ok(())
}

fn patterns(job: &Job) -> Vec<String> {
    let escaped = |mark: &String| {
        let mark = mark.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        format!("%{mark}%")
    };
    marks(job).iter().map(escaped).collect()
}

/// ` OR` a column has one of the patterns, for each.
fn named<'v>(column: &str, patterns: &'v [String], values: &mut Vec<Value<'v>>) -> String {
    let each = patterns.iter().map(|pattern| {
        values.push(pattern.into());
        format!(" OR lower({column}) LIKE ?{} ESCAPE '\\'", values.len())
    });
    each.collect()
}

/// Cancels the deliveries of erased events that still wait, and empties the tries of all of them. One that is under
/// way holds what it sends in memory: the erasure waits for its end.
pub(super) async fn erase_deliveries(tx: &mut Tx<'_>, job: &mut Job) -> Result<()> {
    let place: Place = job.place()?;
    let sql = "SELECT max(created_at) FROM (SELECT created_at FROM deliveries WHERE org_id = ?1 AND created_at > ?2 \
               ORDER BY created_at LIMIT ?3) AS part";
    let end =
        tx.first(sql, params![job.org, place.at, WINDOW], |row| row.get::<Option<i64>>()).await?.flatten();
    let Some(end) = end else {
        job.go_to(Phase::Words);
        return Ok(());
    };
    let sql = "SELECT d.id, d.state FROM deliveries d JOIN events e ON e.id = d.event_id \
               WHERE d.org_id = ?1 AND d.created_at > ?2 AND d.created_at <= ?3 AND e.erasure_id = ?4";
    let values = params![job.org, place.at, end, job.erasure.id];
    let found = tx
        .query(sql, values, |row| {
            Ok((row.get::<DeliveryId>()?, row.word("delivery state", DeliveryState::parse)?))
        })
        .await?;
    for (id, state) in found {
        match state {
            DeliveryState::InFlight => job.waits = true,
            DeliveryState::Pending | DeliveryState::Retrying | DeliveryState::Held => {
                let cancelled = cancel(tx, job, id).await?;
                // A worker was quicker.
                job.waits |= cancelled == 0;
                job.erasure.erased.deliveries_cancelled += cancelled;
            }
            _ => {}
        }
        job.erasure.erased.attempts += forget_attempts(tx, id).await?;
    }
    if !job.waits {
        job.note_place(&Place { source: None, at: end });
    }
    Ok(())
}

async fn cancel(tx: &mut Tx<'_>, job: &Job, id: DeliveryId) -> Result<u64> {
    // Another may have waited for this one.
    tx.left.others = true;
    let sql = "UPDATE deliveries SET state = 'cancelled', due_at = NULL, updated_at = ?3, \
                   last_error = 'called off: the person it tells of was erased' \
               WHERE id = ?1 AND org_id = ?2 AND state IN ('pending', 'retrying', 'held')";
    tx.execute(sql, params![id, job.org, job.now]).await
}

/// What was sent and answered; that it was, when, and with which status stays.
async fn forget_attempts(tx: &mut Tx<'_>, delivery: DeliveryId) -> Result<u64> {
    let sql = "UPDATE attempts SET request_headers = '[]', response_headers = NULL, response_body = NULL \
               WHERE delivery_id = ?1 AND (request_headers <> '[]' OR response_headers IS NOT NULL \
                                           OR response_body IS NOT NULL)";
    tx.execute(sql, params![delivery]).await
}

/// Words that were replaced stay in the embedded full-text index until its parts are merged. A part at a time: it may
/// be large.
pub(super) async fn merge_words(tx: &mut Tx<'_>, job: &mut Job) -> Result<()> {
    // Below zero it begins to merge whatever there is, above it goes on with that (FTS5, "The 'merge' Command").
    let pages = if job.place.is_none() { -MERGED_PAGES } else { MERGED_PAGES };
    if tx.merge_words(pages).await? {
        job.note_place(&Place::default());
    } else {
        job.go_to(Phase::Contact);
    }
    Ok(())
}
