//! Workers and their leases: register, heartbeat, find runs of the dead, hand back.

use crate::{
    error::StoreError,
    id::{Bucket, Epoch, RunId, WorkerId},
    store::{claim::interval, limit},
    topology::only_bucket,
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::time::Duration;

/// What a worker says about itself.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Its id.
    pub id: WorkerId,
    /// Host and process id, for people.
    pub name: String,
    /// Queues it claims from.
    pub queues: Vec<String>,
    /// Definitions it can run, as `workflow@version`.
    pub definitions: Vec<String>,
    /// Runs it advances at once.
    pub capacity: i32,
}

/// A worker as others see it.
#[derive(Debug, Clone)]
pub struct WorkerRow {
    /// Its id.
    pub id: WorkerId,
    /// Host and process id.
    pub name: String,
    /// Queues it claims from.
    pub queues: Vec<String>,
    /// Definitions it can run.
    pub definitions: Vec<String>,
    /// Runs it advances at once.
    pub capacity: i32,
    /// `active` or `draining`.
    pub state: String,
    /// Since when.
    pub started_at: DateTime<Utc>,
    /// When its leases end unless it renews them.
    pub expires_at: DateTime<Utc>,
    /// Whether its leases hold now.
    pub alive: bool,
    /// Runs it holds.
    pub leased: i64,
}

/// Makes a worker known; returns the database's clock.
///
/// # Errors
/// If the database did not do it.
pub async fn register(
    connection: &mut PgConnection,
    registration: &Registration,
    lease: Duration,
) -> Result<DateTime<Utc>, StoreError> {
    let expires_at = sqlx::query_scalar!(
        "INSERT INTO workers (id, name, queues, definitions, capacity, state, started_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, 'active', engine_now(), engine_now() + $6::interval)
         RETURNING expires_at",
        registration.id.as_uuid(),
        registration.name,
        &registration.queues,
        &registration.definitions,
        registration.capacity,
        interval(lease),
    )
    .fetch_one(connection)
    .await
    .map_err(StoreError::database("register a worker"))?;
    Ok(expires_at - lease)
}

/// Renews a worker's lease. `None`: it was declared dead, and whatever it held may be another's by now.
///
/// # Errors
/// If the database did not do it.
pub async fn heartbeat(
    connection: &mut PgConnection,
    worker: WorkerId,
    lease: Duration,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    // Citus returns no function's value; the time it was follows from the lease's end.
    let expires_at = sqlx::query_scalar!(
        "UPDATE workers SET expires_at = engine_now() + $2::interval
         WHERE id = $1 AND expires_at > engine_now()
         RETURNING expires_at",
        worker.as_uuid(),
        interval(lease),
    )
    .fetch_optional(connection)
    .await
    .map_err(StoreError::database("renew a lease"))?;
    Ok(expires_at.map(|expires_at| expires_at - lease))
}

/// The runs a worker holds, as the database sees it.
///
/// # Errors
/// If the database is out of reach.
pub async fn held(
    connection: &mut PgConnection,
    worker: WorkerId,
) -> Result<Vec<(RunId, Epoch)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: RunId", epoch AS "epoch: Epoch" FROM live_runs WHERE state = 'leased' AND worker_id = $1"#,
        worker.as_uuid(),
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("list a worker's runs"))?;
    Ok(rows.into_iter().map(|row| (row.id, row.epoch)).collect())
}

/// Marks a worker as draining: it gets no more runs.
///
/// # Errors
/// If the database did not do it.
pub async fn drain(connection: &mut PgConnection, worker: WorkerId) -> Result<(), StoreError> {
    sqlx::query!("UPDATE workers SET state = 'draining' WHERE id = $1", worker.as_uuid())
        .execute(connection)
        .await
        .map_err(StoreError::database("drain a worker"))?;
    Ok(())
}

/// Takes a worker off the list.
///
/// # Errors
/// If the database did not do it.
pub async fn deregister(connection: &mut PgConnection, worker: WorkerId) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM workers WHERE id = $1", worker.as_uuid())
        .execute(connection)
        .await
        .map_err(StoreError::database("deregister a worker"))?;
    Ok(())
}

