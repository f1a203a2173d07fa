//! Puts a process together: database, schema, catalog, engine client.

use crate::{
    config::Config,
    database::{Connected, Database},
    exit::Exit,
    postgres::{EmbeddedOptions, EmbeddedPostgres},
};
use anyhow::Context as _;
use sqlx::PgPool;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use ticketflow_engine::{
    Catalog, Client, Clock, Topology,
    store::{distribution, stats},
    wakeup::Wakeup,
};
use ticketflow_steps::provider::offline::{Offline, Weights};
use ticketflow_tickets::taxonomy::Taxonomy;
use ticketflow_worker::Shutdown;
use ticketflow_workflows::{TriageSettings, models::ModelSettings};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Connections that steps share for their own reads.
const STEP_CONNECTIONS: u32 = 8;
/// How often a process without a heartbeat compares its clock with the database's.
const CALIBRATE_EVERY: Duration = Duration::from_mins(1);

/// The database a process works on, and the server it runs for it, if it does.
pub(crate) struct Home {
    pub(crate) database: Database,
    embedded: Option<Embedded>,
}

/// A private server and the task that restarts it when it dies.
struct Embedded {
    postgres: Arc<EmbeddedPostgres>,
    supervisor: JoinHandle<()>,
    ended: CancellationToken,
}

impl Home {
    /// The configured database; else a private server, which is started.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        if let Some(database) = Database::configured(config) {
            return Ok(Self { database, embedded: None });
        }
        let options = EmbeddedOptions { data_dir: config.data_dir(), download: true, settings: Vec::new() };
        let postgres = EmbeddedPostgres::start(options).await;
        let postgres =
            Arc::new(postgres.context("no database is configured, and the private one did not start")?);
        let ended = CancellationToken::new();
        let (supervised, token) = (postgres.clone(), ended.clone());
        let supervisor = tokio::spawn(async move { supervised.supervise(token).await });
        let database = Database::new(postgres.database_url().to_owned());
        Ok(Self { database, embedded: Some(Embedded { postgres, supervisor, ended }) })
    }

    /// The configured database, or the private one another process runs. For commands that only look.
    pub(crate) fn find(config: &Config) -> anyhow::Result<Database> {
        let found = match Database::configured(config) {
            Some(database) => Some(database),
            None => EmbeddedPostgres::running(config.data_dir())?.map(Database::new),
        };
        found.ok_or_else(|| {
            Exit::Unreachable.with(
                "no database: set DATABASE_URL, or start the private one with `ticketflow up` and run this beside it, \
                 with the same --data-dir",
            )
        })
    }

    /// The configured database, or the private one: used where it runs, started where it is at rest. For commands that
    /// check: what they are to look at must exist, so none is created.
    pub(crate) async fn find_existing(config: &Config) -> anyhow::Result<Self> {
        if let Ok(database) = Self::find(config) {
            return Ok(Self { database, embedded: None });
        }
        if EmbeddedPostgres::exists(config.data_dir())? {
            return Self::open(config).await;
        }
        let directory = EmbeddedPostgres::directory(config.data_dir())?;
        Err(Exit::Unreachable.with(format!(
            "no ticketflow database in {}: set DATABASE_URL, or name the private one's directory with \
             --data-dir{}",
            directory.display(),
            demo_hint()
        )))
    }

    /// The configured database, or the private one: used where it runs, started where not, and created if need be.
    pub(crate) async fn find_or_open(config: &Config) -> anyhow::Result<Self> {
        match Self::find(config) {
            Ok(database) => Ok(Self { database, embedded: None }),
            Err(_) => Self::open(config).await,
        }
    }

    /// Stops the private server, if there is one.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        let Some(Embedded { postgres, supervisor, ended }) = self.embedded else { return Ok(()) };
        ended.cancel();
        supervisor.await.context("the private PostgreSQL's supervisor failed")?;
        match Arc::try_unwrap(postgres) {
            Ok(postgres) => postgres.stop().await.context("the private PostgreSQL did not stop"),
            // Only the supervisor shared it, and that has ended.
            Err(_) => Ok(()),
        }
    }
}

/// Names the demo's directory, which people forget to name, to be put after `--data-dir`.
pub(crate) fn demo_hint() -> String {
    let demo = EmbeddedPostgres::demo_dir();
    demo.map(|demo| format!("; for the demo use --data-dir {}", demo.display())).unwrap_or_default()
}

/// Refuses a distributed database to a process that would take it for one PostgreSQL.
async fn require_topology(topology: Topology, pool: &PgPool) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    if topology == Topology::Single && distribution::is_distributed(&mut connection).await? {
        let advice = "the database is distributed over a Citus cluster: set topology = \"citus\" under [database] in the \
                      configuration file";
        return Err(Exit::Failed.with(advice));
    }
    Ok(())
}

/// The workflows, as configured, but for the models: for processes that run no step. They need no provider's key.
pub(crate) fn catalog(config: &Config, steps: PgPool) -> anyhow::Result<Catalog> {
    configured_catalog(config, steps, ModelSettings::default())
}

fn configured_catalog(config: &Config, steps: PgPool, models: ModelSettings) -> anyhow::Result<Catalog> {
    let (weights, policy) = (config.weights()?, config.triage()?);
    let settings = TriageSettings { weights, policy, models, ..TriageSettings::new(steps) };
    let mut catalog = ticketflow_workflows::catalog(settings)?;
    config.apply_policies(&mut catalog)?;
    Ok(catalog)
}

/// The offline provider, as configured.
pub(crate) fn offline(config: &Config) -> anyhow::Result<Offline> {
    let weights = config.weights()?.map_or_else(Weights::shipped, Ok)?;
    Ok(Offline::with_weights(Taxonomy::built_in()?, weights)?)
}

/// The workflows as they come.
pub(crate) fn unconfigured_catalog(steps: PgPool) -> anyhow::Result<Catalog> {
    Ok(ticketflow_workflows::catalog(TriageSettings::new(steps))?)
}

/// An engine client on a database, with its clock set. Steps read through a small pool of their own, so that slow
/// searches cannot keep the engine from a connection.
/// `models` are what the steps ask, in a process that runs them.
pub(crate) async fn client(
    config: &Config,
    database: &Connected,
    models: ModelSettings,
) -> anyhow::Result<Client> {
    let clock = Clock::default();
    calibrate(&database.pool, &clock).await?;
    let catalog = configured_catalog(config, database.beside(STEP_CONNECTIONS), models)?;
    let topology = config.topology();
    topology.check(&catalog)?;
    require_topology(topology, &database.pool).await?;
    Ok(Client::on(topology, database.pool.clone(), catalog, clock, Wakeup::new(config.notify())))
}

async fn calibrate(pool: &PgPool, clock: &Clock) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    let sent = Instant::now();
    let now = stats::now(&mut connection).await?;
    clock.calibrate(now, sent);
    Ok(())
}

/// Keeps a client's clock close to the database's, for processes without a worker.
pub(crate) async fn keep_time(client: Client, ended: CancellationToken) {
    while ended.run_until_cancelled(tokio::time::sleep(CALIBRATE_EVERY)).await.is_some() {
        if let Err(error) = calibrate(client.pool(), client.clock()).await {
            tracing::debug!(error = &*error as &dyn std::error::Error, "the clock was not compared");
        }
    }
}

/// Asks `shutdown` to stop at the first SIGINT or SIGTERM, and to cut off at the second.
pub(crate) fn stop_on_signals(shutdown: &Shutdown) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            tracing::info!("stopping; once more to cut off");
            shutdown.request();
        }
    });
    Ok(())
}
