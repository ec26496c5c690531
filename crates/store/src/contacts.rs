//! Contacts.

use model::{Contact, ContactId, Cursor, OrgId, Page, Phone};

use crate::{
    Listed, OrgStore, Result,
    list::ListQuery,
    tx::Tx,
    value::{Cells, params},
};

/// Which contacts are asked for.
#[derive(Clone, Debug)]
pub struct ListContacts {
    /// The page.
    pub page: Page,
    /// Only the one with this number.
    pub phone: Option<Phone>,
}

pub(crate) const COLUMNS: &str =
    "id, name, phone, email, company, notes, tags, call_count, last_call_at, created_at, updated_at";

pub(crate) fn read(row: &mut Cells<'_>) -> Result<Contact> {
    Ok(Contact {
        id: row.get()?,
        name: row.get()?,
        phone: row.get()?,
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
    /// A contact, if the organization has it.
    pub async fn get_contact(&self, id: ContactId) -> Result<Option<Contact>> {
        let org = self.org;
        self.store
            .peek(move |tx| {
                Box::pin(async move {
                    let sql = format!("SELECT {COLUMNS} FROM contacts WHERE id = ?1 AND org_id = ?2");
                    tx.first(&sql, params![id, org], read).await
                })
            })
            .await
    }

    /// Contacts, newest first.
    pub async fn list_contacts(&self, list: ListContacts) -> Result<Listed<Contact>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let mut query =
                        ListQuery::new(&format!("SELECT {COLUMNS} FROM contacts"), org, &list.page);
                    query.equals("phone", list.phone.as_ref());
                    let (sql, params) = query.finish(&list.page);
                    let records = tx.query(&sql, &params, read).await?;
                    Ok(Listed::cut(records, &list.page, |contact| Cursor(contact.created_at)))
                })
            })
            .await
    }
}

pub(crate) async fn by_phone(tx: &mut Tx<'_>, org: OrgId, phone: &Phone) -> Result<Option<Contact>> {
    let sql = format!("SELECT {COLUMNS} FROM contacts WHERE org_id = ?1 AND phone = ?2");
    tx.first(&sql, params![org, phone], read).await
}

pub(crate) async fn insert(tx: &mut Tx<'_>, org: OrgId, contact: &Contact) -> Result<()> {
    let tags = serde_json::Value::from(contact.tags.clone()).to_string();
    tx.execute(
        "INSERT INTO contacts (id, org_id, name, phone, email, company, notes, tags, blocked, call_count, \
                               last_call_at, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, FALSE, ?9, ?10, ?11, ?12)",
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
pub(crate) async fn lose_call(tx: &mut Tx<'_>, org: OrgId, id: ContactId) -> Result<()> {
    let sql = "UPDATE contacts SET call_count = call_count - 1 WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![id, org]).await.map(drop)
}
