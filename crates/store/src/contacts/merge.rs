//! Two contacts that turn out to be one person.

use model::{Contact, ContactId, OrgId};

use super::{
    by_id,
    write::{move_records, resolve, save},
};
use crate::{
    OrgStore, Result, erase,
    tx::Tx,
    value::params,
    writes::{Answer, Asked, Refusal, Saved, Saving, Writing},
};

impl OrgStore {
    /// Merges a contact into another one: its calls, leads and appointments move, the calls of both are counted, what the other
    /// lacks is filled in, and all its numbers go on leading to the other. Its id names the other one from now on.
    pub async fn merge_contacts(&self, into: ContactId, from: ContactId, asked: Asked) -> Result<Answer> {
        self.write_once(asked, move |writing| Box::pin(merge(writing, into, from))).await
    }

    /// What merging a contact into another one would make of it. `None` where there are no two such contacts.
    pub async fn preview_merge(&self, into: ContactId, from: ContactId) -> Result<Option<Contact>> {
        let org = self.org;
        self.store.peek(move |tx| Box::pin(async move { preview(tx, org, into, from).await })).await
    }
}

async fn preview(tx: &mut Tx<'_>, org: OrgId, into: ContactId, from: ContactId) -> Result<Option<Contact>> {
    let (into, from) = (resolve(tx, org, into).await?, by_id(tx, org, from).await?);
    let (Some(mut into), Some(from)) = (into, from) else { return Ok(None) };
    if into.id == from.id {
        return Ok(None);
    }
    absorb(&mut into, from);
    Ok(Some(into))
}

async fn merge(writing: &mut Writing<'_, '_>, into: ContactId, from: ContactId) -> Saving {
    let (org, tx) = (writing.org, &mut *writing.tx);
    let before = resolve(tx, org, into).await?.ok_or(Refusal::Missing)?;
    if from == before.id {
        return Err(Refusal::Wrong { field: "from", why: "must be another contact" }.into());
    }
    let Some(from) = by_id(tx, org, from).await? else {
        // Asked for once more: it is done already.
        let known = resolve(tx, org, from).await?.filter(|known| known.id == before.id);
        known.ok_or(Refusal::Unknown { field: "from", noun: "contact" })?;
        return Ok(Saved::updated(&before));
    };
    for (id, field) in [(before.id, "id"), (from.id, "from")] {
        // Its erasure looks for what the person was known by when it began, and would miss the other's.
        if erase::is_under_way(writing.tx, org, id).await? {
            return Err(Refusal::Erased { field }.into());
        }
    }
    writing.expect(before.updated_at)?;
    move_records(writing, from.id, Some(before.id)).await?;
    remove(writing.tx, writing.org, from.id, before.id).await?;
    let now = writing.teller.now;
    let sql = "INSERT INTO merged_contacts (id, org_id, into_id, merged_at) VALUES (?1, ?2, ?3, ?4)";
    writing.tx.execute(sql, params![from.id, writing.org, before.id, now]).await?;
    let mut after = before.clone();
    absorb(&mut after, from);
    save(writing, &before, &mut after).await?;
    Ok(Saved::updated(&after))
}

/// Takes a contact away, so that its numbers are free, and lets whatever named it name the other one.
async fn remove(tx: &mut Tx<'_>, org: OrgId, id: ContactId, into: ContactId) -> Result<()> {
    let sql = "UPDATE merged_contacts SET into_id = ?3 WHERE into_id = ?1 AND org_id = ?2";
    tx.execute(sql, params![id, org, into]).await?;
    for sql in [
        "DELETE FROM contact_phones WHERE contact_id = ?1 AND org_id = ?2",
        "DELETE FROM contacts WHERE id = ?1 AND org_id = ?2",
    ] {
        tx.execute(sql, params![id, org]).await?;
    }
    Ok(())
}

/// Adds to a contact what another one has. Nothing that somebody wrote of either is lost, but what both have differently
/// and only one can have: there the one that stays is right.
fn absorb(contact: &mut Contact, from: Contact) {
    let fill = |slot: &mut Option<String>, said: Option<String>| *slot = slot.take().or(said);
    fill(&mut contact.name, from.name);
    fill(&mut contact.email, from.email);
    fill(&mut contact.company, from.company);
    contact.notes = match (contact.notes.take(), from.notes) {
        (Some(own), Some(other)) if own != other => Some(format!("{own}\n\n{other}")),
        (own, other) => own.or(other),
    };
    for tag in from.tags {
        if !contact.tags.contains(&tag) {
            contact.tags.push(tag);
        }
    }
    for phone in from.phone.into_iter().chain(from.other_phones) {
        match &contact.phone {
            None => contact.phone = Some(phone),
            Some(_) => contact.other_phones.push(phone),
        }
    }
    contact.call_count += from.call_count;
    contact.last_call_at = contact.last_call_at.max(from.last_call_at);
}

#[cfg(test)]
mod tests {
    use model::{Id, Phone};
    use uuid::Uuid;

    use super::*;
    use crate::contacts::write::blank;

    #[test]
    fn no_number_is_forgotten_whichever_of_the_two_has_how_many() {
        let phone = |n: usize| Phone::from_e164_unchecked(format!("+141555501{n:02}"));
        let contact = |first: usize, count: usize| {
            let mut numbers = (first..first + count).map(phone);
            let id = Id::new(Uuid::from_u128(first as u128));
            Contact { phone: numbers.next(), other_phones: numbers.collect(), ..blank(id) }
        };
        for (own, other) in [(0, 0), (0, 1), (1, 0), (1, 1), (0, 3), (3, 0), (2, 3)] {
            let mut merged = contact(10, own);
            absorb(&mut merged, contact(20, other));
            let numbers: Vec<Phone> = merged.phone.into_iter().chain(merged.other_phones).collect();
            let expected: Vec<Phone> = (10..10 + own).chain(20..20 + other).map(phone).collect();
            assert_eq!(numbers, expected, "{own} and {other}");
        }
    }
}
