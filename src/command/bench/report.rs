//! The benchmark's report, for people and for machines.

use super::{
    floor::Floor,
    latency::Latency,
    phases::{Enqueues, Idle, Throughput},
    probe::Cost,
};
use crate::output::{counted, out};
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
        if json { out(&serde_json::to_string_pretty(self)?) } else { out(&self.lines().join("\n")) }
    }

    fn lines(&self) -> Vec<String> {
        let floor = self.floor.runs_per_second;
        let mut lines = vec![format!("on {}\n", self.server)];
        lines.extend([&self.throughput, &self.two_workers].map(|measured| {
            format!(
                "W1 throughput, {}: {:.0} runs/s ({:.0} durable steps/s), {:.2} x the floor; {}",
                counted(measured.workers, "worker"),
                measured.runs_per_second,
                measured.steps_per_second,
                measured.runs_per_second / floor,
                cost(&measured.cost),
            )
        }));
        lines.push(self.latency.line());
        lines.push(format!(
            "W3 durable enqueues, {} clients: {:.0}/s; {}",
            self.enqueues.clients,
            self.enqueues.per_second,
            cost(&self.enqueues.cost)
        ));
        lines.push(format!("idle worker: {:.2} queries/s", self.idle.queries_per_second));
        lines.push(format!(
            "floor, plain SQL, 32 runs a batch, 8 clients, enqueue included: {floor:.0} runs/s; {}",
            cost(&self.floor.cost)
        ));
        lines
    }
}

impl Latency {
    fn line(&self) -> String {
        let Self { pickup, total, commit_p50, .. } = self;
        format!(
            "W2 one run alone: picked up after p50 {:.2} ms, p99 {:.2} ms; done after p50 {:.2} ms, p99 {:.2} ms \
             ({:.2} x 8 single-row commits of {commit_p50:.2} ms); {}",
            pickup.p50,
            pickup.p99,
            total.p50,
            total.p99,
            total.p50 / (8.0 * commit_p50),
            cost(&self.cost),
        )
    }
}

fn cost(cost: &Cost) -> String {
    let counted = if cost.commits_are_wal_records { "" } else { " (transactions)" };
    let statements = match cost.statements {
        Some(statements) => format!("{statements:.2} statements"),
        None => "statements not counted (the server lacks pg_stat_statements)".to_owned(),
    };
    let hot = match cost.hot_ratio {
        Some(ratio) => format!("HOT {ratio:.2}"),
        None => "no updates".to_owned(),
    };
    let kilobytes = cost.wal_bytes / 1_000.0;
    format!("per run: {statements}, {:.3} commits{counted}, {kilobytes:.1} kB WAL; {hot}", cost.commits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench::latency::Percentiles;

    fn report() -> Report {
        let cost = Cost {
            commits: 8.0,
            commits_are_wal_records: true,
            statements: Some(9.5),
            wal_bytes: 7_210.0,
            hot_ratio: Some(0.8),
        };
        let throughput = Throughput {
            runs: 10,
            workers: 1,
            seconds: 1.0,
            runs_per_second: 10.0,
            steps_per_second: 60.0,
            cost: cost.clone(),
        };
        Report {
            server: "PostgreSQL".to_owned(),
            enqueues: Enqueues { runs: 10, clients: 16, per_second: 5.0, cost: cost.clone() },
            two_workers: Throughput { workers: 2, ..throughput.clone() },
            throughput,
            latency: Latency {
                runs: 3,
                pickup: Percentiles { p50: 1.25, p99: 2.5 },
                total: Percentiles { p50: 8.0, p99: 9.0 },
                commit_p50: 0.25,
                runs_per_second: 100.0,
                cost: cost.clone(),
            },
            idle: Idle { seconds: 1.0, queries_per_second: 0.9 },
            floor: Floor { runs: 10, runs_per_second: 20.0, cost },
        }
    }

    #[test]
    fn every_phase_says_what_a_run_costs_and_the_lone_run_how_soon_it_is_picked_up() {
        let json = serde_json::to_value(report()).unwrap();
        for phase in ["throughput", "two_workers", "latency", "enqueues", "floor"] {
            for cost in ["statements", "commits", "wal_bytes", "hot_ratio"] {
                assert!(json[phase]["cost"][cost].is_f64(), "{cost} of {phase}: {json}");
            }
        }
        assert_eq!(
            (&json["latency"]["pickup"]["p50"], &json["latency"]["pickup"]["p99"]),
            (&1.25.into(), &2.5.into())
        );
        let lines = report().lines();
        let costly =
            lines.iter().filter(|line| line.contains("9.50 statements, 8.000 commits, 7.2 kB WAL; HOT 0.80"));
        assert_eq!(costly.count(), 5, "{lines:?}");
        let alone = lines.iter().find(|line| line.starts_with("W2")).unwrap();
        assert!(
            alone.contains("picked up after p50 1.25 ms, p99 2.50 ms; done after p50 8.00 ms"),
            "{alone}"
        );
        assert!(lines.iter().any(|line| line == "idle worker: 0.90 queries/s"), "{lines:?}");
    }

    #[test]
    fn what_was_not_measured_is_not_shown_as_a_number() {
        let measured = report().floor.cost;
        let unknown = Cost { statements: None, hot_ratio: None, commits_are_wal_records: false, ..measured };
        let said = cost(&unknown);
        assert!(said.contains("not counted") && said.contains("no updates"), "{said}");
        assert!(said.contains("(transactions)"), "{said}");
    }
}
