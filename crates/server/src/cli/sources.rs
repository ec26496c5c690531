//! The commands about sources: where calls come from.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use model::Platform;

use crate::span::Span;

/// The words of the platforms that have webhooks.
fn platforms() -> impl Iterator<Item = &'static str> {
    let all = Platform::ALL.into_iter().filter(|platform| *platform != Platform::Api);
    all.map(Platform::as_str)
}

/// Sources.
#[derive(Subcommand)]
pub enum SourceCommand {
    /// Make a source: an address that a voice platform sends its webhooks to
    Create {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// The platform
        #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(platforms()))]
        platform: String,
        /// A name for it
        #[arg(long)]
        name: Option<String>,
        /// A file with the secret that the platform signs with, `-` for standard input; one is made up without
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        /// A file with the source's settings as JSON, `-` for standard input
        #[arg(long, value_name = "FILE")]
        settings_file: Option<PathBuf>,
        /// How its platform is asked for its calls.
        #[command(flatten)]
        platform_api: PlatformApi,
    },
    /// List an organization's sources
    List {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
    },
    /// Show a source
    Get {
        /// The source's id, as `list` shows it
        id: model::SourceId,
    },
    /// Change a source; what is not named stays
    Update {
        /// The source's id
        id: model::SourceId,
        /// Another name
        #[arg(long)]
        name: Option<String>,
        /// A file with the secret that replaces the one before at once, `-` for standard input
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        /// A file with all its settings as JSON, `-` for standard input
        #[arg(long, value_name = "FILE")]
        settings_file: Option<PathBuf>,
        /// How its platform is asked for its calls.
        #[command(flatten)]
        platform_api: PlatformApi,
        /// Forget the key of the platform's API
        #[arg(long, conflicts_with = "api_key_file")]
        no_api_key: bool,
    },
    /// Delete a source: its address is closed, its calls stay
    Delete {
        /// The source's id
        id: model::SourceId,
    },
    /// Forward a source's messages, as they come, to a further address: an endpoint that `webhook` lists and deletes
    Forward {
        /// The source's id
        id: model::SourceId,
        /// The address
        #[arg(long)]
        url: String,
        /// A file with a secret to sign with beside the platform's signature, `-` for standard input; none without
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
    },
    /// Give a source a new secret, with the one before accepted for a while
    RotateSecret {
        /// The source's id
        id: model::SourceId,
        /// A file with the new secret, `-` for standard input; one is made up without
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        /// How long the secret before is still accepted, at most 7d
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        overlap: Span,
        /// Refuse the secret before at once
        #[arg(long, conflicts_with = "overlap")]
        no_overlap: bool,
    },
    /// Tell what a message would become at a source with some settings; nothing is stored, nobody's signature is checked
    Preview {
        /// The platform
        #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(platforms()))]
        platform: String,
        /// A file with the source's settings as JSON, `-` for standard input
        #[arg(long, value_name = "FILE")]
        settings_file: Option<PathBuf>,
        /// A file with the body as the platform posts it, `-` for standard input
        #[arg(long, value_name = "FILE")]
        message_file: PathBuf,
    },
    /// List the newest events that arrived at a source, and what became of them
    Events {
        /// The source's id
        #[arg(long)]
        source: model::SourceId,
        /// Only those that became this
        #[arg(long, value_parser = outcome)]
        outcome: Option<store::Outcome>,
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Read events again, with today's connector and settings; what was told is not told twice
    Reprocess {
        /// The source's id
        #[arg(long)]
        source: model::SourceId,
        /// Only this event
        #[arg(long, value_name = "ID", conflicts_with_all = ["since", "until", "outcome"])]
        event: Option<model::InboxId>,
        /// Only those that arrived after this, such as 2026-02-24T21:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<model::Time>,
        /// Only those that arrived before this
        #[arg(long, value_name = "TIME")]
        until: Option<model::Time>,
        /// Only those that became this; all but the rejected ones without it
        #[arg(long, value_parser = outcome)]
        outcome: Option<store::Outcome>,
        /// Take rejected ones for the platform's all the same
        #[arg(long)]
        accept_rejected: bool,
    },
    /// Import the calls that the platform has of a time; nobody is told of what was over before
    Import {
        /// The source's id
        #[arg(long)]
        id: model::SourceId,
        /// Calls that began from then on, such as 2026-02-24T21:00:00Z [default: all that the platform still has]
        #[arg(long, value_name = "TIME")]
        since: Option<model::Time>,
        /// Calls that began until then [default: now]
        #[arg(long, value_name = "TIME")]
        until: Option<model::Time>,
        /// Let this import go on, which was paused, failed or broken off
        #[arg(long, value_name = "ID", conflicts_with_all = ["since", "until"])]
        resume: Option<model::SyncId>,
        /// Stop this import after the page that it is at
        #[arg(long, value_name = "ID", conflicts_with_all = ["since", "until", "resume"])]
        pause: Option<model::SyncId>,
    },
    /// List a source's imports, newest first
    Imports {
        /// The source's id
        #[arg(long)]
        id: model::SourceId,
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Show how the listing of what the platform's webhooks missed stands
    Reconciler {
        /// The source's id
        #[arg(long)]
        id: model::SourceId,
    },
    /// List the calls that the platform's webhooks missed, the last found first
    Gaps {
        /// The source's id
        #[arg(long)]
        id: model::SourceId,
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
}

/// How a source's platform is asked for its calls.
#[derive(Args)]
pub struct PlatformApi {
    /// A file with a key of the platform's API, `-` for standard input: with it, its calls are listed. For Twilio
    /// AccountSid:AuthToken
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Where the platform's API is, if not at its usual address
    #[arg(long, value_name = "URL", requires = "api_key_file")]
    pub api_url: Option<String>,
}

fn outcome(word: &str) -> Result<store::Outcome, String> {
    let names = || store::Outcome::ALL.map(store::Outcome::as_str).join(", ");
    store::Outcome::parse(word).ok_or_else(|| format!("there are {}", names()))
}
