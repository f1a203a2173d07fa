//! Time and randomness as parameters. Nothing in the engine reads the system clock or a random generator but here.
//!
//! Leases and timers are judged by the database's clock (`engine_now()`), in SQL. The time an event carries is the
//! database's as well, as far as this process can tell: [`Clock`] counts on from what the database last showed.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Instant,
};

/// The database's time as this process estimates it; clones share the estimate. Between calibrations it counts on by
/// the monotonic clock: someone who sets this machine's clock does not change it.
#[derive(Debug, Clone)]
pub struct Clock {
    shown: Arc<RwLock<Shown>>,
}

/// What a clock showed, and when.
#[derive(Debug, Clone, Copy)]
struct Shown {
    time: DateTime<Utc>,
    at: Instant,
}

impl Default for Clock {
    /// As this machine's clock, until calibrated.
    fn default() -> Self {
        Self { shown: Arc::new(RwLock::new(Shown { time: local_now(), at: Instant::now() })) }
    }
}

impl Clock {
    /// Now, by the database's clock, in whole microseconds (its resolution).
    pub fn now(&self) -> DateTime<Utc> {
        let shown = *self.shown.read().unwrap_or_else(PoisonError::into_inner);
        (shown.time + span(shown.at)).trunc_subsecs(6)
    }

    /// Takes note that the database's clock showed `database` in an answer to what was asked at `sent`. An answer that
    /// was long under way says little, hence half of that time is added.
    pub fn calibrate(&self, database: DateTime<Utc>, sent: Instant) {
        let shown = Shown { time: database + span(sent) / 2, at: Instant::now() };
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = shown;
    }
}

/// Time since `earlier`.
fn span(earlier: Instant) -> TimeDelta {
    TimeDelta::from_std(earlier.elapsed()).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
fn local_now() -> DateTime<Utc> {
    Utc::now()
}

/// Fresh random bytes.
#[expect(clippy::disallowed_methods, reason = "the one place that draws randomness")]
pub fn entropy<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
    bytes
}

/// A fresh random fraction in 0.0..1.0.
pub fn random_fraction() -> f64 {
    let bits = u32::from_le_bytes(entropy());
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_counts_on_from_what_the_database_showed() {
        let clock = Clock::default();
        let (database, sent) = (clock.now() + TimeDelta::days(400), Instant::now());
        clock.calibrate(database, sent);
        let first = clock.clone().now();
        assert!(first >= database.trunc_subsecs(6) && first < database + TimeDelta::minutes(5), "{first}");
        assert!(clock.now() >= first);
    }
}
