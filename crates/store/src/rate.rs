//! How many deliveries an endpoint is sent in a second, where that is limited: a bucket of tokens beside the endpoint, so
//! that all processes take from the same one. What finds none waits, without a place, until the bucket is full again.

use model::{EndpointId, Time};

use crate::{
    Result,
    tx::Tx,
    value::{Cells, params},
};

/// A bucket holds the tokens of a tenth of a second, and one at least: what came in a burst is sent spread out.
const BUCKETS_PER_SECOND: i64 = 10;

/// An endpoint's bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// Tokens a second.
    rate: i64,
    /// When it is full, if nothing more is taken.
    full_at: Time,
    /// Until when what the endpoint is owed waits.
    waits_until: Option<Time>,
}

impl Bucket {
    fn interval(self) -> i64 {
        1_000_000 / self.rate
    }

    fn size(self) -> i64 {
        (self.rate / BUCKETS_PER_SECOND).max(1)
    }

    /// How many tokens it holds.
    pub(crate) fn tokens(self, now: Time) -> usize {
        let missing = (self.full_at.micros() - now.micros()).max(0);
        let taken = (missing + self.interval() - 1) / self.interval();
        usize::try_from(self.size() - taken).unwrap_or(0)
    }

    fn take(&mut self, count: usize, now: Time) {
        let begin = self.full_at.max(now);
        self.full_at = begin.plus_micros(i64::try_from(count).unwrap_or(i64::MAX) * self.interval());
    }
}

/// An endpoint's bucket, which nobody else takes from until this transaction is over. `None` where there is no limit.
pub(crate) async fn lock(tx: &mut Tx<'_>, endpoint: EndpointId) -> Result<Option<Bucket>> {
    let sql = "UPDATE endpoints SET rate_full_at = COALESCE(rate_full_at, 0) WHERE id = ?1 AND rate IS NOT NULL \
               RETURNING rate, rate_full_at, rate_waits_until";
    let read = |row: &mut Cells<'_>| {
        Ok(Bucket { rate: row.get::<i64>()?.max(1), full_at: row.get()?, waits_until: row.get()? })
    };
    tx.first(sql, params![endpoint], read).await
}

/// The rate is another: the bucket is full, and nothing waits for it.
pub(crate) async fn begin_anew(tx: &mut Tx<'_>, endpoint: EndpointId) -> Result<()> {
    tx.left.others = true;
    let sql = "UPDATE endpoints SET rate_full_at = NULL, rate_waits_until = NULL WHERE id = ?1";
    tx.execute(sql, params![endpoint]).await.map(drop)
}

/// Takes tokens. What is still due waits until the bucket is full again, where that was all it held.
pub(crate) async fn take(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    mut bucket: Bucket,
    count: usize,
    now: Time,
) -> Result<()> {
    let is_empty = count >= bucket.tokens(now);
    bucket.take(count, now);
    bucket.waits_until = is_empty.then_some(bucket.full_at);
    write(tx, endpoint, bucket).await
}

/// Takes a token for a delivery that has just come up. Returns whether there was one; none is where others wait.
pub(crate) async fn take_one(tx: &mut Tx<'_>, endpoint: EndpointId, now: Time) -> Result<bool> {
    let Some(mut bucket) = lock(tx, endpoint).await? else { return Ok(true) };
    if let Some(until) = bucket.waits_until
        && (until > now || is_anything_due(tx, endpoint).await?)
    {
        return Ok(false);
    }
    let is_there = bucket.tokens(now) > 0;
    if is_there {
        bucket.take(1, now);
    } else {
        bucket.waits_until = Some(bucket.full_at);
    }
    write(tx, endpoint, bucket).await?;
    Ok(is_there)
}

async fn is_anything_due(tx: &mut Tx<'_>, endpoint: EndpointId) -> Result<bool> {
    let sql = "SELECT 1 FROM deliveries WHERE endpoint_id = ?1 AND due_at IS NOT NULL LIMIT 1";
    Ok(tx.first(sql, params![endpoint], |_| Ok(())).await?.is_some())
}

async fn write(tx: &mut Tx<'_>, endpoint: EndpointId, bucket: Bucket) -> Result<()> {
    let sql = "UPDATE endpoints SET rate_full_at = ?2, rate_waits_until = ?3 WHERE id = ?1";
    tx.execute(sql, params![endpoint, bucket.full_at, bucket.waits_until]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(rate: i64) -> Bucket {
        Bucket { rate, full_at: Time::from_micros(0), waits_until: None }
    }

    #[test]
    fn a_bucket_holds_a_tenth_of_a_second_and_fills_at_its_rate() {
        let second = |micros: i64| Time::from_micros(1_000_000_000_000 + micros);
        for (rate, size) in [(1, 1), (9, 1), (10, 1), (25, 2), (1000, 100)] {
            let mut one = bucket(rate);
            assert_eq!(one.tokens(second(0)), size, "{rate}");
            one.take(size, second(0));
            assert_eq!(one.tokens(second(0)), 0);
            assert_eq!(one.tokens(second(1_000_000 / rate)), 1, "{rate}");
            assert_eq!(one.full_at, second(size as i64 * (1_000_000 / rate)));
            assert_eq!(one.tokens(one.full_at), size);
        }
    }

    #[test]
    fn no_more_leave_in_any_second_than_the_rate_and_what_the_bucket_held() {
        for rate in [1, 7, 25, 1000] {
            let mut one = bucket(rate);
            let mut sent = Vec::new();
            for millis in 0..3000 {
                let now = Time::from_micros(1_000_000_000_000 + millis * 1000);
                let tokens = one.tokens(now);
                one.take(tokens, now);
                sent.extend(std::iter::repeat_n(millis, tokens));
            }
            let in_second =
                |from: i64| sent.iter().filter(|at| (from..from + 1000).contains(*at)).count() as i64;
            let most = (0..2000).map(in_second).max().unwrap_or_default();
            assert!((rate..=rate + one.size()).contains(&most), "{rate}: {most}");
        }
    }
}
