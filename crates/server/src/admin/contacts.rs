//! The operator's commands on contacts.

use anyhow::bail;
use serde_json::json;
use store::{Compaction, Erasure, ErasureState, ErasureStep};

use crate::{admin::check_org, app::World, cli::ContactCommand, config::Config, open_store, output::Shown};

pub(crate) async fn contact(
    config: &Config,
    world: World,
    shown: Shown,
    command: ContactCommand,
) -> anyhow::Result<()> {
    let ContactCommand::Erase { org, id, compact } = command;
    let store = open_store(config, &world).await?;
    check_org(&store, org).await?;
    let records = store.org(org);
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

fn show(shown: Shown, erasure: &Erasure) {
    let value = json!({"id": erasure.id, "contact_id": erasure.contact_id, "state": erasure.state.as_str(),
        "erased": erasure.erased, "note": erasure.note});
    let counts = value["erased"].as_object().into_iter().flatten();
    let counts = counts.filter(|(_, count)| count.as_u64() != Some(0));
    let counts: Vec<String> =
        counts.map(|(kind, count)| format!("{count} {}", kind.replace('_', " "))).collect();
    let mut text = match erasure.state {
        ErasureState::Done => format!("Erased: {}", counts.join(", ")),
        ErasureState::Running => format!(
            "Erased so far: {}. A webhook that tells of the person is under way: a running server finishes the \
             erasure {}, or this command when it is given again",
            counts.join(", "),
            erasure.id
        ),
    };
    if let Some(note) = &erasure.note {
        text.push_str(&format!("\n{note}"));
    }
    shown.one(&value, &text);
}
