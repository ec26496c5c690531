//! `/metrics`: figures for Prometheus. They are of all organizations, so they are served only where the operator says so: at an
//! address of their own, or to whoever knows a token.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics::{Database, Look, Metrics, Process};
use model::{Clock, Time};
use store::{Figures, Store};
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;

use crate::config::MetricsConfig;

/// For so long what the database said is said again.
const FRESH: Duration = Duration::from_secs(5);

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers whoever scrapes.
#[derive(Clone)]
pub struct Exporter(Arc<Inner>);

struct Inner {
    metrics: Metrics,
    store: Store,
    clock: Arc<dyn Clock>,
    token: Option<String>,
    /// What the database said last, and when. Held while it is asked, so that many who scrape ask once.
    said: Mutex<Option<(Time, Figures)>>,
}

impl MetricsConfig {
    /// Metrics that count where somebody can look at them.
    pub fn metrics(&self) -> Metrics {
        match self.listen.is_some() || self.token.is_some() {
            true => Metrics::on(env!("CARGO_PKG_VERSION")),
            false => Metrics::off(),
        }
    }
}

impl Exporter {
    /// Over the figures of a server.
    pub fn new(metrics: Metrics, store: Store, clock: Arc<dyn Clock>, config: &MetricsConfig) -> Self {
        let token = config.token.clone();
        Self(Arc::new(Inner { metrics, store, clock, token, said: Mutex::default() }))
    }

    /// The one route.
    pub fn router(self) -> Router {
        Router::new().route("/metrics", get(scrape)).with_state(self)
    }

    async fn render(&self) -> String {
        let inner = &self.0;
        let pressure = inner.store.pressure();
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let bytes = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        inner.metrics.render(&Look {
            database: self.figures().await.map(shown),
            writes_waiting: count(pressure.writes_waiting),
            connections: [pressure.in_use, pressure.idle, pressure.wanted].map(count),
            bytes: [pressure.file_bytes, pressure.log_bytes].map(bytes),
            process: process(),
        })
    }

    /// What the database says, or said a moment ago; `None` where it does not answer.
    async fn figures(&self) -> Option<Figures> {
        let inner = &self.0;
        let mut said = inner.said.lock().await;
        let now = inner.clock.now();
        if let Some((at, figures)) = &*said
            && *at <= now
            && now.since(*at) < FRESH
        {
            return Some(figures.clone());
        }
        match tokio::time::timeout(PATIENCE, inner.store.figures()).await {
            Ok(Ok(figures)) => {
                *said = Some((now, figures.clone()));
                Some(figures)
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the database does not say how much waits");
                None
            }
            Err(_) => {
                tracing::warn!("the database takes too long to say how much waits");
                None
            }
        }
    }
}

async fn scrape(State(exporter): State<Exporter>, headers: HeaderMap) -> Response {
    if let Some(token) = &exporter.0.token
        && !is_bearer(&headers, token)
    {
        let ask = [(header::WWW_AUTHENTICATE, "Bearer")];
        return (StatusCode::UNAUTHORIZED, ask, "the token of `metrics.token` is wanted\n").into_response();
    }
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], exporter.render().await).into_response()
}

fn is_bearer(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    given.as_bytes().ct_eq(token.as_bytes()).into()
}

fn shown(figures: Figures) -> Database {
    let Figures { deliveries, oldest_due, endpoints, circuits_open } = figures;
    Database {
        deliveries: ["waiting", "retrying", "in_flight", "held"].into_iter().zip(deliveries).collect(),
        oldest_due,
        endpoints: endpoints.into_iter().map(|(state, count)| (state.as_str(), count)).collect(),
        circuits_open,
    }
}

/// Counts the requests of some routes, if anything is counted.
pub fn counting(router: Router, metrics: &Metrics, clock: &Arc<dyn Clock>) -> Router {
    if !metrics.is_on() {
        return router;
    }
    router.layer(middleware::from_fn_with_state((metrics.clone(), clock.clone()), count))
}

async fn count(
    State((metrics, clock)): State<(Metrics, Arc<dyn Clock>)>,
    request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = word(request.method());
    let began = clock.now();
    let response = next.run(request).await;
    // What has no route is one: paths come from outside.
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    metrics.request(route, method, response.status().as_u16(), clock.now().since(began));
    response
}

/// A method as a word of ours: there may be any in a request.
fn word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// What Linux says of the process (proc(5)); nothing where it does not.
fn process() -> Process {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<i64>().ok());
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let open_files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    Process {
        memory: kib.unwrap_or_default() * 1024,
        cpu: cpu_seconds(&stat).unwrap_or_default(),
        open_files: i64::try_from(open_files).unwrap_or(i64::MAX),
    }
}

/// Ticks a second in what Linux tells processes (`USER_HZ`), on every architecture that we know.
const TICKS: f64 = 100.0;

/// The fields `utime` and `stime`, which are the 14th and 15th; the second is a name in parentheses, with anything in it.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, behind) = stat.rsplit_once(") ")?;
    let mut fields = behind.split(' ').skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

/// Fewer characters can be guessed.
const TOKEN_CHARS: usize = 16;

impl MetricsConfig {
    /// Fails where it is not safe.
    pub fn check(&self) -> anyhow::Result<()> {
        if let Some(token) = &self.token {
            let is_sendable = token.chars().all(|c| c.is_ascii_graphic());
            anyhow::ensure!(
                is_sendable && token.len() >= TOKEN_CHARS,
                "metrics.token: at least {TOKEN_CHARS} characters, of ASCII and without spaces"
            );
        }
        if let Some(listen) = &self.listen {
            let address =
                listen.parse::<std::net::SocketAddr>().context("metrics.listen: an address and a port")?;
            anyhow::ensure!(
                address.ip().is_loopback() || self.token.is_some(),
                "metrics.listen: {listen} can be reached from other machines, so metrics.token is needed"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_on_processors_is_found_whatever_the_process_is_called() {
        let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds(""), None);
    }

    #[test]
    fn what_other_machines_can_reach_needs_a_token() {
        let config = |listen: Option<&str>, token: Option<&str>| MetricsConfig {
            listen: listen.map(str::to_owned),
            token: token.map(str::to_owned),
        };
        assert!(config(None, None).check().is_ok());
        assert!(config(Some("127.0.0.1:9090"), None).check().is_ok());
        assert!(config(Some("0.0.0.0:9090"), Some("0123456789abcdef")).check().is_ok());
        for (listen, token) in [
            (Some("0.0.0.0:9090"), None),
            (Some("[::]:1"), None),
            (Some("here"), None),
            (None, Some("short")),
        ] {
            assert!(config(listen, token).check().is_err(), "{listen:?} {token:?}");
        }
    }
}
