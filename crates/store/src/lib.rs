//! The only crate that knows SQL: one concrete [`Store`] over SQLite and PostgreSQL.
//!
//! Every statement is one text for both databases, and every write of several steps one function; where the two
//! differ stands in `dialect.rs`. [`Store::org`] is the only door to an organization's records: whatever it returns
//! can reach that organization's rows and no others.

mod accept;
mod admin;
mod answers;
mod appointments;
mod assistants;
mod audience;
mod blocked_numbers;
mod booking_changes;
mod calendar_feeds;
mod calls;
mod circuit;
mod claims;
mod contacts;
mod deliveries;
mod delivery_log;
mod dialect;
mod endpoints;
mod erase;
mod error;
mod event_log;
mod events;
mod export;
mod forwards;
mod gaps;
mod held;
mod idempotency;
mod import;
mod inbox;
mod json;
mod keys;
mod leads;
mod list;
mod migrate;
mod order;
pub mod outbox;
mod postgres;
mod provenance;
mod rate;
mod received;
mod recent;
mod recording_notes;
mod recording_objects;
mod recording_queue;
mod recordings;
mod recoveries;
mod reprocess;
mod samples;
mod search;
#[cfg(feature = "bench")]
pub mod seed;
mod seek;
mod sessions;
mod settle;
mod setup;
mod signing_keys;
mod source_counts;
mod source_keys;
mod sources;
mod sqlite;
mod stamps;
mod sweep;
mod sync_steps;
mod syncs;
mod turns;
mod tx;
mod users;
mod value;
mod waiting;
mod webhooks;
mod writes;
pub mod written;

use std::{
    path::PathBuf,
    str::FromStr,
    sync::{Arc, OnceLock},
};

use model::{Clock, IdGen, OrgId, RecordingLinks, SourceId};
use tokio::sync::Notify;

pub use crate::{
    accept::{
        BookingChanges, ChangedBefore, ChangedNow, Decision, OrgSettings, Rules, Screening, Situation,
        Telling, ToolChange, Written,
    },
    admin::Organization,
    answers::{AnswerSummary, AnsweredBy, KeptAnswer},
    appointments::{AppointmentChange, ListAgenda, ListAppointments},
    assistants::ListAssistants,
    blocked_numbers::{ListBlockedNumbers, NewBlockedNumber},
    calendar_feeds::{ListCalendarFeeds, MadeCalendarFeed},
    calls::{
        Around, CallCounts, CallDetail, CallReview, CallView, Came, ListCalls, ListedCall, StatusCounts,
    },
    circuit::{OpenCircuit, Trouble, Turn},
    claims::Claimed,
    contacts::{ContactChange, ListContacts},
    deliveries::{Attempt, Concluded, DeliveryState, NextStep},
    delivery_log::{DeliveryDetail, ListDeliveries, ListedDelivery, Resent, StatusClass, StoredAttempt},
    endpoints::{Endpoint, EndpointState, NewEndpoint},
    erase::{Compaction, Erasable, Erased, Erasure, ErasureState, ErasureStep},
    error::{Error, Result},
    event_log::{ListEvents, LoggedEvent, Missed},
    events::{EventData, NewEvent, Subject},
    export::{Export, ExportFilter, ExportKind, PersonExport},
    forwards::{Original, SOURCE_MESSAGE, via_mark},
    gaps::{Gap, Healing, Known, Missing, NO_FINAL_EVENT, Report},
    held::HeldChoice,
    idempotency::Idempotency,
    import::{
        BookingKeys, ImportAssistant, ImportCall, ImportCounts, ImportKind, ImportPage, ImportProgress,
        ImportRecord, ImportReview,
    },
    inbox::{InboxEntry, Incoming, ListMessages, MessageSummary, Outcome, Reading, StoredMessage},
    json::{Row, Rows},
    keys::{KeyRecord, NewKey},
    leads::{LeadChange, LeadCounts, ListLeads},
    list::{Listed, Placed},
    outbox::Outbox,
    provenance::{AppointmentChanged, AppointmentProvenance, Provenance, Rule},
    received::Received,
    recording_queue::{Fetch, Fetched},
    recordings::{FoundRecording, RecordingDetail, RecordingRecord, Recordings, Refetch, StoredObject},
    recoveries::{NewRecovery, Recovering, Recovery},
    reprocess::{MessageRange, Reread},
    samples::ToldSample,
    sessions::{NewSession, NotPermitted, Visitor},
    setup::{FirstOrg, FirstOwner, SetUp},
    signing_keys::SigningKeys,
    source_keys::{KeyChange, PlatformKey, SealedKey, ShownKey},
    sources::{ListedSource, NewSource, Rotation, Source, SourceChange, generate_secret},
    sweep::OpenCall,
    sync_steps::Step,
    syncs::{Sync, SyncKind, SyncStatus},
    users::{Login, NewUser, User},
    waiting::Waiting,
    webhooks::{Aside, EndpointChange},
    writes::{Answer, Asked, IfMatch, Refusal},
};
use crate::{
    postgres::Postgres,
    recent::Recent,
    sqlite::{Generation, Sqlite},
    tx::{Tx, Work},
};

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of the embedded database: `sqlite:PATH`.
    Sqlite(PathBuf),
    /// A PostgreSQL server: `postgres://…`.
    Postgres(String),
}

