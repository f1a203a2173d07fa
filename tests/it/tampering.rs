//! The log is append-only, and whoever changes it all the same is found out.

use crate::support::TestEngine;
use ticketflow_engine::{RunId, audit::Invariant, status::RunStatus};

async fn completed_run() -> (TestEngine, RunId) {
    let engine = TestEngine::builder().workers(1).start().await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Completed).await;
    (engine, run)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_refuses_to_be_changed() {
    let (engine, run) = completed_run().await;
    let partition: String =
        sqlx::query_scalar("SELECT tableoid::regclass::text FROM run_events WHERE run_id = $1 LIMIT 1")
            .bind(run.as_uuid())
            .fetch_one(&engine.pool)
            .await
            .unwrap();
    for table in ["run_events", &partition, "run_events_default"] {
        for statement in ["UPDATE {} SET actor = 'nobody'", "DELETE FROM {}", "TRUNCATE {}"] {
            if table == "run_events_default" && !statement.starts_with("TRUNCATE") {
                continue;
            }
            let statement = statement.replace("{}", table);
            let refused = sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(&engine.pool).await;
            let error = refused.expect_err(&statement).to_string();
            assert!(error.contains("append-only"), "{statement}: {error}");
        }
    }
    assert_eq!(engine.kinds(run).await.len(), 8);
    engine.finish().await;
}

/// Partitions that are created later are guarded as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_later_months_log_refuses_to_be_truncated() {
    let engine = TestEngine::builder().start().await;
    sqlx::query("SELECT create_partitions('2031-05-01', 1)").execute(&engine.pool).await.unwrap();
    let refused = sqlx::query("TRUNCATE run_events_2031_05").execute(&engine.pool).await;
    assert!(refused.unwrap_err().to_string().contains("append-only"));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_events_cannot_share_a_place_in_the_log() {
    let (engine, run) = completed_run().await;
    let refused =
        sqlx::query("INSERT INTO run_events SELECT * FROM run_events WHERE run_id = $1 AND seq = 3")
            .bind(run.as_uuid())
            .execute(&engine.pool)
            .await;
    let error = refused.unwrap_err();
    assert!(
        error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation),
        "{error}"
    );
    engine.finish().await;
}

