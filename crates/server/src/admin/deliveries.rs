//! The operator's commands on deliveries.

use std::time::Duration;

use anyhow::{Context, bail};
use model::{DeliveryId, OrgId, Page};
use serde_json::{Value, json};
use store::{DeliveryState, ListDeliveries, NewRecovery, Recovering, Removed, Resent, Store, Written};

use crate::{
    admin::{check_org, webhooks::no_endpoint},
    app::World,
    cli::DeliveriesCommand,
    config::Config,
    open_store,
    output::{self, Progress, Shown},
};

pub(crate) async fn deliveries(
    config: &Config,
    world: World,
    shown: Shown,
    command: DeliveriesCommand,
) -> anyhow::Result<()> {
    let store = open_store(config, &world).await?;
    match command {
        DeliveriesCommand::List { org, webhook, event, state, call, since, until, limit } => {
            let list = ListDeliveries {
                page: Page { limit, before: None, since },
                until,
                endpoint: webhook,
                event: event.map(|event| event.as_str().to_owned()),
                state,
                call,
                ..ListDeliveries::newest(limit)
            };
            list_deliveries(&store, shown, org, list).await
        }
        DeliveriesCommand::Get { id } => get_delivery(&store, shown, id).await,
        DeliveriesCommand::Resend { id } => resend_delivery(&store, shown, id).await,
        DeliveriesCommand::Recover { webhook: endpoint, since, until, cancelled, preview } => {
            let mut states = vec![DeliveryState::Exhausted];
            states.extend(cancelled.then_some(DeliveryState::Cancelled));
            let new = NewRecovery { endpoint, states, since, until };
            if preview { count(&store, shown, new).await } else { recover(&store, &world, shown, new).await }
        }
    }
}

async fn count(store: &Store, shown: Shown, new: NewRecovery) -> anyhow::Result<()> {
    let endpoint = new.endpoint;
    let org = store.org_of_endpoint(endpoint).await?.with_context(|| no_endpoint(endpoint))?;
    let counted = store.org(org).count_recoverable_and_lost(new, i64::MAX).await?;
    let (count, not_kept) = counted.with_context(|| no_endpoint(endpoint))?;
    let text = format!("{count} deliveries to endpoint {endpoint} would be sent again{}", but_for(not_kept));
    shown.one(&json!({"webhook_id": endpoint, "count": count, "not_kept": not_kept}), &text);
    Ok(())
}

/// What is to be said of those that cannot be sent again, if there are any.
fn but_for(not_kept: i64) -> String {
    match not_kept {
        0 => String::new(),
        _ => format!(", but for {not_kept} of which what they told is no longer kept"),
    }
}

/// How long another process is left to its work before it is looked at again.
const MOMENT: Duration = Duration::from_millis(100);

/// Makes all of them due, here and now: beside a server that does so too, each is made due once.
async fn recover(store: &Store, world: &World, shown: Shown, new: NewRecovery) -> anyhow::Result<()> {
    let endpoint = new.endpoint;
    let org = store.org_of_endpoint(endpoint).await?.with_context(|| no_endpoint(endpoint))?;
    let records = store.org(org);
    let begun = records.recover_deliveries(new, None, |recovery| recovery.id.to_string()).await?;
    let id = match begun.with_context(|| no_endpoint(endpoint))? {
        Recovering::Begun(Written::Done { data, .. } | Written::Replayed { data, .. }) => data.parse()?,
        Recovering::Begun(Written::Conflict) => bail!("the recovery could not be begun"),
        Recovering::EndpointGone => bail!("endpoint {endpoint} is gone: enable it first"),
    };
    let mut progress = Progress::of("deliveries are due again");
    let recovery = loop {
        let recovery = records.get_recovery(id).await?.with_context(|| format!("recovery {id} is gone"))?;
        if recovery.finished_at.is_some() {
            break recovery;
        }
        progress.show(u64::try_from(recovery.done).unwrap_or_default());
        if !store.advance_recovery().await? {
            // A server is at it.
            world.clock.sleep_until(world.clock.now() + MOMENT).await;
        }
    };
    progress.end();
    let (done, not_kept) = (recovery.done, recovery.not_kept);
    let text = format!(
        "{done} deliveries are due again{}; a running server begins to send them within 15 s",
        but_for(not_kept)
    );
    shown.one(&json!({"id": id, "webhook_id": endpoint, "done": done, "not_kept": not_kept}), &text);
    Ok(())
}

