//! Sources: the places that calls come from, each with its own address and secret.

use std::{fmt, sync::Arc};

use model::{OrgId, Platform, SourceId, Time};
use serde_json::Value as Json;

use crate::{
    OrgStore, Result, Store,
    tx::Tx,
    value::{Cells, params},
};

/// A platform's account that sends us its webhooks, or our own API.
#[derive(Clone)]
pub struct Source {
    /// Its id, part of its address.
    pub id: SourceId,
    /// Whose calls it sends.
    pub org: OrgId,
    /// Which platform it is.
    pub platform: Platform,
    /// Its name, in its owner's words.
    pub name: String,
    /// The secret that the platform signs with.
    pub secret: String,
    /// The secret before the last change, while it is still good.
    pub previous_secret: Option<String>,
    /// How the platform signs, where it can be chosen.
    pub settings: Json,
    /// When it was made.
    pub created_at: Time,
}

/// Never the secrets.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({} {})", self.platform.as_str(), self.id)
    }
}

/// What is asked of a new source.
pub struct NewSource {
    /// Which platform it is.
    pub platform: Platform,
    /// Its name.
    pub name: String,
    /// The secret that the platform signs with.
    pub secret: String,
    /// How it signs.
    pub settings: Json,
}

const COLUMNS: &str = "id, org_id, platform, name, secret, previous_secret, settings, created_at";

fn read(row: &mut Cells<'_>) -> Result<Source> {
    Ok(Source {
        id: row.get()?,
        org: row.get()?,
        platform: row.word("platform", Platform::parse)?,
        name: row.get()?,
        secret: row.get()?,
        previous_secret: row.get()?,
        settings: row.json("settings")?,
        created_at: row.get()?,
    })
}

pub(crate) async fn insert(tx: &mut Tx<'_>, source: &Source) -> Result<()> {
    tx.execute(
        "INSERT INTO sources (id, org_id, platform, name, secret, settings, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            source.id,
            source.org,
            source.platform.as_str(),
            &source.name,
            &source.secret,
            &source.settings.to_string(),
            source.created_at,
        ],
    )
    .await
    .map(drop)
}

impl Store {
    /// The source that a platform's webhook names in its address. Its secret proves the rest.
    pub async fn find_source(&self, id: SourceId) -> Result<Option<Arc<Source>>> {
        let now = self.generation();
        if let Some(known) = self.0.sources.get(&id, now) {
            return Ok(Some(known));
        }
        let found = self.peek(move |tx| {
            Box::pin(async move {
                let sql = format!("SELECT {COLUMNS} FROM sources WHERE id = ?1 AND deleted_at IS NULL");
                tx.first(&sql, params![id], read).await
            })
        });
        let found = found.await?.map(Arc::new);
        if let Some(source) = &found {
            self.0.sources.put(id, now, source);
        }
        Ok(found)
    }
}

impl OrgStore {
    /// Makes a source.
    pub async fn create_source(&self, new: NewSource) -> Result<Source> {
        let source = Source {
            id: self.store.0.ids.id(),
            org: self.org,
            platform: new.platform,
            name: new.name,
            secret: new.secret,
            previous_secret: None,
            settings: new.settings,
            created_at: self.store.0.clock.now(),
        };
        let made = source.clone();
        self.store.write(move |tx| Box::pin(async move { insert(tx, &made).await })).await?;
        Ok(source)
    }

    /// Every source, oldest first.
    pub async fn list_sources(&self) -> Result<Vec<Source>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let sql = format!(
                        "SELECT {COLUMNS} FROM sources WHERE org_id = ?1 AND deleted_at IS NULL ORDER BY created_at, id"
                    );
                    tx.query(&sql, params![org], read).await
                })
            })
            .await
    }

    /// The source of calls that are written through the API. Every organization is made with one.
    pub async fn api_source(&self) -> Result<Option<Source>> {
        let sources = self.list_sources().await?;
        Ok(sources.into_iter().find(|source| source.platform == Platform::Api))
    }
}
