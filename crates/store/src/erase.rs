//! Erasing one person, for good: what is personal goes from every table, and what counts and cursors stand on (ids,
//! times, statuses) stays.
//!
//! An erasure is a row that is worked off in short writes, each of which can be the last before a crash: whoever
//! looks next goes on where it stands. It is done when nothing is left, and says so only then. A call that was erased
//! stays so: what its platform still sends about it is not kept (`accept.rs`).

mod calls;
mod erasable;
mod scan;

pub use self::erasable::Erasable;
use model::{ContactId, ErasureId, OrgId, Time};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Database, Error, OrgStore, Result, Store, contacts,
    stamps::Stamps,
    tx::Tx,
    value::{Cells, params},
};

/// The erasure of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// Whom it erases.
    pub contact_id: ContactId,
    /// Whether it is done.
    pub state: ErasureState,
    /// What was erased so far.
    pub erased: Erased,
    /// What is to be known beside that, in a sentence.
    pub note: Option<String>,
    /// When it was asked for.
    pub created_at: Time,
    /// When it was done.
    pub finished_at: Option<Time>,
}

/// Whether an erasure is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasureState {
    /// It is worked on, also after a crash.
    Running,
    /// Nothing is left.
    Done,
}

impl ErasureState {
    const ALL: [Self; 2] = [Self::Running, Self::Done];

    /// The word in the database and in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// How many records of each kind were erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Erased {
    /// Contacts.
    pub contacts: u64,
    /// Calls.
    pub calls: u64,
    /// Conversations of those calls, turn by turn.
    pub conversations: u64,
    /// Recordings of those calls.
    pub recordings: u64,
    /// Leads.
    pub leads: u64,
    /// Appointments.
    pub appointments: u64,
    /// Messages as they arrived from platforms: their bodies and headers.
    pub source_messages: u64,
    /// Answers that platforms were given to questions of theirs.
    pub platform_answers: u64,
    /// Events: what they told.
    pub events: u64,
    /// Deliveries that were still waiting, and are cancelled.
    pub deliveries_cancelled: u64,
    /// Tries of deliveries: what was sent and answered.
    pub attempts: u64,
    /// Answers that were kept for requests with an `Idempotency-Key`.
    pub kept_answers: u64,
    /// Entries of the block list.
    pub blocked_numbers: u64,
}

/// How far a step of an erasure has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErasureStep {
    /// There is more to do.
    More(Erasure),
    /// A try of a delivery is under way that tells of the person: there is more to do when it has ended.
    Waits(Erasure),
    /// It is done.
    Done(Erasure),
}

impl ErasureStep {
    /// The erasure as it stands.
    pub fn into_erasure(self) -> Erasure {
        match self {
            Self::More(erasure) | Self::Waits(erasure) | Self::Done(erasure) => erasure,
        }
    }
}

/// What is to become of the places in the database's file that are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compaction {
    /// The file is written anew where that takes a moment.
    IfSmall,
    /// The file is written anew, however long writing has to wait meanwhile.
    Always,
}

/// The parts of an erasure, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Calls, with what hangs on each by its id.
    Calls,
    /// Calls without a number and a contact whose caller gave the person's e-mail address.
    Addresses,
    /// Messages that name the person and led to no call of theirs.
    Messages,
    /// Events.
    Events,
    /// Deliveries of those events, and their tries.
    Deliveries,
    /// What is left of words in the full-text index.
    Words,
    /// The contact itself.
    Contact,
    /// What is left in the free places of the database's file.
    Remnants,
}

/// By what a person is found where no id leads. Kept until they are erased.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Subject {
    /// Every number of theirs.
    pub(crate) phones: Vec<String>,
    pub(crate) email: Option<String>,
    /// Contacts that were merged into theirs: what was told before still names them.
    pub(crate) merged: Vec<Uuid>,
}

/// An erasure with what only its steps look at.
pub(crate) struct Job {
    pub(crate) org: OrgId,
    pub(crate) now: Time,
    pub(crate) erasure: Erasure,
    pub(crate) phase: Phase,
    pub(crate) subject: Subject,
    /// How far the phase has come, as it says itself.
    pub(crate) place: Option<String>,
    /// Whether the step found something that it has to wait for.
    pub(crate) waits: bool,
}

impl Job {
    /// Goes on to another phase.
    pub(crate) fn go_to(&mut self, phase: Phase) {
        self.phase = phase;
        self.place = None;
    }

    /// How far the phase has come.
    pub(crate) fn place<T: DeserializeOwned + Default>(&self) -> Result<T> {
        let Some(place) = &self.place else { return Ok(T::default()) };
        serde_json::from_str(place).map_err(|error| Error::Stored { what: "place", why: error.to_string() })
    }

    /// Notes how far the phase has come.
    pub(crate) fn note_place(&mut self, place: &impl Serialize) {
        self.place = serde_json::to_string(place).ok();
    }
}

