//! `export`: everything of an organization into files.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufWriter, Write, stdout},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use api::export::{self, CsvMode, Format};
use serde_json::{Map, Value, json};
use store::{ExportFilter, ExportKind, OrgStore};

use crate::{
    admin::check_org,
    app::{World, serve_recordings},
    cli::{ExportFormat, ExportOptions},
    config::Config,
    open_store,
    output::{Progress, Shown},
};

pub(crate) async fn export(
    config: &Config,
    world: World,
    shown: Shown,
    options: ExportOptions,
) -> anyhow::Result<()> {
    let store = open_store(config, &world).await?;
    check_org(&store, options.org).await?;
    serve_recordings(config, &world, &store, None).await?;
    let records = store.org(options.org);
    let kinds = if options.only.is_empty() { ExportKind::ALL.to_vec() } else { options.only };
    let format = match (options.format, options.raw) {
        (ExportFormat::Jsonl, _) => Format::Jsonl,
        (ExportFormat::Csv, true) => Format::Csv(CsvMode::Raw),
        (ExportFormat::Csv, false) => Format::Csv(CsvMode::Safe),
    };
    let filter = ExportFilter { since: options.since, ..ExportFilter::default() };
    if options.out.as_os_str() == "-" {
        anyhow::ensure!(
            format == Format::Jsonl || kinds.len() == 1,
            "--out: one table at a time goes to standard output; choose it with --only"
        );
        let mut out = BufWriter::new(stdout().lock());
        for kind in kinds {
            write(&records, kind, filter.clone(), format, &mut out).await?;
        }
        return out.flush().context("standard output");
    }
    fs::create_dir_all(&options.out).with_context(|| format!("cannot make {}", options.out.display()))?;
    let mut counts = Map::new();
    for kind in kinds {
        let path = options.out.join(format!("{}.{}", kind.as_str(), format.extension()));
        let count = write_file(&records, kind, filter.clone(), format, &path).await?;
        counts.insert(kind.as_str().to_owned(), count.into());
    }
    let each: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let text = format!("Exported to {}: {}", options.out.display(), each.join(", "));
    shown.one(&json!({"out": options.out, "exported": Value::Object(counts)}), &text);
    Ok(())
}

/// Writes a file beside its place and moves it there when it is whole, so that a part is never taken for the whole.
async fn write_file(
    records: &OrgStore,
    kind: ExportKind,
    filter: ExportFilter,
    format: Format,
    path: &Path,
) -> anyhow::Result<u64> {
    let part = PathBuf::from(format!("{}.part", path.display()));
    let told = || format!("cannot write {}", part.display());
    // Personal data: for its owner's eyes.
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part);
    let mut out = BufWriter::new(file.with_context(told)?);
    let count = write(records, kind, filter, format, &mut out).await?;
    let file: File = out.into_inner().map_err(std::io::IntoInnerError::into_error).with_context(told)?;
    file.sync_all().with_context(told)?;
    fs::rename(&part, path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(count)
}

async fn write(
    records: &OrgStore,
    kind: ExportKind,
    filter: ExportFilter,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<u64> {
    let mut export = records.export(kind, filter).await?;
    let mut progress = Progress::of(kind.as_str());
    let mut count = 0;
    out.write_all(&export::head(kind, format)?)?;
    while let Some(page) = export.next_page().await? {
        out.write_all(&export::page(kind, format, &page)?)?;
        count += page.len() as u64;
        progress.show(count);
    }
    progress.end();
    Ok(count)
}
