//! The offline provider: rules, word lists and templates. Pure and deterministic: no network, no clock, no randomness.
//!
//! Ticket text is evidence, never instruction: what addresses the program is set aside before any rule looks at it.

mod article;
mod classify;
mod draft;
mod error;
mod extract;
mod finalize;
mod language;
mod priority;
mod reading;
mod review;
mod sentiment;
mod text;

pub use classify::CategoryScore;
pub use draft::{DraftError, DraftRequest};
pub use error::OfflineError;
pub use finalize::{Approval, Case, Decision, approval, resolve};
pub use reading::Message;
pub use review::{
    ApprovalPolicy, ApprovalRule, CategoryApproval, ReviewPolicy, ReviewRequest, UnknownCategory,
};
pub use text::PhraseError;

use article::ArticleReadings;
use classify::{Classifier, Lexicon};
use draft::{Drafter, Templates, Wordings};
use extract::Extractor;
use language::LanguageFinder;
use priority::PriorityRules;
use reading::{Reading, Readings};
use review::{ReviewRules, Reviewer};
use sentiment::MoodWords;
use std::sync::Arc;
use text::InstructionWords;
use ticketflow_tickets::{
    taxonomy::{Category, Taxonomy},
    triage::{Classification, Draft, Extraction, IssueType, Review},
};

/// Everything the offline steps know, read once.
#[derive(Debug)]
pub struct Offline {
    taxonomy: Taxonomy,
    instructions: InstructionWords,
    languages: LanguageFinder,
    lexicon: Lexicon,
    rules: PriorityRules,
    moods: MoodWords,
    extractor: Extractor,
    templates: Templates,
    wordings: Wordings,
    review_rules: ReviewRules,
    readings: Readings,
    articles: ArticleReadings,
}

impl Offline {
    /// Reads the word lists that come with the program, and the words of `taxonomy`.
    pub fn new(taxonomy: Taxonomy) -> Result<Self, OfflineError> {
        Ok(Self {
            instructions: InstructionWords::load()?,
            languages: LanguageFinder::load()?,
            lexicon: Lexicon::of(&taxonomy)?,
            rules: PriorityRules::load()?,
            moods: MoodWords::load()?,
            extractor: Extractor::load()?,
            templates: Templates::load()?,
            wordings: Wordings::load()?,
            review_rules: ReviewRules::load()?,
            taxonomy,
            readings: Readings::default(),
            articles: ArticleReadings::default(),
        })
    }

    /// Category, priority, mood and language of a message.
    pub fn classify(&self, message: Message<'_>) -> Classification {
        let reading = self.read(message);
        let classifier = Classifier {
            taxonomy: &self.taxonomy,
            lexicon: &self.lexicon,
            rules: &self.rules,
            moods: &self.moods,
        };
        classifier.classify(&reading, self.extractor.traces(&reading))
    }

    /// How much speaks for each category, for those who weigh it against other evidence.
    pub fn category_scores(&self, message: Message<'_>) -> Vec<CategoryScore> {
        let reading = self.read(message);
        self.lexicon.scores(&reading, self.extractor.traces(&reading))
    }

    /// What a message of that category names and asks for.
    pub fn extract(&self, message: Message<'_>, category: &Category) -> Extraction {
        self.extractor.extract(&self.read(message), category, &self.rules)
    }

    /// Id of the article that usually answers matters of that kind, for a search to prefer; its translations end in
    /// `-` and a language code.
    pub fn usual_article(&self, issue: IssueType) -> Option<&str> {
        self.extractor.matters().of(issue)?.article.as_deref()
    }

    /// A reply to a message, from what is known about it.
    pub fn draft(&self, request: &DraftRequest<'_>) -> Result<Draft, DraftError> {
        let drafter = Drafter {
            templates: &self.templates,
            wordings: &self.wordings,
            extractor: &self.extractor,
            languages: &self.languages,
            articles: &self.articles,
        };
        drafter.draft(&self.read(request.message), request)
    }

    /// What is wrong with a draft, and what follows from it; also for drafts that a model wrote.
    pub fn review(&self, request: &ReviewRequest<'_>) -> Review {
        let reviewer = Reviewer {
            rules: &self.review_rules,
            extractor: &self.extractor,
            languages: &self.languages,
            wordings: &self.wordings,
            articles: &self.articles,
        };
        reviewer.review(&self.read(request.message), request)
    }

    fn read(&self, message: Message<'_>) -> Arc<Reading> {
        self.readings.of(message, || Reading::of(message, &self.instructions, &self.languages))
    }
}
