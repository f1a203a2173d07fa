//! Runs that come at a steady rate: how long each takes, from its enqueue to its outcome.

use super::{latency::Percentiles, phases::Bench, workload};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use ticketflow_worker::Shutdown;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How long runs come before it counts: connections are opened and statements planned.
const WARM_UP: Duration = Duration::from_secs(2);
/// How often runs are enqueued.
const TICK: Duration = Duration::from_millis(5);

/// What a steady load got; times in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct UnderLoad {
    pub(super) per_second: f64,
    pub(super) runs: usize,
    /// By the times in the run's header, which its last commit follows.
    pub(super) total: Percentiles,
}

impl Bench {
    /// Enqueues `per_second` runs for some `time` after a warm-up, whether or not the worker keeps up.
    pub(super) async fn under_load(&self, per_second: f64, time: Duration) -> anyhow::Result<UnderLoad> {
        let client = self.client().await?;
        let counts_from = client.clock().now() + WARM_UP;
        let last_steps = self.progress.last_steps();
        let shutdown = Shutdown::default();
        let worker = self.worker(&client, 0, &shutdown);
        let started = Instant::now();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut enqueued: usize = 0;
        let mut tasks = tokio::task::JoinSet::new();
        while started.elapsed() < WARM_UP + time {
            tick.tick().await;
            while super::probe::as_f64(enqueued) < per_second * started.elapsed().as_secs_f64() {
                let (client, request) = (client.clone(), workload::request(enqueued)?);
                tasks.spawn(async move { client.enqueue(request).await });
                enqueued += 1;
            }
        }
        while let Some(task) = tasks.join_next().await {
            task??;
        }
        self.drained(last_steps + enqueued).await?;
        shutdown.request();
        worker.await?;
        client.pool().close().await;
        let times: Vec<f64> = sqlx::query_scalar(
            "SELECT extract(epoch FROM finished_at - created_at)::float8 FROM runs WHERE created_at >= $1",
        )
        .bind(counts_from)
        .fetch_all(&self.pool)
        .await?;
        let runs = times.len();
        let times = times.into_iter().map(|seconds| Duration::from_secs_f64(seconds.max(0.0))).collect();
        let total = Percentiles::of(times).ok_or_else(|| anyhow::anyhow!("no run was enqueued"))?;
        Ok(UnderLoad { per_second, runs, total })
    }
}
