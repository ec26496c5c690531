//! What all writes of single records have in common: carried out once for each idempotency key, only on the version
//! that is meant, in one transaction with the events that tell of them.

mod told;

use model::{Appointment, CallId, Contact, Lead, OrgId, Stamp};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::{
    Error, Idempotency, OrgStore, Result, Written,
    calls::NamedCall,
    events::{self, Subject, Teller},
    idempotency,
    stamps::Stamps,
    tx::Tx,
};

/// What is asked of a write beside the change itself.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Under which key it is carried out once.
    pub idempotency: Option<Idempotency>,
    /// On which version of the record; on whichever there is, where nothing is said.
    pub if_match: Option<IfMatch>,
}

/// The versions of a record that a write is meant for (`If-Match`, RFC 9110 section 13.1.1).
#[derive(Clone, Debug)]
pub enum IfMatch {
    /// Whichever there is.
    Any,
    /// One of these: the record's `updated_at`.
    Versions(Vec<Stamp>),
}

impl IfMatch {
    fn permits(&self, version: Stamp) -> bool {
        match self {
            Self::Any => true,
            Self::Versions(versions) => versions.contains(&version),
        }
    }
}

/// Why a write was not carried out. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such record.
    Missing,
    /// The record was changed since the version that is meant.
    Stale,
    /// A field names a record that is not there.
    Unknown {
        /// The field.
        field: &'static str,
        /// What it should name.
        noun: &'static str,
    },
    /// A field's value can be one record's only, and is another's.
    Taken {
        /// The field.
        field: &'static str,
        /// What has it.
        noun: &'static str,
        /// Which one.
        by: Uuid,
    },
    /// A field names a contact whose person is being erased.
    Erased {
        /// The field.
        field: &'static str,
    },
    /// A field cannot have this value, and why.
    Wrong {
        /// The field.
        field: &'static str,
        /// Why.
        why: &'static str,
    },
}

/// What became of a write.
pub type Answer = std::result::Result<Written, Refusal>;

/// What ends a write early.
pub(crate) enum Halt {
    /// Said before anything is written: what was written would stay.
    Refused(Refusal),
    Failed(Error),
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What a write answers with, or why it ended.
pub(crate) type Saving = std::result::Result<Saved, Halt>;

/// What a write answers with.
pub(crate) struct Saved {
    created: bool,
    data: String,
}

impl Saved {
    /// A record that was not there before.
    pub(crate) fn created(record: &impl Serialize) -> Self {
        Self { created: true, data: to_json(record) }
    }

    /// A record as it is now.
    pub(crate) fn updated(record: &impl Serialize) -> Self {
        Self { created: false, data: to_json(record) }
    }

    /// A record as it is now, which is JSON already.
    pub(crate) fn updated_json(data: String) -> Self {
        Self { created: false, data }
    }

    /// A record that is not there any more.
    pub(crate) fn deleted(id: Uuid) -> Self {
        Self { created: false, data: json!({"id": id, "deleted": true}).to_string() }
    }
}

pub(crate) fn to_json(record: &impl Serialize) -> String {
    // Records are plain structures of text and numbers: there is nothing in them that JSON could not hold.
    serde_json::to_string(record).unwrap_or_else(|_| "null".into())
}

/// A record before a write, and after it.
pub(crate) struct Changed<T> {
    pub(crate) before: Option<T>,
    pub(crate) after: Option<T>,
    /// The call that the record belongs to.
    pub(crate) call: Option<NamedCall>,
}

/// What a write did to one record. From these alone it is decided what is told ([`told::event_of`]).
pub(crate) enum Change {
    Contact(Box<Changed<Contact>>),
    Lead(Box<Changed<Lead>>),
    Appointment(Box<Changed<Appointment>>),
    /// Some fields of a record, which was not looked at as a whole, and the call that it belongs to.
    Fields(Subject, Option<CallId>, Vec<&'static str>),
}

/// A write that is being carried out.
pub(crate) struct Writing<'w, 'c> {
    pub(crate) tx: &'w mut Tx<'c>,
    pub(crate) org: OrgId,
    pub(crate) teller: &'w Teller,
    pub(crate) stamps: Stamps,
    if_match: Option<IfMatch>,
    changes: Vec<Change>,
}

impl Writing<'_, '_> {
    /// The next stamp of the record clock.
    pub(crate) async fn stamp(&mut self) -> Result<Stamp> {
        self.stamps.next(self.tx).await
    }

    /// Refuses the write where the record is not in the version that is meant.
    pub(crate) fn expect(&self, version: Stamp) -> std::result::Result<(), Refusal> {
        match &self.if_match {
            Some(if_match) if !if_match.permits(version) => Err(Refusal::Stale),
            _ => Ok(()),
        }
    }

    /// Notes what was done, so that it is told.
    pub(crate) fn note(&mut self, change: Change) {
        self.changes.push(change);
    }
}

impl OrgStore {
    /// Carries out a write: everything in one transaction, or nothing.
    pub(crate) async fn write_once<F>(&self, asked: Asked, operation: F) -> Result<Answer>
    where
        F: for<'t> FnOnce(&'t mut Writing<'_, '_>) -> Operation<'t> + Send + 'static,
    {
        let teller = self.teller();
        self.store
            .write(move |tx| Box::pin(async move { carry_out(tx, &teller, asked, operation).await }))
            .await
    }
}

/// The future of an operation within a write.
pub(crate) type Operation<'t> = std::pin::Pin<Box<dyn Future<Output = Saving> + Send + 't>>;

async fn carry_out<F>(tx: &mut Tx<'_>, teller: &Teller, asked: Asked, operation: F) -> Result<Answer>
where
    F: for<'t> FnOnce(&'t mut Writing<'_, '_>) -> Operation<'t>,
{
    let (org, now) = (teller.org, teller.now);
    // The organization's clock is locked before anything is looked up: so nobody else writes in between, and the same
    // request at the same moment finds the first one's answer.
    let stamps = Stamps::take(tx, org, now).await?;
    if let Some(known) = idempotency::known(tx, org, asked.idempotency.as_ref(), now).await? {
        return Ok(Ok(known));
    }
    let mut writing = Writing { tx, org, teller, stamps, if_match: asked.if_match, changes: Vec::new() };
    let saved = match operation(&mut writing).await {
        Ok(saved) => saved,
        Err(Halt::Refused(refusal)) => return Ok(Err(refusal)),
        Err(Halt::Failed(error)) => return Err(error),
    };
    let Writing { tx, mut stamps, changes, .. } = writing;
    let events = changes.iter().filter_map(told::event_of).collect();
    events::insert_all(tx, teller, events, &mut stamps).await?;
    let status = if saved.created { 201 } else { 200 };
    idempotency::remember(tx, org, asked.idempotency.as_ref(), status, &saved.data, now).await?;
    Ok(Ok(Written::Done { created: saved.created, data: saved.data }))
}
