//! The configuration: defaults, then a TOML file, then the environment, then the command line. The later wins.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use delivery::{client::ClientOptions, guard::AllowList, schedule::Schedule};
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use model::IdGen;
use seal::Sealer;
use serde::{Deserialize, Deserializer, Serialize};
use store::DatabaseUrl;

use crate::cli::{Options, ServeOptions};

/// What an operator can set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The address to listen on.
    pub listen: String,
    /// The folder of the embedded database.
    pub data_dir: PathBuf,
    /// The database, where it is not the embedded one in `data_dir`.
    pub database_url: Option<String>,
    /// The address under which the server is reached from outside.
    pub public_url: Option<String>,
    /// A Redis or Valkey that several server processes share: `redis://…`.
    pub redis_url: Option<String>,
    /// The key that platforms' keys are sealed with: 32 bytes in base64. Without it one is made in a file beside the
    /// embedded database; on PostgreSQL, which several processes may share, it must be set.
    pub secret_key: Option<String>,
    /// How webhooks are sent.
    pub delivery: DeliveryConfig,
    /// How often clients may ask.
    pub rate_limit: RateLimitConfig,
    /// How platforms' messages are taken.
    pub ingest: IngestConfig,
    /// How recordings are kept.
    pub recordings: RecordingsConfig,
}

/// How webhooks are sent.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryConfig {
    /// Exceptions to the address guard: networks and exact hosts. Plain http is possible only there.
    #[serde(deserialize_with = "list")]
    pub allow_targets: Vec<String>,
    /// When failed deliveries are tried again: `5s,5m,30m,…`.
    pub schedule: Option<String>,
    /// How long a try may take, the answer's body included.
    pub timeout_seconds: u64,
    /// A file with certificates (PEM) of authorities to trust beside the system's, for receivers within a company.
    pub ca_file: Option<PathBuf>,
    /// How many tries may be under way at once; for the endpoints of one organization a quarter of them.
    pub slots: usize,
}

impl DeliveryConfig {
    pub(crate) fn slots_per_org(&self) -> usize {
        (self.slots / 4).max(1)
    }
}

/// How often clients may ask.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitConfig {
    /// Requests a minute for each key.
    pub per_minute: u32,
    /// Requests a minute without a valid key for each address.
    pub failures_per_minute: u32,
}

/// How platforms' messages are taken.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IngestConfig {
    /// How long `call.completed` waits for the analysis that a platform announced.
    pub completion_wait_seconds: u64,
    /// How often the calls of sources with a platform's key are listed, for what webhooks missed; 0 for never.
    pub reconcile_minutes: u64,
    /// How much of what is known is listed again each time.
    pub reconcile_overlap_minutes: u64,
    /// How long a call may take. A quarter of an hour later, one of which nothing more was heard is closed.
    pub longest_call_minutes: u64,
}

/// How recordings are kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingsConfig {
    /// Whether those are fetched that platforms tell of; a source's settings can except it.
    pub fetch: bool,
    /// Where they are kept: `s3://…`, `gs://…`, `az://…` or `file:///…`; `recordings` in `data_dir` without.
    pub store: Option<String>,
    /// What the bucket needs to be told, by the names of the `object_store` crate: `aws_region` and the like.
    #[serde(deserialize_with = "texts")]
    pub options: BTreeMap<String, String>,
    /// How many days they are kept, for ever without; a source's settings may say otherwise.
    pub keep_days: Option<u32>,
    /// How many are fetched at once.
    pub at_once: usize,
    /// The largest that is kept, in millions of bytes.
    pub max_megabytes: u64,
    /// How many days the links are good that webhooks carry.
    pub link_days: u32,
}

impl Default for RecordingsConfig {
    fn default() -> Self {
        Self {
            fetch: true,
            store: None,
            options: BTreeMap::new(),
            keep_days: None,
            at_once: 8,
            max_megabytes: 500,
            link_days: 7,
        }
    }
}

impl RecordingsConfig {
    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.keep_days != Some(0),
            "recordings.keep_days: at least 1; to keep none, set fetch = false"
        );
        anyhow::ensure!((1..=64).contains(&self.at_once), "recordings.at_once: 1 to 64");
        anyhow::ensure!((1..=10_000).contains(&self.max_megabytes), "recordings.max_megabytes: 1 to 10000");
        anyhow::ensure!((1..=3650).contains(&self.link_days), "recordings.link_days: 1 to 3650");
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            data_dir: "./data".into(),
            database_url: None,
            public_url: None,
            redis_url: None,
            secret_key: None,
            delivery: DeliveryConfig {
                allow_targets: Vec::new(),
                schedule: None,
                timeout_seconds: 15,
                ca_file: None,
                slots: 512,
            },
            rate_limit: RateLimitConfig { per_minute: 60, failures_per_minute: 30 },
            ingest: IngestConfig {
                completion_wait_seconds: 60,
                reconcile_minutes: 15,
                reconcile_overlap_minutes: 60,
                longest_call_minutes: 240,
            },
            recordings: RecordingsConfig::default(),
        }
    }
}

/// The first words of the environment variables that are ours; others with our prefix belong to tests and tools.
const SETTINGS: [&str; 10] = [
    "listen",
    "data_dir",
    "database_url",
    "public_url",
    "redis_url",
    "secret_key",
    "delivery",
    "rate_limit",
    "ingest",
    "recordings",
];

