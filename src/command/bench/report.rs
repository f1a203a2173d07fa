//! The benchmark's report, for people and for machines.

use super::{
    floor::Floor,
    phases::{Enqueues, Idle, Latency, Throughput},
    probe::Cost,
};
use crate::output::out;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) server: String,
    pub(super) enqueues: Enqueues,
    pub(super) throughput: Throughput,
    pub(super) two_workers: Throughput,
    pub(super) latency: Latency,
    pub(super) idle: Idle,
    pub(super) floor: Floor,
}

impl Report {
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return out(&serde_json::to_string_pretty(self)?);
        }
        let floor = self.floor.runs_per_second;
        out(&format!("on {}\n", self.server))?;
        for throughput in [&self.throughput, &self.two_workers] {
            out(&format!(
                "W1 throughput, {} worker(s): {:.0} runs/s ({:.0} durable steps/s), {:.2} x the floor; {}",
                throughput.workers,
                throughput.runs_per_second,
                throughput.steps_per_second,
                throughput.runs_per_second / floor,
                cost(&throughput.cost),
            ))?;
        }
        let latency = &self.latency;
        out(&format!(
            "W2 one run alone: p50 {:.2} ms, p99 {:.2} ms; a single-row commit takes {:.2} ms; {:.2} x 8 such commits",
            latency.total_p50,
            latency.total_p99,
            latency.commit_p50,
            latency.total_p50 / (8.0 * latency.commit_p50),
        ))?;
        out(&format!(
            "W3 durable enqueues, {} clients: {:.0}/s; {}",
            self.enqueues.clients,
            self.enqueues.per_second,
            cost(&self.enqueues.cost)
        ))?;
        out(&format!("idle worker: {:.2} queries/s", self.idle.queries_per_second))?;
        out(&format!("floor, plain SQL, 32 runs a batch, 8 clients, enqueue included: {floor:.0} runs/s"))
    }
}

fn cost(cost: &Cost) -> String {
    let statements = cost.statements.map_or_else(|| "?".to_owned(), |statements| format!("{statements:.2}"));
    let counted = if cost.commits_are_wal_records { "" } else { " (transactions)" };
    format!(
        "per run: {:.3} commits{counted}, {statements} statements, {:.1} kB WAL; HOT {:.2}",
        cost.commits,
        cost.wal_bytes / 1_000.0,
        cost.hot_ratio
    )
}
