//! Owns which passage of an article answers which ask. A weak likeness is no answer: then a person has to look.

use crate::provider::offline::{
    language::LanguageFinder,
    text::{content, tokens},
};
use std::collections::{BTreeMap, BTreeSet};
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
#[derive(Debug)]
struct Passage<'a> {
    article: &'a ArticleId,
    text: &'a str,
    words: BTreeSet<String>,
}

/// Passages that may answer something.
#[derive(Debug)]
pub(super) struct Passages<'a> {
    list: Vec<Passage<'a>>,
    holders: BTreeMap<String, usize>,
    languages: &'a LanguageFinder,
}

impl<'a> Passages<'a> {
    /// The facts of `articles`, and the summaries of all but the first, whose own summary is shown anyway.
    pub(super) fn of(articles: &[&'a Article], languages: &'a LanguageFinder) -> Self {
        let mut passages = Vec::new();
        for (rank, article) in articles.iter().enumerate() {
            let summary = (rank > 0).then_some(&article.summary);
            for text in article.good_to_know.iter().chain(summary) {
                let words = content(&tokens(text), |word| languages.is_frequent(word));
                passages.push(Passage { article: &article.id, text, words });
            }
        }
        let mut holders = BTreeMap::new();
        for word in passages.iter().flat_map(|passage| &passage.words) {
            *holders.entry(word.clone()).or_default() += 1;
        }
        Self { list: passages, holders, languages }
    }

    /// The passage that answers `ask`, with its article.
    pub(super) fn answer(&self, ask: &str) -> Option<(&'a ArticleId, &'a str)> {
        let asked = self.content(ask);
        let whole: f64 = asked.iter().map(|word| self.rarity(word)).sum();
        let share = |passage: &Passage<'_>| {
            let shared: Vec<_> = asked.intersection(&passage.words).collect();
            let sum: f64 = shared.iter().map(|word| self.rarity(word)).sum();
            (shared.len() >= FEWEST_SHARED).then(|| sum / whole.max(f64::MIN_POSITIVE))
        };
        let rated = self.list.iter().filter_map(|passage| Some((share(passage)?, passage)));
        let (share, best) = rated.max_by(|left, right| left.0.total_cmp(&right.0))?;
        (share >= ENOUGH).then_some((best.article, best.text))
    }

    /// Whether summary and steps of `article` answer `ask`.
    pub(super) fn covers(&self, article: &Article, ask: &str) -> bool {
        let asked = self.content(ask);
        let told = self.content(&format!("{}\n{}", article.summary, article.steps.join("\n")));
        let shared: Vec<_> = asked.intersection(&told).collect();
        let whole: f64 = asked.iter().map(|word| self.rarity(word)).sum();
        let sum: f64 = shared.iter().map(|word| self.rarity(word)).sum();
        shared.len() >= FEWEST_COVERED && sum >= whole * COVERED
    }

    /// Up to `most` facts of `article` that share content with `text`, best first.
    pub(super) fn facts(&self, article: &Article, text: &str, most: usize) -> Vec<&'a str> {
        let told = self.content(text);
        let own = self.list.iter().filter(|passage| *passage.article == article.id);
        let of_facts = own.filter(|passage| article.good_to_know.iter().any(|fact| fact == passage.text));
        let mut rated: Vec<_> =
            of_facts.map(|passage| (told.intersection(&passage.words).count(), passage.text)).collect();
        rated.retain(|(shared, _)| *shared >= FEWEST_TOLD);
        rated.sort_by_key(|(shared, _)| std::cmp::Reverse(*shared));
        rated.into_iter().take(most).map(|(_, text)| text).collect()
    }

    fn content(&self, text: &str) -> BTreeSet<String> {
        content(&tokens(text), |word| self.languages.is_frequent(word))
    }

    /// 1 for a word of one passage, less the more passages hold it; also 1 for a word of none.
    fn rarity(&self, word: &str) -> f64 {
        let holders = self.holders.get(word).copied().unwrap_or(1).max(1);
        1.0 / f64::from(u32::try_from(holders).unwrap_or(u32::MAX)).sqrt()
    }
}
