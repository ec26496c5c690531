//! The command line.

mod portability;
mod recordings;
mod users;
mod webhooks;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use model::Platform;

pub use portability::{ContactCommand, ExportFormat, ExportOptions, ImportOptions};
pub use recordings::RecordingsCommand;
pub use users::UserCommand;
pub use webhooks::{DeliveriesCommand, SignatureCommand, WebhookCommand};

use crate::span::Span;

/// Your AI voice assistants' calls, contacts, leads and appointments: a REST API and signed webhooks.
#[derive(Parser)]
#[command(name = "inboundflow", version)]
pub struct Cli {
    /// What to do; `serve` where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of `serve`.
    #[command(flatten)]
    pub serve: ServeOptions,
    /// Options of all commands.
    #[command(flatten)]
    pub options: Options,
}

/// Options of all commands.
#[derive(Args, Clone, Default)]
pub struct Options {
    /// The folder of the embedded database [default: ./data; environment: INBOUNDFLOW_DATA_DIR]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// The database: sqlite:PATH or postgres://… [environment: INBOUNDFLOW_DATABASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// A TOML file with options [default: ./inboundflow.toml where it exists; environment: INBOUNDFLOW_CONFIG]
    #[arg(long, global = true, value_name = "FILE", env = "INBOUNDFLOW_CONFIG", hide_env = true)]
    pub config: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    pub json: bool,
}

/// Options of `serve` and `demo`.
#[derive(Args, Clone, Default)]
pub struct ServeOptions {
    /// The address to listen on; port 0 picks one [default: 127.0.0.1:8080; environment: INBOUNDFLOW_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// The address under which the server is reached from outside [environment: INBOUNDFLOW_PUBLIC_URL]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Run the server
    Serve(ServeOptions),
    /// Show the whole way of a call, from a platform's webhook in to a signed webhook out
    Demo(DemoOptions),
    /// Organizations
    #[command(subcommand)]
    Org(OrgCommand),
    /// People who sign in to the dashboard
    #[command(subcommand)]
    User(UserCommand),
    /// API keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Sources: where calls come from
    #[command(subcommand)]
    Source(SourceCommand),
    /// The block list: numbers whose calls are kept and come to nothing
    #[command(subcommand)]
    BlockedNumber(BlockedNumberCommand),
    /// Webhook endpoints
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Deliveries of webhooks
    #[command(subcommand)]
    Deliveries(DeliveriesCommand),
    /// Tell an event that did not happen, with sample data, as any other is told: for trying out what you build
    Trigger(TriggerOptions),
    /// Signatures of webhooks
    #[command(subcommand)]
    Signature(SignatureCommand),
    /// Recordings of calls
    #[command(subcommand)]
    Recordings(RecordingsCommand),
    /// Contacts
    #[command(subcommand)]
    Contact(ContactCommand),
    /// Write everything of an organization into files
    Export(ExportOptions),
    /// Bring in what another server has of an organization, or an export of it
    Import(ImportOptions),
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
}

impl Command {
    /// The options of the server that the command runs, if it does.
    pub fn serve_options(&self) -> ServeOptions {
        match self {
            Self::Serve(options) => options.clone(),
            Self::Demo(options) => options.serve.clone(),
            _ => ServeOptions::default(),
        }
    }
}

/// Options of `demo`.
#[derive(Args)]
pub struct DemoOptions {
    /// Stop after the check; the exit code tells whether every step worked
    #[arg(long)]
    pub exit: bool,
    /// The server that it runs.
    #[command(flatten)]
    pub serve: ServeOptions,
}

/// Options of `trigger`.
#[derive(Args)]
pub struct TriggerOptions {
    /// The event's name, such as call.completed
    #[arg(value_parser = webhooks::event)]
    pub event: model::EventType,
    /// The organization's id
    #[arg(long)]
    pub org: model::OrgId,
    /// Only this endpoint is told
    #[arg(long, value_name = "ID")]
    pub webhook: Option<model::EndpointId>,
    /// A field of the event's data and what it is to say, such as caller_name=Dave; once for each
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = webhooks::field)]
    pub fields: Vec<(String, serde_json::Value)>,
}

/// Organizations.
#[derive(Subcommand)]
pub enum OrgCommand {
    /// Make an organization
    Create {
        /// Its name
        #[arg(long)]
        name: String,
    },
}

/// API keys.
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Make a key; it is shown once
    Create {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// What the key is for
        #[arg(long)]
        name: String,
        /// Until when it is good, such as 90d
        #[arg(long, value_name = "SPAN")]
        expires_in: Option<Span>,
        /// Requests a minute, instead of the instance's limit
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        rate_limit: Option<u32>,
        /// What it may do, separated by commas: read, calls:write, records:write, sources:read, sources:write,
        /// webhooks:read, webhooks:write [default: all]
        #[arg(long = "scope", alias = "scopes", value_name = "SCOPES", value_parser = model::Scopes::parse_list)]
        scopes: Option<model::Scopes>,
    },
    /// List an organization's keys
    List {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
    },
    /// Revoke a key for good
    Revoke {
        /// The key's id, as `list` shows it
        id: model::KeyId,
    },
}

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

/// The block list.
#[derive(Subcommand)]
pub enum BlockedNumberCommand {
    /// Block a number: its calls from now on, and those that are under way
    Create {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// The number, such as +14155550123
        #[arg(long)]
        phone: model::Phone,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// List an organization's blocked numbers, the latest first
    List {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
    },
    /// Unblock a number: its calls from now on are calls like any other
    Delete {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// The number
        #[arg(long)]
        phone: model::Phone,
    },
}
