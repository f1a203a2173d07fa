//! A worker's claim loop, as `worker/src/claims.rs` has it: what it does next after whatever happens to it. Its numbers
//! and decisions are the product's own; what is written down here is their order.

use super::group::Group;
use std::{collections::VecDeque, time::Duration};
use ticketflow_engine::{Bucket, committer::BATCH_CAP};
use ticketflow_worker::{
    WorkerOptions,
    pacing::{self, CLAIM_CAP, FIRST_PAUSE, Look, PACE},
};

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) results: Group,
    /// Runs it can take now.
    pub(super) free: usize,
    /// What it asks for, while it looks.
    pub(super) asking: Asking,
    /// Number of its last wait, so that a timer of an earlier one is known.
    pub(super) wait: u64,
    capacity: usize,
    poll: Duration,
    phase: Phase,
    quiet: Duration,
    is_woken: bool,
    queues: usize,
    first: usize,
    asked: usize,
    found: Look,
}

/// A claim under way.
#[derive(Debug, Default)]
pub(super) struct Asking {
    pub(super) queue: usize,
    pub(super) room: usize,
    pub(super) taken: usize,
    /// Nodes whose candidates it does not know yet.
    pub(super) nodes: usize,
    /// What is to be asked of buckets after this one.
    pub(super) parts: VecDeque<(Bucket, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Looking,
    /// Until a wake-up or the poll.
    Resting,
    /// Until enough places are free, or a little while.
    Pacing,
    /// Until any place is free.
    Full,
}

/// What it does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Claims from a queue.
    Ask { queue: usize, room: usize },
    /// Waits until something happens, at most as long. A rest is jittered, a pace is not.
    Wait { longest: Duration, jittered: bool },
    /// Goes on with what it is at.
    Stay,
}

impl Worker {
    pub(super) fn new(capacity: usize, queues: usize, poll: Duration) -> Self {
        Self {
            results: Group::new(WorkerOptions::default().committers, BATCH_CAP),
            free: capacity,
            asking: Asking::default(),
            wait: 0,
            capacity,
            poll,
            phase: Phase::Resting,
            quiet: FIRST_PAUSE,
            is_woken: false,
            queues,
            first: 0,
            asked: 0,
            found: Look::Nothing,
        }
    }

    /// Runs it holds.
    #[cfg(test)]
    pub(super) const fn held(&self) -> usize {
        self.capacity - self.free
    }

    fn look(&mut self) -> Next {
        self.phase = Phase::Looking;
        self.found = Look::Nothing;
        self.first += 1;
        self.asked = 0;
        self.ask()
    }

    fn ask(&mut self) -> Next {
        if self.asked == self.queues {
            return self.rest_or_pace();
        }
        let room = self.free.min(CLAIM_CAP);
        if room == 0 {
            self.found = Look::Full;
            return self.rest_or_pace();
        }
        let queue = (self.first + self.asked) % self.queues;
        self.asked += 1;
        self.asking = Asking { queue, room, ..Asking::default() };
        Next::Ask { queue, room }
    }

    /// The claim is answered.
    pub(super) fn claimed(&mut self) -> Next {
        self.found = self.found.max(Look::of(self.asking.taken, 0, self.asking.room));
        self.ask()
    }

    fn rest_or_pace(&mut self) -> Next {
        match self.found {
            Look::Nothing => {
                let pause = self.quiet;
                self.quiet = pacing::slower(pause, self.poll);
                self.rest(pause)
            }
            Look::Some => {
                self.quiet = FIRST_PAUSE;
                self.rest(FIRST_PAUSE)
            }
            Look::Full => {
                self.quiet = FIRST_PAUSE;
                self.pace()
            }
        }
    }

    fn rest(&mut self, longest: Duration) -> Next {
        if std::mem::take(&mut self.is_woken) {
            return self.look();
        }
        self.phase = Phase::Resting;
        Next::Wait { longest, jittered: true }
    }

    fn pace(&mut self) -> Next {
        if self.free >= pacing::worth_a_claim(self.capacity) {
            return self.look();
        }
        self.phase = Phase::Pacing;
        Next::Wait { longest: PACE, jittered: false }
    }

    /// A wake-up arrives; while it does something else it is kept in mind.
    pub(super) fn wake(&mut self) -> Next {
        if self.phase == Phase::Resting {
            return self.look();
        }
        self.is_woken = true;
        Next::Stay
    }

    /// The wait of this number is over.
    pub(super) fn waited(&mut self, wait: u64) -> Next {
        match self.phase {
            Phase::Resting if wait == self.wait => self.look(),
            Phase::Pacing if wait == self.wait && self.free > 0 => self.look(),
            Phase::Pacing if wait == self.wait => {
                self.phase = Phase::Full;
                Next::Stay
            }
            Phase::Resting | Phase::Pacing | Phase::Looking | Phase::Full => Next::Stay,
        }
    }

    /// Runs of its are done.
    pub(super) fn freed(&mut self, places: usize) -> Next {
        self.free += places;
        match self.phase {
            Phase::Pacing if self.free >= pacing::worth_a_claim(self.capacity) => self.look(),
            Phase::Full if self.free > 0 => self.look(),
            Phase::Pacing | Phase::Full | Phase::Looking | Phase::Resting => Next::Stay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_millis(2_500);

    fn answer(worker: &mut Worker, taken: usize) -> Next {
        worker.free -= taken;
        worker.asking.taken = taken;
        worker.claimed()
    }

    #[test]
    fn each_look_begins_with_another_queue() {
        let mut worker = Worker::new(8, 2, POLL);
        assert_eq!(worker.wake(), Next::Ask { queue: 1, room: 8 });
        assert_eq!(answer(&mut worker, 0), Next::Ask { queue: 0, room: 8 });
        assert_eq!(answer(&mut worker, 0), Next::Wait { longest: FIRST_PAUSE, jittered: true });
        assert_eq!(worker.waited(worker.wait), Next::Ask { queue: 0, room: 8 });
    }

    #[test]
    fn a_wake_up_while_it_looks_makes_it_look_again() {
        let mut worker = Worker::new(8, 1, POLL);
        worker.wake();
        assert_eq!(worker.wake(), Next::Stay);
        assert_eq!(answer(&mut worker, 0), Next::Ask { queue: 0, room: 8 });
        assert_eq!(answer(&mut worker, 0), Next::Wait { longest: FIRST_PAUSE * 2, jittered: true });
    }

    #[test]
    fn a_full_worker_waits_for_a_quarter_of_its_places_or_a_little_while_and_any_place() {
        let mut worker = Worker::new(8, 1, POLL);
        worker.wake();
        let paced = Next::Wait { longest: PACE, jittered: false };
        assert_eq!(answer(&mut worker, 8), paced);
        assert_eq!(worker.freed(1), Next::Stay);
        assert_eq!(worker.freed(1), Next::Ask { queue: 0, room: 2 });
        assert_eq!(answer(&mut worker, 2), paced);
        assert_eq!(worker.waited(worker.wait), Next::Stay);
        assert_eq!(worker.freed(1), Next::Ask { queue: 0, room: 1 });
    }

    #[test]
    fn a_timer_of_an_earlier_wait_is_nobodys() {
        let mut worker = Worker::new(8, 1, POLL);
        worker.wait = 5;
        assert_eq!(worker.waited(4), Next::Stay);
        assert_eq!(worker.waited(5), Next::Ask { queue: 0, room: 8 });
    }
}
