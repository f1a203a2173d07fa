//! Owns the search of the knowledge base for a ticket: by its words, as PostgreSQL stems and ranks them, and by what it
//! means, as vectors. Either finds what the other misses.

use super::meanings::{KeptMeanings, Meanings};
use crate::provider::offline::{Embedder, Vector};
use std::{cmp::Ordering, collections::HashMap, sync::Arc};
use ticketflow_engine::StoreError;
use ticketflow_tickets::{
    knowledge::{Article, ArticleId, Fit, Found, Library, Search, StoredArticle},
    language::Language,
    triage::Fraction,
};

/// What sharing words counts beside meaning the same.
const WORDS: f64 = 0.5;
/// What meaning the same counts across languages: the vectors say little about any but English.
const FOREIGN: f64 = 0.5;
/// Articles that share words, of those that are looked at.
const SHARING: u16 = 24;
/// Characters of a text that its meaning is taken from: what it is about stands at its start.
const READ: usize = 1_500;
/// Cosine from which an article is said to mean nearly the same.
const ALIKE: f64 = 0.5;

/// Searches the knowledge base. Clones share what they keep.
#[derive(Debug, Clone)]
pub struct ArticleSearch {
    library: Library,
    meanings: KeptMeanings,
}

/// A text by what it means.
struct Meant {
    embedder: &'static Embedder,
    text: Vector,
    meanings: Arc<Meanings>,
}

/// What is known about one article.
struct Candidate {
    article: Arc<StoredArticle>,
    /// Why, as far as its words go.
    why: Option<String>,
    cosine: f64,
    points: f64,
}

impl ArticleSearch {
    /// Searches `library`.
    pub fn new(library: Library) -> Self {
        Self { library, meanings: KeptMeanings::default() }
    }

    /// The articles that fit best, best first: by cosine plus half of what shared words are worth. In other languages
    /// than English, and past what the library holds, words alone count, and those that are nearly alike.
    ///
    /// # Errors
    /// If the database is out of reach or a row is corrupt.
    pub async fn find(&self, wanted: Search<'_>) -> Result<Vec<Found>, StoreError> {
        let Some((embedder, text)) = meaning(wanted) else { return self.library.search(wanted).await };
        let looked = self.library.look_up(Search { limit: wanted.limit.max(SHARING), ..wanted }).await?;
        if looked.articles.is_empty() {
            return self.library.search(wanted).await;
        }
        let meanings = self.meanings.of(&looked.articles, embedder);
        let meant = Meant { embedder, text, meanings };
        let mut ranked = meant.candidates(self.by_words(looked.fits, wanted).await?, wanted.language);
        ranked.sort_unstable_by(Candidate::order);
        ranked.truncate(wanted.limit.into());
        Ok(ranked.into_iter().map(|candidate| candidate.found(wanted, &meant)).collect())
    }

    /// Where no word is shared, words that are nearly alike count.
    async fn by_words(&self, fits: Vec<Fit>, wanted: Search<'_>) -> Result<ByWords, StoreError> {
        let Some(best) = fits.first().map(|fit| fit.points) else {
            let nearly = self.library.search(wanted).await?.into_iter();
            return Ok(nearly
                .map(|found| (found.article.article.id.clone(), (found.score.get(), found.why)))
                .collect());
        };
        let shared = |fit: &Fit| (fit.article.article.id.clone(), (fit.score(best).get(), fit.why()));
        Ok(fits.iter().map(shared).collect())
    }
}

/// How well articles fit by their words, and why.
type ByWords = HashMap<ArticleId, (f64, String)>;

/// What a text means; none in a language that the vectors say little about.
fn meaning(wanted: Search<'_>) -> Option<(&'static Embedder, Vector)> {
    let embedder = Embedder::shared().ok().filter(|_| wanted.language == Language::EN)?;
    let end = wanted.text.char_indices().nth(READ).map_or(wanted.text.len(), |(at, _)| at);
    let text = embedder.embed(&wanted.text[..end]);
    (!text.is_silent()).then_some((embedder, text))
}

impl Meant {
    fn candidates(&self, mut by_words: ByWords, language: Language) -> Vec<Candidate> {
        let candidate = |(article, cosine): (&Arc<StoredArticle>, f64)| {
            let (words, why) = by_words.remove(&article.article.id).unzip();
            let spoken = if article.article.language == language { 1.0 } else { FOREIGN };
            let points = cosine * spoken + WORDS * words.unwrap_or_default();
            Candidate { article: article.clone(), points, cosine, why }
        };
        self.meanings.near(&self.text).map(candidate).collect()
    }

    fn passage<'a>(&self, article: &'a Article) -> Option<&'a str> {
        self.meanings.passage(article, &self.text, self.embedder)
    }
}

impl Candidate {
    fn order(&self, other: &Self) -> Ordering {
        let ids = || self.article.article.id.cmp(&other.article.article.id);
        other.points.total_cmp(&self.points).then_with(ids)
    }

    fn found(self, wanted: Search<'_>, meant: &Meant) -> Found {
        let article = &self.article.article;
        let mut why: Vec<String> = self.why.into_iter().collect();
        if self.cosine >= ALIKE || why.is_empty() {
            why.push(format!("is near in meaning ({:.2})", self.cosine));
        }
        Found {
            snippet: meant.passage(article).unwrap_or(&article.summary).to_owned(),
            score: Fraction::clamped(self.points / (1.0 + WORDS)),
            why: why.join("; ") + &wanted.remarks(article),
            article: self.article,
        }
    }
}
