//! A call as the next message finds it, and as it leaves it: the row, the conversation, and the words of the search.

use model::{
    AssistantId, AssistantRef, CallId, CallRecording, CallState, CallStatus, Completion, Direction, Fired,
    Message, OrgId, Phone, Platform, Ranks, SourceId, Stamp, Transfer, Urgency,
};

use crate::{
    Result, search,
    tx::Tx,
    value::{Cells, Value, params},
};

/// A call as the next message finds it.
pub(crate) struct Stored {
    /// The number under which its words are indexed.
    pub(crate) seq: i64,
    pub(crate) state: CallState,
    pub(crate) assistant_id: Option<AssistantId>,
    /// Whether the person was erased: then nothing more is kept of the call.
    pub(crate) is_erased: bool,
    /// Whether it was not told as started, because it was not known whether its caller is blocked.
    pub(crate) awaits_caller: bool,
}

const STATE: &str = "c.seq, c.id, c.status, c.ended_reason, c.caller_phone, c.caller_address, c.caller_name, \
     c.caller_email, c.direction, c.started_at, c.ended_at, c.duration_seconds, c.summary, c.transcript, \
     c.recording_url, c.transfer_status, c.transfer_destination, c.transfer_reason, c.transferred_at, \
     c.assistant_external_id, c.intent, c.urgency, c.captured, c.carrier_id, c.ranks, c.completion, c.transfer, \
     c.contact_id, c.lead_id, c.spam, c.completion_due_at, c.completed_fired_at, c.transferred_fired_at, \
     c.assistant_id, c.recording_state, c.blocked, c.deleted_bookings, c.erasure_id IS NOT NULL, c.awaits_caller, m.body \
     FROM calls c LEFT JOIN messages m ON m.seq = c.seq";

fn read_stored(row: &mut Cells<'_>) -> Result<Stored> {
    let seq = row.get()?;
    let mut state = CallState::new(row.get()?);
    let facts = &mut state.facts;
    facts.status = row.word_or_null("call status", CallStatus::parse)?;
    facts.ended_reason = row.get()?;
    facts.caller_phone = row.get()?;
    facts.caller_address = row.get()?;
    facts.caller_name = row.get()?;
    facts.caller_email = row.get()?;
    facts.direction = row.word_or_null("direction", Direction::parse)?;
    facts.started_at = row.get()?;
    facts.ended_at = row.get()?;
    facts.duration_seconds = row.get()?;
    facts.summary = row.get()?;
    facts.transcript = row.get()?;
    facts.recording_url = row.get()?;
    facts.transfer_status = row.get()?;
    facts.transfer_destination = row.get()?;
    facts.transfer_reason = row.get()?;
    facts.transferred_at = row.get()?;
    facts.assistant =
        row.get::<Option<String>>()?.map(|external_id| AssistantRef { external_id, name: None });
    facts.intent = row.get()?;
    facts.urgency = row.word_or_null("urgency", Urgency::parse)?;
    facts.captured = row.json_or_null("captured")?;
    facts.carrier_id = row.get()?;
    state.ranks = Ranks::decode(&row.get::<String>()?);
    state.completion = Completion::from_number(row.get()?);
    state.transfer = Transfer::from_number(row.get()?);
    state.contact_id = row.get()?;
    state.lead_id = row.get()?;
    state.spam = row.get()?;
    state.fired =
        Fired { completion_due_at: row.get()?, completed_at: row.get()?, transferred_at: row.get()? };
    let assistant_id = row.get()?;
    state.recording = row.get::<Option<i64>>()?.and_then(CallRecording::from_number);
    state.blocked = row.get()?;
    state.deleted_bookings = row.json_or_null("bookings")?.unwrap_or_default();
    let (is_erased, awaits_caller) = (row.get()?, row.get()?);
    state.facts.messages = row.json_or_null("messages")?;
    Ok(Stored { seq, state, assistant_id, is_erased, awaits_caller })
}

/// The call that a source knows under an id.
pub(crate) async fn by_external_id(
    tx: &mut Tx<'_>,
    org: OrgId,
    source: SourceId,
    external_id: &str,
) -> Result<Option<Stored>> {
    let sql = format!("SELECT {STATE} WHERE c.source_id = ?1 AND c.external_id = ?2 AND c.org_id = ?3");
    tx.first(&sql, params![source, external_id, org], read_stored).await
}

/// A call that is due to be told as completed, with the platform it came from.
pub(crate) async fn by_id(tx: &mut Tx<'_>, org: OrgId, id: CallId) -> Result<Option<Stored>> {
    let sql = format!("SELECT {STATE} WHERE c.id = ?1 AND c.org_id = ?2");
    tx.first(&sql, params![id, org], read_stored).await
}

/// What is written beside a call's state.
pub(crate) struct Beside {
    pub(crate) assistant_id: Option<AssistantId>,
    pub(crate) updated_at: Stamp,
}

