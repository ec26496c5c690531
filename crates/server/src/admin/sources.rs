//! The operator's commands on sources and what arrived there.

use std::{path::Path, time::Duration};

use anyhow::{Context, bail};
use delivery::guard::Target;
use ingest::{Batch, Ingest, Rejected, Reprocessed};
use model::{EventFilter, InboxId, OrgId, PlacedPage, Platform, RecordingSettings, SourceId, Time};
use serde_json::{Value, json};
use store::{
    AnswerSummary, KeyChange, ListMessages, ListedSource, MessageRange, NewEndpoint, NewSource, Outcome,
    Rotation, Source, SourceChange, Store, Written, generate_secret,
};

use crate::{
    admin::{check_org, read_file, read_secret, webhooks::check_url},
    app::World,
    cli::{PlatformApi, SourceCommand},
    config::Config,
    open_store,
    output::{self, Shown},
};

/// What the commands share.
pub(super) struct Desk<'a> {
    pub(super) config: &'a Config,
    pub(super) world: World,
    pub(super) shown: Shown,
    pub(super) store: Store,
}

pub(crate) async fn source(
    config: &Config,
    world: World,
    shown: Shown,
    command: SourceCommand,
) -> anyhow::Result<()> {
    if let SourceCommand::Preview { platform, settings_file, message_file } = &command {
        return preview(shown, platform, settings_file.as_deref(), message_file);
    }
    let store = open_store(config, &world).await?;
    let desk = Desk { config, world, shown, store };
    match command {
        SourceCommand::Create { org, platform, name, secret_file, settings_file, platform_api } => {
            let files = (secret_file.as_deref(), settings_file.as_deref());
            desk.create(org, &platform, name, files, &platform_api).await
        }
        SourceCommand::List { org } => desk.list(org).await,
        SourceCommand::Get { id } => desk.get(id).await,
        SourceCommand::Update { id, name, secret_file, settings_file, platform_api, no_api_key } => {
            let source = desk.find(id).await?.source;
            let key = desk.platform_key(&source, &platform_api)?;
            let key = if no_api_key { KeyChange::Remove } else { key };
            desk.update(source, name, (secret_file.as_deref(), settings_file.as_deref()), key).await
        }
        SourceCommand::Delete { id } => desk.delete(id).await,
        SourceCommand::Forward { id, url, secret_file } => {
            desk.forward(id, url, secret_file.as_deref()).await
        }
        SourceCommand::RotateSecret { id, secret_file, overlap, no_overlap } => {
            let overlap = if no_overlap { Duration::ZERO } else { overlap.0 };
            desk.rotate(id, secret_file.as_deref(), overlap).await
        }
        SourceCommand::Preview { .. } => Ok(()),
        SourceCommand::Events { source, outcome, limit } => desk.events(source, outcome, limit).await,
        SourceCommand::Reprocess { source, event, since, until, outcome, accept_rejected } => {
            let rejected = if accept_rejected { Rejected::Accept } else { Rejected::Leave };
            match event {
                Some(event) => desk.reprocess_one(source, event, rejected).await,
                None => desk.reprocess(source, (since, until), outcome, rejected).await,
            }
        }
        SourceCommand::Import { id, pause: Some(import), .. } => desk.pause_import(id, import).await,
        SourceCommand::Import { id, resume: Some(import), .. } => desk.resume_import(id, import).await,
        SourceCommand::Import { id, since, until, .. } => desk.import(id, since, until).await,
        SourceCommand::Imports { id, limit } => desk.imports(id, limit).await,
        SourceCommand::Reconciler { id } => desk.reconciler(id).await,
        SourceCommand::Gaps { id, limit } => desk.gaps(id, limit).await,
    }
}

