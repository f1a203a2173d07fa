//! Owns [`Category`]: a well-formed name. Whether a name is in use is for the [`Taxonomy`](super::Taxonomy) to say.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Name of a category: a lower-case letter, then up to 39 lower-case letters, digits or underscores.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Category(String);

impl Category {
    /// Reads a name.
    pub fn parse(name: &str) -> Result<Self, NotACategory> {
        let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
        let goes_on = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if starts && goes_on && name.len() <= 40 {
            Ok(Self(name.to_owned()))
        } else {
            Err(NotACategory(name.chars().take(60).collect()))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Category {
    type Error = NotACategory;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(&name)
    }
}

impl From<Category> for String {
    fn from(category: Category) -> Self {
        category.0
    }
}

/// The text names no category.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a category")]
pub struct NotACategory(pub(super) String);
