//! How a message becomes records: merged into its call, with the contact, lead, appointments, events and deliveries
//! that follow from it, in one transaction.
//!
//! What follows is decided by the ingest's pure [`Rules`]; what is here only loads what they look at and writes what
//! they decided, once for both databases.

mod completions;
mod rules;

use std::{
    ops::Deref,
    sync::{Arc, atomic::AtomicBool},
};

use model::{CallId, CallState, Change, Field, InboxId, OrgId, Platform, SourceId};

use crate::{
    Error, Idempotency, Incoming, OrgStore, Outcome, Reading, Received, Result, Source, StoredObject,
    calls::{self, Stored},
    events::Teller,
    forwards, idempotency, inbox,
    recording_notes::Noted,
    settle::{Caller, settle},
    stamps::Stamps,
    tx::{Care, Tx},
    value::params,
};

pub(crate) use self::rules::guarded;
pub use self::rules::{
    BookingChanges, ChangedBefore, ChangedNow, Decision, OrgSettings, Rules, Screening, Situation, Telling,
    ToolChange,
};

/// What became of a call written through the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is written; `data` is the call with its conversation, as JSON.
    Done {
        /// Whether it was not there before.
        created: bool,
        /// The call.
        data: String,
    },
    /// The same request was answered before, like this.
    Replayed {
        /// The answer's status.
        status: u16,
        /// The answer's data.
        data: String,
    },
    /// Another request came with the same idempotency key.
    Conflict,
}

/// What a step needs beside the transaction.
pub(crate) struct Context {
    pub(crate) rules: Rules,
    /// Whether something was noted that is to be done for recordings.
    pub(crate) noted: AtomicBool,
    teller: Teller,
}

impl Context {
    /// The same, where this is who is told.
    pub(crate) fn telling(&self, telling: Telling) -> Self {
        let rules = Rules { telling, ..self.rules };
        // What becomes of recordings is noted with the message that tells of them, and not here.
        Self { rules, noted: AtomicBool::new(false), teller: self.teller.clone() }
    }
}

impl Deref for Context {
    type Target = Teller;

    fn deref(&self) -> &Teller {
        &self.teller
    }
}

/// Where a call comes from.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) source: SourceId,
    pub(crate) platform: Platform,
    /// The message that tells of it, where one does.
    pub(crate) message: Option<InboxId>,
}

impl OrgStore {
    /// Keeps a message and makes of it what it is. Durable, message and all that follows, when this returns `Ok`.
    ///
    /// Where applying it fails, the message is kept all the same and marked as failed, to be applied again.
    pub async fn receive(&self, source: &Arc<Source>, message: Incoming, rules: Rules) -> Result<Received> {
        let asked = Arc::new((self.context(rules), source.clone(), message));
        let done = asked.clone();
        let received = self
            .store
            .write_repeatable(move |tx| {
                let asked = asked.clone();
                Box::pin(async move {
                    let (context, source, message) = &*asked;
                    let origin =
                        Origin { source: source.id, platform: source.platform, message: Some(message.id) };
                    let received = receive(tx, context, origin, message).await?;
                    if source.forwards {
                        forwards::insert(tx, context, source, message, &received).await?;
                    }
                    Ok(received)
                })
            })
            .await?;
        self.store.wake_for(&done.0);
        Ok(received)
    }

    /// Writes a call through the API: creates it, or updates the one with the same `external_id`.
    pub async fn write_call(
        &self,
        external_id: Option<String>,
        change: Change,
        idempotency: Option<Idempotency>,
        rules: Rules,
    ) -> Result<Written> {
        let context = self.context(rules);
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    write_call(tx, &context, external_id.as_deref(), &change, idempotency.as_ref()).await
                })
            })
            .await
    }

    pub(crate) fn context(&self, rules: Rules) -> Context {
        Context { rules, noted: AtomicBool::new(false), teller: self.teller() }
    }
}