impl Desk<'_> {
    async fn create(
        &self,
        org: OrgId,
        platform: &str,
        name: Option<String>,
        (secret_file, settings_file): (Option<&Path>, Option<&Path>),
        platform_api: &PlatformApi,
    ) -> anyhow::Result<()> {
        check_org(&self.store, org).await?;
        let platform = Platform::parse(platform).context("--platform")?;
        let settings = match settings_file {
            Some(path) => read_settings(platform, path)?,
            None => Value::Null,
        };
        let secret = match secret_file {
            Some(path) => read_secret(path)?,
            None => generate_secret(&*self.world.ids),
        };
        let name = name.unwrap_or_else(|| platform.as_str().to_owned());
        let new = NewSource { platform, name, secret, settings };
        let source = self.store.org(org).create_source(new).await?;
        let key = self.platform_key(&source, platform_api);
        if let Err(error) = self.set_key(&source, key).await {
            // A source that is not as it was asked for is none.
            self.store.org(org).delete_source(source.id).await?;
            return Err(error);
        }
        let url = self.url(&source);
        let mut text = format!("Send the webhooks of {} to\n  {url}\n", platform.as_str());
        if secret_file.is_none() {
            text.push_str(&format!("with the secret\n  {}\n", source.secret));
        }
        text.push_str(&format!("The source's id is {}", source.id));
        if let (Some(own), None) = (own_secret(platform), secret_file) {
            text.push_str(&format!(
                "\nBut {} signs with {own}: give it with source rotate-secret --secret-file for its real webhooks",
                platform.as_str()
            ));
        }
        self.shown.one(&json!({"id": source.id, "url": url, "secret": source.secret}), &text);
        Ok(())
    }

    async fn list(&self, org: OrgId) -> anyhow::Result<()> {
        check_org(&self.store, org).await?;
        let sources = self.store.org(org).list_sources().await?;
        let sources = sources.iter().filter(|source| source.platform != Platform::Api);
        self.shown.list(sources.map(|source| {
            json!({"id": source.id, "platform": source.platform, "name": source.name,
                "url": self.url(source), "created_at": source.created_at})
        }));
        Ok(())
    }

    async fn get(&self, id: SourceId) -> anyhow::Result<()> {
        let listed = self.find(id).await?;
        self.show(&listed);
        Ok(())
    }

    fn show(&self, ListedSource { source, last_message_at, platform_key }: &ListedSource) {
        let now = self.world.clock.now();
        let until = source.previous_secret_until.filter(|until| *until > now);
        let value = json!({"id": source.id, "platform": source.platform, "name": source.name,
            "url": self.url(source), "settings": source.settings, "signs_with": own_secret(source.platform),
            "previous_secret_until": until, "created_at": source.created_at, "updated_at": source.updated_at,
            "last_message_at": last_message_at,
            "platform_api": platform_key.as_ref().map(|key| json!({"key_last4": key.last4,
                "key_set_at": key.set_at, "url": key.api_url}))});
        self.shown.record(&value);
    }

    async fn update(
        &self,
        source: Source,
        name: Option<String>,
        (secret_file, settings_file): (Option<&Path>, Option<&Path>),
        platform_key: KeyChange,
    ) -> anyhow::Result<()> {
        let keeps_key = matches!(platform_key, KeyChange::Keep);
        anyhow::ensure!(
            name.is_some() || secret_file.is_some() || settings_file.is_some() || !keeps_key,
            "nothing is to be changed: give --name, --secret-file, --settings-file, --api-key-file or --no-api-key"
        );
        anyhow::ensure!(
            name.as_ref().is_none_or(|name| !name.trim().is_empty()),
            "--name: a source needs one"
        );
        let settings = settings_file.map(|path| read_settings(source.platform, path)).transpose()?;
        let secret = secret_file.map(read_secret).transpose()?;
        let change = SourceChange { name, secret, settings, platform_key };
        let changed = self.store.org(source.org).update_source(source.id, change).await?;
        self.show(&changed.with_context(|| no_source(source.id))?);
        Ok(())
    }

    async fn delete(&self, id: SourceId) -> anyhow::Result<()> {
        let source = self.find(id).await?.source;
        anyhow::ensure!(self.store.org(source.org).delete_source(id).await?, no_source(id));
        self.shown
            .one(&json!({"id": id, "deleted": true}), &format!("Source {id} is deleted; its calls stay"));
        Ok(())
    }

    async fn forward(&self, id: SourceId, url: String, secret_file: Option<&Path>) -> anyhow::Result<()> {
        let source = self.find(id).await?.source;
        check_url(self.config, &url)?;
        let secret = secret_file.map(read_secret).transpose()?;
        let new = NewEndpoint {
            url,
            events: EventFilter::default(),
            secret,
            source: Some(id),
            telling: Default::default(),
        };
        let endpoint = self.store.org(source.org).create_endpoint(new).await?;
        let text = format!("Endpoint {} is sent what comes to source {id}, as it comes", endpoint.id);
        let shown = json!({"id": endpoint.id, "url": endpoint.url, "source_id": id});
        self.shown.one(&shown, &text);
        Ok(())
    }

    async fn rotate(
        &self,
        id: SourceId,
        secret_file: Option<&Path>,
        overlap: Duration,
    ) -> anyhow::Result<()> {
        anyhow::ensure!(overlap <= Rotation::LONGEST_OVERLAP, "--overlap: 7d at most");
        let source = self.find(id).await?.source;
        let secret = match (secret_file, own_secret(source.platform)) {
            (Some(path), _) => read_secret(path)?,
            (None, None) => generate_secret(&*self.world.ids),
            (None, Some(own)) => {
                bail!("{} signs with {own}: give it with --secret-file", source.platform.as_str())
            }
        };
        let until = (!overlap.is_zero()).then(|| self.world.clock.now() + overlap);
        let rotation = Rotation { secret: secret.clone(), overlap };
        let records = self.store.org(source.org);
        let rotated = records.rotate_source_secret(id, rotation, None, |_| String::new()).await?;
        let Some(Written::Done { .. }) = rotated else { bail!(no_source(id)) };
        let mut text = format!("Source {id} has a new secret");
        if secret_file.is_none() {
            text.push_str(&format!("\n  {secret}"));
        }
        text.push_str(&match until {
            Some(until) => format!("\nThe one before is accepted until {until}"),
            None => "\nThe one before is refused from now on".to_owned(),
        });
        self.shown.one(&json!({"id": id, "secret": secret, "previous_secret_until": until}), &text);
        Ok(())
    }

    async fn events(&self, id: SourceId, outcome: Option<Outcome>, limit: u32) -> anyhow::Result<()> {
        let source = self.find(id).await.context("--source")?.source;
        let page = PlacedPage { limit, from: None, since: None };
        let list = ListMessages { source: id, page, outcome, event: None, call_id: None };
        let messages = self.store.org(source.org).list_messages(list).await?.records;
        self.shown.list(messages.iter().map(|message| {
            json!({"id": message.id, "received_at": message.received_at, "event": message.event,
                "external_id": message.external_id, "outcome": message.outcome.as_str(),
                "reason": message.reason, "call_id": message.call_id, "size": message.size,
                "answer": message.answer.as_ref().map(shown_answer)})
        }));
        Ok(())
    }

    async fn reprocess_one(&self, id: SourceId, message: InboxId, rejected: Rejected) -> anyhow::Result<()> {
        let source = self.find(id).await.context("--source")?.source;
        let received = match self.ingest().reprocess(&source, message, rejected).await? {
            Reprocessed::Done(received) => received,
            Reprocessed::WasRejected => {
                bail!("the event was rejected on arrival: --accept-rejected takes it all the same")
            }
            Reprocessed::Unknown => bail!("--event: the source has no event with the id {message}"),
        };
        let value = json!({"id": message, "outcome": received.outcome.as_str(), "reason": received.reason,
            "call_id": received.call_id});
        let reason = received.reason.map_or_else(String::new, |reason| format!(": {reason}"));
        self.shown.one(&value, &format!("Event {message} is now {}{reason}", received.outcome.as_str()));
        Ok(())
    }

    /// Batch after batch to the end. What a batch did stays done where a later one fails.
    async fn reprocess(
        &self,
        id: SourceId,
        (since, until): (Option<Time>, Option<Time>),
        outcome: Option<Outcome>,
        rejected: Rejected,
    ) -> anyhow::Result<()> {
        let source = self.find(id).await.context("--source")?.source;
        if outcome == Some(Outcome::Rejected) && rejected == Rejected::Leave {
            bail!("--outcome rejected: --accept-rejected takes these events all the same");
        }
        let ingest = self.ingest();
        // Without an end, messages that arrive meanwhile would be read again as well.
        let until = Some(until.unwrap_or_else(|| self.world.clock.now()));
        let mut range = MessageRange { source: id, since, until, outcome, after: None, limit: 100 };
        let mut total = Batch::default();
        loop {
            let batch = ingest.reprocess_range(&source, range, rejected).await?;
            total.accepted += batch.accepted;
            total.ignored += batch.ignored;
            total.failed += batch.failed;
            range.after = batch.next;
            if batch.next.is_none() {
                break;
            }
            let so_far = total.accepted + total.ignored + total.failed;
            output::complain(&format!("{so_far} events so far"));
        }
        let Batch { accepted, ignored, failed, .. } = total;
        let processed = accepted + ignored + failed;
        self.shown.one(
            &json!({"processed": processed, "accepted": accepted, "ignored": ignored, "failed": failed}),
            &format!(
                "{processed} events were read again: {accepted} accepted, {ignored} ignored, {failed} failed"
            ),
        );
        Ok(())
    }

    pub(super) fn ingest(&self) -> Ingest {
        let World { clock, ids } = self.world.clone();
        Ingest::new(self.store.clone(), clock, ids, self.config.completion_wait())
    }

    fn url(&self, source: &Source) -> String {
        format!("{}{}", self.config.public_url(None), source.platform.source_path(source.id))
    }

    /// A source by its id alone: an operator sees every organization's.
    pub(super) async fn find(&self, id: SourceId) -> anyhow::Result<ListedSource> {
        let org = self.store.find_source(id).await?.with_context(|| no_source(id))?.org;
        self.store.org(org).get_source(id).await?.with_context(|| no_source(id))
    }
}