/// The statement, and what follows the two conditions on a run's key: nothing, or that it is of one bucket.
macro_rules! hand_back_query {
    ($mine:literal, $run:literal, $($argument:expr),+) => {
        sqlx::query!(
            "WITH mine AS (
                 -- Citus takes no clock in the COALESCE of an update.
                 SELECT run.bucket, run.id, run.slots, coalesce(run.wake_at, engine_now()) AS wake_at
                 FROM live_runs AS run
                 JOIN unnest($1::smallint[], $2::uuid[], $3::bigint[]) AS item (bucket, id, epoch)
                   ON run.bucket = item.bucket AND run.id = item.id AND run.epoch = item.epoch
                 WHERE run.worker_id = $4" + $mine + "
                 ORDER BY run.bucket, run.id
                 FOR UPDATE OF run
             )
             UPDATE live_runs AS run
             SET state = 'ready', wake_at = mine.wake_at, worker_id = NULL, deadline_at = NULL,
                 slots = 0, epoch = run.epoch + 1, attempt = greatest(run.attempt - 1, 0)
             FROM mine WHERE run.bucket = mine.bucket AND run.id = mine.id" + $run + "
             RETURNING mine.slots, run.queue, run.concurrency_key",
            $($argument),+
        )
        .map(|row| Freed { slots: row.slots, queue: row.queue, concurrency_key: row.concurrency_key })
    };
}

/// What a run that was handed back no longer occupies.
struct Freed {
    slots: i16,
    queue: String,
    concurrency_key: Option<String>,
}

/// Hands runs back that the worker has not finished, without charging the attempt that was started. The step will
/// start over elsewhere. Needs a transaction. Returns how many were handed back.
///
/// # Errors
/// If the database did not do it.
pub async fn hand_back(
    connection: &mut PgConnection,
    worker: WorkerId,
    runs: &[(RunId, Epoch)],
) -> Result<usize, StoreError> {
    let buckets: Vec<i16> = runs.iter().map(|(run, _)| run.bucket().as_i16()).collect();
    let ids: Vec<uuid::Uuid> = runs.iter().map(|(run, _)| run.as_uuid()).collect();
    let epochs: Vec<i64> = runs.iter().map(|(_, epoch)| epoch.0).collect();
    let mine = worker.as_uuid();
    let rows = match only_bucket(&buckets) {
        Some(bucket) => {
            let query = hand_back_query!(
                " AND run.bucket = $5",
                " AND run.bucket = $5",
                &buckets,
                &ids,
                &epochs,
                mine,
                bucket
            );
            query.fetch_all(&mut *connection).await
        }
        None => hand_back_query!("", "", &buckets, &ids, &epochs, mine).fetch_all(&mut *connection).await,
    };
    let rows = rows.map_err(StoreError::database("hand runs back"))?;
    let mut released = limit::Released::default();
    rows.iter().for_each(|row| released.add(row.slots, &row.queue, row.concurrency_key.as_deref()));
    limit::release(connection, &released).await?;
    Ok(rows.len())
}

/// A leased run that its worker lost.
#[derive(Debug, Clone)]
pub struct Orphan {
    /// The run.
    pub id: RunId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Attempts of the step started.
    pub attempt: i32,
    /// Limits it counts against.
    pub slots: i16,
    /// Its queue.
    pub queue: String,
    /// Its concurrency key.
    pub concurrency_key: Option<String>,
    /// Name of the worker that held it.
    pub worker: String,
    /// Whether its worker lives but the step ran past its deadline.
    pub overdue: bool,
}

/// The statement, and what follows its conditions: nothing, or that the run is of one bucket.
macro_rules! orphans_query {
    ($of:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Orphan,
            r#"SELECT run.id AS "id: RunId", run.epoch AS "epoch: Epoch", run.attempt, run.slots, run.queue,
                      run.concurrency_key,
                      coalesce((SELECT name FROM workers WHERE id = run.worker_id), run.worker_id::text) AS "worker!",
                      EXISTS (
                          SELECT FROM workers WHERE id = run.worker_id AND expires_at > engine_now()
                      ) AS "overdue!"
               FROM live_runs AS run
               -- No join with workers: a run that changed hands while its lock was waited for is judged by the worker
               -- that has it then.
               WHERE run.state = 'leased' AND run.workflow || '@' || run.version = ANY ($2)
                   AND (
                       NOT EXISTS (SELECT FROM workers WHERE id = run.worker_id AND expires_at > engine_now())
                       OR run.deadline_at <= engine_now()
                   )"# + $of + "
               ORDER BY run.bucket, run.id
               LIMIT $1
               FOR UPDATE OF run SKIP LOCKED",
            $($argument),+
        )
    };
}

