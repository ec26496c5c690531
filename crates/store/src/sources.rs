//! Sources: the places that calls come from, each with its own address and secret.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use model::{IdGen, OrgId, Place, PlacedPage, Platform, RecordingSettings, SourceId, Stamp, Time};
use serde_json::Value as Json;

use crate::{
    Idempotency, OrgStore, Placed, Result, Store, Written, idempotency,
    list::ListQuery,
    source_keys::{self, KeyChange, SHOWN_KEY, SealedKey, ShownKey},
    stamps::Stamps,
    tx::Tx,
    value::{Cells, params},
    webhooks,
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
    /// The secret before the last rotation. Good only until `previous_secret_until`.
    pub previous_secret: Option<String>,
    /// Until when the previous secret is accepted.
    pub previous_secret_until: Option<Time>,
    /// How the platform signs, where it can be chosen.
    pub settings: Json,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Stamp,
    /// Whether its messages are sent on somewhere.
    pub forwards: bool,
}

impl Source {
    /// Its settings without what is ours and not the platform's: what its connector understands.
    pub fn platform_settings(&self) -> Cow<'_, Json> {
        // What cannot be taken apart was saved by an older version: the connector says what is wrong with it.
        RecordingSettings::split(&self.settings).map_or(Cow::Borrowed(&self.settings), |(_, rest)| rest)
    }

    /// The previous secret, if it is still accepted.
    pub fn previous_secret_at(&self, now: Time) -> Option<&str> {
        self.previous_secret
            .as_deref()
            .filter(|_| self.previous_secret_until.is_some_and(|until| until > now))
    }
}

/// Never the secrets.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({} {})", self.platform.as_str(), self.id)
    }
}

/// A source, and what is known of it from its messages.
#[derive(Clone, Debug)]
pub struct ListedSource {
    /// The source.
    pub source: Source,
    /// When its last message arrived, whatever became of it.
    pub last_message_at: Option<Time>,
    /// What is shown of the key of its platform's API, if it has one.
    pub platform_key: Option<ShownKey>,
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

/// What is to change of a source; `None` stays.
#[derive(Default)]
pub struct SourceChange {
    /// Its name.
    pub name: Option<String>,
    /// The secret, in the place of the one before, which is no longer accepted.
    pub secret: Option<String>,
    /// How it signs.
    pub settings: Option<Json>,
    /// The key of its platform's API.
    pub platform_key: KeyChange,
}

/// A new secret, with the one before good for a while.
pub struct Rotation {
    /// The new secret.
    pub secret: String,
    /// How long the one before is still accepted.
    pub overlap: Duration,
}

impl Rotation {
    /// The longest time that the secret before may stay good: a week.
    pub const LONGEST_OVERLAP: Duration = Duration::from_secs(7 * 86_400);
}

const COLUMNS: &str = "id, org_id, platform, name, secret, previous_secret, previous_secret_until, settings, \
     created_at, updated_at, forwards";

/// The time of the last message, for a query over `sources s`.
const LAST_MESSAGE: &str = "(SELECT i.received_at FROM inbox i WHERE i.source_id = s.id AND i.org_id = s.org_id \
     ORDER BY i.received_at DESC LIMIT 1)";

fn read(row: &mut Cells<'_>) -> Result<Source> {
    Ok(Source {
        id: row.get()?,
        org: row.get()?,
        platform: row.word("platform", Platform::parse)?,
        name: row.get()?,
        secret: row.get()?,
        previous_secret: row.get()?,
        previous_secret_until: row.get()?,
        settings: row.json("settings")?,
        created_at: row.get()?,
        updated_at: row.get()?,
        forwards: row.get()?,
    })
}

fn read_listed(row: &mut Cells<'_>) -> Result<ListedSource> {
    Ok(ListedSource {
        source: read(row)?,
        last_message_at: row.get()?,
        platform_key: source_keys::shown(row)?,
    })
}

/// A secret for a platform that takes ours: 48 hexadecimal digits.
pub fn generate_secret(ids: &dyn IdGen) -> String {
    let mut bytes = [0; 24];
    ids.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) async fn insert(tx: &mut Tx<'_>, source: &Source) -> Result<()> {
    tx.execute(
        "INSERT INTO sources (id, org_id, platform, name, secret, settings, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            source.id,
            source.org,
            source.platform.as_str(),
            &source.name,
            &source.secret,
            &source.settings.to_string(),
            source.created_at,
            source.updated_at,
        ],
    )
    .await
    .map(drop)
}