async fn list_deliveries(
    store: &Store,
    shown: Shown,
    org: OrgId,
    list: ListDeliveries,
) -> anyhow::Result<()> {
    check_org(store, org).await?;
    let deliveries = store.org(org).find_deliveries(list).await?.records;
    shown.list(deliveries.iter().map(|delivery| {
        json!({"id": delivery.id, "endpoint": delivery.endpoint, "event": delivery.event,
            "state": delivery.state.as_str(), "attempts": delivery.attempts, "next_attempt_at": delivery.due_at,
            "last_status": delivery.last_status, "last_error": delivery.last_error,
            "created_at": delivery.created_at})
    }));
    Ok(())
}

async fn get_delivery(store: &Store, shown: Shown, id: DeliveryId) -> anyhow::Result<()> {
    let org = org_of(store, id).await?;
    let detail = store.org(org).get_delivery(id).await?.with_context(|| no_delivery(id))?;
    let value = api::shown::delivery(detail, org);
    let mut summary = value.clone();
    let attempts = summary.as_object_mut().and_then(|fields| fields.shift_remove("attempts"));
    let mut blocks = vec![output::fields(&summary)];
    for attempt in attempts.iter().filter_map(Value::as_array).flatten() {
        blocks.push(format!(
            "try {}, {}\n{}",
            attempt["number"],
            word(&attempt["trigger"]),
            exchange(attempt)
        ));
    }
    shown.one(&value, &blocks.join("\n\n"));
    Ok(())
}

async fn resend_delivery(store: &Store, shown: Shown, id: DeliveryId) -> anyhow::Result<()> {
    let org = org_of(store, id).await?;
    match store.org(org).resend_delivery(id, None, |_| String::new()).await? {
        Some(Resent::Done(_)) => {}
        Some(Resent::UnderWay) => bail!("delivery {id} is being sent, or is about to be"),
        Some(Resent::NoEndpoint) => bail!("the endpoint of delivery {id} was deleted"),
        Some(Resent::Removed(Removed::Erased)) => bail!("the person that delivery {id} tells of was erased"),
        Some(Resent::Removed(Removed::Expired)) => {
            bail!("what delivery {id} sent is no longer kept: it is too old, so it cannot be sent again")
        }
        None => bail!(no_delivery(id)),
    }
    let text = format!("Delivery {id} is due now; a running server sends it within 15 s");
    shown.one(&json!({"id": id, "resent": true}), &text);
    Ok(())
}

async fn org_of(store: &Store, id: DeliveryId) -> anyhow::Result<OrgId> {
    store.org_of_delivery(id).await?.with_context(|| no_delivery(id))
}

fn no_delivery(id: DeliveryId) -> String {
    format!("there is no delivery with the id {id}")
}

/// A request and its answer as text, as `curl --verbose` shows them: `>` was sent and `<` was answered.
pub(super) fn exchange(shown: &Value) -> String {
    let (request, response) = (&shown["request"], &shown["response"]);
    let mut lines = vec![format!("> {} {}", word(&request["method"]), word(&request["url"]))];
    lines.extend(header_lines('>', request));
    lines.extend(body_lines('>', &request["body"]));
    if request["body"].is_null() {
        lines.push("> (what was sent is no longer kept)".to_owned());
    }
    if !response.is_null() {
        lines.push(format!("< {}", response["status"]));
        lines.extend(header_lines('<', response));
        lines.extend(body_lines('<', &response["body"]));
        lines.extend(body_lines('<', &response["body_base64"]));
    }
    let by = shown["address"].as_str().map(|address| format!(" by {address}")).unwrap_or_default();
    let how = shown["error"].as_str().map_or("delivered".to_owned(), |error| format!("failed: {error}"));
    lines.push(format!(
        "{how}, after {} ms{by}, begun at {}",
        shown["duration_ms"],
        word(&shown["started_at"])
    ));
    lines.join("\n")
}

fn header_lines(mark: char, side: &Value) -> impl Iterator<Item = String> {
    let headers = side["headers"].as_array().into_iter().flatten();
    headers.map(move |header| format!("{mark} {}: {}", word(&header["name"]), word(&header["value"])))
}

fn body_lines(mark: char, body: &Value) -> impl Iterator<Item = String> {
    let text = body.as_str().filter(|text| !text.is_empty());
    let lines = text.into_iter().flat_map(str::lines).map(move |line| format!("{mark} {line}"));
    text.map(|_| mark.to_string()).into_iter().chain(lines)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}
