//! Concurrency limits of queues and keys. Occupied slots are kept in counters by claim and release; a claim never
//! counts rows. A run remembers in `slots` which counters it occupies, so a limit may come and go while it runs.

use crate::error::StoreError;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;

/// Bit of `live_runs.slots`: the run counts against its queue's limit.
pub const QUEUE_SLOT: i16 = 1;
/// Bit of `live_runs.slots`: the run counts against its key's limit.
pub const KEY_SLOT: i16 = 2;

/// A queue as an operator set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// Its name.
    pub name: String,
    /// Most runs leased at once.
    pub max_leased: Option<i32>,
    /// Whether it hands out no run.
    pub paused: bool,
}

/// A limit and how much of it is taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupied {
    /// The queue's name or the key.
    pub name: String,
    /// Most runs leased at once; `None`: any number.
    pub max_leased: Option<i32>,
    /// Runs leased that count against the limit.
    pub leased: i32,
    /// Whether it hands out no run.
    pub paused: bool,
}

impl Occupied {
    /// Whether no more runs may be leased.
    pub fn is_full(&self) -> bool {
        self.max_leased.is_some_and(|limit| self.leased >= limit)
    }
}

/// Slots that runs gave up, by queue and by key.
#[derive(Debug, Default)]
pub struct Released {
    queues: BTreeMap<String, i32>,
    keys: BTreeMap<String, i32>,
}

impl Released {
    /// Notes that a run that occupied `slots` was let go.
    pub fn add(&mut self, slots: i16, queue: &str, key: Option<&str>) {
        if slots & QUEUE_SLOT != 0 {
            *self.queues.entry(queue.to_owned()).or_default() += 1;
        }
        if let Some(key) = key.filter(|_| slots & KEY_SLOT != 0) {
            *self.keys.entry(key.to_owned()).or_default() += 1;
        }
    }
}

/// What a worker has to know of the others and of the queues, read now and then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Workers that could take its place, and itself.
    pub fleet: usize,
    /// Every queue an operator has set something for, by name.
    pub queues: BTreeMap<String, QueueSettings>,
}

/// Reads the [`Surroundings`] of a worker that serves these queues and knows these definitions. One takes its place that
/// does too, is not about to stop, and whose lease holds.
///
/// # Errors
/// If the database is out of reach.
pub async fn surroundings(
    connection: &mut PgConnection,
    serves: &[String],
    knows: &[String],
) -> Result<Surroundings, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT fleet.alive AS "alive!", queues.name AS "name?", max_leased, paused AS "paused?"
           FROM (
               SELECT count(*) AS alive FROM workers
               WHERE state = 'active' AND expires_at > engine_now()
                   AND workers.queues @> $1::text[] AND definitions @> $2::text[]
           ) AS fleet
           LEFT JOIN queues ON true"#,
        serves,
        knows,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("read the queues' settings"))?;
    let mut found = Surroundings::default();
    for row in rows {
        found.fleet = usize::try_from(row.alive).unwrap_or(0);
        let (Some(name), Some(paused)) = (row.name, row.paused) else { continue };
        found.queues.insert(name.clone(), QueueSettings { name, max_leased: row.max_leased, paused });
    }
    Ok(found)
}

/// How every queue stands that an operator has set something for.
///
/// # Errors
/// If the database is out of reach.
pub async fn queues(connection: &mut PgConnection) -> Result<Vec<Occupied>, StoreError> {
    sqlx::query_as!(Occupied, "SELECT name, max_leased, leased, paused FROM queues ORDER BY name")
        .fetch_all(connection)
        .await
        .map_err(StoreError::database("read how the queues stand"))
}

/// How a concurrency key stands; `None`: no run ever had it.
///
/// # Errors
/// If the database is out of reach.
pub async fn key(connection: &mut PgConnection, key: &str) -> Result<Option<Occupied>, StoreError> {
    sqlx::query_as!(
        Occupied,
        r#"SELECT key AS name, max_leased AS "max_leased?", leased, false AS "paused!"
           FROM concurrency_keys WHERE key = $1"#,
        key,
    )
    .fetch_optional(connection)
    .await
    .map_err(StoreError::database("read how a concurrency key stands"))
}

/// Sets a queue's limit (`None`: none) and whether it is paused. Runs that are leased already do not count against a
/// new limit until they are claimed again.
///
/// # Errors
/// If the database did not do it.
pub async fn set_queue(connection: &mut PgConnection, settings: &QueueSettings) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO queues (name, max_leased, paused) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET max_leased = EXCLUDED.max_leased, paused = EXCLUDED.paused",
        settings.name,
        settings.max_leased,
        settings.paused,
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("set a queue's limit"))?;
    Ok(())
}

/// Locks a queue's row for the rest of the transaction and tells how many slots are free.
pub(super) async fn lock_queue(connection: &mut PgConnection, queue: &str) -> Result<i64, StoreError> {
    let free = sqlx::query_scalar!(
        r#"SELECT CASE WHEN paused THEN 0 ELSE coalesce(max_leased - leased, 0) END AS "free!"
           FROM queues WHERE name = $1 FOR UPDATE"#,
        queue,
    )
    .fetch_optional(connection)
    .await
    .map_err(StoreError::database("lock a queue"))?;
    Ok(free.unwrap_or(0).into())
}

