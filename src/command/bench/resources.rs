//! What a worker process takes, idle and with many tickets in hand: the one that people run, with the triage workflow.

use super::{
    phases::Bench,
    posting::{self, Bodies},
    probe::as_f64,
    process,
};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use ticketflow_engine::store::lease;
use tokio::process::Child;

/// Tickets of a batch, and clients that post batches.
const BATCH: (usize, usize) = (500, 4);
/// How long a process is left alone before it is watched: its first looks for work follow each other closely, and a server
/// that counts transactions alone hears of them from idle connections after ten seconds.
const SETTLES: Duration = Duration::from_secs(12);
/// How long a process that has its tickets is left alone: logs that came last are still being read.
const READS: Duration = Duration::from_secs(2);
/// Longest wait for something that has to come.
const PATIENCE: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What an idle worker process takes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Idle {
    pub(super) seconds: f64,
    pub(super) queries_per_second: f64,
    /// Of one core. `None` where there is no `/proc`.
    pub(super) cpu_percent: Option<f64>,
    /// `None` where there is no `/proc`.
    pub(super) resident_bytes: Option<u64>,
}

/// What one takes that holds many tickets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct InHand {
    pub(super) tickets: usize,
    /// `None` where there is no `/proc`.
    pub(super) resident_bytes: Option<u64>,
}

impl Bench {
    /// Watches a worker process that finds nothing to do, for some `time`.
    pub(super) async fn idle(&self, time: Duration) -> anyhow::Result<Idle> {
        let worker = Worker::start(self, &[]).await?;
        tokio::time::sleep(SETTLES).await;
        let before = self.probe().await?;
        let (started, used) = (Instant::now(), process::cpu_time(worker.pid));
        tokio::time::sleep(time).await;
        let queries = before.queries(&self.probe().await?);
        let seconds = started.elapsed().as_secs_f64();
        let used_by_now = process::cpu_time(worker.pid);
        let cpu_percent = used_by_now
            .zip(used)
            .map(|(after, before)| after.saturating_sub(before).as_secs_f64() / seconds * 100.0);
        let resident_bytes = process::resident_bytes(worker.pid);
        worker.end().await?;
        let queries_per_second = as_f64(usize::try_from(queries)?) / seconds;
        Ok(Idle { seconds, queries_per_second, cpu_percent, resident_bytes })
    }

    /// Posts so many tickets to `url`, and has a worker process take them all and do nothing with them.
    pub(super) async fn in_hand(&self, tickets: usize, url: &str, bodies: &Bodies) -> anyhow::Result<InHand> {
        posting::batches(url, bodies, tickets, BATCH.0, BATCH.1).await?;
        let mut worker = Worker::start(self, &["--capacity", &tickets.to_string(), "--pace", "1h"]).await?;
        worker.until(async || self.leased(tickets).await).await.context("the tickets were not all taken")?;
        tokio::time::sleep(READS).await;
        let resident_bytes = process::resident_bytes(worker.pid);
        worker.end().await?;
        Ok(InHand { tickets, resident_bytes })
    }

    async fn leased(&self, runs: usize) -> anyhow::Result<bool> {
        let leased: i64 = sqlx::query_scalar("SELECT count(*) FROM live_runs WHERE state = 'leased'")
            .fetch_one(&self.pool)
            .await?;
        Ok(usize::try_from(leased)? >= runs)
    }
}

/// A process of `ticketflow worker`.
struct Worker {
    child: Child,
    pid: u32,
}

impl Worker {
    /// Starts one and waits until it has registered.
    async fn start(bench: &Bench, flags: &[&str]) -> anyhow::Result<Self> {
        let arguments = [&["worker"], flags].concat();
        let child = process::command(&bench.options, &arguments)?.spawn();
        let child = child.context("cannot start a worker process")?;
        let pid = child.id().context("a worker process ended at once")?;
        let mut worker = Self { child, pid };
        let registered = async || {
            let mut connection = bench.pool.acquire().await?;
            let listed = lease::list(&mut connection).await?;
            Ok(listed.iter().any(|worker| worker.name.ends_with(&format!("-{pid}"))))
        };
        worker.until(registered).await.context("a worker process did not register")?;
        Ok(worker)
    }

    /// Waits until something is so, as long as the process lives.
    async fn until(&mut self, is_so: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while !is_so().await? {
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("the worker process ended with {status}");
            }
            anyhow::ensure!(Instant::now() < until, "it took longer than {} s", PATIENCE.as_secs());
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Kills it: what it holds goes with the scratch database.
    async fn end(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}
