//! The schema of the program's database: bringing it up to date, and refusing one that the program cannot work on.

use crate::{database::Database, exit::Exit, output::counted};
use anyhow::Context as _;
use backon::{ExponentialBuilder, Retryable};
use sqlx::{
    Connection, PgPool,
    migrate::{Migrate, MigrateError, Migrator},
};
use std::time::Duration;
use ticketflow_engine::store::schema::{self, Standing};

/// Longest that a migration waits for a lock. All that comes after it waits behind it for as long.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '2s'";
/// Longest pause before a migration is tried again.
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// Times that a migration is tried again which could not get its locks.
const TRIES_MORE: usize = 10;

/// The engine's tables and the tickets'.
const MIGRATORS: [&Migrator; 2] = [&ticketflow_engine::MIGRATOR, &ticketflow_tickets::MIGRATOR];

/// Both as one schema.
fn migrator() -> Migrator {
    let mut migrator =
        Migrator::with_migrations(MIGRATORS.iter().flat_map(|part| part.iter()).cloned().collect());
    // A newer release's. Whether this one can work beside it, the schema says itself.
    migrator.set_ignore_missing(true);
    // The lock is taken before, for as long as it takes.
    migrator.set_locking(false);
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
    let delays =
        ExponentialBuilder::default().with_jitter().with_max_delay(LONGEST_DELAY).with_max_times(TRIES_MORE);
    (|| migrate_once(pool))
        .retry(delays)
        .when(lacks_lock)
        .notify(|error, delay| {
            let error = error as &dyn std::error::Error;
            tracing::warn!(
                error,
                ?delay,
                "a migration met statements that hold its locks; it is tried again"
            );
        })
        .await
        .context("the schema could not be brought up to date")?;
    let mut connection = pool.acquire().await?;
    ticketflow_tickets::knowledge::seed(&mut connection).await.context("the articles could not be stored")?;
    Ok(())
}

/// On a connection that is closed whatever happens: the lock that keeps two from migrating at once goes with it.
async fn migrate_once(pool: &PgPool) -> Result<(), MigrateError> {
    let mut connection = pool.acquire().await?.detach();
    connection.lock().await?;
    sqlx::raw_sql(LOCK_TIMEOUT).execute(&mut connection).await?;
    migrator().run(&mut connection).await?;
    // What it did stands, however this ends.
    drop(connection.close().await);
    Ok(())
}

/// Whether a migration was rolled back only because running statements had locks that it needs. One that is in no
/// transaction is not rolled back: what it left half done, as an invalid index, a person has to remove.
fn lacks_lock(error: &MigrateError) -> bool {
    let is_whole = |version: i64| migrator().iter().any(|one| one.version == version && !one.no_tx);
    let source = if let MigrateError::Execute(source) = error {
        source
    } else if let MigrateError::ExecuteMigration(source, version) = error
        && is_whole(*version)
    {
        source
    } else {
        return false;
    };
    // Deadlock, and lock_timeout.
    source
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| ["40P01", "55P03"].contains(&&*code))
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
