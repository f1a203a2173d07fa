//! W2: one run at a time, from the call that enqueues it to its outcome, and how soon a worker picks it up.

use super::{
    CONNECTIONS,
    phases::Bench,
    probe::{Cost, as_f64},
    workload,
};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use ticketflow_engine::{Client, RunId, clock::random_fraction};
use ticketflow_worker::{Shutdown, pacing};

/// Single-row commits that durability is priced by.
const COMMITS: usize = 200;

/// Runs that a poll has to find: each waits for an idle worker.
const POLLED: usize = 15;
/// How long nothing happens before each of them, so that the worker's poll is as slow as it gets.
const STILL: Duration = Duration::from_secs(1);

/// How a worker hears of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is in the process that enqueued it.
    Within,
    /// By NOTIFY, from another client.
    ByNotify,
    /// Not at all: its poll finds it.
    ByPoll,
}

/// W2; times in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Latency {
    pub(super) runs: usize,
    /// From the enqueue's acknowledgement to the beginning of the first step.
    pub(super) pickup: Percentiles,
    /// The same for runs that another process enqueues.
    pub(super) pickup_by_notify: Percentiles,
    /// The same where nothing is notified and the worker has long been idle.
    pub(super) pickup_by_poll: Percentiles,
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
        // The nearest rank: the least time that so many of a hundred did not exceed.
        let at =
            |percent: usize| times.get((times.len() * percent).div_ceil(100).max(1) - 1).copied().map(millis);
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
        let times = self.one_at_a_time(runs, Heard::Within).await?;
        let seconds = started.elapsed().as_secs_f64();
        let cost = before.cost(&self.probe().await?, &self.pool, runs).await?;
        let of = |times| Percentiles::of(times).context("--latency-runs takes at least 1");
        Ok(Latency {
            runs,
            pickup: of(times.pickups)?,
            total: of(times.totals)?,
            pickup_by_notify: of(self.one_at_a_time(runs, Heard::ByNotify).await?.pickups)?,
            pickup_by_poll: of(self.one_at_a_time(POLLED, Heard::ByPoll).await?.pickups)?,
            commit_p50: self.single_commit().await?,
            runs_per_second: as_f64(runs) / seconds,
            cost,
        })
    }

    /// Runs one after the other, on a worker that has nothing else to do.
    pub(super) async fn one_at_a_time(&self, runs: usize, heard: Heard) -> anyhow::Result<Times> {
        let client = self.client_of(CONNECTIONS, heard != Heard::ByPoll).await?;
        let apart = self.client_of(2, heard != Heard::ByPoll).await?;
        let poster = if heard == Heard::Within { &client } else { &apart };
        let shutdown = Shutdown::default();
        let worker = self.worker(&client, 0, &shutdown);
        let mut times = Times { pickups: Vec::with_capacity(runs), totals: Vec::with_capacity(runs) };
        for number in 0..runs {
            if heard == Heard::ByPoll {
                tokio::time::sleep(pacing::jittered(STILL, random_fraction())).await;
            }
            let (pickup, total) = self.one(poster, number).await?;
            times.pickups.push(pickup);
            times.totals.push(total);
        }
        shutdown.request();
        worker.await?;
        client.pool().close().await;
        apart.pool().close().await;
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
        assert_eq!(Percentiles::of(times), Some(Percentiles { p50: 50.0, p99: 99.0 }));
        assert_eq!(Percentiles::of(vec![Duration::from_millis(7)]), Some(Percentiles { p50: 7.0, p99: 7.0 }));
        assert_eq!(Percentiles::of(Vec::new()), None);
    }
}
