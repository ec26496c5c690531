//! Everything of an organization as JSON, oldest first, in pages that each are a short read of their own: no
//! transaction is held over a whole export, so the write-ahead log can begin anew while one runs, and no more than a
//! page is in memory.
//!
//! What a reader gets: every record that was visible when the export began, once, as it stood when its page was read.
//! Records that are made meanwhile are not in it. Two pages are two moments: a lead can show a change that the call
//! before it does not show yet.

mod pages;
mod person;

use model::{
    AppointmentStatus, CallStatus, ContactId, LeadStatus, OrgId, Phone, Place, SourceId, Stamp, Time, Urgency,
};
use uuid::Uuid;

use self::pages::{Asked, page};
pub use self::person::PersonExport;
use crate::{CallView, Error, OrgStore, Outcome, Result, tx::Tx, value::params};

/// What can be exported, in an order in which each record comes after those that it points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// The assistants that were seen.
    Assistants,
    /// Contacts.
    Contacts,
    /// Calls, each with its conversation and what there is of its recordings.
    Calls,
    /// Leads.
    Leads,
    /// Appointments.
    Appointments,
    /// The block list.
    BlockedNumbers,
    /// Events, as they were told.
    Events,
    /// Sources, without their secrets.
    Sources,
    /// Webhook endpoints, forwards among them, without their secrets.
    Webhooks,
    /// Messages as they arrived from platforms, without what proves their sender.
    Messages,
    /// What platforms did not tell of and their lists did.
    Gaps,
}

impl ExportKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Assistants,
        Self::Contacts,
        Self::Calls,
        Self::Leads,
        Self::Appointments,
        Self::BlockedNumbers,
        Self::Events,
        Self::Sources,
        Self::Webhooks,
        Self::Messages,
        Self::Gaps,
    ];

    /// The word in addresses and names of files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assistants => "assistants",
            Self::Contacts => "contacts",
            Self::Calls => "calls",
            Self::Leads => "leads",
            Self::Appointments => "appointments",
            Self::BlockedNumbers => "blocked-numbers",
            Self::Events => "events",
            Self::Sources => "sources",
            Self::Webhooks => "webhooks",
            Self::Messages => "messages",
            Self::Gaps => "gaps",
        }
    }

    /// The word for one of them: the `type` of a line.
    pub fn singular(self) -> &'static str {
        match self {
            Self::BlockedNumbers => "blocked_number",
            _ => self.as_str().trim_end_matches('s'),
        }
    }

    /// Whether the walk goes along sources: what hangs on one is in no other order.
    const fn is_by_source(self) -> bool {
        matches!(self, Self::Messages | Self::Gaps)
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Which records are asked for. A condition on what a kind does not have is not looked at.
#[derive(Clone, Debug, Default)]
pub struct ExportFilter {
    /// Only those created, or received, after this.
    pub since: Option<Time>,
    /// Only calls created before this.
    pub until: Option<Time>,
    /// Only calls, leads and appointments of this contact.
    pub contact: Option<ContactId>,
    /// Only those with this number.
    pub phone: Option<Phone>,
    /// Only calls, contacts and leads with these words, as their lists find them.
    pub search: Option<String>,
    /// Only calls that belong in this view.
    pub view: Option<CallView>,
    /// Only calls with this status.
    pub call_status: Option<CallStatus>,
    /// Only leads with this status.
    pub lead_status: Option<LeadStatus>,
    /// Only leads as urgent as this.
    pub urgency: Option<Urgency>,
    /// Only appointments with this status.
    pub appointment_status: Option<AppointmentStatus>,
    /// Only appointments that begin at this time or later.
    pub from: Option<Time>,
    /// Only appointments that begin before this time.
    pub to: Option<Time>,
    /// Only messages that became this.
    pub outcome: Option<Outcome>,
}

/// A walk through all records of a kind.
pub struct Export {
    records: OrgStore,
    kind: ExportKind,
    filter: ExportFilter,
    /// Behind which record the next page begins.
    after: Place,
    /// Where the walk begins, of each source where it goes along sources.
    begin: Place,
    until: Stamp,
    limit: u32,
    /// The sources that are left, the present one last. Messages are in no order but that of their source.
    sources: Vec<SourceId>,
    is_over: bool,
    has_begun: bool,
}

/// How many records are read at once at most, and how many bytes of them are kept: what is beyond is read again with
/// the next page.
const PAGE: u32 = 100;
const PAGE_BYTES: usize = 4 << 20;

/// How many are read first, while it is not known how long they are.
const FIRST_PAGE: u32 = 8;

impl OrgStore {
    /// Begins an export: it ends with what is visible now.
    pub async fn export(&self, kind: ExportKind, filter: ExportFilter) -> Result<Export> {
        let (org, now) = (self.org, self.store.0.clock.now());
        let last = self.store.read(move |tx| Box::pin(async move { last_stamp(tx, org).await })).await?;
        // What is not stamped by the record clock has the time of day, which may be ahead of it.
        let until = match kind {
            ExportKind::Sources | ExportKind::Webhooks | ExportKind::Messages | ExportKind::Gaps => {
                Stamp::from_micros(now.micros())
            }
            _ => last,
        };
        let since = filter.since.unwrap_or(Time::from_micros(i64::MIN));
        // Behind every record of the time itself: `since` means later than it.
        let begin = Place { at: since, id: Uuid::max() };
        let (sources, records) = (self.sources_to_walk(kind).await?, self.clone());
        let is_over = kind.is_by_source() && sources.is_empty();
        let (after, limit) = (begin, FIRST_PAGE);
        Ok(Export { records, kind, filter, after, begin, until, limit, sources, is_over, has_begun: false })
    }

    /// The sources that are walked through, the first of them last: those that were deleted too.
    async fn sources_to_walk(&self, kind: ExportKind) -> Result<Vec<SourceId>> {
        if !kind.is_by_source() {
            return Ok(Vec::new());
        }
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let sql = "SELECT id FROM sources WHERE org_id = ?1 ORDER BY created_at DESC, id DESC";
                    tx.query(sql, params![org], |row| row.get()).await
                })
            })
            .await
    }
}

