//! The rows that control actions lock and change: header, live row, and the way back of a finished run.

use crate::{
    error::StoreError,
    event::EventRecord,
    id::{DefinitionId, Epoch, RunId, Seq},
    status::{LiveState, RunStatus},
    store::advance::{Advance, EventColumns, RowAfter},
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// A run's header.
#[derive(Debug, Clone)]
pub struct Header {
    /// The run.
    pub id: RunId,
    /// Workflow and version it was enqueued with.
    pub definition: DefinitionId,
    /// Its queue.
    pub queue: String,
    /// Its priority.
    pub priority: i16,
    /// Its concurrency key.
    pub concurrency_key: Option<String>,
    /// What became of it.
    pub status: RunStatus,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When it was finished.
    pub finished_at: Option<DateTime<Utc>>,
    /// Run it was forked from.
    pub parent: Option<RunId>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Code of the error that failed it.
    pub error_code: Option<String>,
}

/// A run's live row.
#[derive(Debug, Clone)]
pub struct LiveRow {
    /// Its state.
    pub state: LiveState,
    /// When it is woken, or since when it is ready.
    pub wake_at: Option<DateTime<Utc>>,
    /// Step that runs or runs next.
    pub step: String,
    /// Last event.
    pub seq: Seq,
    /// Attempts of the step started.
    pub attempt: i32,
    /// Crashes of the step.
    pub crashes: i32,
    /// Fencing token.
    pub epoch: Epoch,
    /// Signals sent.
    pub signal_count: i32,
    /// Limits it counts against.
    pub slots: i16,
    /// Name of the worker that holds it.
    pub worker: Option<String>,
    /// When its worker's lease ends.
    pub lease_until: Option<DateTime<Utc>>,
}

/// Reads a run's header; `lock` keeps it locked for the rest of the transaction.
///
/// # Errors
/// If the database is out of reach or the row is corrupt.
pub async fn header(
    connection: &mut PgConnection,
    run: RunId,
    lock: bool,
) -> Result<Option<Header>, StoreError> {
    if lock {
        sqlx::query!(
            "SELECT FROM runs WHERE bucket = $1 AND id = $2 FOR UPDATE",
            run.bucket().as_i16(),
            run.as_uuid()
        )
        .execute(&mut *connection)
        .await
        .map_err(StoreError::database("lock a run"))?;
    }
    let row = sqlx::query!(
        r#"SELECT workflow, version, queue, priority, concurrency_key, status, created_at, finished_at,
                  parent_id AS "parent_id: RunId", traceparent, error_code
           FROM runs WHERE bucket = $1 AND id = $2"#,
        run.bucket().as_i16(),
        run.as_uuid(),
    )
    .fetch_optional(connection)
    .await
    .map_err(StoreError::database("read a run"))?;
    row.map(|row| {
        Ok(Header {
            id: run,
            definition: DefinitionId::new(&row.workflow, row.version),
            queue: row.queue,
            priority: row.priority,
            concurrency_key: row.concurrency_key,
            status: RunStatus::parse(&row.status)
                .ok_or_else(|| corrupt("runs", "status", run, &row.status))?,
            created_at: row.created_at,
            finished_at: row.finished_at,
            parent: row.parent_id,
            traceparent: row.traceparent,
            error_code: row.error_code,
        })
    })
    .transpose()
}

fn corrupt(table: &'static str, column: &'static str, run: RunId, found: &str) -> StoreError {
    StoreError::Corrupt {
        table,
        column,
        row: run.to_string(),
        problem: format!("{found} is not one of its values"),
    }
}

/// Reads a run's live row; `lock` keeps it locked for the rest of the transaction.
///
/// # Errors
/// If the database is out of reach or the row is corrupt.
pub async fn live(
    connection: &mut PgConnection,
    run: RunId,
    lock: bool,
) -> Result<Option<LiveRow>, StoreError> {
    if lock {
        sqlx::query!(
            "SELECT FROM live_runs WHERE bucket = $1 AND id = $2 FOR UPDATE",
            run.bucket().as_i16(),
            run.as_uuid(),
        )
        .execute(&mut *connection)
        .await
        .map_err(StoreError::database("lock a live run"))?;
    }
    let row = sqlx::query!(
        r#"SELECT run.state AS "state!", run.wake_at, run.step AS "step!", run.seq AS "seq!: Seq",
                  run.attempt AS "attempt!", run.crashes AS "crashes!", run.epoch AS "epoch!: Epoch",
                  run.signal_count AS "signal_count!", run.slots AS "slots!",
                  worker.name AS "worker?", worker.expires_at AS "lease_until?"
           FROM live_runs AS run LEFT JOIN workers AS worker ON worker.id = run.worker_id
           WHERE run.bucket = $1 AND run.id = $2"#,
        run.bucket().as_i16(),
        run.as_uuid(),
    )
    .fetch_optional(connection)
    .await
    .map_err(StoreError::database("read a live run"))?;
    row.map(|row| {
        Ok(LiveRow {
            state: LiveState::parse(&row.state)
                .ok_or_else(|| corrupt("live_runs", "state", run, &row.state))?,
            wake_at: row.wake_at,
            step: row.step,
            seq: row.seq,
            attempt: row.attempt,
            crashes: row.crashes,
            epoch: row.epoch,
            signal_count: row.signal_count,
            slots: row.slots,
            worker: row.worker,
            lease_until: row.lease_until,
        })
    })
    .transpose()
}

/// Changes the version a run's header names.
///
/// # Errors
/// If the database did not do it.
pub async fn set_version(connection: &mut PgConnection, run: RunId, version: i32) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE runs SET version = $3 WHERE bucket = $1 AND id = $2",
        run.bucket().as_i16(),
        run.as_uuid(),
        version,
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("change a run's version"))?;
    Ok(())
}

