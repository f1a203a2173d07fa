//! When and for how many runs the claim loop asks: its numbers and the pure part of its decisions, which the simulation of
//! many workers shares. It knows no clock and asks nobody.

use std::time::Duration;

/// First pause of an idle worker; doubles up to the poll interval.
pub const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// Under load a claim waits this long for more places to become free, so that it brings more runs at once.
pub const PACE: Duration = Duration::from_millis(3);
/// Most runs in one claim.
pub const CLAIM_CAP: usize = 256;
/// How long what operators set about queues is remembered.
pub const SETTINGS_FOR: Duration = Duration::from_secs(10);
/// How many workers look, on average, at the wake-up for one run. Each decides for itself: that none does is as likely as
/// e to minus this, one in three thousand; where half of them have no room, one in fifty.
const CALLED: f64 = 8.0;
/// Heartbeats, and looks for chores, in the time of a lease.
pub const BEATS_PER_LEASE: u32 = 3;

/// What a look for work brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// No run.
    Nothing,
    /// All there was.
    Some,
    /// As much as there was room for, or as a look at runs of full keys left: there may be more.
    Full,
}

impl Look {
    /// What it was, by the runs it took and those it set aside.
    pub const fn of(taken: usize, set_aside: usize, room: usize) -> Self {
        match taken {
            taken if taken >= room || set_aside > 0 => Self::Full,
            0 => Self::Nothing,
            _ => Self::Some,
        }
    }
}

/// The pause of an idle worker that follows on one that brought nothing.
pub fn slower(pause: Duration, longest: Duration) -> Duration {
    (pause * 2).min(longest)
}

/// A pause that is longer or shorter by a quarter at most, so that workers do not come all at once; `fraction` is
/// random, from 0 to 1.
pub fn jittered(pause: Duration, fraction: f64) -> Duration {
    pause.mul_f64(fraction.mul_add(0.5, 0.75))
}

/// Free places that are worth a claim under load: a quarter of what the worker advances at once.
pub fn worth_a_claim(capacity: usize) -> usize {
    (capacity / 4).clamp(1, CLAIM_CAP)
}

/// Whether a worker of a `fleet` of this size looks at a wake-up for so many `runs`, of which it could take `capacity`;
/// `fraction` is random, from 0 to below 1. All of a small fleet look, of a large one as many as are likely to be
/// needed: each that comes in vain costs the database a claim. The fleet are those that could take this one's place; so a
/// run that nobody came for is found by the poll of one of them, which comes the more often the more they are.
pub fn is_called(fleet: usize, runs: usize, capacity: usize, fraction: f64) -> bool {
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let wanted = CALLED + count(runs) / count(capacity.max(1));
    fraction * count(fleet) < wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_left_runs_behind_is_followed_by_another() {
        assert_eq!(Look::of(0, 0, 8), Look::Nothing);
        assert_eq!(Look::of(7, 0, 8), Look::Some);
        assert_eq!(Look::of(8, 0, 8), Look::Full);
        assert_eq!(Look::of(0, 1, 8), Look::Full);
    }

    #[test]
    fn an_idle_worker_asks_ever_more_rarely_and_never_later_than_its_poll_and_a_quarter() {
        let poll = Duration::from_millis(2_500);
        let mut pause = FIRST_PAUSE;
        for _ in 0..20 {
            let next = slower(pause, poll);
            assert!(next > pause || next == poll);
            pause = next;
        }
        assert_eq!(jittered(pause, 0.0), poll.mul_f64(0.75));
        assert_eq!(jittered(pause, 1.0), poll.mul_f64(1.25));
    }

    #[test]
    fn a_claim_is_worth_a_quarter_of_the_places() {
        assert_eq!([1, 3, 128, 4_096].map(worth_a_claim), [1, 1, 32, CLAIM_CAP]);
    }

    #[test]
    fn that_nobody_of_a_large_fleet_comes_is_rare() {
        for fleet in [9_u32, 20, 100, 1_000] {
            let steps = f64::from(fleet) * 1_000.0;
            let called =
                (0..fleet * 1_000).filter(|step| is_called(fleet as usize, 1, 128, f64::from(*step) / steps));
            let share = f64::from(u32::try_from(called.count()).unwrap()) / steps;
            assert!((1.0 - share).powf(f64::from(fleet)) < 0.001, "{fleet}");
        }
    }

    #[test]
    fn all_of_a_small_fleet_are_called_and_of_a_large_one_no_more_than_are_needed() {
        let called = |fleet: u32, runs| {
            let fractions = (0..fleet).map(|number| f64::from(number) / f64::from(fleet));
            fractions.filter(|fraction| is_called(fleet as usize, runs, 128, *fraction)).count()
        };
        assert_eq!([0, 1, 8].map(|fleet| called(fleet, 1)), [0, 1, 8]);
        assert_eq!(called(1_000, 1), 9);
        assert_eq!(called(1_000, 1_280), 18);
        assert_eq!(called(100, 1_000_000), 100);
        assert!(is_called(0, 1, 128, 0.9), "who does not know the fleet yet looks");
    }
}
