//! Enqueue: idempotency guard, header, live row and first event of many runs in one statement.

use crate::{
    chain::Hash,
    error::StoreError,
    event::{Event, EventRecord},
    id::{DefinitionId, RunId},
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use std::{collections::HashMap, sync::Arc};

/// What makes a second request the same as the first.
#[derive(Debug, Clone)]
pub struct Guard {
    /// SHA-256 of the key; its first byte is the run's bucket.
    pub key_hash: Hash,
    /// SHA-256 of the request: the same key with another request is refused.
    pub request_hash: Hash,
    /// How long the key is kept.
    pub window: TimeDelta,
}

/// A run to be enqueued, with its first event made.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id; its bucket is the guard's, if there is one.
    pub id: RunId,
    /// Workflow and version.
    pub definition: DefinitionId,
    /// Queue it is claimed from.
    pub queue: Arc<str>,
    /// Lower is claimed first.
    pub priority: i16,
    /// Key and limit, if its workflow has a rule.
    pub concurrency: Option<(String, i32)>,
    /// When it may start; `None`: at once.
    pub start_at: Option<DateTime<Utc>>,
    /// Guard against doing it twice.
    pub guard: Option<Guard>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// The log's first event.
    pub created: EventRecord,
}

/// What became of a run that was to be enqueued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It is durable.
    Created(RunId),
    /// The same request made this run before.
    Replayed(RunId),
    /// The key was used for another request, which made this run.
    KeyReused(RunId),
}

impl Enqueued {
    /// What a request gets that came together with the `first` one of its key, which got this. `None`: that depends on
    /// the request that made the run.
    pub(crate) fn of_repetition(self, first: Option<&Guard>, own: Option<&Guard>) -> Option<Self> {
        let is_same = first?.request_hash == own?.request_hash;
        match self {
            Self::Created(run) | Self::Replayed(run) if is_same => Some(Self::Replayed(run)),
            Self::Created(run) | Self::Replayed(run) => Some(Self::KeyReused(run)),
            Self::KeyReused(run) => is_same.then_some(Self::KeyReused(run)),
        }
    }

    /// The run that answers the request.
    pub const fn run(self) -> RunId {
        match self {
            Self::Created(run) | Self::Replayed(run) | Self::KeyReused(run) => run,
        }
    }
}

#[derive(Default)]
struct Columns {
    bucket: Vec<i16>,
    id: Vec<uuid::Uuid>,
    workflow: Vec<String>,
    version: Vec<i32>,
    queue: Vec<String>,
    priority: Vec<i16>,
    key: Vec<Option<String>>,
    key_limit: Vec<Option<i32>>,
    start_at: Vec<Option<DateTime<Utc>>>,
    key_hash: Vec<Option<Vec<u8>>>,
    request_hash: Vec<Option<Vec<u8>>>,
    expires_at: Vec<Option<DateTime<Utc>>>,
    parent: Vec<Option<uuid::Uuid>>,
    parent_seq: Vec<Option<i32>>,
    traceparent: Vec<Option<String>>,
    step: Vec<String>,
    actor: Vec<String>,
    payload: Vec<String>,
    at: Vec<DateTime<Utc>>,
    hash: Vec<Vec<u8>>,
}

impl Columns {
    fn push(&mut self, run: &NewRun) {
        let guard = run.guard.as_ref();
        let fork =
            if let Event::Created(created) = &run.created.event { created.fork.as_ref() } else { None };
        self.bucket.push(run.id.bucket().as_i16());
        self.id.push(run.id.as_uuid());
        self.workflow.push(run.definition.workflow.to_string());
        self.version.push(run.definition.version);
        self.queue.push(run.queue.to_string());
        self.priority.push(run.priority);
        self.key.push(run.concurrency.as_ref().map(|(key, _)| key.clone()));
        self.key_limit.push(run.concurrency.as_ref().map(|(_, limit)| *limit));
        self.start_at.push(run.start_at);
        self.key_hash.push(guard.map(|guard| guard.key_hash.as_bytes().to_vec()));
        self.request_hash.push(guard.map(|guard| guard.request_hash.as_bytes().to_vec()));
        self.expires_at.push(guard.map(|guard| run.created.at + guard.window));
        self.parent.push(fork.map(|fork| fork.parent.as_uuid()));
        self.parent_seq.push(fork.map(|fork| fork.parent_seq.0));
        self.traceparent.push(run.traceparent.clone());
        self.step.push(run.created.step.as_ref().map(ToString::to_string).unwrap_or_default());
        self.actor.push(run.created.actor.to_string());
        self.payload.push(run.created.payload.clone());
        self.at.push(run.created.at);
        self.hash.push(run.created.hash.as_bytes().to_vec());
    }
}

