//! `listen`: what happens is posted to an address of this machine, while somebody builds what receives it.
//!
//! The log of events is read, not the deliveries: nothing that an endpoint is owed changes by it.

use std::time::Duration;

use anyhow::Context;
use delivery::{Happened, NewTrial, Trial, guard::Target, sign};
use model::{EventFilter, EventType, Stamp, Time};
use serde_json::json;
use store::{ListEvents, LoggedEvent, OrgStore};

use crate::{
    admin::check_org,
    app::{self, World},
    cli::ListenOptions,
    config::Config,
    open_store,
    output::{self, Shown},
};

/// How long after the last look the next is: another process tells the events.
const PAUSE: Duration = Duration::from_millis(300);

/// How many events are read at once.
const PAGE: u32 = 50;

pub(crate) async fn listen(
    config: &Config,
    world: World,
    shown: Shown,
    options: ListenOptions,
) -> anyhow::Result<()> {
    let store = open_store(config, &world).await?;
    check_org(&store, options.org).await?;
    let records = store.org(options.org);
    let types = options.events.as_deref().map(types_of).transpose()?.unwrap_or_default();
    let signing = signing(&records, &world, &options).await?;
    let trials = app::trials(&allowing(config, &options.forward_to)?, &world)?;
    let mut after = match options.since {
        Some(since) => Stamp::from_micros(since.micros()),
        None => records.end_of_events().await?,
    };
    output::complain(&format!("what happens is posted to {}; Ctrl-C ends it", options.forward_to));
    let mut left = options.count.unwrap_or(u64::MAX);
    loop {
        let list = ListEvents { limit: PAGE, after: Some(after), since: None, types: types.clone() };
        for logged in records.find_events(list).await?.records {
            after = logged.created_at;
            let (name, at) = (logged.event.clone(), logged.created_at.time());
            let trial = trials.tell(signing.trial(&options), happened(logged)).await?;
            let value = json!({"event": name, "timestamp": at, "status": trial.status,
                "duration_ms": trial.duration_ms, "error": trial.error});
            shown.one(&value, &format!("{at}  {name}  {}", outcome(&trial)));
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        }
        world.clock.sleep_until(world.clock.now() + PAUSE).await;
    }
}

fn outcome(trial: &Trial) -> String {
    match (&trial.error, trial.status) {
        (None, Some(status)) => format!("{status} in {} ms", trial.duration_ms),
        (error, _) => error.clone().unwrap_or_else(|| "no answer".into()),
    }
}

fn happened(logged: LoggedEvent) -> Happened {
    Happened { id: logged.id, event: logged.event, at: logged.created_at.time(), data: logged.data }
}

/// What signs: an endpoint's secrets, or one that is made up.
struct Signing {
    secret: String,
    previous: Option<(String, Time)>,
}

impl Signing {
    fn trial(&self, options: &ListenOptions) -> NewTrial {
        NewTrial {
            org: options.org,
            url: options.forward_to.clone(),
            secret: Some(self.secret.clone()),
            previous_secret: self.previous.clone(),
            // What is told is said by what happened.
            event: EventType::CallCompleted,
        }
    }
}

/// Shows the secret where it is made up.
async fn signing(records: &OrgStore, world: &World, options: &ListenOptions) -> anyhow::Result<Signing> {
    let Some(id) = options.webhook else {
        let secret = sign::generate_secret(&*world.ids);
        output::complain(&format!("signed with the secret {secret}"));
        return Ok(Signing { secret, previous: None });
    };
    let endpoint = records.get_endpoint(id).await?;
    let endpoint = endpoint.with_context(|| format!("--webhook: there is no endpoint with the id {id}"))?;
    let previous = endpoint.previous_secret.zip(endpoint.previous_secret_until);
    let secret = endpoint.secret.with_context(|| format!("--webhook: the endpoint {id} has no secret"))?;
    Ok(Signing { secret, previous })
}

/// The names of the events that are asked for.
fn types_of(text: &str) -> anyhow::Result<Vec<String>> {
    let filter = EventFilter::parse(text.split(',').map(str::trim)).context("--events")?;
    let wanted = EventType::ALL.into_iter().filter(|event| filter.wants(*event));
    Ok(wanted.map(|event| event.as_str().to_owned()).collect())
}

/// The configuration, but that the host which the operator has just typed may be called.
fn allowing(config: &Config, url: &str) -> anyhow::Result<Config> {
    Target::shape(url).context("--forward-to")?;
    let mut config = config.clone();
    let host = reqwest::Url::parse(url).context("--forward-to")?.host_str().map(str::to_owned);
    config.delivery.allow_targets.extend(host.map(|host| host.trim_matches(['[', ']']).to_owned()));
    Ok(config)
}
