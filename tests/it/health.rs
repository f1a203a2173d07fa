//! Health checks say what is wrong and cost the same under any load.

use crate::support::{
    TestApp, TestEngine,
    greenhouse::{at_once, greenhouse},
};
use reqwest::StatusCode;
use ticketflow_engine::{Catalog, Topology, store::stats};

/// Nobody can count the live runs while their table is locked.
#[tokio::test(flavor = "multi_thread")]
async fn readiness_does_not_look_at_runs() {
    let app = TestApp::start().await;
    app.submit(3).await;
    let pool = app.pool().await;
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE live_runs, runs, tickets IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let (status, ready) = app.get("/health/ready").await;
    assert_eq!((status, &ready["status"]), (StatusCode::OK, &"ready".into()), "{ready}");
    lock.rollback().await.unwrap();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_whose_schema_is_older_than_the_program_is_not_ready() {
    let app = TestApp::start().await;
    let pool = app.pool().await;
    let newest = "UPDATE _sqlx_migrations SET success = $1
        WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    sqlx::query(newest).bind(false).execute(&pool).await.unwrap();
    let (status, outdated) = app.get("/health/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(outdated["status"], "schema_outdated", "{outdated}");
    sqlx::query(newest).bind(true).execute(&pool).await.unwrap();
    assert_eq!(app.get("/health/ready").await.0, StatusCode::OK);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_lies_about_makes_the_queue_unhealthy() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/health").await.0, StatusCode::OK);
    app.submit(2).await;
    let (status, fresh) = app.get("/health").await;
    assert_eq!((status, &fresh["workers"]), (StatusCode::OK, &0.into()), "{fresh}");
    let pool = app.pool().await;
    let aged = "UPDATE live_runs SET wake_at = wake_at - interval '6 minutes'";
    sqlx::query(aged).execute(&pool).await.unwrap();
    let (status, stalled) = app.get("/health").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        (&stalled["queue"], &stalled["database"]),
        (&"unhealthy".into(), &"healthy".into()),
        "{stalled}"
    );
    app.finish().await;
}

/// The probe that health asks finds what counting every run finds, wherever the oldest stands.
#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_ready_run_is_found_without_counting() {
    let engine = TestEngine::builder()
        .catalog(|script| {
            let definition =
                greenhouse(1, script, at_once()).at_most_per_key(9, |order| Some(order.bed.clone()));
            Catalog::new([definition.build().unwrap()]).unwrap()
        })
        .start()
        .await;
    let runs = engine.enqueue_many(12).await;
    let mut connection = engine.connection().await;
    assert!(stats::oldest_ready_seconds(&mut connection, Topology::Single).await.unwrap() < 60.0);
    // Each in turn is made the oldest of all, in another place and state.
    let places = [
        ("state = 'ready'", 1),
        ("state = 'ready', queue = 'zzz', priority = 3", 2),
        ("state = 'ready', concurrency_key = NULL", 3),
        ("state = 'ready', concurrency_key = NULL, queue = 'aaa', priority = 900", 4),
        ("state = 'sleeping'", 5),
        ("state = 'ready', concurrency_key = NULL, priority = -5", 6),
    ];
    for ((place, hours), run) in places.into_iter().zip(runs) {
        let change = format!(
            "UPDATE live_runs SET {place}, wake_at = engine_now() - {hours} * interval '1 hour' WHERE id = $1"
        );
        sqlx::query(sqlx::AssertSqlSafe(change)).bind(run.as_uuid()).execute(&mut *connection).await.unwrap();
        let counted = stats::queue(&mut connection).await.unwrap().oldest_ready_seconds;
        for topology in [Topology::Single, Topology::Citus] {
            let found = stats::oldest_ready_seconds(&mut connection, topology).await.unwrap();
            assert!((found - f64::from(hours) * 3_600.0).abs() < 60.0, "{place}: {found}");
            assert!((found - counted).abs() < 60.0, "{place}: {found}");
        }
    }
    drop(connection);
    engine.close().await;
}
