//! An import from what `export` wrote.

use std::{
    fs::File,
    io::{BufRead, BufReader, stdin},
    path::Path,
};

use anyhow::{Context, bail};
use serde_json::Value;
use store::ImportKind;

use super::Import;

/// How many lines are brought in together at most, and how many bytes of them.
const LINES: usize = 100;
const BYTES: usize = 4 << 20;

impl Import {
    /// Brings in a folder of `export`, a file, or `-` for standard input.
    pub async fn read_path(&mut self, path: &Path) -> anyhow::Result<()> {
        if path.as_os_str() == "-" {
            return self.read_lines("standard input", &mut stdin().lock()).await;
        }
        if !path.is_dir() {
            return self.read_file(path).await;
        }
        let files = ImportKind::ALL.map(|kind| path.join(format!("{}.jsonl", kind.as_str())));
        let files: Vec<_> = files.into_iter().filter(|file| file.exists()).collect();
        if files.is_empty() {
            bail!("--from: {} has no file such as contacts.jsonl or calls.jsonl", path.display());
        }
        for file in files {
            self.read_file(&file).await?;
        }
        Ok(())
    }

    async fn read_file(&mut self, path: &Path) -> anyhow::Result<()> {
        let file = File::open(path).with_context(|| format!("--from: cannot read {}", path.display()))?;
        self.read_lines(&path.display().to_string(), &mut BufReader::new(file)).await
    }

    async fn read_lines(&mut self, name: &str, lines: &mut impl BufRead) -> anyhow::Result<()> {
        let mut batch = Batch::default();
        for (number, line) in lines.lines().enumerate() {
            let at = || format!("{name}, line {}", number + 1);
            let line = line.with_context(at)?;
            if line.trim().is_empty() {
                continue;
            }
            // The error would quote the line, which tells of a person.
            let Ok(record) = serde_json::from_str::<Value>(&line) else { bail!("{}: it is not JSON", at()) };
            let word = record["type"].as_str().unwrap_or_default();
            let Some(kind) = ImportKind::of_line(word) else {
                *self.passed.entry(word.to_owned()).or_default() += 1;
                continue;
            };
            if batch.is_full() || batch.kind.is_some_and(|known| known != kind) {
                self.take_batch(&mut batch).await?;
            }
            batch.kind = Some(kind);
            batch.bytes += line.len();
            batch.records.push(record);
        }
        self.take_batch(&mut batch).await?;
        self.end();
        Ok(())
    }

    async fn take_batch(&mut self, batch: &mut Batch) -> anyhow::Result<()> {
        let Batch { kind: Some(kind), records, .. } = std::mem::take(batch) else { return Ok(()) };
        if !self.counts.contains_key(kind.as_str()) {
            self.begin(kind);
        }
        self.take(kind, &records).await
    }
}

/// Lines of one kind that are brought in together.
#[derive(Default)]
struct Batch {
    kind: Option<ImportKind>,
    records: Vec<Value>,
    bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.records.len() >= LINES || self.bytes >= BYTES
    }
}
