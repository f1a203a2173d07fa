//! The benchmark's report, for people and for machines.

use super::{
    crew::Place,
    floor::Floor,
    latency::Latency,
    load::UnderLoad,
    median::median,
    phases::{Enqueues, Throughput},
    probe::Cost,
    resources::{Idle, InHand},
    tickets::{Posts, Tickets},
};
use crate::output::{counted, out};
use serde::{Deserialize, Serialize};

/// Of what only `/proc` knows.
const UNKNOWN: &str = "not measured (this system has no /proc)";

/// What one round measured, or the medians of several.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) server: String,
    /// Rounds that these are the medians of.
    pub(super) rounds: usize,
    pub(super) enqueues: Enqueues,
    pub(super) throughput: Throughput,
    pub(super) two_workers: Throughput,
    /// Throughput of the worker in that round by the floor's.
    pub(super) of_floor: f64,
    pub(super) two_workers_of_floor: f64,
    /// The same work by workers each in a process of its own.
    pub(super) one_process: Throughput,
    pub(super) two_processes: Throughput,
    pub(super) one_process_of_floor: f64,
    pub(super) two_processes_of_floor: f64,
    /// Throughput of two processes by that of one, in that round.
    pub(super) two_processes_of_one: f64,
    pub(super) latency: Latency,
    pub(super) under_load: UnderLoad,
    pub(super) idle: Idle,
    pub(super) floor: Floor,
    pub(super) tickets: Tickets,
}

impl Report {
    /// The medians of rounds, number by number.
    pub(super) fn median(rounds: &[Self]) -> anyhow::Result<Self> {
        let reports: Vec<_> = rounds.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        Ok(Self { rounds: rounds.len(), ..serde_json::from_value(median(&reports))? })
    }

    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json { out(&serde_json::to_string_pretty(self)?) } else { out(&self.lines().join("\n")) }
    }

    fn lines(&self) -> Vec<String> {
        let floor = self.floor.runs_per_second;
        let medians =
            if self.rounds > 1 { format!(", medians of {} rounds", self.rounds) } else { String::new() };
        let mut lines = vec![format!("on {}{medians}\n", self.server)];
        lines.push(self.throughput.line(self.of_floor));
        lines.push(self.two_workers.line(self.two_workers_of_floor));
        lines.push(self.one_process.line(self.one_process_of_floor));
        let two_processes = self.two_processes.line(self.two_processes_of_floor);
        lines.push(format!("{two_processes}; {:.2} x one process", self.two_processes_of_one));
        lines.push(self.latency.line());
        let load = &self.under_load;
        lines.push(format!(
            "half of that load, {:.0} runs/s: done after p50 {:.1} ms, p99 {:.1} ms",
            load.per_second, load.total.p50, load.total.p99
        ));
        lines.push(format!(
            "W3 durable enqueues, {} clients: {:.0}/s; {}",
            self.enqueues.clients,
            self.enqueues.per_second,
            cost(&self.enqueues.cost)
        ));
        lines.push(self.idle.line());
        lines.push(format!(
            "floor, plain SQL, 32 runs a batch, 8 clients, enqueue included: {floor:.0} runs/s; {}",
            cost(&self.floor.cost)
        ));
        lines.extend(self.tickets.posts.iter().map(Posts::line));
        lines.push(format!("W5 tickets in batches of 500: {:.0}/s", self.tickets.batched_per_second));
        let through = &self.tickets.through;
        lines.push(format!(
            "W6 tickets through the whole triage, offline, one worker: {:.0}/s; {}",
            through.per_second,
            cost(&through.cost)
        ));
        lines.push(self.tickets.in_hand.line());
        lines
    }
}

impl Throughput {
    fn line(&self, of_floor: f64) -> String {
        let workers = match self.place {
            Place::Within => counted(self.workers, "worker"),
            Place::Processes if self.workers == 1 => "1 worker process".to_owned(),
            Place::Processes => format!("{} worker processes", self.workers),
        };
        format!(
            "W1 throughput, {workers}: {:.0} runs/s ({:.0} durable steps/s), {of_floor:.2} x the floor; {}",
            self.runs_per_second,
            self.steps_per_second,
            cost(&self.cost),
        )
    }
}

impl Idle {
    fn line(&self) -> String {
        let cpu = match self.cpu_percent {
            Some(percent) => format!("{percent:.2} % of a core"),
            None => format!("processor time {UNKNOWN}"),
        };
        let queries = self.queries_per_second;
        format!("idle worker process: {queries:.2} queries/s, {cpu}, {}", resident(self.resident_bytes))
    }
}

impl InHand {
    fn line(&self) -> String {
        format!("worker process with {} tickets in hand: {}", self.tickets, resident(self.resident_bytes))
    }
}

/// Memory in RAM, for people.
fn resident(bytes: Option<u64>) -> String {
    match bytes {
        Some(bytes) => format!("{} MiB resident", bytes.div_ceil(1_048_576)),
        None => format!("memory {UNKNOWN}"),
    }
}

impl Posts {
    fn line(&self) -> String {
        format!(
            "W4 tickets posted by {} HTTP clients: {:.0}/s, {:.2} x a minimal handler's {:.0}/s; answered after p50 \
             {:.1} ms, p99 {:.1} ms",
            self.clients,
            self.per_second,
            self.of_floor,
            self.floor_per_second,
            self.answer.p50,
            self.answer.p99,
        )
    }
}

