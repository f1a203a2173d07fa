//! Advance: writes what happened to many runs, each fenced by its epoch and its place in the log, in one statement.

use crate::{
    chain::Hash,
    error::StoreError,
    event::EventRecord,
    id::{Epoch, RunId, Seq, StepName},
    status::{LiveState, RunStatus},
    topology::only_bucket,
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::BTreeSet;

/// What the live row becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowAfter {
    /// The run stays alive.
    Live {
        /// Its state.
        state: LiveState,
        /// When it is woken; for a ready run, since when it is ready.
        wake_at: Option<DateTime<Utc>>,
        /// Step that runs next.
        step: StepName,
        /// Version it is pinned to.
        version: i32,
        /// Attempts of the step started.
        attempt: i32,
        /// Crashes of the step.
        crashes: i32,
        /// Time after which a worker that holds it may lose it.
        deadline_at: Option<DateTime<Utc>>,
    },
    /// The run is over.
    Closed {
        /// Its outcome.
        status: RunStatus,
        /// Code of the error that failed it.
        error_code: Option<String>,
    },
}

/// One run's next events and what its row becomes.
#[derive(Debug, Clone)]
pub struct Advance {
    /// The run.
    pub run: RunId,
    /// Epoch the writer holds.
    pub epoch: Epoch,
    /// Last event the writer has seen.
    pub seq: Seq,
    /// Epoch from now on: a change of hands moves it on.
    pub epoch_after: Epoch,
    /// Refuse if signals have come that the writer has not seen.
    pub signals_seen: Option<i32>,
    /// What the live row becomes.
    pub row: RowAfter,
    /// Events to append, oldest first, the first at `seq + 1`.
    pub events: Vec<EventRecord>,
    /// Hash of the log's last event after this.
    pub hash: Hash,
}

impl Advance {
    /// Position of the last event after this.
    pub fn last_seq(&self) -> Seq {
        self.events.last().map_or(self.seq, |event| event.seq)
    }
}

#[derive(Default)]
struct Columns {
    bucket: Vec<i16>,
    id: Vec<uuid::Uuid>,
    epoch: Vec<i64>,
    seq: Vec<i32>,
    epoch_after: Vec<i64>,
    signals_seen: Vec<Option<i32>>,
    state: Vec<Option<String>>,
    wake_at: Vec<Option<DateTime<Utc>>>,
    step: Vec<Option<String>>,
    version: Vec<Option<i32>>,
    seq_after: Vec<i32>,
    attempt: Vec<Option<i32>>,
    crashes: Vec<Option<i32>>,
    deadline_at: Vec<Option<DateTime<Utc>>>,
    hash: Vec<Vec<u8>>,
    status: Vec<Option<String>>,
    error_code: Vec<Option<String>>,
    finished_at: Vec<Option<DateTime<Utc>>>,
}

impl Columns {
    fn push(&mut self, advance: &Advance) {
        self.bucket.push(advance.run.bucket().as_i16());
        self.id.push(advance.run.as_uuid());
        self.epoch.push(advance.epoch.0);
        self.seq.push(advance.seq.0);
        self.epoch_after.push(advance.epoch_after.0);
        self.signals_seen.push(advance.signals_seen);
        self.seq_after.push(advance.last_seq().0);
        self.hash.push(advance.hash.as_bytes().to_vec());
        match &advance.row {
            RowAfter::Live { state, wake_at, step, version, attempt, crashes, deadline_at } => {
                self.state.push(Some(state.as_str().to_owned()));
                self.wake_at.push(*wake_at);
                self.step.push(Some(step.to_string()));
                self.version.push(Some(*version));
                self.attempt.push(Some(*attempt));
                self.crashes.push(Some(*crashes));
                self.deadline_at.push(*deadline_at);
                self.close(None, None, None);
            }
            RowAfter::Closed { status, error_code } => {
                self.state.push(None);
                self.wake_at.push(None);
                self.step.push(None);
                self.version.push(None);
                self.attempt.push(None);
                self.crashes.push(None);
                self.deadline_at.push(None);
                let finished_at = advance.events.last().map(|event| event.at);
                self.close(Some(status.as_str().to_owned()), error_code.clone(), finished_at);
            }
        }
    }

    fn close(&mut self, status: Option<String>, error_code: Option<String>, at: Option<DateTime<Utc>>) {
        self.status.push(status);
        self.error_code.push(error_code);
        self.finished_at.push(at);
    }
}

/// Events of many runs as columns; `item` is the position of the run among those written together.
#[derive(Default)]
pub(super) struct EventColumns {
    pub(super) item: Vec<i32>,
    pub(super) bucket: Vec<i16>,
    pub(super) run: Vec<uuid::Uuid>,
    pub(super) seq: Vec<i32>,
    pub(super) epoch: Vec<i64>,
    pub(super) kind: Vec<String>,
    pub(super) step: Vec<Option<String>>,
    pub(super) attempt: Vec<i32>,
    pub(super) actor: Vec<String>,
    pub(super) payload: Vec<String>,
    pub(super) duration_ms: Vec<Option<i32>>,
    pub(super) at: Vec<DateTime<Utc>>,
    pub(super) hash: Vec<Vec<u8>>,
}