/// Tells what a message would become, as the API does.
fn preview(
    shown: Shown,
    platform: &str,
    settings_file: Option<&Path>,
    message_file: &Path,
) -> anyhow::Result<()> {
    let platform = Platform::parse(platform).context("--platform")?;
    let settings = settings_file.map(|path| read_settings(platform, path)).transpose()?.unwrap_or_default();
    let message = read_file(message_file).context("--message-file")?;
    match connectors::preview(platform, &settings, message.as_bytes()) {
        Ok(preview) => {
            let outcome = if preview.changes.is_empty() { "ignored" } else { "accepted" };
            let mut value = json!({"outcome": outcome, "reason": null});
            let fields = value.as_object_mut().context("an object")?;
            fields.extend(serde_json::to_value(&preview)?.as_object().cloned().unwrap_or_default());
            shown.one(&value, &serde_json::to_string_pretty(&value)?);
        }
        Err(reason) => {
            let text = format!("It could not be read: {reason}");
            let nothing = json!({"outcome": "failed", "reason": reason, "event": null, "event_id": null,
                "external_id": null, "changes": [], "missed": []});
            shown.one(&nothing, &text);
        }
    }
    Ok(())
}

/// What a message was answered, where it asked something.
fn shown_answer(answer: &AnswerSummary) -> Value {
    let AnswerSummary { by, took_ms, status, content_type, size, fault } = answer;
    json!({"by": by.as_str(), "status": status, "content_type": content_type, "size": size, "took_ms": took_ms,
        "fault": fault})
}

fn no_source(id: SourceId) -> String {
    format!("there is no source with the id {id}")
}

fn own_secret(platform: Platform) -> Option<&'static str> {
    connectors::connector(platform).and_then(|connector| connector.own_secret())
}

fn read_settings(platform: Platform, path: &Path) -> anyhow::Result<Value> {
    let connector = connectors::connector(platform).context("--platform: has no webhooks")?;
    let text = read_file(path).context("--settings-file")?;
    let settings = serde_json::from_str(&text).context("--settings-file: is not JSON")?;
    let checked = RecordingSettings::split(&settings).and_then(|(_, rest)| connector.check_settings(&rest));
    checked.map_err(|why| anyhow::anyhow!("--settings-file: {why}"))?;
    if let Some(url) = connectors::answers_url(&settings) {
        Target::shape(url).context("--settings-file: settings.answers.url")?;
    }
    Ok(settings)
}