/// Writes those of `runs` whose guard is free, and tells of each what became of it, in order. No two of `runs` may
/// share a guard's key.
///
/// # Errors
/// If the database did not do it; then nothing was written.
pub async fn enqueue(connection: &mut PgConnection, runs: &[NewRun]) -> Result<Vec<Enqueued>, StoreError> {
    let mut outcomes: Vec<Option<Enqueued>> = vec![None; runs.len()];
    // A key that was held may expire and be swept before its run is looked up: then it is free, and taken.
    while outcomes.contains(&None) {
        let open: Vec<usize> = (0..runs.len()).filter(|&position| outcomes[position].is_none()).collect();
        let batch: Vec<&NewRun> = open.iter().map(|&position| &runs[position]).collect();
        let fresh = insert(connection, &batch).await?;
        let known =
            if fresh.len() == batch.len() { HashMap::new() } else { held_keys(connection, &batch).await? };
        for position in open {
            outcomes[position] = outcome(&runs[position], &fresh, &known);
        }
    }
    Ok(outcomes.into_iter().flatten().collect())
}

/// One of the two texts of the statement, with what both are given.
macro_rules! enqueue_query {
    ($file:literal, $columns:ident, $now:ident) => {
        sqlx::query_file_scalar!(
            $file,
            &$columns.bucket,
            &$columns.id,
            &$columns.workflow,
            &$columns.version,
            &$columns.queue,
            &$columns.priority,
            &$columns.key as &[Option<String>],
            &$columns.key_limit as &[Option<i32>],
            &$columns.start_at as &[Option<DateTime<Utc>>],
            &$columns.key_hash as &[Option<Vec<u8>>],
            &$columns.request_hash as &[Option<Vec<u8>>],
            &$columns.expires_at as &[Option<DateTime<Utc>>],
            &$columns.parent as &[Option<uuid::Uuid>],
            &$columns.parent_seq as &[Option<i32>],
            &$columns.traceparent as &[Option<String>],
            &$columns.step,
            &$columns.actor,
            &$columns.payload,
            &$columns.at,
            &$columns.hash,
            $now,
        )
    };
}

/// Writes those of `runs` whose guard is free; returns which.
async fn insert(connection: &mut PgConnection, runs: &[&NewRun]) -> Result<Vec<RunId>, StoreError> {
    let mut columns = Columns::default();
    runs.iter().for_each(|run| columns.push(run));
    // By the clock that says when a key expires; Citus calls no function of its own here.
    let now = columns.at.iter().max().copied();
    let written = if columns.key.iter().any(Option::is_some) {
        enqueue_query!("src/store/enqueue_keyed.sql", columns, now).fetch_all(connection).await
    } else {
        enqueue_query!("src/store/enqueue.sql", columns, now).fetch_all(connection).await
    };
    written.map_err(StoreError::database("enqueue runs"))
}

/// The run and request of a key that is held, by the key's hash.
type HeldKeys = HashMap<Vec<u8>, (RunId, Vec<u8>)>;

/// Finds the runs that the held keys name.
async fn held_keys(connection: &mut PgConnection, runs: &[&NewRun]) -> Result<HeldKeys, StoreError> {
    let guards: Vec<_> =
        runs.iter().filter_map(|run| run.guard.as_ref().map(|guard| (run.id, guard))).collect();
    let buckets: Vec<i16> = guards.iter().map(|(id, _)| id.bucket().as_i16()).collect();
    let hashes: Vec<Vec<u8>> = guards.iter().map(|(_, guard)| guard.key_hash.as_bytes().to_vec()).collect();
    let rows = sqlx::query!(
        r#"SELECT g.key_hash, g.run_id AS "run_id: RunId", g.request_hash
           FROM idempotency g
           JOIN unnest($1::smallint[], $2::bytea[]) AS wanted (bucket, key_hash)
             ON g.bucket = wanted.bucket AND g.key_hash = wanted.key_hash"#,
        &buckets,
        &hashes,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("look up idempotency keys"))?;
    Ok(rows.into_iter().map(|row| (row.key_hash, (row.run_id, row.request_hash))).collect())
}

/// `None`: neither was the run written, nor is its key held any more.
fn outcome(run: &NewRun, fresh: &[RunId], known: &HeldKeys) -> Option<Enqueued> {
    let Some(guard) = run.guard.as_ref().filter(|_| !fresh.contains(&run.id)) else {
        return Some(Enqueued::Created(run.id));
    };
    let (id, request) = known.get(guard.key_hash.as_bytes().as_slice())?;
    Some(if *id == run.id {
        // Written before, by an attempt whose answer was lost.
        Enqueued::Created(*id)
    } else if request == guard.request_hash.as_bytes() {
        Enqueued::Replayed(*id)
    } else {
        Enqueued::KeyReused(*id)
    })
}
