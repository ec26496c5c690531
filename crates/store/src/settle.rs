//! What follows from a call's new state: decided by the rules, written here.

use model::{
    Appointment, AssistantId, AssistantRef, CallId, CallState, Contact, Field, InboxId, Lead, OrgId,
    Platform, Ranks,
};

use crate::{
    Error, Result, Screening,
    accept::{BookingChanges, Context, Decision, OrgSettings, Origin, Situation, guarded},
    appointments, assistants, blocked_numbers,
    booking_changes::{self, Waiting},
    calls::{self, Beside, Stored},
    contacts, events, leads,
    provenance::{Made, Rule},
    recording_notes,
    stamps::Stamps,
    tx::Tx,
    value::{Cells, params},
};

/// Decides what follows from a call's new state, and writes all of it. Returns how its caller stands.
///
/// Where that makes appointments, what the tools of other calls did to them follows too.
pub(crate) async fn settle(
    tx: &mut Tx<'_>,
    context: &Context,
    origin: Origin,
    external_id: Option<&str>,
    stored: Option<Stored>,
    state: CallState,
    stamps: &mut Stamps,
) -> Result<Caller> {
    let (caller, mut come) = settle_one(tx, context, origin, external_id, stored, state, stamps).await?;
    // Each round carries out what it found, and notes that it did, so there is an end to it.
    while !come.is_empty() {
        let mut next = Vec::new();
        for Waiting { stored, origin, telling } in booking_changes::waiting_for(tx, context, &come).await? {
            let id = stored.state.id;
            let (state, context) = (stored.state.clone(), context.telling(telling));
            match settle_one(tx, &context, origin, None, Some(stored), state, stamps).await {
                Ok((_, come)) => next.extend(come),
                // What this call said is no fault of the one that made the appointment.
                Err(Error::Panicked) => {
                    tracing::error!(call = %id, "what call {id} changed of a booking could not be carried out");
                }
                Err(error) => return Err(error),
            }
        }
        come = next;
    }
    Ok(caller)
}

/// The same of one call alone. Returns also the appointments that are known by their booking's id only now.
async fn settle_one(
    tx: &mut Tx<'_>,
    context: &Context,
    origin: Origin,
    external_id: Option<&str>,
    stored: Option<Stored>,
    state: CallState,
    stamps: &mut Stamps,
) -> Result<(Caller, Vec<Appointment>)> {
    let org = context.org;
    let assistant_id = match &state.facts.assistant {
        Some(seen) => Some(assistant_of(tx, context, origin.platform, seen, stored.as_ref(), stamps).await?),
        None => None,
    };
    let situation = look_around(tx, context, origin.platform, (assistant_id, stored.as_ref()), state).await?;
    let (before, screening) = (Before::of(&situation), situation.screening);
    let decision = guarded(|| (context.rules.decide)(situation))?;
    let updated_at = stamps.next(tx).await?;
    let beside = Beside { assistant_id, updated_at };
    write_call_row(tx, org, (origin, external_id), stored.as_ref(), &decision.call, &beside).await?;
    note_start(tx, (org, decision.call.id), stored.as_ref(), screening).await?;
    let heard = stored.and_then(|stored| Some((stored.state.contact_id?, stored.state.facts.started_at)));
    if let Some((id, _)) = heard.filter(|(before, _)| Some(*before) != decision.call.contact_id) {
        contacts::lose_call(tx, org, id, updated_at).await?;
    }
    write_records(tx, (org, origin.message), &before, &decision, stamps).await?;
    if let Some((id, Some(began))) = heard
        && (Some(id) != decision.call.contact_id || decision.call.facts.started_at < Some(began))
    {
        contacts::correct_last_call(tx, org, (id, began)).await?;
    }
    booking_changes::note(tx, context, origin.message, &decision).await?;
    let (caller, come) = (Caller::of(&decision.call), before.newly_known(&decision));
    events::insert_all(tx, context, decision.events, stamps).await?;
    Ok((caller, come))
}

/// How a call's caller stands with the organization.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Like anybody.
    Open,
    /// The call came from a blocked number.
    Blocked,
}

impl Caller {
    pub(crate) fn of(call: &CallState) -> Self {
        if call.blocked { Self::Blocked } else { Self::Open }
    }
}

