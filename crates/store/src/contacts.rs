//! Contacts.

mod merge;
mod write;

use model::{Contact, ContactId, Cursor, OrgId, Page, Phone, Stamp, Time};

use crate::{
    Listed, OrgStore, Result,
    list::ListQuery,
    seek::{self, Sought},
    tx::Tx,
    value::{Cells, params},
};

pub use self::write::ContactChange;
pub(crate) use self::write::{apply_to_list, blank, make, named, put_numbers, resolve};

/// Which contacts are asked for.
#[derive(Clone, Debug)]
pub struct ListContacts {
    /// The page.
    pub page: Page,
    /// Only the one with this number.
    pub phone: Option<Phone>,
    /// Only those with these words in name, e-mail address, company or labels, or these digits in a number.
    pub search: Option<String>,
}

pub(crate) const COLUMNS: &str = "id, name, phone, other_phones, email, company, notes, tags, call_count, last_call_at, created_at, updated_at";

pub(crate) fn read(row: &mut Cells<'_>) -> Result<Contact> {
    Ok(Contact {
        id: row.get()?,
        name: row.get()?,
        phone: row.get()?,
        other_phones: row.json("phone numbers")?,
        email: row.get()?,
        company: row.get()?,
        notes: row.get()?,
        tags: row.json("tags")?,
        call_count: row.get()?,
        last_call_at: row.get()?,
        created_at: row.get()?,
        updated_at: row.get()?,
    })
}

impl OrgStore {
    /// A contact, if the organization has it. The id of one that was merged into another names that one.
    pub async fn get_contact(&self, id: ContactId) -> Result<Option<Contact>> {
        let org = self.org;
        self.store.peek(move |tx| Box::pin(async move { resolve(tx, org, id).await })).await
    }

    /// Contacts, newest first.
    pub async fn list_contacts(&self, list: ListContacts) -> Result<Listed<Contact>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let query = |page: &Page| {
                        let select = format!("SELECT {COLUMNS} FROM contacts");
                        let mut query = ListQuery::new(&select, org, page);
                        if let Some(phone) = &list.phone {
                            query.add_with(with_number, phone.into());
                        }
                        query.finish(page)
                    };
                    if let Some(search) = &list.search {
                        let sought = Sought::new(search);
                        return seek::page(tx, &list.page, query, read, place, |it| fits(it, &sought)).await;
                    }
                    let (sql, params) = query(&list.page);
                    Ok(Listed::cut(tx.query(&sql, &params, read).await?, &list.page, place))
                })
            })
            .await
    }
}

fn place(contact: &Contact) -> Cursor {
    Cursor(contact.created_at)
}

/// Whether a contact is one that is looked for.
pub(crate) fn fits(contact: &Contact, sought: &Sought) -> bool {
    let texts = [&contact.name, &contact.email, &contact.company].into_iter().flatten();
    let texts = texts.chain(&contact.tags).map(String::as_str);
    sought.fits(texts, contact.phone.iter().chain(&contact.other_phones))
}

/// Whether a contact has the number in the parameter `?n`, be it a further one.
fn with_number(n: usize) -> String {
    format!(
        "id IN (SELECT id FROM contacts WHERE org_id = ?1 AND phone = ?{n} UNION ALL \
                SELECT contact_id FROM contact_phones WHERE org_id = ?1 AND phone = ?{n})"
    )
}

pub(crate) async fn by_id(tx: &mut Tx<'_>, org: OrgId, id: ContactId) -> Result<Option<Contact>> {
    let sql = format!("SELECT {COLUMNS} FROM contacts WHERE id = ?1 AND org_id = ?2");
    tx.first(&sql, params![id, org], read).await
}

/// The contact that a number leads to. One statement, of which the second half is not run where the first finds it.
pub(crate) async fn by_phone(tx: &mut Tx<'_>, org: OrgId, phone: &Phone) -> Result<Option<Contact>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM contacts WHERE org_id = ?1 AND phone = ?2 UNION ALL \
         SELECT {COLUMNS} FROM contacts WHERE org_id = ?1 \
             AND id = (SELECT contact_id FROM contact_phones WHERE org_id = ?1 AND phone = ?2) LIMIT 1"
    );
    tx.first(&sql, params![org, phone], read).await
}

/// A list as it is stored.
fn list(items: &[impl serde::Serialize]) -> String {
    // Texts: there is nothing in them that JSON could not hold.
    serde_json::to_string(items).unwrap_or_else(|_| "[]".into())
}

pub(crate) async fn insert(tx: &mut Tx<'_>, org: OrgId, contact: &Contact) -> Result<()> {
    let (tags, others) = (list(&contact.tags), list(&contact.other_phones));
    tx.execute(
        "INSERT INTO contacts (id, org_id, name, phone, email, company, notes, tags, blocked, call_count, \
                               last_call_at, created_at, updated_at, other_phones) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, FALSE, ?9, ?10, ?11, ?12, ?13)",
        params![
            contact.id,
            org,
            &contact.name,
            &contact.phone,
            &contact.email,
            &contact.company,
            &contact.notes,
            &tags,
            contact.call_count,
            contact.last_call_at,
            contact.created_at,
            contact.updated_at,
            &others,
        ],
    )
    .await
    .map(drop)
}

/// Writes what a call changes of a contact.
pub(crate) async fn update(tx: &mut Tx<'_>, org: OrgId, contact: &Contact) -> Result<()> {
    tx.execute(
        "UPDATE contacts SET name = ?3, email = ?4, company = ?5, call_count = ?6, last_call_at = ?7, updated_at = ?8 \
         WHERE id = ?1 AND org_id = ?2",
        params![
            contact.id,
            org,
            &contact.name,
            &contact.email,
            &contact.company,
            contact.call_count,
            contact.last_call_at,
            contact.updated_at,
        ],
    )
    .await
    .map(drop)
}

/// Takes one call away from a contact: a later message showed that it was somebody else's.
pub(crate) async fn lose_call(tx: &mut Tx<'_>, org: OrgId, id: ContactId, now: Stamp) -> Result<()> {
    let sql =
        "UPDATE contacts SET call_count = call_count - 1, updated_at = ?3 WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![id, org, now]).await.map(drop)
}

/// Looks up when a contact's last call was, where that was a time of a call which a later message showed to have begun
/// earlier, or to be somebody else's.
pub(crate) async fn correct_last_call(
    tx: &mut Tx<'_>,
    org: OrgId,
    (id, corrected): (ContactId, Time),
) -> Result<()> {
    let sql = "UPDATE contacts SET last_call_at = \
                   (SELECT max(started_at) FROM calls WHERE contact_id = ?1 AND org_id = ?2) \
               WHERE id = ?1 AND org_id = ?2 AND last_call_at = ?3";
    tx.execute(sql, params![id, org, corrected]).await.map(drop)
}
