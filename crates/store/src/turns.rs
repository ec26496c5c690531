//! Which endpoints deliveries wait for, since when, and whose turn it is: organizations take turns, and in each its
//! endpoints.

use std::collections::HashMap;

use model::{EndpointId, Ordering, OrgId, Time};

use crate::{
    Result, Store, order,
    outbox::{Kind, Wanted},
    recoveries,
    tx::Tx,
    value::Cells,
};

/// An endpoint that deliveries wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) endpoint: EndpointId,
    pub(crate) org: OrgId,
    /// When it is probed next, where its circuit is open.
    pub(crate) probe_at: Option<Time>,
    /// Which wait for which.
    pub(crate) ordering: Ordering,
    /// Whether only so many are sent in a second.
    pub(crate) is_limited: bool,
    /// Until when they wait because only so many are sent in a second.
    rate_waits_until: Option<Time>,
    /// Whether a person asked to have one sent, which waits for no circuit and for no other.
    pub(crate) is_asked_for: bool,
    /// When the one that is longest due is. `None` where each waits for another.
    due_at: Option<Time>,
    /// Whether that was tried before.
    pub(crate) kind: Kind,
}

/// One step along an index for each endpoint, however many deliveries wait: asking for all such endpoints at once would
/// read every one of them.
const WAITING: &str = "WITH RECURSIVE waiting (id) AS ( \
         SELECT id FROM (SELECT endpoint_id AS id FROM deliveries WHERE due_at IS NOT NULL \
                         ORDER BY endpoint_id LIMIT 1) AS one \
         UNION ALL \
         SELECT (SELECT d.endpoint_id FROM deliveries d WHERE d.due_at IS NOT NULL AND d.endpoint_id > w.id \
                 ORDER BY d.endpoint_id LIMIT 1) \
         FROM waiting w WHERE w.id IS NOT NULL) \
     SELECT p.id, p.org_id, p.probe_at, p.ordering, p.rate IS NOT NULL, p.rate_waits_until, \
         (p.probe_at IS NOT NULL OR p.ordering <> 'none') AND EXISTS (SELECT 1 FROM deliveries d WHERE d.endpoint_id = p.id \
             AND d.manual_attempt > 0 AND d.due_at IS NOT NULL AND d.manual_attempt = d.attempts + 1), \
         (SELECT d.due_at FROM deliveries d \
          WHERE d.endpoint_id = p.id AND d.due_at IS NOT NULL ORDER BY d.due_at LIMIT 1), \
         (SELECT d.attempts FROM deliveries d \
          WHERE d.endpoint_id = p.id AND d.due_at IS NOT NULL ORDER BY d.due_at LIMIT 1) \
     FROM waiting w JOIN endpoints p ON p.id = w.id";

fn read(row: &mut Cells<'_>) -> Result<Waiting> {
    Ok(Waiting {
        endpoint: row.get()?,
        org: row.get()?,
        probe_at: row.get()?,
        ordering: row.word("ordering", Ordering::parse)?,
        is_limited: row.get()?,
        rate_waits_until: row.get()?,
        is_asked_for: row.get()?,
        due_at: row.get()?,
        kind: Kind::after(row.get()?),
    })
}

impl Waiting {
    /// A place for what waits.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted { org: self.org, endpoint: self.endpoint, kind: self.kind }
    }

    /// When the next is due: what waits for a circuit is when that is probed, and at once where a person asked for it.
    pub(crate) fn next(&self, now: Time) -> Option<Time> {
        match self.probe_at {
            Some(_) if self.is_asked_for => Some(now),
            Some(probe_at) => Some(probe_at),
            None if self.is_asked_for => Some(self.rate_waits_until.unwrap_or(now)),
            None => self.due_at.map(|due_at| self.rate_waits_until.map_or(due_at, |until| until.max(due_at))),
        }
    }
}

/// Every endpoint that deliveries wait for.
pub(crate) async fn waiting(tx: &mut Tx<'_>) -> Result<Vec<Waiting>> {
    let mut all = tx.query(WAITING, &[], read).await?;
    let ever = Time::from_micros(i64::MAX);
    for one in all.iter_mut().filter(|one| one.ordering != Ordering::None) {
        // What is longest due may wait for another.
        let next = order::next(tx, (one.endpoint, one.ordering), ever, 1).await?;
        one.due_at = next.first().map(|(_, due_at)| *due_at);
    }
    Ok(all)
}

