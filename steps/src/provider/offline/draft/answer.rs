//! Owns which passage of an article answers which ask. A weak likeness is no answer: then a person has to look.

use super::Drafter;
use crate::provider::offline::{article::ArticleReading, reading::Reading, text::Content};
use std::sync::Arc;
use ticketflow_tickets::knowledge::{Article, ArticleId};

/// Share of an ask's content that a passage must hold, the rarer words counting more.
const ENOUGH: f64 = 0.34;
/// Content words that both must share at least.
const FEWEST_SHARED: usize = 3;

/// The same for the whole of an article, which says more and so holds more words by chance.
const COVERED: f64 = 0.5;
/// Content words that an ask must share with the whole of an article.
const FEWEST_COVERED: usize = 2;
/// Content words that a fact must share with the ticket.
const FEWEST_TOLD: usize = 3;

/// A passage of an article.
#[derive(Debug, Clone, Copy)]
struct Passage<'a, 'p> {
    article: &'a ArticleId,
    text: &'a str,
    content: &'p Content,
}

/// Passages that may answer something.
#[derive(Debug)]
pub(super) struct Passages<'a> {
    drafter: Drafter<'a>,
    articles: Vec<(&'a Article, Arc<ArticleReading>)>,
}

impl<'a> Passages<'a> {
    /// The facts of `articles`, and the summaries of all but the first, whose own summary is shown anyway.
    pub(super) fn of(articles: &[&'a Article], drafter: Drafter<'a>) -> Self {
        let read = |article: &&'a Article| (*article, drafter.articles.of(article, drafter.languages));
        Self { drafter, articles: articles.iter().map(read).collect() }
    }

    fn iter(&self) -> impl Iterator<Item = Passage<'a, '_>> {
        self.articles.iter().enumerate().flat_map(|(rank, (article, read))| {
            let facts = article.good_to_know.iter().zip(&read.facts);
            let summary = (rank > 0).then_some((&article.summary, &read.summary));
            facts.chain(summary).map(|(text, content)| Passage { article: &article.id, text, content })
        })
    }

    /// What an ask is about.
    pub(super) fn content(&self, ask: &str) -> Content {
        self.drafter.languages.content(ask)
    }

    /// The passage that answers an ask, with its article.
    pub(super) fn answer(&self, asked: &Content) -> Option<(&'a ArticleId, &'a str)> {
        let whole = self.weight(asked.iter());
        let share = |passage: &Passage<'_, '_>| {
            let shared: Vec<_> = asked.shared(passage.content).collect();
            (shared.len() >= FEWEST_SHARED)
                .then(|| self.weight(shared.into_iter()) / whole.max(f64::MIN_POSITIVE))
        };
        let rated = self.iter().filter_map(|passage| Some((share(&passage)?, passage)));
        let (share, best) = rated.max_by(|left, right| left.0.total_cmp(&right.0))?;
        (share >= ENOUGH).then_some((best.article, best.text))
    }

    /// Whether summary and steps of `article` answer an ask.
    pub(super) fn covers(&self, article: &Article, asked: &Content) -> bool {
        let read = self.articles.iter().find(|(known, _)| known.id == article.id);
        read.is_some_and(|(_, read)| {
            let shared: Vec<_> = asked.shared(&read.told).collect();
            shared.len() >= FEWEST_COVERED
                && self.weight(shared.into_iter()) >= self.weight(asked.iter()) * COVERED
        })
    }

    /// Up to `most` facts of `article` that share content with the ticket, best first.
    pub(super) fn facts(&self, article: &Article, reading: &Reading, most: usize) -> Vec<&'a str> {
        if most == 0 {
            return Vec::new();
        }
        let told = self.drafter.languages.content_of(reading.words.clone());
        let own = self.iter().filter(|passage| *passage.article == article.id);
        let of_facts = own.filter(|passage| article.good_to_know.iter().any(|fact| fact == passage.text));
        let mut rated: Vec<_> =
            of_facts.map(|passage| (passage.content.shared(&told).count(), passage.text)).collect();
        rated.retain(|(shared, _)| *shared >= FEWEST_TOLD);
        rated.sort_by_key(|(shared, _)| std::cmp::Reverse(*shared));
        rated.into_iter().take(most).map(|(_, text)| text).collect()
    }

    fn weight<'w>(&self, words: impl Iterator<Item = &'w str>) -> f64 {
        words.map(|word| self.rarity(word)).sum()
    }

    /// 1 for a word of one passage, less the more passages hold it; also 1 for a word of none.
    fn rarity(&self, word: &str) -> f64 {
        let holders = self.iter().filter(|passage| passage.content.holds(word)).count().max(1);
        1.0 / f64::from(u32::try_from(holders).unwrap_or(u32::MAX)).sqrt()
    }
}
