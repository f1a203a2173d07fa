//! Group commit: results that arrive while a commit is in flight are written together by the next.
//!
//! There is no timer: an idle system commits at once, a busy one shares. If a batch is refused as a whole, its runs
//! are written one by one, so that one poison value harms no other run. If the answer to a commit is lost, the log
//! tells whether it was carried out.

use crate::{
    catalog::Catalog,
    clock::random_fraction,
    error::{STEP_SQL, StoreError},
    fence::Fence,
    id::DefinitionId,
    observe,
    projection::{Change, Projection},
    retry::Backoff,
    step::SqlWork,
    store::{
        advance::{self, Advance, RowAfter, Standing},
        limit::{self, Released},
    },
};
use sqlx::{Connection, PgConnection, PgPool};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Mutex, mpsc, oneshot};

/// Most runs in one commit. Past some hundred a bigger batch brings nothing but latency.
pub const BATCH_CAP: usize = 256;

/// A result to be written.
pub struct Commit {
    /// What to write.
    pub advance: Advance,
    /// Definition of the run, for its projection.
    pub definition: DefinitionId,
    /// SQL to run in the same transaction.
    pub work: Vec<SqlWork>,
    /// Limits the run counts against while leased.
    pub slots: i16,
    /// Its queue.
    pub queue: String,
    /// Its concurrency key.
    pub concurrency_key: Option<String>,
}

impl Commit {
    fn change(&self) -> Change<'_> {
        Change { run: self.advance.run, events: &self.advance.events }
    }

    fn leaves_lease(&self) -> bool {
        match &self.advance.row {
            RowAfter::Live { state, .. } => *state != crate::status::LiveState::Leased,
            RowAfter::Closed { .. } => true,
        }
    }
}

/// What became of a result.
#[derive(Debug)]
pub enum Committed {
    /// It is durable.
    Written,
    /// The log or the signals moved on under the same lease: fold them and try again.
    MovedOn {
        /// Signals sent so far.
        signal_count: i32,
    },
    /// The lease is gone: drop the run.
    Fenced,
    /// The database refuses this very result, and would again: why, in its words.
    Refused(String),
    /// The database does not take it, for reasons of its own.
    Unwritten,
}

struct Pending {
    commit: Commit,
    reply: oneshot::Sender<Committed>,
}

/// Hands results to the committing tasks; clones share them.
#[derive(Clone)]
pub struct Committer {
    sender: mpsc::Sender<Pending>,
}

impl Committer {
    /// Starts `tasks` committing tasks; they end when the last clone of the committer is dropped.
    pub fn start(tasks: usize, pool: &PgPool, catalog: &Catalog, fence: &Fence) -> Self {
        let (sender, receiver) = mpsc::channel(4 * BATCH_CAP);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..tasks.max(1) {
            let writer = Writer {
                pool: pool.clone(),
                catalog: catalog.clone(),
                fence: fence.clone(),
                receiver: receiver.clone(),
            };
            tokio::spawn(writer.run());
        }
        Self { sender }
    }

    /// Writes one result and waits for the outcome.
    pub async fn commit(&self, commit: Commit) -> Committed {
        let (reply, outcome) = oneshot::channel();
        if self.sender.send(Pending { commit, reply }).await.is_err() {
            return Committed::Fenced;
        }
        outcome.await.unwrap_or(Committed::Fenced)
    }
}

struct Writer {
    pool: PgPool,
    catalog: Catalog,
    fence: Fence,
    receiver: Arc<Mutex<mpsc::Receiver<Pending>>>,
}

impl Writer {
    async fn run(self) {
        loop {
            let mut batch = Vec::new();
            let taken = self.receiver.lock().await.recv_many(&mut batch, BATCH_CAP).await;
            if taken == 0 {
                return;
            }
            batch.sort_by_key(|pending| (pending.commit.advance.run.bucket(), pending.commit.advance.run));
            self.write(batch).await;
        }
    }

