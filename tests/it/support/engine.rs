//! An engine under test: a database, the workflow, a client and as many workers as the test wants.

mod builder;

pub(crate) use builder::Builder;

use super::{
    Script,
    database::{self, Database},
    greenhouse::{GREENHOUSE, Order},
    pgbouncer::pooler,
    topology, until,
};
use serde_json::value::RawValue;
use sqlx::{PgPool, pool::PoolConnection, postgres::types::PgInterval};
use std::{collections::BTreeMap, time::Duration};
use ticketflow_engine::{
    Actor, Catalog, Client, Clock, RunId, StepName, Topology,
    audit::{self, Bounds, Report},
    client::EnqueueRequest,
    event::{Event, EventRecord},
    history::History,
    pooler::Pooler,
    reaper,
    status::{LiveState, RunStatus},
    store::{
        claim,
        control::{self, LiveRow},
        enqueue::Enqueued,
        event, stats,
    },
    wakeup::Wakeup,
};
use ticketflow_worker::{Shutdown, WorkerOptions};
use tokio::task::JoinHandle;

/// A worker that runs by itself.
pub(crate) struct RunningWorker {
    /// Stops it.
    pub(crate) shutdown: Shutdown,
    task: JoinHandle<()>,
    pool: PgPool,
}

/// The engine.
pub(crate) struct TestEngine {
    database: Database,
    /// Connections past any proxy and pooler.
    pub(crate) pool: PgPool,
    /// The workflows.
    pub(crate) catalog: Catalog,
    /// The way in.
    pub(crate) client: Client,
    /// The database's time, shared by everything here.
    pub(crate) clock: Clock,
    /// What the steps do.
    pub(crate) script: Script,
    /// Settings of the workers.
    pub(crate) options: WorkerOptions,
    notify: bool,
    workers: Vec<RunningWorker>,
}

impl TestEngine {
    /// An order's input.
    pub(crate) fn order(bed: &str) -> Box<RawValue> {
        serde_json::value::to_raw_value(&Order { bed: bed.to_owned(), plants: 3 }).unwrap()
    }

    /// A request for an order.
    pub(crate) fn request(bed: &str) -> EnqueueRequest {
        EnqueueRequest::new(GREENHOUSE, Self::order(bed), Actor::new("api:test"))
    }

    /// Who acts on runs.
    pub(crate) fn operator() -> Actor {
        Actor::new("operator:test")
    }

    /// The database's URL, as programs are told it.
    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    /// The database's URL, past any pooler.
    pub(crate) fn direct_url(&self) -> String {
        self.database.direct_url()
    }

    /// A connection.
    pub(crate) async fn connection(&self) -> PoolConnection<sqlx::Postgres> {
        self.pool.acquire().await.unwrap()
    }

    /// Starts one more worker, with a pool and a wake-up of its own, as another process would have.
    pub(crate) async fn add_worker(&mut self) -> usize {
        let pool = self.database.pool().await;
        self.add_worker_on(pool)
    }

    /// Starts one more worker on connections to `url`.
    pub(crate) async fn add_worker_at(&mut self, url: &str) -> usize {
        let pool = database::connect(url).await;
        self.add_worker_on(pool)
    }

    fn add_worker_on(&mut self, pool: PgPool) -> usize {
        let number = self.workers.len();
        let wakeup = Wakeup::new(self.notify);
        let (catalog, clock) = (self.catalog.clone(), self.clock.clone());
        let client = Client::on(topology(), pool.clone(), catalog, clock, wakeup);
        let options = WorkerOptions {
            name: format!("gardener-{number}"),
            listen: self.listen(),
            ..self.options.clone()
        };
        let shutdown = Shutdown::default();
        let stop = shutdown.clone();
        let task = tokio::spawn(async move { ticketflow_worker::run(client, options, stop).await.unwrap() });
        self.workers.push(RunningWorker { shutdown, task, pool });
        number
    }

    /// Behind a pooler nobody listens.
    fn listen(&self) -> Option<PgPool> {
        (pooler() != Pooler::None).then(|| self.pool.clone())
    }

