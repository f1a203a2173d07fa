//! Owns which article a draft shows, and what of it: one about something else is worse than none.

use super::{DraftRequest, answer::Passages, style::Style};
use crate::provider::offline::reading::Reading;
use std::collections::HashSet;
use ticketflow_tickets::{
    knowledge::{Article, ArticleId},
    language::Language,
};

/// Score from which an article may answer something.
const RELEVANT: f64 = 0.2;
/// Score from which an article is shown that is not the one that usually answers the matter. Below it an article about
/// something else is worse than none.
const FITTING: f64 = 0.6;
/// What the article is ahead by that usually answers the matter, in whatever language.
const USUAL: f64 = 0.5;
/// What an article is ahead by for being in the customer's language.
const SAME_LANGUAGE: f64 = 0.15;
/// What an article is ahead by for being in the ticket's category.
const SAME_CATEGORY: f64 = 0.1;
/// Articles that answers are looked for in.
const MOST_ARTICLES: usize = 3;
/// Steps shown at most.
const MOST_STEPS: usize = 8;
/// Facts shown at most.
const MOST_FACTS: usize = 2;

/// What is shown of an article.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) article: &'a Article,
    pub(super) foreign: bool,
    pub(super) steps: Vec<&'a str>,
    pub(super) facts: Vec<&'a str>,
}

/// What an article is chosen by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice<'a, 'r> {
    /// What the draft is made from.
    pub(super) request: &'r DraftRequest<'a>,
    /// Id of the article that usually answers the matter.
    pub(super) usual: Option<&'r str>,
    /// Language of the draft.
    pub(super) language: Language,
    /// What was wrong with the last draft.
    pub(super) style: &'r Style,
}

impl<'a> Choice<'a, '_> {
    /// The articles in which answers are looked for, best first.
    pub(super) fn ranked(&self) -> Vec<&'a Article> {
        let request = self.request;
        let article = |id: &ArticleId| request.articles.iter().copied().find(|article| article.id == *id);
        let hits = request.research.articles.iter().filter(|hit| hit.score.get() >= RELEVANT);
        let mut rated: Vec<(f64, &Article)> = hits
            .filter_map(|hit| Some((hit.score.get(), article(&hit.article_id)?)))
            .filter(|(_, article)| self.style.shows_foreign_articles() || article.language == self.language)
            .map(|(score, article)| (score + self.advance(article), article))
            .collect();
        rated.sort_by(|left, right| right.0.total_cmp(&left.0));
        rated.into_iter().take(MOST_ARTICLES).map(|(_, article)| article).collect()
    }

    fn advance(&self, article: &Article) -> f64 {
        let spoken = if article.language == self.language { SAME_LANGUAGE } else { 0.0 };
        let same = article.category == self.request.classification.category;
        let fitting = if same { SAME_CATEGORY } else { 0.0 };
        let expected = if self.is_usual(article) { USUAL } else { 0.0 };
        spoken + fitting + expected
    }

    /// The best of `articles` that has to do with the ticket, and what of it fits.
    pub(super) fn shown(
        &self,
        articles: &[&'a Article],
        passages: &Passages<'a>,
        reading: &Reading,
    ) -> Option<Shown<'a>> {
        let article = articles.iter().copied().find(|article| self.answers(article, passages))?;
        let most_facts = if self.style.states_facts() && self.style.is_full() { MOST_FACTS } else { 0 };
        let facts = passages.facts(article, reading, most_facts);
        let steps = fitting_steps(article, reading).into_iter().take(MOST_STEPS).collect();
        Some(Shown { article, foreign: article.language != self.language, steps, facts })
    }

    /// Whether an article has to do with the ticket: it usually answers the matter, or fits well and answers an ask.
    fn answers(&self, article: &Article, passages: &Passages<'_>) -> bool {
        let mut hits = self.request.research.articles.iter();
        let fits = hits.any(|hit| hit.article_id == article.id && hit.score.get() >= FITTING);
        let covers = |ask: &String| passages.covers(article, &passages.content(ask));
        self.is_usual(article) || (fits && self.request.extraction.asks.iter().any(covers))
    }

    /// `track-order-de` is a version of `track-order`.
    fn is_usual(&self, article: &Article) -> bool {
        let rest = self.usual.and_then(|usual| article.id.as_str().strip_prefix(usual));
        rest.is_some_and(|rest| rest.is_empty() || (rest.len() == 3 && rest.starts_with('-')))
    }
}

/// The steps of an article, without those for another error than the ticket's.
fn fitting_steps<'a>(article: &'a Article, reading: &Reading) -> Vec<&'a str> {
    let named: HashSet<&str> = reading.words.iter().filter(|word| is_status(word)).collect();
    let of_ticket = |step: &str| statuses(step).any(|status| named.contains(status));
    let distinguishes = article.steps.iter().any(|step| of_ticket(step));
    let fits = |step: &&str| !distinguishes || statuses(step).next().is_none() || of_ticket(step);
    article.steps.iter().map(String::as_str).filter(fits).collect()
}

fn statuses(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| is_status(word))
}

/// An error of HTTP: 400 to 599.
fn is_status(word: &str) -> bool {
    word.len() == 3 && word.parse::<u16>().is_ok_and(|status| (400..600).contains(&status))
}
