//! Owns [`Article`]: what one page of the knowledge base says, by section.

use super::id::ArticleId;
use crate::{language::Language, taxonomy::Category};
use serde::{Deserialize, Serialize};

/// Most characters of a title, and of a keyword.
const MOST_TITLE: usize = 300;
/// Most characters of each text.
const MOST_TEXT: usize = 10_000;
/// Most steps, facts and keywords, each.
const MOST_PARTS: usize = 200;

/// One page of the knowledge base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Article {
    /// Its slug.
    pub id: ArticleId,
    /// Its title.
    pub title: String,
    /// The category it belongs to.
    pub category: Category,
    /// Language it is written in.
    pub language: Language,
    /// Words a customer might use for the matter.
    pub keywords: Vec<String>,
    /// The answer in one paragraph.
    pub summary: String,
    /// What the customer can do, step by step.
    pub steps: Vec<String>,
    /// Facts around it, one sentence or two each.
    pub good_to_know: Vec<String>,
    /// When support has to be asked, and what it needs.
    pub when_to_contact: String,
}

impl Article {
    /// The article's prose, passage by passage: what may be quoted from it.
    pub fn passages(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.summary.as_str())
            .chain(self.steps.iter().map(String::as_str))
            .chain(self.good_to_know.iter().map(String::as_str))
            .chain(Some(self.when_to_contact.as_str()).filter(|contact| !contact.is_empty()))
    }

    /// Whether an article that somebody hands in can be kept.
    ///
    /// # Errors
    /// If a text is empty, too long or one too many; the error says which, and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        let length = |what: &str, text: &str, most: usize| match text.chars().count() {
            0 => Err(format!("{what} must not be empty")),
            length if length > most => {
                Err(format!("{what} must have at most {most} characters, has {length}"))
            }
            _ if text.contains('\0') => Err(format!("{what} must not contain U+0000")),
            _ => Ok(()),
        };
        length("title", self.title.trim(), MOST_TITLE)?;
        length("summary", self.summary.trim(), MOST_TEXT)?;
        for (what, parts, most) in [
            ("keywords", &self.keywords, MOST_TITLE),
            ("steps", &self.steps, MOST_TEXT),
            ("good_to_know", &self.good_to_know, MOST_TEXT),
        ] {
            if parts.len() > MOST_PARTS {
                return Err(format!("{what} must have at most {MOST_PARTS} entries, has {}", parts.len()));
            }
            parts.iter().try_for_each(|part| length(what, part.trim(), most))?;
        }
        if self.when_to_contact.is_empty() {
            Ok(())
        } else {
            length("when_to_contact", &self.when_to_contact, MOST_TEXT)
        }
    }

    /// The article as a Markdown page.
    pub fn to_markdown(&self) -> String {
        let numbered: Vec<String> = (1..).zip(&self.steps).map(|(n, step)| format!("{n}. {step}")).collect();
        let (steps, facts) = (numbered.join("\n"), self.good_to_know.join("\n- "));
        format!(
            "# {}\n\n{}\n\n## Steps\n\n{steps}\n\n## Good to know\n\n- {facts}\n\n## When to contact us\n\n{}\n",
            self.title, self.summary, self.when_to_contact,
        )
    }
}
