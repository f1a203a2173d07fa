//! The statements of the hot path use the indexes they were written for, whatever the number of live runs.

use crate::support::{TestEngine, until};
use sqlx::{PgConnection, Row, postgres::PgRow};
use ticketflow_engine::store::claim::Place;

const CLAIM: &str = include_str!("../../engine/src/store/claim.sql");
const OLDEST_READY: &str = include_str!("../../engine/src/store/oldest_ready.sql");
const ADVANCE: &str = include_str!("../../engine/src/store/advance.sql");
const ADVANCE_IN_BUCKET: &str = include_str!("../../engine/src/store/advance_in_bucket.sql");

/// Live runs in all states, hardly any leased, with a header and one event each, as an overloaded system has them.
async fn fill(connection: &mut PgConnection, runs: i32) {
    let statement = "WITH run AS (
            SELECT number, overlay(gen_random_uuid()::text PLACING left(uuid_at(engine_now())::text, 13) FROM 1)::uuid AS id
            FROM generate_series(1, $1) AS number
        ), located AS (
            SELECT number, id, get_byte(uuid_send(id), 15)::smallint AS bucket FROM run
        ), key AS (
            INSERT INTO concurrency_keys (key, max_leased) SELECT 'bed/' || number, 1 FROM run WHERE number % 10 = 0
            ON CONFLICT DO NOTHING
        ), log AS (
            INSERT INTO run_events (bucket, run_id, seq, epoch, kind, step, attempt, actor, payload, at, hash)
            SELECT bucket, id, 0, 0, 'created', 'measure', 0, 'api:test', '{}', now(), sha256('') FROM located
        )
        INSERT INTO live_runs (bucket, id, workflow, version, queue, priority, concurrency_key, state, wake_at, step,
            seq, attempt, crashes, epoch, last_hash)
        SELECT bucket, id, 'greenhouse', 1, 'default', 100, CASE number % 10 WHEN 0 THEN 'bed/' || number END,
            CASE number % 4 WHEN 0 THEN 'sleeping' WHEN 1 THEN 'waiting' ELSE 'ready' END,
            now() + number % 1000 * interval '1 second', 'measure', 0, 0, 0, 0, sha256('')
        FROM located";
    sqlx::query(statement).bind(runs).execute(&mut *connection).await.unwrap();
    sqlx::query("ANALYZE live_runs, run_events, concurrency_keys").execute(connection).await.unwrap();
}

fn text(rows: &[PgRow]) -> String {
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

/// The plan for a claim of `limit` runs, made for these very values.
async fn claim_plan(
    engine: &TestEngine,
    connection: &mut PgConnection,
    keyed: Vec<String>,
    limit: i64,
) -> String {
    let worker = engine.hand("planner").await;
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN {CLAIM}")))
        .bind("default")
        .bind(vec!["greenhouse@1".to_owned()])
        .bind(limit)
        .bind(worker.id.as_uuid())
        .bind(sqlx::postgres::types::PgInterval { months: 0, days: 0, microseconds: 1_000_000 })
        .bind(0i16)
        .bind(keyed)
        .bind(Place::FIRST.priority)
        .bind(Place::FIRST.wake_at)
        .fetch_all(connection)
        .await
        .unwrap();
    text(&rows)
}

/// The plan that a prepared statement ends up with: made for no values in particular.
async fn generic_plan(connection: &mut PgConnection, query: &str, parameters: usize) -> String {
    let nulls = vec!["NULL"; parameters].join(", ");
    for statement in
        ["SET plan_cache_mode = force_generic_plan".to_owned(), format!("PREPARE hot AS {query}")]
    {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *connection).await.unwrap();
    }
    let arguments = if parameters == 0 { String::new() } else { format!("({nulls})") };
    let explain = format!("EXPLAIN EXECUTE hot{arguments}");
    let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).fetch_all(&mut *connection).await.unwrap();
    sqlx::raw_sql("DEALLOCATE hot; RESET plan_cache_mode").execute(connection).await.unwrap();
    text(&rows)
}

