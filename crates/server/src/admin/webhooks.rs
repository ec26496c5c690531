//! The operator's commands on webhook endpoints, and the one that tells a sample.

use std::{path::Path, time::Duration};

use anyhow::{Context, bail};
use delivery::{NewTrial, Recipient, Trials, guard::Target, sign};
use ingest::Ingest;
use model::{EndpointId, EventFilter, EventType, OrgId, PacingChange, Telling, TellingChange, Time, sample};
use serde_json::{Value, json};
use store::{
    Endpoint, EndpointChange, EndpointState, EventData, HeldChoice, NewEndpoint, NewEvent, Rotation, Store,
    Written,
};

use crate::{
    admin::{check_org, deliveries::exchange, read_secret, signing_key, telling},
    app::{self, World},
    cli::{TellingOptions, TriggerOptions, WebhookCommand},
    config::Config,
    open_store,
    output::{self, Shown},
};

/// What the commands share.
pub(super) struct Desk<'a> {
    config: &'a Config,
    pub(super) world: World,
    pub(super) shown: Shown,
    pub(super) store: Store,
}

pub(crate) async fn webhook(
    config: &Config,
    world: World,
    shown: Shown,
    command: WebhookCommand,
) -> anyhow::Result<()> {
    let store = open_store(config, &world).await?;
    let desk = Desk { config, world, shown, store };
    match command {
        WebhookCommand::Create { org, url, events, secret_file, no_secret, pacing, telling } => {
            let secret = desk.secret(secret_file.as_deref(), no_secret)?;
            desk.create(org, (url, &events), secret, (pacing.into(), *telling)).await
        }
        WebhookCommand::List { org } => desk.list(org).await,
        WebhookCommand::Get { id } => desk.get(id).await,
        WebhookCommand::Update { id, url, events, description, pacing, telling } => {
            let pacing = PacingChange::from(pacing);
            anyhow::ensure!(
                url.is_some()
                    || events.is_some()
                    || description.is_some()
                    || pacing != PacingChange::default()
                    || *telling != TellingOptions::default(),
                "nothing is to be changed: give --url, --events, --description, --rate, --ordering or what else it is \
                 told"
            );
            let events = events.map(|events| parse_events(&events)).transpose()?;
            let description = description.map(|text| Some(text).filter(|text| !text.trim().is_empty()));
            let telling = desk.change_of_telling(id, *telling).await?;
            let change =
                EndpointChange { url, description, events, pacing, telling, ..EndpointChange::default() };
            desk.update(id, change).await
        }
        WebhookCommand::Pause { id } => desk.turn(id, EndpointState::Paused, HeldChoice::default()).await,
        WebhookCommand::Enable { id, held } => desk.turn(id, EndpointState::Enabled, held).await,
        WebhookCommand::Delete { id } => desk.delete(id).await,
        WebhookCommand::RotateSecret { id, expire_previous: true, .. } => desk.expire_previous(id).await,
        WebhookCommand::RotateSecret { id, secret_file, overlap, no_overlap, .. } => {
            let overlap = if no_overlap { Duration::ZERO } else { overlap.0 };
            desk.rotate(id, secret_file.as_deref(), overlap).await
        }
        WebhookCommand::Test { id: Some(id), event, telling, .. } => {
            anyhow::ensure!(
                *telling == TellingOptions::default(),
                "an endpoint is tested as it is told: change it with `webhook update`"
            );
            desk.test(id, event).await
        }
        WebhookCommand::Test { id: None, url, org, event, secret_file, no_secret, telling } => {
            let (url, org) = url.zip(org).context("give an endpoint's id, or --url and --org")?;
            check_org(&desk.store, org).await?;
            let given = no_secret || secret_file.is_some();
            let secret = desk.secret(secret_file.as_deref(), no_secret)?;
            let telling = telling::of_new(*telling, &desk.store.org(org)).await?;
            let secret = (secret, if given { Origin::Given } else { Origin::MadeUp });
            desk.test_address((org, url), event, secret, telling).await
        }
        WebhookCommand::PublicKey { org } => signing_key::show(&desk, org).await,
        WebhookCommand::RotateKey { org, expire_previous: true, .. } => {
            signing_key::expire_previous(&desk, org).await
        }
        WebhookCommand::RotateKey { org, overlap, no_overlap, .. } => {
            let overlap = if no_overlap { Duration::ZERO } else { overlap.0 };
            signing_key::rotate(&desk, org, overlap).await
        }
    }
}