impl FromStr for DatabaseUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(Error::Address("`sqlite:` wants the path of a file behind it".into()));
            }
            return Ok(Self::Sqlite(path.into()));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err(Error::Address("must begin with `sqlite:` or `postgres://`".into()))
    }
}

/// All records of all organizations. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    database: Database,
    outbox: Arc<Outbox>,
    keys: Recent<String, KeyRecord>,
    sources: Recent<SourceId, Source>,
    links: OnceLock<Arc<RecordingLinks>>,
    api_url: OnceLock<String>,
    recordings_due: Notify,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
}

enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// One organization's records, and nobody else's. Made by [`Store::org`].
#[derive(Clone)]
pub struct OrgStore {
    store: Store,
    org: OrgId,
}

/// Threads that read the embedded database. Reads are short and come from the operating system's cache; more threads
/// than a small machine has cores only take memory.
const READERS: usize = 2;

/// Connections to PostgreSQL.
const CONNECTIONS: usize = 16;

impl Store {
    /// Opens a database and brings its schema up to date.
    pub async fn open(url: &DatabaseUrl, clock: Arc<dyn Clock>, ids: Arc<dyn IdGen>) -> Result<Self> {
        let database = match url {
            DatabaseUrl::Sqlite(path) => {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                migrate::sqlite(path)?;
                Database::Sqlite(Sqlite::start(path, READERS)?)
            }
            DatabaseUrl::Postgres(url) => {
                let postgres = Postgres::connect(url, CONNECTIONS)?;
                migrate::postgres(&postgres).await?;
                Database::Postgres(postgres)
            }
        };
        Ok(Self(Arc::new(Inner {
            database,
            outbox: Arc::default(),
            keys: Recent::default(),
            sources: Recent::default(),
            links: OnceLock::new(),
            api_url: OnceLock::new(),
            recordings_due: Notify::new(),
            clock,
            ids,
        })))
    }

    /// The door to one organization's records.
    pub fn org(&self, org: OrgId) -> OrgStore {
        OrgStore { store: self.clone(), org }
    }

    /// Tells the store where the API is reached from outside, for webhooks that name it.
    pub fn serve_api(&self, url: &str) {
        // Who comes second says the same.
        let _ = self.0.api_url.set(url.trim_end_matches('/').to_owned());
    }

    /// Where the API is reached from outside, without a slash at its end; empty until that is known.
    pub fn api_url(&self) -> &str {
        self.0.api_url.get().map_or("", String::as_str)
    }

    /// Where deliveries go when their transaction has committed.
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.0.outbox
    }

    /// Whether this process is the only one that may hold leases: the embedded database has one server.
    pub fn is_embedded(&self) -> bool {
        matches!(self.0.database, Database::Sqlite(_))
    }

    /// The state of the embedded database (see [`Sqlite::generation`]). `None` on PostgreSQL.
    fn generation(&self) -> Option<Generation> {
        match &self.0.database {
            Database::Sqlite(sqlite) => sqlite.generation(),
            Database::Postgres(_) => None,
        }
    }

    /// Fails unless the database answers.
    pub async fn check(&self) -> Result<()> {
        self.read(|tx| {
            Box::pin(
                async move { tx.first("SELECT 1 FROM org_clocks LIMIT 1", &[], |_| Ok(())).await.map(drop) },
            )
        })
        .await
    }

    async fn read<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx<'_>) -> Work<'t, T> + Send + 'static,
    {
        match &self.0.database {
            Database::Sqlite(sqlite) => sqlite.read(operation).await,
            Database::Postgres(postgres) => postgres.read(operation).await,
        }
    }

    /// A read of a few rows by a key or from the end of an index.
    async fn peek<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx<'_>) -> Work<'t, T> + Send + 'static,
    {
        match &self.0.database {
            Database::Sqlite(sqlite) => sqlite.peek(operation).await,
            Database::Postgres(postgres) => postgres.read(operation).await,
        }
    }

    async fn write<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx<'_>) -> Work<'t, T> + Send + 'static,
    {
        match &self.0.database {
            Database::Sqlite(sqlite) => sqlite.write(&self.0.outbox, operation).await,
            Database::Postgres(postgres) => postgres.write(&self.0.outbox, operation).await,
        }
    }

    /// A write that can be run again after it was rolled back, which makes it cheaper (see [`tx::Care`]).
    async fn write_repeatable<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnMut(&'t mut Tx<'_>) -> Work<'t, T> + Send + 'static,
    {
        match &self.0.database {
            Database::Sqlite(sqlite) => sqlite.write_repeatable(&self.0.outbox, operation).await,
            Database::Postgres(postgres) => postgres.write_repeatable(&self.0.outbox, operation).await,
        }
    }
}
