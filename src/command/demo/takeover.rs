//! Killing a worker that holds runs, and finding out from the event log what became of them.

use super::workers::Workers;
use crate::{command::tickets, http::Api, output::counted};
use serde::Serialize;
use serde_json::Value;
use std::{
    fmt,
    time::{Duration, Instant},
};
use ticketflow_engine::{
    Client, RunId,
    store::{control, lease},
};

/// Runs a worker must hold, past their first step, to be worth killing.
const WORTHWHILE: usize = 4;

/// The worker that was killed, and what it held.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Killed {
    worker: String,
    pid: u32,
    /// Ticket and the step it was at.
    pub(super) held: Vec<(RunId, String)>,
}

/// What became of one of its runs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Takeover {
    pub(super) ticket: RunId,
    /// Step it was at when its worker died.
    pub(super) step: String,
    /// Checkpoints made before, none of which was made again.
    pub(super) kept: usize,
    pub(super) taken_by: String,
    /// Step the new worker went on with.
    pub(super) continued_with: String,
}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = counted(self.held.len(), "run");
        write!(f, "kill -9 {} ({}) while it held {held}", self.pid, self.worker)
    }
}

/// Waits for a worker that is in the middle of some runs and kills it.
pub(super) async fn kill_one(
    client: &Client,
    workers: &mut Workers,
    patience: Duration,
) -> anyhow::Result<Killed> {
    let until = Instant::now() + patience;
    loop {
        if let Some((worker, held)) = busiest(client, workers).await?
            && held.iter().filter(|(_, step)| step != "classify").count() >= WORTHWHILE
        {
            let pid = workers.kill(&worker).await?;
            return Ok(Killed { worker, pid, held });
        }
        anyhow::ensure!(Instant::now() < until, "no worker was ever in the middle of some runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn busiest(
    client: &Client,
    workers: &Workers,
) -> anyhow::Result<Option<(String, Vec<(RunId, String)>)>> {
    let mut connection = client.pool().acquire().await?;
    let listed = lease::list(&mut connection).await?;
    let busiest =
        listed.into_iter().filter(|worker| workers.is_own(&worker.name)).max_by_key(|worker| worker.leased);
    let Some(worker) = busiest else { return Ok(None) };
    let mut held = Vec::new();
    for (run, _) in lease::held(&mut connection, worker.id).await? {
        if let Some(live) = control::live(&mut connection, run, false).await? {
            held.push((run, live.step));
        }
    }
    Ok(Some((worker.name, held)))
}

/// Reads from the event log how each run of the killed worker went on.
pub(super) async fn trace(api: &Api, killed: &Killed) -> anyhow::Result<Vec<Takeover>> {
    let mut takeovers = Vec::new();
    for (ticket, _) in &killed.held {
        let events = tickets::all_events(api, &ticket.to_string()).await?;
        takeovers.extend(of_log(*ticket, &events));
    }
    Ok(takeovers)
}

fn of_log(ticket: RunId, events: &[Value]) -> Option<Takeover> {
    let lost = events.iter().position(|event| event["event_type"] == "lease_expired")?;
    let is_checkpoint = |event: &&Value| event["event_type"] == "step_complete";
    let next = events[lost..].iter().find(is_checkpoint)?;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some(Takeover {
        ticket,
        step: word(&events[lost]["step_name"]),
        kept: events[..lost].iter().filter(is_checkpoint).count(),
        taken_by: word(&next["actor"]),
        continued_with: word(&next["step_name"]),
    })
}
