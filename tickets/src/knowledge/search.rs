//! Search of the knowledge base with a ticket's text: full text, word by word, rare words first.
//!
//! Where nothing matches and the extension `pg_trgm` is there, words that are nearly alike count.

use super::{
    row::{ArticleRow, StoredArticle},
    typo,
    words::words,
};
use crate::{language::Language, taxonomy::Category, triage::Fraction};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use ticketflow_engine::StoreError;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// Any text: a ticket, or what somebody typed.
    pub text: &'a str,
    /// Language of the text: articles in it come first.
    pub language: Language,
    /// Category of the ticket: articles of it come first.
    pub category: Option<&'a Category>,
    /// Most articles wanted.
    pub limit: u16,
}

/// An article that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The article.
    pub article: StoredArticle,
    /// How well it fits.
    pub score: Fraction,
    /// What made it fit, in words a support agent understands.
    pub why: String,
    /// The passage that fits best.
    pub snippet: String,
}

/// Points at which an article counts as half fitting.
const HALF: f64 = 4.0;

struct Row {
    id: String,
    title: String,
    category: String,
    language: String,
    keywords: Vec<String>,
    summary: String,
    steps: Vec<String>,
    facts: Vec<String>,
    contact: String,
    source: String,
    updated_at: DateTime<Utc>,
    shared: Vec<String>,
    points: f64,
    snippet: String,
}

/// The articles that fit best, best first.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn search(connection: &mut PgConnection, search: Search<'_>) -> Result<Vec<Found>, StoreError> {
    let words = words(search.text);
    let rows = sqlx::query_file_as!(
        Row,
        "src/knowledge/search.sql",
        &words,
        search.language.code(),
        search.category.map(Category::as_str),
        i64::from(search.limit),
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(StoreError::database("search the knowledge base"))?;
    if rows.is_empty() {
        return typo::search(connection, &words, search.limit).await;
    }
    let best = rows[0].points;
    rows.into_iter().map(|row| found(row, best, search)).collect()
}

fn found(row: Row, best: f64, search: Search<'_>) -> Result<Found, StoreError> {
    let mut why = format!("shares the words {}", row.shared.join(", "));
    if search.category.is_some_and(|category| category.as_str() == row.category) {
        why.push_str("; same category");
    }
    if search.language.code() != row.language {
        why.push_str("; written in another language");
    }
    let article = ArticleRow {
        id: row.id,
        title: row.title,
        category: row.category,
        language: row.language,
        keywords: row.keywords,
        summary: row.summary,
        steps: row.steps,
        facts: row.facts,
        contact: row.contact,
        source: row.source,
        updated_at: row.updated_at,
    };
    Ok(Found {
        article: StoredArticle::try_from(article)?,
        // A long text shares words with everything: what counts is how far an article lies behind the best.
        score: Fraction::clamped(row.points / (row.points + HALF) * (row.points / best)),
        why,
        snippet: row.snippet,
    })
}
