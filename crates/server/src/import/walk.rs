//! An import from another server: its lists are walked through to their oldest page, and brought in from there on.

use anyhow::Context;
use serde_json::Value;
use store::{ImportCounts, ImportKind, ImportPage, ImportProgress};
use uuid::Uuid;

use super::{
    Conversations, Import,
    remote::{Page, Remote},
};

/// What a walk to the oldest page has found.
enum Walked {
    /// The other server has no such list.
    NoList,
    /// Everything stands on the first page.
    OnePage(Page),
    /// There are pages behind the first one.
    Pages,
}

/// Whether a list is brought in whole.
#[derive(PartialEq, Eq)]
enum Round {
    Whole,
    /// What stands on the first page, and what came meanwhile, is still to come.
    Another,
}

impl Import {
    /// Brings in everything that the other server has and this one does not know yet.
    pub async fn pull(&mut self, remote: &mut Remote) -> anyhow::Result<()> {
        for kind in ImportKind::ALL {
            self.begin(kind);
            while self.round(remote, kind).await? == Round::Another {}
        }
        self.end();
        Ok(())
    }

    async fn round(&mut self, remote: &mut Remote, kind: ImportKind) -> anyhow::Result<Round> {
        let origin = remote.origin().to_owned();
        let progress = self.records.import_progress(origin.clone(), kind).await?;
        let since = progress.since.clone();
        if !progress.is_walked {
            match self.walk(remote, kind, progress).await? {
                Walked::Pages => {}
                Walked::OnePage(page) => {
                    let since = newest(&page).or(since);
                    self.bring(remote, kind, page).await?;
                    self.records.end_import_page(origin, kind, 1, since).await?;
                    return Ok(Round::Whole);
                }
                // Of the lists, only that of assistants is not in the contract's fixed part.
                Walked::NoList if kind == ImportKind::Assistants => return Ok(Round::Whole),
                Walked::NoList => {
                    anyhow::bail!(
                        "{origin} has no /v1/{}: does it speak InboundFlow's contract?",
                        kind.as_str()
                    )
                }
            }
        }
        while let Some(place) = self.records.import_progress(origin.clone(), kind).await?.page {
            let page = remote.list(kind, since.as_deref(), Some(&place.cursor)).await?;
            let page = page.with_context(|| format!("{origin} has lost its /v1/{}", kind.as_str()))?;
            let next = newest(&page).or_else(|| since.clone());
            self.bring(remote, kind, page).await?;
            self.records.end_import_page(origin.clone(), kind, place.number, next).await?;
        }
        Ok(Round::Another)
    }

    /// Walks to the oldest page, from where an earlier walk has come to.
    async fn walk(
        &mut self,
        remote: &mut Remote,
        kind: ImportKind,
        ImportProgress { since, page, .. }: ImportProgress,
    ) -> anyhow::Result<Walked> {
        let origin = remote.origin().to_owned();
        let (mut number, mut cursor) = page.map_or((0, None), |page| (page.number, Some(page.cursor)));
        loop {
            let page = remote.list(kind, since.as_deref(), cursor.as_deref()).await?;
            let Some(page) = page else { return Ok(Walked::NoList) };
            let Some(next) = page.next else {
                if number == 0 {
                    return Ok(Walked::OnePage(page));
                }
                self.records.end_import_walk(origin, kind, since).await?;
                return Ok(Walked::Pages);
            };
            number += 1;
            let place = ImportPage { number, cursor: next.clone() };
            self.records.note_import_page(origin.clone(), kind, place).await?;
            cursor = Some(next);
        }
    }

    /// Brings in a page, from its end.
    async fn bring(&mut self, remote: &mut Remote, kind: ImportKind, page: Page) -> anyhow::Result<()> {
        let mut records = page.records;
        records.reverse();
        if kind != ImportKind::Calls || self.conversations == Conversations::Without {
            return self.take(kind, &records).await;
        }
        let known = self.records.imported(kind, records.iter().filter_map(id_of).collect()).await?;
        for record in records {
            let Some(id) = id_of(&record).filter(|id| !known.contains(id)) else {
                // What has no id is refused like any other.
                match id_of(&record) {
                    Some(_) => self.count(kind, ImportCounts { known: 1, ..ImportCounts::default() }),
                    None => self.take(kind, &[record]).await?,
                }
                continue;
            };
            // One that is gone since the page was read is brought in as the page had it.
            let whole = remote.one(kind, id).await?.unwrap_or(record);
            self.take(kind, &[whole]).await?;
        }
        Ok(())
    }
}

fn id_of(record: &Value) -> Option<Uuid> {
    record.get("id")?.as_str()?.parse().ok()
}

/// When the newest record of a page was made.
fn newest(page: &Page) -> Option<String> {
    page.records.first()?.get("created_at")?.as_str().map(str::to_owned)
}