impl Config {
    /// Reads the configuration. `file` must exist where it is named.
    pub fn load(file: Option<&Path>, options: &Options, serve: ServeOptions) -> anyhow::Result<Self> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        figment = match file {
            Some(path) => figment.merge(Toml::file_exact(path)),
            None => figment.merge(Toml::file("inboundflow.toml")),
        };
        let is_setting = |key: &figment::value::UncasedStr| {
            let key = key.as_str().to_ascii_lowercase();
            SETTINGS.contains(&key.split("__").next().unwrap_or_default())
        };
        figment = figment.merge(Env::prefixed("INBOUNDFLOW_").filter(is_setting).split("__"));
        let given = [
            ("listen", serve.listen),
            ("public_url", serve.public_url),
            ("database_url", options.database_url.clone()),
            ("data_dir", options.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned())),
        ];
        for (key, value) in given {
            if let Some(value) = value {
                figment = figment.merge(Serialized::default(key, value));
            }
        }
        let config: Self = figment.extract().context("the configuration cannot be used")?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        self.database_url()?;
        self.schedule()?;
        self.allow_list()?;
        anyhow::ensure!(
            (1..=30).contains(&self.delivery.timeout_seconds),
            "delivery.timeout_seconds: 1 to 30"
        );
        anyhow::ensure!((1..=4096).contains(&self.delivery.slots), "delivery.slots: 1 to 4096");
        anyhow::ensure!(self.rate_limit.per_minute > 0, "rate_limit.per_minute: at least 1");
        anyhow::ensure!(
            self.rate_limit.failures_per_minute > 0,
            "rate_limit.failures_per_minute: at least 1"
        );
        anyhow::ensure!(
            self.ingest.completion_wait_seconds <= 86_400,
            "ingest.completion_wait_seconds: at most 86400"
        );
        let minutes = &self.ingest;
        anyhow::ensure!(minutes.reconcile_minutes <= 1440, "ingest.reconcile_minutes: at most 1440");
        anyhow::ensure!(
            minutes.reconcile_overlap_minutes <= 1440,
            "ingest.reconcile_overlap_minutes: at most 1440"
        );
        anyhow::ensure!(
            (1..=10_080).contains(&minutes.longest_call_minutes),
            "ingest.longest_call_minutes: 1 to 10080"
        );
        if let Some(key) = &self.secret_key {
            Sealer::check(key).context("secret_key")?;
        }
        self.recordings.check()
    }

    /// Where the database is.
    pub fn database_url(&self) -> anyhow::Result<DatabaseUrl> {
        match &self.database_url {
            Some(url) => url.parse().context("database_url"),
            None => Ok(DatabaseUrl::Sqlite(self.data_dir.join("inboundflow.db"))),
        }
    }

    /// Where the database is, without its password.
    pub fn database_shown(&self) -> String {
        match self.database_url() {
            Ok(DatabaseUrl::Sqlite(path)) => path.display().to_string(),
            Ok(DatabaseUrl::Postgres(url)) => {
                url.rsplit_once('@').map_or("postgres".into(), |(_, host)| host.into())
            }
            Err(_) => "(not set)".into(),
        }
    }

    /// When failed deliveries are tried again.
    pub fn schedule(&self) -> anyhow::Result<Schedule> {
        match &self.delivery.schedule {
            Some(text) => text.parse().context("delivery.schedule"),
            None => Ok(Schedule::default()),
        }
    }

    /// How the client is set up that goes to addresses which people chose.
    pub fn client_options(&self) -> anyhow::Result<ClientOptions> {
        let mut options = ClientOptions::new(Arc::new(self.allow_list()?));
        options.timeout = Duration::from_secs(self.delivery.timeout_seconds);
        if let Some(path) = &self.delivery.ca_file {
            let read = std::fs::read(path);
            let bundle = read.with_context(|| format!("delivery.ca_file: cannot read {}", path.display()))?;
            options.ca_bundle = Some(bundle);
        }
        Ok(options)
    }

    /// The exceptions to the address guard.
    pub fn allow_list(&self) -> anyhow::Result<AllowList> {
        AllowList::parse(&self.delivery.allow_targets).context("delivery.allow_targets")
    }

    /// The address under which the server is reached: as set, or where it listens.
    pub fn public_url(&self, listening: Option<SocketAddr>) -> String {
        let own = || match listening {
            Some(address) => format!("http://{address}"),
            None => format!("http://{}", self.listen),
        };
        self.public_url.as_deref().map_or_else(own, |url| url.trim_end_matches('/').to_owned())
    }

    /// What platforms' keys are sealed with.
    pub fn sealer(&self, ids: Arc<dyn IdGen>) -> anyhow::Result<Sealer> {
        if let Some(key) = &self.secret_key {
            return Sealer::with_key(key, ids).context("secret_key");
        }
        Ok(match self.database_url()? {
            DatabaseUrl::Sqlite(path) => Sealer::with_file(path.with_file_name("secret.key"), ids),
            DatabaseUrl::Postgres(_) => Sealer::without_key(ids),
        })
    }

    /// How often sources' calls are listed by themselves; `None` for never.
    pub fn reconcile_every(&self) -> Option<Duration> {
        let minutes = self.ingest.reconcile_minutes;
        (minutes > 0).then(|| Duration::from_secs(minutes * 60))
    }

    /// How long `call.completed` waits.
    pub fn completion_wait(&self) -> Duration {
        Duration::from_secs(self.ingest.completion_wait_seconds)
    }
}

/// A list in TOML, or one text with commas, as the environment has it.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        List(Vec<String>),
        Text(String),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::List(list) => list,
        Written::Text(text) => {
            text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
        }
    })
}

/// Texts by name, which in the environment may look like numbers and the like.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Flag(bool),
        Number(i64),
    }
    let all = BTreeMap::<String, Written>::deserialize(deserializer)?;
    let text = |written| match written {
        Written::Text(text) => text,
        Written::Flag(flag) => flag.to_string(),
        Written::Number(number) => number.to_string(),
    };
    Ok(all.into_iter().map(|(name, written)| (name, text(written))).collect())
}
