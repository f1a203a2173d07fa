//! Owns the output of the step `classify`.

use super::measure::{Fraction, Sentiment};
use crate::{
    language::Language,
    taxonomy::{Category, Priority},
};
use serde::{Deserialize, Serialize};

/// What a ticket is about, how pressing it is, and why that was concluded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// What it is about.
    pub category: Category,
    /// Probability that `category` is right.
    pub confidence: Fraction,
    /// How soon somebody must look at it.
    pub priority: Priority,
    /// The customer's mood.
    pub sentiment_score: Sentiment,
    /// Language the customer wrote in.
    pub language: Language,
    /// What decided, in words a support agent understands.
    pub reasons: Vec<String>,
    /// A person should check `category`.
    pub needs_review: bool,
}
