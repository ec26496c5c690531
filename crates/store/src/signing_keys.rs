//! The Ed25519 keys that organizations sign webhooks with, for endpoints that ask for it: receivers need no secret to
//! check such a signature.

use std::{fmt, time::Duration};

use model::{OrgId, Time};

use crate::{
    Error, Idempotency, OrgStore, Result, Written, idempotency,
    stamps::Stamps,
    tx::Tx,
    value::{Cells, params},
};

/// An organization's keys.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKeys {
    /// The secret key (RFC 8032 section 5.1.5).
    pub seed: [u8; 32],
    /// The one before the last rotation, and until when it signs.
    pub previous: Option<([u8; 32], Time)>,
    /// When the key was made.
    pub created_at: Time,
}

impl SigningKeys {
    /// The one before the last rotation, if it still signs.
    pub fn previous_at(&self, now: Time) -> Option<([u8; 32], Time)> {
        self.previous.filter(|(_, until)| *until > now)
    }

    /// Those that sign, the newest first.
    pub fn seeds_at(&self, now: Time) -> Vec<[u8; 32]> {
        [Some(self.seed), self.previous_at(now).map(|(seed, _)| seed)].into_iter().flatten().collect()
    }
}

/// Never the keys.
impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys(of {:?})", self.created_at)
    }
}

const KEYS: &str =
    "SELECT seed, previous_seed, previous_until, created_at FROM signing_keys WHERE org_id = ?1";

fn seed(bytes: Vec<u8>) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| Error::Stored { what: "signing key", why: "has not 32 bytes".into() })
}

fn read(row: &mut Cells<'_>) -> Result<SigningKeys> {
    let current = seed(row.get()?)?;
    let previous = row.get::<Option<Vec<u8>>>()?.map(seed).transpose()?;
    let until: Option<Time> = row.get()?;
    Ok(SigningKeys { seed: current, previous: previous.zip(until), created_at: row.get()? })
}

/// The keys, which are made where there are none.
async fn get_or_make(tx: &mut Tx<'_>, org: OrgId, fresh: [u8; 32], now: Time) -> Result<SigningKeys> {
    let sql = "INSERT INTO signing_keys (org_id, seed, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (org_id) DO NOTHING";
    tx.execute(sql, params![org, fresh.as_slice(), now]).await?;
    let keys = tx.first(KEYS, params![org], read).await?;
    keys.ok_or(Error::Stored { what: "signing key", why: "is not there".into() })
}

async fn write(tx: &mut Tx<'_>, org: OrgId, keys: &SigningKeys) -> Result<()> {
    let sql = "UPDATE signing_keys SET seed = ?2, previous_seed = ?3, previous_until = ?4, created_at = ?5 \
               WHERE org_id = ?1";
    let (previous, until) = keys.previous.as_ref().map(|(seed, until)| (seed.as_slice(), *until)).unzip();
    tx.execute(sql, params![org, keys.seed.as_slice(), previous, until, keys.created_at]).await.map(drop)
}

impl OrgStore {
    /// The organization's keys. They are made the first time that somebody needs them.
    pub async fn signing_keys(&self) -> Result<SigningKeys> {
        let (org, now) = (self.org, self.store.0.clock.now());
        let known = self
            .store
            .peek(move |tx| Box::pin(async move { tx.first(KEYS, params![org], read).await }))
            .await?;
        if let Some(known) = known {
            return Ok(known);
        }
        let fresh = self.fresh_seed();
        self.store.write(move |tx| Box::pin(async move { get_or_make(tx, org, fresh, now).await })).await
    }

    /// Gives the organization a new key, once for each idempotency key; the one before signs beside it for a while.
    /// `answer` is as in [`OrgStore::create_endpoint_once`].
    pub async fn rotate_signing_key(
        &self,
        overlap: Duration,
        idempotency: Option<Idempotency>,
        answer: impl FnOnce(&SigningKeys) -> String + Send + 'static,
    ) -> Result<Written> {
        let (org, now) = (self.org, self.store.0.clock.now());
        let (fresh, first) = (self.fresh_seed(), self.fresh_seed());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    // The clock's lock lets two requests with the same key come one after the other.
                    Stamps::take(tx, org, now).await?;
                    if let Some(known) = idempotency::known(tx, org, idempotency.as_ref(), now).await? {
                        return Ok(known);
                    }
                    let before = get_or_make(tx, org, first, now).await?;
                    let previous = (!overlap.is_zero()).then_some((before.seed, now + overlap));
                    let keys = SigningKeys { seed: fresh, previous, created_at: now };
                    write(tx, org, &keys).await?;
                    let data = answer(&keys);
                    idempotency::remember(tx, org, idempotency.as_ref(), 200, &data, now).await?;
                    Ok(Written::Done { created: false, data })
                })
            })
            .await
    }

    /// Ends a rotation before its time: the key before no longer signs.
    pub async fn expire_previous_signing_key(&self) -> Result<SigningKeys> {
        let (org, now) = (self.org, self.store.0.clock.now());
        let fresh = self.fresh_seed();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    Stamps::take(tx, org, now).await?;
                    let keys = SigningKeys { previous: None, ..get_or_make(tx, org, fresh, now).await? };
                    write(tx, org, &keys).await?;
                    Ok(keys)
                })
            })
            .await
    }

    fn fresh_seed(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.store.0.ids.fill(&mut seed);
        seed
    }
}
