//! Why a run does not move, and what the doctor says about it.

use crate::support::{TestApp, app::run};
use serde_json::{Value, json};
use std::process::Output;

/// A worker that takes triage runs, as its row shows it; no process stands behind it.
const WORKER: &str =
    "INSERT INTO workers (id, name, queues, definitions, capacity, state, started_at, expires_at)
    VALUES (gen_random_uuid(), 'ghost-1', '{default}', '{ticket_triage@1}', 8, 'active', engine_now(),
        engine_now() + $1 * interval '1 second')";

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What the doctor finds, without what the tests' own server lacks.
async fn findings(app: &TestApp, config: Option<&str>) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ticketflow.toml");
    std::fs::write(&file, config.unwrap_or_default()).unwrap();
    let mut command = app.command(&["doctor", "-o", "json"]);
    command.env("TICKETFLOW_CONFIG", &file);
    let said = run(command).await;
    let findings: Vec<Value> =
        serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{}", text(&said)));
    findings
}

fn bad<'a>(findings: &'a [Value], part: &str) -> &'a Value {
    let found = findings.iter().find(|finding| {
        finding["verdict"] == "bad" && finding["text"].as_str().unwrap_or_default().contains(part)
    });
    found.unwrap_or_else(|| panic!("nothing bad says {part:?}: {findings:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_whether_its_queue_its_key_or_its_workers_hold_it_up() {
    let app = TestApp::start().await;
    let id = app.submit(1).await.remove(0);
    let pool = app.pool().await;
    let execute = async |statement: &str| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&pool).await.unwrap();
    };
    let why = async || app.get(&format!("/tickets/{id}/run")).await.1["waits_because"].clone();
    assert_eq!(why().await, "no live worker claims from its queue and knows its workflow");
    sqlx::query(WORKER).bind(600.0).execute(&pool).await.unwrap();
    assert_eq!(why().await, "for a worker; one with a free slot will take it at once");
    execute("UPDATE workers SET state = 'draining'").await;
    assert_eq!(why().await, "for a worker with a free slot: all are busy");
    execute("INSERT INTO queues (name, max_leased, leased) VALUES ('default', 2, 2)").await;
    assert_eq!(why().await, "its queue default is at its limit: 2 of 2 runs are leased");
    bad(&findings(&app, None).await, "queue default is at its limit: 2 of 2");
    execute("UPDATE queues SET max_leased = NULL, leased = 0, paused = true").await;
    assert_eq!(why().await, "its queue default is paused");
    let explained = run(app.command(&["runs", "explain", &id])).await;
    assert!(text(&explained).contains("its queue default is paused"), "{}", text(&explained));
    let paused = findings(&app, None).await;
    assert!(bad(&paused, "default is paused")["fix"].to_string().contains("paused = false"), "{paused:?}");
    execute(
        "DELETE FROM queues; INSERT INTO concurrency_keys VALUES ('ticket_triage/c', 1, 1);
         UPDATE runs SET concurrency_key = 'ticket_triage/c'; UPDATE live_runs SET concurrency_key = 'ticket_triage/c'",
    )
    .await;
    assert_eq!(why().await, "its concurrency key ticket_triage/c is at its limit: 1 of 1 runs are leased");
    execute("UPDATE live_runs SET state = 'blocked'").await;
    let blocked =
        "for another run with the concurrency key ticket_triage/c to make room: 1 of 1 runs are leased";
    assert_eq!(why().await, blocked);
    execute(
        "DELETE FROM concurrency_keys; UPDATE runs SET concurrency_key = NULL;
        UPDATE live_runs SET state = 'ready', concurrency_key = NULL",
    )
    .await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tells_a_late_heartbeat_from_a_live_worker() {
    let app = TestApp::start().await;
    let pool = app.pool().await;
    let config = Some("[worker]\nlease_seconds = 30\n");
    sqlx::query(WORKER).bind(25.0).execute(&pool).await.unwrap();
    let well = findings(&app, config).await;
    let alive = |finding: &Value| finding["text"].to_string().contains("ghost-1 is alive");
    assert!(well.iter().any(alive), "{well:?}");
    // With a lease of twelve seconds at least eight are left of it after a beat.
    sqlx::query("UPDATE workers SET expires_at = engine_now() + interval '7 seconds'")
        .execute(&pool)
        .await
        .unwrap();
    let late = findings(&app, Some("[worker]\nlease_seconds = 12\n")).await;
    let said = bad(&late, "worker ghost-1")["text"].to_string();
    assert!(said.contains("may be dead") && said.contains("its lease ends in"), "{said}");
    assert!(bad(&late, "no worker is alive for certain")["fix"].to_string().contains("ticketflow worker"));
    sqlx::query("DELETE FROM workers").execute(&pool).await.unwrap();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_asks_for_the_database_of_the_api_that_answers() {
    let app = TestApp::start().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = app.command(&["doctor", "-o", "json", "--data-dir"]);
    command.arg(elsewhere.path()).env_remove("DATABASE_URL");
    let said = run(command).await;
    let findings: Vec<Value> =
        serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{}", text(&said)));
    let fix = bad(&findings, "no database")["fix"].to_string();
    assert!(fix.contains("--data-dir"), "{fix}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_does_not_exist_is_named_with_the_one_that_was_meant() {
    let app = TestApp::start().await;
    let config = "[worker]\nqueues = [\"defualt\"]\n[steps.clasify]\nmax_attempts = 2\n";
    let found = findings(&app, Some(config)).await;
    let step = bad(&found, "[steps.clasify]")["text"].clone();
    assert_eq!(
        step,
        json!(
            "[steps.clasify] in the configuration file: ticket_triage has no such step; did you mean classify?"
        )
    );
    assert!(bad(&found, "queue defualt")["text"].to_string().contains("did you mean default?"), "{found:?}");
    app.finish().await;
}
