//! Owns the output of the step `draft`.

use crate::{knowledge::ArticleId, language::Language, word::closed_words};
use serde::{Deserialize, Serialize};

/// A reply nobody has sent yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// The reply, in Markdown.
    pub text: String,
    /// Language it is written in.
    pub language: Language,
    /// Articles whose content it uses.
    pub cited_articles: Vec<ArticleId>,
    /// What sending it amounts to.
    pub action: Action,
    /// Template or prompt it was made with.
    pub template: String,
    /// 0 for the first draft, one more for each that follows a review.
    pub revision: u32,
}

closed_words! {
    /// What happens to a ticket.
    Action {
        /// The customer gets an answer.
        Reply => "reply",
        /// The customer is asked for what is missing.
        Ask => "ask",
        /// A person takes over.
        Handoff => "handoff",
    }
}
