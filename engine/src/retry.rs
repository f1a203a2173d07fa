//! How long to wait before the next attempt. Pure: the random fraction is a parameter.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015):
/// a delay drawn evenly from zero to `min(cap, base · factor^(attempt-1))`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backoff {
    /// Upper bound of the first delay, in milliseconds.
    pub base_ms: u64,
    /// What the bound is multiplied by after each attempt.
    pub factor: f64,
    /// Upper bound of any delay, in milliseconds.
    pub cap_ms: u64,
}

/// For whoever waits for the database to come back.
pub const RECONNECT: Backoff = Backoff { base_ms: 50, factor: 2.0, cap_ms: 1_000 };

impl Default for Backoff {
    fn default() -> Self {
        Self { base_ms: 500, factor: 2.0, cap_ms: 60_000 }
    }
}

impl Backoff {
    /// Delay after failed attempt number `attempt` (from 1), for a random `fraction` in 0..1.
    ///
    /// `retry_after`, what the failing side asked for, is a lower bound, and may exceed the cap.
    pub fn delay(&self, attempt: u32, fraction: f64, retry_after: Option<Duration>) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^52")]
        let bound = (self.base_ms as f64 * self.factor.max(1.0).powi(exponent)).min(self.cap_ms as f64);
        let jittered = Duration::from_secs_f64(bound * fraction.clamp(0.0, 1.0) / 1000.0);
        retry_after.map_or(jittered, |asked| asked + jittered.min(Duration::from_secs(1)))
    }
}

/// How a step is tried: from the definition, overridable in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepPolicy {
    /// Failed attempts after which the run fails.
    pub max_attempts: u32,
    /// Longest time one attempt may take, in milliseconds.
    pub timeout_ms: u64,
    /// Delay between attempts.
    pub backoff: Backoff,
    /// Workers that may die on the step before the run counts as poison.
    pub max_crashes: u32,
}

impl Default for StepPolicy {
    fn default() -> Self {
        Self { max_attempts: 5, timeout_ms: 60_000, backoff: Backoff::default(), max_crashes: 5 }
    }
}

impl StepPolicy {
    /// Longest time one attempt may take.
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        let backoff = Backoff { base_ms: 100, factor: 2.0, cap_ms: 1_000 };
        let bounds: Vec<_> = (1..=6).map(|n| backoff.delay(n, 1.0, None).as_millis()).collect();
        assert_eq!(bounds, [100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(backoff.delay(3, 0.0, None), Duration::ZERO);
        assert_eq!(backoff.delay(u32::MAX, 1.0, None).as_millis(), 1_000);
    }

    #[test]
    fn retry_after_is_a_lower_bound() {
        let asked = Duration::from_mins(2);
        assert!(Backoff::default().delay(1, 0.5, Some(asked)) >= asked);
    }
}
