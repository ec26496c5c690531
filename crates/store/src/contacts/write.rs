//! Contacts as people and systems write them: create, change, delete.

use model::{Contact, ContactId, OrgId, Patch, Phone, Stamp};

use super::{COLUMNS, by_id, by_phone, read};
use crate::{
    OrgStore, Result, Subject,
    tx::Tx,
    value::{Cells, params},
    writes::{Answer, Asked, Change, Changed, Refusal, Saved, Saving, Writing},
};

/// What is said of a contact's fields.
#[derive(Clone, Debug, Default)]
pub struct ContactChange {
    /// The name.
    pub name: Patch<String>,
    /// The number; no other contact may have it.
    pub phone: Patch<Phone>,
    /// All further numbers, likewise.
    pub other_phones: Patch<Vec<Phone>>,
    /// The e-mail address.
    pub email: Patch<String>,
    /// The company.
    pub company: Patch<String>,
    /// Notes.
    pub notes: Patch<String>,
    /// All labels.
    pub tags: Patch<Vec<String>>,
}

impl OrgStore {
    /// Makes a contact.
    pub async fn create_contact(&self, new: ContactChange, asked: Asked) -> Result<Answer> {
        self.write_once(asked, move |writing| Box::pin(create(writing, new))).await
    }

    /// Changes a contact. The id of one that was merged into it names it too.
    pub async fn update_contact(&self, id: ContactId, change: ContactChange, asked: Asked) -> Result<Answer> {
        self.write_once(asked, move |writing| Box::pin(update(writing, id, change))).await
    }

    /// Deletes a contact. Its calls, leads and appointments stay, without a contact; a later message of such a call
    /// does not make it anew, and a new call from its number makes a new one.
    pub async fn delete_contact(&self, id: ContactId, asked: Asked) -> Result<Answer> {
        self.write_once(asked, move |writing| Box::pin(delete(writing, id))).await
    }
}

async fn create(writing: &mut Writing<'_, '_>, new: ContactChange) -> Saving {
    let contact = blank(writing.teller.ids.id());
    Ok(Saved::created(&make(writing, contact, new).await?))
}

/// A contact of which nothing is known yet.
pub(crate) fn blank(id: ContactId) -> Contact {
    Contact {
        id,
        name: None,
        phone: None,
        other_phones: Vec::new(),
        email: None,
        company: None,
        notes: None,
        tags: Vec::new(),
        call_count: 0,
        last_call_at: None,
        created_at: Stamp::from_micros(0),
        updated_at: Stamp::from_micros(0),
    }
}

/// Stores a new contact.
pub(crate) async fn make(
    writing: &mut Writing<'_, '_>,
    mut contact: Contact,
    new: ContactChange,
) -> std::result::Result<Contact, crate::writes::Halt> {
    apply(&mut contact, new);
    check_numbers(writing, &contact).await?;
    contact.created_at = writing.stamp().await?;
    contact.updated_at = contact.created_at;
    super::insert(writing.tx, writing.org, &contact).await?;
    put_numbers(writing.tx, writing.org, &contact).await?;
    note(writing, None, &contact);
    Ok(contact)
}

async fn update(writing: &mut Writing<'_, '_>, id: ContactId, change: ContactChange) -> Saving {
    let before = resolve(writing.tx, writing.org, id).await?.ok_or(Refusal::Missing)?;
    writing.expect(before.updated_at)?;
    let mut after = before.clone();
    apply(&mut after, change);
    if after != before {
        check_numbers(writing, &after).await?;
        save(writing, &before, &mut after).await?;
    }
    Ok(Saved::updated(&after))
}

/// Writes all of a contact that there was before, its numbers included.
pub(super) async fn save(writing: &mut Writing<'_, '_>, before: &Contact, after: &mut Contact) -> Result<()> {
    after.updated_at = writing.stamp().await?;
    overwrite(writing.tx, writing.org, after).await?;
    if after.other_phones != before.other_phones {
        put_numbers(writing.tx, writing.org, after).await?;
    }
    note(writing, Some(before), after);
    Ok(())
}

fn note(writing: &mut Writing<'_, '_>, before: Option<&Contact>, after: &Contact) {
    let changed = Changed { before: before.cloned(), after: Some(after.clone()), call: None };
    writing.note(Change::Contact(Box::new(changed)));
}

async fn delete(writing: &mut Writing<'_, '_>, id: ContactId) -> Saving {
    let before = by_id(writing.tx, writing.org, id).await?.ok_or(Refusal::Missing)?;
    writing.expect(before.updated_at)?;
    move_records(writing, id, None).await?;
    let (org, tx) = (writing.org, &mut *writing.tx);
    for sql in [
        "DELETE FROM merged_contacts WHERE into_id = ?1 AND org_id = ?2",
        "DELETE FROM contact_phones WHERE contact_id = ?1 AND org_id = ?2",
        "DELETE FROM contacts WHERE id = ?1 AND org_id = ?2",
    ] {
        tx.execute(sql, params![id, org]).await?;
    }
    Ok(Saved::deleted(id.uuid()))
}

/// Gives a contact's calls, leads and appointments to another one, or to nobody.
pub(super) async fn move_records(
    writing: &mut Writing<'_, '_>,
    from: ContactId,
    into: Option<ContactId>,
) -> Result<()> {
    note_moved(writing, from).await?;
    for table in ["calls", "leads", "appointments"] {
        let stamp = writing.stamp().await?;
        let sql = format!(
            "UPDATE {table} SET contact_id = ?3, updated_at = ?4 WHERE contact_id = ?1 AND org_id = ?2"
        );
        writing.tx.execute(&sql, params![from, writing.org, into, stamp]).await?;
    }
    Ok(())
}