/// The plan for a batch of `size` checkpoints, made for these very values.
async fn advance_plan(connection: &mut PgConnection, statement: &str, size: usize) -> String {
    let literal = |value: &str, kind: &str| format!("array_fill({value}, ARRAY[{size}])::{kind}[]");
    let kinds = "smallint uuid bigint integer bigint integer text timestamptz text integer integer integer integer \
                 timestamptz bytea text text timestamptz integer smallint uuid integer bigint text text integer text \
                 text integer timestamptz bytea";
    let values = kinds.split_whitespace().map(|kind| match kind {
        "uuid" => literal("gen_random_uuid()", kind),
        "text" => literal("'x'::text", kind),
        "timestamptz" => literal("now()", kind),
        "bytea" => literal("sha256('')", kind),
        _ => literal("1", kind),
    });
    let mut query = format!("EXPLAIN {statement}").replace("$32", "1");
    for (position, value) in values.enumerate().collect::<Vec<_>>().into_iter().rev() {
        query = query.replace(&format!("${}", position + 1), &value);
    }
    text(&sqlx::raw_sql(sqlx::AssertSqlSafe(query)).fetch_all(connection).await.unwrap())
}

/// The partition of the log that holds everything; the others are empty, and read as such.
async fn log_partition(connection: &mut PgConnection) -> String {
    let statement = "SELECT DISTINCT tableoid::regclass::text FROM run_events";
    sqlx::query_scalar(statement).fetch_one(connection).await.unwrap()
}

fn assert_indexed(plan: &str, what: &str, log: &str) {
    assert!(!plan.contains("Seq Scan on live_runs"), "{what} reads every live run:\n{plan}");
    assert!(!plan.contains(&format!("Seq Scan on {log}")), "{what} reads every event:\n{plan}");
    assert!(!plan.contains("Seq Scan on concurrency_keys"), "{what} reads every key:\n{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hot_statements_use_their_indexes_at_every_size() {
    let engine = TestEngine::builder().start().await;
    let mut connection = engine.connection().await;
    let keyed = vec!["greenhouse@1".to_owned()];
    let mut total = 0;
    for size in [10, 1_000, 100_000] {
        fill(&mut connection, size - total).await;
        total = size;
        let log = log_partition(&mut connection).await;
        for batch in [1, 64, 256] {
            let plans = [
                ("the claim", claim_plan(&engine, &mut connection, Vec::new(), batch).await),
                ("the claim of keys", claim_plan(&engine, &mut connection, keyed.clone(), batch).await),
                ("advance", advance_plan(&mut connection, ADVANCE, batch.try_into().unwrap()).await),
                (
                    "advance in a bucket",
                    advance_plan(&mut connection, ADVANCE_IN_BUCKET, batch.try_into().unwrap()).await,
                ),
            ];
            for (what, plan) in plans {
                if size == 100_000 {
                    assert_indexed(&plan, what, &log);
                }
                let uses_leased = what.starts_with("advance") && plan.contains("live_runs_leased");
                assert!(!uses_leased, "advance reads the index on leased runs at {size}:\n{plan}");
            }
        }
        for (statement, parameters) in [(ADVANCE, 31), (ADVANCE_IN_BUCKET, 32)] {
            let plan = generic_plan(&mut connection, statement, parameters).await;
            assert!(!plan.contains("live_runs_leased"), "{plan}");
            if size == 100_000 {
                assert_indexed(&plan, "advance, prepared,", &log);
            }
        }
        if size == 100_000 {
            assert_indexed(&generic_plan(&mut connection, CLAIM, 9).await, "the claim, prepared,", &log);
            assert_indexed(&generic_plan(&mut connection, OLDEST_READY, 0).await, "the health check", &log);
        }
    }
    drop(connection);
    engine.close().await;
}

/// A step's update of the live row touches no indexed column, so it stays on its page.
#[tokio::test(flavor = "multi_thread")]
async fn updates_of_a_step_are_hot() {
    let mut engine = TestEngine::builder().workers(1).start().await;
    engine.enqueue_many(200).await;
    engine.drain().await;
    // The backends that did the work publish their counts when they end.
    engine.stop_workers().await;
    until("the counts are published", || async { hot_updates(&engine).await.0 >= 200 * 6 }).await;
    let (updates, hot) = hot_updates(&engine).await;
    // Of six updates one is the claim's, which changes an indexed column.
    assert!(hot * 10 >= updates * 6, "{hot} of {updates} updates were HOT");
    engine.finish().await;
}

async fn hot_updates(engine: &TestEngine) -> (i64, i64) {
    let statement = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'live_runs'";
    sqlx::query_as(statement).fetch_one(&engine.pool).await.unwrap()
}
