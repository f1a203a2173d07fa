//! Owns the offline draft: a template filled with what the ticket names and what the best article says.
//!
//! Never states what neither the ticket nor an article says, never promises money or a date. The ticket's words stand in it
//! only as quotes of one line.

mod addressee;
mod answer;
mod choice;
mod context;
mod plan;
mod quote;
mod style;
mod template;
mod wording;

pub(super) use addressee::Names;
pub(super) use template::Templates;
pub(super) use wording::Wordings;

use super::{
    article::ArticleReadings,
    extract::Extractor,
    language::LanguageFinder,
    reading::{Message, Reading},
};
use plan::Plan;
use ticketflow_tickets::{
    knowledge::Article,
    triage::{Classification, Draft, Extraction, Research},
};

/// What a draft is made from.
#[derive(Debug, Clone, Copy)]
pub struct DraftRequest<'a> {
    /// What the customer wrote.
    pub message: Message<'a>,
    /// What it is about.
    pub classification: &'a Classification,
    /// What it names and asks for.
    pub extraction: &'a Extraction,
    /// What is known that bears on it.
    pub research: &'a Research,
    /// The articles of `research`, in full; others are not used.
    pub articles: &'a [&'a Article],
    /// Notes of the review of the last draft.
    pub review_notes: &'a [String],
    /// How many drafts came before.
    pub revision: u32,
}

/// A template could not be filled.
#[derive(Debug, thiserror::Error)]
#[error("fill the template {template}")]
pub struct DraftError {
    /// Name of the template.
    pub template: String,
    #[source]
    source: minijinja::Error,
}

/// What drafting needs besides the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drafter<'a> {
    /// The templates.
    pub(super) templates: &'a Templates,
    /// The words they are filled with.
    pub(super) wordings: &'a Wordings,
    /// Knows how customers name themselves.
    pub(super) names: &'a Names,
    /// Knows what support needs to know for each matter, and what in a text is private.
    pub(super) extractor: &'a Extractor,
    /// Tells frequent words from those that carry content.
    pub(super) languages: &'a LanguageFinder,
    /// The articles, read.
    pub(super) articles: &'a ArticleReadings,
}

impl<'a> Drafter<'a> {
    /// Drafts a reply to the ticket that `reading` is of.
    pub(super) fn draft(self, reading: &Reading, request: &DraftRequest<'a>) -> Result<Draft, DraftError> {
        let wording = self.wordings.of(request.classification.language);
        let plan = Plan::of(self, reading, request, wording.language);
        let template = format!("{}/{}.md", wording.language, plan.action);
        let text = self
            .templates
            .fill(&template, &plan.context(wording))
            .map_err(|source| DraftError { template: template.clone(), source })?;
        Ok(Draft {
            text,
            language: wording.language,
            cited_articles: plan.cited(),
            action: plan.action,
            template,
            revision: request.revision,
        })
    }
}
