//! How a run came out, as a table.

use std::fmt::Write;

use serde::Serialize;

/// A check, what was expected, and what was observed.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The check's name.
    pub check: String,
    /// What the receiver does.
    pub does: &'static str,
    /// What was expected of the sender.
    pub expected: String,
    /// Why.
    pub why: &'static str,
    /// Who says so.
    pub source: &'static str,
    /// What was observed.
    pub observed: String,
    /// What is wrong with it, where it did not pass.
    pub fault: Option<String>,
}

impl Line {
    /// Whether the sender did what was expected.
    pub fn has_passed(&self) -> bool {
        self.fault.is_none()
    }
}

/// The lines as a table in Markdown, and how many there are of which kind.
pub fn table(lines: &[Line]) -> String {
    let mut table = String::from("| check | the receiver | expected | observed | |\n|---|---|---|---|---|\n");
    for line in lines {
        let Line { check, does, expected, why, source, observed, fault } = line;
        let result =
            fault.as_ref().map_or_else(|| "passed".to_owned(), |fault| format!("**FAILED**: {fault}"));
        let cells = [
            check.clone(),
            (*does).to_owned(),
            format!("{expected}: {why} ({source})"),
            observed.clone(),
            result,
        ];
        let _ = writeln!(table, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    let passed = lines.iter().filter(|line| line.has_passed()).count();
    let _ = writeln!(table, "\n{passed} of {} checks passed.", lines.len());
    table
}
