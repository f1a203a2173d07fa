//! Depth and age of the queues, read from the live rows when somebody asks.

use crate::{error::StoreError, store::bucket, topology::Topology};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

/// Live runs by state.
#[derive(Debug, Clone, Default, Serialize, PartialEq)]
pub struct QueueStats {
    /// May be claimed, due sleepers included.
    pub ready: i64,
    /// Ready, but their concurrency key is full.
    pub blocked: i64,
    /// Held by a worker.
    pub leased: i64,
    /// Until a time to come.
    pub sleeping: i64,
    /// For a signal.
    pub waiting: i64,
    /// By an operator.
    pub paused: i64,
    /// Ready, but no live worker knows their definition.
    pub unclaimable: i64,
    /// Age of the oldest ready run, in seconds; 0 if there is none.
    pub oldest_ready_seconds: f64,
}

/// Counts live runs by state.
///
/// # Errors
/// If the database is out of reach.
pub async fn queue(connection: &mut PgConnection) -> Result<QueueStats, StoreError> {
    sqlx::query_as!(
        QueueStats,
        r#"WITH run AS (
               SELECT CASE WHEN state = 'sleeping' AND wake_at <= engine_now() THEN 'ready' ELSE state END AS state,
                      wake_at, workflow || '@' || version AS definition
               FROM live_runs
           ), known AS (
               SELECT DISTINCT unnest(definitions) AS definition FROM workers WHERE expires_at > engine_now()
           )
           SELECT count(*) FILTER (WHERE state = 'ready') AS "ready!",
                  count(*) FILTER (WHERE state = 'blocked') AS "blocked!",
                  count(*) FILTER (WHERE state = 'leased') AS "leased!",
                  count(*) FILTER (WHERE state = 'sleeping') AS "sleeping!",
                  count(*) FILTER (WHERE state = 'waiting') AS "waiting!",
                  count(*) FILTER (WHERE state = 'paused') AS "paused!",
                  count(*) FILTER (WHERE state = 'ready' AND known.definition IS NULL) AS "unclaimable!",
                  coalesce(extract(epoch FROM engine_now() - min(wake_at) FILTER (WHERE state = 'ready')), 0)::float8
                      AS "oldest_ready_seconds!"
           FROM run LEFT JOIN known ON known.definition = run.definition"#,
    )
    .fetch_one(connection)
    .await
    .map_err(StoreError::database("count live runs"))
}

/// Age in seconds of the run that may be claimed and waits longest; 0 if there is none. Costs the same however many
/// runs there are, unlike [`queue`], which counts them; but on Citus every node reads those of its own that are ready.
///
/// # Errors
/// If the database is out of reach.
pub async fn oldest_ready_seconds(
    connection: &mut PgConnection,
    topology: Topology,
) -> Result<f64, StoreError> {
    let found = match topology {
        Topology::Single => {
            sqlx::query_file_scalar!("src/store/oldest_ready.sql").fetch_one(connection).await
        }
        // No recursion over shards.
        Topology::Citus => {
            let oldest = sqlx::query_scalar!(
                r#"SELECT coalesce(greatest(extract(epoch FROM engine_now() - min(wake_at)), 0), 0)::float8 AS "seconds!"
                   FROM live_runs WHERE state = 'ready' OR state = 'sleeping' AND wake_at <= engine_now()"#,
            );
            oldest.fetch_one(connection).await
        }
    };
    found.map_err(StoreError::database("find the oldest ready run"))
}

/// The database's clock.
///
/// # Errors
/// If the database is out of reach.
pub async fn now(connection: &mut PgConnection) -> Result<DateTime<Utc>, StoreError> {
    sqlx::query_scalar!(r#"SELECT engine_now() AS "now!""#)
        .fetch_one(connection)
        .await
        .map_err(StoreError::database("read the clock"))
}

/// Removes idempotency keys that have expired. Returns how many.
///
/// # Errors
/// If the database did not do it.
pub async fn sweep_idempotency(connection: &mut PgConnection) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "DELETE FROM idempotency WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM idempotency WHERE expires_at <= engine_now() LIMIT 1000 FOR UPDATE SKIP LOCKED
         ))",
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("remove expired idempotency keys"))?;
    Ok(done.rows_affected())
}

/// The same, bucket by bucket: for Citus.
///
/// # Errors
/// If the database did not do it; what was done in other buckets before stays done.
pub async fn sweep_idempotency_by_bucket(connection: &mut PgConnection) -> Result<u64, StoreError> {
    let mut swept = 0;
    for bucket in bucket::with_expired_keys(connection).await? {
        let done = sqlx::query!(
            "DELETE FROM idempotency WHERE bucket = $1 AND expires_at <= engine_now()",
            bucket.as_i16()
        )
        .execute(&mut *connection)
        .await
        .map_err(StoreError::database("remove a bucket's expired idempotency keys"))?;
        swept += done.rows_affected();
    }
    Ok(swept)
}

/// Creates the partitions of this month and the two that follow. Returns how many were missing.
///
/// # Errors
/// If the database did not do it.
pub async fn create_partitions(connection: &mut PgConnection) -> Result<i32, StoreError> {
    sqlx::query_scalar!(r#"SELECT create_partitions(engine_now(), 3) AS "created!""#)
        .fetch_one(connection)
        .await
        .map_err(StoreError::database("create partitions"))
}
