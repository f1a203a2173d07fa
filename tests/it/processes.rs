//! Real worker processes that die, freeze and stop, and the program that starts everything by itself.

use crate::support::{
    TestApp,
    app::{Process, SHORT_LEASE, VISIBLE_PACE, data_dir, program, run, ticket},
    clients::Clients,
    until,
};
use chrono::{DateTime, TimeDelta, Utc};
use rustix::process::Signal;
use serde_json::{Value, json};

const DYING: [&str; 6] = ["--lease", SHORT_LEASE, "--pace", VISIBLE_PACE, "--capacity", "24"];

#[tokio::test(flavor = "multi_thread")]
async fn killed_workers_lose_nothing_and_repeat_no_checkpoint() {
    let app = TestApp::start().await;
    let tickets = app.submit(150).await;
    let mut workers: Vec<Process> = (0..3).map(|_| app.worker(&DYING)).collect();
    for _ in 0..4 {
        holds_runs(&app).await;
        workers.remove(0).kill();
        workers.push(app.worker(&DYING));
    }
    app.settle().await;
    let (_, queue) = app.get("/queue/stats").await;
    assert_eq!(queue["ready"], 0, "{queue}");
    let mut taken_over = 0;
    for id in &tickets {
        let (_, events) = app.get(&format!("/tickets/{id}/events?limit=500")).await;
        let of_type =
            |wanted: &str| events.as_array().unwrap().iter().filter(|e| e["event_type"] == wanted).count();
        taken_over += of_type("lease_expired");
        assert!(of_type("step_complete") >= 5, "{events}");
    }
    assert!(taken_over > 0, "no worker held a run when it died");
    app.finish().await;
}

async fn holds_runs(app: &TestApp) {
    until("workers hold runs", || async {
        let (_, queue) = app.get("/queue/stats").await;
        queue["leased"].as_i64().unwrap_or(0) > 8
    })
    .await;
}

