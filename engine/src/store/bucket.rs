//! Which buckets have something to do: the reads over all shards with which, on Citus, the work on single buckets
//! begins. What they find may be gone by then; whoever works on a bucket looks again, under its locks.

use crate::{error::StoreError, id::Bucket};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// A run that may be claimed, as far as the order of service goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    /// Lower is claimed first.
    pub(super) priority: i16,
    /// Since when it may be claimed.
    pub(super) wake_at: Option<DateTime<Utc>>,
    /// Where it is.
    pub(super) bucket: i16,
}

/// The ready runs of a queue that are to be served first.
pub(super) async fn ready(
    connection: &mut PgConnection,
    queue: &str,
    definitions: &[String],
    limit: i64,
) -> Result<Vec<Candidate>, StoreError> {
    sqlx::query_as!(
        Candidate,
        "SELECT priority, wake_at, bucket FROM live_runs
         WHERE state = 'ready' AND queue = $1 AND workflow || '@' || version::text = ANY ($2::text[])
         ORDER BY priority, wake_at LIMIT $3",
        queue,
        definitions,
        limit,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("look for buckets with ready runs"))
}

/// The sleepers and waiters of a queue whose time has come, longest due first.
pub(super) async fn due(
    connection: &mut PgConnection,
    queue: &str,
    definitions: &[String],
    limit: i64,
) -> Result<Vec<Candidate>, StoreError> {
    sqlx::query_as!(
        Candidate,
        "SELECT priority, wake_at, bucket FROM live_runs
         WHERE state IN ('sleeping', 'waiting') AND wake_at <= engine_now()
             AND queue = $1 AND workflow || '@' || version::text = ANY ($2::text[])
         ORDER BY wake_at LIMIT $3",
        queue,
        definitions,
        limit,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("look for buckets with runs that are due"))
}

/// Buckets with runs of these definitions whose worker is dead or whose step is past its deadline.
///
/// # Errors
/// If the database is out of reach.
pub(crate) async fn with_orphans(
    connection: &mut PgConnection,
    definitions: &[String],
) -> Result<Vec<Bucket>, StoreError> {
    let found = sqlx::query_scalar!(
        "SELECT DISTINCT run.bucket FROM live_runs AS run
         WHERE run.state = 'leased' AND run.workflow || '@' || run.version::text = ANY ($1::text[])
             AND (
                 NOT EXISTS (SELECT FROM workers WHERE id = run.worker_id AND expires_at > engine_now())
                 OR run.deadline_at <= engine_now()
             )",
        definitions,
    )
    .fetch_all(connection)
    .await;
    known(found.map_err(StoreError::database("look for buckets with runs of dead workers"))?)
}

/// Buckets with runs that have been due for more than a second.
pub(super) async fn with_late(connection: &mut PgConnection) -> Result<Vec<Bucket>, StoreError> {
    let found = sqlx::query_scalar!(
        "SELECT DISTINCT bucket FROM live_runs
         WHERE state IN ('sleeping', 'waiting') AND wake_at <= engine_now() - interval '1 second'",
    )
    .fetch_all(connection)
    .await;
    known(found.map_err(StoreError::database("look for buckets with runs to line up"))?)
}

/// Buckets with idempotency keys that have expired.
pub(super) async fn with_expired_keys(connection: &mut PgConnection) -> Result<Vec<Bucket>, StoreError> {
    let found =
        sqlx::query_scalar!("SELECT DISTINCT bucket FROM idempotency WHERE expires_at <= engine_now()")
            .fetch_all(connection)
            .await;
    known(found.map_err(StoreError::database("look for buckets with expired keys"))?)
}

fn known(found: Vec<i16>) -> Result<Vec<Bucket>, StoreError> {
    let read = |value: i16| {
        Bucket::from_i16(value).ok_or_else(|| StoreError::Corrupt {
            table: "live_runs",
            column: "bucket",
            row: value.to_string(),
            problem: "it is not within 0 and 255".to_owned(),
        })
    };
    found.into_iter().map(read).collect()
}
