//! `ticketflow bench`: measures the engine on a scratch database, beside a floor measured in the same run.

mod crew;
mod floor;
mod growth;
mod latency;
mod load;
mod median;
mod peer;
mod phases;
mod posting;
mod probe;
mod process;
mod report;
mod resources;
mod simulate;
mod tickets;
mod workload;

use crate::{
    config::{Config, MOST_CAPACITY},
    database::Database,
    output::{self, Format, say},
    runtime::Home,
    schema, telemetry,
};
use anyhow::Context as _;
use crew::Place;
use growth::{Growth, GrowthArgs};
use metrics_exporter_prometheus::PrometheusHandle;
use phases::{Bench, Throughput};
use report::Report;
use simulate::SimulateArgs;
use sqlx::{
    AssertSqlSafe, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::time::Duration;

/// Rounds that `--compare-floor` takes the medians of.
const ROUNDS: usize = 5;
/// Runs that a measured worker advances at once.
const CAPACITY: usize = 1_024;
/// Connections of a phase's pool.
const CONNECTIONS: u32 = 24;
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
    /// Runs a worker advances at once [default: 1024; simulated 128]
    #[arg(long, value_parser = at_least_one)]
    capacity: Option<usize>,
    /// Tickets that go through the whole triage
    #[arg(long, default_value_t = 10_000, value_parser = at_least_one)]
    tickets: usize,
    /// Tickets that a worker process holds while its memory is measured
    #[arg(long, default_value_t = MOST_CAPACITY, value_parser = clap::value_parser!(u64).range(1..=MOST_CAPACITY))]
    held_tickets: u64,
    /// Measure everything five times, each time beside the floor, and report the medians
    #[arg(long)]
    compare_floor: bool,
    /// Seconds an idle worker process is watched
    #[arg(long, default_value_t = 20)]
    idle_seconds: u64,
    /// Print JSON, as `-o json` does
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    growth: GrowthArgs,
    #[command(flatten)]
    simulate: SimulateArgs,
}

impl BenchArgs {
    fn measured_capacity(&self) -> usize {
        self.capacity.unwrap_or(CAPACITY)
    }
}

pub(crate) async fn run(args: BenchArgs, format: Option<Format>, config: &Config) -> anyhow::Result<()> {
    if let Some(mode) = args.peer {
        return peer::run(mode, config).await;
    }
    let json = output::as_json("bench", args.json, format)?;
    if args.simulate.simulate {
        return simulate::run(&args.simulate, args.capacity, json).await;
    }
    let home = Home::find_or_open(config).await?;
    let printed = match home.database.direct() {
        Ok(database) => measured(&args, json, &database).await,
        Err(error) => Err(error),
    };
    home.close().await?;
    printed
}

async fn measured(args: &BenchArgs, json: bool, database: &Database) -> anyhow::Result<()> {
    if args.growth.growth {
        return as_it_grows(args, database).await?.print(json);
    }
    in_rounds(args, database).await?.print(json)
}

async fn as_it_grows(args: &BenchArgs, database: &Database) -> anyhow::Result<Growth> {
    on_scratch_database(database, async |options| {
        let bench = prepared(options, args.measured_capacity()).await?;
        growth::measure(&bench, args.runs, &args.growth).await
    })
    .await
}

async fn in_rounds(args: &BenchArgs, database: &Database) -> anyhow::Result<Report> {
    let metrics = telemetry::start_metrics()?;
    let rounds = if args.compare_floor { ROUNDS } else { 1 };
    let mut reports = Vec::with_capacity(rounds);
    for round in 1..=rounds {
        if rounds > 1 {
            say(&format!("round {round} of {rounds}"));
        }
        let measured = async |options| measure(args, options, &metrics).await;
        reports.push(on_scratch_database(database, measured).await?);
    }
    Report::median(&reports)
}

async fn on_scratch_database<T>(
    database: &Database,
    measure: impl AsyncFnOnce(PgConnectOptions) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let scratch = format!("ticketflow_bench_{}", std::process::id());
    let server = database.connect(2).await?.pool;
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {scratch}")))
        .execute(&server)
        .await
        .context("cannot create a scratch database; bench needs a role that may")?;
    let options = (*server.connect_options()).clone();
    let outcome = measure(options.database(&scratch)).await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {scratch} WITH (FORCE)"))).execute(&server).await?;
    outcome
}

async fn prepared(options: PgConnectOptions, capacity: usize) -> anyhow::Result<Bench> {
    let pool = connect(options.clone()).await?;
    prepare(&pool).await?;
    Ok(Bench::new(pool, options, capacity))
}

async fn measure(
    args: &BenchArgs,
    options: PgConnectOptions,
    metrics: &PrometheusHandle,
) -> anyhow::Result<Report> {
    let bench = prepared(options, args.measured_capacity()).await?;
    announce("enqueue throughput, 16 clients");
    let enqueues = bench.enqueues(args.runs / 2, 16).await?;
    announce("throughput, one worker");
    let throughput = bench.throughput(args.runs - args.runs / 2, 1, Place::Within).await?;
    anyhow::ensure!(bench.is_empty().await?, "runs were left over");
    announce("throughput, two workers");
    let two_workers = bench.throughput(args.runs, 2, Place::Within).await?;
    announce("throughput, one worker process");
    let one_process = bench.throughput(args.runs, 1, Place::Processes).await?;
    announce("throughput, two worker processes");
    let two_processes = bench.throughput(args.runs, 2, Place::Processes).await?;
    announce("floor");
    let floor = floor::measure(&bench, Duration::from_secs(10)).await?;
    announce("latency of one run at a time");
    let latency = bench.latency(args.latency_runs).await?;
    announce("latency under half of the load");
    let under_load = bench.under_load(throughput.runs_per_second / 2.0, LOAD_FOR).await?;
    schema::apply(&bench.pool).await?;
    announce("an idle worker process");
    let idle = bench.idle(Duration::from_secs(args.idle_seconds)).await?;
    announce("tickets");
    let tickets = bench.tickets(args.tickets, usize::try_from(args.held_tickets)?, metrics.clone()).await?;
    let server: String = sqlx::query_scalar("SELECT version()").fetch_one(&bench.pool).await?;
    let of_floor = |measured: &Throughput| measured.runs_per_second / floor.runs_per_second;
    Ok(Report {
        server,
        rounds: 1,
        of_floor: of_floor(&throughput),
        two_workers_of_floor: of_floor(&two_workers),
        one_process_of_floor: of_floor(&one_process),
        two_processes_of_floor: of_floor(&two_processes),
        two_processes_of_one: two_processes.runs_per_second / one_process.runs_per_second,
        enqueues,
        throughput,
        two_workers,
        one_process,
        two_processes,
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
    connect_with(options, CONNECTIONS).await
}

async fn connect_with(options: PgConnectOptions, connections: u32) -> anyhow::Result<PgPool> {
    let pool = PgPoolOptions::new().max_connections(connections).test_before_acquire(false);
    Ok(pool.connect_with(options).await?)
}

fn announce(phase: &str) {
    say(&format!("measuring: {phase}"));
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "use a number above 0".to_owned())
}
