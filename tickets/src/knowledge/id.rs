//! Owns [`ArticleId`]: the slug by which drafts cite an article.

use serde::{Deserialize, Serialize};
use std::fmt;

/// 1 to 100 lower-case ASCII letters, digits and inner hyphens, as `reset-password-de`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArticleId(String);

impl ArticleId {
    /// Reads a slug.
    pub fn parse(slug: &str) -> Result<Self, NotAnArticleId> {
        let well_formed = slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let fits = (1..=100).contains(&slug.len()) && !slug.starts_with('-') && !slug.ends_with('-');
        if well_formed && fits {
            Ok(Self(slug.to_owned()))
        } else {
            Err(NotAnArticleId(slug.chars().take(120).collect()))
        }
    }

    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ArticleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ArticleId {
    type Error = NotAnArticleId;

    fn try_from(slug: String) -> Result<Self, Self::Error> {
        Self::parse(&slug)
    }
}

impl From<ArticleId> for String {
    fn from(id: ArticleId) -> Self {
        id.0
    }
}

/// The text is no article id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an article id: lower-case letters, digits and inner hyphens")]
pub struct NotAnArticleId(String);
