//! What webhooks sent and were answered is kept for a time. Then an event's data and its tries' headers and bodies go; the rows
//! stay, so that the log, what is counted and every cursor stay true, and say that there was more.
//!
//! An organization's events are walked along from the oldest on, in short writes. What is still owed to somebody is spared,
//! and looked at again later. An event's deliveries have the stamps right behind its own, up to the next event's: that is
//! how they are found, without an index of their own.

use std::time::Duration;

use model::{DeliveryId, EventId, OrgId, Stamp, Time};

use crate::{DeliveryState, OrgStore, Result, Store, tx::Tx, value::params};

/// Why there is no more of an event than that it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is older than webhooks are kept.
    Expired,
    /// The person that it told of was erased.
    Erased,
}

impl Removed {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Erased => "erased",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Expired, Self::Erased].into_iter().find(|removed| removed.as_str() == word)
    }
}

/// The word of a [`Removed`], or null, of the event `e`.
pub(crate) const REMOVED: &str = "CASE WHEN e.erasure_id IS NOT NULL THEN 'erased' \
     WHEN e.forgotten_at IS NOT NULL THEN 'expired' END";

/// An organization that has events which are old enough to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retiring {
    /// The organization.
    pub org: OrgId,
    /// What was told up to this is forgotten.
    pub until: Time,
}

/// An event that was spared.
#[derive(Clone, Copy, Debug)]
pub struct Spared {
    org: OrgId,
    id: EventId,
    at: Stamp,
}

/// How far the spared events were looked at again.
#[derive(Clone, Copy, Debug)]
pub struct SparedPlace(OrgId, Stamp);

/// How many events one write looks at, and after how many changed rows or how much time it ends: whoever else writes waits
/// no longer.
const EVENTS: i64 = 100;
const ROWS: u64 = 300;
const TIME: Duration = Duration::from_millis(4);

/// How many spared events are looked at again at once.
const SPARED: i64 = 200;

/// For so long what is old enough may wait for more: one write forgets many.
const SLACK: Duration = Duration::from_secs(3600);

const DAY_SECONDS: u64 = 86_400;

impl Store {
    /// The organizations that have something to forget, where their webhooks are kept for so long if they do not say
    /// otherwise (`None` for ever); and when the first of the others will.
    pub async fn retiring(&self, keep: Option<Duration>) -> Result<(Vec<Retiring>, Option<Time>)> {
        let now = self.0.clock.now();
        let oldest = self
            .read(|tx| {
                Box::pin(async move {
                    let sql = "SELECT o.id, o.keep_days, (SELECT min(e.created_at) FROM events e \
                                   WHERE e.org_id = o.id AND e.created_at > COALESCE(r.reached, 0)) \
                               FROM organizations o LEFT JOIN retention r ON r.org_id = o.id";
                    let read = |row: &mut crate::value::Cells<'_>| {
                        Ok((row.get::<OrgId>()?, row.get::<Option<i64>>()?, row.get::<Option<Time>>()?))
                    };
                    tx.query(sql, &[], read).await
                })
            })
            .await?;
        let (mut due, mut next) = (Vec::new(), None::<Time>);
        for (org, own, oldest) in oldest {
            let keep = own.map_or(keep, days);
            let Some((keep, oldest)) = keep.zip(oldest) else { continue };
            let at = oldest + keep + SLACK;
            if at <= now {
                let kept = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
                due.push(Retiring { org, until: now.plus_micros(-kept) });
            } else {
                next = next.into_iter().chain([at]).min();
            }
        }
        Ok((due, next))
    }

    /// Forgets some more of an organization's events, the oldest first. Returns whether there may be more.
    pub async fn forget_some(&self, retiring: Retiring) -> Result<bool> {
        let (clock, Retiring { org, until }) = (self.0.clock.clone(), retiring);
        self.write_repeatable(move |tx| {
            let clock = clock.clone();
            Box::pin(async move {
                let began = clock.now();
                let sql = "INSERT INTO retention (org_id, reached) VALUES (?1, 0) ON CONFLICT (org_id) DO NOTHING";
                tx.execute(sql, params![org]).await?;
                let sql = format!(
                    "SELECT reached FROM retention WHERE org_id = ?1 {}",
                    tx.dialect().skip_locked()
                );
                // Where another process is at it, this one has nothing to do.
                let Some(mut reached) = tx.first(&sql, params![org], |row| row.get::<Stamp>()).await? else {
                    return Ok(false);
                };
                let sql = "SELECT id, created_at FROM events WHERE org_id = ?1 AND created_at > ?2 AND created_at <= ?3 \
                           ORDER BY created_at LIMIT ?4";
                let found = tx
                    .query(sql, params![org, reached, until, EVENTS], |row| Ok((row.get()?, row.get()?)))
                    .await?;
                let (mut changed, mut left) = (0, found.len());
                let is_last = found.len() < usize::try_from(EVENTS).unwrap_or(usize::MAX);
                for (id, at) in found {
                    changed += forget(tx, Spared { org, id, at }, began).await?;
                    (reached, left) = (at, left - 1);
                    if changed >= ROWS || clock.now().since(began) >= TIME {
                        break;
                    }
                }
                let sql = "UPDATE retention SET reached = ?2 WHERE org_id = ?1";
                tx.execute(sql, params![org, reached]).await?;
                Ok(left > 0 || !is_last)
            })
        })
        .await
    }

    /// Whether any event was spared.
    pub async fn has_spared(&self) -> Result<bool> {
        self.read(|tx| {
            Box::pin(async move {
                let sql = "SELECT 1 FROM events WHERE is_spared LIMIT 1";
                Ok(tx.first(sql, &[], |_| Ok(())).await?.is_some())
            })
        })
        .await
    }

    /// Looks at some more of the spared events again: those that are owed to nobody any more, and where to go on, where
    /// there are others.
    pub async fn spared_and_done(
        &self,
        after: Option<SparedPlace>,
    ) -> Result<(Vec<Spared>, Option<SparedPlace>)> {
        self.read(move |tx| {
            Box::pin(async move {
                let SparedPlace(org, at) =
                    after.unwrap_or(SparedPlace(OrgId::new(uuid::Uuid::nil()), Stamp::from_micros(0)));
                let sql = "SELECT org_id, id, created_at FROM events WHERE is_spared AND (org_id, created_at) > (?1, ?2) \
                           ORDER BY org_id, created_at LIMIT ?3";
                let mut found = tx
                    .query(sql, params![org, at, SPARED], |row| {
                        Ok(Spared { org: row.get()?, id: row.get()?, at: row.get()? })
                    })
                    .await?;
                let is_last = found.len() < usize::try_from(SPARED).unwrap_or(usize::MAX);
                let place = found.last().filter(|_| !is_last).map(|last| SparedPlace(last.org, last.at));
                let mut done = Vec::new();
                for event in found.drain(..) {
                    if !deliveries_of(tx, event).await?.into_iter().any(|(_, state)| state.is_owed()) {
                        done.push(event);
                    }
                }
                Ok((done, place))
            })
        })
        .await
    }

    /// Forgets some of those events, as many as one short write can. Takes them off the list.
    pub async fn forget_spared(&self, events: &mut Vec<Spared>) -> Result<()> {
        let (clock, some) = (self.0.clock.clone(), events.clone());
        let left = self
            .write_repeatable(move |tx| {
                let (clock, mut some) = (clock.clone(), some.clone());
                Box::pin(async move {
                    let (began, mut changed) = (clock.now(), 0);
                    while let Some(event) = some.pop() {
                        changed += forget(tx, event, began).await?;
                        if changed >= ROWS || clock.now().since(began) >= TIME {
                            break;
                        }
                    }
                    Ok(some)
                })
            })
            .await?;
        *events = left;
        Ok(())
    }
}

