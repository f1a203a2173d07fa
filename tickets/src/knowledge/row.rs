//! Owns [`StoredArticle`], an article as the knowledge base holds it, and the way from its row.

use super::{article::Article, id::ArticleId};
use crate::{language::Language, taxonomy::Category, word::closed_words};
use chrono::{DateTime, Utc};
use serde::Serialize;
use ticketflow_engine::StoreError;

closed_words! {
    /// Where an article comes from.
    Source {
        /// From the program, which keeps it up to date.
        Shipped => "shipped",
        /// From people: written, imported or changed by them.
        Imported => "imported",
    }
}

/// An article in the knowledge base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredArticle {
    /// What it says.
    #[serde(flatten)]
    pub article: Article,
    /// Where it comes from.
    pub source: Source,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A row of `articles`. The columns carry comments in the schema.
pub(super) struct ArticleRow {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) category: String,
    pub(super) language: String,
    pub(super) keywords: Vec<String>,
    pub(super) summary: String,
    pub(super) steps: Vec<String>,
    pub(super) facts: Vec<String>,
    pub(super) contact: String,
    pub(super) source: String,
    pub(super) updated_at: DateTime<Utc>,
}

impl TryFrom<ArticleRow> for StoredArticle {
    type Error = StoreError;

    fn try_from(row: ArticleRow) -> Result<Self, StoreError> {
        let corrupt = |column: &'static str, problem: String| StoreError::Corrupt {
            table: "articles",
            column,
            row: row.id.clone(),
            problem,
        };
        let id = ArticleId::parse(&row.id).map_err(|error| corrupt("id", error.to_string()))?;
        let category =
            Category::parse(&row.category).map_err(|error| corrupt("category", error.to_string()))?;
        let language =
            Language::parse(&row.language).map_err(|error| corrupt("language", error.to_string()))?;
        let source = Source::parse(&row.source)
            .ok_or_else(|| corrupt("source", format!("{:?} is not a source", row.source)))?;
        let article = Article {
            id,
            title: row.title,
            category,
            language,
            keywords: row.keywords,
            summary: row.summary,
            steps: row.steps,
            good_to_know: row.facts,
            when_to_contact: row.contact,
        };
        Ok(Self { article, source, updated_at: row.updated_at })
    }
}
