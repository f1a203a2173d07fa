//! What is counted while it goes, and what that says.

use std::time::Duration;

/// Counts of a time that is measured.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    pub(super) from: Duration,
    pub(super) done: usize,
    pub(super) claims: usize,
    /// Claims that brought nothing.
    pub(super) empty: usize,
    /// Transactions that wrote runs: of the API, claims, results.
    pub(super) commits: usize,
    /// From the post to the claim.
    pub(super) ages: Vec<Duration>,
    pub(super) tenants: Vec<Served>,
    pub(super) queues: Vec<Served>,
    /// Runs done, by worker.
    pub(super) workers: Vec<f64>,
    held: usize,
    held_since: Duration,
    held_time: Duration,
}

/// How many came, and how many of them or of earlier ones were begun.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Served {
    pub(super) came: f64,
    pub(super) begun: f64,
}

impl Tally {
    pub(super) fn new(tenants: usize, queues: usize, workers: usize) -> Self {
        Self {
            from: Duration::ZERO,
            done: 0,
            claims: 0,
            empty: 0,
            commits: 0,
            ages: Vec::new(),
            tenants: vec![Served::default(); tenants],
            queues: vec![Served::default(); queues],
            workers: vec![0.0; workers],
            held: 0,
            held_since: Duration::ZERO,
            held_time: Duration::ZERO,
        }
    }

    /// Counts anew; what is held stays held.
    pub(super) fn restart(&mut self, now: Duration) {
        let fresh = Self::new(self.tenants.len(), self.queues.len(), self.workers.len());
        *self = Self { from: now, held: self.held, held_since: now, ..fresh };
    }

    pub(super) fn claim(&mut self, now: Duration, runs: usize) {
        self.claims += 1;
        self.empty += usize::from(runs == 0);
        self.hold(now, self.held + runs);
    }

    pub(super) fn finish(&mut self, now: Duration, worker: usize, runs: usize) {
        self.done += runs;
        self.workers[worker] += super::super::probe::as_f64(runs);
        self.hold(now, self.held - runs);
    }

    fn hold(&mut self, now: Duration, runs: usize) {
        self.held_time += self.stood(now);
        (self.held, self.held_since) = (runs, now);
    }

    fn stood(&self, now: Duration) -> Duration {
        now.saturating_sub(self.held_since) * u32::try_from(self.held).unwrap_or(u32::MAX)
    }

    /// Time that places were occupied, all together.
    pub(super) fn occupied(&self, now: Duration) -> Duration {
        self.held_time + self.stood(now)
    }
}

/// Jain's index of shares: 1 if all are equal, 1/n if one has everything. 1 where nobody has anything.
pub(super) fn fairness(shares: impl Iterator<Item = f64>) -> f64 {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for share in shares {
        count += 1.0;
        sum += share;
        squares = share.mul_add(share, squares);
    }
    if squares > 0.0 { sum * sum / (count * squares) } else { 1.0 }
}

/// Fairness towards those who sent something: what was begun of what came.
pub(super) fn fairness_of(served: &[Served]) -> f64 {
    fairness(served.iter().filter(|served| served.came > 0.0).map(|served| served.begun / served.came))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn fairness_is_one_among_equals_and_the_nth_part_where_one_has_all() {
        assert!(is(fairness([3.0; 5].into_iter()), 1.0));
        assert!(is(fairness([9.0, 0.0, 0.0].into_iter()), 1.0 / 3.0));
        assert!(is(fairness([0.0; 2].into_iter()), 1.0));
        let served =
            [Served { came: 100.0, begun: 50.0 }, Served { came: 2.0, begun: 1.0 }, Served::default()];
        assert!(is(fairness_of(&served), 1.0));
    }

    #[test]
    fn places_are_occupied_from_the_claim_to_the_end() {
        let second = Duration::from_secs(1);
        let mut tally = Tally::new(1, 1, 1);
        tally.claim(second, 2);
        tally.finish(second * 3, 0, 1);
        assert_eq!(tally.occupied(second * 4), second * 5);
        tally.restart(second * 4);
        assert_eq!(tally.occupied(second * 5), second);
        tally.claim(second * 5, 0);
        assert_eq!((tally.claims, tally.empty, tally.done), (1, 1, 0));
    }
}
