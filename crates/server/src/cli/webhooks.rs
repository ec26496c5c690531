//! The commands about webhooks: endpoints, deliveries, samples and signatures.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::{cli::TellingOptions, span::Span};

/// Webhook endpoints.
#[derive(Subcommand)]
pub enum WebhookCommand {
    /// Make an endpoint
    Create {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// Its address
        #[arg(long)]
        url: String,
        /// The events it is told of, separated by commas; `all` for the documented four, `*` for each there is
        #[arg(long)]
        events: String,
        /// A file with the secret to sign with, `-` for standard input; one is made up without
        #[arg(long, value_name = "FILE", conflicts_with = "no_secret")]
        secret_file: Option<PathBuf>,
        /// Do not sign
        #[arg(long)]
        no_secret: bool,
        /// How fast it is sent what it is owed, and in which order.
        #[command(flatten)]
        pacing: PacingOptions,
        /// What it is told beyond that, and how.
        #[command(flatten)]
        telling: Box<TellingOptions>,
    },
    /// List an organization's endpoints
    List {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
    },
    /// Show an endpoint
    Get {
        /// The endpoint's id, as `list` shows it
        id: model::EndpointId,
    },
    /// Change an endpoint; what is not named stays
    Update {
        /// The endpoint's id
        id: model::EndpointId,
        /// Another address
        #[arg(long)]
        url: Option<String>,
        /// Other events, separated by commas; `all` for the documented four, `*` for each there is
        #[arg(long)]
        events: Option<String>,
        /// What it is for; an empty text for nothing
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// How fast it is sent what it is owed, and in which order.
        #[command(flatten)]
        pacing: PacingOptions,
        /// What it is told beyond that, and how.
        #[command(flatten)]
        telling: Box<TellingOptions>,
    },
    /// Stop telling an endpoint for a while; what it is owed and what happens meanwhile is held
    Pause {
        /// The endpoint's id
        id: model::EndpointId,
    },
    /// Tell an endpoint again that was paused, disabled or gone
    Enable {
        /// The endpoint's id
        id: model::EndpointId,
        /// What becomes of what was held: `deliver`, `discard`, or the time after which it is delivered
        #[arg(long, value_name = "CHOICE", default_value = "deliver")]
        held: store::HeldChoice,
    },
    /// Delete an endpoint: what it is still owed is called off, its deliveries stay to be seen
    Delete {
        /// The endpoint's id
        id: model::EndpointId,
    },
    /// Give an endpoint a new secret, with the one before signing beside it for a while
    RotateSecret {
        /// The endpoint's id
        id: model::EndpointId,
        /// A file with the new secret, `-` for standard input; one is made up without
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        /// How long the secret before signs too, at most 7d
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        overlap: Span,
        /// Sign with the new secret alone at once
        #[arg(long, conflicts_with = "overlap")]
        no_overlap: bool,
        /// Make no new secret, but end the overlap of the last rotation
        #[arg(long, conflicts_with_all = ["secret_file", "overlap", "no_overlap"])]
        expire_previous: bool,
    },
    /// Send a sample at once, to an endpoint or to an address that is none yet, and show what comes of it
    Test {
        /// The endpoint's id
        #[arg(required_unless_present = "url", conflicts_with_all = ["url", "org", "secret_file", "no_secret"])]
        id: Option<model::EndpointId>,
        /// The address, where it is no endpoint yet
        #[arg(long, requires = "org")]
        url: Option<String>,
        /// The id of the organization that it would be for
        #[arg(long)]
        org: Option<model::OrgId>,
        /// The event whose sample is sent [default: the endpoint's first, or call.completed]
        #[arg(long, value_parser = event)]
        event: Option<model::EventType>,
        /// A file with the secret to sign with, `-` for standard input; one is made up without
        #[arg(long, value_name = "FILE", conflicts_with = "no_secret")]
        secret_file: Option<PathBuf>,
        /// Do not sign
        #[arg(long)]
        no_secret: bool,
        /// How it would be told.
        #[command(flatten)]
        telling: Box<TellingOptions>,
    },
    /// Show the organization's public key, with which receivers check the `v1a` signatures of Standard Webhooks
    PublicKey {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
    },
    /// Give the organization a new Ed25519 key, with the one before signing beside it for a while
    RotateKey {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// How long the key before signs too, at most 7d
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        overlap: Span,
        /// Sign with the new key alone at once
        #[arg(long, conflicts_with = "overlap")]
        no_overlap: bool,
        /// Make no new key, but end the overlap of the last rotation
        #[arg(long, conflicts_with_all = ["overlap", "no_overlap"])]
        expire_previous: bool,
    },
}

/// How fast an endpoint is sent what it is owed, and in which order.
#[derive(Args)]
pub struct PacingOptions {
    /// How many deliveries a second at most, or `none` [default: none; 25 for hooks.zapier.com]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate: Option<Rate>,
    /// Which deliveries wait for which: `none` for any other, `per_key` for those before of the same call or contact,
    /// `strict` for all before [default: none]
    #[arg(long, value_name = "ORDERING", value_parser = ordering)]
    ordering: Option<model::Ordering>,
}

/// So many deliveries a second, or any number.
#[derive(Clone, Copy)]
struct Rate(Option<u32>);