const COLUMNS: &str = "id, contact_id, state, counts, note, created_at, finished_at";

fn read(row: &mut Cells<'_>) -> Result<Erasure> {
    Ok(Erasure {
        id: row.get()?,
        contact_id: row.get()?,
        state: row.word("erasure state", ErasureState::parse)?,
        erased: row.json("counts")?,
        note: row.get()?,
        created_at: row.get()?,
        finished_at: row.get()?,
    })
}

impl OrgStore {
    /// Begins to erase the person that a contact stands for, unless that has begun already. `None` where the
    /// organization has no such contact.
    pub async fn begin_erasure(&self, contact: ContactId) -> Result<Option<Erasure>> {
        let (org, now) = (self.org, self.store.0.clock.now());
        let id = self.store.0.ids.id();
        self.store.write(move |tx| Box::pin(async move { begin(tx, org, contact, (id, now)).await })).await
    }

    /// An erasure, if the organization has it.
    pub async fn get_erasure(&self, id: ErasureId) -> Result<Option<Erasure>> {
        let org = self.org;
        self.store.read(move |tx| Box::pin(async move { by_id(tx, org, id).await })).await
    }

    /// The latest erasure of the person that a contact stood for.
    pub async fn erasure_of_contact(&self, contact: ContactId) -> Result<Option<Erasure>> {
        let org = self.org;
        self.store
            .peek(move |tx| {
                Box::pin(async move {
                    let sql = format!(
                        "SELECT {COLUMNS} FROM erasures WHERE org_id = ?1 AND contact_id = ?2 \
                         ORDER BY created_at DESC LIMIT 1"
                    );
                    tx.first(&sql, params![org, contact], read).await
                })
            })
            .await
    }

    /// Does the next part of an erasure. `None` where the organization has no such erasure.
    pub async fn continue_erasure(
        &self,
        id: ErasureId,
        compaction: Compaction,
    ) -> Result<Option<ErasureStep>> {
        let (org, now) = (self.org, self.store.0.clock.now());
        let stepped =
            self.store.write(move |tx| Box::pin(async move { step(tx, org, id, now).await })).await?;
        let Some((erasure, phase, waits)) = stepped else { return Ok(None) };
        if erasure.state == ErasureState::Done {
            return Ok(Some(ErasureStep::Done(erasure)));
        }
        if waits {
            return Ok(Some(ErasureStep::Waits(erasure)));
        }
        // What is left of recordings is objects, which are deleted by who keeps them.
        self.store.wake_recordings();
        if phase != Phase::Remnants {
            return Ok(Some(ErasureStep::More(erasure)));
        }
        let note = match &self.store.0.database {
            Database::Sqlite(sqlite) => sqlite.scrub(compaction).await?,
            Database::Postgres(_) => None,
        };
        let done = self
            .store
            .write(move |tx| Box::pin(async move { finish(tx, org, id, (note, now)).await }))
            .await?;
        Ok(done.map(ErasureStep::Done))
    }
}

impl Store {
    /// The erasures that are not done yet, the oldest first.
    pub async fn running_erasures(&self) -> Result<Vec<(OrgId, ErasureId)>> {
        self.read(|tx| {
            Box::pin(async move {
                let sql =
                    "SELECT org_id, id FROM erasures WHERE state = 'running' ORDER BY created_at LIMIT 100";
                tx.query(sql, &[], |row| Ok((row.get()?, row.get()?))).await
            })
        })
        .await
    }
}

async fn by_id(tx: &mut Tx<'_>, org: OrgId, id: ErasureId) -> Result<Option<Erasure>> {
    let sql = format!("SELECT {COLUMNS} FROM erasures WHERE id = ?1 AND org_id = ?2");
    tx.first(&sql, params![id, org], read).await
}

async fn begin(
    tx: &mut Tx<'_>,
    org: OrgId,
    contact: ContactId,
    (id, now): (ErasureId, Time),
) -> Result<Option<Erasure>> {
    // The organization's clock is locked first, so that two who ask at once begin one.
    Stamps::take(tx, org, now).await?;
    let Some(person) = contacts::resolve(tx, org, contact).await? else { return Ok(None) };
    let contact = person.id;
    let sql = format!(
        "SELECT {COLUMNS} FROM erasures WHERE org_id = ?1 AND contact_id = ?2 AND state = 'running' LIMIT 1"
    );
    if let Some(running) = tx.first(&sql, params![org, contact], read).await? {
        return Ok(Some(running));
    }
    let sql = "SELECT id FROM merged_contacts WHERE into_id = ?1 AND org_id = ?2";
    let merged = tx.query(sql, params![contact, org], |row| row.get()).await?;
    let phones = person.phone.into_iter().chain(person.other_phones).map(|phone| phone.to_string());
    let subject = Subject { phones: phones.collect(), email: person.email, merged };
    let (subject, phase) = (json_of(&subject)?, json_of(&Phase::Calls)?);
    let counts = json_of(&Erased::default())?;
    tx.execute(
        "INSERT INTO erasures (id, org_id, contact_id, state, subject, phase, counts, created_at, updated_at) \
         VALUES (?1, ?2, ?3, 'running', ?4, ?5, ?6, ?7, ?7)",
        params![id, org, contact, &subject, &phase, &counts, now],
    )
    .await?;
    by_id(tx, org, id).await
}

