//! Assistants, contacts, leads and appointments of another server, brought in.

use model::{
    Appointment, AppointmentId, AssistantId, CallId, Contact, ContactId, Lead, LeadId, Message, OrgId, Phone,
};
use uuid::Uuid;

use crate::{
    Result,
    accept::Context,
    appointments, contacts,
    import::{Became, BookingKeys, ImportAssistant, ImportKind, id_for, is_erased, our_contact, ours_of},
    leads,
    stamps::Stamps,
    tx::Tx,
    value::params,
};

/// Brings in an assistant: the one of the same platform with the same id there is the same.
pub(super) async fn assistant(
    tx: &mut Tx<'_>,
    context: &Context,
    theirs: &ImportAssistant,
    stamps: &mut Stamps,
) -> Result<Became> {
    let (org, source) = (context.org, theirs.source.as_str());
    let sql = "SELECT id FROM assistants WHERE org_id = ?1 AND source = ?2 AND external_id = ?3";
    let known = tx.first(sql, params![org, source, &theirs.external_id], |row| row.get::<Uuid>()).await?;
    if let Some(known) = known {
        return Ok(Became::Known(known));
    }
    let id = id_for(tx, context, "assistants", theirs.id.uuid()).await?;
    let created_at = stamps.next(tx).await?;
    let sql = "INSERT INTO assistants (id, org_id, source, external_id, name, call_count, created_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)";
    tx.execute(sql, params![id, org, source, &theirs.external_id, &theirs.name, created_at]).await?;
    Ok(Became::New(id))
}

/// Brings in a contact: the one with the same number is the same, and gets what it does not have yet.
pub(super) async fn contact(
    tx: &mut Tx<'_>,
    context: &Context,
    theirs: &Contact,
    stamps: &mut Stamps,
) -> Result<Became> {
    let org = context.org;
    if is_erased(tx, org, Some(theirs.id)).await? {
        return Ok(Became::Erased);
    }
    let stamp = stamps.next(tx).await?;
    let known = match &theirs.phone {
        Some(phone) => contacts::by_phone(tx, org, phone).await?,
        None => None,
    };
    if let Some(known) = known {
        let mut tags = known.tags.clone();
        tags.extend(theirs.tags.iter().filter(|tag| !known.tags.contains(tag)).cloned());
        let sql = "UPDATE contacts SET name = COALESCE(name, ?3), email = COALESCE(email, ?4), \
                       company = COALESCE(company, ?5), notes = COALESCE(notes, ?6), tags = ?7, updated_at = ?8 \
                   WHERE id = ?1 AND org_id = ?2";
        let tags = serde_json::Value::from(tags).to_string();
        let (name, email) = (&theirs.name, &theirs.email);
        let values = params![known.id, org, name, email, &theirs.company, &theirs.notes, &tags, stamp];
        tx.execute(sql, values).await?;
        add_numbers(tx, org, known.clone(), theirs).await?;
        return Ok(Became::Known(known.id.uuid()));
    }
    let id = id_for(tx, context, "contacts", theirs.id.uuid()).await?;
    let contact = Contact {
        id: ContactId::new(id),
        other_phones: free_numbers(tx, org, theirs).await?,
        // They come with the calls.
        call_count: 0,
        last_call_at: None,
        created_at: stamp,
        updated_at: stamp,
        ..theirs.clone()
    };
    contacts::insert(tx, org, &contact).await?;
    if !contact.other_phones.is_empty() {
        contacts::put_numbers(tx, org, &contact).await?;
    }
    Ok(Became::New(id))
}

/// Adds to a contact of ours the further numbers that theirs has and nobody here.
async fn add_numbers(tx: &mut Tx<'_>, org: OrgId, mut ours: Contact, theirs: &Contact) -> Result<()> {
    let free = free_numbers(tx, org, theirs).await?;
    if free.is_empty() {
        return Ok(());
    }
    ours.other_phones.extend(free);
    contacts::put_numbers(tx, org, &ours).await?;
    let others = serde_json::json!(ours.other_phones).to_string();
    let sql = "UPDATE contacts SET other_phones = ?3 WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![ours.id, org, &others]).await.map(drop)
}

/// The further numbers of a contact that nobody has here: a number has one contact at most.
async fn free_numbers(tx: &mut Tx<'_>, org: OrgId, theirs: &Contact) -> Result<Vec<Phone>> {
    let mut free: Vec<Phone> = Vec::new();
    for phone in &theirs.other_phones {
        let is_new = theirs.phone.as_ref() != Some(phone) && !free.contains(phone);
        if is_new && contacts::by_phone(tx, org, phone).await?.is_none() {
            free.push(phone.clone());
        }
    }
    Ok(free)
}

