//! The search's second try, for words that are nearly alike. Needs the extension `pg_trgm`, does nothing without it.

use super::{id::ArticleId, search::Found, store::get};
use crate::triage::Fraction;
use sqlx::PgConnection;
use std::sync::Arc;
use ticketflow_engine::StoreError;

/// The statement is checked when it runs and not when it compiles: the extension need not be there.
const NEARLY_ALIKE: &str = "SELECT a.id, max(alike.likeness)::float8, (array_agg(word ORDER BY alike.likeness DESC))[1]
    FROM unnest($1::text[]) AS word
    CROSS JOIN articles AS a
    CROSS JOIN LATERAL (SELECT word_similarity(word, lower(a.title || ' ' || joined(a.keywords)))) AS alike (likeness)
    WHERE length(word) > 4 AND alike.likeness > 0.5
    GROUP BY a.id ORDER BY sum(alike.likeness) DESC, a.id LIMIT $2";

/// Articles with title words or keywords that are nearly `words`.
pub(super) async fn search(
    connection: &mut PgConnection,
    words: &[String],
    limit: u16,
) -> Result<Vec<Found>, StoreError> {
    let installed =
        sqlx::query_scalar!(r#"SELECT to_regproc('word_similarity') IS NOT NULL AS "installed!""#);
    let installed = installed.fetch_one(&mut *connection).await;
    if !installed.map_err(StoreError::database("look for pg_trgm"))? {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, f64, String)> = sqlx::query_as(NEARLY_ALIKE)
        .bind(words)
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreError::database("search for words that are nearly alike"))?;
    let ids: Vec<ArticleId> = rows.iter().filter_map(|(id, ..)| ArticleId::parse(id).ok()).collect();
    let articles = get(connection, &ids).await?;
    let found = articles.into_iter().filter_map(|article| {
        let (_, likeness, word) = rows.iter().find(|(id, ..)| *id == article.article.id.as_str())?;
        Some(Found {
            snippet: article.article.summary.clone(),
            // A word that is nearly the same is worth half of one that is.
            score: Fraction::clamped(likeness / 2.0),
            why: format!("has a word that is nearly {word}"),
            article: Arc::new(article),
        })
    });
    Ok(found.collect())
}