/// Whether a contact is being erased.
pub(crate) async fn is_under_way(tx: &mut Tx<'_>, org: OrgId, contact: ContactId) -> Result<bool> {
    let sql = "SELECT 1 FROM erasures WHERE org_id = ?1 AND contact_id = ?2 AND state = 'running' LIMIT 1";
    Ok(tx.first(sql, params![org, contact], |_| Ok(())).await?.is_some())
}

pub(crate) fn json_of(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Stored { what: "erasure", why: error.to_string() })
}

/// Does one part of what is left. Tells the erasure, where it stands, and whether it has to wait.
async fn step(
    tx: &mut Tx<'_>,
    org: OrgId,
    id: ErasureId,
    now: Time,
) -> Result<Option<(Erasure, Phase, bool)>> {
    // The clock before the row, like whoever else writes records of the organization.
    let mut stamps = Stamps::take(tx, org, now).await?;
    let stamp = stamps.next(tx).await?;
    let sql = "UPDATE erasures SET updated_at = ?3 WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![id, org, now]).await?;
    let Some(mut job) = load(tx, org, id, now).await? else { return Ok(None) };
    if job.erasure.state == ErasureState::Done {
        return Ok(Some((job.erasure, Phase::Remnants, false)));
    }
    tx.overwrite_deleted().await?;
    let stepped = match job.phase {
        Phase::Calls => calls::erase_some(tx, &mut job, stamp).await,
        Phase::Addresses => calls::erase_by_address(tx, &mut job, stamp).await,
        Phase::Messages => scan::erase_messages(tx, &mut job).await,
        Phase::Events => scan::erase_events(tx, &mut job).await,
        Phase::Deliveries => scan::erase_deliveries(tx, &mut job).await,
        Phase::Words => scan::merge_words(tx, &mut job).await,
        Phase::Contact => calls::erase_contact(tx, &mut job, stamp).await,
        Phase::Remnants => Ok(()),
    };
    tx.leave_deleted().await?;
    stepped?;
    save(tx, &job).await?;
    Ok(Some((job.erasure, job.phase, job.waits)))
}

async fn load(tx: &mut Tx<'_>, org: OrgId, id: ErasureId, now: Time) -> Result<Option<Job>> {
    let sql = format!("SELECT {COLUMNS}, phase, place, subject FROM erasures WHERE id = ?1 AND org_id = ?2");
    tx.first(&sql, params![id, org], |row| {
        Ok(Job {
            org,
            now,
            erasure: read(row)?,
            phase: row.json("phase")?,
            place: row.get()?,
            subject: row.json_or_null("subject")?.unwrap_or_default(),
            waits: false,
        })
    })
    .await
}

async fn save(tx: &mut Tx<'_>, job: &Job) -> Result<()> {
    let (phase, counts) = (json_of(&job.phase)?, json_of(&job.erasure.erased)?);
    // Behind the contact nobody has to be found any more.
    let subject = if job.phase == Phase::Remnants { None } else { Some(json_of(&job.subject)?) };
    let sql = "UPDATE erasures SET phase = ?3, place = ?4, counts = ?5, subject = ?6 \
               WHERE id = ?1 AND org_id = ?2";
    let values = params![job.erasure.id, job.org, &phase, &job.place, &counts, &subject];
    tx.execute(sql, values).await.map(drop)
}

async fn finish(
    tx: &mut Tx<'_>,
    org: OrgId,
    id: ErasureId,
    (note, now): (Option<&'static str>, Time),
) -> Result<Option<Erasure>> {
    let sql = "UPDATE erasures SET state = 'done', note = ?3, finished_at = ?4, updated_at = ?4 \
               WHERE id = ?1 AND org_id = ?2 AND state = 'running'";
    tx.execute(sql, params![id, org, note, now]).await?;
    by_id(tx, org, id).await
}

/// Marks by which a text or a message is known to name the person: their numbers' digits, their e-mail address, and
/// their contact's id, also those of contacts that were merged into it.
pub(crate) fn marks(job: &Job) -> Vec<String> {
    let Subject { phones, email, merged } = &job.subject;
    let phones = phones.iter().map(|phone| phone.trim_start_matches('+').to_owned());
    let ids = merged.iter().copied().chain([job.erasure.contact_id.uuid()]).map(|id| id.to_string());
    phones.chain(email.clone()).chain(ids).filter(|mark| mark.len() > 4).collect()
}
