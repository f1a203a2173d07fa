//! The same work as the tables fill, as many runs wait, beside idle workers, and while somebody holds on to a snapshot.

mod urgent;

use super::{
    announce,
    crew::Place,
    latency::{Heard, Percentiles},
    phases::{Bench, Throughput, start},
    probe::as_f64,
    report::cost,
    workload::WORKFLOW,
};
use crate::output::out;
use anyhow::Context as _;
use serde::Serialize;
use sqlx::PgPool;
use std::time::{Duration, Instant};
use ticketflow_worker::{Shutdown, WorkerOptions};

/// Finished runs written by one statement.
const CHUNK: usize = 50_000;
/// Runs measured one at a time under each condition.
const ALONE: usize = 100;
/// Runs that wait at once where many do.
const MANY_READY: usize = 100_000;
/// Workers that have nothing to do.
const IDLE_WORKERS: usize = 64;
/// Connections that the server has to have for them: four each, and those of the phases.
const LEAST_CONNECTIONS: i32 = 300;

/// How far it is to grow.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct GrowthArgs {
    /// Measure the same work as the tables fill and others hold on to them, instead of everything else
    #[arg(long)]
    pub(super) growth: bool,
    /// Finished runs in the tables; may be repeated, in ascending order
    #[arg(long, value_name = "RUNS", default_values_t = [1_000_000], requires = "growth")]
    pub(super) finished: Vec<usize>,
    /// Events in the log of each of them, of 300 bytes
    #[arg(long, value_name = "EVENTS", default_value_t = 8, requires = "growth")]
    pub(super) events: i32,
    /// Seconds for which somebody holds on to a snapshot
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "growth")]
    pub(super) snapshot_seconds: u64,
}

/// What the same work came to under one condition after the other.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Growth {
    server: String,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Serialize)]
struct Condition {
    name: String,
    throughput: Throughput,
    /// By the throughput in empty tables.
    of_empty: f64,
    /// From a single run's enqueue to the beginning of its first step, in milliseconds.
    pickup: Percentiles,
    tables: Tables,
}

/// What the statistics and the catalog say of the tables afterwards.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
struct Tables {
    /// Dead rows of live runs.
    dead_rows: i64,
    live_runs_bytes: i64,
    log_bytes: i64,
    log_index_bytes: i64,
}

pub(super) async fn measure(bench: &Bench, runs: usize, args: &GrowthArgs) -> anyhow::Result<Growth> {
    let connections: i32 = sqlx::query_scalar("SELECT current_setting('max_connections')::integer")
        .fetch_one(&bench.pool)
        .await?;
    anyhow::ensure!(
        connections >= LEAST_CONNECTIONS,
        "bench --growth starts {IDLE_WORKERS} idle workers: it needs a server with max_connections = {LEAST_CONNECTIONS} or \
         more, this one has {connections}; name one in DATABASE_URL"
    );
    let mut conditions = Vec::new();
    add(bench, &mut conditions, "empty tables".to_owned(), runs).await?;
    let mut written = 0;
    for &finished in &args.finished {
        announce(&format!("writing {finished} finished runs"));
        fill(&bench.pool, finished.saturating_sub(written), args.events).await?;
        written = written.max(finished);
        add(bench, &mut conditions, format!("{finished} finished runs"), runs).await?;
    }
    announce(&format!("and {MANY_READY} ready at once, worked off"));
    let (throughput, urgent) = urgent::among_ready(bench, MANY_READY).await?;
    let name = format!("and {MANY_READY} ready at once, worked off, the urgent ones among them picked up");
    conditions.push(condition(bench, &conditions, name, throughput, urgent).await?);
    announce(&format!("and {MANY_READY} ready before them that no worker knows"));
    wait_in_vain(&bench.pool, MANY_READY).await?;
    let name = format!("and {MANY_READY} ready before them that no worker knows");
    add(bench, &mut conditions, name, runs).await?;
    sqlx::query("DELETE FROM live_runs WHERE workflow <> $1").bind(WORKFLOW).execute(&bench.pool).await?;
    beside_idle(bench, &mut conditions, runs).await?;
    under_snapshot(bench, &mut conditions, runs, Duration::from_secs(args.snapshot_seconds)).await?;
    add(bench, &mut conditions, "and the snapshot let go".to_owned(), runs).await?;
    let server = sqlx::query_scalar("SELECT version()").fetch_one(&bench.pool).await?;
    Ok(Growth { server, conditions })
}

