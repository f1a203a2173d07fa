//! What is dropped once it is older than it has to be kept, and what never is.

use crate::support::{Act, TestEngine, until};
use chrono::TimeDelta;
use serde_json::{json, value::to_raw_value};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};
use ticketflow_engine::{
    RunId,
    chain::Hash,
    client::EnqueueRequest,
    retention::{self, Retention},
    status::{LiveState, RunStatus},
    store::{control, enqueue::Guard, stats},
};
use ticketflow_tickets::triage::{APPROVAL_SIGNAL, WORKFLOW};
use ticketflow_workflows::TriageSettings;

const DAY: Duration = Duration::from_hours(24);

async fn count(engine: &TestEngine, table: &str) -> i64 {
    let statement = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(&engine.pool).await.unwrap()
}

/// Drops what is older than `keep`, as often as there is something; returns how often that was.
async fn retire(engine: &TestEngine, keep: Duration) -> usize {
    let mut times = 0;
    let mut connection = engine.connection().await;
    while retention::retire(&mut connection, &engine.catalog, keep).await.unwrap() == Retention::Dropped {
        times += 1;
    }
    times
}

/// Waits of the greenhouse rest for a signal.
async fn waiting(engine: &TestEngine) -> RunId {
    engine.script.set(|call| match call.arrival {
        None if call.step == "inspect" => Act::Wait("rain", None),
        _ => Act::Work,
    });
    let run = engine.enqueue().await;
    engine.reaches(run, LiveState::Waiting).await;
    engine.script.set(|_| Act::Work);
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_dropped_whole_and_never_while_it_holds_a_live_run() {
    let engine = TestEngine::builder().workers(1).start().await;
    let finished = engine.enqueue().await;
    engine.ends(finished, RunStatus::Completed).await;
    let waiting = waiting(&engine).await;

    engine.advance_clock(100 * DAY).await;
    stats::create_partitions(&mut *engine.connection().await).await.unwrap();
    let young = engine.enqueue().await;
    engine.ends(young, RunStatus::Completed).await;
    assert_eq!(retire(&engine, 200 * DAY).await, 0, "nothing is that old");
    retire(&engine, 30 * DAY).await;
    assert_eq!(engine.status(finished).await, RunStatus::Completed, "its month holds a live run");

    engine.signal(waiting, "rain", 3).await;
    engine.ends(waiting, RunStatus::Completed).await;
    assert_eq!(count(&engine, "signals").await, 1);
    assert!(retire(&engine, 30 * DAY).await > 0);
    for gone in [finished, waiting] {
        assert!(control::header(&mut *engine.connection().await, gone, false).await.unwrap().is_none());
        assert!(engine.log(gone).await.is_empty());
    }
    assert_eq!(count(&engine, "signals").await, 0);
    let retired: i64 =
        sqlx::query_scalar("SELECT max(runs) FROM retirements").fetch_one(&engine.pool).await.unwrap();
    assert_eq!(retired, 2, "what was dropped is on record");
    assert_eq!(engine.status(young).await, RunStatus::Completed);
    assert_eq!(retire(&engine, 30 * DAY).await, 0, "once");
    engine.finish().await;
}

/// A run that failed can be resumed as long as it is kept: that makes it live again.
#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_run_keeps_its_month() {
    let engine = TestEngine::builder().workers(1).script(|_| Act::Fail).start().await;
    let failed = engine.enqueue().await;
    engine.ends(failed, RunStatus::Failed).await;
    engine.advance_clock(100 * DAY).await;
    stats::create_partitions(&mut *engine.connection().await).await.unwrap();
    engine.script.set(|call| if call.arrival.is_none() { Act::Wait("rain", None) } else { Act::Work });
    engine.resume(failed, None).await;
    engine.reaches(failed, LiveState::Waiting).await;
    retire(&engine, 30 * DAY).await;
    assert_eq!(engine.status(failed).await, RunStatus::Live);
    engine.signal(failed, "rain", 1).await;
    engine.finish().await;
}

