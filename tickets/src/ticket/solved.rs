//! Tickets that were solved last, as a process holds them that compares every ticket with them.
//!
//! A search among all solved tickets would read ever more of them; what was solved last is what tells most about how
//! such a matter is solved now. [`HELD`] of them are held, as of at most [`FRESH_FOR`] ago.

use super::earlier::{Earlier, likeness, significant_words};
use crate::triage::EarlierTicket;
use sqlx::PgPool;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};
use ticketflow_engine::{RunId, StoreError};
use tokio::sync::Mutex;

/// Tickets that are held.
const HELD: i64 = 2_000;
/// How long what is held counts as what was solved last.
const FRESH_FOR: Duration = Duration::from_secs(5);
/// Words of a subject that have to occur: the longest.
const REQUIRED: usize = 3;
/// Fewest words that a comparison needs.
const FEWEST: usize = 2;

/// The tickets solved last, held in memory. Clones share them.
#[derive(Debug, Clone)]
pub struct Solved {
    pool: PgPool,
    held: Arc<RwLock<Option<Held>>>,
    /// One task at a time reads them.
    reading: Arc<Mutex<()>>,
}

#[derive(Debug, Clone)]
struct Held {
    tickets: Arc<Tickets>,
    read: Instant,
}

#[derive(Debug, Default)]
struct Tickets {
    rows: Vec<(Earlier, HashSet<String>)>,
    /// By word: the rows it stands in, the ticket solved last first.
    by_word: HashMap<String, Vec<usize>>,
}

impl Solved {
    /// The solved tickets of this database. Nothing is read before the first use.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, held: Arc::default(), reading: Arc::default() }
    }

    /// Those that have the longest words of `subject`, the most alike with it and `body` first.
    ///
    /// # Errors
    /// If the database is out of reach or a row is corrupt.
    pub async fn like(
        &self,
        id: RunId,
        subject: &str,
        text: &str,
        limit: usize,
    ) -> Result<Vec<EarlierTicket>, StoreError> {
        let mut required = significant_words(subject, usize::MAX);
        required.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
        required.truncate(REQUIRED);
        if required.len() < FEWEST {
            return Ok(Vec::new());
        }
        let tickets = self.tickets().await?;
        let words = significant_words(text, super::earlier::COMPARED);
        let mut alike: Vec<(f64, &Earlier)> = tickets
            .with_all(&required)
            .filter(|(row, _)| row.id != id)
            .map(|(row, theirs)| (likeness(&words, theirs), row))
            .collect();
        alike.sort_by(|(likeness, row), (other, before)| {
            other.total_cmp(likeness).then_with(|| before.id.cmp(&row.id))
        });
        alike.into_iter().take(limit).map(|(likeness, row)| row.clone().with(likeness)).collect()
    }

    async fn tickets(&self) -> Result<Arc<Tickets>, StoreError> {
        if let Some(tickets) = self.fresh() {
            return Ok(tickets);
        }
        let _reading = self.reading.lock().await;
        if let Some(tickets) = self.fresh() {
            return Ok(tickets);
        }
        let tickets = Arc::new(Tickets::of(self.read().await?));
        let held = Held { tickets: tickets.clone(), read: Instant::now() };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(tickets)
    }

    fn fresh(&self) -> Option<Arc<Tickets>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner).clone();
        held.filter(|held| held.read.elapsed() < FRESH_FOR).map(|held| held.tickets)
    }

    async fn read(&self) -> Result<Vec<Earlier>, StoreError> {
        sqlx::query_as!(
            Earlier,
            r#"SELECT id AS "id: RunId", subject, body, category, status, FALSE AS "open!" FROM tickets
               WHERE status = 'completed' OR resolved_at IS NOT NULL
               ORDER BY coalesce(resolved_at, completed_at) DESC LIMIT $1"#,
            HELD,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::database("read the tickets solved last"))
    }
}

impl Tickets {
    fn of(rows: Vec<Earlier>) -> Self {
        let mut tickets = Self::default();
        for row in rows {
            let words = row.words();
            for word in &words {
                tickets.by_word.entry(word.clone()).or_default().push(tickets.rows.len());
            }
            tickets.rows.push((row, words));
        }
        tickets
    }

    /// The tickets in which all of `words` occur.
    fn with_all(&self, words: &[String]) -> impl Iterator<Item = &(Earlier, HashSet<String>)> {
        let lists: Option<Vec<&Vec<usize>>> = words.iter().map(|word| self.by_word.get(word)).collect();
        let rarest = lists.and_then(|lists| lists.into_iter().min_by_key(|list| list.len()));
        let rows = rarest.into_iter().flatten().map(|row| &self.rows[*row]);
        rows.filter(move |(_, theirs)| words.iter().all(|word| theirs.contains(word)))
    }
}
