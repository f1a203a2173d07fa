//! What the logs tell: every chain recomputed twice (by the SQL function and in Rust), every history folded.

use super::{Invariant, Report};
use crate::{
    Catalog,
    chain::{self, Hash, Link, Stored},
    committer::by_projection,
    error::{ChainError, StoreError},
    event::{Event, EventKind, EventRecord},
    history::History,
    id::{Actor, DefinitionId, Epoch, RunId, Seq},
    projection::Change,
    status::RunStatus,
    store::event::EventRow,
    transition::Effect,
};
use sqlx::PgConnection;
use std::collections::BTreeSet;

/// What stands in the place of a payload that was erased.
pub const TOMBSTONE: &str = r#"{"erased":true}"#;
/// Runs read at a time.
const BATCH: i64 = 500;

pub(super) async fn check(
    connection: &mut PgConnection,
    catalog: &Catalog,
    report: &mut Report,
) -> Result<(), StoreError> {
    let (mut bucket, mut id) = (-1, uuid::Uuid::nil());
    loop {
        let headers = sqlx::query!(
            r#"SELECT bucket, id AS "id: RunId", status FROM runs WHERE (bucket, id) > ($1, $2)
               ORDER BY bucket, id LIMIT $3"#,
            bucket,
            id,
            BATCH,
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreError::database("list runs to audit"))?;
        let Some(last) = headers.last() else { return Ok(()) };
        (bucket, id) = (last.bucket, last.id.as_uuid());
        let runs: Vec<(RunId, String)> = headers.into_iter().map(|row| (row.id, row.status)).collect();
        check_batch(connection, catalog, &runs, report).await?;
    }
}

async fn check_batch(
    connection: &mut PgConnection,
    catalog: &Catalog,
    runs: &[(RunId, String)],
    report: &mut Report,
) -> Result<(), StoreError> {
    let logs = load(connection, runs, report).await?;
    let mut sound = Vec::new();
    for ((run, status), rows) in runs.iter().zip(logs) {
        report.runs += 1;
        report.events += rows.len() as u64;
        if let Some((definition, log)) = check_log(*run, status, rows, report) {
            sound.push((*run, definition, log));
        }
    }
    let changes = sound.iter().map(|(run, definition, log)| (definition, Change { run: *run, events: log }));
    for (projection, changes) in by_projection(catalog, changes) {
        let differences = projection
            .verify(&mut *connection, &changes)
            .await
            .map_err(StoreError::database("verify a projection"))?;
        differences.into_iter().for_each(|difference| report.add(Invariant::I9, None, difference));
    }
    Ok(())
}

/// Reads the logs of a batch; the database recomputes each hash on the way.
async fn load(
    connection: &mut PgConnection,
    runs: &[(RunId, String)],
    report: &mut Report,
) -> Result<Vec<Vec<EventRow>>, StoreError> {
    let buckets: Vec<i16> = runs.iter().map(|(run, _)| run.bucket().as_i16()).collect();
    let ids: Vec<uuid::Uuid> = runs.iter().map(|(run, _)| run.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT wanted.position AS "position!", e.seq, e.epoch, e.kind, e.step, e.attempt, e.actor,
                  e.payload::text AS "payload!", e.duration_ms, e.at, e.hash, e.erased_digest,
                  e.hash = event_hash(
                      coalesce(
                          lag(e.hash) OVER (PARTITION BY e.bucket, e.run_id ORDER BY e.seq),
                          decode(repeat('00', 32), 'hex')
                      ),
                      e.run_id, e.seq, e.epoch, e.kind, e.step, e.attempt, e.actor, e.duration_ms, e.at,
                      coalesce(e.erased_digest, payload_digest(e.payload))
                  ) AS "chained!"
           FROM unnest($1::smallint[], $2::uuid[]) WITH ORDINALITY AS wanted (bucket, id, position)
           JOIN run_events AS e ON e.bucket = wanted.bucket AND e.run_id = wanted.id
           ORDER BY wanted.position, e.seq"#,
        &buckets,
        &ids,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("read logs to audit"))?;
    let mut logs: Vec<Vec<EventRow>> = vec![Vec::new(); runs.len()];
    for row in rows {
        let position = usize::try_from(row.position - 1).unwrap_or(0);
        if !row.chained {
            let detail = format!("event {} does not match its hash, says the database", row.seq);
            report.add(Invariant::I3, Some(runs[position].0), detail);
        }
        logs[position].push(EventRow {
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
            erased_digest: row.erased_digest,
        });
    }
    Ok(logs)
}