/// The resume that has not been committed yet is waited for, and seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_being_resumed_keeps_its_month() {
    let engine = TestEngine::builder().workers(1).script(|_| Act::Fail).start().await;
    let failed = engine.enqueue().await;
    engine.ends(failed, RunStatus::Failed).await;
    let other = engine.enqueue().await;
    engine.ends(other, RunStatus::Failed).await;
    engine.advance_clock(100 * DAY).await;
    stats::create_partitions(&mut *engine.connection().await).await.unwrap();
    let mut resume = engine.pool.begin().await.unwrap();
    let copy = "INSERT INTO live_runs (bucket, id, workflow, version, queue, priority, state, step, seq, attempt, crashes,
            epoch, last_hash)
        SELECT r.bucket, r.id, workflow, version, queue, priority, 'paused', 'plan', seq, 0, 0, 9, hash
        FROM runs AS r JOIN run_events AS e ON e.run_id = r.id WHERE r.id = $1 ORDER BY seq DESC LIMIT 1";
    sqlx::query(copy).bind(failed.as_uuid()).execute(&mut *resume).await.unwrap();
    let given_up = AtomicBool::new(false);
    let retiring = async {
        retire(&engine, 30 * DAY).await;
        given_up.store(true, Ordering::Relaxed);
    };
    let resuming = async {
        until("retention waits for the resume, or has given up", || async {
            count(&engine, "pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'").await > 0
                || given_up.load(Ordering::Relaxed)
        })
        .await;
        resume.commit().await.unwrap();
    };
    tokio::join!(retiring, resuming);
    assert_eq!(engine.status(failed).await, RunStatus::Failed, "its header is there");
    assert_eq!(engine.status(other).await, RunStatus::Failed);
    sqlx::query("DELETE FROM live_runs WHERE id = $1")
        .bind(failed.as_uuid())
        .execute(&engine.pool)
        .await
        .unwrap();
    engine.finish().await;
}

/// Statements that read the month keep it for the time being, and those that write are not held up for longer than a
/// second.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_being_read_is_dropped_another_time() {
    let engine = TestEngine::builder().workers(1).start().await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Completed).await;
    engine.advance_clock(100 * DAY).await;
    stats::create_partitions(&mut *engine.connection().await).await.unwrap();
    let mut reader = engine.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM run_events").fetch_all(&mut *reader).await.unwrap();
    let (dropped, waited) = tokio::join!(retire(&engine, 30 * DAY), async {
        let started = Instant::now();
        engine.enqueue().await;
        started.elapsed()
    });
    assert_eq!(dropped, 0);
    assert!(waited < Duration::from_secs(5), "held up for {waited:?}, on however busy a machine");
    reader.commit().await.unwrap();
    assert!(retire(&engine, 30 * DAY).await > 0);
    engine.finish().await;
}

/// What still names a dropped run is on its way out, and no lost run.
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_holds_between_the_drop_of_a_month_and_the_sweep_of_its_traces() {
    let engine = TestEngine::builder().start().await;
    let guard = Guard {
        key_hash: Hash::of(b"order 1"),
        request_hash: Hash::of(b"body"),
        window: TimeDelta::days(365),
    };
    let request = EnqueueRequest { guard: Some(guard), ..TestEngine::request("north") };
    let run = engine.client.enqueue(request).await.unwrap().run();
    assert_eq!(engine.hand("gardener").await.work().await.0, run);
    engine.advance_clock(100 * DAY).await;
    stats::create_partitions(&mut *engine.connection().await).await.unwrap();
    let mut connection = engine.connection().await;
    let dropped = retention::retire(&mut connection, &engine.catalog, 30 * DAY).await.unwrap();
    drop(connection);
    assert_eq!((dropped, count(&engine, "idempotency").await), (Retention::Dropped, 1));
    assert!(engine.log(run).await.is_empty());
    let report = engine.audit().await;
    assert!(report.is_clean(), "{:#?}", report.violations);
    retire(&engine, 30 * DAY).await;
    assert_eq!(count(&engine, "idempotency").await, 0);
    engine.finish().await;
}

/// The tickets of a dropped month go with it, approvals and all.
#[tokio::test(flavor = "multi_thread")]
async fn workers_drop_tickets_past_their_retention() {
    let mut engine = TestEngine::builder()
        .workers(1)
        .desk(|pool| ticketflow_workflows::catalog(TriageSettings::new(pool.clone())).unwrap())
        .start()
        .await;
    let refund = json!({
        "subject": "Charged twice",
        "body": "I was charged 49.90 EUR twice for invoice INV-2026-0042. Please refund the second charge.",
        "customer_id": "c-1",
    });
    let request = EnqueueRequest::new(WORKFLOW, to_raw_value(&refund).unwrap(), TestEngine::operator());
    let ticket = engine.client.enqueue(request).await.unwrap().run();
    engine.reaches(ticket, LiveState::Waiting).await;
    let decision = to_raw_value(&json!({ "approved": true, "decided_by": "grace" })).unwrap();
    engine.client.signal(ticket, APPROVAL_SIGNAL, &decision, &TestEngine::operator()).await.unwrap();
    engine.ends(ticket, RunStatus::Completed).await;
    let tables = ["tickets", "ticket_words", "approvals"];
    for table in tables {
        assert_eq!(count(&engine, table).await, 1, "{table}");
    }
    engine.advance_clock(100 * DAY).await;
    engine.options.retention = Some(30 * DAY);
    engine.add_worker().await;
    until("every trace is swept", || async {
        count(&engine, "retirements WHERE next_bucket = 256 AND runs > 0").await == 1
    })
    .await;
    for table in tables {
        assert_eq!(count(&engine, table).await, 0, "{table}");
    }
    engine.finish().await;
}
