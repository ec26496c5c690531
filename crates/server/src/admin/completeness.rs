//! The operator's commands on what a source's platform has: its key, imports and the gaps that were found.

use std::{io::IsTerminal, sync::Arc};

use anyhow::{Context, bail};
use model::{PlacedPage, SourceId, SyncId, Time};
use reconcile::Keys;
use serde_json::{Value, json};
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
    pub(super) async fn import(
        &self,
        id: SourceId,
        since: Option<Time>,
        until: Option<Time>,
    ) -> anyhow::Result<()> {
        let listed = self.find(id).await.context("--id")?;
        anyhow::ensure!(
            listed.platform_key.is_some(),
            "the source has no key of its platform's API: give it one with source update --api-key-file"
        );
        let since = since.unwrap_or(Time::from_micros(0));
        let until = until.unwrap_or_else(|| self.world.clock.now());
        anyhow::ensure!(since < until, "--since: must be before the end");
        let source = listed.source;
        let records = self.store.org(source.org);
        let answer = |sync: &Sync| sync.id.to_string();
        let Written::Done { data, .. } = records.start_import(id, (since, until), None, answer).await? else {
            bail!("the import could not be begun");
        };
        self.finish_import(&source, data.parse().context("the import's id")?).await
    }

    /// Lets an import go on, to the end.
    pub(super) async fn resume_import(&self, id: SourceId, import: SyncId) -> anyhow::Result<()> {
        let source = self.find(id).await.context("--id")?.source;
        let resumed = self.store.org(source.org).resume_import(id, import).await?;
        resumed.with_context(|| format!("--resume: the source has no import {import}"))?;
        self.finish_import(&source, import).await
    }

    /// Stops an import; whoever is at a page of it takes that to its end.
    pub(super) async fn pause_import(&self, id: SourceId, import: SyncId) -> anyhow::Result<()> {
        let source = self.find(id).await.context("--id")?.source;
        let paused = self.store.org(source.org).pause_import(id, import).await?;
        self.show_import(&paused.with_context(|| format!("--pause: the source has no import {import}"))?);
        Ok(())
    }

    async fn finish_import(&self, source: &Source, import: SyncId) -> anyhow::Result<()> {
        let ingest = Arc::new(self.ingest());
        let reconciler = app::reconciler(self.config, &self.world, self.store.clone(), ingest)?;
        let is_terminal = std::io::stderr().is_terminal();
        let done = reconciler.run_import((source, import), |sync| {
            if is_terminal {
                output::complain(&progress(sync));
            }
        });
        let done = done.await?.context("the import is gone")?;
        self.show_import(&done);
        match done.status {
            SyncStatus::Failed => bail!("{}", done.error.unwrap_or_else(|| "the import has failed".into())),
            _ => Ok(()),
        }
    }

    fn show_import(&self, sync: &Sync) {
        let text = format!("Import {}: {}, {}", sync.id, sync.status.as_str(), progress(sync));
        self.shown.one(&import_json(sync), &text);
    }

    /// A source's imports.
    pub(super) async fn imports(&self, id: SourceId, limit: u32) -> anyhow::Result<()> {
        let source = self.find(id).await.context("--id")?.source;
        let page = PlacedPage { limit, from: None, since: None };
        let imports = self.store.org(source.org).list_imports(id, page).await?.records;
        self.shown.list(imports.iter().map(import_json));
        Ok(())
    }

    /// How a source's reconciler stands.
    pub(super) async fn reconciler(&self, id: SourceId) -> anyhow::Result<()> {
        let source = self.find(id).await.context("--id")?.source;
        let sync = self.store.org(source.org).get_reconciler(id).await?.context(
            "the source has no key of its platform's API: give it one with source update --api-key-file",
        )?;
        let is_off = self.config.reconcile_every().is_none();
        let status = if is_off { "off" } else { sync.status.as_str() };
        let until = sync.ended_at.map(|_| sync.since);
        let value = json!({"status": status, "complete_until": until, "last_run_at": sync.ended_at,
            "next_run_at": sync.due_at.filter(|_| !is_off), "failures": sync.failures, "error": sync.error,
            "found": sync.found, "missing": sync.missing, "healed": sync.healed});
        let until = until.map_or_else(|| "never ran".to_owned(), |until| format!("complete until {until}"));
        let error = sync.error.as_ref().map_or_else(String::new, |error| format!("; {error}"));
        let text = format!(
            "Reconciler: {status}, {until}, {} calls seen, {} missing, {} healed{error}",
            sync.found, sync.missing, sync.healed
        );
        self.shown.one(&value, &text);
        Ok(())
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

fn import_json(sync: &Sync) -> Value {
    json!({"id": sync.id, "status": sync.status.as_str(), "since": sync.since, "until": sync.until,
        "pages": sync.pages, "found": sync.found, "missing": sync.missing, "imported": sync.healed,
        "error": sync.error, "created_at": sync.created_at, "ended_at": sync.ended_at})
}

fn progress(sync: &Sync) -> String {
    let waits = sync.error.as_ref().map_or_else(String::new, |error| format!("; {error}"));
    format!("{} calls on {} pages, {} of them new{waits}", sync.found, sync.pages, sync.healed)
}
