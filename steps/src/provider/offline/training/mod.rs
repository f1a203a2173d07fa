//! Owns training: from labelled texts to [`Weights`], and guesses about texts that were left out, by which it is judged.

mod fit;
mod minimise;

use super::{
    Message, Offline,
    classify::{Class, Parts, Weights, linear, settled},
    embedding::Vector,
};
use std::collections::{BTreeMap, BTreeSet};
use ticketflow_tickets::taxonomy::Category;

/// Parts that the texts of a single source fall into, each left out once.
const FOLDS: usize = 5;
/// Fewest texts that something can be learnt from.
const FEWEST: usize = 10;

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
    start: Vec<Option<Class>>,
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
    /// Reads `examples`. Weights to `start` from are moved by few examples only a little.
    ///
    /// # Errors
    /// If they are too few, all of one category, or of a category that the taxonomy does not have.
    pub fn new(
        offline: &'a Offline,
        examples: &[Example],
        start: Option<&Weights>,
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
                let class = |category| start.and_then(|weights| weights.class(category).cloned());
                let start = categories.iter().map(class).collect();
                Ok(Self { offline, categories, sources, rows, start })
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

    /// What all the texts teach.
    pub fn weights(&self) -> Weights {
        self.learn(&self.rows.iter().collect::<Vec<_>>())
    }

    /// Guesses about every fifth text, by what the others teach. Flatters: texts of one source are alike.
    pub fn held_out(&self) -> Vec<Guess> {
        let (left, taught): (Vec<_>, Vec<_>) =
            self.rows.iter().enumerate().partition(|(number, _)| number % FOLDS == 0);
        let taught: Vec<&Row> = taught.into_iter().map(|(_, row)| row).collect();
        self.guesses(&taught, left.into_iter().map(|(_, row)| row))
    }

    /// Guesses about the texts of a source, by what the other sources teach; none where there is only one.
    pub fn source_left_out(&self, source: &str) -> Option<Vec<Guess>> {
        let (left, taught): (Vec<&Row>, Vec<&Row>) =
            self.rows.iter().partition(|row| self.sources[row.source] == source);
        (!taught.is_empty()).then(|| self.guesses(&taught, left.into_iter()))
    }

    /// Guesses about the texts of a source by keywords alone.
    pub fn by_keywords(&self, source: &str) -> Vec<Guess> {
        let rows = self.rows.iter().filter(|row| self.sources[row.source] == source);
        rows.map(|row| self.guess(row, &row.counted)).collect()
    }

    fn learn(&self, rows: &[&Row]) -> Weights {
        let mut trained_on: BTreeMap<String, usize> = BTreeMap::new();
        for row in rows {
            *trained_on.entry(self.sources[row.source].clone()).or_default() += 1;
        }
        let classes = self.classes(rows).into_iter().flatten().collect();
        Weights::new(trained_on, fit::blend(&self.unseen(rows)), classes)
    }

    fn classes(&self, rows: &[&Row]) -> Vec<Option<Class>> {
        fit::classes(rows, &self.categories, &self.start)
    }

    /// The evidence about each row, where the linear model has not seen its source; or its fold, when there is but one.
    fn unseen(&self, rows: &[&Row]) -> Vec<(usize, usize, Parts)> {
        let one_source = rows.iter().all(|row| row.source == rows[0].source);
        let group = |number: usize, row: &Row| if one_source { number % FOLDS } else { row.source };
        let groups: BTreeSet<usize> =
            rows.iter().enumerate().map(|(number, row)| group(number, row)).collect();
        let mut unseen = Vec::with_capacity(rows.len());
        for left_out in groups {
            let is_left = |(number, row): &(usize, &Row)| group(*number, row) == left_out;
            let (left, taught): (Vec<_>, Vec<_>) = rows.iter().copied().enumerate().partition(is_left);
            let taught: Vec<&Row> = taught.into_iter().map(|(_, row)| row).collect();
            let classes = self.classes(&taught);
            unseen.extend(left.into_iter().filter_map(|(_, row)| {
                let (parts, vector) = row.meaning.as_ref()?;
                let linear = linear(&classes, vector, &parts.keywords);
                Some((row.source, row.category, Parts { linear, ..parts.clone() }))
            }));
        }
        unseen
    }

    fn guesses<'r>(&self, taught: &[&Row], left: impl Iterator<Item = &'r Row>) -> Vec<Guess> {
        let weights = self.learn(taught);
        let classes: Vec<_> =
            self.categories.iter().map(|category| weights.class(category).cloned()).collect();
        left.map(|row| match &row.meaning {
            None => self.guess(row, &row.counted),
            Some((parts, vector)) => {
                let parts = Parts { linear: linear(&classes, vector, &parts.keywords), ..parts.clone() };
                self.guess(row, &parts.probabilities(weights.blend()))
            }
        })
        .collect()
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
