//! Reading of the articles that the evidence names, in full. They are shared with the library, not copied.

use std::sync::Arc;
use ticketflow_engine::StoreError;
use ticketflow_tickets::{
    knowledge::{Article, ArticleId, Library, StoredArticle},
    triage::Research,
};

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
