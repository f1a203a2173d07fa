//! The knowledge base as a process holds it that searches it for every ticket.
//!
//! PostgreSQL stems the words and ranks each lexeme of each article; what it said is kept, so that a search adds up
//! numbers and asks nothing. It finds what [`search()`] finds, in the knowledge base of at most [`FRESH_FOR`] ago.

use super::{
    id::ArticleId,
    row::{ArticleRow, StoredArticle},
    search::{Fit, Found, Search, fits, found, search},
    typo,
    words::words,
};
use crate::language::Language;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};
use ticketflow_engine::StoreError;
use tokio::sync::Mutex;

/// How long what is held counts as the knowledge base.
const FRESH_FOR: Duration = Duration::from_secs(2);
/// Most articles that are held; past that the database is searched.
const MOST_ARTICLES: i64 = 10_000;
/// Most words of a language whose stems are kept.
const MOST_WORDS: usize = 100_000;
/// Most words whose fit is told.
const SHARED: usize = 4;

/// The knowledge base, held in memory. Clones share it.
#[derive(Debug, Clone)]
pub struct Library {
    pool: PgPool,
    held: Arc<RwLock<Option<Held>>>,
    /// One task at a time looks whether it is still true.
    looking: Arc<Mutex<()>>,
}

/// What the knowledge base says about the words of a text.
#[derive(Debug)]
pub struct Lookup {
    /// The articles that share words with it, best first.
    pub fits: Vec<Fit>,
    /// All articles. The same slice as before as long as none changed.
    pub articles: Arc<[Arc<StoredArticle>]>,
}

#[derive(Debug, Clone)]
struct Held {
    contents: Arc<Contents>,
    looked: Instant,
}

/// What the table held when it was read.
#[derive(Debug)]
struct Contents {
    mark: Mark,
    articles: Arc<[Arc<StoredArticle>]>,
    places: HashMap<ArticleId, usize>,
    lexemes: HashMap<String, usize>,
    /// By lexeme: the articles it stands in and its rank there.
    postings: Vec<Vec<(usize, f64)>>,
    stems: RwLock<Stems>,
}

/// By language and word: its lexemes. Of words that stand in no article: none.
type Stems = HashMap<Language, HashMap<String, Arc<[usize]>>>;

/// Tells one state of the table from the next: whoever writes an article sets its time, whoever deletes one changes the
/// number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    articles: i64,
    changed: Option<DateTime<Utc>>,
}

impl Library {
    /// The knowledge base of this database. Nothing is read before the first use.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, held: Arc::default(), looking: Arc::default() }
    }

    /// The articles that fit best, best first.
    ///
    /// # Errors
    /// If the database is out of reach or a row is corrupt.
    pub async fn search(&self, wanted: Search<'_>) -> Result<Vec<Found>, StoreError> {
        let contents = self.contents().await?;
        if contents.mark.articles > MOST_ARTICLES {
            return search(&mut *self.connection().await?, wanted).await;
        }
        let words = words(wanted.text);
        let fits = self.fits(&contents, &wanted, &words).await?;
        match fits.first() {
            Some(best) => {
                let best = best.points;
                Ok(fits.into_iter().map(|fit| found(fit, best, wanted)).collect())
            }
            None => typo::search(&mut *self.connection().await?, &words, wanted.limit).await,
        }
    }

    /// The articles that share words with the text, best first and at most `wanted.limit`, and all articles beside them,
    /// for those who weigh the words against other evidence. No articles but those that share words when there are more
    /// than are held. Words that are nearly alike are not looked for.
    ///
    /// # Errors
    /// If the database is out of reach or a row is corrupt.
    pub async fn look_up(&self, wanted: Search<'_>) -> Result<Lookup, StoreError> {
        let contents = self.contents().await?;
        if contents.mark.articles > MOST_ARTICLES {
            let fits = fits(&mut *self.connection().await?, wanted, &words(wanted.text)).await?;
            return Ok(Lookup { fits, articles: contents.articles.clone() });
        }
        let fits = self.fits(&contents, &wanted, &words(wanted.text)).await?;
        Ok(Lookup { fits, articles: contents.articles.clone() })
    }

    async fn fits(
        &self,
        contents: &Contents,
        wanted: &Search<'_>,
        words: &[String],
    ) -> Result<Vec<Fit>, StoreError> {
        let unknown = contents.unknown(wanted.language, words);
        if !unknown.is_empty() {
            let stems = stems(&mut *self.connection().await?, wanted.language, &unknown).await?;
            contents.learn(wanted.language, stems);
        }
        Ok(contents.fits(wanted, words))
    }

    /// The articles of these ids, in the order of the ids; those that do not exist are left out.
    ///
    /// # Errors
    /// If the database is out of reach or a row is corrupt.
    pub async fn get(&self, ids: &[ArticleId]) -> Result<Vec<Arc<StoredArticle>>, StoreError> {
        let contents = self.contents().await?;
        if contents.mark.articles > MOST_ARTICLES {
            let articles = super::store::get(&mut *self.connection().await?, ids).await?;
            return Ok(articles.into_iter().map(Arc::new).collect());
        }
        let places = ids.iter().filter_map(|id| contents.places.get(id));
        Ok(places.map(|place| contents.articles[*place].clone()).collect())
    }

    async fn contents(&self) -> Result<Arc<Contents>, StoreError> {
        if let Some(contents) = self.fresh() {
            return Ok(contents);
        }
        let _looking = self.looking.lock().await;
        if let Some(contents) = self.fresh() {
            return Ok(contents);
        }
        let looked = Instant::now();
        let mut connection = self.connection().await?;
        let mark = mark(&mut connection).await?;
        let known = self.held().map(|held| held.contents).filter(|contents| contents.mark == mark);
        let contents = match known {
            Some(contents) => contents,
            None => Arc::new(Contents::read(&mut connection, mark).await?),
        };
        let held = Held { contents: contents.clone(), looked };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(contents)
    }

    fn fresh(&self) -> Option<Arc<Contents>> {
        self.held().filter(|held| held.looked.elapsed() < FRESH_FOR).map(|held| held.contents)
    }

    fn held(&self) -> Option<Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn connection(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        self.pool.acquire().await.map_err(StoreError::database("connect to the knowledge base"))
    }
}

