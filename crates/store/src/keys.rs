//! API keys: only their hashes are kept.

use std::sync::Arc;

use model::{ApiKey, KeyId, OrgId, Scopes, Time};

use crate::{
    OrgStore, Result, Store,
    value::{Cells, params},
};

/// An API key as it is stored.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    /// The record's id.
    pub id: KeyId,
    /// Whose data the key opens.
    pub org: OrgId,
    /// What the key is for, in its owner's words.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: Vec<u8>,
    /// The key's last four characters.
    pub last4: String,
    /// What it may do.
    pub scopes: Scopes,
    /// Requests a minute, where the operator set another number than the instance's.
    pub rate_limit: Option<u32>,
    /// When it was made.
    pub created_at: Time,
    /// From when on it is refused.
    pub expires_at: Option<Time>,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Time>,
}

/// What is asked of a new key.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What it is for.
    pub name: String,
    /// Until when it is good.
    pub expires_at: Option<Time>,
    /// Requests a minute, where it is not the instance's number.
    pub rate_limit: Option<u32>,
    /// What it may do.
    pub scopes: Scopes,
}

const COLUMNS: &str =
    "id, org_id, name, hash, last4, scopes, rate_limit, created_at, expires_at, revoked_at, last_used_at";

fn read(row: &mut Cells<'_>) -> Result<KeyRecord> {
    Ok(KeyRecord {
        id: row.get()?,
        org: row.get()?,
        name: row.get()?,
        hash: row.get()?,
        last4: row.get()?,
        scopes: Scopes::from_stored(&row.get::<String>()?),
        rate_limit: row.get::<Option<i64>>()?.and_then(|limit| u32::try_from(limit).ok()),
        created_at: row.get()?,
        expires_at: row.get()?,
        revoked_at: row.get()?,
        last_used_at: row.get()?,
    })
}

impl Store {
    /// The record that a key names by its key id. Whether the key is that one, is for the caller to prove.
    ///
    /// Every request asks for it, so on the embedded database it is remembered until anything is written.
    pub async fn find_key(&self, key_id: &str) -> Result<Option<Arc<KeyRecord>>> {
        let now = self.generation();
        let asked = key_id.to_owned();
        if let Some(known) = self.0.keys.get(&asked, now) {
            return Ok(Some(known));
        }
        let found = self.peek(move |tx| {
            Box::pin(async move {
                let sql = format!("SELECT {COLUMNS} FROM api_keys WHERE key_id = ?1");
                tx.first(&sql, params![&asked], read).await
            })
        });
        let found = found.await?.map(Arc::new);
        if let Some(record) = &found {
            self.0.keys.put(key_id.to_owned(), now, record);
        }
        Ok(found)
    }

    /// Notes that a key was used.
    pub async fn touch_key(&self, id: KeyId, at: Time) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                let sql = "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1";
                tx.execute(sql, params![id, at]).await.map(drop)
            })
        })
        .await
    }

    /// Revokes a key for good. `None` where there is no such key; revoking twice keeps the first time.
    pub async fn revoke_key(&self, id: KeyId) -> Result<Option<KeyRecord>> {
        let now = self.0.clock.now();
        self.write(move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1 RETURNING {COLUMNS}"
                );
                tx.first(&sql, params![id, now], read).await
            })
        })
        .await
    }
}

impl OrgStore {
    /// Makes a key. The key itself is in the answer and nowhere else.
    pub async fn create_key(&self, new: NewKey) -> Result<(KeyRecord, ApiKey)> {
        let key = ApiKey::generate(&*self.store.0.ids);
        let record = KeyRecord {
            id: self.store.0.ids.id(),
            org: self.org,
            name: new.name,
            hash: key.hash().to_vec(),
            last4: key.last4().to_owned(),
            scopes: new.scopes,
            rate_limit: new.rate_limit,
            created_at: self.store.0.clock.now(),
            expires_at: new.expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        let (made, key_id) = (record.clone(), key.key_id().to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    tx.execute(
                        "INSERT INTO api_keys \
                             (id, org_id, name, key_id, hash, last4, scopes, rate_limit, created_at, expires_at) \
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                        params![
                            made.id,
                            made.org,
                            &made.name,
                            &key_id,
                            made.hash.as_slice(),
                            &made.last4,
                            &made.scopes.to_string(),
                            made.rate_limit.map(i64::from),
                            made.created_at,
                            made.expires_at,
                        ],
                    )
                    .await
                })
            })
            .await?;
        Ok((record, key))
    }

    /// Revokes one of the organization's keys, as [`Store::revoke_key`] does.
    pub async fn revoke_key(&self, id: KeyId) -> Result<Option<KeyRecord>> {
        let (org, now) = (self.org, self.store.0.clock.now());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let sql = format!(
                        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?3) WHERE id = ?1 AND org_id = ?2 \
                         RETURNING {COLUMNS}"
                    );
                    tx.first(&sql, params![id, org, now], read).await
                })
            })
            .await
    }

    /// Every key, newest first.
    pub async fn list_keys(&self) -> Result<Vec<KeyRecord>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let sql =
                        format!("SELECT {COLUMNS} FROM api_keys WHERE org_id = ?1 ORDER BY created_at DESC");
                    tx.query(&sql, params![org], read).await
                })
            })
            .await
    }
}
