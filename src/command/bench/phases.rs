//! The phases that count: throughput of what was enqueued beforehand, durable enqueues.
//!
//! Every phase has a pool of its own and closes it before the costs are read: a connection reports what it did to the
//! statistics at the latest when it ends, and not before ten seconds otherwise.

use super::{
    CONNECTIONS, connect_with,
    crew::{Crew, Place},
    probe::{Asked, Cost, Probe, as_f64},
    workload::{self, Progress},
};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgConnectOptions};
use std::time::{Duration, Instant};
use ticketflow_engine::{Client, Clock, store::stats, wakeup::Wakeup};
use ticketflow_worker::{POLL_WITHOUT_WAKE_UPS, Shutdown, WorkerOptions};
use tokio::task::JoinHandle;

/// W1.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Throughput {
    pub(super) runs: usize,
    pub(super) workers: usize,
    /// Where they were.
    pub(super) place: Place,
    pub(super) seconds: f64,
    pub(super) runs_per_second: f64,
    pub(super) steps_per_second: f64,
    pub(super) cost: Cost,
}

/// W3.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Enqueues {
    pub(super) runs: usize,
    pub(super) clients: usize,
    pub(super) per_second: f64,
    pub(super) cost: Cost,
}

/// The scratch database, and what every phase is measured with.
pub(super) struct Bench {
    /// For the benchmark's own questions.
    pub(super) pool: PgPool,
    pub(super) options: PgConnectOptions,
    pub(super) capacity: usize,
    /// How far the runs are.
    pub(super) progress: Progress,
    /// The database's, as all clients know it.
    clock: Clock,
    /// Statements of the benchmark itself, which are nobody's cost.
    pub(super) asked: Asked,
}

impl Bench {
    pub(super) fn new(pool: PgPool, options: PgConnectOptions, capacity: usize) -> Self {
        Self {
            pool,
            options,
            capacity,
            progress: Progress::default(),
            clock: Clock::default(),
            asked: Asked::default(),
        }
    }

    /// An engine client on a pool of its own.
    pub(super) async fn client(&self) -> anyhow::Result<Client> {
        self.client_with(CONNECTIONS).await
    }

    /// An engine client on a pool of so many connections, which hears of others' runs by NOTIFY.
    pub(super) async fn client_with(&self, connections: u32) -> anyhow::Result<Client> {
        self.client_of(connections, true).await
    }

    /// The same, and whether it hears and says what becomes ready.
    pub(super) async fn client_of(&self, connections: u32, notify: bool) -> anyhow::Result<Client> {
        let pool = connect_with(self.options.clone(), connections).await?;
        let catalog = workload::catalog(&self.progress)?;
        Ok(Client::new(pool, catalog, self.clock.clone(), Wakeup::new(notify)))
    }

    pub(super) async fn probe(&self) -> anyhow::Result<Probe> {
        Probe::take(&self.pool, &self.asked).await
    }

    pub(super) fn worker(&self, client: &Client, number: usize, shutdown: &Shutdown) -> JoinHandle<()> {
        let default = WorkerOptions::default();
        let poll = if client.wakeup().uses_notify() { default.poll } else { POLL_WITHOUT_WAKE_UPS };
        let name = format!("bench-{number}");
        let options = WorkerOptions { name, capacity: self.capacity, poll, ..default };
        start(client.clone(), options, shutdown)
    }

    /// Has so many workers advance so many runs, enqueued beforehand.
    pub(super) async fn throughput(
        &self,
        runs: usize,
        workers: usize,
        place: Place,
    ) -> anyhow::Result<Throughput> {
        self.backlog(runs).await?;
        self.work_off(workers, place).await
    }

    /// Enqueues runs that nobody takes yet.
    pub(super) async fn backlog(&self, runs: usize) -> anyhow::Result<()> {
        let client = self.client().await?;
        enqueue(&client, runs, 256).await?;
        client.pool().close().await;
        self.settle().await
    }

    /// Has so many workers advance all runs there are.
    pub(super) async fn work_off(&self, workers: usize, place: Place) -> anyhow::Result<Throughput> {
        let crew = Crew::gather(self, place, workers).await?;
        // An earlier phase may have left runs that were only enqueued: they are executed and count.
        let live: i64 = sqlx::query_scalar("SELECT count(*) FROM live_runs WHERE workflow = $1")
            .bind(workload::WORKFLOW)
            .fetch_one(&self.pool)
            .await?;
        let runs = usize::try_from(live)?;
        let before = self.probe().await?;
        let last = self.progress.last_steps() + runs;
        let started = Instant::now();
        let mut busy = crew.begin(self).await?;
        tokio::select! {
            drained = self.drained(last) => drained?,
            error = busy.lost() => return Err(error),
        }
        let seconds = started.elapsed().as_secs_f64();
        busy.stop().await?;
        let cost = before.cost(&self.probe().await?, &self.pool, runs).await?;
        let runs_per_second = as_f64(runs) / seconds;
        let steps_per_second = runs_per_second * 6.0;
        Ok(Throughput { runs, workers, place, seconds, runs_per_second, steps_per_second, cost })
    }

    pub(super) async fn enqueues(&self, runs: usize, clients: usize) -> anyhow::Result<Enqueues> {
        let client = self.client().await?;
        let before = self.probe().await?;
        let seconds = enqueue(&client, runs, clients).await?;
        client.pool().close().await;
        let cost = before.cost(&self.probe().await?, &self.pool, runs).await?;
        Ok(Enqueues { runs, clients, per_second: as_f64(runs) / seconds, cost })
    }

    pub(super) async fn settle(&self) -> anyhow::Result<()> {
        sqlx::query("VACUUM (ANALYZE) live_runs").execute(&self.pool).await?;
        sqlx::query("CHECKPOINT").execute(&self.pool).await?;
        Ok(())
    }

    /// Waits until no run is live. Does not ask before the `last` of the last steps was run, so as not to disturb.
    pub(super) async fn drained(&self, last: usize) -> anyhow::Result<()> {
        self.progress.reached(last).await;
        let mut connection = self.pool.acquire().await?;
        loop {
            self.asked.count(1);
            let live: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM live_runs WHERE workflow = $1)")
                .bind(workload::WORKFLOW)
                .fetch_one(&mut *connection)
                .await?;
            if !live {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Makes sure that nothing is left of an earlier phase.
    pub(super) async fn is_empty(&self) -> anyhow::Result<bool> {
        let mut connection = self.pool.acquire().await?;
        let stats = stats::queue(&mut connection).await?;
        Ok(stats.ready + stats.leased + stats.sleeping + stats.waiting == 0)
    }
}

/// Starts a worker.
pub(super) fn start(client: Client, options: WorkerOptions, shutdown: &Shutdown) -> JoinHandle<()> {
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        if let Err(error) = ticketflow_worker::run(client, options, shutdown).await {
            tracing::error!(error = &error as &dyn std::error::Error, "the benchmark's worker failed");
        }
    })
}

/// Enqueues from many clients at once; returns the seconds it took.
pub(super) async fn enqueue(client: &Client, runs: usize, clients: usize) -> anyhow::Result<f64> {
    let started = Instant::now();
    let tasks = (0..clients).map(|number| {
        let client = client.clone();
        let share = runs / clients + usize::from(number < runs % clients);
        tokio::spawn(async move {
            for _ in 0..share {
                client.enqueue(workload::request(number)?).await?;
            }
            anyhow::Ok(())
        })
    });
    for task in futures::future::join_all(tasks).await {
        task??;
    }
    Ok(started.elapsed().as_secs_f64())
}
