//! The operator's commands. They work on the database directly, beside a running server.

mod contacts;
mod export;
mod import;
mod sources;

use std::{io::Read, path::Path};

use anyhow::{Context, bail};
use delivery::{guard::Target, sign};
use model::{EventType, OrgId, Scopes};
use serde_json::json;
use store::{NewEndpoint, NewKey, Store};

pub(crate) use contacts::contact;
pub(crate) use export::export;
pub(crate) use import::import;
pub(crate) use sources::source;

use crate::{
    app::World,
    cli::{DeliveriesCommand, KeyCommand, OrgCommand, WebhookCommand},
    config::Config,
    open_store,
    output::{self, Shown},
};

pub(crate) async fn org(
    config: &Config,
    world: World,
    shown: Shown,
    command: OrgCommand,
) -> anyhow::Result<()> {
    let OrgCommand::Create { name } = command;
    anyhow::ensure!(!name.trim().is_empty(), "--name: an organization needs one");
    let org = open_store(config, &world).await?.create_org(name.trim()).await?;
    let text = format!("Organization {} has the id {}", org.name, org.id);
    shown.one(&json!({"id": org.id, "name": org.name}), &text);
    Ok(())
}

pub(crate) async fn key(
    config: &Config,
    world: World,
    shown: Shown,
    command: KeyCommand,
) -> anyhow::Result<()> {
    let store = open_store(config, &world).await?;
    match command {
        KeyCommand::Create { org, name, expires_in, rate_limit, scopes } => {
            check_org(&store, org).await?;
            let expires_at = expires_in.map(|span| world.clock.now() + span.0);
            let scopes = scopes.unwrap_or(Scopes::All);
            let new = NewKey { name, expires_at, rate_limit, scopes };
            let (record, key) = store.org(org).create_key(new).await?;
            let value = json!({"id": record.id, "key": key.reveal(), "name": record.name,
                "expires_at": expires_at, "scopes": record.scopes.words()});
            shown.one(
                &value,
                &format!("{}\nThis is the only time it is shown. Its id is {}", key.reveal(), record.id),
            );
        }
        KeyCommand::List { org } => {
            check_org(&store, org).await?;
            let keys = store.org(org).list_keys().await?;
            shown.list(keys.iter().map(|key| {
                json!({"id": key.id, "name": key.name, "key": format!("sk_live_…{}", key.last4),
                    "created_at": key.created_at, "expires_at": key.expires_at, "revoked_at": key.revoked_at,
                    "last_used_at": key.last_used_at, "rate_limit": key.rate_limit, "scopes": key.scopes.words()})
            }));
        }
        KeyCommand::Revoke { id } => {
            let Some(key) = store.revoke_key(id).await? else { bail!("there is no key with the id {id}") };
            shown.one(
                &json!({"id": key.id, "revoked_at": key.revoked_at}),
                &format!("Key {} is revoked", key.id),
            );
        }
    }
    Ok(())
}

pub(crate) async fn webhook(
    config: &Config,
    world: World,
    shown: Shown,
    command: WebhookCommand,
) -> anyhow::Result<()> {
    let store = open_store(config, &world).await?;
    match command {
        WebhookCommand::Create { org, url, events, secret_file, no_secret } => {
            check_org(&store, org).await?;
            Target::shape(&url).context("--url")?;
            if let Err(error) = Target::parse(&url, &config.allow_list()?) {
                // The server's own configuration decides, and may be another than this command's.
                output::complain(&format!(
                    "warning: by this command's configuration it would not be sent to: {error}"
                ));
            }
            let secret = match (no_secret, secret_file) {
                (true, _) => None,
                (false, Some(path)) => Some(read_secret(&path)?),
                (false, None) => Some(sign::generate_secret(&*world.ids)),
            };
            let new = NewEndpoint { url, events: parse_events(&events)?, secret };
            let endpoint = store.org(org).create_endpoint(new).await?;
            let mut text = format!("Endpoint {} is told of {events}", endpoint.id);
            if let Some(secret) = &endpoint.secret {
                text.push_str(&format!("\nIts webhooks are signed with\n  {secret}"));
            }
            shown.one(&json!({"id": endpoint.id, "url": endpoint.url, "secret": endpoint.secret}), &text);
        }
        WebhookCommand::List { org } => {
            check_org(&store, org).await?;
            let endpoints = store.org(org).list_endpoints().await?;
            shown.list(endpoints.iter().map(|endpoint| {
                let events = if endpoint.events.is_empty() { vec!["all".to_owned()] } else { endpoint.events.clone() };
                json!({"id": endpoint.id, "url": endpoint.url, "events": events, "state": endpoint.state.as_str(),
                    "signed": endpoint.secret.is_some(), "created_at": endpoint.created_at})
            }));
        }
    }
    Ok(())
}

pub(crate) async fn deliveries(
    config: &Config,
    world: World,
    shown: Shown,
    command: DeliveriesCommand,
) -> anyhow::Result<()> {
    let store = open_store(config, &world).await?;
    let DeliveriesCommand::List { org, limit } = command;
    check_org(&store, org).await?;
    let deliveries = store.org(org).list_deliveries(limit).await?;
    shown.list(deliveries.iter().map(|delivery| {
        json!({"id": delivery.id, "endpoint": delivery.endpoint, "event": delivery.event,
            "state": delivery.state.as_str(), "attempts": delivery.attempts, "next_attempt_at": delivery.due_at,
            "last_status": delivery.last_status, "last_error": delivery.last_error,
            "created_at": delivery.created_at})
    }));
    Ok(())
}

async fn check_org(store: &Store, org: OrgId) -> anyhow::Result<()> {
    if store.find_org(org).await?.is_none() {
        bail!("--org: there is no organization with the id {org}");
    }
    Ok(())
}

fn parse_events(text: &str) -> anyhow::Result<Vec<EventType>> {
    if text.trim() == "all" {
        return Ok(Vec::new());
    }
    let names = || EventType::ALL.map(EventType::as_str).join(", ");
    text.split(',')
        .map(|name| {
            let event = EventType::parse(name.trim());
            event.with_context(|| format!("--events: `{}` is none of all, {}", name.trim(), names()))
        })
        .collect()
}

fn read_secret(path: &Path) -> anyhow::Result<String> {
    read_word(path, "--secret-file")
}

/// Reads the one word that is in the file that an option names.
fn read_word(path: &Path, option: &'static str) -> anyhow::Result<String> {
    let text = read_file(path).context(option)?;
    let word = text.trim();
    anyhow::ensure!(!word.is_empty(), "{option}: {} is empty", path.display());
    Ok(word.to_owned())
}

fn read_file(path: &Path) -> anyhow::Result<String> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