/// Appends events to a run that is not live, whose header the caller has locked.
///
/// # Errors
/// If the database did not do it.
pub async fn append_closed(
    connection: &mut PgConnection,
    run: RunId,
    events: &[EventRecord],
) -> Result<(), StoreError> {
    let mut columns = EventColumns::default();
    events.iter().for_each(|event| columns.push(0, run, event));
    sqlx::query!(
        "INSERT INTO run_events (
             bucket, run_id, seq, epoch, kind, step, attempt, actor, payload, duration_ms, at, hash
         )
         SELECT bucket, run_id, seq, epoch, kind, step, attempt, actor, payload::json, duration_ms, at, hash
         FROM unnest(
             $1::smallint[], $2::uuid[], $3::integer[], $4::bigint[], $5::text[], $6::text[], $7::integer[],
             $8::text[], $9::text[], $10::integer[], $11::timestamptz[], $12::bytea[]
         ) AS event (bucket, run_id, seq, epoch, kind, step, attempt, actor, payload, duration_ms, at, hash)",
        &columns.bucket,
        &columns.run,
        &columns.seq,
        &columns.epoch,
        &columns.kind,
        &columns.step as &[Option<String>],
        &columns.attempt,
        &columns.actor,
        &columns.payload,
        &columns.duration_ms as &[Option<i32>],
        &columns.at,
        &columns.hash,
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("append to a finished run"))?;
    Ok(())
}

/// Makes a finished run live again, with the row that `advance` leads to. Its header must be locked and the events of
/// `advance` be in its log.
///
/// # Errors
/// If the database did not do it.
pub async fn reopen(
    connection: &mut PgConnection,
    header: &Header,
    advance: &Advance,
    signal_count: i32,
) -> Result<(), StoreError> {
    let RowAfter::Live { state, wake_at, step, version, attempt, crashes, .. } = &advance.row else {
        return Ok(());
    };
    sqlx::query!(
        "WITH reopened AS (
             UPDATE runs SET status = 'live', finished_at = NULL, error_code = NULL WHERE bucket = $1 AND id = $2
         )
         INSERT INTO live_runs (
             bucket, id, workflow, version, queue, priority, concurrency_key, state, wake_at, step, seq, attempt,
             crashes, epoch, signal_count, last_hash
         ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        header.id.bucket().as_i16(),
        header.id.as_uuid(),
        &*header.definition.workflow,
        version,
        header.queue,
        header.priority,
        header.concurrency_key,
        state.as_str(),
        *wake_at,
        step.as_str(),
        advance.last_seq().0,
        attempt,
        crashes,
        advance.epoch_after.0,
        signal_count,
        advance.hash.as_bytes().as_slice(),
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("make a run live again"))?;
    Ok(())
}

/// Signals ever sent to a run.
///
/// # Errors
/// If the database is out of reach.
pub async fn signal_count(connection: &mut PgConnection, run: RunId) -> Result<i32, StoreError> {
    sqlx::query_scalar!(
        r#"SELECT coalesce(max(number), 0) AS "count!" FROM signals WHERE bucket = $1 AND run_id = $2"#,
        run.bucket().as_i16(),
        run.as_uuid(),
    )
    .fetch_one(connection)
    .await
    .map_err(StoreError::database("count signals"))
}

/// Moves a live row's place in the log on to `record`, whose event the caller appends. The row must be locked.
///
/// # Errors
/// If the database did not do it.
pub async fn move_log_on(
    connection: &mut PgConnection,
    run: RunId,
    record: &EventRecord,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE live_runs SET seq = $3, last_hash = $4 WHERE bucket = $1 AND id = $2 AND seq = $3 - 1",
        run.bucket().as_i16(),
        run.as_uuid(),
        record.seq.0,
        record.hash.as_bytes().as_slice(),
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("move a run's log on"))
    .and_then(|done| match done.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::database("move a run's log on")(sqlx::Error::RowNotFound)),
    })
}