impl EventColumns {
    pub(super) fn push(&mut self, item: i32, run: RunId, event: &EventRecord) {
        self.item.push(item);
        self.bucket.push(run.bucket().as_i16());
        self.run.push(run.as_uuid());
        self.seq.push(event.seq.0);
        self.epoch.push(event.epoch.0);
        self.kind.push(event.event.kind().as_str().to_owned());
        self.step.push(event.step.as_ref().map(ToString::to_string));
        self.attempt.push(event.attempt);
        self.actor.push(event.actor.to_string());
        self.payload.push(event.payload.clone());
        self.duration_ms.push(event.duration_ms);
        self.at.push(event.at);
        self.hash.push(event.hash.as_bytes().to_vec());
    }
}

/// Writes those of `batch` whose fence holds; returns the positions in `batch` of those that were written. The batch
/// must be sorted by bucket and id, which is the order in which its rows are locked.
///
/// # Errors
/// If the database did not do it; then nothing was written.
pub async fn advance(
    connection: &mut PgConnection,
    batch: &[&Advance],
) -> Result<BTreeSet<usize>, StoreError> {
    let mut columns = Columns::default();
    let mut events = EventColumns::default();
    for (item, advance) in (1i32..).zip(batch) {
        columns.push(advance);
        advance.events.iter().for_each(|event| events.push(item, advance.run, event));
    }
    let moved = execute(connection, &columns, &events).await?;
    Ok(moved.into_iter().filter_map(|item| usize::try_from(item - 1).ok()).collect())
}

/// One of the two texts of the statement, with what both are given.
macro_rules! advance_query {
    ($file:literal, $columns:ident, $events:ident $(, $bucket:expr)?) => {
        sqlx::query_file_scalar!(
            $file,
            &$columns.bucket,
            &$columns.id,
            &$columns.epoch,
            &$columns.seq,
            &$columns.epoch_after,
            &$columns.signals_seen as &[Option<i32>],
            &$columns.state as &[Option<String>],
            &$columns.wake_at as &[Option<DateTime<Utc>>],
            &$columns.step as &[Option<String>],
            &$columns.version as &[Option<i32>],
            &$columns.seq_after,
            &$columns.attempt as &[Option<i32>],
            &$columns.crashes as &[Option<i32>],
            &$columns.deadline_at as &[Option<DateTime<Utc>>],
            &$columns.hash,
            &$columns.status as &[Option<String>],
            &$columns.error_code as &[Option<String>],
            &$columns.finished_at as &[Option<DateTime<Utc>>],
            &$events.item,
            &$events.bucket,
            &$events.run,
            &$events.seq,
            &$events.epoch,
            &$events.kind,
            &$events.step as &[Option<String>],
            &$events.attempt,
            &$events.actor,
            &$events.payload,
            &$events.duration_ms as &[Option<i32>],
            &$events.at,
            &$events.hash
            $(, $bucket)?
        )
    };
}

/// Runs of one bucket are written by the statement that names it, which is the one for Citus.
async fn execute(
    connection: &mut PgConnection,
    columns: &Columns,
    events: &EventColumns,
) -> Result<Vec<i64>, StoreError> {
    let written = match only_bucket(&columns.bucket) {
        Some(bucket) => {
            advance_query!("src/store/advance_in_bucket.sql", columns, events, bucket)
                .fetch_all(connection)
                .await
        }
        None => advance_query!("src/store/advance.sql", columns, events).fetch_all(connection).await,
    };
    written.map_err(StoreError::database("advance runs"))
}

/// What the database knows of a write that was refused or whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was carried out: the event stands in the log.
    Written,
    /// It was not, but the lease is still good: the log or the signals moved on.
    MovedOn {
        /// Signals sent so far.
        signal_count: i32,
    },
    /// It was not, and the lease is gone.
    Fenced,
}

/// Finds out how things stand with a write that was refused or whose answer was lost.
///
/// # Errors
/// If the database is out of reach.
pub async fn standing(connection: &mut PgConnection, advance: &Advance) -> Result<Standing, StoreError> {
    let row = sqlx::query!(
        r#"SELECT
            (SELECT hash FROM run_events WHERE bucket = $1 AND run_id = $2 AND seq = $3) AS hash,
            (SELECT epoch FROM live_runs WHERE bucket = $1 AND id = $2 AND state = 'leased') AS epoch,
            (SELECT signal_count FROM live_runs WHERE bucket = $1 AND id = $2) AS signal_count"#,
        advance.run.bucket().as_i16(),
        advance.run.as_uuid(),
        advance.last_seq().0,
    )
    .fetch_one(connection)
    .await
    .map_err(StoreError::database("look up a refused write"))?;
    // A write without events leaves no trace in the log; parking a run twice does no harm.
    if !advance.events.is_empty() && row.hash.as_deref() == Some(advance.hash.as_bytes().as_slice()) {
        return Ok(Standing::Written);
    }
    match (row.epoch, row.signal_count) {
        (Some(epoch), Some(signal_count)) if epoch == advance.epoch.0 => {
            Ok(Standing::MovedOn { signal_count })
        }
        _ => Ok(Standing::Fenced),
    }
}