impl Contents {
    async fn read(connection: &mut PgConnection, mark: Mark) -> Result<Self, StoreError> {
        let mut contents = Self {
            mark,
            articles: Arc::default(),
            places: HashMap::new(),
            lexemes: HashMap::new(),
            postings: Vec::new(),
            stems: RwLock::default(),
        };
        if mark.articles > MOST_ARTICLES {
            return Ok(contents);
        }
        contents.articles = articles(connection).await?.into_iter().map(Arc::new).collect();
        let ids = contents.articles.iter().map(|article| article.article.id.clone());
        contents.places = ids.zip(0..).collect();
        for (id, lexeme, rank) in postings(connection).await? {
            let place = ArticleId::parse(&id).ok().and_then(|id| contents.places.get(&id).copied());
            let Some(place) = place else { continue };
            let next = contents.lexemes.len();
            let number = *contents.lexemes.entry(lexeme).or_insert(next);
            if number == contents.postings.len() {
                contents.postings.push(Vec::new());
            }
            contents.postings[number].push((place, rank));
        }
        Ok(contents)
    }

    fn unknown(&self, language: Language, words: &[String]) -> Vec<String> {
        let stems = self.stems.read().unwrap_or_else(PoisonError::into_inner);
        let known = |word: &&String| stems.get(&language).is_some_and(|stems| stems.contains_key(*word));
        words.iter().filter(|word| !known(word)).cloned().collect()
    }

    fn learn(&self, language: Language, learned: Vec<(String, Vec<String>)>) {
        let mut stems = self.stems.write().unwrap_or_else(PoisonError::into_inner);
        let stems = stems.entry(language).or_default();
        if stems.len() + learned.len() > MOST_WORDS {
            stems.clear();
        }
        for (word, lexemes) in learned {
            let mut numbers: Vec<usize> =
                lexemes.iter().filter_map(|lexeme| self.lexemes.get(lexeme).copied()).collect();
            numbers.sort_unstable();
            numbers.dedup();
            stems.insert(word, numbers.into());
        }
    }

