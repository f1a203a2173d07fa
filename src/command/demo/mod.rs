//! `ticketflow demo`: the whole thing at work. Sample tickets go in over HTTP, a worker process is killed in the
//! middle, others take its runs over at the step they were at, and the audit checks that nothing was lost or done
//! twice.

mod report;
pub(crate) mod samples;
mod takeover;
mod workers;

use crate::{
    command::{audit, serve},
    config::Config,
    http::Api,
    output::{self, Format, counted, say},
    postgres::EmbeddedPostgres,
    runtime::{self, Home},
    schema, telemetry,
};
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use report::Outcome;
use serde_json::Value;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use ticketflow_api::ApiState;
use ticketflow_engine::Client;
use ticketflow_worker::Shutdown;
use ticketflow_workflows::models::ModelSettings;
use workers::Workers;

/// Pause before every step, so that there is something to see and to kill.
const PACE: Duration = Duration::from_millis(150);
/// Short, so that the takeover comes soon.
const LEASE: Duration = Duration::from_secs(3);
/// Past this something is wrong.
const PATIENCE: Duration = Duration::from_mins(2);

/// Flags of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Address of the API [default: 127.0.0.1:8000]
    #[arg(long, env = "TICKETFLOW_LISTEN")]
    listen: Option<SocketAddr>,
    /// Stop when everything was shown, instead of serving on
    #[arg(long)]
    exit: bool,
    /// Print the outcome as JSON, as `-o json` does
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: DemoArgs, format: Option<Format>, config: Config) -> anyhow::Result<()> {
    let json = output::as_json("demo", args.json, format)?;
    let config = &config.with_default_data_dir(EmbeddedPostgres::demo_dir());
    let shutdown = Shutdown::default();
    runtime::stop_on_signals(&shutdown)?;
    let listener = serve::bind(config.listen(args.listen)).await?;
    let address = listener.local_addr()?;
    say("starting PostgreSQL, the API and three worker processes …");
    let home = Home::open(config).await?;
    schema::migrate(&home.database).await?;
    let connected = home.database.connect(config.max_connections()).await?;
    let client = runtime::client(config, &connected, ModelSettings::default()).await?;
    let metrics = telemetry::start_metrics()?;
    let state = ApiState::new(client.clone(), serve::api_settings(config), metrics, shutdown.stop.clone());
    let serving = tokio::spawn(ticketflow_api::serve(listener, state, shutdown.stop.clone()));
    let api = Api::new(&format!("http://{address}"))?;
    let shown = shutdown.stop.run_until_cancelled(show(&api, &client, &home, config)).await;
    if let Some(outcome) = shown {
        let outcome = outcome?;
        outcome.print(json)?;
        if !args.exit {
            serve_on(&client, config, &shutdown, address).await?;
        }
        shutdown.request();
        serving.await?;
        home.close().await?;
        return outcome.verdict();
    }
    serving.await?;
    home.close().await
}

async fn show(api: &Api, client: &Client, home: &Home, config: &Config) -> anyhow::Result<Outcome> {
    let mut workers = Workers::start(3, home.database.url(), config)?;
    workers.ready(client, PATIENCE).await?;
    let tickets = samples::submit(api).await?;
    say(&format!("submitted {} over HTTP", counted(tickets.len(), "sample ticket")));
    let killed = takeover::kill_one(client, &mut workers, PATIENCE).await?;
    say(&killed.to_string());
    let started = Instant::now();
    let settled = wait_for_all(api, &tickets).await;
    workers.stop().await;
    let settled = settled.with_context(|| format!("after {:?}", started.elapsed()))?;
    let takeovers = takeover::trace(api, &killed).await?;
    let audit = audit::audit(client.pool(), client.catalog()).await?;
    Ok(Outcome { tickets: settled, killed, takeovers, audit })
}

/// Waits until every ticket is done or waits for a person.
async fn wait_for_all(api: &Api, tickets: &[String]) -> anyhow::Result<Vec<Value>> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} tickets settled")?;
    let bar = ProgressBar::new(tickets.len() as u64).with_style(style);
    let until = Instant::now() + PATIENCE;
    let mut settled = Vec::with_capacity(tickets.len());
    for id in tickets {
        loop {
            let ticket: Value = api.get(&format!("/tickets/{id}"), &[]).await?;
            if matches!(
                ticket["status"].as_str(),
                Some("completed" | "awaiting_approval" | "failed_permanent")
            ) {
                settled.push(ticket);
                break;
            }
            anyhow::ensure!(Instant::now() < until, "ticket {id} is still {}", ticket["status"]);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(settled)
}

async fn serve_on(
    client: &Client,
    config: &Config,
    shutdown: &Shutdown,
    address: SocketAddr,
) -> anyhow::Result<()> {
    say(&format!("\nserving on http://{address} until Ctrl-C; try:"));
    say(&format!("  curl http://{address}/tickets?limit=5"));
    say(&format!("  curl http://{address}/approvals"));
    if config.database_url().is_none()
        && let Some(directory) = config.data_dir()
    {
        say(&format!("  ticketflow doctor --url http://{address} --data-dir {}", directory.display()));
    }
    let options = config.worker(&crate::config::WorkerArgs::default());
    Ok(ticketflow_worker::run(client.clone(), options, shutdown.clone()).await?)
}
