//! The record clock of an organization: stamps that are unique and increase in the order in which records become
//! visible.
//!
//! Taking stamps updates one row of the organization, so on PostgreSQL a second write of the same organization waits
//! until the first has committed, whichever server process it comes from. On SQLite there is one writer anyway.

use std::ops::Range;

use model::{OrgId, Stamp, Time};

use crate::{
    error::{Error, Result},
    tx::{Care, Tx},
    value::params,
};

/// How many stamps an operation takes at once: enough for a call with all that usually comes of it.
const BLOCK: i64 = 16;

/// How many are taken for a group of operations (see [`Care::Group`]).
const GROUP: i64 = 16 * BLOCK;

/// Stamps for the records of one operation.
pub(crate) struct Stamps {
    org: OrgId,
    left: Range<i64>,
}

impl Stamps {
    /// Locks the organization's clock until the transaction ends, and takes a block of stamps from it.
    pub(crate) async fn take(tx: &mut Tx<'_>, org: OrgId, now: Time) -> Result<Self> {
        Ok(Self { org, left: block(tx, org, now).await? })
    }

    /// The next stamp.
    pub(crate) async fn next(&mut self, tx: &mut Tx<'_>) -> Result<Stamp> {
        if self.left.is_empty() {
            self.left = block(tx, self.org, Time::from_micros(0)).await?;
        }
        let stamp = Stamp::from_micros(self.left.start);
        self.left.start += 1;
        Ok(stamp)
    }
}

/// Takes a block from those of the transaction, or else from the clock.
async fn block(tx: &mut Tx<'_>, org: OrgId, now: Time) -> Result<Range<i64>> {
    let mut left = tx.known.stamps.remove(&org).unwrap_or(0..0);
    if left.is_empty() {
        left = take_from_clock(tx, org, now).await?;
    }
    let end = left.end.min(left.start + BLOCK);
    if end < left.end {
        tx.known.stamps.insert(org, end..left.end);
    }
    Ok(left.start..end)
}

/// Moves the clock on: the stamps begin after the later of now and the last one given.
///
/// How many numbers the organization blocks stands in the same row, and whether anybody asks for opt-in events, because
/// every operation on a call reads it: so nobody pays for a block list that is empty or for events that nobody wants,
/// and what another process began is known at once.
async fn take_from_clock(tx: &mut Tx<'_>, org: OrgId, now: Time) -> Result<Range<i64>> {
    let count = if tx.care == Care::Group { GROUP } else { BLOCK };
    let sql = "UPDATE org_clocks SET last_stamp = \
                   CASE WHEN last_stamp < CAST(?2 AS BIGINT) THEN CAST(?2 AS BIGINT) ELSE last_stamp END \
                   + CAST(?3 AS BIGINT) \
               WHERE org_id = ?1";
    tx.execute(sql, params![org, now, count]).await?;
    let sql = "SELECT last_stamp, blocked_numbers, opt_in FROM org_clocks WHERE org_id = ?1";
    let (last, blocked_numbers, opt_in) = tx
        .first(sql, params![org], |row| Ok((row.get::<i64>()?, row.get::<i64>()?, row.get::<bool>()?)))
        .await?
        .ok_or(Error::Stored { what: "organization", why: "is not there".into() })?;
    if blocked_numbers > 0 {
        tx.known.blocking.insert(org);
    }
    if opt_in {
        tx.known.opted_in.insert(org);
    }
    Ok(last - count + 1..last + 1)
}
