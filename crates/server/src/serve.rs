//! The life of the server: from the first look at its database to the last try under way.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use api::Streams;
use axum::serve::ListenerExt;
use store::{DatabaseUrl, Store};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};

use crate::{
    app::{self, World},
    config::Config,
    open_store,
    output::complain,
};

/// How long requests and tries under way may take to end when the server is told to.
const DRAIN: Duration = Duration::from_secs(25);

/// Runs the server until it is told to stop.
pub(crate) async fn serve(config: Config, world: World) -> anyhow::Result<()> {
    // From the beginning: a server that is told to stop as soon as it listens has webhooks under way already.
    let mut signals = StopSignals::listen()?;
    let running = tokio::select! {
        running = start(&config, &world) => running?,
        () = signals.told() => return Ok(()),
    };
    complain(&format!("listening on http://{}", running.address));
    if let Err(error) = greet(&config, &world, &running).await {
        // The server is for more than that: what the database does not take now, it may take later.
        complain(&format!(
            "  no link to become the owner could be made; the next start makes one: {error:#}"
        ));
    }
    signals.told().await;
    tracing::info!("stopping: requests and webhooks under way are finished first");
    running.stop().await;
    Ok(())
}

/// Tells who started the server where everything is.
async fn greet(config: &Config, world: &World, running: &Running) -> anyhow::Result<()> {
    let url = config.public_url(Some(running.address));
    complain(&format!("  dashboard  {url}/"));
    complain(&format!("  API        {url}/v1 (described at {url}/openapi.json)"));
    complain(&format!("  docs       {url}/docs"));
    complain(&format!("  data       {}", config.database_shown()));
    if let Some(path) = app::setup_path(world, &running.store).await? {
        complain(
            "Nobody owns an organization here yet. Open this to become the owner (once, within 30 minutes):",
        );
        complain(&format!("  {url}{path}"));
    }
    Ok(())
}

/// A server that runs.
pub(crate) struct Running {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its records.
    pub(crate) store: Store,
    stop: watch::Sender<bool>,
    streams: Streams,
    requests: JoinHandle<()>,
    worker: JoinHandle<()>,
    keeper: JoinHandle<()>,
    completer: JoinHandle<()>,
    reconciler: JoinHandle<()>,
    _lock: Option<File>,
}

/// Starts a server.
pub(crate) async fn start(config: &Config, world: &World) -> anyhow::Result<Running> {
    let lock = lock(config)?;
    let store = open_store(config, world).await?;
    let app = app::build(config, world, store.clone())?;
    let listener = TcpListener::bind(&config.listen).await.with_context(|| {
        format!("cannot listen on {} (choose another address with --listen)", config.listen)
    })?;
    let address = listener.local_addr()?;
    store.serve_api(&config.public_url(Some(address)));
    app::serve_recordings(config, world, &store, Some(address)).await?;
    let (stop, stopped) = watch::channel(false);
    let (completer, reconciler) = (app.state.ingest.clone(), app.state.reconciler.clone());
    let streams = app.state.streams.clone();
    let router = app::router(app.state)?;
    Ok(Running {
        address,
        store,
        requests: spawn(answer(listener, router, stopped.clone())),
        worker: spawn(app.worker.run(stopped.clone())),
        keeper: spawn(app.keeper.run(stopped)),
        completer: spawn(async move { completer.run().await }),
        reconciler: spawn(async move { reconciler.run().await }),
        stop,
        streams,
        _lock: lock,
    })
}

impl Running {
    /// Takes no more requests, finishes those under way and the tries of webhooks, and returns.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.streams.close();
        let Self { requests, worker, keeper, completer, reconciler, .. } = self;
        let drained = tokio::time::timeout(DRAIN, async {
            let _ = requests.await;
            let _ = worker.await;
            let _ = keeper.await;
        });
        if drained.await.is_err() {
            tracing::warn!("not everything under way ended in time; it is taken up again at the next start");
        }
        completer.abort();
        // A page that it is at is listed again at the next start.
        reconciler.abort();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where tasks begin; `Running::stop` waits for them"
)]
pub(crate) fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(task)
}

async fn answer(listener: TcpListener, router: axum::Router, mut stopped: watch::Receiver<bool>) {
    let listener = listener.tap_io(|connection| {
        // Answers are written whole; waiting to fill a packet would only delay them.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection's options could not be set");
        }
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let told = async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(told).await {
        tracing::error!(%error, "the server stopped listening");
    }
}

/// What tells a process to stop: SIGTERM, or Ctrl-C.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// From now on they do not end the process by themselves.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    /// Waits until one comes.
    pub(crate) async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The embedded database has one server: a second one over the same file would send webhooks twice.
fn lock(config: &Config) -> anyhow::Result<Option<File>> {
    let DatabaseUrl::Sqlite(path) = config.database_url()? else { return Ok(None) };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let lock_path = lock_path(&path);
    let file = File::create(&lock_path).with_context(|| format!("cannot write {}", lock_path.display()))?;
    file.try_lock().with_context(|| format!("another server runs over {}", path.display()))?;
    Ok(Some(file))
}

fn lock_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}
