//! Whether a model is asked at present. The transitions are pure; the row they move is shared by all processes.
//!
//! | state | asked now? | success | failure | refusal |
//! |---|---|---|---|---|
//! | closed | yes | closed, no failures | closed, one failure more; open at the threshold | open |
//! | open | no; from `until` on half open, and whoever moved it asks | as it was | as it was | as it was |
//! | half open | no; from `until` on again, for who tried has not said | closed | open, for longer | open, for longer |
//!
//! An open breaker ignores answers to calls that were under way when it opened.

mod store;

pub use store::{ModelBreaker, Seen, all, load, observe, try_once};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row that open it.
    pub threshold: u32,
    /// How long it stays open the first time; twice as long each time in a row, up to an hour.
    pub cool_down: TimeDelta,
    /// How long whoever tries has before another may.
    pub trial: TimeDelta,
}

/// Longest time that a breaker stays open before somebody tries.
const LONGEST: TimeDelta = TimeDelta::hours(1);
/// Doublings after which the longest time is reached whatever the first was.
const MOST_DOUBLINGS: u32 = 20;

/// Whether a model is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Breaker {
    /// It is.
    Closed {
        /// Calls in a row that failed.
        failures: u32,
    },
    /// It is not.
    Open {
        /// Times in a row that it opened.
        trips: u32,
        /// When somebody may try.
        until: DateTime<Utc>,
    },
    /// One process tries.
    HalfOpen {
        /// Times in a row that it opened.
        trips: u32,
        /// When another may try.
        until: DateTime<Utc>,
    },
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// An answer, whatever it was worth.
    Success,
    /// None, for a reason that may pass by itself.
    Failure,
    /// None, for a reason that somebody has to mend: the key, the quota, the model's name.
    Refusal,
}

/// Whether to ask now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Ask.
    Ask,
    /// Ask, once the breaker was moved to this by nobody but you.
    TryAs(Breaker),
    /// Do not.
    Wait,
}

impl Breaker {
    /// A breaker that nothing was observed of.
    pub const NEW: Self = Self::Closed { failures: 0 };

    /// Whether a call may be made at `now`.
    pub fn permission(self, now: DateTime<Utc>, policy: BreakerPolicy) -> Permission {
        match self {
            Self::Closed { .. } => Permission::Ask,
            Self::Open { trips, until } | Self::HalfOpen { trips, until } if until <= now => {
                Permission::TryAs(Self::HalfOpen { trips, until: now + policy.trial })
            }
            Self::Open { .. } | Self::HalfOpen { .. } => Permission::Wait,
        }
    }

    /// The state after `observation`.
    #[must_use]
    pub fn after(self, observation: Observation, now: DateTime<Utc>, policy: BreakerPolicy) -> Self {
        match (self, observation) {
            (Self::Closed { .. } | Self::HalfOpen { .. }, Observation::Success) => Self::NEW,
            (Self::Closed { failures }, Observation::Failure) if failures + 1 < policy.threshold => {
                Self::Closed { failures: failures + 1 }
            }
            (Self::Closed { .. }, Observation::Failure | Observation::Refusal) => opened(1, now, policy),
            (Self::HalfOpen { trips, .. }, Observation::Failure | Observation::Refusal) => {
                opened(trips.saturating_add(1), now, policy)
            }
            (Self::Open { .. }, _) => self,
        }
    }

    /// The word for the state, as in the table and in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half_open",
        }
    }
}

fn opened(trips: u32, now: DateTime<Utc>, policy: BreakerPolicy) -> Breaker {
    let doublings = trips.saturating_sub(1).min(MOST_DOUBLINGS);
    let cool_down = policy.cool_down.checked_mul(1 << doublings).unwrap_or(LONGEST).min(LONGEST);
    Breaker::Open { trips, until: now + cool_down }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: BreakerPolicy =
        BreakerPolicy { threshold: 3, cool_down: TimeDelta::seconds(30), trial: TimeDelta::seconds(60) };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn after(observations: &[Observation]) -> Breaker {
        observations.iter().fold(Breaker::NEW, |breaker, seen| breaker.after(*seen, at(0), POLICY))
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        use Observation::{Failure, Success};
        assert_eq!(after(&[Failure, Failure]), Breaker::Closed { failures: 2 });
        assert_eq!(after(&[Failure, Failure, Success, Failure]), Breaker::Closed { failures: 1 });
        assert_eq!(after(&[Failure; 3]), Breaker::Open { trips: 1, until: at(30) });
    }

    #[test]
    fn what_somebody_has_to_mend_opens_it_at_once() {
        assert_eq!(after(&[Observation::Refusal]), Breaker::Open { trips: 1, until: at(30) });
    }

    #[test]
    fn one_tries_after_the_pause_and_the_next_only_if_that_one_never_says() {
        let open = after(&[Observation::Refusal]);
        assert_eq!(open.permission(at(29), POLICY), Permission::Wait);
        let half_open = Breaker::HalfOpen { trips: 1, until: at(90) };
        assert_eq!(open.permission(at(30), POLICY), Permission::TryAs(half_open));
        assert_eq!(half_open.permission(at(89), POLICY), Permission::Wait);
        let Permission::TryAs(second) = half_open.permission(at(90), POLICY) else { panic!("nobody tries") };
        assert_eq!(second, Breaker::HalfOpen { trips: 1, until: at(150) });
    }

    #[test]
    fn a_trial_closes_it_or_opens_it_for_longer_up_to_an_hour() {
        let half_open = Breaker::HalfOpen { trips: 1, until: at(90) };
        assert_eq!(half_open.after(Observation::Success, at(40), POLICY), Breaker::NEW);
        assert_eq!(
            half_open.after(Observation::Failure, at(40), POLICY),
            Breaker::Open { trips: 2, until: at(100) }
        );
        let weary = Breaker::HalfOpen { trips: u32::MAX, until: at(0) };
        assert_eq!(
            weary.after(Observation::Refusal, at(0), POLICY),
            Breaker::Open { trips: u32::MAX, until: at(3_600) }
        );
    }

    #[test]
    fn an_open_breaker_ignores_calls_that_were_under_way() {
        let open = after(&[Observation::Failure; 3]);
        for late in [Observation::Success, Observation::Failure, Observation::Refusal] {
            assert_eq!(open.after(late, at(10), POLICY), open);
        }
    }
}
