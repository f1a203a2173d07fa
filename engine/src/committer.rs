//! Group commit: results that arrive while a commit is in flight are written together by the next.
//!
//! There is no timer: an idle system commits at once, a busy one shares. If a batch is refused as a whole, its runs
//! are written one by one, so that one poison value harms no other run. If the answer to a commit is lost, the log
//! tells whether it was carried out.

mod writer;

use crate::{
    catalog::Catalog,
    error::{STEP_SQL, StoreError},
    fence::Fence,
    id::DefinitionId,
    loan::Line,
    projection::{Change, Projection},
    step::SqlWork,
    store::{
        advance::{self, Advance, RowAfter},
        limit::{self, Released},
    },
    topology::Topology,
};
use sqlx::{Connection, PgConnection, PgPool};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::{Mutex, mpsc, oneshot};
use writer::Writer;

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
    pub fn start(tasks: usize, pool: &PgPool, catalog: &Catalog, fence: &Fence, topology: Topology) -> Self {
        let (sender, receiver) = mpsc::channel(4 * BATCH_CAP);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..tasks.max(1) {
            let writer = Writer {
                line: Line::new(pool.clone()),
                catalog: catalog.clone(),
                fence: fence.clone(),
                topology,
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
