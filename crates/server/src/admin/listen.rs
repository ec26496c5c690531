//! `listen`: what happens is posted to an address of this machine, while somebody builds what receives it.
//!
//! The log of events is read, not the deliveries: nothing that an endpoint is owed changes by it.

use std::time::Duration;

use anyhow::Context;
use delivery::{Happened, Recipient, Trial, guard::Target, sign};
use model::{EventFilter, EventType, Stamp, Telling};
use serde_json::json;
use store::{ListEvents, LoggedEvent, Store};

use crate::{
    admin::{check_org, webhooks::no_endpoint},
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
    let trials = app::trials(&allowing(config, &options.forward_to)?, &world, &store)?;
    let to = recipient(&store, &world, &options).await?;
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
            let trial = trials.tell(to.clone(), happened(logged)).await?;
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

/// The address, and how it is told: as an endpoint is, or signed with a secret that is made up and shown.
async fn recipient(store: &Store, world: &World, options: &ListenOptions) -> anyhow::Result<Recipient> {
    let (org, url, now) = (options.org, options.forward_to.clone(), world.clock.now());
    let Some(id) = options.webhook else {
        let secret = sign::generate_secret(&*world.ids);
        output::complain(&format!("signed with the secret {secret}"));
        return Ok(Recipient::new((store, org), url, Some(secret), (Telling::default(), now)).await?);
    };
    let endpoint = store.org(org).get_endpoint(id).await?;
    let endpoint = endpoint.with_context(|| format!("--webhook: {}", no_endpoint(id)))?;
    anyhow::ensure!(endpoint.secret.is_some(), "--webhook: the endpoint {id} has no secret");
    Ok(Recipient { url, ..Recipient::of(endpoint, (store, org), now).await? })
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