/// Checks one log; returns it if it is sound and folds.
fn check_log(
    run: RunId,
    status: &str,
    rows: Vec<EventRow>,
    report: &mut Report,
) -> Option<(DefinitionId, Vec<EventRecord>)> {
    if let Err(error) = verify_chain(run, &rows) {
        report.add(Invariant::I3, Some(run), error.to_string());
    }
    let erased = rows.iter().any(|row| row.erased_digest.is_some());
    let log: Result<Vec<EventRecord>, StoreError> = rows.into_iter().map(|row| row.parse(run)).collect();
    let log = match log {
        Ok(log) => log,
        // The payload of an erased event is gone, so its history cannot be folded any more.
        Err(_) if erased => return None,
        Err(error) => {
            report.add(Invariant::I4, Some(run), error.to_string());
            return None;
        }
    };
    check_epochs(run, &log, report);
    check_checkpoints(run, &log, report);
    let history = match History::fold(run, &log) {
        Ok(history) => history,
        Err(error) => {
            report.add(Invariant::I4, Some(run), error.to_string());
            return None;
        }
    };
    let closed = match history.state.phase.effect() {
        Effect::Close(status) => status,
        Effect::Run | Effect::Park { .. } | Effect::Finish => RunStatus::Live,
    };
    if closed.as_str() != status {
        report.add(Invariant::I1, Some(run), format!("its header is {status}, its log says {closed}"));
    }
    Some((history.state.definition, log))
}

/// Recomputes a run's chain from its stored rows.
///
/// # Errors
/// Names the first event that is missing or does not match.
pub fn verify_chain(run: RunId, rows: &[EventRow]) -> Result<Hash, ChainError> {
    let stored: Result<Vec<Stored<'_>>, ChainError> = rows
        .iter()
        .map(|row| {
            let kind = EventKind::parse(&row.kind).ok_or(ChainError::Broken { seq: Seq(row.seq) })?;
            let payload_digest = match &row.erased_digest {
                // Whoever could replace a payload by another would only have to keep its digest.
                Some(_) if row.payload != TOMBSTONE => return Err(ChainError::Broken { seq: Seq(row.seq) }),
                Some(digest) => Hash::try_from(digest.as_slice())?,
                None => Hash::of(row.payload.as_bytes()),
            };
            let link = Link {
                run,
                seq: Seq(row.seq),
                epoch: Epoch(row.epoch),
                kind,
                step: row.step.as_deref(),
                attempt: row.attempt,
                actor: &row.actor,
                duration_ms: row.duration_ms,
                at: row.at,
                payload_digest,
            };
            Ok(Stored { link, hash: Hash::try_from(row.hash.as_slice())? })
        })
        .collect();
    chain::verify(stored?)
}

/// Epochs never fall, and two workers never write under one.
fn check_epochs(run: RunId, log: &[EventRecord], report: &mut Report) {
    for pair in log.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        if after.epoch < before.epoch {
            let detail =
                format!("event {} has epoch {} after {}", after.seq.0, after.epoch.0, before.epoch.0);
            report.add(Invariant::I5, Some(run), detail);
        }
        if after.epoch == before.epoch
            && after.actor != before.actor
            && both_workers(&before.actor, &after.actor)
        {
            let detail = format!("{} and {} wrote under epoch {}", before.actor, after.actor, after.epoch.0);
            report.add(Invariant::I7, Some(run), detail);
        }
    }
}

fn both_workers(one: &Actor, other: &Actor) -> bool {
    one.as_str().starts_with("worker:") && other.as_str().starts_with("worker:")
}

/// Between two checkpoints of one step the run must have been sent back to it.
fn check_checkpoints(run: RunId, log: &[EventRecord], report: &mut Report) {
    let mut open = BTreeSet::new();
    for record in log {
        match &record.event {
            Event::Created(created) => drop(open.insert(created.step.clone())),
            Event::StepCompleted(completed) => {
                let fresh = record.step.as_ref().is_some_and(|step| open.remove(step));
                if !fresh {
                    let step = record.step.as_ref().map_or("no step", |step| step.as_str());
                    let detail = format!("event {}: a second checkpoint of {step}", record.seq.0);
                    report.add(Invariant::I2, Some(run), detail.clone());
                    report.add(Invariant::I6, Some(run), detail);
                }
                open.extend(completed.next.clone());
            }
            Event::Resumed(resumed) => open.extend(resumed.from_step.clone()),
            Event::Migrated(migrated) => drop(open.insert(migrated.to_step.clone())),
            Event::StepRetried(_)
            | Event::Slept(_)
            | Event::Waited(_)
            | Event::SignalReceived(_)
            | Event::WaitTimedOut(_)
            | Event::LeaseExpired(_)
            | Event::Noted(_)
            | Event::Annotated(_)
            | Event::Paused(_)
            | Event::RetriedNow(_)
            | Event::Cancelled(_)
            | Event::Failed(_)
            | Event::Completed(_) => {}
        }
    }
}
