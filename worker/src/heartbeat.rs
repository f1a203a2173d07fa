//! Keeps the lease alive: one statement per process and beat, never one per run.
//!
//! It beats on a thread and a connection of its own, so that neither steps that keep the processors busy nor a pool
//! that is all lent out can cost the process its leases. Where a beat finds the worker declared dead, the fence closes
//! and the session ends.

use crate::{
    pacing::BEATS_PER_LEASE,
    session::{pause, reconnect_delay},
};
use sqlx::PgPool;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use ticketflow_engine::{Clock, StoreError, WorkerId, fence::Fence, loan::Loan, pooler, store::lease};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(crate) struct Heartbeat {
    pub(crate) worker: WorkerId,
    pub(crate) lease: Duration,
    /// Where its own connection goes too.
    pub(crate) pool: PgPool,
    pub(crate) fence: Fence,
    pub(crate) clock: Clock,
    /// Told after each beat that renewed the lease.
    pub(crate) renewed: Arc<Notify>,
}

impl Heartbeat {
    /// Beats until `ended`, or until the worker is found dead. Blocks its thread.
    pub(crate) fn run(self, ended: &CancellationToken) {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.beat_until(ended)),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "no heartbeat: the lease will end");
                self.fence.close();
            }
        }
    }

    async fn beat_until(self, ended: &CancellationToken) {
        let interval = self.lease / BEATS_PER_LEASE;
        let mut kept = None;
        let mut failures = 0;
        while pause(ended, if failures == 0 { interval } else { reconnect_delay(failures).min(interval) })
            .await
        {
            // A beat that hangs is as bad as one that fails.
            let beat = tokio::time::timeout(self.lease / 4, self.beat(&mut kept));
            match ended.run_until_cancelled(beat).await {
                None => return,
                Some(Ok(Ok(true))) => {
                    failures = 0;
                    self.renewed.notify_one();
                }
                Some(Ok(Ok(false))) => {
                    tracing::warn!(worker.id = %self.worker, "declared dead; starting over under a new id");
                    self.fence.close();
                    return;
                }
                Some(Ok(Err(error))) => {
                    failures += 1;
                    kept = None;
                    tracing::warn!(error = &error as &dyn std::error::Error, failures, "no heartbeat");
                }
                Some(Err(_elapsed)) => {
                    failures += 1;
                    kept = None;
                    tracing::warn!(failures, "no heartbeat: the database does not answer");
                }
            }
        }
    }

    async fn beat(&self, kept: &mut Option<PgPool>) -> Result<bool, StoreError> {
        let pool = kept.get_or_insert_with(|| pooler::alone(&self.pool));
        let mut connection = Loan::of(pool).await?;
        let sent = Instant::now();
        let beaten = lease::heartbeat(&mut connection, self.worker, self.lease).await?;
        connection.give_back().await?;
        let Some(now) = beaten else { return Ok(false) };
        self.clock.calibrate(now, sent);
        self.fence.renew(sent, self.lease);
        Ok(true)
    }
}
