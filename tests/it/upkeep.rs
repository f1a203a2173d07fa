//! What workers do now and then so that the tables stay in shape.

use crate::support::{TestEngine, seconds};
use ticketflow_engine::store::stats;

async fn partitions(engine: &TestEngine) -> Vec<String> {
    let statement = "SELECT inhrelid::regclass::text FROM pg_inherits
        WHERE inhparent IN ('runs'::regclass, 'run_events'::regclass) ORDER BY 1";
    sqlx::query_scalar(statement).fetch_all(&engine.pool).await.unwrap()
}

/// Nobody looked after the partitions for months: rows of this month lie in the default partition, and it cannot be
/// split off any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_in_the_default_partition_keeps_no_other_month_from_getting_its_own() {
    let engine = TestEngine::builder().start().await;
    engine.advance_clock(seconds(200 * 24 * 3_600)).await;
    let run = engine.enqueue().await;
    let homeless: i64 =
        sqlx::query_scalar("SELECT count(*) FROM run_events_default").fetch_one(&engine.pool).await.unwrap();
    assert_eq!(homeless, 1);
    let before = partitions(&engine).await.len();
    let created = stats::create_partitions(&mut *engine.connection().await).await.unwrap();
    assert_eq!(created, 4, "two tables, two months to come");
    assert_eq!(partitions(&engine).await.len(), before + 4);
    assert_eq!(stats::create_partitions(&mut *engine.connection().await).await.unwrap(), 0);
    let worker = engine.hand("gardener").await;
    assert_eq!(worker.work().await.0, run, "a run in the default partition is a run like any other");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_partition_of_the_log_refuses_to_be_truncated() {
    let engine = TestEngine::builder().start().await;
    engine.advance_clock(seconds(100 * 24 * 3_600)).await;
    stats::create_partitions(&mut *engine.connection().await).await.unwrap();
    engine.enqueue().await;
    for partition in partitions(&engine).await.into_iter().filter(|name| name.starts_with("run_events")) {
        let truncate = format!("TRUNCATE {partition}");
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(truncate)).execute(&engine.pool).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{partition}: {refused}");
    }
    engine.finish().await;
}
