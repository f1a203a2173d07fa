//! A committing task: takes what has arrived, writes it, and finds out how things stand where that did not work.
//!
//! It waits for the database only while the lease is sure to hold: every result is answered for, even if the
//! connection swallows what is sent.

use super::{Commit, Committed, Pending, announce, write_commits};
use crate::{
    catalog::Catalog,
    clock::random_fraction,
    error::StoreError,
    fence::Fence,
    loan::Line,
    observe,
    retry::RECONNECT,
    store::advance::{self, Standing},
    topology::{PARTS_AT_ONCE, Topology},
};
use futures::stream::{self, StreamExt};
use sqlx::Connection as _;
use std::{collections::BTreeSet, sync::Arc, time::Instant};
use tokio::sync::{Mutex, mpsc};

/// How often a batch is tried whose statements raise what may pass, before its runs are written one by one.
const TRIES_TOGETHER: u32 = 3;
/// How often a run is tried alone whose step's SQL raises what may pass.
const TRIES_OF_STEP_SQL: u32 = 5;

/// A committing task.
pub(super) struct Writer {
    pub(super) line: Line,
    pub(super) catalog: Catalog,
    pub(super) fence: Fence,
    pub(super) topology: Topology,
    pub(super) receiver: Arc<Mutex<mpsc::Receiver<Pending>>>,
}

impl Writer {
    /// Writes until the last committer is dropped.
    pub(super) async fn run(self) {
        loop {
            let mut batch = Vec::new();
            let taken = self.receiver.lock().await.recv_many(&mut batch, super::BATCH_CAP).await;
            if taken == 0 {
                return;
            }
            batch.sort_by_key(|pending| (pending.commit.advance.run.bucket(), pending.commit.advance.run));
            let parts = self.topology.parts(batch, |pending| pending.commit.advance.run.bucket());
            stream::iter(parts).for_each_concurrent(PARTS_AT_ONCE, |part| self.write(part)).await;
        }
    }

    /// Writes a batch, through outages, until every result has an outcome or the fence closes.
    async fn write(&self, mut batch: Vec<Pending>) {
        let (mut failures, mut raised) = (0, 0);
        while !batch.is_empty() {
            if !self.fence.is_open(Instant::now()) {
                batch.into_iter().for_each(|pending| answer(pending, Committed::Fenced));
                return;
            }
            batch = match self.attempt(&batch).await {
                Ok(written) => self.settle(batch, &written).await,
                Err(error) => {
                    failures += 1;
                    raised += u32::from(error.is_raised());
                    if error.is_transient() && !is_tried_enough(&error, batch.len(), raised) {
                        tracing::warn!(error = %describe(&error), runs = batch.len(), "a commit's answer was lost");
                        self.fence
                            .while_open(tokio::time::sleep(RECONNECT.delay(
                                failures,
                                random_fraction(),
                                None,
                            )))
                            .await;
                        self.sort_out(batch).await
                    } else {
                        self.isolate(batch, &error).await
                    }
                }
            };
        }
    }

    async fn attempt(&self, batch: &[Pending]) -> Result<BTreeSet<usize>, StoreError> {
        let commits: Vec<&Commit> = batch.iter().map(|pending| &pending.commit).collect();
        let write = async {
            let mut connection = self.line.loan().await?;
            let written = write_commits(&mut connection, &self.catalog, &commits).await?;
            self.line.keep(connection).await?;
            Ok(written)
        };
        let written =
            self.fence.while_open(write).await.unwrap_or_else(|| Err(StoreError::unanswered("commit")))?;
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
        let Some(Ok(mut connection)) = self.fence.while_open(self.line.loan()).await else {
            return batch;
        };
        let mut left = Vec::new();
        let mut batch = batch.into_iter();
        while let Some(pending) = batch.next() {
            let standing = advance::standing(&mut connection, &pending.commit.advance);
            match self.fence.while_open(standing).await {
                Some(Ok(Standing::Written)) => self.written(pending),
                Some(Ok(Standing::Fenced)) => answer(pending, Committed::Fenced),
                Some(Ok(Standing::MovedOn { .. })) if again => left.push(pending),
                Some(Ok(Standing::MovedOn { signal_count })) => {
                    answer(pending, Committed::MovedOn { signal_count });
                }
                Some(Err(error)) if !error.is_transient() => {
                    answer(pending, verdict(&error));
                    // The transaction that the pool opened ended with it; a fresh connection answers for the others.
                    if connection.is_in_transaction() {
                        left.extend(batch);
                        return left;
                    }
                }
                // Nor will this connection answer for the others.
                None | Some(Err(_)) => {
                    left.push(pending);
                    left.extend(batch);
                    return left;
                }
            }
        }
        // Nothing was written here that a commit could fail for.
        drop(self.line.keep(connection).await);
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

/// Whether what may pass has been raised too often to be waited for: by one run of many, it must not hold up the
/// others; by a step's SQL alone, it is that step's failure.
fn is_tried_enough(error: &StoreError, runs: usize, raised: u32) -> bool {
    if runs > 1 { raised >= TRIES_TOGETHER } else { error.is_of_step() && raised >= TRIES_OF_STEP_SQL }
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