/// Where a secret comes from: one that was made up is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Given,
    MadeUp,
}

impl Desk<'_> {
    async fn create(
        &self,
        org: OrgId,
        (url, events): (String, &str),
        secret: Option<String>,
        (pacing, telling): (PacingChange, TellingOptions),
    ) -> anyhow::Result<()> {
        check_org(&self.store, org).await?;
        check_url(self.config, &url)?;
        let telling = telling::of_new(telling, &self.store.org(org)).await?;
        let new = NewEndpoint { url, events: parse_events(events)?, secret, source: None, telling };
        let endpoint = self.store.org(org).create_paced_endpoint(new, pacing).await?;
        let mut text = format!("Endpoint {} is told of {events}", endpoint.id);
        if let Some(secret) = &endpoint.secret {
            text.push_str(&format!("\nIts webhooks are signed with\n  {secret}"));
        }
        self.shown.one(&json!({"id": endpoint.id, "url": endpoint.url, "secret": endpoint.secret}), &text);
        Ok(())
    }

    async fn list(&self, org: OrgId) -> anyhow::Result<()> {
        check_org(&self.store, org).await?;
        let endpoints = self.store.org(org).list_endpoints().await?;
        self.shown.list(endpoints.iter().map(|endpoint| {
            json!({"id": endpoint.id, "url": endpoint.url, "events": events_of(endpoint),
                "source_id": endpoint.source, "rate": endpoint.pacing.rate,
                "ordering": endpoint.pacing.ordering.as_str(), "state": endpoint.state.as_str(), "trouble": trouble_of(endpoint),
                "signed": endpoint.secret.is_some(), "created_at": endpoint.created_at})
        }));
        Ok(())
    }

    async fn get(&self, id: EndpointId) -> anyhow::Result<()> {
        let (_, endpoint) = self.find(id).await?;
        self.show(&endpoint);
        Ok(())
    }

    fn show(&self, endpoint: &Endpoint) {
        let until = endpoint.overlap_until(self.world.clock.now());
        let mut record = json!({"id": endpoint.id, "url": endpoint.url, "description": endpoint.description,
            "events": events_of(endpoint), "source_id": endpoint.source, "rate": endpoint.pacing.rate,
            "ordering": endpoint.pacing.ordering.as_str(), "state": endpoint.state.as_str(),
            "trouble": trouble_of(endpoint), "signed": endpoint.secret.is_some(), "previous_secret_until": until,
            "created_at": endpoint.created_at, "updated_at": endpoint.updated_at});
        for (name, value) in api::shown::telling(endpoint.telling.clone()).as_object().into_iter().flatten() {
            record[name.as_str()] = value.clone();
        }
        self.shown.record(&record);
    }

    async fn change_of_telling(
        &self,
        id: EndpointId,
        options: TellingOptions,
    ) -> anyhow::Result<TellingChange> {
        let (org, endpoint) = self.find(id).await?;
        telling::change(options, &endpoint.telling, &self.store.org(org)).await
    }

    async fn update(&self, id: EndpointId, change: EndpointChange) -> anyhow::Result<()> {
        let (org, endpoint) = self.find(id).await?;
        let TellingChange { calls, redact, format, .. } = &change.telling;
        let is_about_events =
            change.events.is_some() || calls.is_some() || redact.is_some() || format.is_some();
        anyhow::ensure!(
            endpoint.source.is_none() || !is_about_events,
            "--events: this endpoint forwards a source's messages and is told no events"
        );
        if let Some(url) = &change.url {
            check_url(self.config, url)?;
        }
        let description = change.description.as_ref().and_then(Option::as_deref).unwrap_or_default();
        anyhow::ensure!(
            description.chars().count() <= Endpoint::DESCRIPTION_CHARS,
            "--description: {} characters at most",
            Endpoint::DESCRIPTION_CHARS
        );
        let changed = self.store.org(org).update_endpoint(id, change).await?;
        self.show(&changed.with_context(|| no_endpoint(id))?);
        Ok(())
    }

    async fn turn(&self, id: EndpointId, state: EndpointState, held: HeldChoice) -> anyhow::Result<()> {
        self.update(id, EndpointChange { state: Some(state), held, ..EndpointChange::default() }).await
    }

    async fn delete(&self, id: EndpointId) -> anyhow::Result<()> {
        let (org, _) = self.find(id).await?;
        anyhow::ensure!(self.store.org(org).delete_endpoint(id).await?, no_endpoint(id));
        let text = format!("Endpoint {id} is deleted; its deliveries stay to be seen");
        self.shown.one(&json!({"id": id, "deleted": true}), &text);
        Ok(())
    }

    async fn rotate(
        &self,
        id: EndpointId,
        secret_file: Option<&Path>,
        overlap: Duration,
    ) -> anyhow::Result<()> {
        anyhow::ensure!(overlap <= Rotation::LONGEST_OVERLAP, "--overlap: 7d at most");
        let (org, _) = self.find(id).await?;
        let secret = match secret_file {
            Some(path) => read_secret(path)?,
            None => sign::generate_secret(&*self.world.ids),
        };
        let rotation = Rotation { secret: secret.clone(), overlap };
        let now = self.world.clock.now();
        // The endpoint as it is now: to rotate to the secret that it has already begins no overlap.
        let answer = move |endpoint: &Endpoint| json!(endpoint.overlap_until(now)).to_string();
        let rotated = self.store.org(org).rotate_endpoint_secret(id, rotation, None, answer).await?;
        let Some(Written::Done { data, .. }) = rotated else { bail!(no_endpoint(id)) };
        let until: Option<Time> = serde_json::from_str(&data)?;
        let mut text = format!("Endpoint {id} has a new secret");
        if secret_file.is_none() {
            text.push_str(&format!("\n  {secret}"));
        }
        text.push_str(&match until {
            Some(until) => format!(
                "\nThe one before signs too until {until}; X-InboundFlow-Signature, which holds one signature, stays on it"
            ),
            None => "\nIt signs alone from now on".to_owned(),
        });
        self.shown.one(&json!({"id": id, "secret": secret, "previous_secret_until": until}), &text);
        Ok(())
    }

    async fn expire_previous(&self, id: EndpointId) -> anyhow::Result<()> {
        let (org, _) = self.find(id).await?;
        let changed = self.store.org(org).expire_previous_secret(id).await?;
        changed.with_context(|| no_endpoint(id))?;
        let value = json!({"id": id, "secret": null, "previous_secret_until": null});
        self.shown.one(&value, &format!("Only the newest secret of endpoint {id} signs from now on"));
        Ok(())
    }

    async fn test(&self, id: EndpointId, event: Option<EventType>) -> anyhow::Result<()> {
        let (org, endpoint) = self.find(id).await?;
        anyhow::ensure!(
            endpoint.source.is_none(),
            "this endpoint forwards a source's messages: to test it, send the source one"
        );
        let now = self.world.clock.now();
        let trials = app::trials(self.config, &self.world, &self.store)?;
        let new = NewTrial::to(endpoint, (&self.store, org), event, now).await?;
        self.send(&trials, new, None).await
    }

    async fn test_address(
        &self,
        (org, url): (OrgId, String),
        event: Option<EventType>,
        (secret, origin): (Option<String>, Origin),
        telling: Telling,
    ) -> anyhow::Result<()> {
        let made_up = secret.clone().filter(|_| origin == Origin::MadeUp);
        let event = event.unwrap_or(EventType::CallCompleted);
        let trials = app::trials(self.config, &self.world, &self.store)?;
        let telling = (telling, self.world.clock.now());
        let to = Recipient::new((&self.store, org), url, secret, telling).await?;
        self.send(&trials, NewTrial { to, event }, made_up).await
    }

    async fn send(&self, trials: &Trials, new: NewTrial, made_up: Option<String>) -> anyhow::Result<()> {
        let (event, url) = (new.event, new.to.url.clone());
        let trial = trials.send(new).await?;
        let error = trial.error.clone();
        let value = api::shown::trial(event, url, made_up.clone(), trial);
        let mut text = exchange(&value);
        if let Some(secret) = made_up {
            text.push_str(&format!("\nIt is signed with the secret\n  {secret}"));
        }
        self.shown.one(&value, &text);
        // What it was told stands above: here it is only that it failed.
        anyhow::ensure!(error.is_none(), "the webhook was not taken");
        Ok(())
    }

    fn secret(&self, file: Option<&Path>, no_secret: bool) -> anyhow::Result<Option<String>> {
        Ok(match (no_secret, file) {
            (true, _) => None,
            (false, Some(path)) => Some(read_secret(path)?),
            (false, None) => Some(sign::generate_secret(&*self.world.ids)),
        })
    }

    /// An endpoint by its id alone: an operator sees every organization's.
    async fn find(&self, id: EndpointId) -> anyhow::Result<(OrgId, Endpoint)> {
        let org = self.store.org_of_endpoint(id).await?.with_context(|| no_endpoint(id))?;
        let endpoint = self.store.org(org).get_endpoint(id).await?;
        Ok((org, endpoint.with_context(|| no_endpoint(id))?))
    }
}