fn days(days: i64) -> Option<Duration> {
    u64::try_from(days).ok().filter(|days| *days > 0).map(|days| Duration::from_secs(days * DAY_SECONDS))
}

impl OrgStore {
    /// Sets after how many days the organization's webhooks are forgotten: 0 for never, `None` for the instance's number.
    pub async fn set_keep_days(&self, days: Option<u32>) -> Result<()> {
        let (org, days) = (self.org, days.map(i64::from));
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let sql = "UPDATE organizations SET keep_days = ?2 WHERE id = ?1";
                    tx.execute(sql, params![org, days]).await.map(drop)
                })
            })
            .await
    }

    /// After how many days the organization's webhooks are forgotten: 0 for never, `None` for the instance's number.
    pub async fn keep_days(&self) -> Result<Option<u32>> {
        let org = self.org;
        self.store
            .peek(move |tx| {
                Box::pin(async move {
                    let sql = "SELECT keep_days FROM organizations WHERE id = ?1";
                    let days = tx.first(sql, params![org], |row| row.get::<Option<i64>>()).await?.flatten();
                    Ok(days.and_then(|days| u32::try_from(days).ok()))
                })
            })
            .await
    }
}

impl DeliveryState {
    /// Whether it may still be sent without anybody asking for it.
    const fn is_owed(self) -> bool {
        match self {
            Self::Pending | Self::InFlight | Self::Retrying | Self::Held => true,
            Self::Delivered | Self::Exhausted | Self::Cancelled => false,
        }
    }
}

/// Forgets an event and the tries of its deliveries, but what is still owed to somebody. Returns how many rows changed.
async fn forget(tx: &mut Tx<'_>, event: Spared, now: Time) -> Result<u64> {
    let (mut changed, mut is_owed) = (1, false);
    for (delivery, state) in deliveries_of(tx, event).await? {
        match state.is_owed() {
            true => is_owed = true,
            false => changed += forget_attempts(tx, delivery).await?,
        }
    }
    if is_owed {
        let sql = "UPDATE events SET is_spared = TRUE WHERE id = ?1 AND org_id = ?2";
        tx.execute(sql, params![event.id, event.org]).await?;
    } else {
        let sql = "UPDATE events SET data = 'null', forgotten_at = ?3, is_spared = FALSE WHERE id = ?1 AND org_id = ?2";
        tx.execute(sql, params![event.id, event.org, now]).await?;
    }
    Ok(changed)
}

/// The deliveries of an event, by their stamps: behind its own and before the next event's.
async fn deliveries_of(tx: &mut Tx<'_>, event: Spared) -> Result<Vec<(DeliveryId, DeliveryState)>> {
    let sql = "SELECT id, state FROM deliveries WHERE org_id = ?1 AND created_at > ?2 \
               AND created_at < COALESCE((SELECT min(e.created_at) FROM events e \
                                          WHERE e.org_id = ?1 AND e.created_at > ?2), ?4) \
               AND event_id = ?3";
    let values = params![event.org, event.at, event.id, i64::MAX];
    tx.query(sql, values, |row| Ok((row.get()?, row.word("delivery state", DeliveryState::parse)?))).await
}

/// What was sent and answered; that it was, when, and with which status stays. Returns how many tries there were of which
/// something was kept.
pub(crate) async fn forget_attempts(tx: &mut Tx<'_>, delivery: DeliveryId) -> Result<u64> {
    let sql = "UPDATE attempts SET request_headers = '[]', response_headers = NULL, response_body = NULL \
               WHERE delivery_id = ?1 AND (request_headers <> '[]' OR response_headers IS NOT NULL \
                                           OR response_body IS NOT NULL)";
    tx.execute(sql, params![delivery]).await
}
