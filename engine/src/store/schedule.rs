//! Cron schedules: the rows, and taking those that are due.

use crate::{error::StoreError, id::RunId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// A schedule's row.
#[derive(Debug, Clone)]
pub struct ScheduleRow {
    /// Its name.
    pub name: String,
    /// Workflow it starts.
    pub workflow: String,
    /// Five-field cron expression, in UTC.
    pub cron: String,
    /// Input of every run, as JSON.
    pub input: String,
    /// `allow` or `skip`.
    pub overlap: String,
    /// Whether it rests.
    pub paused: bool,
    /// When it fires next.
    pub next_at: DateTime<Utc>,
    /// Run it started last.
    pub last_run_id: Option<RunId>,
}

/// Creates or replaces a schedule.
///
/// # Errors
/// If the database did not do it.
pub async fn put(connection: &mut PgConnection, schedule: &ScheduleRow) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO schedules (name, workflow, cron, input, overlap, paused, next_at)
         VALUES ($1, $2, $3, $4::text::json, $5, $6, $7)
         ON CONFLICT (name) DO UPDATE SET workflow = EXCLUDED.workflow, cron = EXCLUDED.cron,
             input = EXCLUDED.input, overlap = EXCLUDED.overlap, paused = EXCLUDED.paused,
             next_at = EXCLUDED.next_at",
        schedule.name,
        schedule.workflow,
        schedule.cron,
        schedule.input,
        schedule.overlap,
        schedule.paused,
        schedule.next_at,
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("store a schedule"))?;
    Ok(())
}

/// Removes a schedule; false if there was none.
///
/// # Errors
/// If the database did not do it.
pub async fn remove(connection: &mut PgConnection, name: &str) -> Result<bool, StoreError> {
    let done = sqlx::query!("DELETE FROM schedules WHERE name = $1", name)
        .execute(connection)
        .await
        .map_err(StoreError::database("remove a schedule"))?;
    Ok(done.rows_affected() > 0)
}

/// Every schedule, by name.
///
/// # Errors
/// If the database is out of reach.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<ScheduleRow>, StoreError> {
    sqlx::query_as!(
        ScheduleRow,
        r#"SELECT name, workflow, cron, input::text AS "input!", overlap, paused, next_at,
                  last_run_id AS "last_run_id: RunId"
           FROM schedules ORDER BY name"#,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("list schedules"))
}

/// Locks a schedule that is due and starts one of `workflows`, skipping those another process has locked.
///
/// # Errors
/// If the database is out of reach.
pub async fn lock_due(
    connection: &mut PgConnection,
    workflows: &[String],
) -> Result<Option<ScheduleRow>, StoreError> {
    sqlx::query_as!(
        ScheduleRow,
        r#"SELECT name, workflow, cron, input::text AS "input!", overlap, paused, next_at,
                  last_run_id AS "last_run_id: RunId"
           FROM schedules WHERE NOT paused AND next_at <= engine_now() AND workflow = ANY ($1)
           ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED"#,
        workflows,
    )
    .fetch_optional(connection)
    .await
    .map_err(StoreError::database("look for due schedules"))
}

/// Moves a schedule on to its next time.
///
/// # Errors
/// If the database did not do it.
pub async fn fired(
    connection: &mut PgConnection,
    name: &str,
    next_at: DateTime<Utc>,
    run: Option<RunId>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE schedules SET next_at = $2, last_run_id = coalesce($3, last_run_id) WHERE name = $1",
        name,
        next_at,
        run.map(RunId::as_uuid),
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("move a schedule on"))?;
    Ok(())
}

/// Stops a schedule that can never fire again as it stands.
///
/// # Errors
/// If the database did not do it.
pub async fn pause(connection: &mut PgConnection, name: &str) -> Result<(), StoreError> {
    sqlx::query!("UPDATE schedules SET paused = true WHERE name = $1", name)
        .execute(connection)
        .await
        .map_err(StoreError::database("pause a schedule"))?;
    Ok(())
}
