//! Takes runs from workers that died, and from steps that never end, so that others can go on with them.
//!
//! Any worker may reap; locked runs are skipped, so two of them share the work. The epoch moves on, which fences
//! whatever the old holder still sends.

use crate::{
    Catalog, Clock,
    clock::random_fraction,
    committer::{Commit, announce, write_commits},
    error::{IllegalTransition, StoreError},
    event::{Event, Failure, LeaseExpired, StepRetried},
    history::{History, Stamp},
    id::{Actor, Bucket, RunId},
    live_row::{Keeper, row_after},
    observe,
    store::{
        advance::Advance,
        bucket, event,
        lease::{self, Orphan},
    },
    topology::Topology,
};
use chrono::TimeDelta;
use sqlx::{Connection, PgConnection};
use thiserror::Error;

/// Most runs reaped in one transaction.
const BATCH: i64 = 200;

/// What reaping can fail with.
#[derive(Debug, Error)]
pub enum ReapError {
    /// A log does not fold.
    #[error("the log of run {run} is not a legal history")]
    Illegal {
        /// The run.
        run: RunId,
        /// Why.
        source: IllegalTransition,
    },
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reaps runs of the definitions in `catalog` once; returns how many changed hands. Those of other definitions are left
/// to workers that know their policies and projections.
///
/// # Errors
/// If the database did not do it, or a log does not fold.
pub async fn reap(
    connection: &mut PgConnection,
    catalog: &Catalog,
    clock: &Clock,
    topology: Topology,
) -> Result<u64, ReapError> {
    let taken = match topology {
        Topology::Single => reap_from(connection, catalog, clock, None).await?,
        Topology::Citus => {
            let mut taken = 0;
            for bucket in bucket::with_orphans(connection, &catalog.advertised()).await? {
                taken += reap_from(connection, catalog, clock, Some(bucket)).await?;
            }
            taken
        }
    };
    lease::bury(connection).await?;
    Ok(taken)
}

/// Reaps in one transaction, from all buckets or from one.
async fn reap_from(
    connection: &mut PgConnection,
    catalog: &Catalog,
    clock: &Clock,
    bucket: Option<Bucket>,
) -> Result<u64, ReapError> {
    let mut transaction = connection.begin().await.map_err(StoreError::database("begin to reap"))?;
    let orphans = lease::orphans(&mut transaction, &catalog.advertised(), BATCH, bucket).await?;
    let mut commits = Vec::with_capacity(orphans.len());
    for orphan in orphans {
        match prepare(&mut transaction, &orphan, catalog, clock).await {
            Ok(commit) => commits.push(commit),
            Err(ReapError::Store(error)) if error.is_transient() => return Err(error.into()),
            Err(error) => leave(orphan.id, &error),
        }
    }
    let taken = write(&mut transaction, catalog, &commits).await?;
    transaction.commit().await.map_err(StoreError::database("commit what was reaped"))?;
    observe::lease_expired(taken.len() as u64);
    announce(catalog, taken.iter().copied());
    Ok(taken.len() as u64)
}

/// A run that cannot be taken over must not keep the others from it.
fn leave(run: RunId, error: &ReapError) {
    tracing::error!(run.id = %run, error = error as &dyn std::error::Error, "a lost run cannot be taken over");
}

async fn prepare(
    connection: &mut PgConnection,
    orphan: &Orphan,
    catalog: &Catalog,
    clock: &Clock,
) -> Result<Commit, ReapError> {
    let log = event::load(connection, orphan.id, -1).await?;
    take(orphan, &log, catalog, clock)
}

/// Writes the batch; if it is refused as a whole, run by run. Returns what was written.
async fn write<'a>(
    connection: &mut PgConnection,
    catalog: &Catalog,
    commits: &'a [Commit],
) -> Result<Vec<&'a Commit>, StoreError> {
    let batch: Vec<&Commit> = commits.iter().collect();
    match write_in_savepoint(connection, catalog, &batch).await {
        Err(error) if !error.is_transient() => {}
        done => return done,
    }
    let mut taken = Vec::new();
    for commit in commits {
        match write_in_savepoint(connection, catalog, &[commit]).await {
            Ok(written) => taken.extend(written),
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => leave(commit.advance.run, &error.into()),
        }
    }
    Ok(taken)
}