async fn last_stamp(tx: &mut Tx<'_>, org: OrgId) -> Result<Stamp> {
    let sql = "SELECT last_stamp FROM org_clocks WHERE org_id = ?1";
    let last = tx.first(sql, params![org], |row| row.get()).await?;
    last.ok_or(Error::Stored { what: "organization", why: "is not there".into() })
}

impl Export {
    /// What is exported.
    pub fn kind(&self) -> ExportKind {
        self.kind
    }

    /// Whether nothing was given yet. Only the first to ask is told so.
    pub(crate) fn begins(&mut self) -> bool {
        !std::mem::replace(&mut self.has_begun, true)
    }

    /// The next records, each a JSON object; `None` when all were given.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Vec<u8>>>> {
        while !self.is_over {
            let asked = Asked {
                org: self.records.org,
                kind: self.kind,
                filter: self.filter.clone(),
                source: self.sources.last().copied(),
                after: self.after,
                until: self.until,
                limit: self.limit,
                links: self.records.store.recording_links().cloned(),
            };
            let read = self.records.store.read(move |tx| Box::pin(async move { page(tx, &asked).await }));
            let page = read.await?;
            let Some(last) = page.last else {
                self.sources.pop();
                self.after = self.begin;
                self.is_over = self.sources.is_empty();
                continue;
            };
            self.after = last;
            // Twice as many while they are short, half as many where not all of a page could be kept.
            self.limit = if page.is_full { (self.limit / 2).max(1) } else { (self.limit * 2).min(PAGE) };
            // Of a page that was searched, nothing may be left.
            if !page.records.is_empty() {
                return Ok(Some(page.records));
            }
        }
        Ok(None)
    }
}
