//! Claim: leases a batch of runs to a worker and returns each with its log, so that no read per step follows.

use crate::{
    error::StoreError,
    event::EventRecord,
    id::{Epoch, RunId, WorkerId},
    store::{
        bucket::{self, Candidate},
        event::{self, EventRow},
        limit,
    },
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, postgres::types::PgInterval};
use std::{collections::BTreeSet, time::Duration};

/// A place in the order in which the ready runs of a queue are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Lower comes first.
    pub priority: i16,
    /// Since when it is ready; of the same priority, the older comes first.
    pub wake_at: DateTime<Utc>,
}

impl Place {
    /// Before all runs.
    pub const FIRST: Self = Self { priority: i16::MIN, wake_at: DateTime::UNIX_EPOCH };
}

/// A run that this worker may advance until its lease or epoch is gone.
#[derive(Debug, Clone)]
pub struct LeasedRun {
    /// The run.
    pub id: RunId,
    /// Fencing token of this lease.
    pub epoch: Epoch,
    /// Number of the attempt that starts now.
    pub attempt: i32,
    /// Where it stood among those that were ready.
    pub place: Place,
    /// Signals sent to it so far.
    pub signal_count: i32,
    /// Limits it counts against.
    pub slots: i16,
    /// Its queue.
    pub queue: String,
    /// Its concurrency key.
    pub concurrency_key: Option<String>,
    /// Its log, oldest first.
    pub log: Vec<EventRecord>,
    /// When it was claimed, by the database's clock.
    pub claimed_at: DateTime<Utc>,
}

/// What a worker asks for.
#[derive(Debug, Clone)]
pub struct ClaimRequest<'a> {
    /// Who asks.
    pub worker: WorkerId,
    /// From which queue.
    pub queue: &'a str,
    /// Definitions it can run, as `workflow@version`.
    pub definitions: &'a [String],
    /// Place from which ready runs are looked for. Those before it are left where they are, and so are the dead rows of
    /// those that were taken from there: while somebody holds on to a snapshot, a look from the beginning meets them all.
    pub from: Place,
    /// At most how many.
    pub limit: i64,
    /// Time after which another worker may take a run whose step never ends.
    pub deadline: Duration,
    /// Those of them that limit their runs per key.
    pub keyed: &'a [String],
}

/// What a claim brought.
#[derive(Debug, Default)]
pub struct Claimed {
    /// The runs, in the order in which they should be served.
    pub runs: Vec<LeasedRun>,
    /// Runs that were met and set aside because their key is full: behind them there may be others.
    pub set_aside: usize,
}

struct ClaimedRow {
    id: RunId,
    leased: bool,
    live_seq: i32,
    live_epoch: Epoch,
    live_attempt: i32,
    priority: i16,
    wake_at: DateTime<Utc>,
    signal_count: i32,
    slots: i16,
    queue: String,
    concurrency_key: Option<String>,
    now: DateTime<Utc>,
    seq: i32,
    epoch: i64,
    kind: String,
    step: Option<String>,
    attempt: i32,
    actor: String,
    payload: String,
    duration_ms: Option<i32>,
    at: DateTime<Utc>,
    hash: Vec<u8>,
    erased_digest: Option<Vec<u8>>,
}

impl ClaimedRow {
    fn lease(&self) -> LeasedRun {
        LeasedRun {
            id: self.id,
            epoch: self.live_epoch,
            attempt: self.live_attempt,
            place: Place { priority: self.priority, wake_at: self.wake_at },
            signal_count: self.signal_count,
            slots: self.slots,
            queue: self.queue.clone(),
            concurrency_key: self.concurrency_key.clone(),
            log: Vec::new(),
            claimed_at: self.now,
        }
    }

    fn event(self) -> Result<EventRecord, StoreError> {
        let Self {
            seq,
            epoch,
            kind,
            step,
            attempt,
            actor,
            payload,
            duration_ms,
            at,
            hash,
            erased_digest,
            ..
        } = self;
        EventRow { seq, epoch, kind, step, attempt, actor, payload, duration_ms, at, hash, erased_digest }
            .parse(self.id)
    }
}

