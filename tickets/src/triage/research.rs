//! Owns the output of the step `research`: the evidence that a draft may use.

use super::measure::Fraction;
use crate::{knowledge::ArticleId, taxonomy::Category};
use serde::{Deserialize, Serialize};

/// What is known that bears on a ticket, best first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Research {
    /// Articles of the knowledge base.
    pub articles: Vec<ArticleHit>,
    /// The same customer's earlier tickets.
    pub earlier_tickets: Vec<EarlierTicket>,
    /// Tickets of anyone that were solved and read alike.
    pub similar_solved: Vec<EarlierTicket>,
}

/// An article that fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArticleHit {
    /// Which article.
    pub article_id: ArticleId,
    /// Its title.
    pub title: String,
    /// The passage that fits.
    pub snippet: String,
    /// How well it fits.
    pub score: Fraction,
    /// What made it fit, in words a support agent understands.
    pub why: String,
}

/// A ticket that came before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlierTicket {
    /// Id of the ticket and its run.
    pub ticket_id: String,
    /// Its subject.
    pub subject: String,
    /// Its category, once classified.
    pub category: Option<Category>,
    /// Its status, as the API shows it.
    pub status: String,
    /// How alike the two read.
    pub similarity: Fraction,
    /// Whether it is the same customer's, still open, and says nearly the same as the ticket at hand.
    #[serde(default)]
    pub duplicate: bool,
}
