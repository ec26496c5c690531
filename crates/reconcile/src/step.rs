//! One step of a listing: a page of the platform's calls, with what is missing of them taken.

use std::time::Duration;

use connectors::history::{Listed, Page, Standing, Window};
use ingest::was_over;
use model::Time;
use serde_json::Value;
use store::{Healing, Known, Report, Step, Sync, SyncKind, SyncStatus, Telling};
use uuid::Uuid;

use crate::{
    LEASE, RENEW, Reconciler,
    platform::{Account, Trouble},
};

/// How long a call must be over before its webhook counts as missed.
const GRACE: Duration = Duration::from_secs(120);

/// For how long a call that is under way holds the next run back to its beginning.
const LONGEST_HOLD: Duration = Duration::from_secs(86_400);

/// The first wait after a failure that may pass; it doubles, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);

/// After so many failures in a row an import waits for a person.
const MOST_FAILURES: i64 = 10;

/// What became of a page.
enum Taken {
    /// What was missing of it is here. When the first call began that is to be looked at again.
    Whole(Option<Time>),
    /// The step is not ours any more.
    Lost,
}

impl Reconciler {
    /// Takes a step and writes down what it came to.
    pub(crate) async fn step(&self, sync: &Sync, owner: Uuid) -> store::Result<()> {
        let step = match self.try_step(sync, owner).await {
            Ok(step) => step,
            Err(Trouble::Store(error)) => return Err(error),
            Err(trouble) => Some(self.after_trouble(sync, trouble)),
        };
        let is_held = match step {
            Some(step) => self.store.finish_step(sync, owner, step).await?,
            None => false,
        };
        if !is_held {
            tracing::warn!(source = %sync.source, "a step took longer than its lease, or its source was changed");
        }
        Ok(())
    }

    /// What a step comes to; `None` where it is not ours any more.
    async fn try_step(&self, sync: &Sync, owner: Uuid) -> Result<Option<Step>, Trouble> {
        let account = self.account(sync.source).await?;
        let now = self.clock.now();
        let until = sync.until.unwrap_or(now);
        let since = match sync.kind {
            SyncKind::Import => sync.since,
            SyncKind::Reconcile => earlier(sync.since, self.options.overlap),
        };
        let (window, token) = (Window { since, until }, sync.page.as_deref());
        let body = self.ask(&account, account.history.list(&account.key, window, token)).await?;
        let page = account
            .history
            .page(window, token, &body)
            .map_err(|why| Trouble::Passing(format!("the platform's list of calls cannot be read: {why}")))?;
        let Taken::Whole(open_since) = self.take_page((sync, owner, now), &account, &page).await? else {
            return Ok(None);
        };
        let step = Step {
            status: SyncStatus::Running,
            since: sync.since,
            until: Some(until),
            page: page.next,
            open_since: sync.open_since.into_iter().chain(open_since).min(),
            pages: 1,
            found: i64::try_from(page.calls.len()).unwrap_or(i64::MAX),
            failures: 0,
            error: None,
            due_at: Some(now),
            ended_at: sync.ended_at,
        };
        Ok(Some(if step.page.is_some() { step } else { self.end_of(sync.kind, step, until) }))
    }

    /// The last step of an import, or of a reconciler's run, which begins again later.
    fn end_of(&self, kind: SyncKind, step: Step, until: Time) -> Step {
        let now = self.clock.now();
        let step = Step { ended_at: Some(now), ..step };
        match kind {
            SyncKind::Import => Step { status: SyncStatus::Done, due_at: None, ..step },
            SyncKind::Reconcile => {
                let held = step.open_since.map_or(until, |open| open.max(earlier(until, LONGEST_HOLD)));
                let due_at = self.options.every.map(|every| now + every);
                let since = held.min(until);
                Step { status: SyncStatus::Waiting, since, until: None, open_since: None, due_at, ..step }
            }
        }
    }

    /// Takes what is missing of a page, and holds the step, which was taken at a time, for as long as that takes.
    async fn take_page(
        &self,
        (sync, owner, mut held_at): (&Sync, Uuid, Time),
        account: &Account,
        page: &Page,
    ) -> Result<Taken, Trouble> {
        let (over, open): (Vec<&Listed>, Vec<&Listed>) =
            page.calls.iter().partition(|call| self.is_settled(sync.kind, call));
        let ids = over.iter().map(|call| call.external_id.clone()).collect();
        let known = self.store.org(sync.org).known_calls(sync.source, ids).await?;
        for call in over {
            if known.get(&call.external_id) == Some(&Known::Complete) {
                continue;
            }
            let now = self.clock.now();
            if now.since(held_at) >= RENEW {
                if !self.store.renew_sync(sync, owner, now + LEASE).await? {
                    return Ok(Taken::Lost);
                }
                held_at = now;
            }
            self.take_call(sync, account, call).await?;
        }
        Ok(Taken::Whole(open.into_iter().filter_map(|call| call.began_at).min()))
    }

