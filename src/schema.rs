//! The schema of the program's database: bringing it up to date, and refusing one that the program cannot work on.

use crate::{database::Database, exit::Exit, output::counted};
use anyhow::Context as _;
use sqlx::{PgPool, migrate::Migrator};
use ticketflow_engine::store::schema::{self, Standing};

/// The engine's tables and the tickets'.
const MIGRATORS: [&Migrator; 2] = [&ticketflow_engine::MIGRATOR, &ticketflow_tickets::MIGRATOR];

/// Both as one schema.
fn migrator() -> Migrator {
    let mut migrator =
        Migrator::with_migrations(MIGRATORS.iter().flat_map(|part| part.iter()).cloned().collect());
    // A newer release's. Whether this one can work beside it, the schema says itself.
    migrator.set_ignore_missing(true);
    migrator
}

/// Brings the schema up to date and the shipped articles in. Returns how it stood before.
pub(crate) async fn migrate(database: &Database) -> anyhow::Result<Standing> {
    // The lock that keeps two from migrating at once is a session's.
    let pool = database.direct()?.connect(2).await?.pool;
    let before = standing(&pool).await?;
    refuse_required(&before)?;
    apply(&pool).await?;
    pool.close().await;
    Ok(before)
}

/// The same for whoever knows what the database is.
pub(crate) async fn apply(pool: &PgPool) -> anyhow::Result<()> {
    migrator().run(pool).await.context("the schema could not be brought up to date")?;
    let mut connection = pool.acquire().await?;
    ticketflow_tickets::knowledge::seed(&mut connection).await.context("the articles could not be stored")?;
    Ok(())
}

/// How the database's schema stands to this program's.
pub(crate) async fn standing(pool: &PgPool) -> anyhow::Result<Standing> {
    let mut connection = pool.acquire().await?;
    Ok(schema::standing(&mut connection, &MIGRATORS).await?)
}

/// Refuses a database whose schema is not up to date, or has gone on without this release.
pub(crate) async fn require(pool: &PgPool) -> anyhow::Result<()> {
    let standing = standing(pool).await?;
    refuse_required(&standing)?;
    if standing.pending > 0 {
        let missing = counted(standing.pending, "migration");
        return Err(Exit::Failed.with(format!("the database lacks {missing}; run `ticketflow migrate`")));
    }
    if standing.unknown > 0 {
        tracing::warn!(
            migrations = standing.unknown,
            "the schema is ahead of this release, which can work on it; a newer release is being rolled out"
        );
    }
    Ok(())
}

fn refuse_required(standing: &Standing) -> anyhow::Result<()> {
    refusal(standing).map_or(Ok(()), |refusal| Err(Exit::Failed.with(refusal)))
}

/// Why this program cannot work on the schema, if it cannot.
pub(crate) fn refusal(standing: &Standing) -> Option<String> {
    let required = standing.required.first()?;
    Some(format!(
        "this release is too old for the database's schema: it does not know migration {} ({}); install the release \
         that migrated it",
        required.version, required.reason
    ))
}