/// Tells an event that did not happen.
pub(crate) async fn trigger(
    config: &Config,
    world: World,
    shown: Shown,
    options: TriggerOptions,
) -> anyhow::Result<()> {
    let store = open_store(config, &world).await?;
    let TriggerOptions { event, org, webhook, fields } = options;
    check_org(&store, org).await?;
    let data = sample::data_with(event, fields).map_err(|why| anyhow::anyhow!("--set: {why}"))?;
    let records = store.org(org);
    if let Some(id) = webhook {
        let found = records.get_endpoint(id).await?;
        found.with_context(|| format!("--webhook: {}", no_endpoint(id)))?;
    }
    let rules = Ingest::new(store, world.clock, world.ids, config.completion_wait()).rules();
    let sample = NewEvent { event, call_id: None, data: EventData::Json(data.to_string()) };
    let told = records.tell_sample(sample, webhook, rules).await?;
    let value = json!({"id": told.id, "event": event, "deliveries": told.deliveries});
    let text = format!(
        "Event {} is told to {} endpoints; a running server sends it within 15 s",
        told.id, told.deliveries
    );
    shown.one(&value, &text);
    Ok(())
}

pub(super) fn no_endpoint(id: EndpointId) -> String {
    format!("there is no endpoint with the id {id}")
}

