//! What goes to the terminal. A closed pipe ends the output, not the program with a panic.

use std::io::{IsTerminal, Write};

/// A line on standard output: what was asked for.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A line on standard error: what a person should know.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A line on standard error for the moment, where a person looks at it.
pub fn mention(line: &str) {
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr(), "\r{line}\x1b[K");
    }
}

/// How far something has come: a line on standard error that is written over, where a person looks at it.
pub struct Progress {
    what: &'static str,
    is_seen: bool,
    every: u64,
    count: u64,
    shown: u64,
}

/// After so many records the line is written anew.
const SHOW_EVERY: u64 = 1000;

impl Progress {
    /// Of some records.
    pub fn of(what: &'static str) -> Self {
        Self { what, is_seen: std::io::stderr().is_terminal(), every: SHOW_EVERY, count: 0, shown: 0 }
    }

    /// Of records that come slowly, so that each is shown.
    #[must_use]
    pub fn each(self) -> Self {
        Self { every: 1, ..self }
    }

    /// So many are done.
    pub fn show(&mut self, count: u64) {
        self.count = count;
        if self.is_seen && count >= self.shown + self.every {
            self.shown = count;
            let _ = write!(std::io::stderr(), "\r{}: {count}\x1b[K", self.what);
        }
    }

    /// All are.
    pub fn end(self) {
        if self.is_seen {
            let _ = writeln!(std::io::stderr(), "\r{}: {}\x1b[K", self.what, self.count);
        }
    }
}

/// How a command's answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// As text for people.
    Text,
    /// As JSON for programs: one object, or for a list one object with `data`.
    Json,
}

impl Shown {
    /// Shows one thing.
    pub fn one(self, value: &serde_json::Value, text: &str) {
        match self {
            Self::Text => say(text),
            Self::Json => say(&value.to_string()),
        }
    }

    /// Shows a record: as text a line for each field.
    pub fn record(self, value: &serde_json::Value) {
        self.one(value, &fields(value));
    }

    /// Shows a list: as text a table with a line each.
    pub fn list(self, rows: impl Iterator<Item = serde_json::Value>) {
        let rows: Vec<serde_json::Value> = rows.collect();
        match self {
            Self::Json => say(&serde_json::json!({ "data": rows }).to_string()),
            Self::Text if rows.is_empty() => say("There is none"),
            Self::Text => table(&rows),
        }
    }
}

/// A record as text, a line for each field.
pub fn fields(record: &serde_json::Value) -> String {
    let lines =
        record.as_object().into_iter().flatten().map(|(name, value)| format!("{name}: {}", cell(value)));
    lines.collect::<Vec<_>>().join("\n")
}

fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "-".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => {
            items.iter().filter_map(|item| item.as_str()).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

fn table(rows: &[serde_json::Value]) {
    let objects: Vec<_> = rows.iter().filter_map(serde_json::Value::as_object).collect();
    let Some(first) = objects.first() else { return };
    let heads: Vec<&String> = first.keys().collect();
    let lines: Vec<Vec<String>> = std::iter::once(heads.iter().map(|head| (*head).clone()).collect())
        .chain(objects.iter().map(|object| heads.iter().map(|head| cell(&object[*head])).collect()))
        .collect();
    let widths: Vec<usize> = (0..heads.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    for line in lines {
        let padded: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        say(padded.join("  ").trim_end());
    }
}
