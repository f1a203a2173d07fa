//! A new release takes the place of an old one while tickets come in. What the old one meets is a schema ahead of it: a
//! migration that it does not know has been applied.

use crate::support::{
    TestApp,
    app::{Process, program, run},
    clients::Clients,
    database::Database,
    until,
};
use reqwest::StatusCode;
use std::{collections::BTreeSet, sync::Mutex};

/// What a newer release's migration may do while this one still works: add.
const EXPAND: &str = "
    ALTER TABLE live_runs ADD COLUMN added_later integer;
    ALTER TABLE runs ADD COLUMN added_later text NOT NULL DEFAULT 'unknown';
    ALTER TABLE run_events ADD COLUMN added_later integer;
    ALTER TABLE tickets ADD COLUMN added_later jsonb;
    ALTER TABLE workers ADD COLUMN added_later integer;
    CREATE TABLE added_later (id bigint PRIMARY KEY);
    CREATE INDEX live_runs_added_later ON live_runs (added_later);
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    VALUES (20991231000001, 'add what comes later', true, '', 0)";

/// Applies a migration as an operator does: again, if it met running statements in a deadlock.
async fn apply(app: &TestApp, migration: &'static str) {
    let pool = app.pool().await;
    while let Err(error) = sqlx::raw_sql(migration).execute(&pool).await {
        assert!(
            error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("40P01")),
            "{error}"
        );
    }
}

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_release_is_rolled_out_under_load_without_losing_a_ticket() {
    let mut app = TestApp::start().await;
    let old_workers: Vec<Process> = (0..2).map(|_| app.worker(&["--lease", "3s"])).collect();
    let clients = Clients::start(&app, 8);
    clients.go_on(60).await;
    apply(&app, EXPAND).await;
    clients.go_on(60).await;
    // What has held a connection since before the migration works on beside those that start after it.
    let new_workers: Vec<Process> = (0..2).map(|_| app.worker(&["--lease", "3s"])).collect();
    let old_api = app.replace_api().await;
    clients.go_on_at(&app);
    for worker in old_workers {
        assert_eq!(worker.stop().await, 0);
    }
    clients.go_on(60).await;
    assert_eq!(old_api.stop().await, 0);
    clients.go_on(60).await;
    assert_eq!((clients.refused(), clients.cut_off()), (0, 0), "posts were refused, or broke off");
    clients.finish(&app).await;
    for worker in new_workers {
        assert_eq!(worker.stop().await, 0);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_says_that_the_schema_is_ahead_of_it_and_works() {
    let app = TestApp::start().await;
    apply(&app, EXPAND).await;
    let migrated = run(app.command(&["migrate"])).await;
    assert!(migrated.status.success(), "{}", said(&migrated));
    assert!(said(&migrated).contains("ahead of this release by 1 migration"), "{}", said(&migrated));
    let doctor = said(&run(app.command(&["doctor"])).await);
    assert!(doctor.contains("ok    the schema is ahead of this release by 1 migration"), "{doctor}");
    assert_eq!(app.get("/health/ready").await.0, StatusCode::OK);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_refuses_a_schema_that_took_away_what_it_uses() {
    let app = TestApp::start().await;
    apply(&app, EXPAND).await;
    let require = "INSERT INTO schema_requirements VALUES (20991231000001, 'tickets.subject is gone')";
    apply(&app, require).await;
    let (status, unready) = app.get("/health/ready").await;
    assert_eq!((status, &unready["status"]), (StatusCode::SERVICE_UNAVAILABLE, &"program_outdated".into()));
    for refused in [&["worker"][..], &["api", "--listen", "127.0.0.1:0"], &["migrate"], &["doctor"]] {
        let refused = run(app.command(refused)).await;
        assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
        let expected = "does not know migration 20991231000001 (tickets.subject is gone)";
        assert!(said(&refused).contains(expected), "{}", said(&refused));
    }
    // Of a release that knows the migration nothing is required.
    apply(&app, "DELETE FROM schema_requirements").await;
    assert_eq!(app.get("/health/ready").await.0, StatusCode::OK);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_cannot_get_a_lock_is_tried_again() {
    let database = Database::empty().await;
    let pool = database.direct_pool().await;
    let mut holding = pool.begin().await.unwrap();
    sqlx::raw_sql("CREATE TABLE workers ()").execute(&mut *holding).await.unwrap();
    let mut command = program();
    command.arg("migrate").env("DATABASE_URL", database.direct_url());
    let migration = tokio::spawn(run(command));
    let waits =
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    let tries = Mutex::new(BTreeSet::new());
    until("a second try waits as the first did", || async {
        let waiting = sqlx::query_scalar::<_, i32>(waits).fetch_all(&pool).await.unwrap();
        let mut tries = tries.lock().unwrap();
        tries.extend(waiting);
        tries.len() > 1
    })
    .await;
    holding.rollback().await.unwrap();
    let output = migration.await.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    pool.close().await;
    database.drop().await;
}