/// Notes the leads and appointments that another contact gets, or none. The calls may be any number, and are not told
/// one by one.
async fn note_moved(writing: &mut Writing<'_, '_>, from: ContactId) -> Result<()> {
    if !writing.tx.known.opted_in.contains(&writing.org) {
        return Ok(());
    }
    let key = params![from, writing.org];
    let sql = "SELECT id, call_id FROM leads WHERE contact_id = ?1 AND org_id = ?2 ORDER BY created_at";
    let leads = writing.tx.query(sql, key, |row| Ok((Subject::Lead(row.get()?), row.get()?))).await?;
    let sql =
        "SELECT id, call_id FROM appointments WHERE contact_id = ?1 AND org_id = ?2 ORDER BY created_at";
    let read = |row: &mut Cells<'_>| Ok((Subject::Appointment(row.get()?), row.get()?));
    let appointments = writing.tx.query(sql, key, read).await?;
    for (subject, call) in leads.into_iter().chain(appointments) {
        writing.note(Change::Fields(subject, call, vec!["contact_id"]));
    }
    Ok(())
}

fn apply(contact: &mut Contact, change: ContactChange) {
    change.name.apply_to(&mut contact.name);
    change.phone.apply_to(&mut contact.phone);
    change.email.apply_to(&mut contact.email);
    change.company.apply_to(&mut contact.company);
    change.notes.apply_to(&mut contact.notes);
    apply_to_list(change.tags, &mut contact.tags);
    apply_to_list(change.other_phones, &mut contact.other_phones);
    let phone = contact.phone.clone();
    let mut seen: Vec<Phone> = Vec::new();
    contact.other_phones.retain(|other| {
        let is_further = Some(other) != phone.as_ref() && !seen.contains(other);
        seen.push(other.clone());
        is_further
    });
}

/// A list is empty rather than unknown.
pub(crate) fn apply_to_list<T>(said: Patch<Vec<T>>, slot: &mut Vec<T>) {
    match said {
        Patch::Leave => {}
        Patch::Clear => slot.clear(),
        Patch::Set(list) => *slot = list,
    }
}

/// A number has one contact at most, or a caller would be two people.
async fn check_numbers(
    writing: &mut Writing<'_, '_>,
    contact: &Contact,
) -> std::result::Result<(), crate::writes::Halt> {
    let numbers = contact.phone.iter().map(|phone| ("phone", phone));
    let numbers = numbers.chain(contact.other_phones.iter().map(|phone| ("other_phones", phone)));
    for (field, phone) in numbers {
        let owner = by_phone(writing.tx, writing.org, phone).await?;
        if let Some(owner) = owner.filter(|owner| owner.id != contact.id) {
            return Err(Refusal::Taken { field, noun: "contact", by: owner.id.uuid() }.into());
        }
    }
    Ok(())
}

async fn overwrite(tx: &mut Tx<'_>, org: OrgId, contact: &Contact) -> Result<()> {
    let (tags, others) = (super::list(&contact.tags), super::list(&contact.other_phones));
    tx.execute(
        "UPDATE contacts SET name = ?3, phone = ?4, other_phones = ?5, email = ?6, company = ?7, notes = ?8, tags = ?9, \
                call_count = ?10, last_call_at = ?11, updated_at = ?12 \
         WHERE id = ?1 AND org_id = ?2",
        params![
            contact.id,
            org,
            &contact.name,
            &contact.phone,
            &others,
            &contact.email,
            &contact.company,
            &contact.notes,
            &tags,
            contact.call_count,
            contact.last_call_at,
            contact.updated_at,
        ],
    )
    .await
    .map(drop)
}

/// Writes a contact's further numbers, over those that were there.
pub(crate) async fn put_numbers(tx: &mut Tx<'_>, org: OrgId, contact: &Contact) -> Result<()> {
    let sql = "DELETE FROM contact_phones WHERE contact_id = ?1 AND org_id = ?2";
    tx.execute(sql, params![contact.id, org]).await?;
    for phone in &contact.other_phones {
        let sql = "INSERT INTO contact_phones (org_id, phone, contact_id) VALUES (?1, ?2, ?3)";
        tx.execute(sql, params![org, phone, contact.id]).await?;
    }
    Ok(())
}

/// The contact with an id, or the one that it was merged into.
pub(crate) async fn resolve(tx: &mut Tx<'_>, org: OrgId, id: ContactId) -> Result<Option<Contact>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM contacts WHERE org_id = ?2 AND id = ?1 UNION ALL \
         SELECT {COLUMNS} FROM contacts WHERE org_id = ?2 \
             AND id = (SELECT into_id FROM merged_contacts WHERE id = ?1 AND org_id = ?2) LIMIT 1"
    );
    tx.first(&sql, params![id, org], read).await
}

/// The contact that a field of another record names.
pub(crate) async fn named(
    writing: &mut Writing<'_, '_>,
    id: ContactId,
) -> std::result::Result<ContactId, crate::writes::Halt> {
    let contact = resolve(writing.tx, writing.org, id).await?;
    Ok(contact.ok_or(Refusal::Unknown { field: "contact_id", noun: "contact" })?.id)
}
