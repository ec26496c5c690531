//! Addresses at which calendars read the appointments: of what is secret in each only a hash is kept.

use std::time::Duration;

use model::{CalendarFeed, CalendarFeedId, CalendarToken, Cursor, OrgId, Page};
use serde::{Deserialize, Serialize};

use crate::{
    Listed, OrgStore, Result, Store,
    list::ListQuery,
    tx::Tx,
    value::{Cells, params},
    writes::{Answer, Asked, Refusal, Saved, Saving, Writing},
};

/// Which addresses are asked for.
#[derive(Clone, Debug)]
pub struct ListCalendarFeeds {
    /// The page.
    pub page: Page,
}

/// What making an address answers with: the only place where its token is told.
#[derive(Deserialize, Serialize)]
pub struct MadeCalendarFeed {
    /// Its id.
    pub id: CalendarFeedId,
    /// The token, for [`CalendarToken::path`].
    pub token: String,
}

#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    feed: &'a CalendarFeed,
    token: &'a str,
}

const COLUMNS: &str = "id, name, last4, created_at, last_read_at";

/// How often it is written down that a calendar reads it.
const READ_EVERY: Duration = Duration::from_secs(15 * 60);

fn read(row: &mut Cells<'_>) -> Result<CalendarFeed> {
    Ok(CalendarFeed {
        id: row.get()?,
        name: row.get()?,
        last4: row.get()?,
        created_at: row.get()?,
        last_read_at: row.get()?,
    })
}

impl OrgStore {
    /// Makes an address. It answers with a [`MadeCalendarFeed`] and the fields of the record.
    pub async fn create_calendar_feed(&self, name: String, asked: Asked) -> Result<Answer> {
        let token = CalendarToken::generate(&*self.store.0.ids);
        self.write_once(asked, move |writing| Box::pin(create(writing, name, token))).await
    }

    /// Ends an address for good: who asks there is told that there is nothing.
    pub async fn delete_calendar_feed(&self, id: CalendarFeedId, asked: Asked) -> Result<Answer> {
        self.write_once(asked, move |writing| Box::pin(delete(writing, id))).await
    }

    /// An address, if the organization has it.
    pub async fn get_calendar_feed(&self, id: CalendarFeedId) -> Result<Option<CalendarFeed>> {
        let org = self.org;
        self.store.peek(move |tx| Box::pin(async move { by_id(tx, org, id).await })).await
    }

    /// Addresses, the newest first.
    pub async fn list_calendar_feeds(&self, list: ListCalendarFeeds) -> Result<Listed<CalendarFeed>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let select = format!("SELECT {COLUMNS} FROM calendar_feeds");
                    let (sql, params) = ListQuery::new(&select, org, &list.page).finish(&list.page);
                    let records = tx.query(&sql, &params, read).await?;
                    Ok(Listed::cut(records, &list.page, |feed| Cursor(feed.created_at)))
                })
            })
            .await
    }
}

impl Store {
    /// Whose appointments an address with this token's hash opens, if it is good. Notes that it was read.
    pub async fn open_calendar_feed(&self, hash: [u8; 32]) -> Result<Option<(OrgId, CalendarFeed)>> {
        let now = self.0.clock.now();
        let found = self
            .peek(move |tx| {
                Box::pin(async move {
                    let sql = format!("SELECT org_id, {COLUMNS} FROM calendar_feeds WHERE hash = ?1");
                    tx.first(&sql, params![hash.as_slice()], |row| Ok((row.get()?, read(row)?))).await
                })
            })
            .await?;
        if let Some((_, feed)) = &found
            && feed.last_read_at.is_none_or(|last| now.since(last) >= READ_EVERY)
        {
            let id = feed.id;
            let sql = "UPDATE calendar_feeds SET last_read_at = ?2 WHERE id = ?1";
            self.write(move |tx| Box::pin(async move { tx.execute(sql, params![id, now]).await })).await?;
        }
        Ok(found)
    }
}

async fn by_id(tx: &mut Tx<'_>, org: OrgId, id: CalendarFeedId) -> Result<Option<CalendarFeed>> {
    let sql = format!("SELECT {COLUMNS} FROM calendar_feeds WHERE id = ?1 AND org_id = ?2");
    tx.first(&sql, params![id, org], read).await
}

async fn create(writing: &mut Writing<'_, '_>, name: String, token: CalendarToken) -> Saving {
    let feed = CalendarFeed {
        id: writing.teller.ids.id(),
        name,
        last4: token.last4().to_owned(),
        created_at: writing.stamp().await?,
        last_read_at: None,
    };
    let sql = "INSERT INTO calendar_feeds (id, org_id, name, hash, last4, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let hash = token.hash();
    let values = params![feed.id, writing.org, &feed.name, hash.as_slice(), &feed.last4, feed.created_at];
    writing.tx.execute(sql, values).await?;
    Ok(Saved::created(&Made { feed: &feed, token: token.reveal() }))
}

async fn delete(writing: &mut Writing<'_, '_>, id: CalendarFeedId) -> Saving {
    let feed = by_id(writing.tx, writing.org, id).await?.ok_or(Refusal::Missing)?;
    writing.expect(feed.created_at)?;
    let sql = "DELETE FROM calendar_feeds WHERE id = ?1 AND org_id = ?2";
    writing.tx.execute(sql, params![id, writing.org]).await?;
    Ok(Saved::deleted(id.uuid()))
}
