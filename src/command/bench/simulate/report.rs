//! The simulation's report: a table for people, a document for machines.

use super::{
    costs::Costs,
    outcome::{Outcome, UsedUp},
};
use crate::output::{self, Column, Format, out};
use serde::Serialize;
use serde_json::{Value, json};

const COLUMNS: [Column; 16] = [
    ("nodes", "nodes"),
    ("step ms", "step"),
    ("workers", "workers"),
    ("posted/s", "rate"),
    ("done/s", "done"),
    ("age p50 ms", "p50"),
    ("p99 ms", "p99"),
    ("claims/s", "claims"),
    ("empty", "empty"),
    ("commits/run", "commits"),
    ("database", "database"),
    ("places", "places"),
    ("tenants", "tenants"),
    ("queues", "queues"),
    ("by worker", "each"),
    ("used up", "used_up"),
];

#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The same seed gives the same figures.
    pub(super) seed: u64,
    pub(super) capacity: usize,
    pub(super) cores: usize,
    pub(super) notify: bool,
    pub(super) costs: Costs,
    pub(super) outcomes: Vec<Outcome>,
}

impl Report {
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return out(&serde_json::to_string_pretty(self)?);
        }
        out(&self.assumed())?;
        let rows: Vec<Value> = self.outcomes.iter().map(row).collect();
        output::print(&rows, Format::Table, &COLUMNS, "workers")?;
        self.saturations().into_iter().try_for_each(|line| out(&line))
    }

    fn assumed(&self) -> String {
        let Self { seed, capacity, cores, notify, .. } = self;
        let wakeups = if *notify { "one server wakes them by NOTIFY" } else { "nothing wakes them" };
        format!(
            "simulated, no database was asked: workers of {capacity} places, servers of {cores} cores; workers poll, \
             {wakeups}; seed {seed}\ntenants, queues, by worker: Jain's index, 1 where all fare alike\n"
        )
    }

    /// For each kind of work, the most that was done, and with how many workers the servers had no more to give.
    fn saturations(&self) -> Vec<String> {
        let mut kinds: Vec<(usize, f64)> = Vec::new();
        for outcome in &self.outcomes {
            let kind = (outcome.nodes, outcome.step_ms);
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let of_kind = |kind| {
            let all = self.outcomes.iter();
            saturation(kind, &all.filter(|one| (one.nodes, one.step_ms) == kind).collect::<Vec<_>>())
        };
        kinds.into_iter().map(of_kind).collect()
    }
}

fn saturation((nodes, step): (usize, f64), outcomes: &[&Outcome]) -> String {
    let most = outcomes.iter().map(|outcome| outcome.done).fold(0.0, f64::max);
    let full = outcomes.iter().find(|outcome| outcome.used_up == UsedUp::Database);
    let at = full.map_or_else(
        || "the database always had cores to spare".to_owned(),
        |full| format!("the database is used up from {} on", output::counted(full.workers, "worker")),
    );
    format!("{}, steps of {step} ms: {most:.0} runs/s at most; {at}", output::counted(nodes, "node"))
}

fn row(outcome: &Outcome) -> Value {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let age = |of: fn(&Outcome) -> Option<f64>| of(outcome).map(rounded);
    json!({
        "nodes": outcome.nodes,
        "step": outcome.step_ms,
        "workers": outcome.workers,
        "rate": rounded(outcome.rate),
        "done": rounded(outcome.done),
        "p50": age(|outcome| Some(outcome.queue_age?.p50)),
        "p99": age(|outcome| Some(outcome.queue_age?.p99)),
        "claims": rounded(outcome.claims),
        "empty": percent(outcome.empty),
        "commits": format!("{:.2}", outcome.commits),
        "database": percent(outcome.database),
        "places": percent(outcome.places),
        "tenants": format!("{:.3}", outcome.fair_to_tenants),
        "queues": format!("{:.3}", outcome.fair_to_queues),
        "each": format!("{:.2}", outcome.fair_to_workers),
        "used_up": outcome.used_up.name(),
    })
}

/// Three digits are all that a simulation is good for.
fn rounded(number: f64) -> String {
    if number < 10.0 { format!("{number:.1}") } else { format!("{number:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench::latency::Percentiles;

    fn outcome(workers: usize, done: f64, used_up: UsedUp) -> Outcome {
        Outcome {
            nodes: 1,
            workers,
            step_ms: 0.0,
            rate: 100.0,
            bound: 200.0,
            done,
            queue_age: Some(Percentiles { p50: 1.25, p99: 12.5 }),
            claims: 10.0,
            empty: 0.5,
            commits: 2.5,
            database: 0.25,
            places: 0.1,
            fair_to_tenants: 1.0,
            fair_to_queues: 1.0,
            fair_to_workers: 0.5,
            used_up,
        }
    }

    #[test]
    fn every_column_has_its_value() {
        let row = row(&outcome(10, 100.0, UsedUp::Nothing));
        for (title, path) in COLUMNS {
            assert!(!output::text(&row[path]).is_empty(), "{title}: {row}");
        }
        assert_eq!((&row["p50"], &row["empty"]), (&"1.2".into(), &"50 %".into()));
    }

    #[test]
    fn the_report_says_where_the_database_is_used_up() {
        let with =
            |outcomes: Vec<Outcome>| -> String { saturation((1, 0.0), &outcomes.iter().collect::<Vec<_>>()) };
        let full = vec![outcome(1, 50.0, UsedUp::Places), outcome(10, 90.0, UsedUp::Database)];
        assert!(with(full).ends_with("90 runs/s at most; the database is used up from 10 workers on"));
        assert!(with(vec![outcome(1, 50.0, UsedUp::Places)]).ends_with("always had cores to spare"));
    }
}