    /// Writes a batch, through outages, until every result has an outcome or the fence closes.
    async fn write(&self, mut batch: Vec<Pending>) {
        let mut attempt = 0;
        while !batch.is_empty() {
            if !self.fence.is_open(Instant::now()) {
                batch.into_iter().for_each(|pending| answer(pending, Committed::Fenced));
                return;
            }
            batch = match self.attempt(&batch).await {
                Ok(written) => self.settle(batch, &written).await,
                Err(error) if error.is_transient() => {
                    attempt += 1;
                    tracing::warn!(error = %describe(&error), runs = batch.len(), "a commit's answer was lost");
                    tokio::time::sleep(reconnect_delay(attempt)).await;
                    self.sort_out(batch).await
                }
                Err(error) => self.isolate(batch, &error).await,
            };
        }
    }

    async fn attempt(&self, batch: &[Pending]) -> Result<BTreeSet<usize>, StoreError> {
        let mut connection =
            self.pool.acquire().await.map_err(StoreError::database("connect for a commit"))?;
        let commits: Vec<&Commit> = batch.iter().map(|pending| &pending.commit).collect();
        let written = write_commits(&mut connection, &self.catalog, &commits).await?;
        observe::commit(written.len());
        Ok(written)
    }

    /// Answers what was written and finds out about the rest. Returns what has to be tried again: nothing, unless the
    /// database went away in between.
    async fn settle(&self, batch: Vec<Pending>, written: &BTreeSet<usize>) -> Vec<Pending> {
        let mut refused = Vec::new();
        for (position, pending) in batch.into_iter().enumerate() {
            if written.contains(&position) {
                self.written(pending);
            } else {
                refused.push(pending);
            }
        }
        if refused.is_empty() { refused } else { self.classify(refused, false).await }
    }

    /// After a lost answer: what stands in the log was written, the rest is to be written again.
    async fn sort_out(&self, batch: Vec<Pending>) -> Vec<Pending> {
        self.classify(batch, true).await
    }

    /// Looks up how things stand with each result. `again`: what is still ours to write is returned; else the writer
    /// is told that the log moved on.
    async fn classify(&self, batch: Vec<Pending>, again: bool) -> Vec<Pending> {
        let mut left = Vec::new();
        let Ok(mut connection) = self.pool.acquire().await else {
            return batch;
        };
        for pending in batch {
            match advance::standing(&mut connection, &pending.commit.advance).await {
                Ok(Standing::Written) => self.written(pending),
                Ok(Standing::Fenced) => answer(pending, Committed::Fenced),
                Ok(Standing::MovedOn { .. }) if again => left.push(pending),
                Ok(Standing::MovedOn { signal_count }) => {
                    answer(pending, Committed::MovedOn { signal_count });
                }
                Err(error) if error.is_transient() => left.push(pending),
                Err(error) => answer(pending, verdict(&error)),
            }
        }
        left
    }

    fn written(&self, pending: Pending) {
        announce(&self.catalog, [&pending.commit]);
        answer(pending, Committed::Written);
    }

    /// A batch that was refused as a whole: write its runs one by one.
    async fn isolate(&self, batch: Vec<Pending>, error: &StoreError) -> Vec<Pending> {
        if batch.len() == 1 {
            batch.into_iter().for_each(|pending| answer(pending, verdict(error)));
            return Vec::new();
        }
        tracing::warn!(error = %describe(error), runs = batch.len(), "a commit was refused; writing run by run");
        for pending in batch {
            Box::pin(self.write(vec![pending])).await;
        }
        Vec::new()
    }
}

/// Writes commits on a connection: one statement if nothing has to go with it, else one transaction. Returns the
/// positions of those that were written.
///
/// # Errors
/// If the database did not do it; then nothing was written, or the answer was lost.
pub(crate) async fn write_commits(
    connection: &mut PgConnection,
    catalog: &Catalog,
    commits: &[&Commit],
) -> Result<BTreeSet<usize>, StoreError> {
    let advances: Vec<&Advance> = commits.iter().map(|commit| &commit.advance).collect();
    if commits.iter().all(|commit| is_plain(commit, catalog)) {
        return advance::advance(connection, &advances).await;
    }
    let mut transaction = connection.begin().await.map_err(StoreError::database("begin a commit"))?;
    let written = advance::advance(&mut transaction, &advances).await?;
    let moved: Vec<&Commit> = written.iter().map(|&position| commits[position]).collect();
    follow(&mut transaction, catalog, &moved).await?;
    transaction.commit().await.map_err(StoreError::database("commit"))?;
    Ok(written)
}

