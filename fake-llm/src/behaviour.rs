//! Owns what the server was told to do, and the draw that decides about one request. The draw depends on the request
//! alone and on how often it came before: the same requests meet the same fate in whatever order they arrive.

use crate::mode::{Mode, UnknownMode};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rand_distr::{Distribution as _, LogNormal};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, time::Duration};

/// The 99th percentile of the standard normal distribution, in standard deviations.
const NORMAL_P99: f64 = 2.326_347_874;

/// What the server does with its requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Chance of each mode in percent; the rest is answered as it should be.
    pub mix: BTreeMap<Mode, f64>,
    /// How long an answer takes; at once when absent.
    pub latency: Option<Latency>,
    /// What `Retry-After` says, in seconds.
    pub retry_after: u64,
    /// Pause between two bytes of [`Mode::Drip`], in milliseconds.
    pub drip_ms: u64,
    /// Another seed, another fate for the same requests.
    pub seed: u64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { mix: BTreeMap::new(), latency: None, retry_after: 1, drip_ms: 100, seed: 0 }
    }
}

/// How long answers take: log-normal, as the times of servers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Half of the answers take less, in milliseconds.
    pub median_ms: u64,
    /// 99 of 100 answers take less, in milliseconds.
    pub p99_ms: u64,
}

/// A behaviour that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum BehaviourError {
    /// A chance in percent.
    #[error("{mode}={percent} is no chance: use percent from 0 to 100")]
    Percent {
        /// Of which mode.
        mode: Mode,
        /// What was asked for.
        percent: f64,
    },
    /// All chances together.
    #[error("the modes of the mix have {0} % together: make it 100 at most")]
    Sum(f64),
    /// Half of the answers cannot take longer than nearly all.
    #[error("a median of {median_ms} ms is longer than a 99th percentile of {p99_ms} ms: swap them")]
    Latency {
        /// The median.
        median_ms: u64,
        /// The 99th percentile.
        p99_ms: u64,
    },
    /// The name of a mode.
    #[error(transparent)]
    Mode(#[from] UnknownMode),
    /// The shape of a chance.
    #[error("{0} is no chance: write MODE=PERCENT, as in 429=5")]
    Shape(String),
}

/// What was drawn for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) mode: Mode,
    pub(crate) latency: Duration,
}

impl Behaviour {
    /// The behaviour in which every request meets `mode`.
    pub fn always(mode: Mode) -> Self {
        Self { mix: BTreeMap::from([(mode, 100.0)]), ..Self::default() }
    }

    /// Reads chances written `429=5,hang=0.5`.
    pub fn parse_mix(text: &str) -> Result<BTreeMap<Mode, f64>, BehaviourError> {
        let chances = text.split(',').filter(|chance| !chance.trim().is_empty());
        chances
            .map(|chance| {
                let shape = || BehaviourError::Shape(chance.to_owned());
                let (mode, percent) = chance.split_once('=').ok_or_else(shape)?;
                Ok((mode.trim().parse()?, percent.trim().parse().map_err(|_| shape())?))
            })
            .collect()
    }

    /// Refuses chances that are none, and latencies that cannot be.
    pub fn check(&self) -> Result<(), BehaviourError> {
        for (mode, percent) in &self.mix {
            if !(0.0..=100.0).contains(percent) {
                return Err(BehaviourError::Percent { mode: *mode, percent: *percent });
            }
        }
        let sum: f64 = self.mix.values().sum();
        if sum > 100.0 + f64::EPSILON * 100.0 {
            return Err(BehaviourError::Sum(sum));
        }
        match self.latency {
            Some(Latency { median_ms, p99_ms }) if median_ms > p99_ms => {
                Err(BehaviourError::Latency { median_ms, p99_ms })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What becomes of a request that came `before` times already.
    pub(crate) fn fate(&self, body: &[u8], before: u64) -> Fate {
        let parts =
            [&self.seed.to_le_bytes(), Sha256::digest(body).as_slice(), &before.to_le_bytes()].concat();
        let mut random = StdRng::from_seed(Sha256::digest(parts).into());
        let mut left = random.random_range(0.0..100.0);
        let drawn = self.mix.iter().find(|(_, percent)| {
            left -= **percent;
            left < 0.0
        });
        let latency = self.latency.map_or(Duration::ZERO, |latency| latency.draw(&mut random));
        Fate { mode: drawn.map_or(Mode::Fine, |(mode, _)| *mode), latency }
    }
}

impl Latency {
    /// A log-normal variable is `exp(μ + σz)`: the median is `exp(μ)`, the 99th percentile `exp(μ + 2.326 σ)`.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^52")]
    fn draw(self, random: &mut StdRng) -> Duration {
        let (median, p99) = (self.median_ms.max(1) as f64, self.p99_ms.max(1) as f64);
        let drawn = LogNormal::new(median.ln(), (p99 / median).ln() / NORMAL_P99);
        let millis = drawn.map_or(median, |times| times.sample(random));
        Duration::from_secs_f64(millis / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_come_in_the_proportions_asked_for_and_again_the_same() {
        let mix = Behaviour::parse_mix("429=10, hang=0.5").unwrap();
        let behaviour = Behaviour { mix, ..Behaviour::default() };
        behaviour.check().unwrap();
        let fates = || (0..10_000_u32).map(|n| behaviour.fate(&n.to_le_bytes(), 0).mode).collect::<Vec<_>>();
        let count = |mode| fates().into_iter().filter(|fate| *fate == mode).count();
        assert!((900..1_100).contains(&count(Mode::RateLimit)), "{}", count(Mode::RateLimit));
        assert!((25..80).contains(&count(Mode::Hang)), "{}", count(Mode::Hang));
        assert_eq!(fates(), fates());
        let again = (0..50).map(|before| behaviour.fate(b"the same", before).mode);
        assert!(
            again.into_iter().any(|mode| mode == Mode::Fine),
            "a request that comes again may fare better"
        );
    }

    #[test]
    fn latencies_have_the_median_and_the_tail_asked_for() {
        let latency = Some(Latency { median_ms: 300, p99_ms: 2_000 });
        let behaviour = Behaviour { latency, ..Behaviour::default() };
        let mut drawn: Vec<_> = (0..4_000_u32).map(|n| behaviour.fate(&n.to_le_bytes(), 0).latency).collect();
        drawn.sort_unstable();
        let at = |place: usize| drawn[place].as_millis();
        assert!((270..330).contains(&at(2_000)), "{}", at(2_000));
        assert!((1_500..2_600).contains(&at(3_960)), "{}", at(3_960));
    }

    #[test]
    fn behaviours_that_make_no_sense_are_refused_with_what_to_do() {
        let says = |text: &str| Behaviour::parse_mix(text).unwrap_err().to_string();
        assert!(says("429").contains("429=5") && says("429=x").contains("429=5"));
        assert!(says("4711=1").contains("use one of fine, 429"));
        let check = |mix: &str, latency| {
            let mix = Behaviour::parse_mix(mix).unwrap();
            Behaviour { mix, latency, ..Behaviour::default() }.check()
        };
        assert!(matches!(check("429=101", None), Err(BehaviourError::Percent { .. })));
        assert!(matches!(check("429=60,500=60", None), Err(BehaviourError::Sum(_))));
        let latency = Some(Latency { median_ms: 2, p99_ms: 1 });
        assert!(matches!(check("429=60,500=40", latency), Err(BehaviourError::Latency { .. })));
    }
}
