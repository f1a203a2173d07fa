//! Tickets: posted over HTTP one by one and in batches, and worked off by the triage workflow with its offline provider.

use super::{
    connect,
    latency::Percentiles,
    phases::Bench,
    posting::{self, Bodies, Posted},
    probe::{Cost, as_f64},
    resources::InHand,
};
use crate::runtime;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use ticketflow_api::{ApiSettings, ApiState};
use ticketflow_engine::{Client, Clock, wakeup::Wakeup};
use ticketflow_worker::Shutdown;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// How long single tickets are posted, to the API and to the floor.
const POST_FOR: Duration = Duration::from_secs(4);
/// Clients that post single tickets.
const CLIENTS: [usize; 2] = [16, 64];
/// Tickets of a batch: the most that the API takes.
const BATCH: usize = 500;
const BATCH_CLIENTS: usize = 4;

/// What tickets cost, in and through.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Tickets {
    pub(super) posts: Vec<Posts>,
    pub(super) batched_per_second: f64,
    /// Through the whole workflow, one worker.
    pub(super) through: Through,
    /// One process that holds many.
    pub(super) in_hand: InHand,
}

/// Single tickets, beside a minimal handler that inserts one row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Posts {
    pub(super) clients: usize,
    pub(super) per_second: f64,
    pub(super) answer: Percentiles,
    pub(super) floor_per_second: f64,
    pub(super) of_floor: f64,
}

/// The whole workflow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Through {
    pub(super) tickets: usize,
    pub(super) per_second: f64,
    pub(super) cost: Cost,
}

/// An API on a free port of this machine, and what it works with.
struct Served {
    client: Client,
    url: String,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Served {
    async fn start(bench: &Bench, metrics: PrometheusHandle) -> anyhow::Result<Self> {
        let pool = connect(bench.options.clone()).await?;
        let catalog = runtime::unconfigured_catalog(pool.clone())?;
        let client = Client::new(pool, catalog, Clock::default(), Wakeup::new(true));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/tickets", listener.local_addr()?);
        let stop = CancellationToken::new();
        let state = ApiState::new(client.clone(), ApiSettings::default(), metrics, stop.clone());
        let task = tokio::spawn(ticketflow_api::serve(listener, state, stop.clone()));
        Ok(Self { client, url, stop, task })
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.task.await?;
        self.client.pool().close().await;
        Ok(())
    }
}

impl Bench {
    /// Posts tickets, works `tickets` of them and those that were posted one by one off, and has a process hold others.
    pub(super) async fn tickets(
        &self,
        tickets: usize,
        in_hand: usize,
        metrics: PrometheusHandle,
    ) -> anyhow::Result<Tickets> {
        let served = Served::start(self, metrics).await?;
        let floor = posting::Floor::start(self).await?;
        let bodies = Bodies::new()?;
        let mut posts = Vec::new();
        for clients in CLIENTS {
            let ours = posting::one_by_one(&served.url, &bodies, clients, POST_FOR).await?;
            let theirs = posting::one_by_one(&floor.url, &bodies, clients, POST_FOR).await?;
            posts.push(compared(clients, ours, &theirs)?);
        }
        floor.stop().await?;
        let seconds = posting::batches(&served.url, &bodies, tickets, BATCH, BATCH_CLIENTS).await?;
        let through = self.through(&served.client).await?;
        let in_hand = self.in_hand(in_hand, &served.url, &bodies).await?;
        served.stop().await?;
        Ok(Tickets { posts, batched_per_second: as_f64(tickets) / seconds, through, in_hand })
    }

    async fn through(&self, client: &Client) -> anyhow::Result<Through> {
        self.settle().await?;
        let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM live_runs").fetch_one(&self.pool).await?;
        let tickets = usize::try_from(waiting)?;
        let before = self.probe().await?;
        let shutdown = Shutdown::default();
        let started = Instant::now();
        let worker = self.worker(client, 0, &shutdown);
        self.worked_off().await?;
        let per_second = as_f64(tickets) / started.elapsed().as_secs_f64();
        shutdown.request();
        worker.await?;
        let cost = before.cost(&self.probe().await?, &self.pool, tickets).await?;
        Ok(Through { tickets, per_second, cost })
    }

    /// Waits until every ticket is done or waits for a person.
    async fn worked_off(&self) -> anyhow::Result<()> {
        loop {
            self.asked.count(1);
            let left = "SELECT EXISTS (SELECT FROM live_runs WHERE state = 'ready')
                            OR EXISTS (SELECT FROM live_runs WHERE state IN ('leased', 'sleeping'))";
            if !sqlx::query_scalar::<_, bool>(left).fetch_one(&self.pool).await? {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn compared(clients: usize, ours: Posted, floor: &Posted) -> anyhow::Result<Posts> {
    let (per_second, floor_per_second) = (ours.per_second(), floor.per_second());
    let answer = Percentiles::of(ours.times).ok_or_else(|| anyhow::anyhow!("no ticket was answered"))?;
    Ok(Posts { clients, per_second, answer, floor_per_second, of_floor: per_second / floor_per_second })
}
