//! Records of another server, or of an export, brought in: with their ids where those are free, in the order in which
//! they were made there, once each, and told to nobody.
//!
//! Which record of ours one of theirs became is remembered (`imported_records`), so that bringing it in again changes
//! nothing, whatever became of it here. A person who was erased here does not come back: no record that hangs on their
//! contact over there is brought in any more.

mod calls;
mod progress;
mod records;

use std::sync::Arc;

use model::{AssistantId, CallId, Change, Contact, ContactId, Lead, Message, OrgId, Platform};
use uuid::Uuid;

pub use self::progress::{ImportPage, ImportProgress};
use crate::{
    OrgStore, Result, Rules,
    accept::Context,
    contacts,
    stamps::Stamps,
    tx::Tx,
    value::{Value, params},
};

/// What can be brought in, in an order in which each record comes after those that it points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportKind {
    /// Assistants.
    Assistants,
    /// Contacts.
    Contacts,
    /// Calls.
    Calls,
    /// Leads.
    Leads,
    /// Appointments.
    Appointments,
}

impl ImportKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Assistants, Self::Contacts, Self::Calls, Self::Leads, Self::Appointments];

    /// The word in addresses and names of files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assistants => "assistants",
            Self::Contacts => "contacts",
            Self::Calls => "calls",
            Self::Leads => "leads",
            Self::Appointments => "appointments",
        }
    }

    /// The kind whose lines in an export have this `type`.
    pub fn of_line(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str().strip_suffix('s') == Some(word))
    }
}

/// A record as the other server has it: all ids in it are that server's. Its stamps are not looked at.
#[derive(Clone, Debug)]
pub enum ImportRecord {
    /// An assistant.
    Assistant(ImportAssistant),
    /// A contact. How many calls it has is counted here.
    Contact(Box<Contact>),
    /// A call.
    Call(Box<ImportCall>),
    /// A lead.
    Lead(Box<Lead>),
    /// An appointment.
    Appointment(Box<model::Appointment>),
}

/// An assistant as the other server has it.
#[derive(Clone, Debug)]
pub struct ImportAssistant {
    /// Their id.
    pub id: AssistantId,
    /// Its name.
    pub name: Option<String>,
    /// Its platform.
    pub source: Platform,
    /// The platform's id of it.
    pub external_id: String,
}

/// A call as the other server has it.
#[derive(Clone, Debug)]
pub struct ImportCall {
    /// Their id.
    pub id: CallId,
    /// The platform it came from.
    pub source: Platform,
    /// The platform's id of it.
    pub external_id: Option<String>,
    /// What is known of it, as a message that any other outranks.
    pub change: Change,
    /// Their id of its assistant.
    pub assistant_id: Option<AssistantId>,
    /// Their id of its contact.
    pub contact_id: Option<ContactId>,
    /// What people noted of it.
    pub review: ImportReview,
}

/// What people noted of a call over there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReview {
    /// Labels.
    pub tags: Vec<String>,
    /// Notes.
    pub notes: Option<String>,
    /// Whether a person has looked at it.
    pub reviewed: bool,
    /// Whether it is spam.
    pub spam: bool,
}

/// What became of records that were brought in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// They are new here.
    pub added: u64,
    /// They were here before.
    pub known: u64,
    /// Their person was erased here, so they stay away.
    pub erased: u64,
}

impl ImportCounts {
    fn count(&mut self, became: Became) {
        match became {
            Became::New(_) => self.added += 1,
            Became::Known(_) => self.known += 1,
            Became::Erased => self.erased += 1,
        }
    }
}

impl std::ops::AddAssign for ImportCounts {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.known += other.known;
        self.erased += other.erased;
    }
}

/// By what the uses of booking tools in a conversation are known, in their order.
pub type BookingKeys = fn(&[Message]) -> Vec<String>;

/// What became of a record.
#[derive(Clone, Copy)]
enum Became {
    New(Uuid),
    Known(Uuid),
    Erased,
}

impl OrgStore {
    /// Brings in records, all of them or none. Nothing is told of them: they are history.
    pub async fn import(
        &self,
        records: Vec<ImportRecord>,
        rules: Rules,
        bookings: BookingKeys,
    ) -> Result<ImportCounts> {
        if records.is_empty() {
            return Ok(ImportCounts::default());
        }
        let asked = Arc::new((self.context(rules), records));
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let (context, records) = &*asked;
                    let mut stamps = Stamps::take(tx, context.org, context.now).await?;
                    let mut counts = ImportCounts::default();
                    for record in records {
                        counts.count(import(tx, context, record, bookings, &mut stamps).await?);
                    }
                    Ok(counts)
                })
            })
            .await
    }

    /// Which of some records of a kind were brought in before, by their ids over there.
    pub async fn imported(&self, kind: ImportKind, theirs: Vec<Uuid>) -> Result<Vec<Uuid>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let mut known = Vec::new();
                    for id in theirs {
                        if ours(tx, org, kind, id).await?.is_some() {
                            known.push(id);
                        }
                    }
                    Ok(known)
                })
            })
            .await
    }
}

