//! What messages say of recordings, noted with their calls: where they are, to be fetched, or that one has arrived.

use std::{sync::atomic::Ordering, time::Duration};

use model::{
    CallId, CallRecording, CallState, Change, Field, OrgId, Rank, RecordedAt, RecordingState, SourceId,
    Stamp, Time, Variant,
};

use crate::{
    Recordings, Result, Source, Store, StoredObject,
    accept::{Context, Origin},
    recording_objects, recordings,
    settle::Caller,
    source_keys,
    stamps::Stamps,
    tx::Tx,
    value::params,
};

/// What is to be noted of a call's recordings because of a message.
pub(crate) struct Noted<'a> {
    /// Where there are some to be fetched.
    recorded: Vec<RecordedAt>,
    /// Those that the platform's API alone gives out, where the source has no key of that: with one they are fetched.
    out_of_reach: Vec<RecordedAt>,
    /// The one that came within the message.
    arrived: Option<&'a StoredObject>,
}

impl<'a> Noted<'a> {
    /// Of a message that was merged into a call, whose state then tells what we will have. `before` is the rank of the
    /// word on the recording that counted until then.
    pub(crate) async fn of(
        tx: &mut Tx<'_>,
        context: &Context,
        origin: Origin,
        (state, before): (&mut CallState, Option<Rank>),
        (change, arrived): (&Change, Option<&'a StoredObject>),
    ) -> Result<Self> {
        let (mut recorded, mut out_of_reach) = match context.rules.recordings {
            Recordings::Fetch if state.ranks.get(Field::RecordingUrl) != before => {
                (recorded(change), Vec::new())
            }
            Recordings::Fetch if state.recording.is_none() && arrived.is_none() => {
                (in_api(change), Vec::new())
            }
            Recordings::Fetch | Recordings::Leave => (Vec::new(), Vec::new()),
        };
        if recorded.iter().any(RecordedAt::is_in_api)
            && !source_keys::is_there(tx, context.org, origin.source).await?
        {
            std::mem::swap(&mut recorded, &mut out_of_reach);
        }
        // What was deleted was deleted on purpose: it stays so, whatever the platform sends again.
        let arrived = arrived.filter(|_| state.recording != Some(CallRecording::Deleted));
        if arrived.is_some() {
            state.recording = Some(CallRecording::Stored);
        } else if !recorded.is_empty() && state.recording.is_none_or(|known| known == CallRecording::Failed) {
            state.recording = Some(CallRecording::Pending);
        } else if !out_of_reach.is_empty() {
            state.recording = Some(CallRecording::Failed);
        }
        Ok(Self { recorded, out_of_reach, arrived })
    }

    /// Whether the call is another now, even if the message said nothing else.
    pub(crate) fn changes_call(&self) -> bool {
        self.arrived.is_some() || !self.recorded.is_empty() || !self.out_of_reach.is_empty()
    }

    /// Writes it, once the call is written.
    pub(crate) async fn write(
        self,
        tx: &mut Tx<'_>,
        context: &Context,
        origin: Origin,
        (call, caller): (CallId, Caller),
        stamps: &mut Stamps,
    ) -> Result<()> {
        if !self.changes_call() {
            return Ok(());
        }
        match caller {
            Caller::Open => {
                note(tx, context, origin, call, &self.recorded).await?;
                note_only(tx, context, origin, call, (&self.out_of_reach, NO_KEY)).await?;
            }
            Caller::Blocked => {
                let known: Vec<_> = self.recorded.iter().chain(&self.out_of_reach).cloned().collect();
                note_only(tx, context, origin, call, (&known, TURNED_AWAY)).await?;
                // The call was written as if they were to be fetched.
                let key = (context.org, call);
                let state = match self.arrived {
                    Some(_) => Some(CallRecording::Stored),
                    None => recordings::state_of(tx, key).await?,
                };
                let stamp = stamps.next(tx).await?;
                recordings::put_state(tx, key, state, stamp).await?;
            }
        }
        if let Some(object) = self.arrived {
            put_arrived(tx, context, (call, origin.source), object).await?;
        }
        context.noted.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Store {
    /// After a commit: wakes who keeps recordings, where there is something to be done.
    pub(crate) fn wake_for(&self, context: &Context) {
        if context.noted.load(Ordering::Relaxed) {
            self.wake_recordings();
        }
    }
}

/// The recordings that a message tells of.
fn recorded(change: &Change) -> Vec<RecordedAt> {
    let mut all = change.facts.recordings.clone();
    all.retain(|recorded| !recorded.is_in_api());
    if let Some(url) = &change.facts.recording_url
        && !all.iter().any(|recorded| recorded.url == *url)
    {
        all.retain(|recorded| recorded.variant != Variant::Mono);
        all.push(RecordedAt { variant: Variant::Mono, url: url.clone() });
    }
    all
}

/// The recordings that a message tells of and the platform's API alone gives out.
fn in_api(change: &Change) -> Vec<RecordedAt> {
    let mut all = change.facts.recordings.clone();
    all.retain(RecordedAt::is_in_api);
    all
}

/// Notes where a call's recordings are, to be fetched. One that is stored and has only another signature in its
/// address now stays as it is.
async fn note(
    tx: &mut Tx<'_>,
    context: &Context,
    origin: Origin,
    call: CallId,
    recorded: &[RecordedAt],
) -> Result<()> {
    for recorded in recorded {
        let RecordedAt { variant, url } = recorded;
        // The platform may bring it itself in a message of its own, for which the call waits too.
        let rest = if recorded.is_in_api() { context.rules.completion_wait } else { Duration::ZERO };
        let sql = "INSERT INTO recordings (call_id, variant, org_id, source_id, url, state, attempts, due_at, \
                       created_at, updated_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, 'pending', 0, ?7, ?6, ?6) \
                   ON CONFLICT (call_id, variant) DO NOTHING";
        let (now, due) = (context.now, context.now + rest);
        let params = params![call, variant.as_str(), context.org, origin.source, url, now, due];
        if tx.execute(sql, params).await? == 0 {
            note_again(tx, context, call, (*variant, url)).await?;
        }
    }
    Ok(())
}

async fn note_again(
    tx: &mut Tx<'_>,
    context: &Context,
    call: CallId,
    (variant, url): (Variant, &str),
) -> Result<()> {
    let sql = "SELECT url, state FROM recordings WHERE call_id = ?1 AND variant = ?2 AND org_id = ?3";
    let known = tx
        .first(sql, params![call, variant.as_str(), context.org], |row| {
            Ok((row.get::<Option<String>>()?, row.word("recording state", RecordingState::parse)?))
        })
        .await?;
    let Some((known, state)) = known else { return Ok(()) };
    // What was deleted was deleted on purpose, whatever the platform still has.
    let is_settled = match state {
        RecordingState::Deleted => true,
        RecordingState::Stored => known.is_some_and(|known| path_of(&known) == path_of(url)),
        RecordingState::Pending | RecordingState::Fetching => known.is_some_and(|known| known == url),
        // Who tells of it again may have it now.
        RecordingState::Failed | RecordingState::Expired => false,
    };
    if is_settled {
        return Ok(());
    }
    let sql = "UPDATE recordings SET url = ?3, state = 'pending', attempts = 0, due_at = ?4, error = NULL, \
                   lease_owner = NULL, lease_until = NULL, updated_at = ?4 \
               WHERE call_id = ?1 AND variant = ?2 AND org_id = ?5";
    tx.execute(sql, params![call, variant.as_str(), url, context.now, context.org]).await.map(drop)
}

/// Why a blocked caller's recording is not there.
const TURNED_AWAY: &str = "it is not fetched: the caller's number is blocked";

/// Why one is not there that no message has brought.
const NO_KEY: &str =
    "no message has brought it, and the source has no key of the platform's API, which gives it out";

/// Notes where recordings are that are not to be fetched, unless a person asks for it or the source gets another key,
/// and why.
async fn note_only(
    tx: &mut Tx<'_>,
    context: &Context,
    origin: Origin,
    call: CallId,
    (recorded, why): (&[RecordedAt], &str),
) -> Result<()> {
    for RecordedAt { variant, url } in recorded {
        let sql = "INSERT INTO recordings (call_id, variant, org_id, source_id, url, state, attempts, error, \
                       created_at, updated_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, 'failed', 0, ?7, ?6, ?6) \
                   ON CONFLICT (call_id, variant) DO UPDATE SET url = excluded.url \
                       WHERE recordings.state IN ('pending', 'failed', 'expired')";
        let (org, now) = (context.org, context.now);
        let params = params![call, variant.as_str(), org, origin.source, url, now, why];
        tx.execute(sql, params).await?;
    }
    Ok(())
}

/// Calls off what is still to be fetched of a call that turned out to be a blocked caller's. A try under way comes to
/// nothing: it has lost its lease.
pub(crate) async fn call_off(tx: &mut Tx<'_>, key: (OrgId, CallId), stamp: Stamp) -> Result<()> {
    let sql = "UPDATE recordings SET state = CASE WHEN object_key IS NULL THEN 'failed' ELSE 'stored' END, \
                   due_at = NULL, error = ?3, lease_owner = NULL, lease_until = NULL \
               WHERE call_id = ?1 AND org_id = ?2 AND state IN ('pending', 'fetching')";
    if tx.execute(sql, params![key.1, key.0, TURNED_AWAY]).await? > 0 {
        let state = recordings::state_of(tx, key).await?;
        recordings::put_state(tx, key, state, stamp).await?;
    }
    Ok(())
}

/// Has the recordings of a source fetched that were given up, with all tries before them again: it has another key. But
/// those of blocked callers, which nobody asked for.
pub(crate) async fn revive(tx: &mut Tx<'_>, source: &Source, now: Time) -> Result<()> {
    let given_up = "state IN ('failed', 'expired') AND source_id = ?1 AND org_id = ?2 AND url IS NOT NULL";
    let open = format!(
        "SELECT c.id FROM calls c WHERE c.org_id = ?2 AND NOT c.blocked \
         AND c.id IN (SELECT call_id FROM recordings WHERE {given_up})"
    );
    // The calls first: which they are is seen from the recordings. One of which something is stored stays as it is.
    let sql = format!(
        "UPDATE calls SET recording_state = ?3, updated_at = ?4 WHERE org_id = ?2 AND recording_state = ?5 \
         AND id IN ({open})"
    );
    let (pending, failed) = (CallRecording::Pending as i64, CallRecording::Failed as i64);
    let stamp = source.updated_at;
    tx.execute(&sql, params![source.id, source.org, pending, stamp, failed]).await?;
    let sql = format!(
        "UPDATE recordings SET state = 'pending', attempts = 0, due_at = ?3, error = NULL, updated_at = ?3 \
         WHERE {given_up} AND call_id IN ({open})"
    );
    tx.execute(&sql, params![source.id, source.org, now]).await.map(drop)
}

/// An address without what a signature may stand in.
fn path_of(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Writes down that a recording is there which came within a message.
async fn put_arrived(
    tx: &mut Tx<'_>,
    context: &Context,
    (call, source): (CallId, SourceId),
    object: &StoredObject,
) -> Result<()> {
    let (org, now) = (context.org, context.now);
    let before = "SELECT object_key FROM recordings WHERE call_id = ?1 AND variant = 'mono' AND org_id = ?2";
    let before = tx.first(before, params![call, org], |row| row.get::<Option<String>>()).await?.flatten();
    if let Some(before) = before {
        recording_objects::doom(tx, &before, now).await?;
    }
    let sql = "INSERT INTO recordings (call_id, variant, org_id, source_id, state, attempts, object_key, content_type, \
                   size_bytes, sha256, duration_seconds, stored_at, created_at, updated_at) \
               VALUES (?1, 'mono', ?2, ?3, 'stored', 0, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?9) \
               ON CONFLICT (call_id, variant) DO UPDATE SET state = 'stored', due_at = NULL, lease_owner = NULL, \
                   lease_until = NULL, error = NULL, object_key = excluded.object_key, \
                   content_type = excluded.content_type, size_bytes = excluded.size_bytes, sha256 = excluded.sha256, \
                   duration_seconds = excluded.duration_seconds, stored_at = excluded.stored_at, \
                   updated_at = excluded.updated_at";
    let size = i64::try_from(object.size).unwrap_or(i64::MAX);
    tx.execute(
        sql,
        params![
            call,
            org,
            source,
            &object.key,
            &object.content_type,
            size,
            object.sha256.as_slice(),
            object.duration_seconds,
            now
        ],
    )
    .await?;
    recording_objects::spare(tx, &object.key).await
}
