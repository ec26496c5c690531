//! The operator's commands for people who sign in.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde_json::json;
use store::NewUser;

use super::{check_org, read_file};
use crate::{app::World, cli::UserCommand, config::Config, open_store, output::Shown};

pub(crate) async fn user(
    config: &Config,
    world: World,
    shown: Shown,
    command: UserCommand,
) -> anyhow::Result<()> {
    let store = open_store(config, &world).await?;
    match command {
        UserCommand::Create { org, email, role, password_file } => {
            check_org(&store, org).await?;
            ensure!(dashboard::is_email(&email), "--email: must be an e-mail address");
            let password_hash = read_password(&password_file, &world)?;
            let made = store.org(org).create_user(NewUser { email, password_hash, role }).await?;
            let Some(user) = made else { bail!("--email: somebody has this address already") };
            let value = json!({"id": user.id, "email": user.email, "role": user.role.as_str()});
            shown.one(&value, &format!("{} is {} now and can sign in", user.email, user.role.as_str()));
        }
        UserCommand::List { org } => {
            check_org(&store, org).await?;
            let users = store.org(org).list_users().await?;
            shown.list(users.iter().map(|user| {
                json!({"id": user.id, "email": user.email, "role": user.role.as_str(), "since": user.created_at})
            }));
        }
        UserCommand::ResetPassword { email, password_file } => {
            let password_hash = read_password(&password_file, &world)?;
            ensure!(store.reset_password(&email, password_hash).await?, "--email: nobody has this address");
            let value = json!({"email": email.trim().to_lowercase(), "reset": true});
            shown.one(&value, "The password is set, and all sessions with the one before are over");
        }
    }
    Ok(())
}

/// What is kept of the password in a file. The end of its line is not part of it.
fn read_password(path: &Path, world: &World) -> anyhow::Result<String> {
    let text = read_file(path).context("--password-file")?;
    let password = text.trim_end_matches(['\r', '\n']);
    if let Some(why) = dashboard::password::fault(password) {
        bail!("--password-file: the password {why}");
    }
    Ok(dashboard::password::hash(password, &*world.ids)?)
}
