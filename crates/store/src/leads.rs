//! Leads.

mod counts;
mod write;

use model::{ContactId, Cursor, Lead, LeadId, LeadStatus, OrgId, Page, Phone, Urgency};

use crate::{
    Listed, OrgStore, Result,
    list::ListQuery,
    provenance::Made,
    seek::{self, Sought},
    tx::Tx,
    value::{Cells, params},
};

pub(crate) use self::write::named;
pub use self::{counts::LeadCounts, write::LeadChange};

/// Which leads are asked for.
#[derive(Clone, Debug)]
pub struct ListLeads {
    /// The page.
    pub page: Page,
    /// Only those with this status.
    pub status: Option<LeadStatus>,
    /// Only those as urgent as this.
    pub urgency: Option<Urgency>,
    /// Only those of this contact.
    pub contact: Option<ContactId>,
    /// Only those with this number.
    pub phone: Option<Phone>,
    /// Only those with these words in name, e-mail address, intent or summary, or these digits in the number.
    pub search: Option<String>,
}

pub(crate) const COLUMNS: &str = "id, call_id, contact_id, name, phone, email, intent, urgency, summary, status, notes, \
                       created_at, updated_at";

pub(crate) fn read(row: &mut Cells<'_>) -> Result<Lead> {
    Ok(Lead {
        id: row.get()?,
        call_id: row.get()?,
        contact_id: row.get()?,
        name: row.get()?,
        phone: row.get()?,
        email: row.get()?,
        intent: row.get()?,
        urgency: row.word_or_null("urgency", Urgency::parse)?,
        summary: row.get()?,
        status: row.word("lead status", LeadStatus::parse)?,
        notes: row.get()?,
        created_at: row.get()?,
        updated_at: row.get()?,
    })
}

impl OrgStore {
    /// A lead, if the organization has it.
    pub async fn get_lead(&self, id: LeadId) -> Result<Option<Lead>> {
        let org = self.org;
        self.store.peek(move |tx| Box::pin(async move { by_id(tx, org, id).await })).await
    }

    /// Leads, newest first.
    pub async fn list_leads(&self, list: ListLeads) -> Result<Listed<Lead>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let query = |page: &Page| {
                        let mut query = ListQuery::new(&format!("SELECT {COLUMNS} FROM leads"), org, page);
                        query.equals("status", list.status.map(LeadStatus::as_str));
                        query.equals("urgency", list.urgency.map(Urgency::as_str));
                        query.equals("contact_id", list.contact);
                        query.equals("phone", list.phone.as_ref());
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

fn place(lead: &Lead) -> Cursor {
    Cursor(lead.created_at)
}

/// Whether a lead is one that is looked for.
pub(crate) fn fits(lead: &Lead, sought: &Sought) -> bool {
    let texts = [&lead.name, &lead.email, &lead.intent, &lead.summary].into_iter().flatten();
    sought.fits(texts.map(String::as_str), &lead.phone)
}

pub(crate) async fn by_id(tx: &mut Tx<'_>, org: OrgId, id: LeadId) -> Result<Option<Lead>> {
    let sql = format!("SELECT {COLUMNS} FROM leads WHERE id = ?1 AND org_id = ?2");
    tx.first(&sql, params![id, org], read).await
}

/// The newest lead of a contact that is still worked on.
pub(crate) async fn open_lead_of(tx: &mut Tx<'_>, org: OrgId, contact: ContactId) -> Result<Option<Lead>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM leads \
         WHERE contact_id = ?1 AND org_id = ?2 AND status IN ('new', 'contacted', 'qualified') \
         ORDER BY created_at DESC LIMIT 1"
    );
    tx.first(&sql, params![contact, org], read).await
}

/// Stores a new lead, which a rule may have made.
pub(crate) async fn insert(tx: &mut Tx<'_>, org: OrgId, made: Option<Made>, lead: &Lead) -> Result<()> {
    let (rule, message) = Made::columns(made);
    tx.execute(
        "INSERT INTO leads (id, org_id, call_id, contact_id, name, phone, email, intent, urgency, summary, status, \
                            notes, created_at, updated_at, rule, message_id) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        params![
            lead.id,
            org,
            lead.call_id,
            lead.contact_id,
            &lead.name,
            &lead.phone,
            &lead.email,
            &lead.intent,
            lead.urgency.map(Urgency::as_str),
            &lead.summary,
            lead.status.as_str(),
            &lead.notes,
            lead.created_at,
            lead.updated_at,
            rule,
            message,
        ],
    )
    .await
    .map(drop)
}

/// Writes what a call changes of a lead.
pub(crate) async fn update(tx: &mut Tx<'_>, org: OrgId, lead: &Lead) -> Result<()> {
    tx.execute(
        "UPDATE leads SET contact_id = ?3, name = ?4, phone = ?5, email = ?6, intent = ?7, urgency = ?8, \
                          summary = ?9, updated_at = ?10 \
         WHERE id = ?1 AND org_id = ?2",
        params![
            lead.id,
            org,
            lead.contact_id,
            &lead.name,
            &lead.phone,
            &lead.email,
            &lead.intent,
            lead.urgency.map(Urgency::as_str),
            &lead.summary,
            lead.updated_at,
        ],
    )
    .await
    .map(drop)
}
