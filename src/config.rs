//! What the program was told: flag over environment over file over default.

mod models;
mod offline;
mod triage;

pub(crate) use models::process_variables;

use crate::nearest::did_you_mean;
use anyhow::Context as _;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use ticketflow_engine::{Backoff, Catalog, Topology, pooler::Pooler};
use ticketflow_steps::provider::offline::Weights;
use ticketflow_tickets::triage::WORKFLOW;
use ticketflow_worker::{POLL_WITHOUT_WAKE_UPS, WorkerOptions};
use ticketflow_workflows::triage::TriagePolicy;

/// Most runs one worker advances at once.
pub(crate) const MOST_CAPACITY: u64 = 10_000;
/// Hours for which an idempotency key holds unless told otherwise.
const DEFAULT_IDEMPOTENCY_HOURS: u32 = 24;
/// Longest retention that can be asked for, in days.
const MOST_RETENTION: u64 = 36_500;
/// Where the API listens unless told otherwise.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8000);

/// Options every command takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct GlobalArgs {
    /// Configuration file [default: ticketflow.toml, if there is one]
    #[arg(long, global = true, env = "TICKETFLOW_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Database to use [default: a private PostgreSQL that is started when needed]
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// What stands before the database [default: none]
    #[arg(long, global = true, env = "TICKETFLOW_POOLER", value_name = "KIND")]
    pub(crate) pooler: Option<PoolerKind>,
    /// The database past the pooler, for migrations and wake-ups
    #[arg(long, global = true, env = "TICKETFLOW_DIRECT_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) direct_url: Option<String>,
    /// Where the private PostgreSQL keeps its data
    #[arg(long, global = true, env = "TICKETFLOW_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// What to log, as in `info` or `ticketflow_worker=debug`
    #[arg(long, global = true, env = "TICKETFLOW_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// Log lines as JSON
    #[arg(long, global = true, env = "TICKETFLOW_LOG_JSON")]
    pub(crate) log_json: bool,
    /// API that client commands talk to
    #[arg(
        long,
        global = true,
        env = "TICKETFLOW_URL",
        default_value = "http://127.0.0.1:8000",
        value_name = "URL"
    )]
    pub(crate) url: String,
}

/// What stands between the program and its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PoolerKind {
    /// Nothing, or a pooler in session mode
    None,
    /// A pooler in transaction mode
    Transaction,
    /// One that follows prepared statements, as PgBouncer 1.21 and newer can
    Prepared,
}

impl From<PoolerKind> for Pooler {
    fn from(kind: PoolerKind) -> Self {
        match kind {
            PoolerKind::None => Self::None,
            PoolerKind::Transaction => Self::Transaction,
            PoolerKind::Prepared => Self::Prepared,
        }
    }
}

/// The configuration file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) server: Server,
    pub(crate) database: DatabaseSection,
    pub(crate) worker: Worker,
    pub(crate) offline: OfflineSection,
    pub(crate) steps: BTreeMap<String, StepSection>,
    pub(crate) providers: BTreeMap<String, models::ProviderSection>,
    /// Where prompts are that take the place of those that come with the program.
    pub(crate) prompts_dir: Option<PathBuf>,
    pub(crate) triage: triage::Triage,
}

impl File {
    /// Refuses what would hang or starve the program.
    fn check(&self) -> anyhow::Result<()> {
        let within = |key: &str, value: Option<u64>, least: u64, most: u64| match value {
            Some(value) if !(least..=most).contains(&value) => {
                anyhow::bail!("{key} = {value} in the configuration file: use {least} to {most}")
            }
            Some(_) | None => Ok(()),
        };
        within("worker.lease_seconds", self.worker.lease_seconds, 1, 3_600)?;
        within("worker.poll_ms", self.worker.poll_ms, 10, 60_000)?;
        within("worker.capacity", self.worker.capacity.map(|capacity| capacity as u64), 1, MOST_CAPACITY)?;
        within("worker.retention_days", self.worker.retention_days.map(u64::from), 1, MOST_RETENTION)?;
        let window = u64::from(self.server.idempotency_hours.unwrap_or(DEFAULT_IDEMPOTENCY_HOURS));
        if let Some(days) = self.worker.retention_days.filter(|days| u64::from(*days) * 24 < window) {
            anyhow::bail!(
                "worker.retention_days = {days} in the configuration file is less than the {window} hours for which \
                 idempotency keys hold: a repeated request would make a second ticket"
            );
        }
        within("database.max_connections", self.database.max_connections.map(u64::from), 4, 1_000)?;
        within("server.idempotency_hours", self.server.idempotency_hours.map(u64::from), 1, 8_760)?;
        for (step, section) in &self.steps {
            within(&format!("steps.{step}.timeout_ms"), section.timeout_ms, 1, 86_400_000)?;
        }
        self.check_models()?;
        self.triage.check()
    }
}

