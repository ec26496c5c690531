//! The operator's commands on addresses at which calendars read the appointments.

use anyhow::{bail, ensure};
use model::{CalendarFeed, CalendarToken, OrgId, Page};
use serde_json::json;
use store::{Asked, ListCalendarFeeds, MadeCalendarFeed, Store, Written};

use crate::{
    admin::check_org, app::World, cli::CalendarFeedCommand, config::Config, open_store, output::Shown,
};

pub(crate) async fn calendar_feed(
    config: &Config,
    world: World,
    shown: Shown,
    command: CalendarFeedCommand,
) -> anyhow::Result<()> {
    let store = open_store(config, &world).await?;
    match command {
        CalendarFeedCommand::Create { org, name } => {
            check_org(&store, org).await?;
            let name = name.trim().to_owned();
            ensure!((1..=200).contains(&name.chars().count()), "--name: must have 1 to 200 characters");
            let answer = store.org(org).create_calendar_feed(name.clone(), Asked::default()).await?;
            let Ok(Written::Done { data, .. }) = answer else { bail!("the address could not be made") };
            let MadeCalendarFeed { id, token } = serde_json::from_str(&data)?;
            let url = format!("{}{}", config.public_url(None), CalendarToken::path(&token));
            let text = format!("{url}\nThis is the only time it is shown. Its id is {id}");
            shown.one(&json!({"id": id, "name": name, "url": url}), &text);
        }
        CalendarFeedCommand::List { org } => {
            check_org(&store, org).await?;
            let feeds = all(&store, org).await?;
            shown.list(feeds.iter().map(|feed| json!(feed)));
        }
        CalendarFeedCommand::Revoke { org, id } => {
            check_org(&store, org).await?;
            if store.org(org).delete_calendar_feed(id, Asked::default()).await?.is_err() {
                bail!("there is no calendar feed with the id {id}");
            }
            shown.one(&json!({"id": id, "deleted": true}), "It is revoked: its address has nothing any more");
        }
    }
    Ok(())
}

/// Addresses, page by page.
async fn all(store: &Store, org: OrgId) -> anyhow::Result<Vec<CalendarFeed>> {
    let (org, mut feeds, mut before) = (store.org(org), Vec::new(), None);
    loop {
        let page = Page { limit: 100, before, since: None };
        let listed = org.list_calendar_feeds(ListCalendarFeeds { page }).await?;
        feeds.extend(listed.records);
        before = listed.next;
        if before.is_none() {
            return Ok(feeds);
        }
    }
}