impl Latency {
    fn line(&self) -> String {
        let Self { pickup, pickup_by_notify, pickup_by_poll, total, commit_p50, .. } = self;
        format!(
            "W2 one run alone: picked up after p50 {:.2} ms, p99 {:.2} ms, by NOTIFY after {:.2} and {:.2} ms, by an idle \
             worker's poll after {:.0} and {:.0} ms; done after p50 {:.2} ms, p99 {:.2} ms ({:.2} x 8 single-row commits of {commit_p50:.2} ms); {}",
            pickup.p50,
            pickup.p99,
            pickup_by_notify.p50,
            pickup_by_notify.p99,
            pickup_by_poll.p50,
            pickup_by_poll.p99,
            total.p50,
            total.p99,
            total.p50 / (8.0 * commit_p50),
            cost(&self.cost),
        )
    }
}

pub(super) fn cost(cost: &Cost) -> String {
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
    use crate::command::bench::{latency::Percentiles, tickets::Through};

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
            place: Place::Within,
            seconds: 1.0,
            runs_per_second: 10.0,
            steps_per_second: 60.0,
            cost: cost.clone(),
        };
        Report {
            server: "PostgreSQL".to_owned(),
            rounds: 1,
            of_floor: 0.5,
            two_workers_of_floor: 0.5,
            one_process_of_floor: 0.5,
            two_processes_of_floor: 0.5,
            two_processes_of_one: 1.25,
            one_process: Throughput { place: Place::Processes, ..throughput.clone() },
            two_processes: Throughput { workers: 2, place: Place::Processes, ..throughput.clone() },
            under_load: UnderLoad { per_second: 5.0, runs: 10, total: Percentiles { p50: 4.0, p99: 12.5 } },
            tickets: Tickets {
                posts: vec![Posts {
                    clients: 16,
                    per_second: 9_000.0,
                    answer: Percentiles { p50: 1.5, p99: 4.5 },
                    floor_per_second: 6_000.0,
                    of_floor: 1.5,
                }],
                batched_per_second: 20_000.0,
                through: Through { tickets: 10, per_second: 2_500.0, cost: cost.clone() },
                in_hand: InHand { tickets: 10_000, resident_bytes: Some(95_420_416) },
            },
            enqueues: Enqueues { runs: 10, clients: 16, per_second: 5.0, cost: cost.clone() },
            two_workers: Throughput { workers: 2, ..throughput.clone() },
            throughput,
            latency: Latency {
                runs: 3,
                pickup: Percentiles { p50: 1.25, p99: 2.5 },
                pickup_by_notify: Percentiles { p50: 1.25, p99: 2.5 },
                pickup_by_poll: Percentiles { p50: 1.25, p99: 2.5 },
                total: Percentiles { p50: 8.0, p99: 9.0 },
                commit_p50: 0.25,
                runs_per_second: 100.0,
                cost: cost.clone(),
            },
            idle: Idle {
                seconds: 1.0,
                queries_per_second: 0.9,
                cpu_percent: Some(0.35),
                resident_bytes: Some(1_048_577),
            },
            floor: Floor { runs: 10, runs_per_second: 20.0, cost },
        }
    }

    #[test]
    fn every_phase_says_what_a_run_costs_and_the_lone_run_how_soon_it_is_picked_up() {
        let json = serde_json::to_value(report()).unwrap();
        for phase in
            ["throughput", "two_workers", "one_process", "two_processes", "latency", "enqueues", "floor"]
        {
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
        assert_eq!(costly.count(), 8, "{lines:?}");
        let alone = lines.iter().find(|line| line.starts_with("W2")).unwrap();
        assert!(
            alone.contains("picked up after p50 1.25 ms, p99 2.50 ms, by NOTIFY after 1.25 and 2.50 ms")
                && alone.contains("; done after p50 8.00 ms"),
            "{alone}"
        );
    }

    #[test]
    fn workers_in_processes_are_told_from_workers_in_one_and_compared_with_each_other() {
        let lines = report().lines();
        let begins = |with: &str| lines.iter().find(|line| line.starts_with(with)).cloned();
        assert!(begins("W1 throughput, 2 workers: 10 runs/s").is_some(), "{lines:?}");
        assert!(begins("W1 throughput, 1 worker process: 10 runs/s").is_some(), "{lines:?}");
        let two = begins("W1 throughput, 2 worker processes: 10 runs/s").unwrap();
        assert!(two.ends_with("; 1.25 x one process"), "{two}");
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(
            (&json["two_workers"]["place"], &json["two_processes"]["place"]),
            (&"within".into(), &"processes".into())
        );
    }

    #[test]
    fn what_a_process_takes_is_said_where_the_kernel_says_it() {
        let Report { idle, tickets: Tickets { in_hand, .. }, .. } = report();
        assert_eq!(idle.line(), "idle worker process: 0.90 queries/s, 0.35 % of a core, 2 MiB resident");
        assert_eq!(in_hand.line(), "worker process with 10000 tickets in hand: 91 MiB resident");
        let idle = Idle { cpu_percent: None, resident_bytes: None, ..idle };
        assert_eq!(idle.line().matches("not measured").count(), 2, "{}", idle.line());
    }

    #[test]
    fn the_median_of_rounds_is_a_report_that_says_so() {
        let rounds = [7.0, 9.0, 8.0].map(|rate| {
            let mut round = report();
            round.throughput.runs_per_second = rate;
            round
        });
        let median = Report::median(&rounds).unwrap();
        assert!((median.throughput.runs_per_second - 8.0).abs() < f64::EPSILON);
        assert!(median.lines()[0].contains("medians of 3 rounds"), "{:?}", median.lines());
        assert!(!rounds[0].lines()[0].contains("medians"));
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