fn is_plain(commit: &Commit, catalog: &Catalog) -> bool {
    let projected = catalog.get(&commit.definition).is_some_and(|definition| definition.projection.is_some());
    !projected && commit.work.is_empty() && (commit.slots == 0 || !commit.leaves_lease())
}

/// What goes with the runs that moved: SQL work, projections, slots given back.
async fn follow(
    connection: &mut PgConnection,
    catalog: &Catalog,
    moved: &[&Commit],
) -> Result<(), StoreError> {
    for work in moved.iter().flat_map(|commit| &commit.work) {
        work(&mut *connection).await.map_err(StoreError::database(STEP_SQL))?;
    }
    let changes = moved.iter().map(|commit| (&commit.definition, commit.change()));
    project(connection, catalog, changes).await?;
    let mut released = Released::default();
    for commit in moved.iter().filter(|commit| commit.leaves_lease()) {
        released.add(commit.slots, &commit.queue, commit.concurrency_key.as_deref());
    }
    limit::release(connection, &released).await
}

/// Brings the projections up to date with changes, in the transaction that wrote them.
pub(crate) async fn project<'a>(
    connection: &mut PgConnection,
    catalog: &'a Catalog,
    changes: impl Iterator<Item = (&'a DefinitionId, Change<'a>)>,
) -> Result<(), StoreError> {
    for (projection, changes) in by_projection(catalog, changes) {
        projection
            .apply(&mut *connection, &changes)
            .await
            .map_err(StoreError::database("bring a projection up to date"))?;
    }
    Ok(())
}

/// Tells projections of what has become durable.
pub(crate) fn announce<'a>(catalog: &Catalog, commits: impl IntoIterator<Item = &'a Commit>) {
    for commit in commits {
        if let Some(projection) = catalog.get(&commit.definition).and_then(|found| found.projection.as_ref())
        {
            projection.committed(&[commit.change()]);
        }
    }
}

/// Groups changes by the projection of their runs' definition; runs without one are left out.
pub(crate) fn by_projection<'a>(
    catalog: &'a Catalog,
    changes: impl Iterator<Item = (&'a DefinitionId, Change<'a>)>,
) -> Vec<(&'a Arc<dyn Projection>, Vec<Change<'a>>)> {
    let mut groups: BTreeMap<&DefinitionId, (&Arc<dyn Projection>, Vec<Change<'a>>)> = BTreeMap::new();
    for (id, change) in changes {
        if let Some(projection) = catalog.get(id).and_then(|definition| definition.projection.as_ref()) {
            groups.entry(id).or_insert_with(|| (projection, Vec::new())).1.push(change);
        }
    }
    groups.into_values().collect()
}

fn verdict(error: &StoreError) -> Committed {
    if error.is_refusal() {
        return Committed::Refused(describe(error));
    }
    tracing::error!(error = error as &dyn std::error::Error, "the database does not take a result");
    Committed::Unwritten
}

fn answer(pending: Pending, outcome: Committed) {
    // The executor may have been cancelled meanwhile; then nobody is waiting, and nobody needs to.
    drop(pending.reply.send(outcome));
}

fn describe(error: &StoreError) -> String {
    match error {
        StoreError::Database { operation, source } => format!("{operation}: {source}"),
        StoreError::Corrupt { .. } | StoreError::Encode(_) => error.to_string(),
    }
}

fn reconnect_delay(attempt: u32) -> Duration {
    Backoff { base_ms: 50, factor: 2.0, cap_ms: 1_000 }.delay(attempt, random_fraction(), None)
}