/// Puts endpoints into the order in which they are served: one of each organization, and then the next of each. Who
/// begins changes with the number of the turn. Where a first try is longest due, they come before the others.
pub(crate) fn in_turns(waiting: Vec<Waiting>, turn: usize) -> Vec<Waiting> {
    let mut orgs: Vec<Vec<Waiting>> = Vec::new();
    let mut places = HashMap::new();
    for one in waiting {
        let place = *places.entry(one.org).or_insert_with(|| {
            orgs.push(Vec::new());
            orgs.len() - 1
        });
        orgs[place].push(one);
    }
    let count = orgs.len().max(1);
    for endpoints in &mut orgs {
        let first = turn / count % endpoints.len();
        endpoints.rotate_left(first);
    }
    orgs.rotate_left(turn % count);
    let most = orgs.iter().map(Vec::len).max().unwrap_or_default();
    let mut turns: Vec<Waiting> = (0..most)
        .flat_map(|at| orgs.iter().filter_map(move |endpoints| endpoints.get(at)).copied())
        .collect();
    turns.sort_by_key(|one| one.kind == Kind::Retry);
    turns
}

impl Store {
    /// When the next delivery is due, leases that run out and probes of open circuits included; at once while some are
    /// being recovered. Beside it, where one is due now, when the next after that is: it need not wait for the same place.
    pub async fn delivery_times(&self, now: Time) -> Result<(Option<Time>, Option<Time>)> {
        self.peek(move |tx| {
            Box::pin(async move {
                let due = "SELECT min(due_at) FROM deliveries WHERE due_at IS NOT NULL";
                let due = tx.first(due, &[], |row| row.get::<Option<Time>>()).await?.flatten();
                let (mut next, mut later) = (due, due);
                if due.is_some_and(|due| due <= now) {
                    // It may be one that waits for something else.
                    let times: Vec<Time> =
                        waiting(tx).await?.iter().filter_map(|one| one.next(now)).collect();
                    next = times.iter().min().copied();
                    later = times.into_iter().filter(|time| *time > now).min();
                }
                if recoveries::is_any_under_way(tx).await? {
                    next = Some(now);
                }
                let lease = "SELECT min(lease_until) FROM deliveries WHERE lease_until IS NOT NULL";
                let lease = tx.first(lease, &[], |row| row.get::<Option<Time>>()).await?.flatten();
                let with_lease = |time: Option<Time>| time.into_iter().chain(lease).min();
                Ok((with_lease(next), with_lease(later)))
            })
        })
        .await
    }

    /// When the next delivery is due: the first of [`Store::delivery_times`].
    pub async fn next_delivery_due(&self, now: Time) -> Result<Option<Time>> {
        Ok(self.delivery_times(now).await?.0)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn waits(org: u128, endpoint: u128) -> Waiting {
        let (org, endpoint) = (OrgId::new(Uuid::from_u128(org)), EndpointId::new(Uuid::from_u128(endpoint)));
        Waiting {
            endpoint,
            org,
            probe_at: None,
            ordering: Ordering::None,
            is_limited: false,
            rate_waits_until: None,
            is_asked_for: false,
            due_at: None,
            kind: Kind::First,
        }
    }

    fn order(turn: usize) -> Vec<u128> {
        let waiting =
            vec![waits(1, 11), waits(1, 12), waits(1, 13), waits(2, 21), waits(3, 31), waits(3, 32)];
        in_turns(waiting, turn).iter().map(|one| one.endpoint.uuid().as_u128()).collect()
    }

    #[test]
    fn organizations_take_turns_and_then_their_endpoints() {
        assert_eq!(order(0), [11, 21, 31, 12, 32, 13]);
        assert_eq!(order(1), [21, 31, 11, 32, 12, 13]);
        let mut firsts: Vec<_> = (0..9).map(|turn| order(turn)[0]).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts, [11, 12, 13, 21, 31, 32], "each is the first one day");
        assert_eq!(in_turns(Vec::new(), 7), []);
    }

    #[test]
    fn first_tries_come_before_others() {
        let mut waiting = vec![waits(1, 11), waits(1, 12), waits(2, 21)];
        waiting[0].kind = Kind::Retry;
        let order: Vec<_> = in_turns(waiting, 0).iter().map(|one| one.endpoint.uuid().as_u128()).collect();
        assert_eq!(order, [21, 12, 11]);
    }
}
