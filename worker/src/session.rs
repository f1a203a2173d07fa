//! A worker's life under one id: from registering to handing back its leases.

use crate::{
    Shutdown, WorkerOptions, chores::Chores, claims::Claims, heartbeat::Heartbeat, listener,
    reconcile::reconcile,
};
use sqlx::Connection;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
    time::{Duration, Instant},
};
use thiserror::Error;
use ticketflow_engine::{
    Actor, Client, DefinitionError, Epoch, RunId, StoreError, WorkerId,
    clock::entropy,
    committer::Committer,
    executor::Executor,
    fence::Fence,
    loan::Loan,
    retry::RECONNECT,
    store::lease::{self, Registration},
};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Longest wait for an answer when registering.
const REGISTER_FOR: Duration = Duration::from_secs(5);
/// Shortest time that a worker whose lease holds waits for an answer while it puts things in order.
const LEAST_PATIENCE: Duration = Duration::from_secs(5);

/// What ends a worker that was not told to stop.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// It could not make itself known.
    #[error("the worker could not register")]
    Register(#[source] StoreError),
    /// A workflow asks for what its database cannot do.
    #[error("the worker cannot run its workflows on this database")]
    Workflows(#[source] DefinitionError),
}

/// Everything the tasks of a session share.
pub(crate) struct Session {
    pub(crate) id: WorkerId,
    pub(crate) options: WorkerOptions,
    pub(crate) client: Client,
    pub(crate) executor: Executor,
    pub(crate) fence: Fence,
    pub(crate) held: Held,
    /// Workers there are, as far as the claim loop knows.
    pub(crate) fleet: AtomicUsize,
}

/// Runs in the hands of this process, and those it dropped without knowing how they stand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    inner: Arc<Mutex<HeldRuns>>,
}

#[derive(Debug)]
struct Running {
    epoch: Epoch,
    since: Instant,
    abort: CancellationToken,
}

#[derive(Debug, Default)]
struct HeldRuns {
    running: HashMap<RunId, Running>,
    dropped: Vec<(RunId, Epoch)>,
    uncertain: bool,
}

impl HeldRuns {
    fn holds(&self, run: RunId, epoch: Epoch) -> bool {
        self.running.get(&run).is_some_and(|running| running.epoch == epoch)
    }

    fn end(&mut self, run: RunId, epoch: Epoch) {
        if self.holds(run, epoch) {
            self.running.remove(&run);
        }
    }
}

impl Held {
    fn with<T>(&self, act: impl FnOnce(&mut HeldRuns) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn start(&self, run: RunId, epoch: Epoch, abort: CancellationToken) {
        let running = Running { epoch, since: Instant::now(), abort };
        self.with(|held| held.running.insert(run, running));
    }

    /// Whether some run has been in hand for longer than `age`: long enough for an operator to have taken it away.
    pub(crate) fn any_older_than(&self, age: Duration) -> bool {
        self.with(|held| held.running.values().any(|running| running.since.elapsed() > age))
    }

    /// Cuts off what runs here for longer than `age` and is not among `leased`: its result is not wanted any more.
    pub(crate) fn cut_off_lost(&self, leased: &[(RunId, Epoch)], age: Duration) {
        self.with(|held| {
            for (run, running) in held.running.iter().filter(|(_, running)| running.since.elapsed() > age) {
                if !leased.contains(&(*run, running.epoch)) {
                    running.abort.cancel();
                }
            }
        });
    }

    /// The run is out of hand under this epoch; under a newer one it may be in hand again.
    pub(crate) fn end(&self, run: RunId, epoch: Epoch) {
        self.with(|held| held.end(run, epoch));
    }

    /// The run is no longer advanced here, but the database may think so.
    pub(crate) fn drop_run(&self, run: RunId, epoch: Epoch) {
        self.with(|held| {
            held.end(run, epoch);
            held.dropped.push((run, epoch));
        });
    }

    /// A claim's answer was lost: the database may have leased runs to us that we do not know.
    pub(crate) fn claim_lost(&self) {
        self.with(|held| held.uncertain = true);
    }

    /// Whether a claim was lost since this was asked last. Asked before looking up what the database leased: a claim
    /// lost after that look is another one's to find.
    pub(crate) fn take_claim_lost(&self) -> bool {
        self.with(|held| std::mem::take(&mut held.uncertain))
    }

    /// Drops what the database says we hold and we do not know.
    pub(crate) fn drop_unknown(&self, leased: &[(RunId, Epoch)]) {
        self.with(|held| {
            let unknown = leased.iter().filter(|(run, epoch)| !held.holds(*run, *epoch)).copied();
            let unknown: Vec<_> = unknown.collect();
            held.dropped.extend(unknown);
        });
    }

    /// What is to be handed back. Not what has come to hand since it was dropped: it was in a claim under way.
    pub(crate) fn take_dropped(&self) -> Vec<(RunId, Epoch)> {
        self.with(|held| {
            let dropped = std::mem::take(&mut held.dropped);
            dropped.into_iter().filter(|(run, epoch)| !held.holds(*run, *epoch)).collect()
        })
    }

    pub(crate) fn give_back(&self, dropped: Vec<(RunId, Epoch)>) {
        self.with(|held| held.dropped.extend(dropped));
    }
}

/// Works until told to stop.
///
/// # Errors
/// If the topology does not allow its workflows, or the database does not let it register at first. Outages are waited out.
pub async fn run(client: Client, options: WorkerOptions, shutdown: Shutdown) -> Result<(), WorkerError> {
    client.topology().check(client.catalog()).map_err(WorkerError::Workflows)?;
    let mut first = true;
    while !shutdown.stop.is_cancelled() {
        let session = match Session::open(&client, &options).await {
            Ok(session) => session,
            Err(error) if first && !error.is_transient() => return Err(WorkerError::Register(error)),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot register; trying again");
                pause(&shutdown.stop, Duration::from_millis(500)).await;
                continue;
            }
        };
        first = false;
        session.work(&shutdown).await;
    }
    Ok(())
}

