//! How far an import has come: from which record on it asks, and the pages that it has seen and not brought in yet.
//!
//! The other server's lists begin with the newest record, and ours must end with it. So the pages are walked through to
//! the oldest first, of each nothing but its cursor is kept, and then they are asked for once more from the oldest on.

use model::OrgId;

use crate::{OrgStore, Result, import::ImportKind, tx::Tx, value::params};

/// How far the import of a kind has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportProgress {
    /// Only what was made later than this over there is asked for, in that server's own words.
    pub since: Option<String>,
    /// Whether the walk to the oldest page is over.
    pub is_walked: bool,
    /// The oldest page that was seen and is not brought in yet.
    pub page: Option<ImportPage>,
}

/// A page of the other server's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportPage {
    /// Its number: 1 is the first that needs a cursor.
    pub number: i64,
    /// Its cursor.
    pub cursor: String,
}

impl OrgStore {
    /// How far the import of a kind from some origin has come.
    pub async fn import_progress(&self, origin: String, kind: ImportKind) -> Result<ImportProgress> {
        let org = self.org;
        self.store.read(move |tx| Box::pin(async move { progress(tx, org, &origin, kind).await })).await
    }

    /// Notes a page that the walk has seen.
    pub async fn note_import_page(&self, origin: String, kind: ImportKind, page: ImportPage) -> Result<()> {
        let org = self.org;
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let sql = "INSERT INTO import_pages (org_id, origin, kind, number, cursor) \
                               VALUES (?1, ?2, ?3, ?4, ?5)";
                    let values = params![org, &origin, kind.as_str(), page.number, &page.cursor];
                    tx.execute(sql, values).await.map(drop)
                })
            })
            .await
    }

    /// Notes that the walk has come to the oldest page.
    pub async fn end_import_walk(
        &self,
        origin: String,
        kind: ImportKind,
        since: Option<String>,
    ) -> Result<()> {
        let org = self.org;
        self.store
            .write(move |tx| {
                Box::pin(async move { note(tx, org, &origin, kind, (since.as_deref(), true)).await })
            })
            .await
    }

    /// Notes that a page is brought in. Behind the last one the walk begins anew, from `since` on.
    pub async fn end_import_page(
        &self,
        origin: String,
        kind: ImportKind,
        number: i64,
        since: Option<String>,
    ) -> Result<()> {
        let org = self.org;
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let sql = "DELETE FROM import_pages \
                               WHERE org_id = ?1 AND origin = ?2 AND kind = ?3 AND number >= ?4";
                    tx.execute(sql, params![org, &origin, kind.as_str(), number]).await?;
                    if number > 1 {
                        return Ok(());
                    }
                    note(tx, org, &origin, kind, (since.as_deref(), false)).await
                })
            })
            .await
    }
}

async fn progress(tx: &mut Tx<'_>, org: OrgId, origin: &str, kind: ImportKind) -> Result<ImportProgress> {
    let values = params![org, origin, kind.as_str()];
    let sql = "SELECT since, is_walked FROM imports WHERE org_id = ?1 AND origin = ?2 AND kind = ?3";
    let noted = tx.first(sql, values, |row| Ok((row.get()?, row.get()?))).await?;
    let (since, is_walked) = noted.unwrap_or_default();
    let sql = "SELECT number, cursor FROM import_pages WHERE org_id = ?1 AND origin = ?2 AND kind = ?3 \
               ORDER BY number DESC LIMIT 1";
    let page = tx.first(sql, values, |row| Ok(ImportPage { number: row.get()?, cursor: row.get()? })).await?;
    Ok(ImportProgress { since, is_walked, page })
}

async fn note(
    tx: &mut Tx<'_>,
    org: OrgId,
    origin: &str,
    kind: ImportKind,
    (since, is_walked): (Option<&str>, bool),
) -> Result<()> {
    let sql = "INSERT INTO imports (org_id, origin, kind, since, is_walked) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (org_id, origin, kind) \
               DO UPDATE SET since = excluded.since, is_walked = excluded.is_walked";
    tx.execute(sql, params![org, origin, kind.as_str(), since, is_walked]).await.map(drop)
}
