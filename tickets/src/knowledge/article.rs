//! Owns [`Article`]: what one page of the knowledge base says, by section.

use super::id::ArticleId;
use crate::{language::Language, taxonomy::Category};
use serde::{Deserialize, Serialize};

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
            .chain(std::iter::once(self.when_to_contact.as_str()))
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