impl Session {
    async fn open(client: &Client, options: &WorkerOptions) -> Result<Self, StoreError> {
        let id = WorkerId::from_uuid(uuid::Builder::from_random_bytes(entropy()).into_uuid());
        let queues = if options.queues.is_empty() {
            client.catalog().queues().iter().map(ToString::to_string).collect()
        } else {
            options.queues.clone()
        };
        let options = WorkerOptions { queues, ..options.clone() };
        let registration = Registration {
            id,
            name: options.name.clone(),
            queues: options.queues.clone(),
            definitions: client.catalog().advertised(),
            capacity: i32::try_from(options.capacity).unwrap_or(i32::MAX),
        };
        let register = register(client, &registration, options.lease);
        let sent = tokio::time::timeout(REGISTER_FOR, register)
            .await
            .unwrap_or_else(|_| Err(StoreError::unanswered("register a worker")))?;
        let fence = Fence::open(sent, options.lease);
        let committer =
            Committer::start(options.committers, client.pool(), client.catalog(), &fence, client.topology());
        let executor = Executor {
            catalog: client.catalog().clone(),
            committer,
            pool: client.pool().clone(),
            clock: client.clock().clone(),
            actor: Actor::new(&format!("worker:{}", options.name)),
            fence: fence.clone(),
            pace: options.pace,
        };
        tracing::info!(worker.id = %id, worker.name = options.name, "worker registered");
        let (held, fleet) = (Held::default(), AtomicUsize::new(0));
        Ok(Self { id, options, client: client.clone(), executor, fence, held, fleet })
    }
}

/// Makes the worker known; returns when it asked to be.
async fn register(
    client: &Client,
    registration: &Registration,
    lease: Duration,
) -> Result<Instant, StoreError> {
    let mut connection = Loan::of(client.pool()).await?;
    let sent = Instant::now();
    let now = lease::register(&mut connection, registration, lease).await?;
    connection.give_back().await?;
    client.clock().calibrate(now, sent);
    Ok(sent)
}

impl Session {
    async fn work(self, shutdown: &Shutdown) {
        let session = Arc::new(self);
        let ended = CancellationToken::new();
        // Should this future be dropped, its tasks end all the same; the heartbeat's thread would never.
        let _guard = ended.clone().drop_guard();
        let background = TaskTracker::new();
        let renewed = Arc::new(Notify::new());
        let (heartbeat, token) = (session.heartbeat(renewed.clone()), ended.clone());
        background.spawn_blocking(move || heartbeat.run(&token));
        background.spawn(reconcile(session.clone(), renewed, ended.clone()));
        background.spawn(Chores::new(session.clone()).run(ended.clone()));
        if session.client.wakeup().uses_notify() {
            let pool = session.options.listen.as_ref().unwrap_or(session.client.pool()).clone();
            background.spawn(listener::listen(session.clone(), pool, ended.clone()));
        }
        let running = Claims::new(session.clone(), shutdown.clone()).run().await;
        session.client.wakeup().set_idle_capacity(0);
        session.drain(&running, shutdown).await;
        ended.cancel();
        background.close();
        background.wait().await;
    }

