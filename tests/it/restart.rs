//! PostgreSQL dies and comes back while workers work: they go on by themselves.

use crate::support::{
    Act, Gate, TestApp, TestEngine, clients::Clients, cluster::Cluster, database::Database, until,
};
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

/// With the real processes: what is posted in the meantime is refused or kept, and neither of them has to be restarted.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tickets_posted_while_postgres_is_killed_exist_once_and_complete() {
    let cluster = tokio::task::spawn_blocking(Cluster::private).await.unwrap();
    let mut app = TestApp::start_on(Database::empty_on(cluster.url()).await).await;
    let mut worker = app.worker(&["--lease", "3s"]);
    let clients = Clients::start(&app, 8);
    for _ in 0..2 {
        clients.go_on(60).await;
        until("the worker holds runs", || async { app.get("/queue/stats").await.1["leased"] != 0 }).await;
        let refused = clients.refused();
        tokio::task::block_in_place(|| cluster.crash());
        until("posts are refused", || async { clients.refused() > refused }).await;
        tokio::task::block_in_place(|| cluster.recover());
        clients.go_on(60).await;
        assert!(app.api_runs() && worker.runs(), "a process ended with the database");
    }
    assert_eq!(clients.cut_off(), 0, "connections to the API broke");
    clients.finish(&app).await;
    assert!(app.api_runs() && worker.runs(), "a process ended after the database came back");
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
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
    let name = engine.direct_url().rsplit('/').next().unwrap().to_owned();
    let url = engine.direct_url().replace(&name, "postgres");
    let mut admin = sqlx::PgConnection::connect(&url).await.unwrap();
    for statement in [
        format!("ALTER DATABASE {name} SET default_transaction_read_only = {read_only}"),
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    ] {
        admin.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    }
}
