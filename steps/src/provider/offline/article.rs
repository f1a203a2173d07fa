//! Owns one reading of an article: what it says is the same for every ticket, so it is read once and kept.

use super::{
    language::LanguageFinder,
    text::{Content, Words},
};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};
use ticketflow_tickets::knowledge::{Article, ArticleId};

/// Readings that are kept.
const KEPT: usize = 1_024;

/// An article, read.
#[derive(Debug)]
pub(super) struct ArticleReading {
    article: Article,
    /// The words of its passages, folded, with a blank around each.
    pub(super) line: String,
    /// Content of the summary.
    pub(super) summary: Content,
    /// Content of each fact.
    pub(super) facts: Vec<Content>,
    /// Content of summary and steps.
    pub(super) told: Content,
}

impl ArticleReading {
    fn of(article: &Article, languages: &LanguageFinder) -> Self {
        Self {
            line: article.passages().map(|passage| Words::of(passage).line().to_owned()).collect(),
            summary: languages.content(&article.summary),
            facts: article.good_to_know.iter().map(|fact| languages.content(fact)).collect(),
            told: languages.content(&format!("{}\n{}", article.summary, article.steps.join("\n"))),
            article: article.clone(),
        }
    }
}

/// The articles that were read last.
#[derive(Debug, Default)]
pub(super) struct ArticleReadings {
    kept: RwLock<HashMap<ArticleId, Arc<ArticleReading>>>,
}

impl ArticleReadings {
    /// The reading of `article`, which is read again when it changed.
    pub(super) fn of(&self, article: &Article, languages: &LanguageFinder) -> Arc<ArticleReading> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner).get(&article.id).cloned();
        if let Some(reading) = kept.filter(|reading| reading.article == *article) {
            return reading;
        }
        let reading = Arc::new(ArticleReading::of(article, languages));
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(article.id.clone(), reading.clone());
        reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ticketflow_tickets::knowledge::shipped_articles;

    #[test]
    fn an_article_is_read_once_until_it_changes() {
        let languages = LanguageFinder::load().unwrap();
        let readings = ArticleReadings::default();
        let mut article = shipped_articles().unwrap().remove(0);
        let first = readings.of(&article, &languages);
        assert!(Arc::ptr_eq(&first, &readings.of(&article.clone(), &languages)));
        article.summary = "Wait for the zeppelin.".to_owned();
        let changed = readings.of(&article, &languages);
        assert!(changed.line.contains(" zeppelin ") && changed.summary.holds("zeppelin"));
        assert!(!first.line.contains(" zeppelin "));
    }

    #[test]
    fn no_more_readings_are_kept_than_fit() {
        let languages = LanguageFinder::load().unwrap();
        let readings = ArticleReadings::default();
        let mut article = shipped_articles().unwrap().remove(0);
        for number in 0..=KEPT {
            article.id = ArticleId::parse(&format!("article-{number}")).unwrap();
            readings.of(&article, &languages);
        }
        assert!(readings.kept.read().unwrap().len() <= KEPT);
    }
}
