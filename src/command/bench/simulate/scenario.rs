//! What is simulated: how many workers on which database, what they have to do, and the most that can come of it.

use super::{super::probe::as_f64, costs::Costs};
use std::time::Duration;
use ticketflow_engine::{Topology, client::ENQUEUE_CAP, committer::BATCH_CAP};
use ticketflow_worker::pacing::CLAIM_CAP;

/// Buckets that runs are spread over.
const BUCKETS: f64 = 256.0;

#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) workers: usize,
    /// Runs that a worker advances at once.
    pub(super) capacity: usize,
    pub(super) nodes: usize,
    /// Cores of each node.
    pub(super) cores: usize,
    /// Mean time of a step.
    pub(super) step: Duration,
    /// Standard deviation of the logarithm of that time.
    pub(super) spread: f64,
    pub(super) steps: u32,
    pub(super) queues: usize,
    pub(super) tenants: usize,
    /// How much more the first tenants send than the last: the n-th sends as 1 / n to this power.
    pub(super) skew: f64,
    /// Runs that come in a second.
    pub(super) rate: f64,
    pub(super) notify: bool,
    pub(super) poll: Duration,
    pub(super) lease: Duration,
    /// How long at least is measured.
    pub(super) seconds: Duration,
    pub(super) seed: u64,
    pub(super) costs: Costs,
}

impl Scenario {
    pub(super) const fn topology(&self) -> Topology {
        if self.nodes > 1 { Topology::Citus } else { Topology::Single }
    }

    /// Runs a second that nothing can exceed: neither the servers' cores with every statement as full as it may be, nor
    /// the workers' places with every step as quick as it may be.
    pub(super) fn bound(&self) -> f64 {
        self.servers_bound().min(self.workers_bound())
    }

    fn servers_bound(&self) -> f64 {
        let costs = &self.costs;
        // What a run takes of a full statement, by what statements of one run and of two take.
        let share = |one: Duration, two: Duration, cap| {
            let row = two.saturating_sub(one);
            row + one.saturating_sub(row).div_f64(self.rows_together(cap))
        };
        let run = share(costs.enqueue(1), costs.enqueue(2), ENQUEUE_CAP)
            + share(costs.claim(1, 0), costs.claim(2, 0), CLAIM_CAP)
            + share(costs.advance(1), costs.advance(2), BATCH_CAP) * self.steps;
        as_f64(self.nodes * self.cores) / run.as_secs_f64()
    }

    fn workers_bound(&self) -> f64 {
        as_f64(self.workers * self.capacity) / self.alone().as_secs_f64()
    }

    /// How long a run holds its place if it waits for nobody.
    pub(super) fn alone(&self) -> Duration {
        let costs = &self.costs;
        (self.step + costs.overhead() + costs.advance(1) + costs.flush() + costs.round_trip()) * self.steps
    }

    /// Rows of a statement at best, where so many would go into one: on several nodes those of one bucket.
    fn rows_together(&self, cap: usize) -> f64 {
        let rows = as_f64(cap);
        match self.topology() {
            Topology::Single => rows,
            Topology::Citus => rows / (BUCKETS * (1.0 - (1.0 - 1.0 / BUCKETS).powf(rows))),
        }
    }

    /// Time until things have settled.
    pub(super) fn warm_up(&self) -> Duration {
        self.alone() * 2 + Duration::from_secs(1)
    }

    /// Time that is measured: where few runs come it takes longer to see enough of them.
    pub(super) fn measured(&self) -> Duration {
        /// Runs whose figures mean something.
        const ENOUGH: f64 = 4_000.0;
        self.seconds.max(Duration::from_secs_f64(ENOUGH / self.rate))
    }
}
