//! A call of another server, brought in.

use model::{
    Assistant, AssistantId, AssistantRef, CallId, CallState, CallStatus, Completion, Contact, ContactId,
    Fired, OrgId, Phone, SourceId,
};

use crate::{
    Error, Result,
    accept::{Context, guarded},
    assistants, calls,
    calls::Beside,
    contacts,
    import::{
        Became, ImportCall, ImportKind, ImportReview, id_for, is_erased, our_contact, ours, ours_of, remember,
    },
    stamps::Stamps,
    tx::Tx,
    value::params,
};

/// Brings in a call that was not brought in before.
pub(super) async fn call(
    tx: &mut Tx<'_>,
    context: &Context,
    theirs: &ImportCall,
    stamps: &mut Stamps,
) -> Result<Became> {
    let org = context.org;
    if is_erased(tx, org, theirs.contact_id).await? {
        return Ok(Became::Erased);
    }
    // Its platform has told us of it, or the organization wrote it: what is here stays.
    if let Some(known) = same_call(tx, org, theirs).await? {
        return Ok(Became::Known(known.uuid()));
    }
    let id = id_for(tx, context, "calls", theirs.id.uuid()).await?;
    let mut state = CallState::new(CallId::new(id));
    guarded(|| (context.rules.merge)(&mut state, &theirs.change))?;
    state.fired = fired(&state);
    let assistant = assistant_of(tx, context, theirs.assistant_id, stamps).await?;
    state.facts.assistant = assistant.as_ref().map(|(_, seen)| seen.clone());
    state.contact_id = count_call(tx, context, theirs, &state, stamps).await?;
    let source = (source_of(tx, org, theirs).await?, theirs.source);
    let beside = Beside { assistant_id: assistant.map(|(id, _)| id), updated_at: stamps.next(tx).await? };
    let seq = calls::insert(tx, org, source, theirs.external_id.as_deref(), &state, &beside).await?;
    if let Some(messages) = &state.facts.messages {
        calls::put_messages(tx, seq, messages).await?;
    }
    calls::put_words(tx, org, seq, &state, true).await?;
    put_review(tx, context, state.id, &theirs.review).await?;
    Ok(Became::New(id))
}

/// What people noted of the call. Of most nobody did.
async fn put_review(tx: &mut Tx<'_>, context: &Context, call: CallId, review: &ImportReview) -> Result<()> {
    if *review == ImportReview::default() {
        return Ok(());
    }
    let ImportReview { tags, notes, reviewed, spam } = review;
    // When it was looked at over there is not shown.
    let reviewed_at = reviewed.then_some(context.now);
    let tags = serde_json::Value::from(tags.clone()).to_string();
    let sql =
        "UPDATE calls SET tags = ?3, notes = ?4, reviewed_at = ?5, spam = ?6 WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![call, context.org, &tags, notes, reviewed_at, *spam]).await.map(drop)
}

/// A call that is over is history, also for a message of its platform that comes after: nothing is told of it any more.
fn fired(state: &CallState) -> Fired {
    if !state.facts.status.is_some_and(CallStatus::is_final) && state.completion == Completion::No {
        return Fired::default();
    }
    Fired {
        completion_due_at: None,
        completed_at: Some(Fired::NEVER_TOLD),
        transferred_at: Some(Fired::NEVER_TOLD),
    }
}

/// The call that we have under the platform's id: from a source of that platform, or written by API.
async fn same_call(tx: &mut Tx<'_>, org: OrgId, theirs: &ImportCall) -> Result<Option<CallId>> {
    let sql = "SELECT c.id FROM sources s JOIN calls c ON c.source_id = s.id AND c.external_id = ?3 \
               WHERE s.org_id = ?1 AND s.platform IN (?2, 'api') ORDER BY c.created_at LIMIT 1";
    let Some(external_id) = &theirs.external_id else { return Ok(None) };
    tx.first(sql, params![org, theirs.source.as_str(), external_id], |row| row.get()).await
}

