//! What is known about a ticket's matter: the articles that the evidence names, in full, and how a model is shown it. The
//! articles are shared with the library, not copied.

use crate::provider::{
    model::Part,
    offline::{Message, Offline},
};
use serde_json::json;
use std::sync::Arc;
use ticketflow_engine::StoreError;
use ticketflow_tickets::{
    knowledge::{Article, ArticleId, Library, StoredArticle},
    triage::{Classification, Extraction, Research},
};

/// Characters of an article that a model is shown.
const LONGEST_ARTICLE: usize = 6_000;

/// Articles that were found.
#[derive(Debug)]
pub(crate) struct FoundArticles(Vec<Arc<StoredArticle>>);

impl FoundArticles {
    /// The articles that `research` names. One that was deleted meanwhile is left out.
    pub(crate) async fn of(library: &Library, research: &Research) -> Result<Self, StoreError> {
        let ids: Vec<ArticleId> = research.articles.iter().map(|hit| hit.article_id.clone()).collect();
        library.get(&ids).await.map(Self)
    }

    /// What they say.
    pub(crate) fn contents(&self) -> Vec<&Article> {
        self.0.iter().map(|stored| &stored.article).collect()
    }
}

/// All that a draft or a note about it may name: the ticket and the articles, as one text.
pub(crate) fn text(offline: &Offline, message: Message<'_>, articles: &[&Article]) -> String {
    let ticket = offline.customers_words(message) + "\n";
    offline
        .trusted_articles(articles)
        .iter()
        .fold(ticket, |text, article| text + &article.to_markdown() + "\n")
}

/// What the steps before found, for a model.
pub(crate) fn known_part(classification: &Classification, extraction: &Extraction) -> Part {
    let known = json!({
        "category": classification.category,
        "priority": classification.priority,
        "sentiment_score": classification.sentiment_score,
        "language": classification.language,
        "named": extraction,
    });
    Part::new("known", known.to_string())
}

/// The articles, for a model, without passages that address it.
pub(crate) fn article_parts(offline: &Offline, articles: &[&Article]) -> Vec<Part> {
    let parts = offline.trusted_articles(articles);
    let parts = parts.iter().map(|article| {
        let text = format!("id: {}\n{}", article.id.as_str(), article.to_markdown());
        Part::new("article", text.chars().take(LONGEST_ARTICLE).collect::<String>())
    });
    parts.collect()
}
