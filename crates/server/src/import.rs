//! Brings in what another server has of an organization, or an export of it. Nothing is told of it: no event, no webhook.
//!
//! It can be stopped at any point and begun again: what was brought in is known, and where the walk through the other
//! server's lists stands is written down (`store/import/progress.rs`).

mod lines;
mod remote;
mod walk;

use std::collections::BTreeMap;

use model::OrgId;
use serde_json::{Value, json};
use store::{ImportCounts, ImportKind, OrgStore, Rules, Store};

pub use remote::Remote;

use crate::output::Progress;

/// Whether a call's conversation is asked for, which takes a request for each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversations {
    /// It is.
    With,
    /// It is not, and can't be brought in later.
    Without,
}

/// An import under way, and what came of it so far.
pub struct Import {
    records: OrgStore,
    rules: Rules,
    conversations: Conversations,
    counts: BTreeMap<&'static str, ImportCounts>,
    left_out: Vec<LeftOut>,
    /// Lines of an export that no import reads, by their type.
    passed: BTreeMap<String, u64>,
    progress: Option<Progress>,
}

/// A record that can't be read.
struct LeftOut {
    kind: ImportKind,
    id: Option<String>,
    why: String,
}

impl Import {
    /// An import into an organization.
    pub fn new(store: &Store, org: OrgId, rules: Rules, conversations: Conversations) -> Self {
        Self {
            records: store.org(org),
            rules,
            conversations,
            counts: BTreeMap::new(),
            left_out: Vec::new(),
            passed: BTreeMap::new(),
            progress: None,
        }
    }

    /// What came of it, for a program.
    pub fn summary(&self) -> Value {
        let counts = self.counts.iter().map(|(kind, counts)| {
            let value = json!({"added": counts.added, "known": counts.known, "erased": counts.erased});
            ((*kind).to_owned(), value)
        });
        let left_out = self
            .left_out
            .iter()
            .map(|left| json!({"kind": left.kind.as_str(), "id": left.id, "why": left.why}));
        json!({"imported": Value::Object(counts.collect()), "left_out": left_out.collect::<Vec<_>>(),
            "passed_over": self.passed})
    }

    /// What came of it, for a person.
    pub fn told(&self) -> String {
        let each = self.counts.iter().map(|(kind, counts)| {
            let mut text = format!("{} {kind}", counts.added);
            for (count, what) in
                [(counts.known, "here already"), (counts.erased, "of erased people left out")]
            {
                if count > 0 {
                    text.push_str(&format!(" ({count} {what})"));
                }
            }
            text
        });
        let mut text = format!("Imported: {}", each.collect::<Vec<_>>().join(", "));
        for (kind, count) in &self.passed {
            text.push_str(&format!("\nPassed over: {count} lines of the type {kind}"));
        }
        for left in &self.left_out {
            let id = left.id.as_deref().unwrap_or("without an id");
            text.push_str(&format!("\nLeft out: {} {id}: {}", left.kind.as_str(), left.why));
        }
        text
    }

    /// Reads records, oldest first, and brings in those that can be read.
    async fn take(&mut self, kind: ImportKind, records: &[Value]) -> anyhow::Result<()> {
        let mut read = Vec::with_capacity(records.len());
        for record in records {
            match ingest::read_record(kind, record) {
                Ok(record) => read.push(record),
                Err(why) => {
                    let id = record.get("id").and_then(Value::as_str).map(str::to_owned);
                    self.left_out.push(LeftOut { kind, id, why });
                }
            }
        }
        let counts = self.records.import(read, self.rules, ingest::booking_keys).await?;
        self.count(kind, counts);
        Ok(())
    }

    fn count(&mut self, kind: ImportKind, counts: ImportCounts) {
        let sum = self.counts.entry(kind.as_str()).or_default();
        *sum += counts;
        if let Some(progress) = &mut self.progress {
            progress.show(sum.added + sum.known + sum.erased);
        }
    }

    fn begin(&mut self, kind: ImportKind) {
        self.end();
        self.counts.entry(kind.as_str()).or_default();
        self.progress = Some(Progress::of(kind.as_str()).each());
    }

    fn end(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.end();
        }
    }
}