/// Keeps a message and applies it.
pub(crate) async fn receive(
    tx: &mut Tx<'_>,
    context: &Context,
    origin: Origin,
    message: &Incoming,
) -> Result<Received> {
    let received = match &message.reading {
        Reading::Rejected(reason) => Received::nothing(Outcome::Rejected, reason.clone()),
        Reading::Unreadable(reason) => Received::nothing(Outcome::Failed, reason.clone()),
        Reading::Read { changes, external_id, .. } => match changes.split_first() {
            Some((first, rest)) => take(tx, context, origin, message, (first, rest)).await?,
            None => inbox::pass(tx, context.org, origin.source, external_id.as_deref()).await?,
        },
    };
    inbox::insert(tx, context.org, origin.source, message, &received).await?;
    if received.outcome == Outcome::Rejected && message.id.uuid().as_bytes()[15].is_multiple_of(32) {
        inbox::prune_rejected(tx, context.org, origin.source).await?;
    }
    Ok(received)
}

/// Takes a message that says something, unless it said the same before.
async fn take(
    tx: &mut Tx<'_>,
    context: &Context,
    origin: Origin,
    message: &Incoming,
    changes: (&Change, &[Change]),
) -> Result<Received> {
    let mut stamps = Stamps::take(tx, context.org, context.now).await?;
    let call = calls::by_external_id(tx, context.org, origin.source, &changes.0.external_id).await?;
    // A message that was accepted before left its call behind, so one about a new call needs no look into the inbox.
    // One about an erased call is never kept, whether it repeats another or not.
    if let Some(call) = &call
        && !call.is_erased
        && inbox::is_repetition(tx, call.state.id, message).await?
    {
        let reason = "the same message was accepted within the last day".into();
        return Ok(Received {
            call_id: Some(call.state.id),
            ..Received::nothing(Outcome::Duplicate, reason)
        });
    }
    let mut received =
        apply_or_undo(tx, context, origin, (changes, message.recording.as_ref()), call, &mut stamps).await?;
    if let Some(object) = message.recording.as_ref().filter(|_| received.outcome == Outcome::Accepted) {
        received.reason = Some(format!("its recording of {} bytes was taken out of the body", object.size));
    }
    Ok(received)
}

/// What a message says, and the recording that it brought.
pub(crate) type Said<'a> = ((&'a Change, &'a [Change]), Option<&'a StoredObject>);

/// Applies a message's changes, all of them or none: a message that cannot be applied is one that failed.
pub(crate) async fn apply_or_undo(
    tx: &mut Tx<'_>,
    context: &Context,
    origin: Origin,
    said: Said<'_>,
    call: Option<Stored>,
    stamps: &mut Stamps,
) -> Result<Received> {
    if tx.care == Care::Group {
        return apply_all(tx, context, origin, said, call, stamps).await;
    }
    // What fails here must leave nothing of it behind, so that the message itself can still be kept.
    tx.execute("SAVEPOINT apply", &[]).await?;
    let leased = tx.leased.len();
    match apply_all(tx, context, origin, said, call, stamps).await {
        Ok(received) => {
            tx.execute("RELEASE apply", &[]).await?;
            Ok(received)
        }
        Err(error) if error.is_unavailable() => Err(error),
        Err(error) => {
            tracing::error!(%error, "a message could not be applied; it is kept as failed");
            tx.execute("ROLLBACK TO apply", &[]).await?;
            tx.leased.truncate(leased);
            Ok(Received::nothing(Outcome::Failed, error.to_string()))
        }
    }
}