/// The record of the assistant that a call names, with the call counted for it.
async fn assistant_of(
    tx: &mut Tx<'_>,
    context: &Context,
    platform: Platform,
    seen: &AssistantRef,
    stored: Option<&Stored>,
    stamps: &mut Stamps,
) -> Result<AssistantId> {
    let org = context.org;
    let before =
        stored.and_then(|stored| Some((stored.assistant_id?, stored.state.facts.assistant.as_ref()?)));
    match before {
        Some((id, known)) if known.external_id == seen.external_id => {
            if let Some(name) = &seen.name {
                assistants::rename(tx, org, id, name).await?;
            }
            return Ok(id);
        }
        Some((id, _)) => assistants::lose_call(tx, org, id).await?,
        None => {}
    }
    assistants::gain_call(tx, org, platform, seen, context.ids.id(), stamps).await
}

/// Loads what the rules look at.
async fn look_around<'a>(
    tx: &mut Tx<'_>,
    context: &'a Context,
    platform: Platform,
    (assistant_id, stored): (Option<AssistantId>, Option<&'a Stored>),
    call: CallState,
) -> Result<Situation<'a>> {
    let org = context.org;
    let before = stored.map(|stored| &stored.state);
    let phone = call.facts.caller_phone.as_ref();
    let keeps_number = before.is_some_and(|before| before.facts.caller_phone.as_ref() == phone);
    // A call keeps its contact, whatever became of the number since, and goes without where that was deleted.
    let contact = match (phone, call.contact_id) {
        (Some(_), Some(id)) if keeps_number => contacts::by_id(tx, org, id).await?,
        (Some(phone), _) if !keeps_number => contacts::by_phone(tx, org, phone).await?,
        _ => None,
    };
    let lead = match (call.lead_id, &contact) {
        (Some(id), _) => leads::by_id(tx, org, id).await?,
        (None, Some(contact)) => leads::open_lead_of(tx, org, contact.id).await?,
        (None, None) => None,
    };
    let used_tools = call.facts.messages.iter().flatten().any(|message| message.tool.is_some());
    // Only the use of a tool makes appointments, and a new call has none yet.
    let may_have_some = used_tools && before.is_some();
    let appointments =
        if may_have_some { appointments::of_call(tx, org, call.id).await? } else { Vec::new() };
    let changes = match used_tools {
        true => booking_changes::look_up(tx, context, before.map(|before| before.id), &call).await?,
        false => BookingChanges::default(),
    };
    let settings = if used_tools { settings_of(tx, org).await? } else { OrgSettings::default() };
    Ok(Situation {
        contact_is_deleted: contact.is_none() && phone.is_some() && keeps_number,
        lead_is_deleted: lead.is_none() && call.lead_id.is_some(),
        screening: blocked_numbers::screen(tx, org, &call.facts).await?,
        awaited_caller: stored.is_some_and(|stored| stored.awaits_caller),
        opted_in: tx.known.opted_in.contains(&org),
        call,
        platform,
        assistant_id,
        before,
        contact,
        lead,
        appointments,
        changes,
        org: settings,
        completion_wait: context.rules.completion_wait,
        telling: context.rules.telling,
        links: context.links.as_deref(),
        now: context.now,
        ids: &*context.ids,
    })
}

async fn settings_of(tx: &mut Tx<'_>, org: OrgId) -> Result<OrgSettings> {
    let sql = "SELECT time_zone, country FROM organizations WHERE id = ?1";
    let read = |row: &mut Cells<'_>| Ok(OrgSettings { time_zone: row.get()?, country: row.get()? });
    Ok(tx.first(sql, params![org], read).await?.unwrap_or_default())
}

/// Notes of a new call that it cannot be told as started before it is known who calls, and of a known one that it can.
/// Noted, because the block list may be another one when the next message comes.
async fn note_start(
    tx: &mut Tx<'_>,
    (org, call): (OrgId, CallId),
    stored: Option<&Stored>,
    screening: Screening,
) -> Result<()> {
    let awaits_caller = match (stored, screening) {
        (None, Screening::Unknown) => true,
        (Some(Stored { awaits_caller: true, .. }), Screening::Passed) => false,
        _ => return Ok(()),
    };
    let sql = "UPDATE calls SET awaits_caller = ?3 WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![call, org, awaits_caller]).await.map(drop)
}

