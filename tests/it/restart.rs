//! PostgreSQL dies and comes back while workers work: they go on by themselves.

use crate::support::{TestEngine, cluster::Cluster, until};
use ticketflow_engine::{RunId, status::RunStatus, store::control};

async fn completed(engine: &TestEngine, runs: &[RunId]) -> usize {
    let mut completed = 0;
    for run in runs {
        let Ok(mut connection) = engine.pool.acquire().await else { return 0 };
        let Ok(header) = control::header(&mut connection, *run, false).await else { return 0 };
        completed += usize::from(header.is_some_and(|header| header.status == RunStatus::Completed));
    }
    completed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_completes_though_postgres_is_killed_under_load() {
    let cluster = tokio::task::spawn_blocking(Cluster::private).await.unwrap();
    let engine = TestEngine::builder()
        .server(cluster.url())
        .workers(2)
        .options(|options| options.lease = std::time::Duration::from_secs(3))
        .start()
        .await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.extend(engine.enqueue_many(150).await);
        let before = engine.script.calls().len();
        until("the workers are at work", || async { engine.script.calls().len() > before + 100 }).await;
        let cluster = &cluster;
        tokio::task::block_in_place(|| cluster.restart_immediately());
    }
    until("everything is completed", || async { completed(&engine, &runs).await == runs.len() }).await;
    engine.finish().await;
    tokio::task::spawn_blocking(|| cluster.stop()).await.unwrap();
}
