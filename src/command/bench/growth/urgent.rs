//! Urgent runs that come while many others wait: how soon each is picked up.

use crate::command::bench::{
    crew::Place,
    phases::{Bench, Throughput},
    workload,
};
use sqlx::PgPool;
use std::time::Duration;
use ticketflow_engine::{Client, client::EnqueueRequest};
use tokio_util::sync::CancellationToken;

/// How often an urgent run comes.
const EVERY: Duration = Duration::from_millis(100);
/// Before that of all others.
const PRIORITY: i16 = -1;

/// Works off so many runs and, while it does, has urgent ones come; returns how long these waited for their first step.
pub(super) async fn among_ready(bench: &Bench, ready: usize) -> anyhow::Result<(Throughput, Vec<Duration>)> {
    bench.backlog(ready).await?;
    let client = bench.client_with(1).await?;
    let ended = CancellationToken::new();
    let coming = tokio::spawn(come(client.clone(), ended.clone()));
    let throughput = bench.work_off(1, Place::Within).await?;
    ended.cancel();
    coming.await??;
    client.pool().close().await;
    Ok((throughput, pickups(&bench.pool).await?))
}

async fn come(client: Client, ended: CancellationToken) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(EVERY);
    while ended.run_until_cancelled(tick.tick()).await.is_some() {
        let request = EnqueueRequest { priority: Some(PRIORITY), ..workload::request(0)? };
        client.enqueue(request).await?;
    }
    Ok(())
}

/// By the times in the log: the first step does nothing, so its result is made when it begins.
async fn pickups(pool: &PgPool) -> anyhow::Result<Vec<Duration>> {
    let seconds: Vec<f64> = sqlx::query_scalar(
        "SELECT extract(epoch FROM event.at - run.created_at)::float8
         FROM runs AS run JOIN run_events AS event ON event.bucket = run.bucket AND event.run_id = run.id
         WHERE run.priority = $1 AND event.kind = 'step_completed' AND event.step = 'one'",
    )
    .bind(PRIORITY)
    .fetch_all(pool)
    .await?;
    Ok(seconds.into_iter().map(|seconds| Duration::from_secs_f64(seconds.max(0.0))).collect())
}
