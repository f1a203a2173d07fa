//! Owns the arithmetic of evidence: each kind of it as logarithms of probabilities, and their weighted sum.

use super::weights::{Blend, Class};
use crate::provider::offline::embedding::Vector;

/// Least logarithm of a probability: no evidence alone rules a category out.
const LEAST: f64 = -8.0;
/// What cosines are multiplied by before they are compared: they lie close together.
const CONTRAST: f64 = 10.0;

/// What each kind of evidence alone makes of the categories, as logarithms of probabilities.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Parts {
    /// By keywords and cues.
    pub(in super::super) keywords: Vec<f64>,
    /// By likeness to the descriptions.
    pub(in super::super) descriptions: Vec<f64>,
    /// By the linear model.
    pub(in super::super) linear: Vec<f64>,
}

impl Parts {
    /// From the shares by keywords, the cosines with descriptions, and the model's classes, all in the same order.
    pub(super) fn of(
        keywords: impl Iterator<Item = f64>,
        cosines: impl Iterator<Item = f64>,
        classes: &[Option<Class>],
        vector: &Vector,
    ) -> Self {
        let contrasted: Vec<f64> = cosines.map(|cosine| cosine * CONTRAST).collect();
        let keywords: Vec<f64> = keywords.map(|share| share.ln().max(LEAST)).collect();
        Self {
            descriptions: log_shares(&contrasted).into_iter().map(|share| share.max(LEAST)).collect(),
            linear: linear(classes, vector, &keywords),
            keywords,
        }
    }

    /// The probability of each category by all of it.
    pub(in super::super) fn probabilities(&self, blend: Blend) -> Vec<f64> {
        log_shares(&self.sums(blend)).into_iter().map(f64::exp).collect()
    }

    /// What speaks for each category by all of it.
    pub(in super::super) fn sums(&self, blend: Blend) -> Vec<f64> {
        let Blend { keywords, descriptions, linear } = blend;
        let parts = self.keywords.iter().zip(&self.descriptions).zip(&self.linear);
        parts
            .map(|((word, description), class)| keywords * word + descriptions * description + linear * class)
            .collect()
    }
}

/// What the model makes of a meaning. A category that it does not know is as likely as one that it knows nothing about; the
/// more the keywords (logarithms of their shares) are for it, the less the model's word for another counts against it.
pub(in super::super) fn linear(classes: &[Option<Class>], vector: &Vector, keywords: &[f64]) -> Vec<f64> {
    let scores: Vec<Option<f64>> =
        classes.iter().map(|class| Some(f64::from(class.as_ref()?.score(vector)))).collect();
    let known: Vec<f64> = scores.iter().flatten().copied().collect();
    let shares: Vec<f64> = log_shares(&known).into_iter().map(|share| share.max(LEAST)).collect();
    let likeliest = shares.iter().copied().fold(LEAST, f64::max);
    let even = -precise(known.len().max(1)).ln();
    let unknown = |keyword: f64| even + (likeliest - even).max(0.0) * keyword.exp();
    let mut shares = shares.into_iter();
    let known = |known: &Option<f64>| known.and_then(|_| shares.next());
    scores
        .iter()
        .map(known)
        .zip(keywords)
        .map(|(share, keyword)| share.unwrap_or_else(|| unknown(*keyword)))
        .collect()
}

/// Logarithms of probabilities that add up to one, where differences are those of `scores`.
pub(in super::super) fn log_shares(scores: &[f64]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = scores.iter().map(|score| (score - most).exp()).sum();
    scores.iter().map(|score| score - most - sum.ln()).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a handful of categories")]
const fn precise(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::offline::embedding::{DIMENSIONS, Embedder};
    use ticketflow_tickets::taxonomy::Category;

    #[test]
    fn shares_add_up_to_one_however_far_apart_the_scores_are() {
        let shares = log_shares(&[1000.0, 999.0, -1000.0]);
        assert!((shares.iter().map(|share| share.exp()).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((shares[0] - shares[1] - 1.0).abs() < 1e-9);
        assert_eq!(log_shares(&[]), Vec::<f64>::new());
    }

    #[test]
    fn a_category_that_the_model_does_not_know_is_neither_likely_nor_unlikely() {
        let vector = Embedder::shared().unwrap().embed("invoice");
        let class = |bias| {
            let category = Category::parse("any").unwrap();
            Some(Class { category, bias, factors: vec![0.0; DIMENSIONS] })
        };
        let shares = linear(&[class(2.0), None, class(0.0)], &vector, &[0.0, LEAST, 0.0]);
        assert!(shares[0] > shares[1] && shares[1] > shares[2], "{shares:?}");
        assert!((shares[1] - 0.5_f64.ln()).abs() < 1e-3);
        let named = linear(&[class(2.0), None, class(0.0)], &vector, &[LEAST, 0.0, LEAST]);
        assert!((named[1] - named[0]).abs() < 1e-12, "{named:?}");
        assert_eq!(linear(&[None, None], &vector, &[LEAST, LEAST]), [0.0, 0.0]);
    }

    #[test]
    fn evidence_that_counts_nothing_changes_nothing() {
        let parts = Parts {
            keywords: log_shares(&[1.0, 0.0]),
            descriptions: log_shares(&[0.0, 5.0]),
            linear: log_shares(&[0.0, 9.0]),
        };
        let blend = Blend { keywords: 1.0, descriptions: 0.0, linear: 0.0 };
        let shares = parts.probabilities(blend);
        assert!((shares[0].ln() - parts.keywords[0]).abs() < 1e-12, "{shares:?}");
        let all = parts.probabilities(Blend { descriptions: 1.0, ..blend });
        assert!(all[1] > all[0], "{all:?}");
    }
}
