//! What some worker has to do now and then: reap, fire schedules, unblock, line up, sweep, create and drop partitions.
//!
//! One statement looks whether there is anything to do, so that an idle system hardly asks. Taking over from the dead
//! comes first; no chore that fails, or has much to catch up on, keeps another from being done.

use crate::{
    pacing::BEATS_PER_LEASE,
    session::{Session, pause},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use ticketflow_engine::{
    StoreError, Topology,
    loan::Loan,
    reaper::{self, ReapError},
    retention::{self, Retention},
    scheduler,
    store::{claim, lease, limit, stats},
};
use tokio_util::sync::CancellationToken;

/// How often what grows by the month is looked after.
const UPKEEP_EVERY: Duration = Duration::from_hours(6);
/// Rows that a chore's statement takes at most; as many as that, and there are likely more.
const FULL_BATCH: u64 = 1_000;

pub(crate) struct Chores {
    session: Arc<Session>,
}

/// A chore that one statement does a batch of.
#[derive(Debug, Clone, Copy)]
enum Chore {
    Unblock,
    LineUp,
    SweepIdempotency,
    CreatePartitions,
    SweepKeys,
}

impl Chore {
    const fn name(self) -> &'static str {
        match self {
            Self::Unblock => "unblock runs",
            Self::LineUp => "line up runs",
            Self::SweepIdempotency => "sweep idempotency keys",
            Self::CreatePartitions => "create partitions",
            Self::SweepKeys => "sweep concurrency keys",
        }
    }

    /// How many batches are done at a look; what is left is the next one's.
    const fn batches(self) -> usize {
        match self {
            // What one look makes ready fills no slot yet, so another right after it would make too many ready.
            Self::Unblock | Self::CreatePartitions | Self::SweepKeys => 1,
            Self::LineUp => 20,
            // Keys expire as fast as they once came, which is thousands a second.
            Self::SweepIdempotency => 100,
        }
    }
}

impl Chores {
    pub(crate) const fn new(session: Arc<Session>) -> Self {
        Self { session }
    }

    /// Does chores until `ended`.
    pub(crate) async fn run(self, ended: CancellationToken) {
        let interval = self.session.options.lease / BEATS_PER_LEASE;
        let mut upkeep_due = Instant::now();
        let mut retiring = false;
        loop {
            if self.session.fence.is_open(Instant::now()) {
                self.look().await;
                if upkeep_due <= Instant::now() {
                    upkeep_due = Instant::now() + UPKEEP_EVERY;
                    self.catch_up(Chore::CreatePartitions).await;
                    self.catch_up(Chore::SweepKeys).await;
                    retiring = true;
                }
                if retiring {
                    retiring = self.retire(interval / 2).await;
                }
            }
            if !pause(&ended, interval).await {
                return;
            }
        }
    }

    async fn look(&self) {
        let chores = match self.in_time(self.due()).await {
            Ok(chores) => chores,
            Err(error) => return failed("look for chores", &error),
        };
        if chores.reap {
            self.reap().await;
        }
        if chores.schedule {
            self.fire().await;
        }
        for (is_due, chore) in [
            (chores.unblock, Chore::Unblock),
            (chores.line_up, Chore::LineUp),
            (chores.sweep, Chore::SweepIdempotency),
        ] {
            if is_due {
                self.catch_up(chore).await;
            }
        }
    }

    async fn due(&self) -> Result<lease::Chores, StoreError> {
        if self.session.client.topology() == Topology::Citus {
            return Ok(lease::Chores::PERHAPS);
        }
        let mut connection = Loan::of(self.session.client.pool()).await?;
        let chores = lease::chores(&mut connection).await?;
        connection.give_back().await?;
        Ok(chores)
    }

    async fn reap(&self) {
        let client = &self.session.client;
        loop {
            match self.in_time(self.reap_once()).await {
                Ok(0) => return,
                Ok(runs) => {
                    tracing::warn!(runs, "took runs over from dead workers");
                    client
                        .wakeup()
                        .ready_anywhere(client.pool(), usize::try_from(runs).unwrap_or(usize::MAX));
                }
                Err(error) => return failed("reap", &error),
            }
        }
    }

    async fn reap_once(&self) -> Result<u64, ReapError> {
        let client = &self.session.client;
        let mut connection = Loan::of(client.pool()).await?;
        let runs = reaper::reap(&mut connection, client.catalog(), client.clock(), client.topology()).await?;
        connection.give_back().await?;
        Ok(runs)
    }

    async fn fire(&self) {
        let client = &self.session.client;
        match self.in_time(scheduler::fire_due(client)).await {
            Ok(runs) if runs.is_empty() => {}
            Ok(runs) => client.wakeup().ready_anywhere(client.pool(), runs.len()),
            Err(error) => failed("fire schedules", &error),
        }
    }

    /// Does batches as long as they are full.
    async fn catch_up(&self, chore: Chore) {
        for _ in 0..chore.batches() {
            match self.in_time(self.once(chore)).await {
                Ok(FULL_BATCH..) => {}
                Ok(_) => return,
                Err(error) => return failed(chore.name(), &error),
            }
        }
    }

    async fn once(&self, chore: Chore) -> Result<u64, StoreError> {
        let topology = self.session.client.topology();
        let mut connection = Loan::of(self.session.client.pool()).await?;
        let done = match chore {
            Chore::Unblock => limit::unblock_missed(&mut connection).await?,
            Chore::LineUp => match topology {
                Topology::Single => claim::line_up(&mut connection).await?,
                Topology::Citus => claim::line_up_by_bucket(&mut connection).await?,
            },
            Chore::SweepIdempotency => match topology {
                Topology::Single => stats::sweep_idempotency(&mut connection).await?,
                Topology::Citus => stats::sweep_idempotency_by_bucket(&mut connection).await?,
            },
            Chore::CreatePartitions => stats::create_partitions(&mut connection).await?.unsigned_abs().into(),
            Chore::SweepKeys => match topology {
                Topology::Single => limit::sweep_keys(&mut connection).await?,
                Topology::Citus => 0,
            },
        };
        connection.give_back().await?;
        Ok(done)
    }

    /// Drops what is kept no longer for at most some `time`: taking over from the dead comes first. Returns whether there
    /// may be more.
    async fn retire(&self, time: Duration) -> bool {
        let started = Instant::now();
        while started.elapsed() < time {
            match self.in_time(self.retire_once()).await {
                Ok(Retention::Dropped) => {}
                Ok(Retention::Kept) => return false,
                Err(error) => {
                    failed("drop what is kept no longer", &error);
                    return true;
                }
            }
        }
        true
    }

    async fn retire_once(&self) -> Result<Retention, StoreError> {
        let client = &self.session.client;
        // What drops partitions that are spread over a cluster was never tried on one.
        let Some(keep) = self.session.options.retention.filter(|_| client.topology() == Topology::Single)
        else {
            return Ok(Retention::Kept);
        };
        let mut connection = Loan::of(client.pool()).await?;
        let done = retention::retire(&mut connection, client.catalog(), keep).await?;
        connection.give_back().await?;
        Ok(done)
    }

    /// Waits for the database while this worker's lease holds.
    async fn in_time<T, E: From<StoreError>>(
        &self,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.session
            .fence
            .while_open(answer)
            .await
            .unwrap_or_else(|| Err(StoreError::unanswered("do a chore").into()))
    }
}

fn failed(chore: &'static str, error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(chore, error, "a chore was not done");
}
