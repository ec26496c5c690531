//! The record clock of an organization: stamps that are unique and increase in the order in which records become
//! visible.
//!
//! Taking stamps updates one row of the organization, so on PostgreSQL a second write of the same organization waits
//! until the first has committed, whichever server process it comes from. On SQLite there is one writer anyway.

use model::{OrgId, Stamp, Time};

use crate::{
    error::{Error, Result},
    tx::Tx,
    value::params,
};

/// How many stamps one update of the row takes. Enough for a call with all that usually comes of it.
const BLOCK: i64 = 16;

/// Stamps for the records of one transaction.
pub(crate) struct Stamps {
    org: OrgId,
    next: i64,
    end: i64,
}

impl Stamps {
    /// Locks the organization's clock until the transaction ends, and takes a block of stamps from it.
    pub(crate) async fn take(tx: &mut Tx<'_>, org: OrgId, now: Time) -> Result<Self> {
        let end = Self::take_block(tx, org, now).await?;
        Ok(Self { org, next: end - BLOCK + 1, end })
    }

    async fn take_block(tx: &mut Tx<'_>, org: OrgId, now: Time) -> Result<i64> {
        let sql = "UPDATE org_clocks SET last_stamp = \
                       CASE WHEN last_stamp < CAST(?2 AS BIGINT) THEN CAST(?2 AS BIGINT) ELSE last_stamp END \
                       + CAST(?3 AS BIGINT) \
                   WHERE org_id = ?1";
        tx.execute(sql, params![org, now, BLOCK]).await?;
        // A block ends `BLOCK` after the later of now and the last stamp, so it begins after both.
        let sql = "SELECT last_stamp FROM org_clocks WHERE org_id = ?1";
        tx.first(sql, params![org], |row| row.get::<i64>())
            .await?
            .ok_or(Error::Stored { what: "organization", why: "is not there".into() })
    }

    /// The next stamp.
    pub(crate) async fn next(&mut self, tx: &mut Tx<'_>) -> Result<Stamp> {
        if self.next > self.end {
            self.end = Self::take_block(tx, self.org, Time::from_micros(0)).await?;
            self.next = self.end - BLOCK + 1;
        }
        let stamp = Stamp::from_micros(self.next);
        self.next += 1;
        Ok(stamp)
    }
}
