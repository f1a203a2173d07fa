//! Time and randomness as parameters. Nothing in the engine reads the system clock or a random generator but here.
//!
//! Leases and timers are judged by the database's clock (`engine_now()`), in SQL. The time an event carries is the
//! database's as well, as far as this process can tell: [`Clock`] keeps the offset it last measured.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// The database's time as this process estimates it; clones share the estimate.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    offset_micros: Arc<AtomicI64>,
}

impl Clock {
    /// Now, by the database's clock, in whole microseconds (its resolution).
    pub fn now(&self) -> DateTime<Utc> {
        let offset = TimeDelta::microseconds(self.offset_micros.load(Ordering::Relaxed));
        (local_now() + offset).trunc_subsecs(6)
    }

    /// Takes note that the database's clock showed `database` just now. An answer that was long under way says
    /// little, hence half of the `round_trip` is added.
    pub fn calibrate(&self, database: DateTime<Utc>, round_trip: TimeDelta) {
        let offset = database + round_trip / 2 - local_now();
        self.offset_micros.store(offset.num_microseconds().unwrap_or(0), Ordering::Relaxed);
    }
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
