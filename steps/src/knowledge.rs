//! Reading of the articles that the evidence names, in full.

use ticketflow_engine::StoreError;
use ticketflow_tickets::{
    knowledge::{Article, ArticleId, Library},
    triage::Research,
};

/// The articles that were found. One that was deleted meanwhile is left out.
pub(crate) async fn articles(library: &Library, research: &Research) -> Result<Vec<Article>, StoreError> {
    let ids: Vec<ArticleId> = research.articles.iter().map(|hit| hit.article_id.clone()).collect();
    let articles = library.get(&ids).await?;
    Ok(articles.iter().map(|stored| stored.article.clone()).collect())
}