    /// The articles that have any of the words, best first.
    fn fits(&self, wanted: &Search<'_>, words: &[String]) -> Vec<Fit> {
        let mut scored: HashMap<usize, Vec<(f64, &str)>> = HashMap::new();
        for word in words {
            let hits = self.hits(wanted.language, word);
            // A word that stands in few articles says more than one that stands in most.
            let rarity = (as_f64(self.articles.len()) / as_f64(hits.len().max(1))).ln_1p();
            for (place, rank) in hits {
                scored.entry(place).or_default().push((rarity * rank.min(2.0), word));
            }
        }
        let fits =
            scored.into_iter().map(|(place, shared)| (self.points(place, &shared, wanted), place, shared));
        let mut fits: Vec<_> = fits.collect();
        fits.sort_by(|(points, place, _), (other, before, _)| {
            let ids = || self.articles[*place].article.id.cmp(&self.articles[*before].article.id);
            other.total_cmp(points).then_with(ids)
        });
        fits.truncate(wanted.limit.into());
        fits.into_iter().map(|(points, place, shared)| self.fit(points, place, shared)).collect()
    }

    /// The articles that the word stands in, in any of its stems, and its rank there.
    fn hits(&self, language: Language, word: &str) -> Vec<(usize, f64)> {
        let stems = self.stems.read().unwrap_or_else(PoisonError::into_inner);
        let lexemes = stems.get(&language).and_then(|stems| stems.get(word)).cloned().unwrap_or_default();
        drop(stems);
        let mut hits: Vec<(usize, f64)> = Vec::new();
        for (place, rank) in lexemes.iter().flat_map(|lexeme| &self.postings[*lexeme]) {
            match hits.iter_mut().find(|(known, _)| known == place) {
                Some((_, sum)) => *sum += rank,
                None => hits.push((*place, *rank)),
            }
        }
        hits
    }

    fn points(&self, place: usize, shared: &[(f64, &str)], wanted: &Search<'_>) -> f64 {
        let article = &self.articles[place].article;
        let category = if wanted.category == Some(&article.category) { 1.5 } else { 1.0 };
        let language = match article.language {
            language if language == wanted.language => 1.4,
            Language::EN => 1.0,
            _ => 0.5,
        };
        shared.iter().map(|(score, _)| score).sum::<f64>() * category * language
    }

    fn fit(&self, points: f64, place: usize, mut shared: Vec<(f64, &str)>) -> Fit {
        shared
            .sort_by(|(score, word), (other, before)| other.total_cmp(score).then_with(|| word.cmp(before)));
        let shared = shared.into_iter().take(SHARED).map(|(_, word)| word.to_owned()).collect();
        Fit { article: self.articles[place].clone(), shared, points }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

async fn mark(connection: &mut PgConnection) -> Result<Mark, StoreError> {
    sqlx::query_as!(Mark, r#"SELECT count(*) AS "articles!", max(updated_at) AS changed FROM articles"#)
        .fetch_one(connection)
        .await
        .map_err(StoreError::database("look whether articles changed"))
}

async fn articles(connection: &mut PgConnection) -> Result<Vec<StoredArticle>, StoreError> {
    let rows = sqlx::query_as!(
        ArticleRow,
        "SELECT id, title, category, language, keywords, summary, steps, facts, contact, source, updated_at
         FROM articles ORDER BY id",
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("read the articles"))?;
    rows.into_iter().map(StoredArticle::try_from).collect()
}

/// Every lexeme of every article, and the rank that the article has for it.
async fn postings(connection: &mut PgConnection) -> Result<Vec<(String, String, f64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT a.id, part.lexeme AS "lexeme!",
                  ts_rank_cd('{0.1, 0.3, 0.6, 1}', a.tsv, quote_literal(part.lexeme)::tsquery)::float8 AS "rank!"
           FROM articles AS a CROSS JOIN LATERAL unnest(a.tsv) AS part"#,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("read the articles' words"))?;
    Ok(rows.into_iter().map(|row| (row.id, row.lexeme, row.rank)).collect())
}

/// The lexemes of words in a language and in English. Of what is a stop word in the language: none.
async fn stems(
    connection: &mut PgConnection,
    language: Language,
    words: &[String],
) -> Result<Vec<(String, Vec<String>)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT given.word AS "word!",
                  CASE own.lexemes WHEN '{}' THEN '{}'
                      ELSE own.lexemes || tsvector_to_array(to_tsvector('english', given.word))
                  END AS "lexemes!"
           FROM unnest($1::text[]) AS given (word),
               LATERAL (SELECT tsvector_to_array(to_tsvector(text_config($2), given.word))) AS own (lexemes)"#,
        words,
        language.code(),
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("stem words"))?;
    Ok(rows.into_iter().map(|row| (row.word, row.lexemes)).collect())
}