fn events_of(endpoint: &Endpoint) -> Value {
    if endpoint.events.is_empty() { json!(["all"]) } else { json!(endpoint.events) }
}

fn parse_events(text: &str) -> anyhow::Result<EventFilter> {
    EventFilter::parse(text.split(',').map(str::trim)).context("--events")
}

/// Refuses what is no address, and warns of one that the guard keeps webhooks away from: the server's own configuration
/// decides, and may be another than this command's.
pub(super) fn check_url(config: &Config, url: &str) -> anyhow::Result<()> {
    Target::shape(url).context("--url")?;
    if let Err(error) = Target::parse(url, &config.allow_list()?) {
        output::complain(&format!(
            "warning: by this command's configuration it would not be sent to: {error}"
        ));
    }
    Ok(())
}

/// How an endpoint fails, as the API has it.
fn trouble_of(endpoint: &Endpoint) -> serde_json::Value {
    endpoint.trouble.as_ref().map_or(serde_json::Value::Null, |trouble| {
        json!({"failures": trouble.failures, "failing_since": trouble.since, "last_error": trouble.last_error,
            "circuit_open_since": trouble.circuit.map(|circuit| circuit.opened_at),
            "next_probe_at": trouble.circuit.map(|circuit| circuit.probe_at), "disable_at": trouble.disable_at})
    })
}