/// Brings in a lead: the one of the same call is the same.
pub(super) async fn lead(
    tx: &mut Tx<'_>,
    context: &Context,
    theirs: &Lead,
    stamps: &mut Stamps,
) -> Result<Became> {
    let org = context.org;
    let call_id = ours_of(tx, org, ImportKind::Calls, theirs.call_id).await?;
    if is_erased(tx, org, theirs.contact_id).await? || is_call_erased(tx, org, call_id).await? {
        return Ok(Became::Erased);
    }
    let sql = "SELECT id FROM leads WHERE call_id = ?1 AND org_id = ?2";
    if let Some(known) = tx.first(sql, params![call_id, org], |row| row.get::<Uuid>()).await? {
        return Ok(Became::Known(known));
    }
    let id = id_for(tx, context, "leads", theirs.id.uuid()).await?;
    let contact_id = contact_of(tx, org, theirs.contact_id, theirs.phone.as_ref()).await?;
    let stamp = stamps.next(tx).await?;
    let lead = Lead {
        id: LeadId::new(id),
        call_id,
        contact_id,
        created_at: stamp,
        updated_at: stamp,
        ..theirs.clone()
    };
    leads::insert(tx, org, None, &lead).await?;
    let sql = "UPDATE calls SET lead_id = ?3 WHERE id = ?1 AND org_id = ?2 AND lead_id IS NULL";
    tx.execute(sql, params![call_id, org, id]).await?;
    Ok(Became::New(id))
}

/// Brings in an appointment: the one of the same call at the same time is the same.
pub(super) async fn appointment(
    tx: &mut Tx<'_>,
    context: &Context,
    theirs: &Appointment,
    bookings: BookingKeys,
    stamps: &mut Stamps,
) -> Result<Became> {
    let org = context.org;
    let call_id = ours_of(tx, org, ImportKind::Calls, theirs.call_id).await?;
    if is_erased(tx, org, theirs.contact_id).await? || is_call_erased(tx, org, call_id).await? {
        return Ok(Became::Erased);
    }
    let sql = "SELECT id FROM appointments WHERE call_id = ?1 AND org_id = ?2 AND starts_at = ?3 \
                   AND NOT EXISTS (SELECT 1 FROM imported_records r WHERE r.org_id = ?2 \
                                   AND r.kind = 'appointments' AND r.our_id = appointments.id) LIMIT 1";
    let values = params![call_id, org, theirs.starts_at];
    if let Some(known) = tx.first(sql, values, |row| row.get::<Uuid>()).await? {
        return Ok(Became::Known(known));
    }
    let id = id_for(tx, context, "appointments", theirs.id.uuid()).await?;
    let tool_call = match call_id {
        Some(call) => free_booking(tx, org, call, bookings).await?,
        None => None,
    };
    // One that no use of a tool is known for is told from the others by its id.
    let tool_call = tool_call.unwrap_or_else(|| theirs.id.to_string());
    let (contact_id, lead_id, assistant_id) = their_links(tx, org, theirs).await?;
    let stamp = stamps.next(tx).await?;
    let appointment = Appointment {
        id: AppointmentId::new(id),
        call_id,
        contact_id,
        lead_id,
        assistant_id,
        created_at: stamp,
        updated_at: stamp,
        ..theirs.clone()
    };
    appointments::insert(tx, org, (Some(&tool_call), None), &appointment).await?;
    Ok(Became::New(id))
}

async fn their_links(
    tx: &mut Tx<'_>,
    org: OrgId,
    theirs: &Appointment,
) -> Result<(Option<ContactId>, Option<LeadId>, Option<AssistantId>)> {
    Ok((
        contact_of(tx, org, theirs.contact_id, theirs.attendee_phone.as_ref()).await?,
        ours_of(tx, org, ImportKind::Leads, theirs.lead_id).await?,
        ours_of(tx, org, ImportKind::Assistants, theirs.assistant_id).await?,
    ))
}

/// Our contact: the one that theirs became, or the one with the number, where theirs was made after we had gone through
/// the contacts.
async fn contact_of(
    tx: &mut Tx<'_>,
    org: OrgId,
    theirs: Option<ContactId>,
    phone: Option<&Phone>,
) -> Result<Option<ContactId>> {
    if let Some(ours) = our_contact(tx, org, theirs).await? {
        return Ok(Some(ours));
    }
    let (Some(_), Some(phone)) = (theirs, phone) else { return Ok(None) };
    Ok(contacts::by_phone(tx, org, phone).await?.map(|contact| contact.id))
}

/// The use of a booking tool in the call's conversation that has no appointment yet: so a message of the platform that
/// tells of the booking again does not book again.
async fn free_booking(
    tx: &mut Tx<'_>,
    org: OrgId,
    call: CallId,
    bookings: BookingKeys,
) -> Result<Option<String>> {
    let sql = "SELECT m.body FROM calls c JOIN messages m ON m.seq = c.seq WHERE c.id = ?1 AND c.org_id = ?2";
    let messages: Option<Vec<Message>> =
        tx.first(sql, params![call, org], |row| row.json("messages")).await?;
    let taken = appointments::of_call(tx, org, call).await?;
    let keys = bookings(messages.as_deref().unwrap_or_default());
    Ok(keys.into_iter().find(|key| taken.iter().all(|(known, _)| known != key)))
}

async fn is_call_erased(tx: &mut Tx<'_>, org: OrgId, call: Option<CallId>) -> Result<bool> {
    let sql = "SELECT 1 FROM calls WHERE id = ?1 AND org_id = ?2 AND erasure_id IS NOT NULL";
    Ok(tx.first(sql, params![call, org], |_| Ok(())).await?.is_some())
}
