//! The offline provider: rules, word lists and templates. Pure and deterministic: no network, no clock, no randomness.
//!
//! Ticket text is evidence, never instruction: what addresses the program is set aside before any rule looks at it.

mod article;
mod classify;
mod draft;
mod embedding;
mod error;
mod extract;
mod finalize;
mod language;
mod priority;
mod reading;
mod review;
mod sentiment;
mod text;
pub mod training;
mod trusted;

pub use classify::{CategoryScore, Weights, WeightsError};
pub use draft::{DraftError, DraftRequest};
pub use embedding::{DIMENSIONS, Embedder, EmbeddingError, Vector};
pub use error::OfflineError;
pub use extract::{Catalogue, CatalogueError};
pub(crate) use extract::{Contacts, passes_luhn};
pub use finalize::{Approval, Case, Decision, approval, resolve};
pub use reading::Message;
pub use review::{
    ApprovalPolicy, ApprovalRule, CategoryApproval, ReviewPolicy, ReviewRequest, UnknownCategory,
};
pub use text::PhraseError;

use article::ArticleReadings;
use classify::{Classifier, Parts, Scorer, settled};
use draft::{Drafter, Names, Templates, Wordings};
use extract::Extractor;
use language::LanguageFinder;
use priority::{PriorityRules, is_important};
use reading::{Reading, Readings};
use review::{ReviewRules, Reviewer};
use sentiment::MoodWords;
use std::{borrow::Cow, sync::Arc};
use text::InstructionWords;
use ticketflow_tickets::{
    knowledge::Article,
    taxonomy::{Category, Taxonomy},
    ticket::NewTicket,
    triage::{Amount, Classification, DateMention, Draft, Extraction, IssueType, Review},
};
use trusted::TrustedArticles;

/// Everything the offline steps know, read once.
#[derive(Debug)]
pub struct Offline {
    taxonomy: Taxonomy,
    instructions: InstructionWords,
    languages: LanguageFinder,
    scorer: Scorer,
    rules: PriorityRules,
    moods: MoodWords,
    extractor: Extractor,
    templates: Templates,
    wordings: Wordings,
    names: Names,
    review_rules: ReviewRules,
    readings: Readings,
    articles: ArticleReadings,
    trusted: TrustedArticles,
}

impl Offline {
    /// Reads the word lists and weights that come with the program, and the words of `taxonomy`.
    pub fn new(taxonomy: Taxonomy) -> Result<Self, OfflineError> {
        Self::with_weights(taxonomy, Weights::shipped()?)
    }

    /// The same, with weights of the site's own.
    pub fn with_weights(taxonomy: Taxonomy, weights: Weights) -> Result<Self, OfflineError> {
        Ok(Self {
            instructions: InstructionWords::load()?,
            languages: LanguageFinder::load()?,
            scorer: Scorer::new(&taxonomy, weights)?,
            rules: PriorityRules::load()?,
            moods: MoodWords::load()?,
            extractor: Extractor::load()?,
            templates: Templates::load()?,
            wordings: Wordings::load()?,
            names: Names::load()?,
            review_rules: ReviewRules::load()?,
            taxonomy,
            readings: Readings::default(),
            articles: ArticleReadings::default(),
            trusted: TrustedArticles::default(),
        })
    }

    /// The same with the products that a site sells.
    #[must_use]
    pub fn knowing(mut self, products: Catalogue) -> Self {
        self.extractor.know(products);
        self
    }

    /// The product of the catalogue that `text`, of a ticket of that category, is about, as it stands there.
    pub(crate) fn listed_product(&self, text: &str, category: &Category) -> Option<String> {
        self.extractor.catalogue().find(text, Some(category)).map(str::to_owned)
    }

    /// Category, priority, mood and language of a message.
    pub fn classify(&self, message: Message<'_>) -> Classification {
        self.classify_from(message, false)
    }

    /// The same of a ticket, whose metadata may call its customer important: `vip: true`, or a `tier` or `plan` of
    /// `vip`, `enterprise` or `platinum`.
    pub fn classify_ticket(&self, ticket: &NewTicket) -> Classification {
        self.classify_from(Message::from(ticket), is_important(&ticket.metadata))
    }

    fn classify_from(&self, message: Message<'_>, important: bool) -> Classification {
        let reading = self.read(message);
        let classifier = Classifier {
            taxonomy: &self.taxonomy,
            scorer: &self.scorer,
            rules: &self.rules,
            moods: &self.moods,
        };
        classifier.classify(&reading, self.extractor.traces(&reading), important)
    }

