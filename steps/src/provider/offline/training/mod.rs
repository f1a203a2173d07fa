//! Owns training: from labelled texts to [`Weights`], and guesses about texts that were left out, by which it is judged.

mod fit;
mod minimise;

use super::{
    Message, Offline,
    classify::{Blend, Class, Parts, Weights, linear, settled},
    embedding::Vector,
};
use std::collections::{BTreeMap, BTreeSet};
use ticketflow_tickets::taxonomy::Category;

/// Parts that the texts of a single source fall into, each left out once.
const FOLDS: usize = 5;
/// Fewest texts that something can be learnt from.
const FEWEST: usize = 10;

/// Name of the source that people's corrections are. Which tickets they were made on is not kept.
pub const CORRECTIONS: &str = "corrections";

/// A labelled text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Where it comes from: texts of one source have a manner in common that tickets elsewhere do not have.
    pub source: String,
    /// Subject line; may be empty.
    pub subject: String,
    /// Body.
    pub body: String,
    /// What it is about.
    pub category: Category,
}

/// What was made of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// Its label.
    pub expected: Category,
    /// The category it was given.
    pub found: Category,
    /// The probability that went with it.
    pub confidence: f64,
}

/// Labelled texts, read.
#[derive(Debug)]
pub struct Training<'a> {
    offline: &'a Offline,
    categories: Vec<Category>,
    sources: Vec<String>,
    rows: Vec<Row>,
    /// What the fits start from, by category.
    start: Vec<Option<Class>>,
    /// What that was trained on.
    known: BTreeMap<String, usize>,
}

/// A text as the fits see it.
#[derive(Debug)]
pub(super) struct Row {
    source: usize,
    category: usize,
    /// Probabilities by keywords alone.
    counted: Vec<f64>,
    /// Evidence but for the linear model's, and the meaning; none in languages without vectors.
    meaning: Option<(Parts, Vector)>,
}

impl Row {
    fn vector(&self) -> Option<&Vector> {
        self.meaning.as_ref().map(|(_, vector)| vector)
    }
}

/// Why nothing can be learnt.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// Too few texts.
    #[error("{0} labelled texts are too few to learn from: at least {FEWEST} are needed")]
    Few(usize),
    /// A label is no category.
    #[error("{0} is no category of the taxonomy, which has {1}")]
    Unknown(Category, String),
    /// All texts have the same label.
    #[error("all texts are of category {0}: at least two categories are needed")]
    Alike(Category),
}

impl<'a> Training<'a> {
    /// Reads `examples`. Weights to `start_from` are moved by few examples only a little.
    ///
    /// # Errors
    /// If they are too few, all of one category, or of a category that the taxonomy does not have.
    pub fn new(
        offline: &'a Offline,
        examples: &[Example],
        start_from: Option<&Weights>,
    ) -> Result<Self, TrainingError> {
        if examples.len() < FEWEST {
            return Err(TrainingError::Few(examples.len()));
        }
        let categories = offline.categories();
        let sources: BTreeSet<&str> = examples.iter().map(|example| example.source.as_str()).collect();
        let sources: Vec<String> = sources.into_iter().map(str::to_owned).collect();
        let rows = examples.iter().map(|example| read(offline, example, &categories, &sources));
        let rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
        match rows.first() {
            Some(first) if rows.iter().all(|row| row.category == first.category) => {
                Err(TrainingError::Alike(categories[first.category].clone()))
            }
            Some(_) | None => {
                let class = |category| start_from.and_then(|weights| weights.class(category).cloned());
                let start = categories.iter().map(class).collect();
                let known = start_from.map(Weights::trained_on).cloned().unwrap_or_default();
                Ok(Self { offline, categories, sources, rows, start, known })
            }
        }
    }

    /// Names of the sources.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// How many texts there are.
    pub const fn texts(&self) -> usize {
        self.rows.len()
    }

    /// Whether the weights that are started from may have learnt from a source. Those that learnt from corrections may know
    /// any ticket.
    pub fn may_be_known(&self, source: &str) -> bool {
        [source, CORRECTIONS].into_iter().any(|name| self.known.contains_key(name))
    }

    /// What all the texts teach.
    pub fn weights(&self) -> Weights {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for row in &self.rows {
            *counts.entry(self.sources[row.source].clone()).or_default() += 1;
        }
        let mut trained_on = self.known.clone();
        for (source, texts) in counts {
            // Texts of a source that was known are taken for the same ones.
            let known = trained_on.entry(source).or_default();
            *known = texts.max(*known);
        }
        let (blend, classes) = self.learn(&self.rows.iter().collect::<Vec<_>>(), &self.start);
        Weights::new(trained_on, blend, classes.into_iter().flatten().collect())
    }