/// Stores a new call and returns its number in the search index.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    org: OrgId,
    source: (SourceId, Platform),
    external_id: Option<&str>,
    state: &CallState,
    beside: &Beside,
) -> Result<i64> {
    let texts = Texts::of(state);
    let mut values = values(org, state, beside, &texts);
    let (source, platform) = source;
    values.extend_from_slice(params![source, platform.as_str(), external_id, recording_of(state)]);
    let sql = "INSERT INTO calls (id, org_id, status, ended_reason, caller_phone, caller_address, caller_name, \
             caller_email, direction, started_at, ended_at, duration_seconds, summary, transcript, recording_url, \
             transfer_status, transfer_destination, transfer_reason, transferred_at, assistant_external_id, intent, \
             urgency, captured, carrier_id, ranks, completion, transfer, contact_id, lead_id, completion_due_at, \
             completed_fired_at, transferred_fired_at, assistant_id, updated_at, created_at, source_id, source, \
             external_id, recording_state, spam, tags) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, \
             ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?34, ?35, ?36, ?37, ?38, FALSE, '[]')";
    tx.insert_numbered(sql, &values).await
}

/// Writes a call's state.
pub(crate) async fn update(tx: &mut Tx<'_>, org: OrgId, state: &CallState, beside: &Beside) -> Result<()> {
    let texts = Texts::of(state);
    let sql = "UPDATE calls SET status = ?3, ended_reason = ?4, caller_phone = ?5, caller_address = ?6, \
             caller_name = ?7, caller_email = ?8, direction = ?9, started_at = ?10, ended_at = ?11, \
             duration_seconds = ?12, summary = ?13, transcript = ?14, recording_url = ?15, transfer_status = ?16, \
             transfer_destination = ?17, transfer_reason = ?18, transferred_at = ?19, assistant_external_id = ?20, \
             intent = ?21, urgency = ?22, captured = ?23, carrier_id = ?24, ranks = ?25, completion = ?26, \
             transfer = ?27, contact_id = ?28, lead_id = ?29, completion_due_at = ?30, completed_fired_at = ?31, \
             transferred_fired_at = ?32, assistant_id = ?33, updated_at = ?34, recording_state = ?35 \
         WHERE id = ?1 AND org_id = ?2";
    let mut values = values(org, state, beside, &texts);
    values.push(recording_of(state).into());
    tx.execute(sql, &values).await.map(drop)
}

fn recording_of(state: &CallState) -> Option<i64> {
    state.recording.map(|recording| recording as i64)
}

/// What is made into text to be stored.
struct Texts {
    captured: Option<String>,
    ranks: String,
}

impl Texts {
    fn of(state: &CallState) -> Self {
        let captured = state.facts.captured.as_ref();
        Self {
            captured: captured.map(|map| serde_json::to_string(map).unwrap_or_default()),
            ranks: state.ranks.encode(),
        }
    }
}

/// The values of `?1` to `?34`, the same for a new call and for a changed one.
fn values<'a>(org: OrgId, state: &'a CallState, beside: &Beside, texts: &'a Texts) -> Vec<Value<'a>> {
    let facts = &state.facts;
    params![
        state.id,
        org,
        facts.status.unwrap_or(CallStatus::InProgress).as_str(),
        &facts.ended_reason,
        &facts.caller_phone,
        &facts.caller_address,
        &facts.caller_name,
        &facts.caller_email,
        facts.direction.map(Direction::as_str),
        facts.started_at,
        facts.ended_at,
        facts.duration_seconds,
        &facts.summary,
        &facts.transcript,
        &facts.recording_url,
        &facts.transfer_status,
        &facts.transfer_destination,
        &facts.transfer_reason,
        facts.transferred_at,
        facts.assistant.as_ref().map(|assistant| assistant.external_id.as_str()),
        &facts.intent,
        facts.urgency.map(Urgency::as_str),
        &texts.captured,
        &facts.carrier_id,
        &texts.ranks,
        state.completion as i64,
        state.transfer as i64,
        state.contact_id,
        state.lead_id,
        state.fired.completion_due_at,
        state.fired.completed_at,
        state.fired.transferred_at,
        beside.assistant_id,
        beside.updated_at,
    ]
    .to_vec()
}

/// Writes a call's conversation, over the one that was there.
pub(crate) async fn put_messages(tx: &mut Tx<'_>, seq: i64, messages: &[Message]) -> Result<()> {
    let body = serde_json::to_string(messages)
        .map_err(|error| crate::Error::Stored { what: "messages", why: error.to_string() })?;
    let sql = "INSERT INTO messages (seq, body) VALUES (?1, ?2) \
               ON CONFLICT (seq) DO UPDATE SET body = excluded.body";
    tx.execute(sql, params![seq, &body]).await.map(drop)
}

/// Writes the words by which a call is found, over those that were there.
pub(crate) async fn put_words(
    tx: &mut Tx<'_>,
    org: OrgId,
    seq: i64,
    state: &CallState,
    is_new: bool,
) -> Result<()> {
    let facts = &state.facts;
    let texts: Vec<&str> = [
        facts.caller_phone.as_ref().map(Phone::as_str),
        facts.caller_name.as_deref(),
        facts.caller_email.as_deref(),
        facts.summary.as_deref(),
        facts.intent.as_deref(),
        facts.transcript.as_deref(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let sql = if is_new { tx.dialect().insert_words() } else { tx.dialect().put_words() };
    tx.execute(sql, params![seq, &search::words_of(org, &texts)]).await.map(drop)
}
