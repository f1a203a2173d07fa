//! Owns the two measures that results carry: [`Fraction`] and [`Sentiment`]. Neither can leave its scale.

use serde::{Deserialize, Serialize};

/// A number from 0 to 1: a confidence, a score, a similarity.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Fraction(f64);

impl Fraction {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);
    /// All.
    pub const ONE: Self = Self(1.0);

    /// Reads a number from 0 to 1.
    pub fn parse(number: f64) -> Result<Self, NotAFraction> {
        if (0.0..=1.0).contains(&number) { Ok(Self(number)) } else { Err(NotAFraction(number)) }
    }

    /// The nearest number from 0 to 1; 0 for one that is none.
    pub const fn clamped(number: f64) -> Self {
        if number.is_nan() { Self::ZERO } else { Self(number.clamp(0.0, 1.0)) }
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Fraction {
    type Error = NotAFraction;

    fn try_from(number: f64) -> Result<Self, Self::Error> {
        Self::parse(number)
    }
}

impl From<Fraction> for f64 {
    fn from(fraction: Fraction) -> Self {
        fraction.0
    }
}

/// The number lies outside 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is not a number from 0 to 1")]
pub struct NotAFraction(f64);

/// A customer's mood, from 1 (furious) over 5 (matter-of-fact) to 10 (delighted).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Sentiment(u8);

impl Sentiment {
    /// Neither pleased nor displeased.
    pub const NEUTRAL: Self = Self(5);

    /// Reads a score from 1 to 10.
    pub const fn parse(score: u8) -> Result<Self, NotASentiment> {
        if score >= 1 && score <= 10 { Ok(Self(score)) } else { Err(NotASentiment(score)) }
    }

    /// The score.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Sentiment {
    type Error = NotASentiment;

    fn try_from(score: u8) -> Result<Self, Self::Error> {
        Self::parse(score)
    }
}

impl From<Sentiment> for u8 {
    fn from(sentiment: Sentiment) -> Self {
        sentiment.0
    }
}

/// The number lies outside 1 to 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a score from 1 to 10")]
pub struct NotASentiment(u8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_keep_to_their_scales() {
        assert_eq!(Fraction::clamped(f64::NAN), Fraction::ZERO);
        assert_eq!(Fraction::clamped(7.0), Fraction::ONE);
        assert!(Fraction::parse(f64::NAN).is_err());
        assert!(serde_json::from_str::<Fraction>("1.01").is_err());
        assert!(serde_json::from_str::<Sentiment>("0").is_err());
        assert_eq!(serde_json::from_str::<Sentiment>("10").unwrap().get(), 10);
    }
}