    /// Guesses about every fifth text, by what the others teach. Flatters: texts of one source are alike.
    pub fn held_out(&self) -> Vec<Guess> {
        let (left, taught): (Vec<_>, Vec<_>) =
            self.rows.iter().enumerate().partition(|(number, _)| number % FOLDS == 0);
        let taught: Vec<&Row> = taught.into_iter().map(|(_, row)| row).collect();
        let left: Vec<&Row> = left.into_iter().map(|(_, row)| row).collect();
        self.guesses(&taught, &left)
    }

    /// Guesses about the texts of a source, by what the other sources teach; none where there is only one.
    pub fn source_left_out(&self, source: &str) -> Option<Vec<Guess>> {
        let (left, taught): (Vec<&Row>, Vec<&Row>) =
            self.rows.iter().partition(|row| self.sources[row.source] == source);
        (!taught.is_empty()).then(|| self.guesses(&taught, &left))
    }

    /// Guesses about the texts of a source by keywords alone.
    pub fn by_keywords(&self, source: &str) -> Vec<Guess> {
        let rows = self.rows.iter().filter(|row| self.sources[row.source] == source);
        rows.map(|row| self.guess(row, &row.counted)).collect()
    }

    fn learn(&self, rows: &[&Row], start: &[Option<Class>]) -> (Blend, Vec<Option<Class>>) {
        (fit::blend(&self.unseen(rows, start)), fit::classes(rows, &self.categories, start))
    }

    /// `start`, or nothing where that may know these texts.
    fn not_knowing(&self, rows: &[&Row], start: &[Option<Class>]) -> Vec<Option<Class>> {
        if rows.iter().any(|row| self.may_be_known(&self.sources[row.source])) {
            return vec![None; start.len()];
        }
        start.to_vec()
    }

    /// The evidence about each row, where the linear model has not seen its source; or its fold, when there is but one.
    fn unseen(&self, rows: &[&Row], start: &[Option<Class>]) -> Vec<(usize, usize, Parts)> {
        let one_source = rows.iter().all(|row| row.source == rows[0].source);
        let group = |number: usize, row: &Row| if one_source { number % FOLDS } else { row.source };
        let groups: BTreeSet<usize> =
            rows.iter().enumerate().map(|(number, row)| group(number, row)).collect();
        let mut unseen = Vec::with_capacity(rows.len());
        for left_out in groups {
            let is_left = |(number, row): &(usize, &Row)| group(*number, row) == left_out;
            let (left, taught): (Vec<_>, Vec<_>) = rows.iter().copied().enumerate().partition(is_left);
            let taught: Vec<&Row> = taught.into_iter().map(|(_, row)| row).collect();
            let left: Vec<&Row> = left.into_iter().map(|(_, row)| row).collect();
            let classes = fit::classes(&taught, &self.categories, &self.not_knowing(&left, start));
            unseen.extend(left.into_iter().filter_map(|row| {
                let (parts, vector) = row.meaning.as_ref()?;
                let linear = linear(&classes, vector, &parts.keywords);
                Some((row.source, row.category, Parts { linear, ..parts.clone() }))
            }));
        }
        unseen
    }

    fn guesses(&self, taught: &[&Row], left: &[&Row]) -> Vec<Guess> {
        let (blend, classes) = self.learn(taught, &self.not_knowing(left, &self.start));
        let guess = |row: &&Row| match &row.meaning {
            None => self.guess(row, &row.counted),
            Some((parts, vector)) => {
                let parts = Parts { linear: linear(&classes, vector, &parts.keywords), ..parts.clone() };
                self.guess(row, &parts.probabilities(blend))
            }
        };
        left.iter().map(guess).collect()
    }

    fn guess(&self, row: &Row, probabilities: &[f64]) -> Guess {
        let (best, confidence) = settled(probabilities);
        let found = best
            .map_or_else(|| self.offline.taxonomy.fallback().clone(), |best| self.categories[best].clone());
        Guess { expected: self.categories[row.category].clone(), found, confidence }
    }
}

fn read(
    offline: &Offline,
    example: &Example,
    categories: &[Category],
    sources: &[String],
) -> Result<Row, TrainingError> {
    let unknown = || {
        let names: Vec<&str> = categories.iter().map(Category::as_str).collect();
        TrainingError::Unknown(example.category.clone(), names.join(", "))
    };
    let category =
        categories.iter().position(|category| *category == example.category).ok_or_else(unknown)?;
    let source = sources.iter().position(|source| *source == example.source).unwrap_or_default();
    let message = Message { subject: &example.subject, body: &example.body };
    let (counted, meaning) = offline.evidence(message);
    Ok(Row { source, category, counted, meaning })
}
