//! PostgreSQL dies and comes back while workers work: they go on by themselves.

use crate::support::{Act, Gate, TestEngine, cluster::Cluster, until};
use sqlx::{Connection, Executor};
use std::time::Duration;
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
        .options(|options| options.lease = Duration::from_secs(3))
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

/// After a fail-over a worker may find itself on a standby for a while: nothing is lost, and no run fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_read_only_for_a_while_is_waited_out() {
    let engine = TestEngine::builder().workers(1).start().await;
    let gate = Gate::new();
    let at = gate.clone();
    engine.script.set(move |call| if call.step == "water" { Act::Pass(at.clone()) } else { Act::Work });
    let run = engine.enqueue().await;
    gate.reached().await;
    set_read_only(&engine, true).await;
    gate.open();
    let refused = engine.ends(run, RunStatus::Failed);
    assert!(
        tokio::time::timeout(Duration::from_millis(500), refused).await.is_err(),
        "the run must not fail"
    );
    set_read_only(&engine, false).await;
    engine.ends(run, RunStatus::Completed).await;
    assert_eq!(engine.script.calls_of(run, "water").len(), 1);
    engine.finish().await;
}

async fn set_read_only(engine: &TestEngine, read_only: bool) {
    let name = engine.url().rsplit('/').next().unwrap().to_owned();
    let url = engine.url().replace(&name, "postgres");
    let mut admin = sqlx::PgConnection::connect(&url).await.unwrap();
    for statement in [
        format!("ALTER DATABASE {name} SET default_transaction_read_only = {read_only}"),
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    ] {
        admin.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    }
}
