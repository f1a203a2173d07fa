//! What a scenario came to.

use super::{
    super::{latency::Percentiles, probe::as_f64},
    scenario::Scenario,
    tally::{fairness, fairness_of},
    world::World,
};
use serde::Serialize;
use std::time::Duration;

/// Part of the cores, or of the places, from which on they count as used up.
const USED_UP: f64 = 0.95;

/// The figures of the time that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Outcome {
    pub(super) nodes: usize,
    pub(super) workers: usize,
    /// Mean of a step.
    pub(super) step_ms: f64,
    /// Runs posted in a second.
    pub(super) rate: f64,
    /// Runs a second that nothing can exceed.
    pub(super) bound: f64,
    /// Runs done in a second.
    pub(super) done: f64,
    /// From the post to the claim, in milliseconds; none where nothing was claimed.
    pub(super) queue_age: Option<Percentiles>,
    /// Claims in a second.
    pub(super) claims: f64,
    /// Share of them that brought nothing.
    pub(super) empty: f64,
    /// Commits for each run done: of the API, of claims that brought runs, of results.
    pub(super) commits: f64,
    /// Share of the servers' cores that was busy.
    pub(super) database: f64,
    /// Share of the workers' places that was occupied.
    pub(super) places: f64,
    /// Jain's index over what was begun of what each sent.
    pub(super) fair_to_tenants: f64,
    pub(super) fair_to_queues: f64,
    /// Jain's index over the runs that each did.
    pub(super) fair_to_workers: f64,
    pub(super) used_up: UsedUp,
}

/// What there is no more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum UsedUp {
    Nothing,
    Database,
    Places,
}

impl UsedUp {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "–",
            Self::Database => "database",
            Self::Places => "places",
        }
    }
}

/// Lets a scenario settle, then measures it.
pub(super) fn simulate(scenario: Scenario) -> Outcome {
    let (warm_up, measured) = (scenario.warm_up(), scenario.measured());
    let mut world = World::new(scenario);
    world.run_until(warm_up);
    let busy = busy(&world);
    world.tally.restart(warm_up);
    world.run_until(warm_up + measured);
    Outcome::of(&world, busy, warm_up + measured)
}

fn busy(world: &World) -> Duration {
    world.servers.iter().map(|server| server.busy).sum()
}

impl Outcome {
    fn of(world: &World, busy_before: Duration, end: Duration) -> Self {
        let World { scenario, tally, .. } = world;
        let Scenario { nodes, workers, cores, capacity, step, rate, .. } = *scenario;
        let time = end.saturating_sub(tally.from);
        let share = |used: Duration, of: usize| used.div_duration_f64(time) / as_f64(of);
        let per_second = |count: usize| as_f64(count) / time.as_secs_f64();
        let database = share(busy(world).saturating_sub(busy_before), nodes * cores).min(1.0);
        let places = share(tally.occupied(end), workers * capacity);
        Self {
            nodes,
            workers,
            step_ms: step.as_secs_f64() * 1_000.0,
            rate,
            bound: scenario.bound(),
            done: per_second(tally.done),
            queue_age: Percentiles::of(tally.ages.clone()),
            claims: per_second(tally.claims),
            empty: as_f64(tally.empty) / as_f64(tally.claims.max(1)),
            commits: as_f64(tally.commits) / as_f64(tally.done.max(1)),
            database,
            places,
            fair_to_tenants: fairness_of(&tally.tenants),
            fair_to_queues: fairness_of(&tally.queues),
            fair_to_workers: fairness(tally.workers.iter().copied()),
            used_up: UsedUp::by(database, places),
        }
    }
}

impl UsedUp {
    fn by(database: f64, places: f64) -> Self {
        if database >= USED_UP {
            Self::Database
        } else if places >= USED_UP {
            Self::Places
        } else {
            Self::Nothing
        }
    }
}
