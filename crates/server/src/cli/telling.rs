//! Options that say what an endpoint is told beyond which events, and how.

use std::path::PathBuf;

use clap::Args;

/// What an endpoint is told beyond which events, and how; what is not named stays.
#[derive(Args, Clone, Default, PartialEq)]
pub struct TellingOptions {
    /// Tell it only of calls of these assistants: ids, separated by commas; `any` for all
    #[arg(long, value_name = "IDS")]
    pub assistants: Option<String>,
    /// Tell it only of calls that stand like this: in-progress, forwarding, completed, failed, blocked; `any` for all
    #[arg(long, value_name = "WORDS")]
    pub statuses: Option<String>,
    /// Tell it only of calls as urgent as this: low, medium, high; `any` for all
    #[arg(long, value_name = "WORDS")]
    pub urgencies: Option<String>,
    /// Tell it only of calls that took so many seconds or more; `any` for all
    #[arg(long, value_name = "SECONDS")]
    pub min_duration: Option<String>,
    /// Tell it only of calls that took so many seconds or less; `any` for all
    #[arg(long, value_name = "SECONDS")]
    pub max_duration: Option<String>,
    /// Do not tell it these: transcript, recording, phone; `none` to tell all
    #[arg(long, value_name = "WORDS")]
    pub redact: Option<String>,
    /// The form of its webhooks' bodies: inboundflow, standard, thin
    #[arg(long, value_parser = format)]
    pub format: Option<model::Format>,
    /// A file with headers that it is sent beside ours, `Name: value` in each line, `-` for standard input; a line `Name:`
    /// leaves one out
    #[arg(long, value_name = "FILE")]
    pub headers_file: Option<PathBuf>,
    /// Whether the organization's Ed25519 key signs too
    #[arg(long, value_name = "on|off", value_parser = switch)]
    pub v1a: Option<bool>,
}

fn format(word: &str) -> Result<model::Format, String> {
    let names = || model::Format::ALL.map(model::Format::as_str).join(", ");
    model::Format::parse(word).ok_or_else(|| format!("there are {}", names()))
}

fn switch(word: &str) -> Result<bool, &'static str> {
    match word {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("must be `on` or `off`"),
    }
}
