//! W2: one run at a time, from the call that enqueues it to its outcome, and how soon a worker picks it up.

use super::{
    phases::Bench,
    probe::{Cost, as_f64},
    workload,
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use ticketflow_engine::{Client, RunId};
use ticketflow_worker::Shutdown;

/// Single-row commits that durability is priced by.
const COMMITS: usize = 200;

/// W2; times in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Latency {
    pub(super) runs: usize,
    /// From the enqueue's acknowledgement to the beginning of the first step.
    pub(super) pickup: Percentiles,
    /// From the call that enqueues to the outcome.
    pub(super) total: Percentiles,
    pub(super) commit_p50: f64,
    pub(super) runs_per_second: f64,
    pub(super) cost: Cost,
}

/// The middle and the tail of what was measured, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

impl Percentiles {
    /// `None`: nothing was measured.
    pub(super) fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort();
        let at = |percent: usize| times.get(times.len() * percent / 100).copied().map(millis);
        Some(Self { p50: at(50)?, p99: at(99)? })
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// The times of runs one by one.
pub(super) struct Times {
    pub(super) pickups: Vec<Duration>,
    pub(super) totals: Vec<Duration>,
}

impl Bench {
    pub(super) async fn latency(&self, runs: usize) -> anyhow::Result<Latency> {
        let before = self.probe().await?;
        let started = Instant::now();
        let times = self.one_at_a_time(runs).await?;
        let seconds = started.elapsed().as_secs_f64();
        let cost = before.cost(&self.probe().await?, &self.pool, runs).await?;
        let measured = Percentiles::of(times.pickups).zip(Percentiles::of(times.totals));
        let (pickup, total) = measured.ok_or_else(|| anyhow::anyhow!("--latency-runs takes at least 1"))?;
        let commit_p50 = self.single_commit().await?;
        Ok(Latency { runs, pickup, total, commit_p50, runs_per_second: as_f64(runs) / seconds, cost })
    }

    /// Runs one after the other, on a worker that has nothing else to do.
    pub(super) async fn one_at_a_time(&self, runs: usize) -> anyhow::Result<Times> {
        let client = self.client().await?;
        let shutdown = Shutdown::default();
        let worker = self.worker(&client, 0, &shutdown);
        let mut times = Times { pickups: Vec::with_capacity(runs), totals: Vec::with_capacity(runs) };
        for number in 0..runs {
            let (pickup, total) = self.one(&client, number).await?;
            times.pickups.push(pickup);
            times.totals.push(total);
        }
        shutdown.request();
        worker.await?;
        client.pool().close().await;
        Ok(times)
    }

    /// One run: how long it waited for its first step once its enqueue was acknowledged, and how long it took in all.
    async fn one(&self, client: &Client, number: usize) -> anyhow::Result<(Duration, Duration)> {
        let started = Instant::now();
        let ended = self.progress.last_steps();
        let run = client.enqueue(workload::request(number)?).await?.run();
        let acknowledged = Instant::now();
        self.progress.reached(ended + 1).await;
        self.finished(run).await?;
        let total = started.elapsed();
        let begun = self.progress.begun(run);
        let begun = begun.ok_or_else(|| anyhow::anyhow!("run {run} ended without its first step"))?;
        // A worker may see the committed row before the client has read the answer.
        Ok((begun.saturating_duration_since(acknowledged), total))
    }

    async fn finished(&self, run: RunId) -> anyhow::Result<()> {
        let mut connection = self.pool.acquire().await?;
        loop {
            self.asked.count(1);
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

    /// The median of single-row commits, in milliseconds: what durability costs on this machine.
    async fn single_commit(&self) -> anyhow::Result<f64> {
        sqlx::query("CREATE TABLE IF NOT EXISTS bench_commit (n integer)").execute(&self.pool).await?;
        let mut connection = self.pool.acquire().await?;
        let mut times = Vec::with_capacity(COMMITS);
        for _ in 0..COMMITS {
            let started = Instant::now();
            sqlx::query("INSERT INTO bench_commit VALUES (1)").execute(&mut *connection).await?;
            times.push(started.elapsed());
        }
        times.sort();
        Ok(millis(times[COMMITS / 2]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let times = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(Percentiles::of(times), Some(Percentiles { p50: 51.0, p99: 100.0 }));
        assert_eq!(Percentiles::of(vec![Duration::from_millis(7)]), Some(Percentiles { p50: 7.0, p99: 7.0 }));
        assert_eq!(Percentiles::of(Vec::new()), None);
    }
}
