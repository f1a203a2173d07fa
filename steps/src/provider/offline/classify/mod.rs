//! Owns the category of a ticket: what speaks for one, turned into a probability, and the courage to say "unclear".

mod blend;
mod descriptions;
mod lexicon;
mod meaning;
mod scorer;
mod spelling;
mod weights;

pub(super) use blend::{Parts, linear, log_shares};
pub(super) use scorer::Scorer;
pub(super) use weights::{Blend, Class};
pub use weights::{Weights, WeightsError};

use super::{
    extract::Traces,
    priority::{Circumstances, PriorityRules},
    reading::Reading,
    sentiment::MoodWords,
};
use ticketflow_tickets::{
    taxonomy::{Category, Taxonomy},
    triage::{Classification, Fraction},
};

/// Probability under which the category counts as unclear.
const CLEAR_FROM: f64 = 0.40;
/// Probability under which a person should check a category that counts as clear.
const SURE_FROM: f64 = 0.55;
/// What every category has before a word is read; the more, the more words it takes to be sure.
const PRIOR: f64 = 1.5;
/// How strongly the larger score wins.
const SHARPNESS: f64 = 1.8;
/// Words up to which a ticket that says nothing counts as not pressing.
const FEW_WORDS: usize = 6;
/// Reasons given for a category.
const MOST_REASONS: usize = 5;

/// How much speaks for a category.
#[derive(Debug, Clone, PartialEq)]
pub struct CategoryScore {
    /// Which category.
    pub category: Category,
    /// Sum of the weights of what speaks for it.
    pub score: f64,
    /// Share of it among all, from 0 to 1; the shares add up to 1.
    pub probability: f64,
    /// What speaks for it, most first.
    pub words: Vec<String>,
}

/// What the classification of a ticket needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Classifier<'a> {
    /// The categories.
    pub(super) taxonomy: &'a Taxonomy,
    /// What they are told apart by.
    pub(super) scorer: &'a Scorer,
    /// What makes a ticket pressing.
    pub(super) rules: &'a PriorityRules,
    /// What tells a mood.
    pub(super) moods: &'a MoodWords,
}

impl Classifier<'_> {
    /// Category, priority, mood and language of a ticket, perhaps an important customer's.
    pub(super) fn classify(self, reading: &Reading, traces: Traces, important: bool) -> Classification {
        let scores = self.scorer.scores(reading, traces);
        let sentiment_score = self.moods.sentiment(reading.language, &reading.text, &reading.words);
        let verdict = self.verdict(&scores);
        let leisurely =
            if verdict.clear { self.waits(&verdict.category) } else { reading.words.len() <= FEW_WORDS };
        let around = Circumstances { leisurely, sentiment: sentiment_score, important };
        let urgency = self.rules.urgency(reading.language, &reading.words, around);
        let mut reasons = verdict.reasons;
        reasons.extend(urgency.reasons);
        if !reading.instructions.is_empty() {
            reasons.push("left out: text that addresses the program instead of the support team".to_owned());
        }
        Classification {
            category: verdict.category,
            confidence: Fraction::clamped((verdict.probability * 1000.0).round() / 1000.0),
            priority: urgency.priority,
            sentiment_score,
            language: reading.language,
            reasons,
            needs_review: !verdict.clear || verdict.probability < SURE_FROM,
        }
    }

    fn verdict(self, scores: &[CategoryScore]) -> Verdict {
        let probabilities: Vec<f64> = scores.iter().map(|score| score.probability).collect();
        let (clear, probability) = settled(&probabilities);
        match clear.map(|best| &scores[best]) {
            Some(best) => Verdict {
                category: best.category.clone(),
                probability,
                reasons: vec![format!("category {}: {}", best.category, because(&best.words))],
                clear: true,
            },
            None => Verdict {
                category: self.taxonomy.fallback().clone(),
                probability,
                reasons: vec![unclear(nearest(scores))],
                clear: false,
            },
        }
    }

    /// Ideas and questions about the company wait by nature; so does whatever goes to the fallback.
    fn waits(self, category: &Category) -> bool {
        category == self.taxonomy.fallback() || category.as_str() == "feature_request"
    }
}

/// The category that is likely enough to be given, by its number, and how likely the likeliest is.
pub(super) fn settled(probabilities: &[f64]) -> (Option<usize>, f64) {
    let likeliest =
        probabilities.iter().copied().enumerate().max_by(|left, right| left.1.total_cmp(&right.1));
    match likeliest {
        Some((at, probability)) if probability >= CLEAR_FROM => (Some(at), probability),
        Some((_, probability)) => (None, probability),
        None => (None, 0.0),
    }
}

fn nearest(scores: &[CategoryScore]) -> Option<&CategoryScore> {
    scores.iter().max_by(|left, right| left.probability.total_cmp(&right.probability))
}

fn because(words: &[String]) -> String {
    if words.is_empty() {
        return "worded as tickets of that category are".to_owned();
    }
    words[..words.len().min(MOST_REASONS)].join(", ")
}

fn unclear(best: Option<&CategoryScore>) -> String {
    match best.filter(|best| !best.words.is_empty()) {
        Some(best) => format!("category unclear: nearest is {} ({})", best.category, best.words[0]),
        None => "category unclear: no known words".to_owned(),
    }
}

struct Verdict {
    category: Category,
    probability: f64,
    reasons: Vec<String>,
    clear: bool,
}

/// Turns scores into probabilities that add up to one.
fn probabilities(scores: &[f64]) -> Vec<f64> {
    let raised: Vec<f64> = scores.iter().map(|score| (score + PRIOR).powf(SHARPNESS)).collect();
    let sum: f64 = raised.iter().sum();
    raised.into_iter().map(|share| share / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_add_up_and_follow_the_scores() {
        let shares = probabilities(&[6.0, 1.0, 0.0]);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(shares[0] > shares[1] && shares[1] > shares[2]);
        let level = probabilities(&[0.0; 6]);
        assert!(level.iter().all(|share| (share - 1.0 / 6.0).abs() < 1e-9));
    }
}
