//! What an endpoint is told beyond which events, and how, as a command's options say it.

use std::path::Path;

use anyhow::{Context, bail};
use model::{CallFilter, CallStatus, OwnHeaders, Redacted, Telling, TellingChange, Urgency};
use store::OrgStore;

use crate::{admin::read_file, cli::TellingOptions};

/// The word for a part of a filter that lets everything pass.
const ANY: &str = "any";

/// What the options change of how an endpoint is told now.
pub(super) async fn change(
    options: TellingOptions,
    now: &Telling,
    records: &OrgStore,
) -> anyhow::Result<TellingChange> {
    let calls = filter(&options, now.calls.clone().unwrap_or_default())?;
    if let Some(id) = records.unknown_assistant(calls.assistants.clone()).await? {
        bail!("--assistants: there is no assistant with the id {id}");
    }
    let calls = (calls != CallFilter::default()).then_some(calls);
    Ok(TellingChange {
        calls: (calls != now.calls).then_some(calls),
        redact: options.redact.as_deref().map(redacted).transpose()?,
        format: options.format,
        headers: options
            .headers_file
            .as_deref()
            .map(|path| headers(path, now.headers.clone()))
            .transpose()?,
        v1a: options.v1a,
    })
}

/// How a new endpoint is told.
pub(super) async fn of_new(options: TellingOptions, records: &OrgStore) -> anyhow::Result<Telling> {
    let mut telling = Telling::default();
    change(options, &telling, records).await?.apply(&mut telling);
    Ok(telling)
}

fn filter(options: &TellingOptions, mut filter: CallFilter) -> anyhow::Result<CallFilter> {
    if let Some(text) = &options.assistants {
        filter.assistants = list("--assistants", text, |id| id.parse().ok())?;
    }
    if let Some(text) = &options.statuses {
        filter.statuses = list("--statuses", text, CallStatus::parse)?;
    }
    if let Some(text) = &options.urgencies {
        filter.urgencies = list("--urgencies", text, Urgency::parse)?;
    }
    if let Some(text) = &options.min_duration {
        filter.min_duration_seconds = seconds("--min-duration", text)?;
    }
    if let Some(text) = &options.max_duration {
        filter.max_duration_seconds = seconds("--max-duration", text)?;
    }
    if let (Some(least), Some(most)) = (filter.min_duration_seconds, filter.max_duration_seconds) {
        anyhow::ensure!(least <= most, "--max-duration: must not be less than --min-duration");
    }
    Ok(filter)
}

fn list<T>(option: &str, text: &str, parse: impl Fn(&str) -> Option<T>) -> anyhow::Result<Vec<T>> {
    if text == ANY {
        return Ok(Vec::new());
    }
    let each = text.split(',').map(str::trim);
    each.map(|word| parse(word).with_context(|| format!("{option}: `{word}` is none"))).collect()
}

fn seconds(option: &str, text: &str) -> anyhow::Result<Option<i64>> {
    if text == ANY {
        return Ok(None);
    }
    let seconds = text.parse().ok().filter(|seconds| (0..=8_640_000).contains(seconds));
    seconds.map(Some).with_context(|| format!("{option}: must be a whole number from 0 to 8640000, or `any`"))
}

fn redacted(text: &str) -> anyhow::Result<Vec<Redacted>> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let mut redacted = list("--redact", text, Redacted::parse)?;
    redacted.sort();
    redacted.dedup();
    Ok(redacted)
}

/// The headers with those of a file. What is wrong is said without values, which may be secrets.
fn headers(path: &Path, headers: OwnHeaders) -> anyhow::Result<OwnHeaders> {
    let text = read_file(path).context("--headers-file")?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let pairs: Vec<(&str, &str)> = lines
        .map(|line| line.split_once(':').map(|(name, value)| (name.trim(), value.trim())))
        .collect::<Option<_>>()
        .context("--headers-file: each line must be `Name: value`")?;
    // First what is left out, which makes room.
    let (out, set): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(_, value)| value.is_empty());
    let headers = out.into_iter().fold(headers, |headers, (name, _)| headers.without(name));
    let set = set.into_iter().try_fold(headers, |headers, (name, value)| headers.with(name, value));
    set.map_err(|wrong| anyhow::anyhow!("--headers-file: {}{}{}", wrong.name, space(&wrong.name), wrong.why))
}

fn space(name: &str) -> &'static str {
    if name.is_empty() { "" } else { " " }
}
