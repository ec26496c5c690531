//! The operator's commands on contacts.

use std::{
    fs::{self, OpenOptions},
    io::{Write, stdout},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use model::ContactId;
use serde_json::{Value, json};
use store::{Compaction, Erasure, ErasureState, ErasureStep, OrgStore};

use crate::{
    admin::check_org,
    app::{World, serve_recordings},
    cli::ContactCommand,
    config::Config,
    open_store,
    output::Shown,
};

pub(crate) async fn contact(
    config: &Config,
    world: World,
    shown: Shown,
    command: ContactCommand,
) -> anyhow::Result<()> {
    let store = open_store(config, &world).await?;
    match command {
        ContactCommand::Export { org, id, out } => {
            check_org(&store, org).await?;
            serve_recordings(config, &world, &store, None).await?;
            export(&store.org(org), shown, id, &out).await
        }
        ContactCommand::Erase { org, id, preview: true, .. } => {
            check_org(&store, org).await?;
            let counted = store.org(org).count_erasable(id).await?;
            let Some(erasable) = counted else { bail!("there is no contact with the id {id}") };
            let value = json!(erasable);
            shown.one(&value, &format!("Would be erased: {}", counts(&value)));
            Ok(())
        }
        ContactCommand::Erase { org, id, compact, .. } => {
            check_org(&store, org).await?;
            erase(&store.org(org), shown, id, compact).await
        }
    }
}

/// Writes a file beside its place and moves it there when it is whole, so that a part is never taken for the whole.
async fn export(records: &OrgStore, shown: Shown, id: ContactId, out: &Path) -> anyhow::Result<()> {
    let Some(mut export) = records.export_person(id).await? else {
        bail!("there is no contact with the id {id}")
    };
    if out.as_os_str() == "-" {
        let mut all = stdout().lock();
        while let Some(piece) = export.next_piece().await? {
            all.write_all(&piece)?;
        }
        return writeln!(all).context("standard output");
    }
    let part = PathBuf::from(format!("{}.part", out.display()));
    let told = || format!("cannot write {}", part.display());
    // Personal data: for its owner's eyes.
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part);
    let mut file = file.with_context(told)?;
    while let Some(piece) = export.next_piece().await? {
        file.write_all(&piece).with_context(told)?;
    }
    file.sync_all().with_context(told)?;
    fs::rename(&part, out).with_context(|| format!("cannot write {}", out.display()))?;
    shown.one(&json!({"out": out, "contact_id": export.contact()}), &format!("Written to {}", out.display()));
    Ok(())
}

async fn erase(records: &OrgStore, shown: Shown, id: ContactId, compact: bool) -> anyhow::Result<()> {
    let Some(begun) = records.begin_erasure(id).await? else { bail!("there is no contact with the id {id}") };
    let compaction = if compact { Compaction::Always } else { Compaction::IfSmall };
    let erasure = loop {
        match records.continue_erasure(begun.id, compaction).await? {
            Some(ErasureStep::More(_)) => {}
            Some(ErasureStep::Done(erasure) | ErasureStep::Waits(erasure)) => break erasure,
            None => bail!("the erasure {} is gone", begun.id),
        }
    };
    show(shown, &erasure);
    Ok(())
}

/// How many there are of each kind of which there are any.
fn counts(of: &Value) -> String {
    let some = of.as_object().into_iter().flatten().filter(|(_, count)| count.as_u64() != Some(0));
    let some: Vec<String> = some.map(|(kind, count)| format!("{count} {}", kind.replace('_', " "))).collect();
    if some.is_empty() { "nothing".to_owned() } else { some.join(", ") }
}

fn show(shown: Shown, erasure: &Erasure) {
    let value = json!({"id": erasure.id, "contact_id": erasure.contact_id, "state": erasure.state.as_str(),
        "erased": erasure.erased, "note": erasure.note});
    let counts = counts(&value["erased"]);
    let mut text = match erasure.state {
        ErasureState::Done => format!("Erased: {counts}"),
        ErasureState::Running => format!(
            "Erased so far: {counts}. A webhook that tells of the person is under way: a running server finishes the \
             erasure {}, or this command when it is given again",
            erasure.id
        ),
    };
    if let Some(note) = &erasure.note {
        text.push_str(&format!("\n{note}"));
    }
    shown.one(&value, &text);
}