async fn add(
    bench: &Bench,
    conditions: &mut Vec<Condition>,
    name: String,
    runs: usize,
) -> anyhow::Result<()> {
    announce(&name);
    let throughput = bench.throughput(runs, 1, Place::Within).await?;
    let alone = bench.one_at_a_time(ALONE, Heard::ByNotify).await?;
    conditions.push(condition(bench, conditions, name, throughput, alone.pickups).await?);
    Ok(())
}

async fn condition(
    bench: &Bench,
    before: &[Condition],
    name: String,
    throughput: Throughput,
    pickups: Vec<Duration>,
) -> anyhow::Result<Condition> {
    let pickup = Percentiles::of(pickups).context("no run was picked up")?;
    let empty = before
        .first()
        .map_or(throughput.runs_per_second, |first: &Condition| first.throughput.runs_per_second);
    let of_empty = throughput.runs_per_second / empty;
    let tables = tables(&bench.pool).await?;
    Ok(Condition { name, throughput, of_empty, pickup, tables })
}

/// Runs that ended in the last three months, in the partitions of their months.
async fn fill(pool: &PgPool, runs: usize, events: i32) -> anyhow::Result<()> {
    sqlx::query("SELECT create_partitions(now() - interval '90 days', 4)").execute(pool).await?;
    let mut left = runs;
    while left > 0 {
        let chunk = left.min(CHUNK);
        sqlx::query(
            "WITH fresh AS (
                   SELECT overlay(gen_random_uuid()::text PLACING left(uuid_at(at)::text, 13) FROM 1)::uuid AS id, at
                   FROM (SELECT now() - random() * interval '90 days' AS at FROM generate_series(1, $1)) AS moment
               ), run AS (
                   INSERT INTO runs (bucket, id, workflow, version, queue, priority, status, created_at, finished_at)
                   SELECT get_byte(uuid_send(id), 15), id, 'bench', 1, 'default', 0, 'completed', at, at FROM fresh
               )
               INSERT INTO run_events (
                   bucket, run_id, seq, epoch, kind, step, attempt, actor, payload, duration_ms, at, hash
               )
               SELECT get_byte(uuid_send(id), 15), id, seq, 1, 'step_completed', 'one', 1, 'bench',
                   json_build_object('output', repeat('x', 280)), 0, at, sha256(uuid_send(id))
               FROM fresh, generate_series(0, $2 - 1) AS seq",
        )
        .bind(i32::try_from(chunk)?)
        .bind(events)
        .execute(pool)
        .await?;
        left -= chunk;
    }
    sqlx::query("VACUUM (ANALYZE) runs, run_events").execute(pool).await?;
    Ok(())
}

/// Ready runs of a workflow that no worker knows, in the queue that is worked on.
async fn wait_in_vain(pool: &PgPool, runs: usize) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO live_runs (
             bucket, id, workflow, version, queue, priority, state, wake_at, step, seq, attempt, crashes, epoch, last_hash
         )
         SELECT get_byte(uuid_send(id), 15), id, 'unknown', 1, 'default', 0, 'ready', now(), 'one', 0, 0, 0, 0,
             sha256(uuid_send(id))
         FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, $1)) AS fresh",
    )
    .bind(i32::try_from(runs)?)
    .execute(pool)
    .await?;
    Ok(())
}