async fn import(
    tx: &mut Tx<'_>,
    context: &Context,
    record: &ImportRecord,
    bookings: BookingKeys,
    stamps: &mut Stamps,
) -> Result<Became> {
    let (kind, theirs) = match record {
        ImportRecord::Assistant(assistant) => (ImportKind::Assistants, assistant.id.uuid()),
        ImportRecord::Contact(contact) => (ImportKind::Contacts, contact.id.uuid()),
        ImportRecord::Call(call) => (ImportKind::Calls, call.id.uuid()),
        ImportRecord::Lead(lead) => (ImportKind::Leads, lead.id.uuid()),
        ImportRecord::Appointment(appointment) => (ImportKind::Appointments, appointment.id.uuid()),
    };
    if let Some(ours) = ours(tx, context.org, kind, theirs).await? {
        return Ok(Became::Known(ours));
    }
    let became = match record {
        ImportRecord::Assistant(assistant) => records::assistant(tx, context, assistant, stamps).await?,
        ImportRecord::Contact(contact) => records::contact(tx, context, contact, stamps).await?,
        ImportRecord::Call(call) => calls::call(tx, context, call, stamps).await?,
        ImportRecord::Lead(lead) => records::lead(tx, context, lead, stamps).await?,
        ImportRecord::Appointment(appointment) => {
            records::appointment(tx, context, appointment, bookings, stamps).await?
        }
    };
    if let Became::New(ours) | Became::Known(ours) = became {
        remember(tx, context.org, kind, (theirs, ours)).await?;
    }
    Ok(became)
}

/// Notes which record of ours one of theirs became.
async fn remember(tx: &mut Tx<'_>, org: OrgId, kind: ImportKind, (theirs, ours): (Uuid, Uuid)) -> Result<()> {
    let sql = "INSERT INTO imported_records (org_id, kind, their_id, our_id) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, params![org, kind.as_str(), theirs, ours]).await.map(drop)
}

/// Our id of a record of theirs.
async fn ours(tx: &mut Tx<'_>, org: OrgId, kind: ImportKind, theirs: Uuid) -> Result<Option<Uuid>> {
    let sql = "SELECT our_id FROM imported_records WHERE org_id = ?1 AND kind = ?2 AND their_id = ?3";
    tx.first(sql, params![org, kind.as_str(), theirs], |row| row.get()).await
}

/// [`ours`] of what may point nowhere.
async fn ours_of<K>(
    tx: &mut Tx<'_>,
    org: OrgId,
    kind: ImportKind,
    theirs: Option<model::Id<K>>,
) -> Result<Option<model::Id<K>>> {
    let Some(theirs) = theirs.map(model::Id::uuid) else { return Ok(None) };
    Ok(ours(tx, org, kind, theirs).await?.map(model::Id::new))
}

/// The contact that theirs became here, or that this one was merged into since; `None` where it was deleted.
async fn our_contact(tx: &mut Tx<'_>, org: OrgId, theirs: Option<ContactId>) -> Result<Option<ContactId>> {
    let Some(ours) = ours_of(tx, org, ImportKind::Contacts, theirs).await? else { return Ok(None) };
    Ok(contacts::resolve(tx, org, ours).await?.map(|contact| contact.id))
}

/// Whether the person was erased, or is being erased, whose contact over there is this: the contact that it became here,
/// or the one that has its id, or the one that either was merged into.
async fn is_erased(tx: &mut Tx<'_>, org: OrgId, contact: Option<ContactId>) -> Result<bool> {
    let became =
        "SELECT our_id FROM imported_records WHERE org_id = ?1 AND kind = 'contacts' AND their_id = ?2";
    let sql = format!(
        "SELECT 1 FROM erasures WHERE org_id = ?1 AND (contact_id = ?2 OR contact_id IN ({became}) \
             OR contact_id IN (SELECT into_id FROM merged_contacts \
                               WHERE org_id = ?1 AND (id = ?2 OR id IN ({became})))) LIMIT 1"
    );
    Ok(tx.first(&sql, params![org, contact], |_| Ok(())).await?.is_some())
}

/// The id for a record that is `theirs` over there: the same, unless it is in use. Ids are unique in the whole database
/// and not in an organization: two organizations of one server may bring in the same export.
async fn id_for(tx: &mut Tx<'_>, context: &Context, table: &str, theirs: Uuid) -> Result<Uuid> {
    let sql = format!("SELECT 1 FROM {table} WHERE id = ?1");
    let values: [Value<'_>; 1] = [theirs.into()];
    let is_taken = tx.first(&sql, &values, |_| Ok(())).await?.is_some();
    Ok(if is_taken { context.ids.uuid() } else { theirs })
}
