//! The operator's commands on what a source's platform has: its key, imports and the gaps that were found.

use std::{io::IsTerminal, sync::Arc};

use anyhow::{Context, bail};
use model::{PlacedPage, SourceId, SyncId, Time};
use reconcile::Keys;
use serde_json::json;
use store::{KeyChange, Source, SourceChange, Sync, SyncStatus, Written};

use crate::{
    admin::{read_file, sources::Desk},
    app,
    cli::PlatformApi,
    output,
};

impl Desk<'_> {
    /// What is to become of a source's key.
    pub(super) fn platform_key(&self, source: &Source, api: &PlatformApi) -> anyhow::Result<KeyChange> {
        let Some(path) = &api.api_key_file else { return Ok(KeyChange::Keep) };
        let text = read_file(path).context("--api-key-file")?;
        let key = text.trim();
        anyhow::ensure!(!key.is_empty(), "--api-key-file: {} is empty", path.display());
        let allow = Arc::new(self.config.allow_list()?);
        let keys = Keys::new(self.config.sealer(self.world.ids.clone())?, allow);
        let sealed = keys.seal(source.platform, source.id, key, api.api_url.clone())?;
        Ok(KeyChange::Set(sealed))
    }

    /// Gives a new source its key.
    pub(super) async fn set_key(
        &self,
        source: &Source,
        key: anyhow::Result<KeyChange>,
    ) -> anyhow::Result<()> {
        let platform_key = key?;
        if matches!(platform_key, KeyChange::Keep) {
            return Ok(());
        }
        let change = SourceChange { platform_key, ..SourceChange::default() };
        self.store.org(source.org).update_source(source.id, change).await?;
        Ok(())
    }

    /// Imports to the end. What was done stays done where it is broken off, and a running server goes on with it.
    pub(super) async fn import(&self, id: SourceId, since: Time, until: Option<Time>) -> anyhow::Result<()> {
        let listed = self.find(id).await.context("--id")?;
        anyhow::ensure!(
            listed.platform_key.is_some(),
            "the source has no key of its platform's API: give it one with source update --api-key-file"
        );
        let until = until.unwrap_or_else(|| self.world.clock.now());
        anyhow::ensure!(since < until, "--since: must be before the end");
        let source = listed.source;
        let records = self.store.org(source.org);
        let answer = |sync: &Sync| sync.id.to_string();
        let Written::Done { data, .. } = records.start_import(id, (since, until), None, answer).await? else {
            bail!("the import could not be begun");
        };
        let import: SyncId = data.parse().context("the import's id")?;
        let ingest = Arc::new(self.ingest());
        let reconciler = app::reconciler(self.config, &self.world, self.store.clone(), ingest)?;
        let is_terminal = std::io::stderr().is_terminal();
        let done = reconciler.run_import((&source, import), |sync| {
            if is_terminal {
                output::complain(&progress(sync));
            }
        });
        let done = done.await?.context("the import is gone")?;
        let value = json!({"id": done.id, "status": done.status.as_str(), "pages": done.pages, "found": done.found,
            "missing": done.missing, "imported": done.healed, "error": done.error});
        self.shown.one(&value, &format!("Import {}: {}, {}", done.id, done.status.as_str(), progress(&done)));
        match done.status {
            SyncStatus::Failed => bail!("{}", done.error.unwrap_or_else(|| "the import has failed".into())),
            _ => Ok(()),
        }
    }

    /// What the platform's webhooks missed.
    pub(super) async fn gaps(&self, id: SourceId, limit: u32) -> anyhow::Result<()> {
        let source = self.find(id).await.context("--id")?.source;
        let page = PlacedPage { limit, from: None, since: None };
        let gaps = self.store.org(source.org).list_gaps(id, page).await?.records;
        self.shown.list(gaps.iter().map(|gap| {
            json!({"id": gap.id, "external_id": gap.external_id, "call_id": gap.call_id,
                "missing": gap.missing.as_str(), "began_at": gap.began_at, "found_at": gap.found_at,
                "healed_at": gap.healed_at})
        }));
        Ok(())
    }
}

fn progress(sync: &Sync) -> String {
    let waits = sync.error.as_ref().map_or_else(String::new, |error| format!("; {error}"));
    format!("{} calls on {} pages, {} of them new{waits}", sync.found, sync.pages, sync.healed)
}