    /// A client as another process would have that knows these workflows.
    pub(crate) fn client_of(&self, catalog: Catalog) -> Client {
        let (pool, wakeup) = (self.client.pool().clone(), Wakeup::new(self.notify));
        Client::on(topology(), pool, catalog, self.clock.clone(), wakeup)
    }

    /// A running worker.
    pub(crate) fn worker(&self, number: usize) -> &RunningWorker {
        &self.workers[number]
    }

    /// Stops every worker and waits for them.
    pub(crate) async fn stop_workers(&mut self) {
        for worker in std::mem::take(&mut self.workers) {
            worker.shutdown.request();
            worker.task.await.unwrap();
            worker.pool.close().await;
        }
    }

    /// Enqueues an order.
    pub(crate) async fn enqueue(&self) -> RunId {
        self.enqueue_in_bed("north").await
    }

    /// Enqueues an order for a bed.
    pub(crate) async fn enqueue_in_bed(&self, bed: &str) -> RunId {
        self.client.enqueue(Self::request(bed)).await.unwrap().run()
    }

    /// Enqueues many orders.
    pub(crate) async fn enqueue_many(&self, runs: usize) -> Vec<RunId> {
        let requests = (0..runs).map(|_| Self::request("north")).collect();
        let enqueued = self.client.enqueue_many(requests).await;
        enqueued.into_iter().map(Result::unwrap).map(Enqueued::run).collect()
    }

    /// Sends a signal whose payload is a number.
    pub(crate) async fn signal(&self, run: RunId, name: &str, payload: i32) {
        let payload = RawValue::from_string(payload.to_string()).unwrap();
        self.client.signal(run, name, &payload, &Self::operator()).await.unwrap();
    }

    /// What became of a run.
    pub(crate) async fn status(&self, run: RunId) -> RunStatus {
        let header = control::header(&mut *self.connection().await, run, false).await.unwrap();
        header.unwrap().status
    }

    /// The run's live row.
    pub(crate) async fn live(&self, run: RunId) -> LiveRow {
        control::live(&mut *self.connection().await, run, false).await.unwrap().expect("the run is live")
    }

    /// The run's log.
    pub(crate) async fn log(&self, run: RunId) -> Vec<EventRecord> {
        event::load(&mut *self.connection().await, run, -1).await.unwrap()
    }

    /// The run's log folded.
    pub(crate) async fn history(&self, run: RunId) -> History {
        History::fold(run, &self.log(run).await).unwrap()
    }

