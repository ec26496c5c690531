//! What a platform did not tell of and its list did: found, healed in the same transaction, and reported.

use std::{collections::HashMap, sync::Arc};

use model::{CallId, CallStatus, Completion, GapId, OrgId, Place, PlacedPage, SourceId, SyncId, Time};

use crate::{
    Incoming, OrgStore, Placed, Reading, Received, Result, Rules, Source,
    accept::{self, Context, Origin},
    calls::{self, Stored},
    list::ListQuery,
    stamps::Stamps,
    tx::Tx,
    value::{Cells, Value, params},
};

/// What of a call had not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// All of it.
    Call,
    /// That it is over, and how.
    FinalEvent,
}

impl Missing {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Call, Self::FinalEvent];

    /// The word in the database and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::FinalEvent => "final_event",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|missing| missing.as_str() == word)
    }

    /// What is missing of a call of which the platform says that it is over.
    fn of(known: Option<&Stored>) -> Option<Self> {
        match known {
            None => Some(Self::Call),
            Some(stored) if is_open(stored) => Some(Self::FinalEvent),
            Some(_) => None,
        }
    }
}

/// Whether nothing has told yet that the call is over. Who gave a call up was told nothing; of one whose person was
/// erased nothing more is to be known.
pub(crate) fn is_open(stored: &Stored) -> bool {
    let status = stored.state.facts.status.unwrap_or(CallStatus::InProgress);
    let was_given_up = stored.state.facts.ended_reason.as_deref() == Some(NO_FINAL_EVENT);
    !stored.is_erased && (!status.is_final() || was_given_up)
}

/// The reason for the end of a call that was given up.
pub const NO_FINAL_EVENT: &str = "no_final_event";

/// A gap that was found.
#[derive(Clone, Debug)]
pub struct Gap {
    /// Its id.
    pub id: GapId,
    /// The platform's id of the call.
    pub external_id: String,
    /// The call, where it could be made.
    pub call_id: Option<CallId>,
    /// What was missing.
    pub missing: Missing,
    /// When the call began.
    pub began_at: Option<Time>,
    /// When it was seen to be missing.
    pub found_at: Time,
    /// When it was there.
    pub healed_at: Option<Time>,
}

/// How a call that a platform listed is taken.
#[derive(Clone, Debug)]
pub struct Healing {
    /// On behalf of which listing. `None` for the sweeper.
    pub sync: Option<SyncId>,
    /// When the call began.
    pub began_at: Option<Time>,
    /// What is written of it.
    pub report: Report,
}

/// What is written of a call that was missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// That it should have come by itself.
    Gap,
    /// Nothing: nobody was to send it.
    History,
}

/// What is known of a call that a platform lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// There is the call, and nothing yet says that it is over.
    Open,
    /// It is over, and the platform may have more to say of it.
    Over,
    /// Everything that the platform sends is there.
    Complete,
}

pub(crate) const COLUMNS: &str = "id, external_id, call_id, missing, began_at, found_at, healed_at";

pub(crate) fn read(row: &mut Cells<'_>) -> Result<Gap> {
    Ok(Gap {
        id: row.get()?,
        external_id: row.get()?,
        call_id: row.get()?,
        missing: row.word("gap", Missing::parse)?,
        began_at: row.get()?,
        found_at: row.get()?,
        healed_at: row.get()?,
    })
}

impl OrgStore {
    /// What is known of calls of a source, by the platform's ids. Those of which nothing is known are not in it.
    pub async fn known_calls(&self, source: SourceId, ids: Vec<String>) -> Result<HashMap<String, Known>> {
        let org = self.org;
        self.store.read(move |tx| Box::pin(async move { known_calls(tx, org, source, &ids).await })).await
    }

    /// Takes a call that the platform's list says is over, as [`OrgStore::receive`] takes a message; and where it was
    /// missing, writes that down with it. A call that was not known at all is taken by `history`.
    pub async fn heal(
        &self,
        source: &Source,
        message: Incoming,
        healing: Healing,
        (rules, history): (Rules, Rules),
    ) -> Result<Received> {
        let origin = Origin { source: source.id, platform: source.platform, message: Some(message.id) };
        let id = self.store.0.ids.id();
        let asked = Arc::new((self.context(rules), self.context(history), message, healing));
        let done = asked.clone();
        let received = self
            .store
            .write_repeatable(move |tx| {
                let asked = asked.clone();
                Box::pin(async move {
                    let (known, new, message, healing) = &*asked;
                    heal(tx, (known, new), origin, message, (id, healing)).await
                })
            })
            .await?;
        self.store.wake_for(&done.0);
        self.store.wake_for(&done.1);
        Ok(received)
    }

    /// A page of a source's gaps, the last found first.
    pub async fn list_gaps(&self, source: SourceId, page: PlacedPage) -> Result<Placed<Gap>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let select = format!("SELECT {COLUMNS} FROM gaps");
                    let mut query = ListQuery::placed(&select, org, "found_at", &page);
                    query.add("source_id = ", source.into());
                    let (sql, params) = query.finish_placed("found_at", &page);
                    let records = tx.query(&sql, &params, read).await?;
                    Ok(Placed::cut(records, page.limit, |gap| Place { at: gap.found_at, id: gap.id.uuid() }))
                })
            })
            .await
    }
}

