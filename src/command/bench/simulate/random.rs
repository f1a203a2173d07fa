//! The simulation's randomness: one seed, one course of events, on every machine and with every release of a library.

use std::{f64::consts::TAU, time::Duration};

/// `SplitMix64` (Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1.
    pub(super) fn fraction(&mut self) -> f64 {
        let [a, b, c, d, ..] = self.next().to_be_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
    }

    /// From 0 to 255.
    pub(super) const fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    /// Which of these it is, each as likely as its share of the sum; 0 of none.
    pub(super) fn pick(&mut self, shares: &[f64]) -> usize {
        let mut left = self.fraction() * shares.iter().sum::<f64>();
        let passed = |share: &&f64| {
            left -= **share;
            left >= 0.0
        };
        shares.iter().take_while(passed).count().min(shares.len().saturating_sub(1))
    }

    /// The time between two arrivals that know nothing of each other.
    pub(super) fn exponential(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.fraction()).ln())
    }

    /// What takes mostly about as long, and now and then much longer: answers of a model. `spread` is the logarithm's
    /// standard deviation.
    pub(super) fn log_normal(&mut self, mean: Duration, spread: f64) -> Duration {
        let (radius, angle) = (1.0 - self.fraction(), self.fraction() * TAU);
        let normal = (-2.0 * radius.ln()).sqrt() * angle.cos();
        mean.mul_f64(spread.mul_add(normal, -spread * spread / 2.0).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u32 = 100_000;

    fn mean(draw: impl FnMut() -> Duration) -> f64 {
        let all: Duration = std::iter::repeat_with(draw).take(DRAWS as usize).sum();
        all.as_secs_f64() / f64::from(DRAWS)
    }

    #[test]
    fn times_have_the_mean_they_were_asked_for() {
        let mut random = Random::seeded(1);
        let second = Duration::from_secs(1);
        assert!((mean(|| random.exponential(second)) - 1.0).abs() < 0.02);
        assert!((mean(|| random.log_normal(second, 0.6)) - 1.0).abs() < 0.02);
        assert_eq!(random.log_normal(second, 0.0), second);
    }

    #[test]
    fn what_has_twice_the_share_is_picked_twice_as_often() {
        let mut random = Random::seeded(1);
        let mut picked = [0_u32; 2];
        for _ in 0..DRAWS {
            picked[random.pick(&[2.0, 1.0])] += 1;
        }
        assert!((f64::from(picked[0]) / f64::from(picked[1]) - 2.0).abs() < 0.1, "{picked:?}");
        assert_eq!(random.pick(&[]), 0);
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let draw = |seed| Random::seeded(seed).fraction();
        assert_eq!(draw(7).to_bits(), draw(7).to_bits());
        assert_ne!(draw(7).to_bits(), draw(8).to_bits());
    }
}