    /// Whether a call is over, and for long enough that its webhook is not on its way.
    fn is_settled(&self, kind: SyncKind, call: &Listed) -> bool {
        let now = self.clock.now();
        match (call.standing, kind) {
            (Standing::UnderWay, _) => false,
            (Standing::Over(Some(since)), SyncKind::Reconcile) => since <= earlier(now, GRACE),
            (Standing::Over(_), _) => true,
        }
    }

    async fn take_call(&self, sync: &Sync, account: &Account, call: &Listed) -> Result<(), Trouble> {
        let details = self.details(account, call).await?;
        let (report, is_history) = match sync.kind {
            SyncKind::Import => (Report::History, was_over(call, sync.created_at)),
            SyncKind::Reconcile => (Report::Gap, false),
        };
        let telling = if is_history { Telling::Quiet } else { Telling::Owed };
        let healing = Healing { sync: Some(sync.id), began_at: call.began_at, report };
        self.ingest.heal(&account.source, (call.clone(), details), healing, telling).await?;
        Ok(())
    }

    /// What the list leaves out. What the platform does not have is null.
    pub(crate) async fn details(&self, account: &Account, call: &Listed) -> Result<Vec<Value>, Trouble> {
        let mut details = Vec::new();
        for ask in account.history.details(&account.key, call) {
            let body = match self.ask(account, ask).await {
                Ok(body) => body,
                Err(Trouble::Refused(404 | 410)) => b"null".to_vec(),
                Err(trouble) => return Err(trouble),
            };
            let value = serde_json::from_slice(&body).map_err(|error| {
                Trouble::Passing(format!("the platform's answer about a call is not JSON: {error}"))
            })?;
            details.push(value);
        }
        Ok(details)
    }

    fn after_trouble(&self, sync: &Sync, trouble: Trouble) -> Step {
        let now = self.clock.now();
        let failures = sync.failures + 1;
        let wait = doubled(FIRST_WAIT, sync.failures);
        let step = Step {
            status: SyncStatus::Running,
            since: sync.since,
            until: sync.until,
            page: sync.page.clone(),
            open_since: sync.open_since,
            pages: 0,
            found: 0,
            failures,
            error: None,
            due_at: Some(now + wait),
            ended_at: sync.ended_at,
        };
        let step = match trouble {
            Trouble::Wait(wait) => {
                let error = Some(format!("the platform asks to wait for {} s", wait.as_secs()));
                return Step { failures: sync.failures, error, due_at: Some(now + wait), ..step };
            }
            // The page's token may be too old: the window is listed again from its beginning.
            Trouble::Refused(status) if sync.page.is_some() => {
                let error = Some(format!("the platform answered {status}; beginning this listing again"));
                Step { page: None, error, ..step }
            }
            Trouble::Refused(status) => {
                let error = Some(format!("the platform answered {status} when asked for its calls"));
                Step { status: SyncStatus::Failed, error, ..step }
            }
            Trouble::Lasting(error) => Step { status: SyncStatus::Failed, error: Some(error), ..step },
            Trouble::Passing(error) => Step { error: Some(error), ..step },
            Trouble::Store(error) => Step { error: Some(error.to_string()), ..step },
        };
        tracing::warn!(source = %sync.source, error = step.error, "a platform's calls could not be listed");
        self.settle_failure(sync, step)
    }

    /// A reconciler tries again whatever went wrong, if it lasts ever more seldom; an import only what may pass.
    fn settle_failure(&self, sync: &Sync, step: Step) -> Step {
        let lasts = step.status == SyncStatus::Failed;
        match (sync.kind, self.options.every) {
            (SyncKind::Import, _) if lasts || step.failures >= MOST_FAILURES => {
                Step { status: SyncStatus::Failed, due_at: None, ..step }
            }
            (SyncKind::Import, _) => step,
            (SyncKind::Reconcile, Some(every)) if lasts => {
                let due_at = Some(self.clock.now() + doubled(every, sync.failures));
                Step { due_at, ..step }
            }
            (SyncKind::Reconcile, _) => Step { status: SyncStatus::Failed, ..step },
        }
    }
}

fn earlier(time: Time, by: Duration) -> Time {
    time.plus_micros(i64::try_from(by.as_micros()).map_or(i64::MIN, |micros| -micros))
}

fn doubled(first: Duration, times: i64) -> Duration {
    let factor = 1u32 << u32::try_from(times.clamp(0, 20)).unwrap_or(20);
    first.checked_mul(factor).map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT)).max(first.min(LONGEST_WAIT))
}