async fn known_calls(
    tx: &mut Tx<'_>,
    org: OrgId,
    source: SourceId,
    ids: &[String],
) -> Result<HashMap<String, Known>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut params: Vec<Value<'_>> = vec![org.into(), source.into()];
    params.extend(ids.iter().map(Value::from));
    let places: Vec<String> = (3..3 + ids.len()).map(|number| format!("?{number}")).collect();
    let sql = format!(
        "SELECT external_id, status, completion, ended_reason, erasure_id IS NOT NULL FROM calls \
         WHERE org_id = ?1 AND source_id = ?2 AND external_id IN ({})",
        places.join(", ")
    );
    let known = tx
        .query(&sql, &params, |row| {
            let id: String = row.get()?;
            let status = row.word("call status", CallStatus::parse)?;
            let completion = Completion::from_number(row.get()?);
            let was_given_up = row.get::<Option<String>>()?.as_deref() == Some(NO_FINAL_EVENT);
            let known = match completion {
                _ if row.get::<bool>()? => Known::Complete,
                _ if !status.is_final() || was_given_up => Known::Open,
                Completion::Wait => Known::Over,
                Completion::Now | Completion::No => Known::Complete,
            };
            Ok((id, known))
        })
        .await?;
    Ok(known.into_iter().collect())
}

async fn heal(
    tx: &mut Tx<'_>,
    (known, new): (&Context, &Context),
    origin: Origin,
    message: &Incoming,
    (id, healing): (GapId, &Healing),
) -> Result<Received> {
    let Reading::Read { external_id: Some(external_id), .. } = &message.reading else {
        return accept::receive(tx, known, origin, message).await;
    };
    // Locks the organization's clock, so that the webhook does not come between the look and the writing.
    Stamps::take(tx, known.org, known.now).await?;
    let stored = calls::by_external_id(tx, known.org, origin.source, external_id).await?;
    let missing = Missing::of(stored.as_ref());
    let context = if stored.is_some() { known } else { new };
    let received = accept::receive(tx, context, origin, message).await?;
    let Some(missing) = missing else { return Ok(received) };
    let stored = calls::by_external_id(tx, known.org, origin.source, external_id).await?;
    let gap = Gap {
        id,
        external_id: external_id.clone(),
        call_id: received.call_id,
        missing,
        began_at: healing.began_at,
        found_at: known.now,
        // What its list calls over may read otherwise: then it is looked at again, and no gap is healed.
        healed_at: stored.is_some_and(|stored| !is_open(&stored)).then_some(known.now),
    };
    let counts = match healing.report {
        Report::Gap => write(tx, (known.org, origin.source), healing.sync, &gap).await?,
        Report::History => Counts { missing: 1, healed: gap.healed_at.map_or(0, |_| 1) },
    };
    if let Some(sync) = healing.sync {
        let sql =
            "UPDATE syncs SET missing = missing + ?3, healed = healed + ?4 WHERE id = ?1 AND org_id = ?2";
        tx.execute(sql, params![sync, known.org, counts.missing, counts.healed]).await?;
    }
    Ok(received)
}

/// By how much a listing has found and healed more.
struct Counts {
    missing: i64,
    healed: i64,
}

/// Writes a gap down, or that it is healed if it was found before. It counts as found once, and as healed once.
async fn write(
    tx: &mut Tx<'_>,
    (org, source): (OrgId, SourceId),
    sync: Option<SyncId>,
    gap: &Gap,
) -> Result<Counts> {
    let Gap { id, external_id, call_id, missing, began_at, found_at, healed_at } = gap;
    let missing = missing.as_str();
    let sql = "SELECT healed_at FROM gaps WHERE org_id = ?1 AND source_id = ?2 AND external_id = ?3 AND missing = ?4";
    let known =
        tx.first(sql, params![org, source, external_id, missing], |row| row.get::<Option<Time>>()).await?;
    let was_healed = known.flatten().is_some();
    let counts =
        Counts { missing: i64::from(known.is_none()), healed: i64::from(healed_at.is_some() && !was_healed) };
    if known.is_none() {
        let sql = "INSERT INTO gaps (id, org_id, source_id, sync_id, external_id, call_id, missing, began_at, \
                       found_at, healed_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let gap =
            params![*id, org, source, sync, external_id, *call_id, missing, *began_at, *found_at, *healed_at];
        tx.execute(sql, gap).await?;
    } else if !was_healed {
        let sql = "UPDATE gaps SET call_id = ?5, healed_at = ?6 \
                   WHERE org_id = ?1 AND source_id = ?2 AND external_id = ?3 AND missing = ?4";
        tx.execute(sql, params![org, source, external_id, missing, *call_id, *healed_at]).await?;
    }
    Ok(counts)
}
