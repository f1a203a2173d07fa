//! Reads and writes of the table `articles`, but for search.

use super::{
    article::Article,
    id::ArticleId,
    row::{ArticleRow, Source, StoredArticle},
    shipped::shipped_articles,
};
use crate::{clean, taxonomy::Category};
use sqlx::{Connection as _, PgConnection};
use ticketflow_engine::StoreError;

/// Brings the shipped articles in, and those that were shipped in an older form up to date. An article that people
/// wrote or changed is left alone. Returns how many rows it wrote; called again it writes none.
///
/// # Errors
/// If the database did not do it.
pub async fn seed(connection: &mut PgConnection) -> Result<u64, StoreError> {
    let articles = shipped_articles().map_err(|error| StoreError::Corrupt {
        table: "articles",
        column: "body",
        row: error.file,
        problem: error.fault,
    })?;
    let mut written = 0;
    for article in &articles {
        written += write(connection, article, Source::Shipped).await?;
    }
    Ok(written)
}

/// Writes an article that people wrote or changed. False: it stands there already, as it is.
///
/// # Errors
/// If the database did not do it.
pub async fn put(connection: &mut PgConnection, article: &Article) -> Result<bool, StoreError> {
    write(connection, article, Source::Imported).await.map(|rows| rows == 1)
}

/// Writes articles that people wrote or changed, all or none. Returns how many did not stand there already as they are.
///
/// # Errors
/// If the database did not do it.
pub async fn put_all(connection: &mut PgConnection, articles: &[Article]) -> Result<usize, StoreError> {
    let begun = connection.begin().await;
    let mut transaction = begun.map_err(StoreError::database("begin to write articles"))?;
    let mut written = 0;
    for article in articles {
        written += usize::from(put(&mut transaction, article).await?);
    }
    transaction.commit().await.map_err(StoreError::database("commit articles"))?;
    Ok(written)
}

async fn write(connection: &mut PgConnection, article: &Article, source: Source) -> Result<u64, StoreError> {
    let cleaned =
        |texts: &[String]| texts.iter().map(|text| clean::text(text).into_owned()).collect::<Vec<_>>();
    let body = article.to_markdown();
    let done = sqlx::query!(
        "INSERT INTO articles AS known (
             id, title, category, language, keywords, summary, steps, facts, contact, body, source, updated_at
         ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, engine_now())
         ON CONFLICT (id) DO UPDATE SET
             title = EXCLUDED.title, category = EXCLUDED.category, language = EXCLUDED.language,
             keywords = EXCLUDED.keywords, summary = EXCLUDED.summary, steps = EXCLUDED.steps,
             facts = EXCLUDED.facts, contact = EXCLUDED.contact, body = EXCLUDED.body, source = EXCLUDED.source,
             updated_at = EXCLUDED.updated_at
         WHERE (EXCLUDED.source = 'imported' OR known.source = 'shipped')
             AND (known.title, known.category, known.language, known.keywords, known.body, known.source)
                 IS DISTINCT FROM (EXCLUDED.title, EXCLUDED.category, EXCLUDED.language, EXCLUDED.keywords,
                                   EXCLUDED.body, EXCLUDED.source)",
        article.id.as_str(),
        &*clean::text(&article.title),
        article.category.as_str(),
        article.language.code(),
        &cleaned(&article.keywords),
        &*clean::text(&article.summary),
        &cleaned(&article.steps),
        &cleaned(&article.good_to_know),
        &*clean::text(&article.when_to_contact),
        &*clean::text(&body),
        source.as_str(),
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("write an article"))?;
    Ok(done.rows_affected())
}

/// Takes an article out. False: there is none of that id.
///
/// # Errors
/// If the database did not do it.
pub async fn delete(connection: &mut PgConnection, id: &ArticleId) -> Result<bool, StoreError> {
    let done = sqlx::query!("DELETE FROM articles WHERE id = $1", id.as_str())
        .execute(connection)
        .await
        .map_err(StoreError::database("delete an article"))?;
    Ok(done.rows_affected() == 1)
}

/// The articles of these ids, in the order of the ids; those that do not exist are left out.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn get(connection: &mut PgConnection, ids: &[ArticleId]) -> Result<Vec<StoredArticle>, StoreError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows = sqlx::query_as!(
        ArticleRow,
        "SELECT a.id, a.title, a.category, a.language, a.keywords, a.summary, a.steps, a.facts, a.contact, a.source,
                a.updated_at
         FROM unnest($1::text[]) WITH ORDINALITY AS wanted (id, position)
         JOIN articles AS a ON a.id = wanted.id
         ORDER BY wanted.position",
        &ids,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("read articles"))?;
    rows.into_iter().map(StoredArticle::try_from).collect()
}

/// Articles by id: those after `after`, of `category` if one is given.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn list(
    connection: &mut PgConnection,
    category: Option<&Category>,
    after: Option<&ArticleId>,
    limit: u16,
) -> Result<Vec<StoredArticle>, StoreError> {
    let rows = sqlx::query_as!(
        ArticleRow,
        "SELECT id, title, category, language, keywords, summary, steps, facts, contact, source, updated_at
         FROM articles
         WHERE id > $1 AND ($2::text IS NULL OR category = $2)
         ORDER BY id LIMIT $3",
        after.map_or("", ArticleId::as_str),
        category.map(Category::as_str),
        i64::from(limit),
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("list articles"))?;
    rows.into_iter().map(StoredArticle::try_from).collect()
}
