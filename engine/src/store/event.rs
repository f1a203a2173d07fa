//! Reading the log, and turning its rows into [`EventRecord`]s.

use crate::{
    chain::Hash,
    error::StoreError,
    event::{Event, EventKind, EventRecord, Note},
    id::{Actor, Epoch, RunId, Seq, StepName},
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::HashMap;

/// A row of `run_events` as it is stored.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Position in the log.
    pub seq: i32,
    /// Epoch it was written under.
    pub epoch: i64,
    /// What happened.
    pub kind: String,
    /// Step it belongs to.
    pub step: Option<String>,
    /// Attempt it belongs to.
    pub attempt: i32,
    /// Who caused it.
    pub actor: String,
    /// Payload, byte for byte.
    pub payload: String,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i32>,
    /// When.
    pub at: DateTime<Utc>,
    /// Hash, chained to the one before.
    pub hash: Vec<u8>,
    /// Digest of the payload before it was erased.
    pub erased_digest: Option<Vec<u8>>,
}

impl EventRow {
    /// Parses the row.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] names the column that is not what it should be.
    pub fn parse(self, run: RunId) -> Result<EventRecord, StoreError> {
        let seq = self.seq;
        let corrupt = |column: &'static str, problem: String| StoreError::Corrupt {
            table: "run_events",
            column,
            row: format!("{run} seq {seq}"),
            problem,
        };
        let kind = EventKind::parse(&self.kind)
            .ok_or_else(|| corrupt("kind", format!("{} is not a kind of event", self.kind)))?;
        let event =
            Event::decode(kind, &self.payload).map_err(|error| corrupt("payload", error.to_string()))?;
        let hash =
            Hash::try_from(self.hash.as_slice()).map_err(|error| corrupt("hash", error.to_string()))?;
        Ok(EventRecord {
            seq: Seq(self.seq),
            epoch: Epoch(self.epoch),
            step: self.step.as_deref().map(StepName::new),
            attempt: self.attempt,
            actor: Actor::new(&self.actor),
            duration_ms: self.duration_ms,
            at: self.at,
            event,
            payload: self.payload,
            hash,
        })
    }
}

/// Up to `limit` events of a run after position `after` (-1: from the start), oldest first, as stored.
///
/// # Errors
/// If the database is out of reach.
pub async fn rows(
    connection: &mut PgConnection,
    run: RunId,
    after: i32,
    limit: i64,
) -> Result<Vec<EventRow>, StoreError> {
    sqlx::query_as!(
        EventRow,
        r#"SELECT seq, epoch, kind, step, attempt, actor, payload::text AS "payload!", duration_ms, at, hash,
                  erased_digest
           FROM run_events
           WHERE bucket = $1 AND run_id = $2 AND seq > $3
           ORDER BY seq
           LIMIT $4"#,
        run.bucket().as_i16(),
        run.as_uuid(),
        after,
        limit,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("read a log"))
}

/// A run's log after position `after` (-1: all of it), oldest first.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn load(
    connection: &mut PgConnection,
    run: RunId,
    after: i32,
) -> Result<Vec<EventRecord>, StoreError> {
    let rows = rows(connection, run, after, i64::MAX).await?;
    rows.into_iter().map(|row| row.parse(run)).collect()
}

/// The annotations with that topic on all runs, each run's oldest first; none that was erased. Reads the whole log: for
/// training and reports.
///
/// # Errors
/// If the database is out of reach or a payload is no note.
pub async fn annotations(
    connection: &mut PgConnection,
    topic: &str,
) -> Result<Vec<(RunId, Note)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT run_id AS "run: RunId", seq, payload::text AS "payload!" FROM run_events
           WHERE kind = 'annotated' AND payload ->> 'topic' = $1 AND erased_digest IS NULL
           ORDER BY run_id, seq"#,
        topic,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("read annotations"))?;
    let note = |payload: &str, run: RunId, seq: i32| {
        serde_json::from_str(payload).map_err(|error| StoreError::Corrupt {
            table: "run_events",
            column: "payload",
            row: format!("{run} seq {seq}"),
            problem: error.to_string(),
        })
    };
    rows.into_iter().map(|row| Ok((row.run, note(&row.payload, row.run, row.seq)?))).collect()
}

/// The logs of many runs, each oldest first. A run that has none is left out, and so are events that were erased.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn logs(
    connection: &mut PgConnection,
    runs: &[RunId],
) -> Result<HashMap<RunId, Vec<EventRecord>>, StoreError> {
    let buckets: Vec<i16> = runs.iter().map(|run| run.bucket().as_i16()).collect();
    let ids: Vec<uuid::Uuid> = runs.iter().map(|run| run.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT e.run_id AS "run: RunId", e.seq, e.epoch, e.kind, e.step, e.attempt, e.actor,
                  e.payload::text AS "payload!", e.duration_ms, e.at, e.hash
           FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, id)
           JOIN run_events AS e ON e.bucket = wanted.bucket AND e.run_id = wanted.id AND e.erased_digest IS NULL
           ORDER BY e.run_id, e.seq"#,
        &buckets,
        &ids,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("read logs"))?;
    let mut logs: HashMap<RunId, Vec<EventRecord>> = HashMap::new();
    for row in rows {
        let event = EventRow {
            seq: row.seq,
            epoch: row.epoch,
            kind: row.kind,
            step: row.step,
            attempt: row.attempt,
            actor: row.actor,
            payload: row.payload,
            duration_ms: row.duration_ms,
            at: row.at,
            hash: row.hash,
            erased_digest: None,
        };
        logs.entry(row.run).or_default().push(event.parse(row.run)?);
    }
    Ok(logs)
}