async fn write_in_savepoint<'a>(
    connection: &mut PgConnection,
    catalog: &Catalog,
    commits: &[&'a Commit],
) -> Result<Vec<&'a Commit>, StoreError> {
    if commits.is_empty() {
        return Ok(Vec::new());
    }
    let mut savepoint = connection.begin().await.map_err(StoreError::database("set a savepoint"))?;
    let written = write_commits(&mut savepoint, catalog, commits).await?;
    savepoint.commit().await.map_err(StoreError::database("release a savepoint"))?;
    Ok(written.into_iter().map(|position| commits[position]).collect())
}

fn take(
    orphan: &Orphan,
    log: &[crate::event::EventRecord],
    catalog: &Catalog,
    clock: &Clock,
) -> Result<Commit, ReapError> {
    let illegal = |source| ReapError::Illegal { run: orphan.id, source };
    let mut history = History::fold(orphan.id, log).map_err(illegal)?;
    let seq = history.seq;
    let stamp = Stamp {
        epoch: orphan.epoch.next(),
        attempt: orphan.attempt,
        actor: Actor::new("reaper"),
        duration_ms: None,
        at: clock.now(),
    };
    let mut events = Vec::new();
    for event in verdict(orphan, &history, catalog, clock) {
        let record = history.chain(event, stamp.clone())?;
        history.apply(&record).map_err(illegal)?;
        events.push(record);
    }
    let advance = Advance {
        run: orphan.id,
        epoch: orphan.epoch,
        seq,
        epoch_after: orphan.epoch.next(),
        signals_seen: None,
        row: row_after(&history, orphan.attempt, Keeper::Nobody { ready_at: clock.now() }),
        events,
        hash: history.hash,
    };
    Ok(Commit {
        advance,
        definition: history.state.definition.clone(),
        work: Vec::new(),
        slots: orphan.slots,
        queue: orphan.queue.clone(),
        concurrency_key: orphan.concurrency_key.clone(),
    })
}

/// A dead worker is a crash; a step past its deadline is a failed attempt. Too many of either end the run.
fn verdict(orphan: &Orphan, history: &History, catalog: &Catalog, clock: &Clock) -> Vec<Event> {
    let state = &history.state;
    let definition = catalog.get(&state.definition);
    let policy = definition.and_then(|definition| definition.step(&state.step)).map(|step| step.policy);
    let policy = policy.unwrap_or_default();
    if orphan.overdue && state.phase.can_run() {
        let error = Failure::new("deadline_passed", format!("step {} ran past its deadline", state.step));
        let failed = state.failed_attempts + 1;
        if failed >= policy.max_attempts {
            return vec![Event::Failed(error)];
        }
        let delay = policy.backoff.delay(failed, random_fraction(), None);
        let retry_at = clock.now() + TimeDelta::from_std(delay).unwrap_or(TimeDelta::MAX);
        return vec![Event::StepRetried(StepRetried { error, retry_at })];
    }
    let crashes = state.crashes + 1;
    let cause = if orphan.overdue { "deadline_passed" } else { "worker_died" };
    let expired = LeaseExpired { worker: orphan.worker.clone(), cause: cause.to_owned(), crashes };
    let mut events = vec![Event::LeaseExpired(expired)];
    if crashes > i32::try_from(policy.max_crashes).unwrap_or(i32::MAX) {
        let message = format!("{crashes} workers died on step {}", state.step);
        events.push(Event::Failed(Failure::new("poison", message)));
    }
    events
}
