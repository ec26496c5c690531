//! The command line.

mod calendar;
mod portability;
mod recordings;
mod reference;
mod sources;
mod telling;
mod users;
mod webhooks;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use calendar::CalendarFeedCommand;
pub use portability::{ContactCommand, ExportFormat, ExportOptions, ImportOptions};
pub use recordings::RecordingsCommand;
pub use reference::reference;
pub use sources::{PlatformApi, SourceCommand};
pub use telling::TellingOptions;
pub use users::UserCommand;
pub use webhooks::{DeliveriesCommand, ListenOptions, SignatureCommand, WebhookCommand};

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
    /// Post what happens to an address of this machine, as webhooks, while you build what receives them
    Listen(ListenOptions),
    /// Signatures of webhooks
    #[command(subcommand)]
    Signature(SignatureCommand),
    /// Recordings of calls
    #[command(subcommand)]
    Recordings(RecordingsCommand),
    /// Contacts
    #[command(subcommand)]
    Contact(ContactCommand),
    /// Addresses at which calendars read the appointments
    #[command(subcommand)]
    CalendarFeed(CalendarFeedCommand),
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
