//! The operator's commands. They work on the database directly, beside a running server.

mod blocked_numbers;
mod calendar_feeds;
mod completeness;
mod contacts;
mod deliveries;
mod export;
mod import;
mod listen;
mod recordings;
mod signature;
mod signing_key;
mod sources;
mod telling;
mod users;
mod webhooks;

use std::{io::Read, path::Path};

use anyhow::{Context, bail};
use model::{OrgId, Scopes};
use serde_json::json;
use store::{NewKey, Store};

pub(crate) use blocked_numbers::blocked_number;
pub(crate) use calendar_feeds::calendar_feed;
pub(crate) use contacts::contact;
pub(crate) use deliveries::deliveries;
pub(crate) use export::export;
pub(crate) use import::import;
pub(crate) use listen::listen;
pub(crate) use recordings::recordings;
pub(crate) use signature::signature;
pub(crate) use sources::source;
pub(crate) use users::user;
pub(crate) use webhooks::{trigger, webhook};

use crate::{
    app::World,
    cli::{KeyCommand, OrgCommand},
    config::Config,
    open_store,
    output::Shown,
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

async fn check_org(store: &Store, org: OrgId) -> anyhow::Result<()> {
    if store.find_org(org).await?.is_none() {
        bail!("--org: there is no organization with the id {org}");
    }
    Ok(())
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