    /// What a customer says and quotes, without what addresses the program that reads it.
    pub fn customers_words(&self, message: Message<'_>) -> String {
        let reading = self.read(message);
        let quoted =
            if reading.quoted.trim().is_empty() { String::new() } else { format!("\n\n{}", reading.quoted) };
        format!("{}{quoted}", reading.text)
    }

    /// The sum of money that a piece of text is; none if it is none.
    pub fn amount(&self, text: &str) -> Option<Amount> {
        self.extractor.amounts(text).into_iter().next()
    }

    /// The day that a piece of text names; without a day if the text leaves a doubt.
    pub fn date(&self, text: &str) -> DateMention {
        let found = self.extractor.dates(text).into_iter().next();
        DateMention { text: text.to_owned(), date: found.and_then(|found| found.date) }
    }

    /// Sums of money in `text` that `evidence` does not hold, however it writes them.
    pub fn invented_amounts(&self, text: &str, evidence: &str) -> Vec<String> {
        let known = self.extractor.amounts(evidence);
        let invented = |amount: &Amount| {
            !known.iter().any(|known| known.value == amount.value && known.currency == amount.currency)
        };
        self.extractor.amounts(text).into_iter().filter(invented).map(|amount| amount.text).collect()
    }

    /// Whether `text` names an address, a link, a number of an order or invoice, or a sum that `evidence` does not hold.
    pub fn invents(&self, text: &str, evidence: &str) -> bool {
        self.extractor.invents(text, evidence) || !self.invented_amounts(text, evidence).is_empty()
    }

    /// How much speaks for each category, for those who weigh it against other evidence.
    pub fn category_scores(&self, message: Message<'_>) -> Vec<CategoryScore> {
        let reading = self.read(message);
        self.scorer.scores(&reading, self.extractor.traces(&reading))
    }

    /// The category by keywords alone, and how likely it is: what the rest is compared with.
    pub fn by_keywords(&self, message: Message<'_>) -> (Category, f64) {
        let (probabilities, _) = self.evidence(message);
        let (best, probability) = settled(&probabilities);
        let name = |at: usize| self.taxonomy.categories()[at].name.clone();
        (best.map_or_else(|| self.taxonomy.fallback().clone(), name), probability)
    }

    /// What decides on categories beside the taxonomy's words.
    pub const fn weights(&self) -> &Weights {
        self.scorer.weights()
    }

    /// The categories that it tells apart.
    pub const fn taxonomy(&self) -> &Taxonomy {
        &self.taxonomy
    }

    /// The names of the categories, in the taxonomy's order.
    pub fn category_names(&self) -> Vec<String> {
        self.categories().iter().map(Category::to_string).collect()
    }

    fn categories(&self) -> Vec<Category> {
        self.taxonomy.categories().iter().map(|entry| entry.name.clone()).collect()
    }

    /// The probabilities of the categories by keywords; and, where a text has a meaning that is understood, that meaning
    /// with the evidence that does not come from the linear model.
    fn evidence(&self, message: Message<'_>) -> (Vec<f64>, Option<(Parts, Vector)>) {
        let reading = self.read(message);
        let evidence = self.scorer.evidence(&reading, self.extractor.traces(&reading));
        let counted = evidence.counted.iter().map(|score| score.probability).collect();
        let untrained = vec![None; self.taxonomy.categories().len()];
        (counted, evidence.parts(&untrained).zip(evidence.vector().cloned()))
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
            names: &self.names,
            extractor: &self.extractor,
            languages: &self.languages,
            articles: &self.articles,
        };
        let trusted = self.trusted_articles(request.articles);
        let articles: Vec<&Article> = trusted.iter().map(AsRef::as_ref).collect();
        drafter.draft(&self.read(request.message), &DraftRequest { articles: &articles, ..*request })
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
        let trusted = self.trusted_articles(request.articles);
        let articles: Vec<&Article> = trusted.iter().map(AsRef::as_ref).collect();
        reviewer.review(&self.read(request.message), &ReviewRequest { articles: &articles, ..*request })
    }

    /// Articles without the passages that address the program: what may be told, by whoever writes the draft.
    pub fn trusted_articles<'a>(&self, articles: &[&'a Article]) -> Vec<Cow<'a, Article>> {
        self.trusted.of(articles, &self.instructions)
    }

    fn read(&self, message: Message<'_>) -> Arc<Reading> {
        self.readings.of(message, || Reading::of(message, &self.instructions, &self.languages))
    }
}
