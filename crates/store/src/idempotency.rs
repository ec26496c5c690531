//! Idempotency keys: a request that is sent again is answered again, not carried out again.

use std::time::Duration;

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

/// How long a key is remembered.
pub(crate) const KEPT: Duration = Duration::from_secs(24 * 3600);

/// How a request is answered that needs none of its work done: the same was answered before, or its key is another's.
/// `None` for a request to carry out.
///
/// To be asked under the lock of the organization's clock, so that the same request at the same moment finds the first
/// one's answer.
pub(crate) async fn known(
    tx: &mut Tx<'_>,
    org: OrgId,
    asked: Option<&Idempotency>,
    now: Time,
) -> Result<Option<Written>> {
    let Some(asked) = asked else { return Ok(None) };
    let forgotten = now.plus_micros(-i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX));
    // The others that are forgotten are cleared away in the background (`leftovers.rs`): there may be many.
    let sql = "DELETE FROM idempotency_keys WHERE org_id = ?1 AND key = ?2 AND created_at < ?3";
    tx.execute(sql, params![org, &asked.key, forgotten]).await?;
    let sql = "SELECT request_hash, status, data FROM idempotency_keys WHERE org_id = ?1 AND key = ?2";
    let found = tx
        .first(sql, params![org, &asked.key], |row| {
            Ok((row.get::<Vec<u8>>()?, row.get::<i64>()?, row.get::<String>()?))
        })
        .await?;
    Ok(found.map(|(hash, status, data)| match hash == asked.request_hash {
        true => Written::Replayed { status: u16::try_from(status).unwrap_or(200), data },
        false => Written::Conflict,
    }))
}

/// Keeps a request's answer for when it comes again, where it has a key.
pub(crate) async fn remember(
    tx: &mut Tx<'_>,
    org: OrgId,
    asked: Option<&Idempotency>,
    status: u16,
    data: &str,
    now: Time,
) -> Result<()> {
    let Some(asked) = asked else { return Ok(()) };
    let sql = "INSERT INTO idempotency_keys (org_id, key, request_hash, status, data, created_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let params = params![org, &asked.key, asked.request_hash.as_slice(), i64::from(status), data, now];
    tx.execute(sql, params).await.map(drop)
}