/// Does to the log what only a superuser can, and returns which invariants the audit finds broken.
async fn found_out(statement: &'static str) -> Vec<Invariant> {
    let (engine, run) = completed_run().await;
    assert!(engine.audit().await.is_clean());
    let mut connection = engine.connection().await;
    sqlx::query("SET session_replication_role = replica").execute(&mut *connection).await.unwrap();
    let changed = sqlx::query(statement).bind(run.as_uuid()).execute(&mut *connection).await.unwrap();
    assert!(changed.rows_affected() > 0, "{statement}");
    drop(connection);
    let report = engine.audit().await;
    engine.close().await;
    report.violations.into_iter().map(|violation| violation.invariant).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_column_is_found() {
    for statement in [
        "UPDATE run_events SET payload = replace(payload::text, '60', '61')::json WHERE run_id = $1 AND seq = 3",
        "UPDATE run_events SET payload = (payload::text || ' ')::json WHERE run_id = $1 AND seq = 3",
        "UPDATE run_events SET actor = 'worker:somebody-else' WHERE run_id = $1 AND seq = 3",
        "UPDATE run_events SET at = at + interval '1 microsecond' WHERE run_id = $1 AND seq = 3",
        "UPDATE run_events SET step = 'plan' WHERE run_id = $1 AND seq = 3",
        "UPDATE run_events SET attempt = 2 WHERE run_id = $1 AND seq = 3",
        "UPDATE run_events SET epoch = epoch + 1 WHERE run_id = $1 AND seq = 3",
        "UPDATE run_events SET duration_ms = duration_ms + 1 WHERE run_id = $1 AND seq = 3",
        "UPDATE run_events SET kind = 'noted' WHERE run_id = $1 AND seq = 3",
        "UPDATE run_events SET hash = sha256(hash) WHERE run_id = $1 AND seq = 3",
    ] {
        assert!(found_out(statement).await.contains(&Invariant::I3), "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_event_is_found_wherever_it_stood() {
    for statement in [
        "DELETE FROM run_events WHERE run_id = $1 AND seq = 4",
        "DELETE FROM run_events WHERE run_id = $1 AND seq = 0",
        "UPDATE run_events SET seq = seq + 100 WHERE run_id = $1 AND seq > 4",
    ] {
        assert!(found_out(statement).await.contains(&Invariant::I3), "{statement}");
    }
    let at_the_end = found_out("DELETE FROM run_events WHERE run_id = $1 AND seq = 7").await;
    assert!(at_the_end.contains(&Invariant::I1), "the header knows better");
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped_and_added_events_are_found() {
    for statement in [
        "UPDATE run_events AS one
         SET payload = other.payload, step = other.step, hash = other.hash, at = other.at, duration_ms = other.duration_ms
         FROM run_events AS other
         WHERE one.run_id = $1 AND other.run_id = $1 AND (one.seq, other.seq) IN ((2, 3), (3, 2))",
        "INSERT INTO run_events
         SELECT bucket, run_id, 8, epoch, 'noted', step, attempt, actor, '{\"topic\":\"x\"}', duration_ms, at, hash
         FROM run_events WHERE run_id = $1 AND seq = 7",
    ] {
        assert!(found_out(statement).await.contains(&Invariant::I3), "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_runs_row_and_log_must_agree() {
    let engine = TestEngine::builder().start().await;
    let run = engine.enqueue().await;
    sqlx::query("UPDATE live_runs SET last_hash = sha256(last_hash) WHERE id = $1")
        .bind(run.as_uuid())
        .execute(&engine.pool)
        .await
        .unwrap();
    let report = engine.audit().await;
    assert_eq!(report.violations[0].invariant, Invariant::I3);
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_live_row_is_found() {
    let engine = TestEngine::builder().start().await;
    let run = engine.enqueue().await;
    sqlx::query("DELETE FROM live_runs WHERE id = $1")
        .bind(run.as_uuid())
        .execute(&engine.pool)
        .await
        .unwrap();
    let report = engine.audit().await;
    assert_eq!((report.violations[0].invariant, report.violations[0].run), (Invariant::I1, Some(run)));
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_nobody_ends_is_found() {
    let engine = TestEngine::builder().start().await;
    let run = engine.enqueue().await;
    engine.hand("gardener").await;
    sqlx::query(
        "UPDATE live_runs SET state = 'waiting', wake_at = engine_now() - interval '2 h' WHERE id = $1",
    )
    .bind(run.as_uuid())
    .execute(&engine.pool)
    .await
    .unwrap();
    let report = engine.audit().await;
    assert_eq!(report.violations[0].invariant, Invariant::I8);
    engine.close().await;
}

/// A run that a living worker forgot, and one that was set aside and never let in again.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_held_or_blocked_for_no_reason_is_found() {
    let engine = TestEngine::builder().start().await;
    let (forgotten, blocked) = (engine.enqueue().await, engine.enqueue().await);
    engine.hand("gardener").await.claim_one().await;
    let spoil = "WITH free AS (INSERT INTO concurrency_keys (key, max_leased) VALUES ('bed', 1))
        UPDATE live_runs SET deadline_at = deadline_at - interval '1 h', wake_at = wake_at - interval '2 h',
            concurrency_key = CASE state WHEN 'ready' THEN 'bed' END,
            state = CASE state WHEN 'ready' THEN 'blocked' ELSE state END";
    sqlx::query(spoil).execute(&engine.pool).await.unwrap();
    let report = engine.audit().await;
    let found: Vec<_> =
        report.violations.iter().map(|violation| (violation.invariant, violation.run)).collect();
    assert!(found.contains(&(Invariant::I8, Some(forgotten))), "{report:?}");
    assert!(found.contains(&(Invariant::I8, Some(blocked))), "{report:?}");
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_counts_wrongly_is_found() {
    let engine = TestEngine::builder().start().await;
    sqlx::query("INSERT INTO queues (name, max_leased, leased) VALUES ('default', 5, 2)")
        .execute(&engine.pool)
        .await
        .unwrap();
    let report = engine.audit().await;
    assert_eq!(report.violations[0].invariant, Invariant::I7);
    engine.close().await;
}
