//! The operator's commands on recordings.

use anyhow::{bail, ensure};
use model::{CallId, OrgId};
use serde_json::json;
use store::{RecordingRecord, Refetch, Store};

use crate::{
    admin::check_org, app::World, cli::RecordingsCommand, config::Config, open_store, output::Shown,
};

pub(crate) async fn recordings(
    config: &Config,
    world: World,
    shown: Shown,
    command: RecordingsCommand,
) -> anyhow::Result<()> {
    let store = open_store(config, &world).await?;
    match command {
        RecordingsCommand::List { org, call, limit } => {
            check_org(&store, org).await?;
            let all = store.org(org).list_recordings(call, limit).await?;
            shown.list(all.iter().map(row));
        }
        RecordingsCommand::Fetch { org, call } => {
            check_call(&store, org, call).await?;
            let Refetch::Asked(count) = store.org(org).refetch_recordings(call).await? else {
                bail!("the caller's number is blocked: unblock it first (`blocked-number delete`)");
            };
            // A running server looks at least once a minute.
            shown.one(
                &json!({"id": call, "count": count}),
                &format!("{count} will be fetched within a minute"),
            );
        }
        RecordingsCommand::Delete { org, call } => {
            check_call(&store, org, call).await?;
            let count = store.org(org).delete_recordings(call).await?;
            let text = format!("{count} are deleted; a running server clears the files away within a minute");
            shown.one(&json!({"id": call, "count": count}), &text);
        }
    }
    Ok(())
}

fn row(recording: &RecordingRecord) -> serde_json::Value {
    let found = &recording.found;
    let object = found.object.as_ref();
    json!({"call_id": recording.call, "variant": found.variant.as_str(), "state": found.state.as_str(),
        "attempts": recording.attempts, "next_attempt_at": recording.due_at,
        "size_bytes": object.map(|object| object.size),
        "content_type": object.map(|object| object.content_type.as_str()),
        "stored_at": found.stored_at, "error": found.error, "created_at": recording.created_at})
}

async fn check_call(store: &Store, org: OrgId, call: CallId) -> anyhow::Result<()> {
    check_org(store, org).await?;
    let is_known = store.org(org).get_call(call).await?.is_some();
    ensure!(is_known, "--call: the organization has no call with the id {call}");
    Ok(())
}
