//! How the schema of a database and that of this program stand to each other. The only reader of the migrator's own table.

use crate::error::StoreError;
use sqlx::{PgConnection, migrate::Migrator};
use std::collections::BTreeSet;

/// How a database's schema stands to the program's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// How many of the program's migrations the database lacks.
    pub pending: usize,
    /// How many migrations the database has seen that the program does not know: a newer release's.
    pub unknown: usize,
    /// Those of them without which no program can work on this schema.
    pub required: Vec<Requirement>,
}

/// A migration that a program has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Its version.
    pub version: i64,
    /// What those who do not know it would miss.
    pub reason: String,
}

/// Compares the database's schema with the migrations that the program knows. Costs a few small reads, whatever the load.
///
/// # Errors
/// If the database is out of reach.
pub async fn standing(
    connection: &mut PgConnection,
    migrators: &[&Migrator],
) -> Result<Standing, StoreError> {
    let failed = || StoreError::database("read which migrations were applied");
    let known: BTreeSet<i64> =
        migrators.iter().flat_map(|migrator| migrator.iter()).map(|migration| migration.version).collect();
    let applied: BTreeSet<i64> = if exists(connection, "_sqlx_migrations").await? {
        let query = sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success");
        query.fetch_all(&mut *connection).await.map_err(failed())?.into_iter().collect()
    } else {
        BTreeSet::new()
    };
    Ok(Standing {
        pending: known.difference(&applied).count(),
        unknown: applied.difference(&known).count(),
        required: requirements(connection)
            .await?
            .into_iter()
            .filter(|it| !known.contains(&it.version))
            .collect(),
    })
}

/// Those of a schema from before there were any: none.
async fn requirements(connection: &mut PgConnection) -> Result<Vec<Requirement>, StoreError> {
    if !exists(connection, "schema_requirements").await? {
        return Ok(Vec::new());
    }
    sqlx::query_as!(Requirement, "SELECT version, reason FROM schema_requirements ORDER BY version")
        .fetch_all(connection)
        .await
        .map_err(StoreError::database("read what the schema requires"))
}

async fn exists(connection: &mut PgConnection, table: &str) -> Result<bool, StoreError> {
    let query = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(table);
    query.fetch_one(connection).await.map_err(StoreError::database("look for a table"))
}
