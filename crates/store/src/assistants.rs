//! Assistants.

use model::{Assistant, AssistantId, AssistantRef, Cursor, OrgId, Page, Platform};

use crate::{
    Listed, OrgStore, Result,
    list::ListQuery,
    stamps::Stamps,
    tx::Tx,
    value::{Cells, params},
};

/// Which assistants are asked for.
#[derive(Clone, Debug)]
pub struct ListAssistants {
    /// The page.
    pub page: Page,
}

pub(crate) const COLUMNS: &str = "id, name, source, external_id, call_count, created_at";

pub(crate) fn read(row: &mut Cells<'_>) -> Result<Assistant> {
    Ok(Assistant {
        id: row.get()?,
        name: row.get()?,
        source: row.word("platform", Platform::parse)?,
        external_id: row.get()?,
        call_count: row.get()?,
        created_at: row.get()?,
    })
}

impl OrgStore {
    /// Assistants, newest first.
    pub async fn list_assistants(&self, list: ListAssistants) -> Result<Listed<Assistant>> {
        let org = self.org;
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let query = ListQuery::new(&format!("SELECT {COLUMNS} FROM assistants"), org, &list.page);
                    let (sql, params) = query.finish(&list.page);
                    let records = tx.query(&sql, &params, read).await?;
                    Ok(Listed::cut(records, &list.page, |assistant| Cursor(assistant.created_at)))
                })
            })
            .await
    }
}

/// Counts a call of the assistant that it names, whose record is made or renamed where that is news.
pub(crate) async fn gain_call(
    tx: &mut Tx<'_>,
    org: OrgId,
    platform: Platform,
    seen: &AssistantRef,
    fresh: AssistantId,
    stamps: &mut Stamps,
) -> Result<AssistantId> {
    let sql = "UPDATE assistants SET call_count = call_count + 1, name = COALESCE(?4, name) \
               WHERE org_id = ?1 AND source = ?2 AND external_id = ?3";
    tx.execute(sql, params![org, platform.as_str(), &seen.external_id, &seen.name]).await?;
    let sql = "SELECT id FROM assistants WHERE org_id = ?1 AND source = ?2 AND external_id = ?3";
    let values = params![org, platform.as_str(), &seen.external_id];
    if let Some(id) = tx.first(sql, values, |row| row.get()).await? {
        return Ok(id);
    }
    let created_at = stamps.next(tx).await?;
    tx.execute(
        "INSERT INTO assistants (id, org_id, source, external_id, name, call_count, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)",
        params![fresh, org, platform.as_str(), &seen.external_id, &seen.name, created_at],
    )
    .await?;
    Ok(fresh)
}

/// A call turned out to be another assistant's.
pub(crate) async fn lose_call(tx: &mut Tx<'_>, org: OrgId, id: AssistantId) -> Result<()> {
    let sql = "UPDATE assistants SET call_count = call_count - 1 WHERE id = ?1 AND org_id = ?2";
    tx.execute(sql, params![id, org]).await.map(drop)
}

/// Keeps the name that a message told.
pub(crate) async fn rename(tx: &mut Tx<'_>, org: OrgId, id: AssistantId, name: &str) -> Result<()> {
    let sql = "UPDATE assistants SET name = ?3 WHERE id = ?1 AND org_id = ?2 AND name IS DISTINCT FROM ?3";
    tx.execute(sql, params![id, org, name]).await.map(drop)
}