impl From<PacingOptions> for model::PacingChange {
    fn from(options: PacingOptions) -> Self {
        Self { rate: options.rate.map(|Rate(rate)| rate), ordering: options.ordering }
    }
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "none" {
        return Ok(Rate(None));
    }
    let most = model::Pacing::MAX_RATE;
    let rate = text.parse().ok().filter(|rate| (1..=most).contains(rate));
    rate.map(|rate| Rate(Some(rate)))
        .ok_or_else(|| format!("must be a whole number from 1 to {most}, or `none`"))
}

fn ordering(word: &str) -> Result<model::Ordering, String> {
    model::Ordering::parse(word).ok_or_else(|| {
        let words = model::Ordering::ALL.map(model::Ordering::as_str);
        format!("must be one of {}", words.join(", "))
    })
}

/// Deliveries.
#[derive(Subcommand)]
pub enum DeliveriesCommand {
    /// List an organization's newest deliveries
    List {
        /// The organization's id
        #[arg(long)]
        org: model::OrgId,
        /// Only those to this endpoint
        #[arg(long, value_name = "ID")]
        webhook: Option<model::EndpointId>,
        /// Only those of this type of event
        #[arg(long, value_parser = event)]
        event: Option<model::EventType>,
        /// Only those that stand like this
        #[arg(long, value_parser = state)]
        state: Option<store::DeliveryState>,
        /// Only those of this call's events
        #[arg(long, value_name = "ID")]
        call: Option<model::CallId>,
        /// Only those made after this, such as 2026-02-24T21:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<model::Time>,
        /// Only those made before this
        #[arg(long, value_name = "TIME")]
        until: Option<model::Time>,
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Show a delivery with every try as it was sent and answered
    Get {
        /// The delivery's id, as `list` shows it
        id: model::DeliveryId,
    },
    /// Send a delivery once more, whatever became of it; a running server does so within 15 s
    Resend {
        /// The delivery's id
        id: model::DeliveryId,
    },
    /// Send again everything that an endpoint was owed and did not get
    Recover {
        /// The endpoint's id
        #[arg(long, value_name = "ID")]
        webhook: model::EndpointId,
        /// Only what was made after this, such as 2026-02-24T21:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<model::Time>,
        /// Only what was made up to this
        #[arg(long, value_name = "TIME")]
        until: Option<model::Time>,
        /// Also what was called off: because the endpoint was gone, or because it was discarded
        #[arg(long)]
        cancelled: bool,
        /// Only say how many there are
        #[arg(long)]
        preview: bool,
    },
}

/// Signatures of webhooks.
#[derive(Subcommand)]
pub enum SignatureCommand {
    /// Print the headers that sign a body
    Sign {
        /// A file with the secret, `-` for standard input
        #[arg(long, value_name = "FILE")]
        secret_file: PathBuf,
        /// A file with the body, byte for byte
        #[arg(long, value_name = "FILE")]
        body_file: PathBuf,
        /// The delivery's id [default: the body's `delivery_id`]
        #[arg(long)]
        id: Option<String>,
        /// The time of the try in Unix seconds [default: now]
        #[arg(long, value_name = "SECONDS")]
        timestamp: Option<i64>,
    },
    /// Check the signatures of a webhook that was received, and say which part is wrong
    Verify {
        /// A file with the secret, `-` for standard input
        #[arg(long, value_name = "FILE", required_unless_present = "public_key")]
        secret_file: Option<PathBuf>,
        /// The organization's public key, `whpk_…`, for the `v1a` signatures of Standard Webhooks
        #[arg(long, value_name = "KEY")]
        public_key: Option<String>,
        /// A file with the body, byte for byte
        #[arg(long, value_name = "FILE")]
        body_file: PathBuf,
        /// A header that was received, such as 'webhook-id: …'; once for each
        #[arg(long = "header", short = 'H', value_name = "HEADER", value_parser = header, required = true)]
        headers: Vec<(String, String)>,
    },
}

/// Options of `listen`.
#[derive(Args)]
pub struct ListenOptions {
    /// The organization's id
    #[arg(long)]
    pub org: model::OrgId,
    /// Where each event is posted, such as http://localhost:3000/hook
    #[arg(long, value_name = "URL")]
    pub forward_to: String,
    /// Only these events, separated by commas [default: every one that is told]
    #[arg(long)]
    pub events: Option<String>,
    /// Also what was told after this, such as 2026-02-24T21:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<model::Time>,
    /// Sign as this endpoint's webhooks are, with its form, redaction and headers; without, a secret is made up
    #[arg(long, value_name = "ID")]
    pub webhook: Option<model::EndpointId>,
    /// Stop after so many
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

pub(super) fn event(word: &str) -> Result<model::EventType, String> {
    let names = || model::EventType::ALL.map(model::EventType::as_str).join(", ");
    model::EventType::parse(word).ok_or_else(|| format!("there are {}", names()))
}

fn state(word: &str) -> Result<store::DeliveryState, String> {
    let names = || store::DeliveryState::ALL.map(store::DeliveryState::as_str).join(", ");
    store::DeliveryState::parse(word).ok_or_else(|| format!("there are {}", names()))
}

fn header(line: &str) -> Result<(String, String), String> {
    let (name, value) = line.split_once(':').ok_or("a header is a name, a colon and a value")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// A field of a sample and what it is to say: JSON where it is JSON, else a text.
pub(super) fn field(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = text.split_once('=').ok_or("write a field's name, = and its value")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((name.to_owned(), value))
}