/// Leases up to `request.limit` runs from a queue without a limit. A paused or limited queue gives nothing here.
///
/// # Errors
/// If the database did not do it; a run that was leased all the same comes back when the lease is reaped.
pub async fn claim(connection: &mut PgConnection, request: &ClaimRequest<'_>) -> Result<Claimed, StoreError> {
    let rows = lease(connection, request, 0).await?;
    gather(connection, rows).await
}

/// Leases runs from a queue that has a limit. Needs a transaction: the queue's row stays locked until its end.
///
/// # Errors
/// See [`claim`].
pub async fn claim_limited(
    connection: &mut PgConnection,
    request: &ClaimRequest<'_>,
) -> Result<Claimed, StoreError> {
    let free = limit::lock_queue(connection, request.queue).await?;
    let request = ClaimRequest { limit: request.limit.min(free), ..request.clone() };
    if request.limit <= 0 {
        return Ok(Claimed::default());
    }
    let rows = lease(connection, &request, limit::QUEUE_SLOT).await?;
    // Counted before the logs are read: a run whose log cannot be read occupies its slot all the same.
    let leased: BTreeSet<RunId> = rows.iter().filter(|row| row.leased).map(|row| row.id).collect();
    limit::occupy_queue(connection, request.queue, leased.len()).await?;
    gather(connection, rows).await
}

async fn lease(
    connection: &mut PgConnection,
    request: &ClaimRequest<'_>,
    slots: i16,
) -> Result<Vec<ClaimedRow>, StoreError> {
    sqlx::query_file_as!(
        ClaimedRow,
        "src/store/claim.sql",
        request.queue,
        request.definitions,
        request.limit,
        request.worker.as_uuid(),
        interval(request.deadline),
        slots,
        request.keyed,
        request.from.priority,
        request.from.wake_at,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("claim runs"))
}

/// States from which a claim takes runs, as the texts of [`Candidate`]s found together.
const READY: &[&str] = &["ready"];
const DUE: &[&str] = &["sleeping", "waiting"];

/// Leases up to `request.limit` runs bucket by bucket, each in a transaction of its own: the claim for Citus. The order
/// of service decides which buckets are asked and for how many runs; where another worker was faster, the bucket gives
/// the next ones it has.
///
/// # Errors
/// See [`claim`].
pub async fn claim_by_bucket(
    connection: &mut PgConnection,
    request: &ClaimRequest<'_>,
) -> Result<Claimed, StoreError> {
    let mut claimed = Claimed::default();
    for (part, wanted) in parts(candidates(connection, request).await?, request.limit) {
        let rows = lease_in_bucket(connection, request, part, wanted).await?;
        claimed.runs.extend(gather(connection, rows).await?.runs);
    }
    Ok(claimed)
}

/// A bucket, and the states its candidates are in.
type Part = (i16, &'static [&'static str]);

async fn candidates(
    connection: &mut PgConnection,
    request: &ClaimRequest<'_>,
) -> Result<Vec<(Candidate, &'static [&'static str])>, StoreError> {
    let ClaimRequest { queue, definitions, limit, .. } = *request;
    let ready = bucket::ready(connection, queue, definitions, limit).await?;
    let due = bucket::due(connection, queue, definitions, limit).await?;
    let ready = ready.into_iter().map(|candidate| (candidate, READY));
    Ok(ready.chain(due.into_iter().map(|candidate| (candidate, DUE))).collect())
}

/// What to ask of each bucket, the bucket of the first to be served first.
fn parts(mut candidates: Vec<(Candidate, &'static [&'static str])>, limit: i64) -> Vec<(Part, i64)> {
    candidates.sort_unstable();
    candidates.truncate(usize::try_from(limit).unwrap_or_default());
    let mut parts: Vec<(Part, i64)> = Vec::new();
    for (candidate, states) in candidates {
        let part = (candidate.bucket, states);
        match parts.iter_mut().find(|(known, _)| *known == part) {
            Some((_, wanted)) => *wanted += 1,
            None => parts.push((part, 1)),
        }
    }
    parts
}