pub(super) async fn occupy_queue(
    connection: &mut PgConnection,
    queue: &str,
    runs: usize,
) -> Result<(), StoreError> {
    let runs = i32::try_from(runs).unwrap_or(i32::MAX);
    sqlx::query!("UPDATE queues SET leased = leased + $2 WHERE name = $1", queue, runs)
        .execute(connection)
        .await
        .map_err(StoreError::database("occupy a queue's slots"))?;
    Ok(())
}

/// Makes sure that a key has a counter, and keeps it from being swept for the rest of the transaction.
///
/// # Errors
/// If the database did not do it.
pub(crate) async fn ensure_key(
    connection: &mut PgConnection,
    key: &str,
    max_leased: i32,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO concurrency_keys (key, max_leased) VALUES ($1, $2)
         ON CONFLICT (key) DO UPDATE SET max_leased = EXCLUDED.max_leased",
        key,
        max_leased,
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("make sure of a key's counter"))?;
    Ok(())
}

/// Gives slots back and makes as many blocked runs of the freed keys ready again. Part of the transaction that let
/// the runs go, after it took their locks.
///
/// # Errors
/// If the database did not do it.
pub async fn release(connection: &mut PgConnection, released: &Released) -> Result<(), StoreError> {
    for (queue, count) in &released.queues {
        sqlx::query!("UPDATE queues SET leased = greatest(leased - $2, 0) WHERE name = $1", queue, count)
            .execute(&mut *connection)
            .await
            .map_err(StoreError::database("give back a queue's slots"))?;
    }
    for (key, count) in &released.keys {
        sqlx::query!(
            "UPDATE concurrency_keys SET leased = greatest(leased - $2, 0) WHERE key = $1",
            key,
            count
        )
        .execute(&mut *connection)
        .await
        .map_err(StoreError::database("give back a key's slots"))?;
        unblock(connection, key, (*count).into()).await?;
    }
    Ok(())
}

async fn unblock(connection: &mut PgConnection, key: &str, count: i64) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE live_runs AS run SET state = 'ready'
         FROM (
             SELECT bucket, id FROM live_runs
             WHERE state = 'blocked' AND concurrency_key = $1
             ORDER BY priority, wake_at LIMIT $2
             FOR UPDATE SKIP LOCKED
         ) AS next
         WHERE run.bucket = next.bucket AND run.id = next.id",
        key,
        count,
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("unblock runs of a key"))?;
    Ok(())
}

/// Makes blocked runs of keys with free slots ready, as many as there are slots, and at most 1,000. Release does that at
/// once where it can see the run; this, called now and then, catches a run that was blocked while the slot was being
/// given back. Returns how many.
///
/// # Errors
/// If the database did not do it.
pub async fn unblock_missed(connection: &mut PgConnection) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "WITH open AS (
             SELECT blocked.concurrency_key, key.max_leased - key.leased AS free
             FROM (SELECT DISTINCT concurrency_key FROM live_runs WHERE state = 'blocked') AS blocked
             LEFT JOIN concurrency_keys AS key ON key.key = blocked.concurrency_key
             WHERE key.max_leased IS NULL OR key.leased < key.max_leased
         ), next AS (
             SELECT first.bucket, first.id
             FROM open CROSS JOIN LATERAL (
                 SELECT bucket, id FROM live_runs
                 WHERE state = 'blocked' AND concurrency_key = open.concurrency_key
                 ORDER BY priority, wake_at
                 LIMIT least(open.free, 1000)
             ) AS first
             LIMIT 1000
         ), locked AS (
             -- Whoever holds a lock knows better; waiting for it could only be in vain.
             SELECT run.bucket, run.id
             FROM live_runs AS run JOIN next ON run.bucket = next.bucket AND run.id = next.id
             WHERE run.state = 'blocked'
             ORDER BY run.bucket, run.id
             FOR UPDATE OF run SKIP LOCKED
         )
         UPDATE live_runs AS run SET state = 'ready'
         FROM locked WHERE run.bucket = locked.bucket AND run.id = locked.id",
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("unblock runs"))?;
    Ok(done.rows_affected())
}

/// Removes counters of keys that no live run has. Returns how many.
///
/// # Errors
/// If the database did not do it.
pub async fn sweep_keys(connection: &mut PgConnection) -> Result<u64, StoreError> {
    let mut transaction = connection.begin().await.map_err(StoreError::database("begin to sweep keys"))?;
    let idle = sqlx::query_scalar!(
        "SELECT key FROM concurrency_keys WHERE leased = 0 ORDER BY key COLLATE \"C\" FOR UPDATE SKIP LOCKED",
    )
    .fetch_all(&mut *transaction)
    .await
    .map_err(StoreError::database("look for idle keys"))?;
    // A statement of its own, whose snapshot has every run that was enqueued before the locks were taken. One that
    // comes later waits for them, and makes the counter anew.
    let done = sqlx::query!(
        "DELETE FROM concurrency_keys WHERE key = ANY ($1)
         AND NOT EXISTS (SELECT FROM live_runs WHERE concurrency_key = concurrency_keys.key)",
        &idle,
    )
    .execute(&mut *transaction)
    .await
    .map_err(StoreError::database("remove idle keys"))?;
    transaction.commit().await.map_err(StoreError::database("commit swept keys"))?;
    Ok(done.rows_affected())
}