/// `[server]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) max_queue_depth: Option<u64>,
    pub(crate) idempotency_hours: Option<u32>,
    pub(crate) last_write_wins: bool,
}

/// `[database]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DatabaseSection {
    pub(crate) url: Option<String>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) max_connections: Option<u32>,
    pub(crate) notify: Option<bool>,
    pub(crate) pooler: Option<PoolerKind>,
    pub(crate) direct_url: Option<String>,
    pub(crate) topology: Topology,
}

/// `[worker]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Worker {
    pub(crate) queues: Option<Vec<String>>,
    pub(crate) capacity: Option<usize>,
    pub(crate) lease_seconds: Option<u64>,
    pub(crate) poll_ms: Option<u64>,
    pub(crate) grace_seconds: Option<u64>,
    pub(crate) retention_days: Option<u32>,
}

/// `[offline]`: what the offline rules know besides what comes with the program.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OfflineSection {
    /// What `ticketflow train` wrote, from where the configuration file lies.
    pub(crate) weights: Option<PathBuf>,
    /// A file of the products that the site sells, from where the configuration file lies.
    pub(crate) products: Option<PathBuf>,
}

/// `[steps.<name>]`: how a step of the ticket workflow is tried, and the model that it asks.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StepSection {
    pub(crate) max_attempts: Option<u32>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) max_crashes: Option<u32>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) temperature: Option<f32>,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) variant_percent: Option<u8>,
}

/// Flags of a worker.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct WorkerArgs {
    /// Runs advanced at once [default: 128]
    #[arg(long, env = "TICKETFLOW_CAPACITY", value_parser = clap::value_parser!(u64).range(1..=MOST_CAPACITY))]
    pub(crate) capacity: Option<u64>,
    /// How long leases hold without a heartbeat [default: 15s]
    #[arg(long, env = "TICKETFLOW_LEASE", value_parser = parse_lease)]
    pub(crate) lease: Option<Duration>,
    /// How long running steps may take to finish at a stop [default: 20s]
    #[arg(long, env = "TICKETFLOW_GRACE", value_parser = parse_duration)]
    pub(crate) grace: Option<Duration>,
    /// Queue to claim from; may be repeated [default: those of the workflows]
    #[arg(long = "queue", value_name = "NAME")]
    pub(crate) queues: Vec<String>,
    /// Pause before every step, to watch what happens
    #[arg(long, value_parser = parse_duration)]
    pub(crate) pace: Option<Duration>,
}

/// Everything the program was told.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) args: GlobalArgs,
    pub(crate) file: File,
}

impl Config {
    /// Reads the file and puts the flags over it.
    pub(crate) fn load(args: GlobalArgs) -> anyhow::Result<Self> {
        let file = match &args.config {
            Some(path) => read(path)?,
            None if Path::new("ticketflow.toml").exists() => read(Path::new("ticketflow.toml"))?,
            None => File::default(),
        };
        file.check()?;
        let config = Self { args, file };
        config.check_pooler()?;
        Ok(config)
    }

