//! A run of the checks: all endpoints are made, an event is caused, and what happens is watched until each check is
//! decided.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use crate::{
    adapter::{Adapter, Created},
    checks::{Acts, Check, Limits},
    judge::{Observed, Verdict, judge},
    receiver::{Authority, Behavior, ELSEWHERE, Receiver, closed_port},
    report::Line,
};

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(200);

/// The sender is asked less often: it may count who asks.
const ASK: u32 = 5;

/// The secret that webhooks are to be signed with: "a secret of the conformance kit", in base64.
const SECRET: &str = "whsec_YSBzZWNyZXQgb2YgdGhlIGNvbmZvcm1hbmNlIGtpdA==";

/// A check under way.
struct Trial<'a> {
    check: &'a Check,
    receiver: Option<Receiver>,
    endpoint: Option<String>,
    secret: String,
    observed: Observed,
    verdict: Verdict,
}

/// Runs checks against a sender. Endpoints that were made are removed again, whatever happens.
pub async fn run(
    adapter: &Adapter,
    authority: &Authority,
    checks: &[Check],
    limits: &Limits,
) -> Result<Vec<Line>> {
    let mut trials = Vec::new();
    let watched = watch_all(adapter, authority, checks, limits, &mut trials).await;
    for endpoint in trials.iter().filter_map(|trial: &Trial<'_>| trial.endpoint.as_ref()) {
        adapter.delete_endpoint(endpoint).await.context("an endpoint cannot be removed")?;
    }
    watched?;
    Ok(trials.iter().map(Trial::line).collect())
}

async fn watch_all<'a>(
    adapter: &Adapter,
    authority: &Authority,
    checks: &'a [Check],
    limits: &Limits,
    trials: &mut Vec<Trial<'a>>,
) -> Result<()> {
    for check in checks {
        trials.push(Trial::begin(adapter, authority, check).await?);
    }
    let told = Instant::now();
    adapter.trigger().await.context("no event can be caused")?;
    for trial in trials.iter_mut() {
        trial.observed.told = Some(told);
    }
    watch(adapter, trials, limits, told + limits.patience).await?;
    if trials.iter().any(|trial| trial.check.expects.needs_another_event()) {
        settle_first(adapter, trials, limits).await?;
        let told = Instant::now();
        adapter.trigger().await.context("no second event can be caused")?;
        for trial in trials.iter_mut().filter(|trial| trial.check.expects.needs_another_event()) {
            trial.observed.told_again = Some(told);
        }
        watch(adapter, trials, limits, told + limits.patience).await?;
    }
    Ok(())
}

/// Before the next event: of what is decided nobody needs to hear it, and the others must have been tried once.
async fn settle_first(adapter: &Adapter, trials: &mut [Trial<'_>], limits: &Limits) -> Result<()> {
    for trial in trials.iter_mut().filter(|trial| !trial.check.expects.needs_another_event()) {
        if let Some(endpoint) = trial.endpoint.take() {
            adapter.delete_endpoint(&endpoint).await.context("an endpoint cannot be removed")?;
        }
    }
    let until = Instant::now() + limits.patience;
    while Instant::now() < until && !trials.iter().all(Trial::is_tried_once) {
        tokio::time::sleep(LOOK).await;
        for trial in trials.iter_mut() {
            trial.look(adapter, limits).await?;
        }
    }
    Ok(())
}

/// Looks until each check is decided, or the time is over.
async fn watch(adapter: &Adapter, trials: &mut [Trial<'_>], limits: &Limits, until: Instant) -> Result<()> {
    let mut looks = 0;
    loop {
        tokio::time::sleep(LOOK).await;
        looks += 1;
        for trial in trials.iter_mut().filter(|trial| trial.endpoint.is_some()) {
            if looks % ASK == 0 {
                trial.look(adapter, limits).await?;
            }
        }
        // Those that wait for another event have to be told of it first.
        let waits = |trial: &Trial<'_>| {
            let is_for_now =
                trial.observed.told_again.is_some() || !trial.check.expects.needs_another_event();
            is_for_now && matches!(trial.verdict, Verdict::NotYet(_))
        };
        if !trials.iter().any(waits) || Instant::now() > until {
            return Ok(());
        }
    }
}

impl<'a> Trial<'a> {
    async fn begin(adapter: &Adapter, authority: &Authority, check: &'a Check) -> Result<Self> {
        let (receiver, url) = place(authority, &check.acts).await?;
        let mut trial = Self {
            check,
            receiver,
            endpoint: None,
            secret: SECRET.to_owned(),
            observed: Observed::default(),
            verdict: Verdict::NotYet("nothing happened"),
        };
        let created = adapter.create_endpoint(&url, SECRET).await;
        match created.with_context(|| format!("no endpoint can be made for {}", check.name))? {
            Created::Made(made) => {
                trial.endpoint = Some(made.endpoint);
                trial.secret = made.secret.unwrap_or(trial.secret);
            }
            Created::Refused(why) => {
                trial.observed.refused = Some(why);
                trial.verdict = judge(check.expects, &trial.observed, &trial.secret, &Limits::default());
            }
        }
        Ok(trial)
    }

    /// Sees what there is to see, and judges it.
    async fn look(&mut self, adapter: &Adapter, limits: &Limits) -> Result<()> {
        let Some(endpoint) = &self.endpoint else { return Ok(()) };
        self.observed.seen = adapter.state(endpoint).await.context("the state cannot be read")?;
        if let Some(receiver) = &self.receiver {
            (self.observed.got, self.observed.connections) = (receiver.got(), receiver.connections());
        }
        self.verdict = judge(self.check.expects, &self.observed, &self.secret, limits);
        Ok(())
    }

    fn is_tried_once(&self) -> bool {
        self.endpoint.is_none() || self.observed.seen.as_ref().is_some_and(|seen| seen.attempts > 0)
    }

    fn line(&self) -> Line {
        let fault = match &self.verdict {
            Verdict::Passed => None,
            Verdict::Failed(why) => Some(why.clone()),
            Verdict::NotYet(why) => Some((*why).to_owned()),
        };
        Line {
            check: self.check.name.clone(),
            does: self.check.does,
            expected: self.check.expects.to_string(),
            why: self.check.why,
            source: self.check.source,
            observed: self.observed.words(),
            fault,
        }
    }
}

/// Puts up what stands at an endpoint's address. Returns its URL too.
async fn place(authority: &Authority, acts: &Acts) -> Result<(Option<Receiver>, String)> {
    let receiver = match acts {
        Acts::Http(behavior) => Receiver::start(behavior.clone()).await?,
        Acts::Tls(flaw) => Receiver::start_tls(&authority.identity(*flaw)?, Behavior::good()).await?,
        Acts::OldTls(old) => Receiver::start_old_tls(*old).await?,
        Acts::Closed => return Ok((None, format!("http://127.0.0.1:{}/hook", closed_port().await?))),
        Acts::Elsewhere(host) => {
            let started = Receiver::start_at(ELSEWHERE, Behavior::good()).await;
            let receiver = started.context("127.0.0.2 must be an address of this machine")?;
            let url = receiver.url_as(host);
            return Ok((Some(receiver), url));
        }
    };
    let url = receiver.url();
    Ok((Some(receiver), url))
}
