//! Idempotency keys: a request that is sent again is answered again, not carried out again.

use model::{OrgId, Time};

use crate::{Result, Written, tx::Tx, value::params};

/// A request's `Idempotency-Key`, with what tells the same request from another.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// The client's key.
    pub key: String,
    /// SHA-256 over the method, the path and the body.
    pub request_hash: [u8; 32],
}

/// How long a key is remembered, in microseconds.
const KEPT_MICROS: i64 = 24 * 3600 * 1_000_000;

/// What is known of a key.
pub(crate) enum Known {
    /// Nothing: the request is new.
    New,
    /// The same request was answered like this.
    Same { status: u16, data: String },
    /// Another request came with this key.
    Other,
}

pub(crate) async fn look_up(tx: &mut Tx<'_>, org: OrgId, asked: &Idempotency, now: Time) -> Result<Known> {
    let forgotten = now.plus_micros(-KEPT_MICROS);
    let sql = "DELETE FROM idempotency_keys WHERE created_at < ?1";
    tx.execute(sql, params![forgotten]).await?;
    let sql = "SELECT request_hash, status, data FROM idempotency_keys WHERE org_id = ?1 AND key = ?2";
    let found = tx
        .first(sql, params![org, &asked.key], |row| {
            Ok((row.get::<Vec<u8>>()?, row.get::<i64>()?, row.get::<String>()?))
        })
        .await?;
    Ok(match found {
        None => Known::New,
        Some((hash, status, data)) if hash == asked.request_hash => {
            Known::Same { status: u16::try_from(status).unwrap_or(200), data }
        }
        Some(_) => Known::Other,
    })
}

/// How a request is answered whose key is known; `None` for one that is new.
pub(crate) async fn answered(
    tx: &mut Tx<'_>,
    org: OrgId,
    asked: Option<&Idempotency>,
    now: Time,
) -> Result<Option<Written>> {
    let Some(asked) = asked else { return Ok(None) };
    Ok(match look_up(tx, org, asked, now).await? {
        Known::New => None,
        Known::Same { status, data } => Some(Written::Replayed { status, data }),
        Known::Other => Some(Written::Conflict),
    })
}

pub(crate) async fn remember(
    tx: &mut Tx<'_>,
    org: OrgId,
    asked: &Idempotency,
    status: u16,
    data: &str,
    now: Time,
) -> Result<()> {
    let sql = "INSERT INTO idempotency_keys (org_id, key, request_hash, status, data, created_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let params = params![org, &asked.key, asked.request_hash.as_slice(), i64::from(status), data, now];
    tx.execute(sql, params).await.map(drop)
}
