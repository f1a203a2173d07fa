//! A worker that does nothing by itself: the test claims, advances and crashes with it, step by step.

use super::{TestEngine, topology};
use sqlx::{Connection, PgPool};
use std::time::Instant;
use ticketflow_engine::{
    Actor, RunId, Topology, WorkerId,
    clock::entropy,
    committer::Committer,
    executor::{Ended, Executor, ExecutorError},
    fence::Fence,
    loan::Loan,
    store::{
        claim::{self, ClaimRequest, LeasedRun, Place},
        lease::{self, Registration},
    },
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The worker.
pub(crate) struct HandWorker {
    /// Its id.
    pub(crate) id: WorkerId,
    /// Whether it thinks that its leases hold.
    pub(crate) fence: Fence,
    /// What advances its runs.
    pub(crate) executor: Executor,
    definitions: Vec<String>,
    pool: PgPool,
    keyed: Vec<String>,
}

impl TestEngine {
    /// Registers a worker that is worked by hand.
    pub(crate) async fn hand(&self, name: &str) -> HandWorker {
        self.hand_on(name, self.client.pool().clone()).await
    }

    /// Registers one whose results go over connections of their own.
    pub(crate) async fn hand_on(&self, name: &str, pool: PgPool) -> HandWorker {
        let id = WorkerId::from_uuid(uuid::Builder::from_random_bytes(entropy()).into_uuid());
        let registration = Registration {
            id,
            name: name.to_owned(),
            queues: vec!["default".to_owned()],
            definitions: self.catalog.advertised(),
            capacity: 100,
        };
        lease::register(&mut *self.connection().await, &registration, self.options.lease).await.unwrap();
        let fence = Fence::open(Instant::now(), super::seconds(600));
        let executor = Executor {
            catalog: self.catalog.clone(),
            committer: Committer::start(1, &pool, &self.catalog, &fence, topology()),
            pool: pool.clone(),
            clock: self.clock.clone(),
            actor: Actor::new(&format!("worker:{name}")),
            fence: fence.clone(),
            pace: std::time::Duration::ZERO,
        };
        let keyed = self.catalog.keyed();
        HandWorker { id, fence, executor, definitions: self.catalog.advertised(), pool, keyed }
    }
}

impl HandWorker {
    /// Claims up to `limit` runs.
    pub(crate) async fn claim(&self, limit: i64) -> Vec<LeasedRun> {
        let (mut connection, request) = (Loan::of(&self.pool).await.unwrap(), self.request(limit));
        let claimed = match topology() {
            Topology::Single => claim::claim(&mut connection, &request).await,
            Topology::Citus => claim::claim_by_bucket(&mut connection, &request).await,
        };
        connection.give_back().await.unwrap();
        claimed.unwrap().runs
    }

    /// Claims up to `limit` runs from a queue with a limit.
    pub(crate) async fn claim_limited(&self, limit: i64) -> Vec<LeasedRun> {
        let mut connection = Loan::of(&self.pool).await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        let claimed = claim::claim_limited(&mut transaction, &self.request(limit)).await.unwrap();
        transaction.commit().await.unwrap();
        connection.give_back().await.unwrap();
        claimed.runs
    }

    /// What it asks for.
    pub(crate) fn request(&self, limit: i64) -> ClaimRequest<'_> {
        ClaimRequest {
            worker: self.id,
            queue: "default",
            definitions: &self.definitions,
            from: Place::FIRST,
            limit,
            deadline: super::seconds(100),
            keyed: &self.keyed,
        }
    }

    /// Claims the one run there is.
    pub(crate) async fn claim_one(&self) -> LeasedRun {
        let mut runs = self.claim(1).await;
        runs.pop().expect("a run is ready")
    }

    /// Advances a leased run as far as it goes.
    pub(crate) async fn advance(&self, lease: LeasedRun) -> Ended {
        self.try_advance(lease).await.unwrap()
    }

    /// Advances a leased run as far as it goes.
    pub(crate) async fn try_advance(&self, lease: LeasedRun) -> Result<Ended, ExecutorError> {
        let token = CancellationToken::new();
        self.executor.run(lease, &token, &token).await
    }

    /// Advances a leased run in the background; aborting the task is the crash of the worker.
    pub(crate) fn spawn(&self, lease: LeasedRun) -> JoinHandle<Ended> {
        self.spawn_until(lease, CancellationToken::new())
    }

    /// The same, but it goes no further than the next checkpoint once `stop` is cancelled.
    pub(crate) fn spawn_until(&self, lease: LeasedRun, stop: CancellationToken) -> JoinHandle<Ended> {
        let executor = self.executor.clone();
        tokio::spawn(async move { executor.run(lease, &stop, &CancellationToken::new()).await.unwrap() })
    }

    /// Claims the one run there is and advances it as far as it goes.
    pub(crate) async fn work(&self) -> (RunId, Ended) {
        let lease = self.claim_one().await;
        (lease.id, self.advance(lease).await)
    }
}