/// A source that is a platform's: our own API's is nobody's to change.
async fn by_id(tx: &mut Tx<'_>, org: OrgId, id: SourceId) -> Result<Option<ListedSource>> {
    let sql = format!(
        "SELECT {COLUMNS}, {LAST_MESSAGE}, {SHOWN_KEY} FROM sources s WHERE id = ?1 AND org_id = ?2 \
         AND platform <> 'api' AND deleted_at IS NULL"
    );
    tx.first(&sql, params![id, org], read_listed).await
}

async fn write(tx: &mut Tx<'_>, source: &Source) -> Result<()> {
    tx.execute(
        "UPDATE sources SET name = ?3, secret = ?4, previous_secret = ?5, previous_secret_until = ?6, settings = ?7, \
                updated_at = ?8 \
         WHERE id = ?1 AND org_id = ?2",
        params![
            source.id,
            source.org,
            &source.name,
            &source.secret,
            &source.previous_secret,
            source.previous_secret_until,
            &source.settings.to_string(),
            source.updated_at,
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
        let now = self.store.0.clock.now();
        let source = self.new_source(new, now, Stamp::from_micros(now.micros()));
        let made = source.clone();
        self.store.write(move |tx| Box::pin(async move { insert(tx, &made).await })).await?;
        Ok(source)
    }

    fn new_source(&self, new: NewSource, created_at: Time, updated_at: Stamp) -> Source {
        Source {
            id: self.store.0.ids.id(),
            org: self.org,
            platform: new.platform,
            name: new.name,
            secret: new.secret,
            previous_secret: None,
            previous_secret_until: None,
            settings: new.settings,
            created_at,
            updated_at,
            forwards: false,
        }
    }

    /// Makes a source, once for each idempotency key. `key` is the key of its platform's API, sealed for the source
    /// with the id beside it. `answer` puts the source into the words that the client is answered with, which are kept
    /// for when the request comes again.
    pub async fn create_source_once(
        &self,
        new: NewSource,
        key: Option<(SourceId, SealedKey)>,
        idempotency: Option<Idempotency>,
        answer: impl FnOnce(&ListedSource) -> String + Send + 'static,
    ) -> Result<Written> {
        let (org, now) = (self.org, self.store.0.clock.now());
        let mut source = self.new_source(new, now, Stamp::from_micros(0));
        let ids = self.store.0.ids.clone();
        let (id, key) = key.unzip();
        source.id = id.unwrap_or(source.id);
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let mut stamps = Stamps::take(tx, org, now).await?;
                    if let Some(known) = idempotency::known(tx, org, idempotency.as_ref(), now).await? {
                        return Ok(known);
                    }
                    source.updated_at = stamps.next(tx).await?;
                    source.created_at = source.updated_at.time();
                    insert(tx, &source).await?;
                    source_keys::change(tx, &source, KeyChange::from(key), &*ids, now).await?;
                    let Some(listed) = by_id(tx, org, source.id).await? else { return Ok(Written::Conflict) };
                    let data = answer(&listed);
                    idempotency::remember(tx, org, idempotency.as_ref(), 201, &data, now).await?;
                    Ok(Written::Done { created: true, data })
                })
            })
            .await
    }

    /// Changes a source. `None` where there is none.
    pub async fn update_source(&self, id: SourceId, change: SourceChange) -> Result<Option<ListedSource>> {
        let (org, now) = (self.org, self.store.0.clock.now());
        let ids = self.store.0.ids.clone();
        let changed = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let mut stamps = Stamps::take(tx, org, now).await?;
                    let Some(mut listed) = by_id(tx, org, id).await? else { return Ok(None) };
                    let source = &mut listed.source;
                    if let Some(name) = change.name {
                        source.name = name;
                    }
                    if let Some(secret) = change.secret {
                        source.secret = secret;
                        (source.previous_secret, source.previous_secret_until) = (None, None);
                    }
                    if let Some(settings) = change.settings {
                        source.settings = settings;
                    }
                    source.updated_at = stamps.next(tx).await?;
                    write(tx, source).await?;
                    source_keys::change(tx, source, change.platform_key, &*ids, now).await?;
                    by_id(tx, org, id).await
                })
            })
            .await?;
        self.store.wake_recordings();
        Ok(changed)
    }

    /// Gives a source a new secret, once for each idempotency key; the one before is accepted for a while. `None`
    /// where there is no such source. `answer` is as in [`OrgStore::create_source_once`].
    ///
    /// To rotate to the secret that is in use changes nothing: a request that is sent again must not push out the
    /// previous secret that a platform still signs with.
    pub async fn rotate_source_secret(
        &self,
        id: SourceId,
        rotation: Rotation,
        idempotency: Option<Idempotency>,
        answer: impl FnOnce(&ListedSource) -> String + Send + 'static,
    ) -> Result<Option<Written>> {
        let (org, now) = (self.org, self.store.0.clock.now());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let mut stamps = Stamps::take(tx, org, now).await?;
                    if let Some(known) = idempotency::known(tx, org, idempotency.as_ref(), now).await? {
                        return Ok(Some(known));
                    }
                    let Some(mut listed) = by_id(tx, org, id).await? else { return Ok(None) };
                    let source = &mut listed.source;
                    if source.secret != rotation.secret {
                        let before = std::mem::replace(&mut source.secret, rotation.secret);
                        let overlaps = !rotation.overlap.is_zero();
                        source.previous_secret = overlaps.then_some(before);
                        source.previous_secret_until = overlaps.then_some(now + rotation.overlap);
                        source.updated_at = stamps.next(tx).await?;
                        write(tx, source).await?;
                    }
                    let data = answer(&listed);
                    idempotency::remember(tx, org, idempotency.as_ref(), 200, &data, now).await?;
                    Ok(Some(Written::Done { created: false, data }))
                })
            })
            .await
    }

    /// Deletes a source: its address is closed and its forwards are deleted, its calls and messages stay. Returns whether
    /// there was one.
    pub async fn delete_source(&self, id: SourceId) -> Result<bool> {
        let (org, now) = (self.org, self.store.0.clock.now());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    tx.known.subscribers.remove(&org);
                    let mut stamps = Stamps::take(tx, org, now).await?;
                    let stamp = stamps.next(tx).await?;
                    let sql = "UPDATE sources SET deleted_at = ?3, updated_at = ?4 \
                               WHERE id = ?1 AND org_id = ?2 AND platform <> 'api' AND deleted_at IS NULL";
                    let is_deleted = tx.execute(sql, params![id, org, now, stamp]).await? > 0;
                    if is_deleted {
                        source_keys::forget(tx, org, id).await?;
                        webhooks::delete_forwards(tx, org, id, (now, stamp)).await?;
                    }
                    Ok(is_deleted)
                })
            })
            .await
    }

    /// A platform's source, if the organization has it.
    pub async fn get_source(&self, id: SourceId) -> Result<Option<ListedSource>> {
        let org = self.org;
        self.store.peek(move |tx| Box::pin(async move { by_id(tx, org, id).await })).await
    }

    /// A page of the platforms' sources, newest first.
    pub async fn find_sources(&self, page: PlacedPage) -> Result<Placed<ListedSource>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let select = format!("SELECT {COLUMNS}, {LAST_MESSAGE}, {SHOWN_KEY} FROM sources s");
                    let mut query = ListQuery::placed(&select, org, "created_at", &page);
                    query.only("platform <> 'api' AND deleted_at IS NULL");
                    let (sql, params) = query.finish_placed("created_at", &page);
                    let records = tx.query(&sql, &params, read_listed).await?;
                    let place = |listed: &ListedSource| Place {
                        at: listed.source.created_at,
                        id: listed.source.id.uuid(),
                    };
                    Ok(Placed::cut(records, page.limit, place))
                })
            })
            .await
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
