//! Retention: months that ended long ago are dropped whole, log and headers, unless a run of theirs is still live; then
//! read models forget their runs bucket by bucket.
//!
//! The log goes first, for it must never go while a run can still be resumed; what a worker that dies in between leaves
//! unswept, the next one sweeps.

use crate::{
    Catalog,
    error::StoreError,
    store::retention::{self, Retired},
};
use sqlx::{Connection, PgConnection};
use std::time::Duration;

/// What a look at what is kept led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Nothing is older than it has to be.
    Kept,
    /// A month was dropped, or its traces in one bucket: there may be more.
    Dropped,
}

/// Drops one month that ended longer than `keep` ago, or the traces in one bucket of one that was dropped.
///
/// # Errors
/// If the database did not do it; what was done stays done.
pub async fn retire(
    connection: &mut PgConnection,
    catalog: &Catalog,
    keep: Duration,
) -> Result<Retention, StoreError> {
    if let Some(retired) = retention::unswept(connection).await? {
        sweep(connection, catalog, &retired).await?;
        return Ok(Retention::Dropped);
    }
    let dropped = retention::retire_month(connection, keep).await?;
    Ok(if dropped { Retention::Dropped } else { Retention::Kept })
}

async fn sweep(
    connection: &mut PgConnection,
    catalog: &Catalog,
    retired: &Retired,
) -> Result<(), StoreError> {
    let bucket = retired.next_bucket;
    let mut transaction =
        connection.begin().await.map_err(StoreError::database("begin to forget dropped runs"))?;
    retention::sweep_bucket(&mut transaction, bucket, &retired.ids).await?;
    for projection in catalog.iter().filter_map(|definition| definition.projection.as_ref()) {
        projection
            .forget(&mut transaction, bucket, &retired.ids)
            .await
            .map_err(StoreError::database("make a projection forget dropped runs"))?;
    }
    transaction.commit().await.map_err(StoreError::database("forget dropped runs"))?;
    retention::swept(connection, &retired.ids, bucket + 1).await
}