async fn write_call_row(
    tx: &mut Tx<'_>,
    org: OrgId,
    (origin, external_id): (Origin, Option<&str>),
    stored: Option<&Stored>,
    call: &CallState,
    beside: &Beside,
) -> Result<()> {
    let seq = match stored {
        Some(stored) => {
            calls::update(tx, org, call, beside).await?;
            stored.seq
        }
        None => calls::insert(tx, org, (origin.source, origin.platform), external_id, call, beside).await?,
    };
    if call.blocked && stored.is_none_or(|stored| !stored.state.blocked) {
        calls::mark_blocked(tx, org, call.id).await?;
        if stored.is_some() {
            recording_notes::call_off(tx, (org, call.id), beside.updated_at).await?;
        }
    }
    let before = stored.map(|stored| &stored.state.ranks);
    if let Some(messages) = &call.facts.messages
        && differs(before, &call.ranks, &[Field::Messages])
    {
        calls::put_messages(tx, seq, messages).await?;
    }
    let worded = [Field::CallerPhone, Field::CallerName, Field::CallerEmail, Field::Summary, Field::Intent];
    if differs(before, &call.ranks, &worded) || differs(before, &call.ranks, &[Field::Transcript]) {
        calls::put_words(tx, org, seq, call, stored.is_none()).await?;
    }
    Ok(())
}

/// Whether any of the fields was filled anew.
fn differs(before: Option<&Ranks>, after: &Ranks, fields: &[Field]) -> bool {
    fields.iter().any(|field| before.and_then(|ranks| ranks.get(*field)) != after.get(*field))
}

/// Which records were there before the decision: those are updated, the others inserted.
struct Before {
    contact: Option<model::ContactId>,
    lead: Option<model::LeadId>,
    appointments: Vec<(model::AppointmentId, Option<String>)>,
}

impl Before {
    fn of(situation: &Situation<'_>) -> Self {
        Self {
            contact: situation.contact.as_ref().map(|contact| contact.id),
            lead: situation.lead.as_ref().map(|lead| lead.id),
            appointments: situation
                .appointments
                .iter()
                .map(|(_, appointment)| appointment)
                .chain(&situation.changes.targets)
                .map(|appointment| (appointment.id, appointment.external_id.clone()))
                .collect(),
        }
    }

    fn has(&self, appointment: &Appointment) -> bool {
        self.appointments.iter().any(|(id, _)| *id == appointment.id)
    }

    /// The appointments that had no booking's id before, or another.
    fn newly_known(&self, decision: &Decision) -> Vec<Appointment> {
        let is_new = |one: &Appointment| {
            let known = |(id, booking): &(_, Option<String>)| *id == one.id && *booking == one.external_id;
            one.external_id.is_some() && !self.appointments.iter().any(known)
        };
        decision.appointments.iter().map(|(_, one)| one).filter(|one| is_new(one)).cloned().collect()
    }
}

async fn write_records(
    tx: &mut Tx<'_>,
    (org, message): (OrgId, Option<InboxId>),
    before: &Before,
    decision: &Decision,
    stamps: &mut Stamps,
) -> Result<()> {
    let made = |rule| Some(Made { rule, message });
    if let Some(contact) = &decision.contact {
        let stamp = stamps.next(tx).await?;
        let contact = Contact { created_at: stamp, updated_at: stamp, ..contact.clone() };
        if before.contact == Some(contact.id) {
            contacts::update(tx, org, &contact).await?;
        } else {
            contacts::insert(tx, org, &contact).await?;
        }
    }
    if let Some(lead) = &decision.lead {
        let stamp = stamps.next(tx).await?;
        let lead = Lead { created_at: stamp, updated_at: stamp, ..lead.clone() };
        if before.lead == Some(lead.id) {
            leads::update(tx, org, &lead).await?;
        } else {
            leads::insert(tx, org, made(Rule::SufficientContext), &lead).await?;
        }
    }
    for (tool_call, appointment) in &decision.appointments {
        let stamp = stamps.next(tx).await?;
        let appointment = Appointment { created_at: stamp, updated_at: stamp, ..appointment.clone() };
        if before.has(&appointment) {
            appointments::update(tx, org, &appointment).await?;
        } else {
            let by = (Some(tool_call.as_str()), made(Rule::BookingTool));
            appointments::insert(tx, org, by, &appointment).await?;
        }
    }
    Ok(())
}