    /// In the transaction that such a pool opens, the transactions of one bucket each would become one of all.
    fn check_pooler(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.topology() != Topology::Citus || self.pooler() != Pooler::Transaction,
            "topology = \"citus\" does not go with pooler = \"transaction\": use pooler = \"prepared\" and a PgBouncer \
             that follows prepared statements, or connect to the coordinator itself"
        );
        Ok(())
    }

    pub(crate) fn database_url(&self) -> Option<String> {
        self.args
            .database_url
            .clone()
            .filter(|url| !url.is_empty())
            .or_else(|| self.file.database.url.clone())
    }

    pub(crate) fn data_dir(&self) -> Option<PathBuf> {
        self.args.data_dir.clone().or_else(|| self.file.database.data_dir.clone())
    }

    /// The same, with the private PostgreSQL's data in `directory` unless the user named a database or a directory.
    pub(crate) fn with_default_data_dir(mut self, directory: Option<PathBuf>) -> Self {
        self.args.data_dir = self.data_dir().or(directory);
        self
    }

    /// What people decide about triage.
    pub(crate) fn triage(&self) -> anyhow::Result<TriagePolicy> {
        let config = self.args.config.as_deref();
        let products = self.file.offline.products(config)?;
        Ok(TriagePolicy { products, ..self.file.triage.policy(config)? })
    }

    /// What was learnt from the site's own tickets; none: what comes with the program.
    pub(crate) fn weights(&self) -> anyhow::Result<Option<Weights>> {
        self.file.offline.weights(self.args.config.as_deref())
    }

    pub(crate) fn pooler(&self) -> Pooler {
        self.args.pooler.or(self.file.database.pooler).unwrap_or(PoolerKind::None).into()
    }

    /// The way past a pooler.
    pub(crate) fn direct_url(&self) -> Option<String> {
        let flag = self.args.direct_url.clone().filter(|url| !url.is_empty());
        flag.or_else(|| self.file.database.direct_url.clone())
    }

    /// Whether wake-ups are sent between processes. Who has no session to listen on would miss them, and on Citus they
    /// stay on the node they were raised on: there the poll is what finds work.
    pub(crate) fn notify(&self) -> bool {
        let heard = self.pooler() == Pooler::None || self.direct_url().is_some();
        heard && self.topology() == Topology::Single && self.file.database.notify.unwrap_or(true)
    }

    pub(crate) const fn topology(&self) -> Topology {
        self.file.database.topology
    }

    pub(crate) fn max_connections(&self) -> u32 {
        self.file.database.max_connections.unwrap_or(20)
    }

    pub(crate) fn listen(&self, flag: Option<SocketAddr>) -> SocketAddr {
        flag.or(self.file.server.listen).unwrap_or(DEFAULT_LISTEN)
    }

    pub(crate) fn worker(&self, args: &WorkerArgs) -> WorkerOptions {
        let (file, default) = (&self.file.worker, WorkerOptions::default());
        let queues = Some(args.queues.clone()).filter(|queues| !queues.is_empty());
        let poll = if self.notify() { default.poll } else { POLL_WITHOUT_WAKE_UPS };
        WorkerOptions {
            name: worker_name(),
            queues: queues.or_else(|| file.queues.clone()).unwrap_or_default(),
            capacity: args
                .capacity
                .map_or(file.capacity, |capacity| usize::try_from(capacity).ok())
                .unwrap_or(default.capacity),
            lease: args.lease.or(file.lease_seconds.map(Duration::from_secs)).unwrap_or(default.lease),
            poll: file.poll_ms.map_or(poll, Duration::from_millis),
            grace: args.grace.or(file.grace_seconds.map(Duration::from_secs)).unwrap_or(default.grace),
            committers: default.committers,
            retention: file.retention_days.map(|days| Duration::from_hours(24 * u64::from(days))),
            pace: args.pace.unwrap_or_default(),
            listen: default.listen,
        }
    }

    /// What is wrong with the sections of the configuration file whose step does not exist.
    pub(crate) fn unknown_steps(&self, catalog: &Catalog) -> Vec<String> {
        let Some(workflow) = catalog.latest(WORKFLOW) else { return Vec::new() };
        let known: Vec<&str> = workflow.steps.iter().map(|step| step.name.as_str()).collect();
        let unknown = self.file.steps.keys().filter(|step| !known.contains(&step.as_str()));
        unknown
            .map(|step| {
                let meant = did_you_mean(step, known.iter().copied());
                format!("[steps.{step}] in the configuration file: {WORKFLOW} has no such step{meant}")
            })
            .collect()
    }

    /// Puts the configured step policies over those of the definitions.
    pub(crate) fn apply_policies(&self, catalog: &mut Catalog) -> anyhow::Result<()> {
        if let Some(unknown) = self.unknown_steps(catalog).into_iter().next() {
            anyhow::bail!(unknown);
        }
        for (step, section) in &self.file.steps {
            catalog
                .override_policy(WORKFLOW, step, |policy| {
                    policy.max_attempts = section.max_attempts.unwrap_or(policy.max_attempts).max(1);
                    policy.timeout_ms = section.timeout_ms.unwrap_or(policy.timeout_ms).max(1);
                    policy.max_crashes = section.max_crashes.unwrap_or(policy.max_crashes);
                    policy.backoff = section.backoff.unwrap_or(policy.backoff);
                })
                .with_context(|| format!("[steps.{step}] in the configuration file"))?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> anyhow::Result<File> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not a valid configuration", path.display()))
}

/// Reads a duration; what is none is answered with an example.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it like 15s, 2m or 500ms"))
}

fn parse_lease(text: &str) -> Result<Duration, String> {
    let lease = parse_duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_hours(1)).contains(&lease) {
        return Ok(lease);
    }
    Err("use 1s to 1h".to_owned())
}

fn worker_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}-{}", std::process::id())
}

#[cfg(test)]
mod tests;