/// Throughput while others look in vain in another queue, and pickup while they look in the same.
async fn beside_idle(bench: &Bench, conditions: &mut Vec<Condition>, runs: usize) -> anyhow::Result<()> {
    let name = format!("and {IDLE_WORKERS} idle workers");
    announce(&name);
    let (idle, shutdown) = idle_workers(bench, "elsewhere").await?;
    let throughput = bench.throughput(runs, 1, Place::Within).await?;
    shutdown.request();
    futures::future::join_all(idle).await;
    let (idle, shutdown) = idle_workers(bench, "default").await?;
    let alone = bench.one_at_a_time(ALONE, Heard::ByNotify).await?;
    shutdown.request();
    futures::future::join_all(idle).await;
    conditions.push(condition(bench, conditions, name, throughput, alone.pickups).await?);
    Ok(())
}

/// Workers with nothing to do, each with connections of its own, as in a process of its own.
async fn idle_workers(
    bench: &Bench,
    queue: &str,
) -> anyhow::Result<(Vec<tokio::task::JoinHandle<()>>, Shutdown)> {
    let shutdown = Shutdown::default();
    let mut workers = Vec::with_capacity(IDLE_WORKERS);
    for number in 0..IDLE_WORKERS {
        let client = bench.client_with(2).await?;
        let options = WorkerOptions {
            name: format!("idle-{number}"),
            queues: vec![queue.to_owned()],
            ..WorkerOptions::default()
        };
        workers.push(start(client, options, &shutdown));
    }
    Ok((workers, shutdown))
}

/// Works for as long as somebody holds on to a snapshot, which keeps every dead row; what the last runs got is reported.
async fn under_snapshot(
    bench: &Bench,
    conditions: &mut Vec<Condition>,
    runs: usize,
    time: Duration,
) -> anyhow::Result<()> {
    let mut reader = bench.pool.begin().await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *reader).await?;
    sqlx::query("SELECT count(*) FROM live_runs").execute(&mut *reader).await?;
    let started = Instant::now();
    while started.elapsed() < time {
        bench.throughput(runs, 1, Place::Within).await?;
    }
    let name = format!("and a snapshot held for {} s", started.elapsed().as_secs());
    add(bench, conditions, name, runs).await?;
    reader.commit().await?;
    Ok(())
}

async fn tables(pool: &PgPool) -> anyhow::Result<Tables> {
    // What the statistics say of dead rows is a second old at most.
    let tables = sqlx::query_as(
        "SELECT (SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'live_runs') AS dead_rows,
                  pg_total_relation_size('live_runs') AS live_runs_bytes,
                  (SELECT sum(pg_table_size(relid)) FROM pg_partition_tree('run_events'))::bigint AS log_bytes,
                  (SELECT sum(pg_indexes_size(relid)) FROM pg_partition_tree('run_events'))::bigint AS log_index_bytes",
    );
    Ok(tables.fetch_one(pool).await?)
}

impl Growth {
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return out(&serde_json::to_string_pretty(self)?);
        }
        let mut lines = vec![format!("on {}\n", self.server)];
        lines.extend(self.conditions.iter().map(Condition::line));
        out(&lines.join("\n"))
    }
}

impl Condition {
    fn line(&self) -> String {
        let Self { name, throughput, of_empty, pickup, tables } = self;
        let mega = |bytes: i64| as_f64(usize::try_from(bytes).unwrap_or_default()) / 1e6;
        format!(
            "{name}: {:.0} runs/s, {of_empty:.2} x empty; picked up after p50 {:.2} ms, p99 {:.2} ms; {}; {} dead rows, \
             live runs {:.0} MB, log {:.0} MB and its index {:.0} MB",
            throughput.runs_per_second,
            pickup.p50,
            pickup.p99,
            cost(&throughput.cost),
            tables.dead_rows,
            mega(tables.live_runs_bytes),
            mega(tables.log_bytes),
            mega(tables.log_index_bytes),
        )
    }
}
