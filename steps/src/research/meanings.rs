//! Owns what the articles of the knowledge base mean, as vectors: computed when an article is new or changed, and kept.

use crate::provider::offline::{Embedder, Vector};
use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};
use ticketflow_tickets::knowledge::{Article, ArticleId, StoredArticle};

/// What an article means. Title and keywords say it in a customer's words, the whole says it in full; measured on the
/// tests' questions, the mean of the two finds more than either, and more than the nearest passage.
#[derive(Debug)]
struct Meaning {
    heading: Vector,
    whole: Vector,
    /// Of each passage, once the article was found.
    passages: OnceLock<Vec<Vector>>,
}

impl Meaning {
    fn of(article: &Article, embedder: &Embedder) -> Self {
        let heading = format!("{}. {}", article.title, article.keywords.join(", "));
        let prose = article.passages().collect::<Vec<_>>().join(" ");
        Self {
            whole: embedder.embed(&format!("{heading} {prose}")),
            heading: embedder.embed(&heading),
            passages: OnceLock::new(),
        }
    }
}

/// The articles of one state of the knowledge base, and what they mean.
#[derive(Debug, Default)]
pub(super) struct Meanings {
    articles: Arc<[Arc<StoredArticle>]>,
    /// In the order of the articles.
    read: Vec<Arc<Meaning>>,
    places: HashMap<ArticleId, usize>,
}

impl Meanings {
    fn of(articles: Arc<[Arc<StoredArticle>]>, before: &Self, embedder: &Embedder) -> Self {
        let meaning = |stored: &Arc<StoredArticle>| match before.places.get(&stored.article.id) {
            Some(at) if before.articles[*at].article == stored.article => before.read[*at].clone(),
            Some(_) | None => Arc::new(Meaning::of(&stored.article, embedder)),
        };
        Self {
            read: articles.iter().map(meaning).collect(),
            places: articles.iter().map(|stored| stored.article.id.clone()).zip(0..).collect(),
            articles,
        }
    }

    /// Every article with its nearness to `text`: a cosine, from 0 to 1.
    pub(super) fn near(&self, text: &Vector) -> impl Iterator<Item = (&Arc<StoredArticle>, f64)> {
        self.articles.iter().zip(&self.read).map(|(article, meaning)| {
            let cosine = f32::midpoint(meaning.heading.dot(text), meaning.whole.dot(text));
            (article, f64::from(cosine.max(0.0)))
        })
    }

    /// The passage of `article` that comes nearest to `text`.
    pub(super) fn passage<'a>(
        &self,
        article: &'a Article,
        text: &Vector,
        embedder: &Embedder,
    ) -> Option<&'a str> {
        let meaning = &self.read[*self.places.get(&article.id)?];
        let read = || article.passages().map(|passage| embedder.embed(passage)).collect();
        let passages = meaning.passages.get_or_init(read).iter().zip(article.passages());
        let rated = passages.map(|(vector, passage)| (vector.dot(text), passage));
        rated.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, passage)| passage)
    }
}

/// The meanings of the knowledge base as it was seen last. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct KeptMeanings(Arc<RwLock<Arc<Meanings>>>);

impl KeptMeanings {
    /// What `articles` mean; those that did not change are not read again.
    pub(super) fn of(&self, articles: &Arc<[Arc<StoredArticle>]>, embedder: &Embedder) -> Arc<Meanings> {
        let before = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        if Arc::ptr_eq(&before.articles, articles) {
            return before;
        }
        let meanings = Arc::new(Meanings::of(articles.clone(), &before, embedder));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = meanings.clone();
        meanings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use ticketflow_tickets::knowledge::{Source, shipped_articles};

    fn stored() -> Arc<[Arc<StoredArticle>]> {
        let articles = shipped_articles().unwrap().into_iter();
        let stored =
            |article| StoredArticle { article, source: Source::Shipped, updated_at: DateTime::UNIX_EPOCH };
        articles.map(|article| Arc::new(stored(article))).collect()
    }

    #[test]
    fn only_articles_that_changed_are_read_again() {
        let embedder = Embedder::shared().unwrap();
        let kept = KeptMeanings::default();
        let articles = stored();
        let first = kept.of(&articles, embedder);
        assert!(Arc::ptr_eq(&first, &kept.of(&articles, embedder)));
        let mut changed: Vec<_> = articles.iter().cloned().collect();
        let mut article = (*changed[0]).clone();
        article.article.title = "Zeppelins".to_owned();
        changed[0] = Arc::new(article);
        let second = kept.of(&changed.into(), embedder);
        assert!(!Arc::ptr_eq(&first.read[0], &second.read[0]));
        assert!(Arc::ptr_eq(&first.read[1], &second.read[1]));
    }

    #[test]
    fn the_passage_that_means_most_like_a_text_is_found() {
        let embedder = Embedder::shared().unwrap();
        let articles = stored();
        let meanings = KeptMeanings::default().of(&articles, embedder);
        let article = articles.iter().find(|stored| stored.article.id.as_str() == "refund-timing").unwrap();
        let text = embedder.embed("My card was replaced, where does the money go?");
        let passage = meanings.passage(&article.article, &text, embedder).unwrap();
        assert!(passage.contains("replaced"), "{passage}");
    }
}