/// By the clock that judges leases: never before the lease ends, and not later than twice its length after that.
#[tokio::test(flavor = "multi_thread")]
async fn the_runs_of_a_killed_worker_are_taken_over_soon_after_its_lease() {
    let bound = TimeDelta::seconds(2 * 3);
    let app = TestApp::start().await;
    app.submit(60).await;
    let doomed = app.worker(&["--lease", "3s", "--pace", VISIBLE_PACE, "--capacity", "24"]);
    holds_runs(&app).await;
    let name = format!("%-{}", doomed.id());
    doomed.kill();
    let pool = app.pool().await;
    let ends = "SELECT expires_at FROM workers WHERE name LIKE $1";
    let ends: DateTime<Utc> = sqlx::query_scalar(ends).bind(&name).fetch_one(&pool).await.unwrap();
    let heir = app.worker(&["--lease", "3s"]);
    app.settle().await;
    let taken_over = "SELECT at FROM run_events WHERE kind = 'lease_expired'";
    let taken_over: Vec<DateTime<Utc>> = sqlx::query_scalar(taken_over).fetch_all(&pool).await.unwrap();
    assert!(!taken_over.is_empty(), "the worker held no run when it died");
    for at in taken_over {
        assert!(at >= ends, "taken over at {at}, though the lease held until {ends}");
        assert!(at < ends + bound, "taken over at {at}, long after the lease ended at {ends}");
    }
    assert_eq!(heir.stop().await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_frozen_longer_than_its_lease_is_fenced() {
    let app = TestApp::start().await;
    app.submit(24).await;
    let frozen = app.worker(&DYING);
    holds_runs(&app).await;
    frozen.signal(Signal::STOP);
    let fresh = app.worker(&["--lease", SHORT_LEASE]);
    app.settle().await;
    frozen.signal(Signal::CONT);
    // It finds itself declared dead and comes back under a new id.
    let pool = app.pool().await;
    let name = format!("%-{}", frozen.id());
    until("the frozen worker registers anew", || async {
        let query = "SELECT EXISTS (SELECT FROM workers WHERE name LIKE $1 AND expires_at > now())";
        sqlx::query_scalar::<_, bool>(query).bind(&name).fetch_one(&pool).await.unwrap()
    })
    .await;
    assert_eq!(frozen.stop().await, 0);
    assert_eq!(fresh.stop().await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_worker_hands_its_runs_back_without_charging_an_attempt() {
    let app = TestApp::start().await;
    let tickets = app.submit(40).await;
    let first = app.worker(&DYING);
    holds_runs(&app).await;
    assert_eq!(first.stop().await, 0);
    let (_, queue) = app.get("/queue/stats").await;
    assert_eq!(queue["leased"], 0, "{queue}");
    let second = app.worker(&[]);
    app.settle().await;
    for id in &tickets {
        let (_, events) = app.get(&format!("/tickets/{id}/events?limit=500")).await;
        for event in events.as_array().unwrap() {
            assert_ne!(event["event_type"], "lease_expired", "{event}");
            assert!(event["attempt"].as_i64().unwrap() <= 1, "{event}");
        }
    }
    assert_eq!(second.stop().await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_tickets_complete_while_a_loop_kills_workers() {
    let app = TestApp::start().await;
    let part = tempfile::Builder::new().suffix(".jsonl").tempfile().unwrap();
    let lines: Vec<String> = (0..400).map(|number| ticket(number).to_string()).collect();
    std::fs::write(part.path(), lines.join("\n")).unwrap();
    let file = part.path();
    let mut workers: Vec<Process> = (0..3).map(|_| app.worker(&["--lease", SHORT_LEASE])).collect();
    let import = app.command(&["tickets", "import", file.to_str().unwrap(), "-o", "json"]);
    let importing = tokio::spawn(run(import));
    let pool = app.pool().await;
    for kill in 1..=5 {
        // Well apart, and in the middle of the work.
        until("a further part of the checkpoints is made", || async {
            let query = "SELECT count(*) FROM run_events WHERE kind = 'step_completed'";
            sqlx::query_scalar::<_, i64>(query).fetch_one(&pool).await.unwrap() >= 350 * kill
        })
        .await;
        workers.remove(0).kill();
        workers.push(app.worker(&["--lease", SHORT_LEASE]));
    }
    let imported = importing.await.unwrap();
    let summary: Value = serde_json::from_slice(&imported.stdout).unwrap();
    assert!(imported.status.success(), "{summary}");
    app.settle().await;
    let query = "SELECT count(*) FROM tickets WHERE status IN ('completed', 'awaiting_approval')";
    let settled: i64 = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
    assert_eq!(json!(settled), summary["created"]);
    app.finish().await;
}

const CLIENTS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn tickets_posted_while_the_api_is_killed_exist_once_and_complete() {
    let mut app = TestApp::start().await;
    let worker = app.worker(&[]);
    let clients = Clients::start(&app, CLIENTS);
    let (mut kills, mut untold) = (0, 0);
    // At the first kill nothing that was posted last is committed; of the further ones, one has to come after a commit
    // and before its answer.
    while kills < 3 || untold == 0 {
        clients.go_on(40).await;
        if kills == 0 {
            kill_before_the_commit(&app).await;
        } else {
            app.kill_api();
        }
        kills += 1;
        until("every client is cut off", || async { clients.cut_off() == kills * CLIENTS }).await;
        let more = app.tickets().await.checked_sub(clients.acknowledged());
        untold += more.expect("there are fewer tickets than acknowledged posts");
        app.start_api().await;
        clients.go_on_at(&app);
    }
    clients.go_on(40).await;
    assert_eq!(clients.refused(), 0, "posts were refused though the database was there");
    assert!(clients.replayed() >= untold, "a repetition does not say that its ticket was there");
    clients.finish(&app).await;
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}

/// Kills the API while its posts wait in the database for their keys' table.
async fn kill_before_the_commit(app: &TestApp) {
    let pool = app.pool().await;
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE idempotency IN EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    until("a post waits in the database", || async {
        let query =
            "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'idempotency'::regclass AND NOT granted)";
        sqlx::query_scalar::<_, bool>(query).fetch_one(&pool).await.unwrap()
    })
    .await;
    app.kill_api();
    lock.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn up_runs_a_database_of_its_own_whose_data_survives() {
    let directory = data_dir();
    let data = directory.path().join("ticketflow");
    let up = || {
        let mut command = program();
        command.args(["up", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data);
        command
    };
    let mut first = Process::start(up());
    let url = first.address().await;
    let http = reqwest::Client::new();
    let posted =
        http.post(format!("{url}/tickets")).header("prefer", "wait=30").json(&ticket(1)).send().await;
    let posted: Value = posted.unwrap().json().await.unwrap();
    let id = posted["ticket_id"].as_str().unwrap().to_owned();
    let second = run(up()).await;
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains(&first.id().to_string()), "it does not say who has the data directory: {said}");
    assert_eq!(first.stop().await, 0);
    let mut again = Process::start(up());
    let url = again.address().await;
    let found: Value = http.get(format!("{url}/tickets/{id}")).send().await.unwrap().json().await.unwrap();
    assert_eq!(found["id"], json!(id));
    // Killed, it leaves its server behind; the next one takes that over.
    again.kill();
    let mut last = Process::start(up());
    let url = last.address().await;
    let found: Value = http.get(format!("{url}/tickets/{id}")).send().await.unwrap().json().await.unwrap();
    assert_eq!(found["id"], json!(id));
    assert_eq!(last.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_a_takeover_and_a_clean_audit() {
    let directory = data_dir();
    let mut command = program();
    command.args(["demo", "--exit", "--json", "--listen", "127.0.0.1:0", "--data-dir"]);
    command.arg(directory.path().join("ticketflow"));
    let done = run(command).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let outcome: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert!(outcome["tickets"].as_array().unwrap().len() >= 40);
    assert_eq!(outcome["audit"]["violations"], json!([]));
    let takeovers = outcome["takeovers"].as_array().unwrap();
    assert!(!takeovers.is_empty());
    for takeover in takeovers {
        assert_eq!(takeover["step"], takeover["continued_with"], "{takeover}");
    }
}

/// The steps of a workflow, as the API lists them.
async fn steps_of(app: &TestApp, workflow: &str) -> Vec<String> {
    let (_, drawn) = app.get(&format!("/workflows/{workflow}/graph?format=dot")).await;
    let arrows =
        drawn.as_str().unwrap().lines().filter(|line| line.contains("->") && !line.contains("dashed"));
    arrows.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect()
}

async fn checkpoints(app: &TestApp, id: &str) -> Vec<String> {
    let (_, events) = app.get(&format!("/tickets/{id}/events?limit=500")).await;
    let completed = events.as_array().unwrap().iter().filter(|event| event["event_type"] == "step_complete");
    completed.map(|event| event["step_name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_the_triage_survives_the_death_of_its_worker() {
    let app = TestApp::start().await;
    let steps = steps_of(&app, "ticket_triage").await;
    assert_eq!(steps.len(), 6, "{steps:?}");
    for (position, step) in steps.iter().enumerate() {
        // About a parcel: what needs no approval runs to its end.
        let (_, posted) = app.post("/tickets", &ticket(2 + 5 * position)).await;
        let id = posted["ticket_id"].as_str().unwrap().to_owned();
        let doomed = app.worker(&["--lease", SHORT_LEASE, "--pace", "300ms"]);
        until("the worker is in the middle of the step", || async {
            let held = checkpoints(&app, &id).await.len() == position;
            let (_, run) = app.get(&format!("/tickets/{id}/run")).await;
            held && run["state"] == "leased" && run["step"] == json!(step)
        })
        .await;
        doomed.kill();
        let heir = app.worker(&["--lease", SHORT_LEASE]);
        until("the ticket is done", || async {
            let (_, found) = app.get(&format!("/tickets/{id}")).await;
            found["status"] == "completed"
        })
        .await;
        assert_eq!(checkpoints(&app, &id).await, steps, "killed at {step}");
        assert_eq!(heir.stop().await, 0);
    }
    app.finish().await;
}