    /// The kinds of the run's events.
    pub(crate) async fn kinds(&self, run: RunId) -> Vec<&'static str> {
        self.log(run).await.iter().map(|record| record.event.kind().as_str()).collect()
    }

    /// How often each step made a checkpoint.
    pub(crate) async fn checkpoints(&self, run: RunId) -> BTreeMap<String, usize> {
        let mut checkpoints = BTreeMap::new();
        for record in self.log(run).await {
            if let Event::StepCompleted(_) = record.event {
                *checkpoints
                    .entry(record.step.map_or_else(String::new, |step| step.to_string()))
                    .or_default() += 1;
            }
        }
        checkpoints
    }

    /// Code of the error that failed the run.
    pub(crate) async fn error_code(&self, run: RunId) -> Option<String> {
        let header = control::header(&mut *self.connection().await, run, false).await.unwrap();
        header.unwrap().error_code
    }

    /// A step's output, as its amount.
    pub(crate) async fn amount(&self, run: RunId, step: &str) -> Option<u64> {
        let history = self.history(run).await;
        let made: serde_json::Value = serde_json::from_str(history.output(step)?.get()).unwrap();
        made["amount"].as_u64()
    }

    /// Resumes a run from a step, with nothing edited.
    pub(crate) async fn resume(&self, run: RunId, from: Option<&str>) {
        let from = from.map(StepName::new);
        self.client.resume(run, &Self::operator(), "test", from, BTreeMap::new()).await.unwrap();
    }

    /// Waits until the run's row is in this state.
    pub(crate) async fn reaches(&self, run: RunId, state: LiveState) {
        until(state.as_str(), || async {
            let row = control::live(&mut *self.connection().await, run, false).await.unwrap();
            row.is_some_and(|row| row.state == state)
        })
        .await;
    }

    /// Waits until the run ended like this.
    pub(crate) async fn ends(&self, run: RunId, status: RunStatus) {
        until(status.as_str(), || async { self.status(run).await == status }).await;
    }

    /// Waits until there is nothing that a worker could do now.
    pub(crate) async fn drain(&self) {
        until("every run rests", || async {
            let stats = stats::queue(&mut *self.connection().await).await.unwrap();
            stats.ready + stats.leased + stats.blocked == 0
        })
        .await;
    }

    /// Moves the database's clock on. Workers stay alive; what sleeps may become due.
    pub(crate) async fn advance_clock(&self, by: Duration) {
        sqlx::query("UPDATE workers SET expires_at = expires_at + $1")
            .bind(interval(by))
            .execute(&self.pool)
            .await
            .unwrap();
        sqlx::query("UPDATE live_runs SET deadline_at = deadline_at + $1")
            .bind(interval(by))
            .execute(&self.pool)
            .await
            .unwrap();
        self.jump(by).await;
    }

    /// Moves the database's clock on past every lease and deadline.
    pub(crate) async fn jump(&self, by: Duration) {
        sqlx::query("UPDATE test_clock SET ahead = ahead + $1")
            .bind(interval(by))
            .execute(&self.pool)
            .await
            .unwrap();
        self.calibrate().await;
    }

    /// Moves the clock on so far that every worker counts as dead, and takes their runs from them.
    pub(crate) async fn reap_everything(&self) -> u64 {
        self.jump(self.options.lease + seconds(1)).await;
        self.reap().await
    }

    /// Reaps once.
    pub(crate) async fn reap(&self) -> u64 {
        let mut connection = self.connection().await;
        reaper::reap(&mut connection, &self.catalog, &self.clock, topology()).await.unwrap()
    }

    /// Lines up what has been due for a while.
    pub(crate) async fn line_up(&self) -> u64 {
        let mut connection = self.connection().await;
        let lined_up = match topology() {
            Topology::Single => claim::line_up(&mut connection).await,
            Topology::Citus => claim::line_up_by_bucket(&mut connection).await,
        };
        lined_up.unwrap()
    }

    /// Removes idempotency keys that have expired.
    pub(crate) async fn sweep_idempotency(&self) -> u64 {
        let mut connection = self.connection().await;
        let swept = match topology() {
            Topology::Single => stats::sweep_idempotency(&mut connection).await,
            Topology::Citus => stats::sweep_idempotency_by_bucket(&mut connection).await,
        };
        swept.unwrap()
    }

    async fn calibrate(&self) {
        let mut connection = self.connection().await;
        let sent = std::time::Instant::now();
        let now = stats::now(&mut connection).await.unwrap();
        self.clock.calibrate(now, sent);
    }

    /// What an audit finds.
    pub(crate) async fn audit(&self) -> Report {
        audit::audit(&mut *self.connection().await, &self.catalog, Bounds::default()).await.unwrap()
    }

    /// Ends the test: stops the workers, and finds every invariant kept and every lock taken in order.
    pub(crate) async fn finish(mut self) {
        self.stop_workers().await;
        let report = self.audit().await;
        assert!(report.is_clean(), "{:#?}", report.violations);
        self.client.pool().close().await;
        self.pool.close().await;
        assert_eq!(self.database.deadlocks().await, 0, "locks were taken against their order");
        self.close().await;
    }

    /// Ends a test that broke something on purpose.
    pub(crate) async fn close(mut self) {
        self.stop_workers().await;
        self.client.pool().close().await;
        self.pool.close().await;
        self.database.drop().await;
    }
}

/// So many seconds.
pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: duration.as_micros().try_into().unwrap() }
}
