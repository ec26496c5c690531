//! Options of the commands that take records out, bring them in, and erase them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use store::ExportKind;

/// Options of `export`.
#[derive(Args)]
pub struct ExportOptions {
    /// The organization's id
    #[arg(long)]
    pub org: model::OrgId,
    /// JSON Lines or CSV
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    pub format: ExportFormat,
    /// Leave texts in CSV as they are, for programs; a spreadsheet takes some of them for formulas
    #[arg(long)]
    pub raw: bool,
    /// The folder that is written to, a file for each kind; `-` for standard output
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Only these kinds, separated by commas: assistants, contacts, calls, leads, appointments,
    /// blocked-numbers, events, sources, webhooks, messages, gaps
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = export_kind)]
    pub only: Vec<ExportKind>,
    /// Only records created after this, such as 2026-02-24T21:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<model::Time>,
}

/// Options of `import`.
#[derive(Args)]
pub struct ImportOptions {
    /// The other server's address, such as `https://calls.example.com`; or what `export` wrote as JSON Lines: its folder, a
    /// file, or `-` for standard input
    #[arg(long, value_name = "URL or PATH")]
    pub from: String,
    /// A file with the other server's API key (`-` for standard input)
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The id of the organization that it is brought into
    #[arg(long)]
    pub org: model::OrgId,
    /// Leave out the calls' conversations turn by turn, for each of which the other server has to be asked; they can't
    /// be brought in later
    #[arg(long)]
    pub without_conversations: bool,
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A JSON object on each line
    Jsonl,
    /// A table
    Csv,
}

fn export_kind(word: &str) -> Result<ExportKind, String> {
    let names = || ExportKind::ALL.map(ExportKind::as_str).join(", ");
    ExportKind::parse(word).ok_or_else(|| format!("there are {}", names()))
}

/// Contacts.
#[derive(Subcommand)]
pub enum ContactCommand {
    /// Erase a person for good: the contact and everything personal of their calls; ids, times and statuses stay
    Erase {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// The contact's id
        id: model::ContactId,
        /// Only say how many records of each kind there are
        #[arg(long)]
        preview: bool,
        /// Write the embedded database's file anew, so that no free place in it holds a remnant, however large it is:
        /// a running server cannot write meanwhile
        #[arg(long)]
        compact: bool,
    },
    /// Write all that there is of a person, with their calls, leads and appointments, as JSON
    Export {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// The contact's id
        id: model::ContactId,
        /// The file that is written; `-` for standard output
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}
