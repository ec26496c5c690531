//! The keys of platforms' APIs, sealed: with one, a source's calls are listed, and its reconciler runs.

use model::{IdGen, OrgId, SourceId, Time};

use crate::{
    OrgStore, Result, Source, recording_notes, syncs,
    tx::Tx,
    value::{Cells, params},
};

/// A key of a platform's API, sealed for one source.
pub struct SealedKey {
    /// What it was sealed to.
    pub sealed: Vec<u8>,
    /// Its last four characters; `None` for a short one.
    pub last4: Option<String>,
    /// Where the API is, if not at its usual address.
    pub api_url: Option<String>,
}

/// What is to become of a source's key.
#[derive(Default)]
pub enum KeyChange {
    /// It stays.
    #[default]
    Keep,
    /// It is replaced.
    Set(SealedKey),
    /// It is forgotten, and the reconciler with it.
    Remove,
}

impl From<Option<SealedKey>> for KeyChange {
    fn from(key: Option<SealedKey>) -> Self {
        key.map_or(Self::Keep, Self::Set)
    }
}

/// What is shown of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownKey {
    /// Its last four characters; `None` for a short one.
    pub last4: Option<String>,
    /// Where the API is, if not at its usual address.
    pub api_url: Option<String>,
    /// When it was set.
    pub set_at: Time,
}

/// A key as it is stored, to be opened. It has no `Debug`.
pub struct PlatformKey {
    /// What it was sealed to.
    pub sealed: Vec<u8>,
    /// Where the API is, if not at its usual address.
    pub api_url: Option<String>,
}

/// What [`shown`] reads, for a query over `sources s`.
pub(crate) const SHOWN_KEY: &str = "(SELECT k.last4 FROM source_keys k WHERE k.source_id = s.id), \
     (SELECT k.api_url FROM source_keys k WHERE k.source_id = s.id), \
     (SELECT k.set_at FROM source_keys k WHERE k.source_id = s.id)";

pub(crate) fn shown(row: &mut Cells<'_>) -> Result<Option<ShownKey>> {
    let (last4, api_url) = (row.get()?, row.get()?);
    let set_at: Option<Time> = row.get()?;
    Ok(set_at.map(|set_at| ShownKey { last4, api_url, set_at }))
}

/// Changes a source's key. A new one sets the reconciler to work at once, whatever the one before had come to, and has
/// recordings fetched that were given up.
pub(crate) async fn change(
    tx: &mut Tx<'_>,
    source: &Source,
    change: KeyChange,
    ids: &dyn IdGen,
    now: Time,
) -> Result<()> {
    let key = match change {
        KeyChange::Keep => return Ok(()),
        KeyChange::Remove => {
            let sql = "DELETE FROM source_keys WHERE source_id = ?1 AND org_id = ?2";
            tx.execute(sql, params![source.id, source.org]).await?;
            return syncs::remove_reconciler(tx, source.org, source.id).await;
        }
        KeyChange::Set(key) => key,
    };
    let sql = "INSERT INTO source_keys (source_id, org_id, sealed, last4, api_url, set_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
               ON CONFLICT (source_id) DO UPDATE SET sealed = excluded.sealed, last4 = excluded.last4, \
                   api_url = excluded.api_url, set_at = excluded.set_at";
    let SealedKey { sealed, last4, api_url } = &key;
    tx.execute(sql, params![source.id, source.org, sealed.as_slice(), last4, api_url, now]).await?;
    recording_notes::revive(tx, source, now).await?;
    syncs::start_reconciler(tx, source, ids, now).await
}

/// Forgets the key of a source that is deleted, and whatever was listed with it.
pub(crate) async fn forget(tx: &mut Tx<'_>, org: OrgId, source: SourceId) -> Result<()> {
    let sql = "DELETE FROM source_keys WHERE source_id = ?1 AND org_id = ?2";
    tx.execute(sql, params![source, org]).await?;
    let sql = "DELETE FROM syncs WHERE source_id = ?1 AND org_id = ?2";
    tx.execute(sql, params![source, org]).await.map(drop)
}

impl OrgStore {
    /// The key of a source's platform, sealed, if it has one.
    pub async fn platform_key(&self, source: SourceId) -> Result<Option<PlatformKey>> {
        let org = self.org;
        self.store.read(move |tx| Box::pin(async move { by_source(tx, org, source).await })).await
    }
}

/// Whether a source has a key of its platform's API.
pub(crate) async fn is_there(tx: &mut Tx<'_>, org: OrgId, source: SourceId) -> Result<bool> {
    let sql = "SELECT set_at FROM source_keys WHERE source_id = ?1 AND org_id = ?2";
    Ok(tx.first(sql, params![source, org], |row| row.get::<Time>()).await?.is_some())
}

async fn by_source(tx: &mut Tx<'_>, org: OrgId, source: SourceId) -> Result<Option<PlatformKey>> {
    let sql = "SELECT sealed, api_url FROM source_keys WHERE source_id = ?1 AND org_id = ?2";
    tx.first(sql, params![source, org], |row| Ok(PlatformKey { sealed: row.get()?, api_url: row.get()? }))
        .await
}