/// The source that the call comes from: the organization's own of that platform, so that whatever the platform still
/// sends is known to be of this call; where there is none, the organization itself.
async fn source_of(tx: &mut Tx<'_>, org: OrgId, theirs: &ImportCall) -> Result<SourceId> {
    let sql = "SELECT id FROM sources WHERE org_id = ?1 AND platform IN (?2, 'api') AND deleted_at IS NULL \
               ORDER BY CASE WHEN platform = ?2 THEN 0 ELSE 1 END, created_at LIMIT 1";
    let source = tx.first(sql, params![org, theirs.source.as_str()], |row| row.get()).await?;
    source.ok_or(Error::Stored { what: "API source", why: "is not there".into() })
}

/// Our assistant, with the call counted for it.
async fn assistant_of(
    tx: &mut Tx<'_>,
    context: &Context,
    theirs: Option<AssistantId>,
    stamps: &mut Stamps,
) -> Result<Option<(AssistantId, AssistantRef)>> {
    let org = context.org;
    let Some(id) = ours_of(tx, org, ImportKind::Assistants, theirs).await? else { return Ok(None) };
    let sql = format!("SELECT {} FROM assistants WHERE id = ?1 AND org_id = ?2", assistants::COLUMNS);
    let found: Option<Assistant> = tx.first(&sql, params![id, org], assistants::read).await?;
    let Some(Assistant { source, external_id, .. }) = found else { return Ok(None) };
    let seen = AssistantRef { external_id, name: None };
    let id = assistants::gain_call(tx, org, source, &seen, id, stamps).await?;
    Ok(Some((id, seen)))
}

/// Our contact, with the call counted for it: the one with the caller's number, made where there is none; for a call
/// without a number the one that theirs became.
async fn count_call(
    tx: &mut Tx<'_>,
    context: &Context,
    theirs: &ImportCall,
    state: &CallState,
    stamps: &mut Stamps,
) -> Result<Option<ContactId>> {
    let (org, facts) = (context.org, &state.facts);
    let Some(phone) = &facts.caller_phone else {
        let id = our_contact(tx, org, theirs.contact_id).await?;
        let sql = "UPDATE contacts SET call_count = call_count + 1 WHERE id = ?1 AND org_id = ?2";
        tx.execute(sql, params![id, org]).await?;
        return Ok(id);
    };
    let stamp = stamps.next(tx).await?;
    let known = contacts::by_phone(tx, org, phone).await?;
    let is_known = known.is_some();
    let mut contact = match known {
        Some(known) => known,
        // Made over there after we had gone through the contacts. What else it has comes with the next import.
        None => new_contact(contact_id_for(tx, context, theirs.contact_id).await?, phone, state),
    };
    contact.call_count += 1;
    contact.last_call_at = contact.last_call_at.max(facts.started_at);
    contact.updated_at = stamp;
    if is_known {
        contacts::update(tx, org, &contact).await?;
    } else {
        contact.created_at = stamp;
        contacts::insert(tx, org, &contact).await?;
    }
    Ok(Some(contact.id))
}

/// The id for a contact that is made here because a call has it. By its own id it is known to be theirs; by another only
/// where that is noted.
async fn contact_id_for(tx: &mut Tx<'_>, context: &Context, theirs: Option<ContactId>) -> Result<ContactId> {
    let Some(theirs) = theirs.map(ContactId::uuid) else { return Ok(context.ids.id()) };
    let (org, kind) = (context.org, ImportKind::Contacts);
    let id = id_for(tx, context, "contacts", theirs).await?;
    if id != theirs && ours(tx, org, kind, theirs).await?.is_none() {
        remember(tx, org, kind, (theirs, id)).await?;
    }
    Ok(ContactId::new(id))
}

fn new_contact(id: ContactId, phone: &Phone, state: &CallState) -> Contact {
    Contact {
        id,
        name: state.facts.caller_name.clone(),
        phone: Some(phone.clone()),
        other_phones: Vec::new(),
        email: state.facts.caller_email.clone(),
        company: None,
        notes: None,
        tags: Vec::new(),
        call_count: 0,
        last_call_at: None,
        created_at: model::Stamp::from_micros(0),
        updated_at: model::Stamp::from_micros(0),
    }
}
