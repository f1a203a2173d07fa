//! What retention dropped, and what it left behind.

use crate::error::StoreError;
use sqlx::PgConnection;
use std::{ops::Range, time::Duration};
use uuid::Uuid;

/// Buckets there are.
pub(crate) const BUCKETS: i16 = 256;

/// A dropped month whose runs are still named here and there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Retired {
    /// Ids of its runs.
    pub(crate) ids: Range<Uuid>,
    /// First bucket in which they may be named.
    pub(crate) next_bucket: i16,
}

/// Drops the oldest month that ended longer than `keep` ago and holds no live run. Returns whether there was one.
pub(crate) async fn retire_month(connection: &mut PgConnection, keep: Duration) -> Result<bool, StoreError> {
    let keep = super::claim::interval(keep);
    sqlx::query_scalar!(r#"SELECT retire_month(engine_now() - $1::interval) AS "retired!""#, keep)
        .fetch_one(connection)
        .await
        .map_err(StoreError::database("drop a month's partitions"))
}

/// The oldest dropped month whose runs may still be named somewhere.
pub(crate) async fn unswept(connection: &mut PgConnection) -> Result<Option<Retired>, StoreError> {
    let row = sqlx::query!(
        "SELECT low, high, next_bucket FROM retirements WHERE next_bucket < $1 ORDER BY low LIMIT 1",
        BUCKETS
    );
    let row =
        row.fetch_optional(connection).await.map_err(StoreError::database("look for dropped months"))?;
    Ok(row.map(|row| Retired { ids: row.low..row.high, next_bucket: row.next_bucket }))
}

/// Removes what one bucket of the engine's tables still says of dropped runs.
pub(crate) async fn sweep_bucket(
    connection: &mut PgConnection,
    bucket: i16,
    ids: &Range<Uuid>,
) -> Result<(), StoreError> {
    let failed = || StoreError::database("forget dropped runs");
    sqlx::query!(
        "DELETE FROM signals WHERE bucket = $1 AND run_id >= $2 AND run_id < $3",
        bucket,
        ids.start,
        ids.end
    )
    .execute(&mut *connection)
    .await
    .map_err(failed())?;
    // A key that named such a run is free again.
    sqlx::query!(
        "DELETE FROM idempotency WHERE bucket = $1 AND run_id >= $2 AND run_id < $3",
        bucket,
        ids.start,
        ids.end
    )
    .execute(connection)
    .await
    .map_err(failed())?;
    Ok(())
}

/// Notes that the buckets below `next_bucket` are swept.
pub(crate) async fn swept(
    connection: &mut PgConnection,
    ids: &Range<Uuid>,
    next_bucket: i16,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE retirements SET next_bucket = $2 WHERE low = $1 AND next_bucket < $2",
        ids.start,
        next_bucket
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("note what is swept"))?;
    Ok(())
}