/// Locks up to `limit` runs of these definitions whose worker is dead or whose step is past its deadline; of all
/// buckets, or of one.
///
/// # Errors
/// If the database is out of reach.
pub async fn orphans(
    connection: &mut PgConnection,
    definitions: &[String],
    limit: i64,
    bucket: Option<Bucket>,
) -> Result<Vec<Orphan>, StoreError> {
    let found = match bucket.map(Bucket::as_i16) {
        Some(bucket) => {
            let query = orphans_query!(" AND run.bucket = $3", limit, definitions, bucket);
            query.fetch_all(connection).await
        }
        None => orphans_query!("", limit, definitions).fetch_all(connection).await,
    };
    found.map_err(StoreError::database("look for runs of dead workers"))
}

/// Takes workers off the list that are dead and hold no run any more.
///
/// # Errors
/// If the database did not do it.
pub async fn bury(connection: &mut PgConnection) -> Result<u64, StoreError> {
    let failed = || StoreError::database("remove dead workers");
    let dead = sqlx::query_scalar!("SELECT id FROM workers WHERE expires_at <= engine_now()");
    let mut dead = dead.fetch_all(&mut *connection).await.map_err(failed())?;
    if dead.is_empty() {
        return Ok(0);
    }
    // Who is dead claims no more: what these hold now is all they ever will.
    let holding = sqlx::query_scalar!(
        r#"SELECT DISTINCT worker_id AS "worker_id!" FROM live_runs WHERE state = 'leased' AND worker_id = ANY ($1)"#,
        &dead,
    );
    let holding = holding.fetch_all(&mut *connection).await.map_err(failed())?;
    dead.retain(|worker| !holding.contains(worker));
    let done = sqlx::query!("DELETE FROM workers WHERE id = ANY ($1)", &dead).execute(connection).await;
    Ok(done.map_err(failed())?.rows_affected())
}

/// Every worker on the list, oldest first.
///
/// # Errors
/// If the database is out of reach.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<WorkerRow>, StoreError> {
    sqlx::query_as!(
        WorkerRow,
        r#"SELECT id AS "id: WorkerId", name, queues, definitions, capacity, state, started_at, expires_at,
                  expires_at > engine_now() AS "alive!",
                  coalesce(held.runs, 0) AS "leased!"
           FROM workers LEFT JOIN (
               SELECT worker_id, count(*) AS runs FROM live_runs WHERE state = 'leased' GROUP BY worker_id
           ) AS held ON held.worker_id = workers.id
           ORDER BY started_at, id"#,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("list workers"))
}

/// How many workers' leases hold. Does not look at runs.
///
/// # Errors
/// If the database is out of reach.
pub async fn count_alive(connection: &mut PgConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "alive!" FROM workers WHERE expires_at > engine_now()"#)
        .fetch_one(connection)
        .await
        .map_err(StoreError::database("count workers"))
}

/// Work that some worker has to do now and then.
#[expect(clippy::struct_excessive_bools, reason = "one independent question each, answered by one statement")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chores {
    /// A worker died or a step is past its deadline.
    pub reap: bool,
    /// A schedule is due.
    pub schedule: bool,
    /// A run is blocked by its concurrency key.
    pub unblock: bool,
    /// A run has been due for more than a second.
    pub line_up: bool,
    /// Idempotency keys have expired.
    pub sweep: bool,
}

impl Chores {
    /// Whatever may be due on Citus, where no statement looks at all tables at once: each chore looks for itself. There
    /// are no keys there for a run to be blocked by.
    pub const PERHAPS: Self = Self { reap: true, schedule: true, unblock: false, line_up: true, sweep: true };
}

/// Looks, in one statement, what there is to do.
///
/// # Errors
/// If the database is out of reach.
pub async fn chores(connection: &mut PgConnection) -> Result<Chores, StoreError> {
    sqlx::query_as!(
        Chores,
        r#"SELECT EXISTS (
               SELECT FROM workers WHERE expires_at <= engine_now()
           ) OR EXISTS (
               SELECT FROM live_runs WHERE state = 'leased' AND (
                   deadline_at <= engine_now() OR NOT EXISTS (SELECT FROM workers WHERE id = live_runs.worker_id)
               )
           ) AS "reap!",
           EXISTS (SELECT FROM schedules WHERE NOT paused AND next_at <= engine_now()) AS "schedule!",
           EXISTS (SELECT FROM live_runs WHERE state = 'blocked') AS "unblock!",
           EXISTS (
               SELECT FROM live_runs
               WHERE state IN ('sleeping', 'waiting') AND wake_at <= engine_now() - interval '1 second'
           ) AS "line_up!",
           EXISTS (SELECT FROM idempotency WHERE expires_at <= engine_now()) AS "sweep!""#,
    )
    .fetch_one(connection)
    .await
    .map_err(StoreError::database("look for chores"))
}
