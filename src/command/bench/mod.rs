//! `ticketflow bench`: measures the engine on a scratch database, beside a floor measured in the same run.

mod floor;
mod latency;
mod phases;
mod probe;
mod report;
mod workload;

use crate::{
    config::Config,
    database::Database,
    output::{self, Format, say},
    runtime::Home,
};
use anyhow::Context as _;
use phases::Bench;
use report::Report;
use sqlx::{
    AssertSqlSafe, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::time::Duration;

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// Runs that the throughput is measured on
    #[arg(long, default_value_t = 50_000, value_parser = at_least_one)]
    runs: usize,
    /// Runs measured one at a time
    #[arg(long, default_value_t = 300, value_parser = at_least_one)]
    latency_runs: usize,
    /// Runs a worker advances at once
    #[arg(long, default_value_t = 1_024)]
    capacity: usize,
    /// Seconds an idle worker is watched
    #[arg(long, default_value_t = 20)]
    idle_seconds: u64,
    /// Print JSON, as `-o json` does
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: BenchArgs, format: Option<Format>, config: &Config) -> anyhow::Result<()> {
    let json = output::as_json("bench", args.json, format)?;
    let home = Home::find_or_open(config).await?;
    let report = on_scratch_database(&args, &home.database).await;
    home.close().await?;
    report?.print(json)
}

async fn on_scratch_database(args: &BenchArgs, database: &Database) -> anyhow::Result<Report> {
    let scratch = format!("ticketflow_bench_{}", std::process::id());
    let server = database.connect(2).await?;
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {scratch}")))
        .execute(&server)
        .await
        .context("cannot create a scratch database; bench needs a role that may")?;
    let outcome = measure(args, database, &scratch).await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {scratch} WITH (FORCE)"))).execute(&server).await?;
    outcome
}

async fn measure(args: &BenchArgs, database: &Database, scratch: &str) -> anyhow::Result<Report> {
    let options = database.options()?.database(scratch);
    let pool = connect(options.clone()).await?;
    ticketflow_engine::MIGRATOR.run(&pool).await?;
    for extension in ["pg_stat_statements", "pg_walinspect"] {
        // Where they cannot be had the report says less.
        let created = sqlx::query(AssertSqlSafe(format!("CREATE EXTENSION IF NOT EXISTS {extension}")));
        if let Err(error) = created.execute(&pool).await {
            tracing::info!(extension, error = &error as &dyn std::error::Error, "not available");
        }
    }
    let bench = Bench::new(pool.clone(), options, args.capacity);
    announce("enqueue throughput, 16 clients");
    let enqueues = bench.enqueues(args.runs / 2, 16).await?;
    announce("throughput, one worker");
    let throughput = bench.throughput(args.runs - args.runs / 2, 1).await?;
    anyhow::ensure!(bench.is_empty().await?, "runs were left over");
    announce("throughput, two workers");
    let two_workers = bench.throughput(args.runs, 2).await?;
    announce("latency of one run at a time");
    let latency = bench.latency(args.latency_runs).await?;
    announce("idle");
    let idle = bench.idle(Duration::from_secs(args.idle_seconds)).await?;
    announce("floor");
    let floor = floor::measure(&bench, Duration::from_secs(10)).await?;
    let server: String = sqlx::query_scalar("SELECT version()").fetch_one(&pool).await?;
    Ok(Report { server, enqueues, throughput, two_workers, latency, idle, floor })
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
