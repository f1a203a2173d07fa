//! The figures: accuracy, macro-F1, precision and recall, the confusion matrix, and how far a confidence can be believed.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Parts of the scale from 0 to 1 that confidences are compared in.
const BINS: usize = 10;

/// What was made of a labelled ticket.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Guess {
    pub(crate) expected: String,
    pub(crate) found: String,
    /// From 0 to 1.
    pub(crate) confidence: f64,
}

/// How right guesses are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Scores {
    pub(crate) texts: usize,
    /// Share of right guesses.
    pub(crate) accuracy: f64,
    /// Mean F1 of the labels that occur, each counting alike.
    pub(crate) macro_f1: f64,
    /// Share of right guesses among the half with the highest confidence.
    pub(crate) surest_half: f64,
    /// Expected calibration error: how far confidence and share of right guesses lie apart, over ten bins.
    pub(crate) calibration_error: f64,
    pub(crate) categories: Vec<PerCategory>,
    /// By label and guess: how often.
    pub(crate) confusion: BTreeMap<String, BTreeMap<String, usize>>,
    pub(crate) bins: Vec<Bin>,
}

/// How right the guesses about one label are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PerCategory {
    pub(crate) category: String,
    pub(crate) texts: usize,
    /// Of those guessed to be of it, the share that is.
    pub(crate) precision: f64,
    /// Of those that are of it, the share that was found.
    pub(crate) recall: f64,
    /// The harmonic mean of the two.
    pub(crate) f1: f64,
}

/// Guesses of like confidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Bin {
    /// Where it begins.
    pub(crate) from: f64,
    pub(crate) texts: usize,
    /// Mean confidence.
    pub(crate) confidence: f64,
    /// Share of right guesses.
    pub(crate) accuracy: f64,
}

impl Scores {
    /// The figures of `guesses`.
    pub(crate) fn of(guesses: &[Guess]) -> Self {
        let labels: BTreeSet<&str> = guesses.iter().map(|guess| guess.expected.as_str()).collect();
        let categories: Vec<PerCategory> =
            labels.into_iter().map(|label| PerCategory::of(label, guesses)).collect();
        let bins = bins(guesses);
        let apart = bins.iter().map(|bin| precise(bin.texts) * (bin.confidence - bin.accuracy).abs());
        Self {
            texts: guesses.len(),
            accuracy: accuracy(guesses.iter()),
            macro_f1: mean(categories.iter().map(|category| category.f1)),
            surest_half: surest_half(guesses),
            calibration_error: apart.sum::<f64>() / precise(guesses.len().max(1)),
            categories,
            confusion: confusion(guesses),
            bins,
        }
    }

    /// The figures of one who always says the label that is most frequent.
    pub(crate) fn majority(guesses: &[Guess]) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for guess in guesses {
            *counts.entry(&guess.expected).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        let (label, count) = most.unwrap_or_default();
        let confidence = share(count, guesses.len());
        let always = |guess: &Guess| Guess { found: label.to_owned(), confidence, ..guess.clone() };
        Self::of(&guesses.iter().map(always).collect::<Vec<_>>())
    }
}

impl PerCategory {
    fn of(label: &str, guesses: &[Guess]) -> Self {
        let count = |is: fn(bool, bool) -> bool| {
            guesses.iter().filter(|guess| is(guess.expected == label, guess.found == label)).count()
        };
        let (right, texts, found) = (count(|is, said| is && said), count(|is, _| is), count(|_, said| said));
        Self {
            category: label.to_owned(),
            texts,
            precision: share(right, found),
            recall: share(right, texts),
            f1: share(2 * right, texts + found),
        }
    }
}

fn bins(guesses: &[Guess]) -> Vec<Bin> {
    let bin = |number: usize| {
        let (from, to) = (share(number, BINS), share(number + 1, BINS));
        let within: Vec<&Guess> = guesses
            .iter()
            .filter(|guess| guess.confidence >= from && (guess.confidence < to || number + 1 == BINS))
            .collect();
        Bin {
            from,
            texts: within.len(),
            confidence: mean(within.iter().map(|guess| guess.confidence)),
            accuracy: accuracy(within.into_iter()),
        }
    };
    (0..BINS).map(bin).filter(|bin| bin.texts > 0).collect()
}

fn confusion(guesses: &[Guess]) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut confusion: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for guess in guesses {
        let row = confusion.entry(guess.expected.clone()).or_default();
        *row.entry(guess.found.clone()).or_default() += 1;
    }
    confusion
}

fn surest_half(guesses: &[Guess]) -> f64 {
    let mut by_confidence: Vec<&Guess> = guesses.iter().collect();
    by_confidence.sort_by(|left, right| right.confidence.total_cmp(&left.confidence));
    by_confidence.truncate(guesses.len().div_ceil(2));
    accuracy(by_confidence.into_iter())
}

fn accuracy<'a>(guesses: impl Iterator<Item = &'a Guess>) -> f64 {
    mean(guesses.map(|guess| if guess.found == guess.expected { 1.0 } else { 0.0 }))
}

/// The mean; of nothing, 0.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / precise(count.max(1))
}

/// `part` of `all`; of nothing, 0.
pub(crate) fn share(part: usize, all: usize) -> f64 {
    precise(part) / precise(all.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "counts of tickets, far below 2^52")]
const fn precise(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(expected: &str, found: &str, confidence: f64) -> Guess {
        Guess { expected: expected.to_owned(), found: found.to_owned(), confidence }
    }

    #[test]
    fn figures_are_those_worked_out_by_hand() {
        let guesses =
            [guess("a", "a", 0.95), guess("a", "b", 0.55), guess("a", "a", 0.85), guess("b", "c", 0.15)];
        let scores = Scores::of(&guesses);
        assert!((scores.accuracy - 0.5).abs() < 1e-12);
        let a = &scores.categories[0];
        assert!((a.precision - 1.0).abs() < 1e-12 && (a.recall - 2.0 / 3.0).abs() < 1e-12, "{a:?}");
        assert!((a.f1 - 0.8).abs() < 1e-12 && (scores.macro_f1 - 0.4).abs() < 1e-12);
        assert!((scores.surest_half - 1.0).abs() < 1e-12);
        // 0.05, 0.55, 0.15 and 0.15 apart, a quarter of the texts each.
        assert!((scores.calibration_error - 0.225).abs() < 1e-12, "{}", scores.calibration_error);
        assert_eq!(scores.confusion["a"]["b"], 1);
    }

    #[test]
    fn the_majority_is_right_as_often_as_its_label_occurs() {
        let guesses = [guess("a", "b", 0.9), guess("a", "b", 0.9), guess("b", "b", 0.9)];
        let majority = Scores::majority(&guesses);
        assert!((majority.accuracy - 2.0 / 3.0).abs() < 1e-12);
        assert!((majority.macro_f1 - 0.4).abs() < 1e-12, "{}", majority.macro_f1);
        assert_eq!(Scores::of(&[]).texts, 0);
    }
}
