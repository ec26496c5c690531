//! Figures for whoever runs the server: what is counted while it works, and what it looks like now, in the format that
//! Prometheus reads (OpenMetrics 1.0).
//!
//! Labels are words of ours and patterns of routes, never something that came from outside: so there are few series, and no
//! organization, number or address is in them. `docs/metrics.md` says what each figure means.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Labels, each with a word of ours.
type Words<const N: usize> = [(&'static str, &'static str); N];

/// Counts what happens. Cheap to clone; counts nothing where nobody asks for it.
#[derive(Clone, Default)]
pub struct Metrics(Option<Arc<Inner>>);

struct Inner {
    registry: Registry,
    counted: Counted,
    looked_at: LookedAt,
}

/// What is counted while the server works.
#[derive(Default)]
struct Counted {
    messages: Family<Words<2>, Counter>,
    attempts: Family<Words<3>, Counter>,
    turns: Family<Words<1>, Counter>,
    requests: Family<RequestLabels, Counter>,
    attempt_seconds: Seconds<Words<1>>,
    delivery_seconds: Seconds<Words<1>>,
    request_seconds: Seconds<RouteLabels>,
}

/// What is looked at when somebody asks.
#[derive(Default)]
struct LookedAt {
    database_answers: Gauge,
    deliveries: Family<Words<1>, Gauge>,
    oldest_due: Family<Words<1>, Gauge<f64, std::sync::atomic::AtomicU64>>,
    endpoints: Family<Words<1>, Gauge>,
    circuits_open: Gauge,
    writes_waiting: Gauge,
    connections: Family<Words<1>, Gauge>,
    database_bytes: Family<Words<1>, Gauge>,
    memory: Gauge,
    cpu: Gauge<f64, std::sync::atomic::AtomicU64>,
    open_files: Gauge,
}

/// A family of histograms of how long something took.
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

struct Seconds<L>(Histograms<L>);

impl<L: Clone + std::hash::Hash + Eq> Default for Seconds<L> {
    fn default() -> Self {
        Self(Family::new_with_constructor(histogram))
    }
}

/// From a millisecond to the longest that a try or a request may take.
fn histogram() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
    ])
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
    method: &'static str,
}

/// A try of a delivery.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// What caused it: `schedule`, `probe`, `manual` or `recover`.
    pub trigger: &'static str,
    /// What it was answered with: `2xx` to `5xx`, or `none`.
    pub answer: &'static str,
    /// What follows: `delivered`, `retry`, `exhausted`, `gone` or `called_off`.
    pub outcome: &'static str,
    /// How long it took.
    pub took: Duration,
}

/// How the database and the process look now.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// What the database says; `None` where it does not answer.
    pub database: Option<Database>,
    /// Writes that wait for the writer of the embedded database.
    pub writes_waiting: i64,
    /// Connections to PostgreSQL: in use, idle, and askers that wait for one.
    pub connections: [i64; 3],
    /// The embedded database's file and its write-ahead log, in bytes.
    pub bytes: [i64; 2],
    /// The process.
    pub process: Process,
}

/// What the database says.
#[derive(Clone, Debug, Default)]
pub struct Database {
    /// How many deliveries stand like each word.
    pub deliveries: Vec<(&'static str, i64)>,
    /// For how long the oldest delivery is due whose endpoint's circuit is closed, and open.
    pub oldest_due: [Duration; 2],
    /// How many endpoints stand like each word.
    pub endpoints: Vec<(&'static str, i64)>,
    /// How many of them have an open circuit.
    pub circuits_open: i64,
}

/// What the operating system says of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    /// Memory that is in the machine's, in bytes.
    pub memory: i64,
    /// Time on its processors, in seconds.
    pub cpu: f64,
    /// Open files and connections.
    pub open_files: i64,
}

/// The `Content-Type` of what [`Metrics::render`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Metrics {
    /// Metrics that count nothing, and cost nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// Metrics that count.
    pub fn on(version: &'static str) -> Self {
        let (counted, looked_at) = (Counted::default(), LookedAt::default());
        let mut registry = Registry::default();
        let ours = registry.sub_registry_with_prefix("inboundflow");
        let build = Family::<Words<1>, Gauge>::default();
        build.get_or_create(&[("version", version)]).set(1);
        ours.register("build", "Always 1; the version of the server", build);
        counted.register(ours);
        looked_at.register(ours);
        looked_at.register_process(registry.sub_registry_with_prefix("process"));
        Self(Some(Arc::new(Inner { registry, counted, looked_at })))
    }

    /// Whether anything is counted.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A platform's message came in and became this: words of ours.
    pub fn message(&self, platform: &'static str, outcome: &'static str) {
        let Some(inner) = &self.0 else { return };
        inner.counted.messages.get_or_create(&[("platform", platform), ("outcome", outcome)]).inc();
    }

    /// A delivery was tried.
    pub fn attempt(&self, Attempt { trigger, answer, outcome, took }: Attempt) {
        let Some(inner) = &self.0 else { return };
        let labels = [("trigger", trigger), ("answer", answer), ("outcome", outcome)];
        inner.counted.attempts.get_or_create(&labels).inc();
        let seconds = inner.counted.attempt_seconds.0.get_or_create(&[("outcome", outcome)]);
        seconds.observe(took.as_secs_f64());
    }

    /// A delivery arrived, so long after its event, at its `first` try or a `later` one.
    pub fn delivered(&self, at: &'static str, after: Duration) {
        let Some(inner) = &self.0 else { return };
        inner.counted.delivery_seconds.0.get_or_create(&[("try", at)]).observe(after.as_secs_f64());
    }

