//! What some worker has to do now and then: reap, fire schedules, unblock, line up, sweep, create partitions.
//!
//! One statement looks whether there is anything to do, so that an idle system hardly asks.

use crate::session::{Session, connection, log_failure, pause};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use ticketflow_engine::{
    StoreError, reaper, scheduler,
    store::{claim, lease, limit, stats},
};
use tokio_util::sync::CancellationToken;

/// How often what grows by the month is looked after.
const UPKEEP_EVERY: Duration = Duration::from_hours(6);

pub(crate) struct Chores {
    session: Arc<Session>,
}

impl Chores {
    pub(crate) const fn new(session: Arc<Session>) -> Self {
        Self { session }
    }

    /// Does chores until `ended`.
    pub(crate) async fn run(self, ended: CancellationToken) {
        let interval = self.session.options.lease / 3;
        let mut upkeep_due = Instant::now();
        loop {
            if self.session.fence.is_open(Instant::now()) {
                log_failure(self.look().await, "a chore failed");
                if upkeep_due <= Instant::now() {
                    upkeep_due = Instant::now() + UPKEEP_EVERY;
                    log_failure(self.upkeep().await, "the upkeep of the tables failed");
                }
            }
            if !pause(&ended, interval).await {
                return;
            }
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        let mut connection = connection(self.session.client.pool()).await?;
        let chores = lease::chores(&mut connection).await?;
        if chores.unblock {
            limit::unblock_missed(&mut connection).await?;
        }
        while chores.line_up && claim::line_up(&mut connection).await? > 0 {}
        if chores.sweep {
            stats::sweep_idempotency(&mut connection).await?;
        }
        drop(connection);
        if chores.reap {
            self.reap().await?;
        }
        if chores.schedule {
            self.fire().await;
        }
        Ok(())
    }

    async fn reap(&self) -> Result<(), StoreError> {
        let client = &self.session.client;
        loop {
            let mut connection = connection(client.pool()).await?;
            match reaper::reap(&mut connection, client.catalog(), client.clock()).await {
                Ok(0) => return Ok(()),
                Ok(runs) => {
                    tracing::warn!(runs, "took runs over from dead workers");
                    client.wakeup().ready(client.pool(), usize::try_from(runs).unwrap_or(usize::MAX));
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "reaping failed");
                    return Ok(());
                }
            }
        }
    }

    async fn fire(&self) {
        match scheduler::fire_due(&self.session.client).await {
            Ok(runs) if runs.is_empty() => {}
            Ok(runs) => self.session.client.wakeup().ready(self.session.client.pool(), runs.len()),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a schedule did not fire");
            }
        }
    }

    /// Partitions for the months to come; counters of keys that nobody uses any more.
    async fn upkeep(&self) -> Result<(), StoreError> {
        let mut connection = connection(self.session.client.pool()).await?;
        stats::create_partitions(&mut connection).await?;
        limit::sweep_keys(&mut connection).await.map(drop)
    }
}