async fn lease_in_bucket(
    connection: &mut PgConnection,
    request: &ClaimRequest<'_>,
    (bucket, states): Part,
    limit: i64,
) -> Result<Vec<ClaimedRow>, StoreError> {
    let states: Vec<String> = states.iter().copied().map(str::to_owned).collect();
    sqlx::query_file_as!(
        ClaimedRow,
        "src/store/claim_in_bucket.sql",
        bucket,
        request.queue,
        request.definitions,
        limit,
        request.worker.as_uuid(),
        interval(request.deadline),
        &states,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("claim runs of a bucket"))
}

/// Makes runs ready that have been due for more than a second. A claim takes sleepers by the time they were due; where
/// there are more of them than it gets round to, they have to line up by priority like any others. Returns how many.
///
/// # Errors
/// If the database did not do it.
pub async fn line_up(connection: &mut PgConnection) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "UPDATE live_runs AS run SET state = 'ready'
         FROM (
             SELECT bucket, id FROM live_runs
             WHERE state IN ('sleeping', 'waiting') AND wake_at <= engine_now() - interval '1 second'
             ORDER BY wake_at LIMIT 1000
             FOR UPDATE SKIP LOCKED
         ) AS due
         WHERE run.bucket = due.bucket AND run.id = due.id",
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("line up runs that are due"))?;
    Ok(done.rows_affected())
}

/// The same, bucket by bucket: for Citus.
///
/// # Errors
/// If the database did not do it; what was done in other buckets before stays done.
pub async fn line_up_by_bucket(connection: &mut PgConnection) -> Result<u64, StoreError> {
    let mut lined_up = 0;
    for bucket in bucket::with_late(connection).await? {
        let done = sqlx::query!(
            "UPDATE live_runs AS run SET state = 'ready'
             FROM (
                 SELECT id FROM live_runs
                 WHERE bucket = $1 AND state IN ('sleeping', 'waiting')
                     AND wake_at <= engine_now() - interval '1 second'
                 ORDER BY wake_at LIMIT 1000
                 FOR UPDATE SKIP LOCKED
             ) AS due
             WHERE run.bucket = $1 AND run.id = due.id",
            bucket.as_i16(),
        )
        .execute(&mut *connection)
        .await
        .map_err(StoreError::database("line up runs of a bucket"))?;
        lined_up += done.rows_affected();
    }
    Ok(lined_up)
}

/// Groups the rows, one per event, by run. The log was read on the statement's snapshot, the run on its newest
/// version: where they differ the log is read again.
async fn gather(connection: &mut PgConnection, rows: Vec<ClaimedRow>) -> Result<Claimed, StoreError> {
    let (rows, set_aside): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.leased);
    let mut claimed = Claimed { runs: Vec::new(), set_aside: set_aside.len() };
    for (run, live_seq, log) in by_run(rows) {
        let whole = match log {
            Ok(log) if log.last().is_some_and(|last| last.seq.0 == live_seq) => Ok(log),
            Ok(_) => event::load(connection, run.id, -1).await,
            Err(error) => Err(error),
        };
        match whole {
            Ok(log) => claimed.runs.push(LeasedRun { log, ..run }),
            // A question that failed may have taken the claim back with it.
            Err(error @ StoreError::Database { .. }) => return Err(error),
            // It stays leased until its deadline, so that it keeps no other run of its queue from being served.
            Err(error) => {
                tracing::error!(run.id = %run.id, error = &error as &dyn std::error::Error, "a log cannot be read");
            }
        }
    }
    Ok(claimed)
}

type ReadLog = Result<Vec<EventRecord>, StoreError>;

/// The runs in the rows' order, each with its place in the log and what the rows hold of it.
fn by_run(rows: Vec<ClaimedRow>) -> Vec<(LeasedRun, i32, ReadLog)> {
    let mut runs: Vec<(LeasedRun, i32, ReadLog)> = Vec::new();
    for row in rows {
        if runs.last().is_none_or(|(run, ..)| run.id != row.id) {
            runs.push((row.lease(), row.live_seq, Ok(Vec::new())));
        }
        if let Some((.., log)) = runs.last_mut() {
            match (row.event(), &mut *log) {
                (Ok(event), Ok(events)) => events.push(event),
                (Err(error), _) => *log = Err(error),
                (Ok(_), Err(_)) => {}
            }
        }
    }
    runs
}

pub(crate) fn interval(duration: Duration) -> PgInterval {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}