    /// An endpoint's circuit `opened` or `closed`, or the endpoint was `disabled`.
    pub fn turn(&self, turn: &'static str) {
        let Some(inner) = &self.0 else { return };
        inner.counted.turns.get_or_create(&[("turn", turn)]).inc();
    }

    /// A request was answered. `route` is the pattern of its route, not its path.
    pub fn request(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        let Some(inner) = &self.0 else { return };
        let labels = RequestLabels { route: route.to_owned(), method, status };
        inner.counted.requests.get_or_create(&labels).inc();
        let labels = RouteLabels { route: route.to_owned(), method };
        inner.counted.request_seconds.0.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// All figures, with how it looks now. Empty where nothing is counted.
    pub fn render(&self, look: &Look) -> String {
        let Some(inner) = &self.0 else { return String::new() };
        inner.looked_at.set(look);
        let mut text = String::new();
        // Writing into a text cannot fail.
        let _ = encode(&mut text, &inner.registry);
        text
    }
}

impl Counted {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "ingest_messages",
            "Messages of platforms that came in, by what became of them",
            self.messages.clone(),
        );
        registry.register(
            "webhook_attempts",
            "Tries of webhooks, by what caused them, what they were answered with and what follows",
            self.attempts.clone(),
        );
        registry.register(
            "webhook_circuit_turns",
            "Circuits that opened and closed, and endpoints that were disabled",
            self.turns.clone(),
        );
        registry.register("http_requests", "Requests, by route and status", self.requests.clone());
        registry.register_with_unit(
            "webhook_attempt_duration",
            "How long tries of webhooks took, the answer's body included",
            Unit::Seconds,
            self.attempt_seconds.0.clone(),
        );
        registry.register_with_unit(
            "webhook_delivery_latency",
            "From an event to its receiver's 2xx, written down",
            Unit::Seconds,
            self.delivery_seconds.0.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "From a request's head to its answer's head",
            Unit::Seconds,
            self.request_seconds.0.clone(),
        );
    }
}

impl LookedAt {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "database_answers",
            "Whether the database answers: 1, or 0 and then what it says is of before",
            self.database_answers.clone(),
        );
        registry.register(
            "webhook_deliveries",
            "Deliveries that wait or are under way; counting ends at 50,000 of each",
            self.deliveries.clone(),
        );
        registry.register_with_unit(
            "webhook_oldest_due_age",
            "For how long the oldest delivery is due, by whether its endpoint's circuit is open",
            Unit::Seconds,
            self.oldest_due.clone(),
        );
        registry.register("webhook_endpoints", "Endpoints, by how they stand", self.endpoints.clone());
        registry.register(
            "webhook_circuits_open",
            "Endpoints that are only probed",
            self.circuits_open.clone(),
        );
        registry.register(
            "database_writes_waiting",
            "Writes that wait for the writer of the embedded database",
            self.writes_waiting.clone(),
        );
        registry.register(
            "database_connections",
            "Connections to PostgreSQL in use and idle, and askers that wait for one",
            self.connections.clone(),
        );
        registry.register_with_unit(
            "database_size",
            "The embedded database's file and its write-ahead log",
            Unit::Bytes,
            self.database_bytes.clone(),
        );
    }

    /// By the names that Prometheus's own libraries give them.
    fn register_process(&self, registry: &mut Registry) {
        registry.register_with_unit("resident_memory", "Memory in use", Unit::Bytes, self.memory.clone());
        registry.register_with_unit("cpu", "Time on processors", Unit::Seconds, self.cpu.clone());
        registry.register("open_fds", "Open files and connections", self.open_files.clone());
    }

    fn set(&self, look: &Look) {
        self.database_answers.set(i64::from(look.database.is_some()));
        if let Some(database) = &look.database {
            for (state, count) in &database.deliveries {
                self.deliveries.get_or_create(&[("state", state)]).set(*count);
            }
            for (circuit, age) in ["closed", "open"].into_iter().zip(database.oldest_due) {
                self.oldest_due.get_or_create(&[("circuit", circuit)]).set(age.as_secs_f64());
            }
            for (state, count) in &database.endpoints {
                self.endpoints.get_or_create(&[("state", state)]).set(*count);
            }
            self.circuits_open.set(database.circuits_open);
        }
        self.writes_waiting.set(look.writes_waiting);
        for (state, count) in ["in_use", "idle", "wanted"].into_iter().zip(look.connections) {
            self.connections.get_or_create(&[("state", state)]).set(count);
        }
        for (file, bytes) in ["main", "log"].into_iter().zip(look.bytes) {
            self.database_bytes.get_or_create(&[("file", file)]).set(bytes);
        }
        self.memory.set(look.process.memory);
        self.cpu.set(look.process.cpu);
        self.open_files.set(look.process.open_files);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_is_counted_under_its_own_labels() {
        let metrics = Metrics::on("1.2.3");
        metrics.message("vapi", "accepted");
        metrics.message("vapi", "accepted");
        metrics.request("/v1/calls/{id}", "GET", 404, Duration::from_millis(3));
        let text = metrics.render(&Look::default());
        for line in [
            r#"inboundflow_build{version="1.2.3"} 1"#,
            r#"inboundflow_ingest_messages_total{platform="vapi",outcome="accepted"} 2"#,
            r#"inboundflow_http_requests_total{route="/v1/calls/{id}",method="GET",status="404"} 1"#,
            r#"inboundflow_http_request_duration_seconds_bucket{le="0.005",route="/v1/calls/{id}",method="GET"} 1"#,
            "inboundflow_database_answers 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn metrics_that_are_off_say_nothing() {
        let metrics = Metrics::off();
        metrics.message("vapi", "accepted");
        assert_eq!(metrics.render(&Look::default()), "");
    }
}
