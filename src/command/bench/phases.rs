//! The three workloads: throughput of what was enqueued beforehand, latency of one run at a time, durable enqueues.

use super::{
    probe::{Cost, Probe, as_f64},
    workload,
};
use serde::Serialize;
use sqlx::PgPool;
use std::time::{Duration, Instant};
use ticketflow_engine::{Client, Clock, RunId, store::stats, wakeup::Wakeup};
use ticketflow_worker::{Shutdown, WorkerOptions};

/// W1.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Throughput {
    pub(super) runs: usize,
    pub(super) workers: usize,
    pub(super) seconds: f64,
    pub(super) runs_per_second: f64,
    pub(super) steps_per_second: f64,
    pub(super) cost: Cost,
}

/// W2, in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Latency {
    pub(super) runs: usize,
    pub(super) total_p50: f64,
    pub(super) total_p99: f64,
    pub(super) commit_p50: f64,
}

/// W3.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Enqueues {
    pub(super) runs: usize,
    pub(super) clients: usize,
    pub(super) per_second: f64,
    pub(super) cost: Cost,
}

/// What an idle worker asks.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Idle {
    pub(super) seconds: f64,
    pub(super) queries_per_second: f64,
}

pub(super) struct Bench {
    pub(super) pool: PgPool,
    pub(super) client: Client,
    pub(super) capacity: usize,
}

impl Bench {
    pub(super) fn new(pool: PgPool, capacity: usize) -> anyhow::Result<Self> {
        let client = Client::new(pool.clone(), workload::catalog()?, Clock::default(), Wakeup::new(true));
        Ok(Self { pool, client, capacity })
    }

    async fn enqueue(&self, runs: usize, clients: usize) -> anyhow::Result<f64> {
        let started = Instant::now();
        let tasks = (0..clients).map(|number| {
            let client = self.client.clone();
            let share = runs / clients + usize::from(number < runs % clients);
            tokio::spawn(async move {
                for _ in 0..share {
                    client.enqueue(workload::request(number)?).await?;
                }
                anyhow::Ok(())
            })
        });
        for task in futures::future::join_all(tasks).await {
            task??;
        }
        Ok(started.elapsed().as_secs_f64())
    }

    fn worker(&self, number: usize, shutdown: &Shutdown) -> tokio::task::JoinHandle<()> {
        let options = WorkerOptions {
            name: format!("bench-{number}"),
            capacity: self.capacity,
            ..WorkerOptions::default()
        };
        let (client, shutdown) = (self.client.clone(), shutdown.clone());
        tokio::spawn(async move {
            if let Err(error) = ticketflow_worker::run(client, options, shutdown).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the benchmark's worker failed");
            }
        })
    }

    pub(super) async fn throughput(&self, runs: usize, workers: usize) -> anyhow::Result<Throughput> {
        self.enqueue(runs, 256).await?;
        self.settle().await?;
        // An earlier phase may have left runs that were only enqueued: they are executed and count.
        let live: i64 = sqlx::query_scalar("SELECT count(*) FROM live_runs").fetch_one(&self.pool).await?;
        let runs = usize::try_from(live)?;
        let before = Probe::take(&self.pool).await?;
        let shutdown = Shutdown::default();
        let started = Instant::now();
        let workers_running: Vec<_> = (0..workers).map(|number| self.worker(number, &shutdown)).collect();
        self.drained().await?;
        let seconds = started.elapsed().as_secs_f64();
        shutdown.request();
        futures::future::join_all(workers_running).await;
        let cost = before.cost(&self.pool, runs).await?;
        let runs_per_second = as_f64(runs) / seconds;
        let steps_per_second = runs_per_second * 6.0;
        Ok(Throughput { runs, workers, seconds, runs_per_second, steps_per_second, cost })
    }

    pub(super) async fn latency(&self, runs: usize) -> anyhow::Result<Latency> {
        let shutdown = Shutdown::default();
        let worker = self.worker(0, &shutdown);
        let mut totals = Vec::with_capacity(runs);
        for number in 0..runs {
            let started = Instant::now();
            let run = self.client.enqueue(workload::request(number)?).await?.run();
            self.finished(run).await?;
            totals.push(started.elapsed());
        }
        shutdown.request();
        worker.await?;
        let commits = self.single_commits(200).await?;
        totals.sort();
        Ok(Latency {
            runs,
            total_p50: millis(totals[totals.len() / 2]),
            total_p99: millis(totals[totals.len() * 99 / 100]),
            commit_p50: millis(commits[commits.len() / 2]),
        })
    }

    pub(super) async fn enqueues(&self, runs: usize, clients: usize) -> anyhow::Result<Enqueues> {
        let before = Probe::take(&self.pool).await?;
        let seconds = self.enqueue(runs, clients).await?;
        let cost = before.cost(&self.pool, runs).await?;
        Ok(Enqueues { runs, clients, per_second: as_f64(runs) / seconds, cost })
    }

    pub(super) async fn idle(&self, time: Duration) -> anyhow::Result<Idle> {
        let shutdown = Shutdown::default();
        let worker = self.worker(0, &shutdown);
        tokio::time::sleep(Duration::from_secs(6)).await;
        let before = Probe::take(&self.pool).await?;
        let started = Instant::now();
        tokio::time::sleep(time).await;
        let queries = before.queries(&self.pool).await?;
        let seconds = started.elapsed().as_secs_f64();
        shutdown.request();
        worker.await?;
        Ok(Idle { seconds, queries_per_second: as_f64(usize::try_from(queries)?) / seconds })
    }

    /// Single-row commits, sorted: what durability costs on this machine.
    async fn single_commits(&self, count: usize) -> anyhow::Result<Vec<Duration>> {
        sqlx::query("CREATE TABLE IF NOT EXISTS bench_commit (n integer)").execute(&self.pool).await?;
        let mut connection = self.pool.acquire().await?;
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let started = Instant::now();
            sqlx::query("INSERT INTO bench_commit VALUES (1)").execute(&mut *connection).await?;
            times.push(started.elapsed());
        }
        times.sort();
        Ok(times)
    }

    async fn settle(&self) -> anyhow::Result<()> {
        sqlx::query("VACUUM (ANALYZE) live_runs").execute(&self.pool).await?;
        sqlx::query("CHECKPOINT").execute(&self.pool).await?;
        Ok(())
    }

    /// Waits until no run is live. Asks rarely, so as not to disturb.
    pub(super) async fn drained(&self) -> anyhow::Result<()> {
        let mut connection = self.pool.acquire().await?;
        loop {
            let live: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM live_runs)")
                .fetch_one(&mut *connection)
                .await?;
            if !live {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn finished(&self, run: RunId) -> anyhow::Result<()> {
        let mut connection = self.pool.acquire().await?;
        loop {
            let live: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT FROM live_runs WHERE bucket = $1 AND id = $2)")
                    .bind(run.bucket().as_i16())
                    .bind(run.as_uuid())
                    .fetch_one(&mut *connection)
                    .await?;
            if !live {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }

    /// Makes sure that nothing is left of an earlier phase.
    pub(super) async fn is_empty(&self) -> anyhow::Result<bool> {
        let mut connection = self.pool.acquire().await?;
        let stats = stats::queue(&mut connection).await?;
        Ok(stats.ready + stats.leased + stats.sleeping + stats.waiting == 0)
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
