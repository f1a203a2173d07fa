//! Claim: leases a batch of runs to a worker and returns each with its log, so that no read per step follows.

use crate::{
    error::StoreError,
    event::EventRecord,
    id::{Epoch, RunId, WorkerId},
    store::{
        event::{self, EventRow},
        limit,
    },
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, postgres::types::PgInterval};
use std::{collections::BTreeMap, time::Duration};

/// A run that this worker may advance until its lease or epoch is gone.
#[derive(Debug, Clone)]
pub struct LeasedRun {
    /// The run.
    pub id: RunId,
    /// Fencing token of this lease.
    pub epoch: Epoch,
    /// Number of the attempt that starts now.
    pub attempt: i32,
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
    /// At most how many.
    pub limit: i64,
    /// Time after which another worker may take a run whose step never ends.
    pub deadline: Duration,
    /// Whether some definition limits its runs per key.
    pub keyed: bool,
}

/// What a claim brought.
#[derive(Debug, Default)]
pub struct Claimed {
    /// The runs, in the order in which they should be served.
    pub runs: Vec<LeasedRun>,
    /// The database's clock.
    pub now: Option<DateTime<Utc>>,
}

struct ClaimedRow {
    id: RunId,
    live_seq: i32,
    live_epoch: Epoch,
    live_attempt: i32,
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
    claim_with(connection, request, 0).await
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
    let claimed = claim_with(connection, &request, limit::QUEUE_SLOT).await?;
    limit::occupy_queue(connection, request.queue, claimed.runs.len()).await?;
    Ok(claimed)
}

async fn claim_with(
    connection: &mut PgConnection,
    request: &ClaimRequest<'_>,
    slots: i16,
) -> Result<Claimed, StoreError> {
    let mut rows = claim_free(connection, request, slots).await?;
    if request.keyed {
        let taken = rows.iter().filter(|row| row.seq == row.live_seq).count();
        let left = request.limit - i64::try_from(taken).unwrap_or(i64::MAX);
        if left > 0 {
            let request = ClaimRequest { limit: left, ..request.clone() };
            rows.extend(claim_keyed(connection, &request, slots | limit::KEY_SLOT).await?);
        }
    }
    let now = rows.first().map(|row| row.now);
    Ok(Claimed { runs: gather(connection, rows).await?, now })
}

async fn claim_free(
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
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("claim runs"))
}

async fn claim_keyed(
    connection: &mut PgConnection,
    request: &ClaimRequest<'_>,
    slots: i16,
) -> Result<Vec<ClaimedRow>, StoreError> {
    sqlx::query_file_as!(
        ClaimedRow,
        "src/store/claim_keyed.sql",
        request.queue,
        request.definitions,
        request.limit,
        request.worker.as_uuid(),
        interval(request.deadline),
        slots,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("claim runs with a concurrency key"))
}

/// Groups the rows, one per event, by run. The log was read on the statement's snapshot, the run on its newest
/// version: where they differ the log is read again.
async fn gather(connection: &mut PgConnection, rows: Vec<ClaimedRow>) -> Result<Vec<LeasedRun>, StoreError> {
    let mut runs: Vec<(LeasedRun, i32)> = Vec::new();
    let mut unreadable = BTreeMap::new();
    for row in rows {
        if runs.last().is_none_or(|(run, _)| run.id != row.id) {
            runs.push((row.lease(), row.live_seq));
        }
        match (row.event(), runs.last_mut()) {
            (Ok(event), Some((run, _))) => run.log.push(event),
            (Err(error), Some((run, _))) => drop(unreadable.insert(run.id, error)),
            (_, None) => {}
        }
    }
    let mut leased = Vec::with_capacity(runs.len());
    for (mut run, live_seq) in runs {
        if run.log.last().is_none_or(|last| last.seq.0 != live_seq) && !unreadable.contains_key(&run.id) {
            match event::load(connection, run.id, -1).await {
                Ok(log) => run.log = log,
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => drop(unreadable.insert(run.id, error)),
            }
        }
        // It stays leased until its deadline, so that it keeps no other run of its queue from being served.
        match unreadable.get(&run.id) {
            Some(error) => {
                tracing::error!(run.id = %run.id, error = error as &dyn std::error::Error, "a log cannot be read");
            }
            None => leased.push(run),
        }
    }
    Ok(leased)
}

pub(crate) fn interval(duration: Duration) -> PgInterval {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}
