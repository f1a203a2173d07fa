//! `ticketflow up`, `api` and `worker`: the processes that serve.

use crate::{
    config::{Config, WorkerArgs, process_variables},
    database::Database,
    exit::Exit,
    output::say,
    runtime::{self, Home},
    schema, telemetry,
};
use anyhow::Context as _;
use futures::FutureExt as _;
use sqlx::PgPool;
use std::net::SocketAddr;
use ticketflow_api::{ApiSettings, ApiState};
use ticketflow_engine::Client;
use ticketflow_tickets::taxonomy::{Category, Taxonomy};
use ticketflow_worker::{Shutdown, WorkerOptions};
use ticketflow_workflows::models::ModelSettings;
use tokio::net::TcpListener;

/// Flags of `up`.
#[derive(Debug, clap::Args)]
pub(crate) struct UpArgs {
    /// Address of the API [default: 127.0.0.1:8000]
    #[arg(long, env = "TICKETFLOW_LISTEN")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    worker: WorkerArgs,
}

/// Flags of `api`.
#[derive(Debug, clap::Args)]
pub(crate) struct ApiArgs {
    /// Address of the API [default: 127.0.0.1:8000]
    #[arg(long, env = "TICKETFLOW_LISTEN")]
    listen: Option<SocketAddr>,
}

/// Flags of `worker`.
#[derive(Debug, clap::Args)]
pub(crate) struct WorkerCommand {
    #[command(flatten)]
    worker: WorkerArgs,
    /// Serve Prometheus metrics on this address
    #[arg(long, env = "TICKETFLOW_METRICS_LISTEN")]
    metrics: Option<SocketAddr>,
}

/// Database, API and worker in one process.
pub(crate) async fn up(args: UpArgs, config: &Config) -> anyhow::Result<()> {
    let shutdown = Shutdown::default();
    runtime::stop_on_signals(&shutdown)?;
    let models = models(config)?;
    let listener = bind(config.listen(args.listen)).await?;
    let home = Home::open(config).await?;
    let outcome = serve_both(config, &args.worker, &home, listener, models, &shutdown).await;
    home.close().await?;
    outcome
}

async fn serve_both(
    config: &Config,
    args: &WorkerArgs,
    home: &Home,
    listener: TcpListener,
    models: ModelSettings,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let metrics = telemetry::start_metrics()?;
    schema::migrate(&home.database).await?;
    config.triage()?.actions.check_secrets()?;
    let client = client(config, &home.database, models).await?;
    let state = ApiState::new(client.clone(), api_settings(config), metrics, shutdown.stop.clone());
    let options = WorkerOptions { listen: listening(config, &home.database).await?, ..config.worker(args) };
    let worker = ticketflow_worker::run(client, options, shutdown.clone());
    // A worker that ends by itself could not even register: the API alone would take what nobody works on.
    let worker = worker.inspect(|_| shutdown.stop.cancel());
    say(&format!("ticketflow is up: http://{}", listener.local_addr()?));
    let api = ticketflow_api::serve(listener, state, shutdown.stop.clone());
    let (worker, ()) = tokio::join!(worker, api);
    Ok(worker?)
}

/// The API alone.
pub(crate) async fn api(args: ApiArgs, config: &Config) -> anyhow::Result<()> {
    let shutdown = Shutdown::default();
    runtime::stop_on_signals(&shutdown)?;
    let listener = bind(config.listen(args.listen)).await?;
    let metrics = telemetry::start_metrics()?;
    let client = client(config, &Home::find(config)?, ModelSettings::default()).await?;
    tokio::spawn(runtime::keep_time(client.clone(), shutdown.stop.clone()));
    let state = ApiState::new(client, api_settings(config), metrics, shutdown.stop.clone());
    say(&format!("the API listens on http://{}", listener.local_addr()?));
    ticketflow_api::serve(listener, state, shutdown.stop.clone()).await;
    Ok(())
}

/// A worker alone.
pub(crate) async fn worker(args: WorkerCommand, config: &Config) -> anyhow::Result<()> {
    let shutdown = Shutdown::default();
    runtime::stop_on_signals(&shutdown)?;
    let models = models(config)?;
    if let Some(listen) = args.metrics {
        telemetry::serve_metrics(listen)?;
    }
    config.triage()?.actions.check_secrets()?;
    let database = Home::find(config)?;
    let client = client(config, &database, models).await?;
    let options =
        WorkerOptions { listen: listening(config, &database).await?, ..config.worker(&args.worker) };
    Ok(ticketflow_worker::run(client, options, shutdown).await?)
}

/// Where a worker listens, if not where everything else goes: nowhere if nobody notifies.
async fn listening(config: &Config, database: &Database) -> anyhow::Result<Option<PgPool>> {
    if !config.notify() {
        return Ok(None);
    }
    let advice = "direct_url, where workers listen for wake-ups, cannot be reached; without them, notify = false, they poll";
    database.listening().await.context(advice)
}

/// What the steps of this process ask, said once so that nobody wonders where tickets go.
fn models(config: &Config) -> anyhow::Result<ModelSettings> {
    let models =
        config.file.models(&process_variables).map_err(|error| Exit::Usage.with(format!("{error:#}")))?;
    for (step, chosen) in &models.steps {
        let at = models.providers.get(&chosen.provider).map(|provider| provider.base_url.as_str());
        tracing::info!(
            step.name = step.as_str(),
            provider = chosen.provider,
            model = chosen.model,
            at,
            "a step asks a model"
        );
    }
    Ok(models)
}

async fn client(config: &Config, database: &Database, models: ModelSettings) -> anyhow::Result<Client> {
    let connected = database.connect(config.max_connections()).await?;
    schema::require(&connected.pool).await?;
    runtime::client(config, &connected, models).await
}

pub(crate) fn api_settings(config: &Config) -> ApiSettings {
    let (file, default) = (&config.file.server, ApiSettings::default());
    let window = file.idempotency_hours.map(|hours| chrono::TimeDelta::hours(hours.into()));
    ApiSettings {
        idempotency_key_window: window.unwrap_or(default.idempotency_key_window),
        content_window: window.unwrap_or(default.content_window),
        max_queue_depth: file.max_queue_depth.or(default.max_queue_depth),
        last_write_wins: file.last_write_wins,
        categories: categories(),
        ..default
    }
}

/// The categories that tickets are put in.
fn categories() -> Vec<Category> {
    let taxonomy = Taxonomy::built_in().ok();
    let entries = taxonomy.iter().flat_map(Taxonomy::categories);
    entries.map(|entry| entry.name.clone()).collect()
}

/// Listens. Without access control only on the loopback address, unless told that something in front guards it.
pub(crate) async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    if !listen.ip().is_loopback() && std::env::var_os("TICKETFLOW_TRUST_NETWORK").is_none() {
        let message = format!(
            "{listen} can be reached from other machines, and the API has no access control yet: listen on \
             127.0.0.1 behind a proxy, or set TICKETFLOW_TRUST_NETWORK=1 where only trusted machines can connect"
        );
        return Err(Exit::Usage.with(message));
    }
    TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}{}", advice(listen)))
}

/// A fixed port rather than any free one: client commands have to be told which.
fn advice(taken: SocketAddr) -> String {
    let free = SocketAddr::new(taken.ip(), if taken.port() == 8080 { 8081 } else { 8080 });
    format!(
        "; is another ticketflow running? Take another port, as in --listen {free}; client commands then need \
         --url http://{free}"
    )
}
