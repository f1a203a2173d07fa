//! Owns the account of who made a result, with what and at what cost: it stands beside every result.

use crate::word::closed_words;
use serde::{Deserialize, Serialize};

/// Who made a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AiAccount {
    /// Whether the provider of choice made it.
    pub ai_status: AiStatus,
    /// Provider that made it.
    pub provider: String,
    /// Model that made it.
    pub model: String,
    /// Hash or version of the prompt or rules.
    pub prompt_version: String,
    /// Tokens used; none when the provider does not say.
    pub tokens: Option<Tokens>,
    /// Cost in US dollars; none when unknown.
    pub cost: Option<f64>,
}

closed_words! {
    /// Whether the provider of choice made a result.
    AiStatus {
        /// It did.
        Done => "done",
        /// It could not; the offline rules did.
        Fallback => "fallback",
    }
}

/// Tokens of one or more model calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tokens {
    /// Read.
    pub input: u64,
    /// Written.
    pub output: u64,
    /// Of those read, the ones that were cached; none when unknown.
    pub cached: Option<u64>,
}
