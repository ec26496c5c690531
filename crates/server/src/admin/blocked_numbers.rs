//! The operator's commands on the block list.

use anyhow::bail;
use model::{BlockedNumber, OrgId, Page, Phone};
use serde_json::{Value, json};
use store::{Asked, ListBlockedNumbers, NewBlockedNumber, Refusal, Store, Written};

use crate::{
    admin::check_org, app::World, cli::BlockedNumberCommand, config::Config, open_store, output::Shown,
};

pub(crate) async fn blocked_number(
    config: &Config,
    world: World,
    shown: Shown,
    command: BlockedNumberCommand,
) -> anyhow::Result<()> {
    let store = open_store(config, &world).await?;
    match command {
        BlockedNumberCommand::Create { org, phone, reason } => {
            check_org(&store, org).await?;
            let text = format!("Calls of {phone} are blocked");
            let reason = reason.filter(|reason| !reason.trim().is_empty());
            let new = NewBlockedNumber { phone, reason };
            match store.org(org).block_number(new, Asked::default()).await? {
                Ok(Written::Done { data, .. }) => shown.one(&serde_json::from_str::<Value>(&data)?, &text),
                Err(Refusal::Taken { .. }) => bail!("--phone: this number is blocked already"),
                other => bail!("the number could not be blocked: {other:?}"),
            }
        }
        BlockedNumberCommand::List { org } => {
            check_org(&store, org).await?;
            let numbers = all(&store, org, None).await?;
            shown.list(numbers.iter().map(|number| json!(number)));
        }
        BlockedNumberCommand::Delete { org, phone } => {
            check_org(&store, org).await?;
            let text = format!("Calls of {phone} are calls like any other from now on");
            let Some(number) = all(&store, org, Some(phone)).await?.into_iter().next() else {
                bail!("--phone: this number is not blocked");
            };
            // If somebody else was faster, it is unblocked all the same.
            let _ = store.org(org).unblock_number(number.id, Asked::default()).await?;
            shown.one(&json!({"id": number.id, "deleted": true}), &text);
        }
    }
    Ok(())
}

/// Blocked numbers, page by page.
async fn all(store: &Store, org: OrgId, phone: Option<Phone>) -> anyhow::Result<Vec<BlockedNumber>> {
    let (org, mut numbers, mut before) = (store.org(org), Vec::new(), None);
    loop {
        let page = Page { limit: 100, before, since: None };
        let listed = org.list_blocked_numbers(ListBlockedNumbers { page, phone: phone.clone() }).await?;
        numbers.extend(listed.records);
        before = listed.next;
        if before.is_none() {
            return Ok(numbers);
        }
    }
}