/// Applies a message's changes, of which most have one. `call` is the first one's, if it is there.
async fn apply_all(
    tx: &mut Tx<'_>,
    context: &Context,
    origin: Origin,
    ((first, rest), recording): Said<'_>,
    call: Option<Stored>,
    stamps: &mut Stamps,
) -> Result<Received> {
    let known = (Some(first.external_id.as_str()), call);
    let applied = apply(tx, context, origin, known, (first, recording), stamps).await?;
    let (mut some_erased, mut all_erased) = (applied.is_erased, applied.is_erased);
    for change in rest {
        let id = change.external_id.as_str();
        let call = calls::by_external_id(tx, context.org, origin.source, id).await?;
        let next = apply(tx, context, origin, (Some(id), call), (change, None), stamps).await?;
        some_erased |= next.is_erased;
        all_erased &= next.is_erased;
    }
    let (outcome, call_id) = (Outcome::Accepted, Some(applied.id));
    Ok(match (some_erased, all_erased) {
        (false, _) => Received { outcome, reason: None, call_id, is_of_erased: false },
        (true, false) => Received { outcome, ..Received::of_erased(call_id) },
        (true, true) => Received::of_erased(call_id),
    })
}

async fn write_call(
    tx: &mut Tx<'_>,
    context: &Context,
    external_id: Option<&str>,
    change: &Change,
    idempotency: Option<&Idempotency>,
) -> Result<Written> {
    let origin = api_origin(tx, context.org).await?;
    let mut stamps = Stamps::take(tx, context.org, context.now).await?;
    if let Some(known) = idempotency::known(tx, context.org, idempotency, context.now).await? {
        return Ok(known);
    }
    let stored = match external_id {
        Some(id) => calls::by_external_id(tx, context.org, origin.source, id).await?,
        None => None,
    };
    let applied = apply(tx, context, origin, (external_id, stored), (change, None), &mut stamps).await?;
    let detail = calls::detail(tx, context.org, applied.id, context.links.as_deref()).await?;
    let detail = detail.ok_or(Error::Stored { what: "call", why: "is not there".into() })?;
    let data = String::from_utf8(detail.json)
        .map_err(|error| Error::Stored { what: "call", why: error.to_string() })?;
    let status = if applied.created { 201 } else { 200 };
    idempotency::remember(tx, context.org, idempotency, status, &data, context.now).await?;
    Ok(Written::Done { created: applied.created, data })
}

async fn api_origin(tx: &mut Tx<'_>, org: OrgId) -> Result<Origin> {
    let sql = "SELECT id FROM sources WHERE org_id = ?1 AND platform = 'api' AND deleted_at IS NULL \
               ORDER BY created_at LIMIT 1";
    let source = tx.first(sql, params![org], |row| row.get()).await?;
    let source = source.ok_or(Error::Stored { what: "API source", why: "is not there".into() })?;
    Ok(Origin { source, platform: Platform::Api, message: None })
}

/// A call that a change was merged into.
pub(crate) struct Applied {
    id: CallId,
    created: bool,
    /// Whether the call's person was erased, so that nothing was applied.
    is_erased: bool,
}

/// Merges a change into a call, which is not there yet where `stored` is `None`, and writes what follows.
pub(crate) async fn apply(
    tx: &mut Tx<'_>,
    context: &Context,
    origin: Origin,
    (external_id, stored): (Option<&str>, Option<Stored>),
    (change, arrived): (&Change, Option<&StoredObject>),
    stamps: &mut Stamps,
) -> Result<Applied> {
    let mut state = match &stored {
        Some(Stored { is_erased: true, state, .. }) => {
            return Ok(Applied { id: state.id, created: false, is_erased: true });
        }
        Some(stored) => stored.state.clone(),
        None => CallState::new(context.ids.id()),
    };
    let recorded_by = state.ranks.get(Field::RecordingUrl);
    let changed = guarded(|| (context.rules.merge)(&mut state, change))?;
    let noted = Noted::of(tx, context, origin, (&mut state, recorded_by), (change, arrived)).await?;
    let applied = Applied { id: state.id, created: stored.is_none(), is_erased: false };
    let mut caller = Caller::of(&state);
    if changed || applied.created || noted.changes_call() {
        caller = settle(tx, context, origin, external_id, stored, state, stamps).await?;
    }
    noted.write(tx, context, origin, (applied.id, caller), stamps).await?;
    Ok(applied)
}
