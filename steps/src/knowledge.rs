//! Reading of the articles that the evidence names, in full.

use sqlx::PgPool;
use ticketflow_engine::StoreError;
use ticketflow_tickets::{
    knowledge::{self, Article, ArticleId},
    triage::Research,
};

/// The articles that were found. One that was deleted meanwhile is left out.
pub(crate) async fn articles(pool: &PgPool, research: &Research) -> Result<Vec<Article>, StoreError> {
    let ids: Vec<ArticleId> = research.articles.iter().map(|hit| hit.article_id.clone()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut connection = pool.acquire().await.map_err(StoreError::database("connect for articles"))?;
    let articles = knowledge::get(&mut connection, &ids).await?;
    Ok(articles.into_iter().map(|stored| stored.article).collect())
}
