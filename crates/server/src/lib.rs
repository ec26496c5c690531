//! Puts the parts together: configuration, the server's life, the commands of the operator, and the demo.

mod admin;
pub mod app;
pub mod cli;
pub mod config;
mod demo;
pub mod import;
pub mod output;
mod receiver;
mod serve;
mod span;
pub mod system;

use std::sync::Arc;

use anyhow::Context;

use crate::{
    app::World,
    cli::{Cli, Command},
    config::Config,
    output::Shown,
    system::{SystemClock, SystemIds},
};

/// Does what the command line says.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let command = match cli.command {
        Some(_) if cli.serve.listen.is_some() || cli.serve.public_url.is_some() => {
            anyhow::bail!("--listen and --public-url belong behind the command: inboundflow serve --listen …")
        }
        Some(command) => command,
        None => Command::Serve(cli.serve),
    };
    let config = Config::load(cli.options.config.as_deref(), &cli.options, command.serve_options())?;
    if matches!(command, Command::Serve(_) | Command::Demo(_)) {
        start_logging()?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let world = World { clock: Arc::new(SystemClock), ids: Arc::new(SystemIds) };
    let shown = if cli.options.json { Shown::Json } else { Shown::Text };
    runtime.block_on(async move {
        match command {
            Command::Serve(_) => serve::serve(config, world).await,
            Command::Demo(options) => demo::run(config, world, &options).await,
            Command::Org(command) => admin::org(&config, world, shown, command).await,
            Command::User(command) => admin::user(&config, world, shown, command).await,
            Command::Key(command) => admin::key(&config, world, shown, command).await,
            Command::Source(command) => admin::source(&config, world, shown, command).await,
            Command::BlockedNumber(command) => admin::blocked_number(&config, world, shown, command).await,
            Command::Webhook(command) => admin::webhook(&config, world, shown, command).await,
            Command::Deliveries(command) => admin::deliveries(&config, world, shown, command).await,
            Command::Trigger(options) => admin::trigger(&config, world, shown, options).await,
            Command::Listen(options) => admin::listen(&config, world, shown, options).await,
            Command::Signature(command) => admin::signature(&world, shown, command),
            Command::Recordings(command) => admin::recordings(&config, world, shown, command).await,
            Command::Contact(command) => admin::contact(&config, world, shown, command).await,
            Command::CalendarFeed(command) => admin::calendar_feed(&config, world, shown, command).await,
            Command::Export(options) => admin::export(&config, world, shown, options).await,
            Command::Import(options) => admin::import(&config, world, shown, options).await,
            Command::Openapi => {
                output::say(&api::openapi::rendered());
                Ok(())
            }
        }
    })
}

/// Our crates. Below `info`, libraries log what passes through them: parameters of statements, phone numbers.
const OURS: [&str; 11] = [
    "api",
    "connectors",
    "dashboard",
    "delivery",
    "inboundflow",
    "ingest",
    "model",
    "reconcile",
    "recordings",
    "seal",
    "store",
];

fn start_logging() -> anyhow::Result<()> {
    use std::io::IsTerminal;

    use tracing_subscriber::{
        EnvFilter, Layer,
        filter::{FilterExt, filter_fn},
        fmt,
        layer::SubscriberExt,
        util::SubscriberInitExt,
    };
    let chosen = match std::env::var("INBOUNDFLOW_LOG") {
        Ok(text) => EnvFilter::try_new(text).context("INBOUNDFLOW_LOG")?,
        Err(_) => EnvFilter::new("info,refinery_core=warn"),
    };
    let may_be_shown = filter_fn(|line| {
        let name = line.target().split("::").next().unwrap_or_default();
        *line.level() <= tracing::Level::INFO || OURS.contains(&name)
    });
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_filter(chosen.and(may_be_shown));
    // Where something else logs already (a test), that stays.
    let _ = tracing_subscriber::registry().with(lines).try_init();
    Ok(())
}

/// Opens the store that a configuration names.
pub(crate) async fn open_store(config: &Config, world: &World) -> anyhow::Result<store::Store> {
    let url = config.database_url()?;
    store::Store::open(&url, world.clock.clone(), world.ids.clone())
        .await
        .with_context(|| format!("cannot open the database {}", config.database_shown()))
}
