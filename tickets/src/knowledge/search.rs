//! Search of the knowledge base with a ticket's text: full text, word by word, rare words first.
//!
//! Where nothing matches and the extension `pg_trgm` is there, words that are nearly alike count.

use super::{
    article::Article,
    row::{ArticleRow, StoredArticle},
    typo,
    words::words,
};
use crate::{language::Language, taxonomy::Category, triage::Fraction};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::sync::Arc;
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
    pub article: Arc<StoredArticle>,
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
}

/// The articles that fit best, best first.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn search(connection: &mut PgConnection, search: Search<'_>) -> Result<Vec<Found>, StoreError> {
    let words = words(search.text);
    let fits = fits(connection, search, &words).await?;
    match fits.first() {
        Some(best) => {
            let best = best.points;
            Ok(fits.into_iter().map(|fit| found(fit, best, search)).collect())
        }
        None => typo::search(connection, &words, search.limit).await,
    }
}

/// The articles that share `words`, best first.
pub(super) async fn fits(
    connection: &mut PgConnection,
    search: Search<'_>,
    words: &[String],
) -> Result<Vec<Fit>, StoreError> {
    let rows = sqlx::query_file_as!(
        Row,
        "src/knowledge/search.sql",
        words,
        search.language.code(),
        search.category.map(Category::as_str),
        i64::from(search.limit),
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("search the knowledge base"))?;
    rows.into_iter().map(Fit::try_from).collect()
}

/// An article, the words that it shares with what is looked for, and what that is worth.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The article.
    pub article: Arc<StoredArticle>,
    /// The rarest of the words that stand in both, in the text's form.
    pub shared: Vec<String>,
    /// What sharing them is worth; without a bound.
    pub points: f64,
}

impl Fit {
    /// How well the article fits, beside the best one that has `best` points. A long text shares words with everything:
    /// what counts is how far an article lies behind.
    pub fn score(&self, best: f64) -> Fraction {
        Fraction::clamped(self.points / (self.points + HALF) * (self.points / best))
    }

    /// The passage that has most of the shared words.
    pub fn snippet(&self) -> String {
        passage(&self.article.article, &self.shared)
    }

    /// The shared words, in words a support agent understands.
    pub fn why(&self) -> String {
        format!("shares the words {}", self.shared.join(", "))
    }
}

impl Search<'_> {
    /// What else speaks for or against an article, in words a support agent understands: each begins with a semicolon.
    pub fn remarks(&self, article: &Article) -> String {
        let mut remarks = String::new();
        if self.category == Some(&article.category) {
            remarks.push_str("; same category");
        }
        if self.language != article.language {
            remarks.push_str("; written in another language");
        }
        remarks
    }
}

pub(super) fn found(fit: Fit, best: f64, search: Search<'_>) -> Found {
    Found {
        snippet: fit.snippet(),
        score: fit.score(best),
        why: fit.why() + &search.remarks(&fit.article.article),
        article: fit.article,
    }
}

impl TryFrom<Row> for Fit {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
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
        let article = Arc::new(StoredArticle::try_from(article)?);
        Ok(Self { article, shared: row.shared, points: row.points })
    }
}

/// The passage that has most of the shared words, in whatever form: the first of equals.
fn passage(article: &Article, shared: &[String]) -> String {
    let has = |passage: &str| {
        let passage = passage.to_lowercase();
        shared.iter().filter(|word| passage.contains(stem(word))).count()
    };
    let best = article
        .passages()
        .map(|passage| (has(passage), passage))
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map_or_else(String::new, |(_, passage)| passage.to_owned())
}

/// The start of a word that its forms have in common, roughly.
fn stem(word: &str) -> &str {
    let kept = word.chars().count().saturating_sub(2).max(4);
    word.char_indices().nth(kept).map_or(word, |(end, _)| &word[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snippet_is_the_passage_with_most_of_the_words() {
        let page = "---\nid: a\ntitle: A\ncategory: billing\nlanguage: en\nkeywords: [x]\n---\nSummary.\n\n\
            ## Steps\n1. Open the invoices.\n2. Download invoices as files.\n\n## Good to know\n- F.\n\n\
            ## When to contact us\nNever.\n";
        let article = Article::parse("a.md", page).unwrap();
        let words = ["invoice".to_owned(), "downloading".to_owned()];
        assert_eq!(passage(&article, &words[..1]), "Open the invoices.");
        assert_eq!(passage(&article, &[words[0].clone(), "file".to_owned()]), "Download invoices as files.");
        assert_eq!(passage(&article, &[]), "Summary.");
        assert_eq!(stem("überweisungen"), "überweisung");
    }
}
