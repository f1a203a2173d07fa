//! The ready runs of a queue in the order of service, and the locks that claims under way hold on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use ticketflow_engine::{Bucket, Topology};

/// A run's place in the order of service: by priority, then by age. Runs are numbered as they come.
type Place = (i16, usize);

#[derive(Debug)]
pub(super) struct Ready {
    topology: Topology,
    /// All of them, with their buckets.
    places: BTreeSet<(Place, Bucket)>,
    /// The same by bucket, where claims ask for one.
    by_bucket: BTreeMap<Bucket, BTreeSet<Place>>,
    locks: Vec<Lock>,
}

/// Rows that a claim holds until its commit: others have to step over them.
#[derive(Debug)]
struct Lock {
    bucket: Option<Bucket>,
    rows: usize,
    until: Duration,
}

impl Ready {
    pub(super) const fn on(topology: Topology) -> Self {
        Self { topology, places: BTreeSet::new(), by_bucket: BTreeMap::new(), locks: Vec::new() }
    }

    pub(super) fn add(&mut self, priority: i16, bucket: Bucket, run: usize) {
        self.places.insert(((priority, run), bucket));
        if self.topology == Topology::Citus {
            self.by_bucket.entry(bucket).or_default().insert((priority, run));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The buckets of those that are to be served first, each with how many of them it has.
    pub(super) fn candidates(&self, limit: usize) -> Vec<(Bucket, usize)> {
        let mut parts: Vec<(Bucket, usize)> = Vec::new();
        for (_, bucket) in self.places.iter().take(limit) {
            match parts.iter_mut().find(|(known, _)| known == bucket) {
                Some((_, wanted)) => *wanted += 1,
                None => parts.push((*bucket, 1)),
            }
        }
        parts
    }

    /// Takes the first, of one bucket or of all.
    pub(super) fn take(&mut self, bucket: Option<Bucket>, limit: usize) -> Vec<usize> {
        let first = || self.pop(bucket);
        std::iter::from_fn(first).take(limit).collect()
    }

    fn pop(&mut self, bucket: Option<Bucket>) -> Option<usize> {
        let (place, bucket) = match bucket {
            Some(bucket) => (*self.by_bucket.get(&bucket)?.first()?, bucket),
            None => *self.places.first()?,
        };
        self.places.remove(&(place, bucket));
        if let Some(places) = self.by_bucket.get_mut(&bucket) {
            places.remove(&place);
        }
        Some(place.1)
    }

    /// Rows that a claim has to step over now.
    pub(super) fn locked(&mut self, now: Duration, bucket: Option<Bucket>) -> usize {
        self.locks.retain(|lock| lock.until > now);
        self.locks.iter().filter(|lock| lock.bucket == bucket).map(|lock| lock.rows).sum()
    }

    pub(super) fn lock(&mut self, bucket: Option<Bucket>, rows: usize, until: Duration) {
        if rows > 0 {
            self.locks.push(Lock { bucket, rows, until });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priority_goes_before_age_and_no_run_is_given_twice() {
        let mut ready = Ready::on(Topology::Single);
        for (run, priority) in [2, 0, 2, 1].into_iter().enumerate() {
            ready.add(priority, Bucket(7), run);
        }
        assert_eq!(ready.take(None, 2), [1, 3]);
        assert_eq!(ready.take(None, 5), [0, 2]);
        assert_eq!((ready.take(None, 5).len(), ready.len()), (0, 0));
    }

    #[test]
    fn a_bucket_gives_its_own_and_the_others_keep_theirs() {
        let mut ready = Ready::on(Topology::Citus);
        for run in 0..6 {
            ready.add(0, Bucket(u8::from(run % 3 == 0)), run);
        }
        assert_eq!(ready.candidates(4), [(Bucket(1), 2), (Bucket(0), 2)]);
        assert_eq!(ready.take(Some(Bucket(1)), 9), [0, 3]);
        assert_eq!(ready.take(Some(Bucket(1)), 9), [0; 0]);
        assert_eq!(ready.candidates(9), [(Bucket(0), 4)]);
    }

    #[test]
    fn locks_stand_in_the_way_of_their_own_bucket_until_their_commit() {
        let mut ready = Ready::on(Topology::Citus);
        let second = Duration::from_secs(1);
        ready.lock(Some(Bucket(1)), 5, second);
        ready.lock(Some(Bucket(2)), 3, second * 2);
        assert_eq!(ready.locked(Duration::ZERO, Some(Bucket(1))), 5);
        assert_eq!(ready.locked(second, Some(Bucket(1))), 0);
        assert_eq!(ready.locked(second, Some(Bucket(2))), 3);
    }
}
