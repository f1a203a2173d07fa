//! Which migrations a database has seen. The only reader of the migrator's own table.

use crate::error::StoreError;
use sqlx::{PgConnection, migrate::Migrator};
use std::collections::BTreeSet;

/// How many of the migrations the database lacks. Costs two small reads, whatever the load.
///
/// # Errors
/// If the database is out of reach.
pub async fn pending(connection: &mut PgConnection, migrators: &[&Migrator]) -> Result<usize, StoreError> {
    let failed = || StoreError::database("read which migrations were applied");
    let migrated = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL");
    let migrated: bool = migrated.fetch_one(&mut *connection).await.map_err(failed())?;
    let applied: Vec<i64> = if migrated {
        let query = sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success");
        query.fetch_all(connection).await.map_err(failed())?
    } else {
        Vec::new()
    };
    let applied: BTreeSet<i64> = applied.into_iter().collect();
    let known = migrators.iter().flat_map(|migrator| migrator.iter());
    Ok(known.filter(|migration| !applied.contains(&migration.version)).count())
}
