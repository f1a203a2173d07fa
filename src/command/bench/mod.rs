//! `ticketflow bench`: measures the engine on a scratch database, beside a floor measured in the same run.

mod floor;
mod latency;
mod load;
mod median;
mod peer;
mod phases;
mod posting;
mod probe;
mod report;
mod tickets;
mod workload;

use crate::{
    config::Config,
    database::Database,
    output::{self, Format, say},
    runtime::Home,
    telemetry,
};
use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusHandle;
use phases::{Bench, Throughput};
use report::Report;
use sqlx::{
    AssertSqlSafe, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::time::Duration;

/// Rounds that `--compare-floor` takes the medians of.
const ROUNDS: usize = 5;
/// How long runs come at a steady rate.
const LOAD_FOR: Duration = Duration::from_secs(5);

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct BenchArgs {
    // For those who measure engines side by side; people have no use for it.
    #[command(subcommand)]
    peer: Option<peer::Mode>,
    /// Runs that the throughput is measured on
    #[arg(long, default_value_t = 50_000, value_parser = at_least_one)]
    runs: usize,
    /// Runs measured one at a time
    #[arg(long, default_value_t = 300, value_parser = at_least_one)]
    latency_runs: usize,
    /// Runs a worker advances at once
    #[arg(long, default_value_t = 1_024)]
    capacity: usize,
    /// Tickets that go through the whole triage
    #[arg(long, default_value_t = 10_000, value_parser = at_least_one)]
    tickets: usize,
    /// Measure everything five times, each time beside the floor, and report the medians
    #[arg(long)]
    compare_floor: bool,
    /// Seconds an idle worker is watched
    #[arg(long, default_value_t = 20)]
    idle_seconds: u64,
    /// Print JSON, as `-o json` does
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: BenchArgs, format: Option<Format>, config: &Config) -> anyhow::Result<()> {
    if let Some(mode) = args.peer {
        return peer::run(mode, config).await;
    }
    let json = output::as_json("bench", args.json, format)?;
    let home = Home::find_or_open(config).await?;
    let report = in_rounds(&args, &home.database).await;
    home.close().await?;
    report?.print(json)
}

async fn in_rounds(args: &BenchArgs, database: &Database) -> anyhow::Result<Report> {
    let metrics = telemetry::start_metrics()?;
    let rounds = if args.compare_floor { ROUNDS } else { 1 };
    let mut reports = Vec::with_capacity(rounds);
    for round in 1..=rounds {
        if rounds > 1 {
            say(&format!("round {round} of {rounds}"));
        }
        reports.push(on_scratch_database(args, database, &metrics).await?);
    }
    Report::median(&reports)
}

async fn on_scratch_database(
    args: &BenchArgs,
    database: &Database,
    metrics: &PrometheusHandle,
) -> anyhow::Result<Report> {
    let scratch = format!("ticketflow_bench_{}", std::process::id());
    let server = database.connect(2).await?.pool;
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {scratch}")))
        .execute(&server)
        .await
        .context("cannot create a scratch database; bench needs a role that may")?;
    let outcome = measure(args, database, &scratch, metrics).await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {scratch} WITH (FORCE)"))).execute(&server).await?;
    outcome
}

async fn measure(
    args: &BenchArgs,
    database: &Database,
    scratch: &str,
    metrics: &PrometheusHandle,
) -> anyhow::Result<Report> {
    let options = database.options()?.database(scratch);
    let pool = connect(options.clone()).await?;
    prepare(&pool).await?;
    let bench = Bench::new(pool.clone(), options, args.capacity);
    announce("enqueue throughput, 16 clients");
    let enqueues = bench.enqueues(args.runs / 2, 16).await?;
    announce("throughput, one worker");
    let throughput = bench.throughput(args.runs - args.runs / 2, 1).await?;
    anyhow::ensure!(bench.is_empty().await?, "runs were left over");
    announce("throughput, two workers");
    let two_workers = bench.throughput(args.runs, 2).await?;
    announce("floor");
    let floor = floor::measure(&bench, Duration::from_secs(10)).await?;
    announce("latency of one run at a time");
    let latency = bench.latency(args.latency_runs).await?;
    announce("latency under half of the load");
    let under_load = bench.under_load(throughput.runs_per_second / 2.0, LOAD_FOR).await?;
    announce("idle");
    let idle = bench.idle(Duration::from_secs(args.idle_seconds)).await?;
    announce("tickets");
    let tickets = bench.tickets(args.tickets, metrics.clone()).await?;
    let server: String = sqlx::query_scalar("SELECT version()").fetch_one(&pool).await?;
    let of_floor = |measured: &Throughput| measured.runs_per_second / floor.runs_per_second;
    Ok(Report {
        server,
        rounds: 1,
        of_floor: of_floor(&throughput),
        two_workers_of_floor: of_floor(&two_workers),
        enqueues,
        throughput,
        two_workers,
        latency,
        under_load,
        idle,
        floor,
        tickets,
    })
}

async fn prepare(pool: &PgPool) -> anyhow::Result<()> {
    ticketflow_engine::MIGRATOR.run(pool).await?;
    for extension in ["pg_stat_statements", "pg_walinspect"] {
        // Where they cannot be had the report says less.
        let created = sqlx::query(AssertSqlSafe(format!("CREATE EXTENSION IF NOT EXISTS {extension}")));
        if let Err(error) = created.execute(pool).await {
            tracing::info!(extension, error = &error as &dyn std::error::Error, "not available");
        }
    }
    Ok(())
}

async fn connect(options: PgConnectOptions) -> anyhow::Result<PgPool> {
    Ok(PgPoolOptions::new().max_connections(24).test_before_acquire(false).connect_with(options).await?)
}

fn announce(phase: &str) {
    say(&format!("measuring: {phase}"));
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "use a number above 0".to_owned())
}