    fn heartbeat(&self, renewed: Arc<Notify>) -> Heartbeat {
        Heartbeat {
            worker: self.id,
            lease: self.options.lease,
            pool: self.client.pool().clone(),
            fence: self.fence.clone(),
            clock: self.client.clock().clone(),
            renewed,
        }
    }

    /// Lets running steps finish, then hands back what is left.
    async fn drain(&self, running: &TaskTracker, shutdown: &Shutdown) {
        running.close();
        let drains = self.in_time(async {
            let mut connection = Loan::of(self.client.pool()).await?;
            lease::drain(&mut connection, self.id).await?;
            connection.give_back().await?;
            Ok(())
        });
        log_failure(drains.await, "cannot say that this worker drains");
        tokio::select! {
            () = running.wait() => {}
            () = shutdown.abort.cancelled() => {}
            () = self.fence.closed() => {}
            () = tokio::time::sleep(self.options.grace) => shutdown.abort.cancel(),
        }
        running.wait().await;
        log_failure(self.hand_back_dropped().await, "leases were not handed back; they will be reaped");
        let deregistered = self.in_time(async {
            let mut connection = Loan::of(self.client.pool()).await?;
            lease::deregister(&mut connection, self.id).await?;
            connection.give_back().await?;
            Ok(())
        });
        log_failure(deregistered.await, "cannot deregister");
        tracing::info!(worker.id = %self.id, worker.name = self.options.name, "worker stopped");
    }

    /// Hands back every run that was dropped here.
    pub(crate) async fn hand_back_dropped(&self) -> Result<(), StoreError> {
        let dropped = self.held.take_dropped();
        if dropped.is_empty() {
            return Ok(());
        }
        let done = self.in_time(self.hand_back(&dropped)).await;
        if done.is_err() {
            self.held.give_back(dropped);
        }
        done
    }

    async fn hand_back(&self, runs: &[(RunId, Epoch)]) -> Result<(), StoreError> {
        let pool = self.client.pool();
        let mut connection = Loan::of(pool).await?;
        let mut count = 0;
        for part in self.client.topology().parts(runs.to_vec(), |(run, _)| run.bucket()) {
            let begun = connection.begin().await;
            let mut transaction = begun.map_err(StoreError::database("begin to hand runs back"))?;
            count += lease::hand_back(&mut transaction, self.id, &part).await?;
            transaction.commit().await.map_err(StoreError::database("commit runs handed back"))?;
        }
        connection.give_back().await?;
        if count > 0 {
            self.client.wakeup().ready(pool, count);
        }
        Ok(())
    }

    /// Waits for the database for about a lease, but once this worker is declared dead no longer than for a beat.
    pub(crate) async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let lease = self.options.lease;
        let answer = if self.fence.is_closed() {
            tokio::time::timeout(lease / 4, answer).await.ok()
        } else {
            tokio::select! {
                biased;
                answer = tokio::time::timeout(lease.max(LEAST_PATIENCE), answer) => answer.ok(),
                () = self.fence.closed() => None,
            }
        };
        answer.unwrap_or_else(|| Err(StoreError::unanswered("put runs in order")))
    }
}

pub(crate) fn log_failure<T>(result: Result<T, StoreError>, message: &'static str) {
    if let Err(error) = result {
        tracing::warn!(error = &error as &dyn std::error::Error, message);
    }
}

pub(crate) fn reconnect_delay(attempt: u32) -> Duration {
    RECONNECT.delay(attempt, ticketflow_engine::clock::random_fraction(), None)
}

/// Waits, unless cancelled before. False: cancelled.
pub(crate) async fn pause(cancelled: &CancellationToken, duration: Duration) -> bool {
    cancelled.run_until_cancelled(tokio::time::sleep(duration)).await.is_some()
}
