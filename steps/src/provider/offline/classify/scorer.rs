//! Owns the weighing of what speaks for each category: keywords in every language; for English the meaning as well, by
//! likeness to the descriptions and by the linear model.

use super::{
    CategoryScore,
    blend::Parts,
    lexicon::Lexicon,
    meaning::{Likeness, Meanings},
    weights::{Class, Weights},
};
use crate::provider::offline::{
    OfflineError,
    embedding::{Embedder, Vector},
    extract::Traces,
    reading::Reading,
};
use ticketflow_tickets::{language::Language, taxonomy::Taxonomy};

/// Everything that categories are told apart by.
#[derive(Debug)]
pub(in super::super) struct Scorer {
    lexicon: Lexicon,
    embedder: &'static Embedder,
    meanings: Meanings,
    weights: Weights,
    /// The weights' classes, in the taxonomy's order.
    classes: Vec<Option<Class>>,
}

/// What speaks for each category, in the taxonomy's order, not weighed yet.
#[derive(Debug)]
pub(in super::super) struct Evidence<'a> {
    /// Keywords and cues, with the shares by them alone.
    pub(in super::super) counted: Vec<CategoryScore>,
    meaning: Option<Meaning<'a>>,
}

/// The meaning of an English text.
#[derive(Debug)]
struct Meaning<'a> {
    vector: Vector,
    likeness: Vec<Likeness<'a>>,
}

impl Scorer {
    /// Reads the words and sentences of `taxonomy`.
    pub(in super::super) fn new(taxonomy: &Taxonomy, weights: Weights) -> Result<Self, OfflineError> {
        let embedder = Embedder::shared().map_err(OfflineError::Embeddings)?;
        let categories = taxonomy.categories();
        Ok(Self {
            lexicon: Lexicon::of(taxonomy)?,
            meanings: Meanings::of(categories, embedder),
            classes: categories.iter().map(|entry| weights.class(&entry.name).cloned()).collect(),
            embedder,
            weights,
        })
    }

    /// What decides.
    pub(in super::super) const fn weights(&self) -> &Weights {
        &self.weights
    }

    /// How much speaks for each category, and how likely it is, in the taxonomy's order.
    pub(in super::super) fn scores(&self, reading: &Reading, traces: Traces) -> Vec<CategoryScore> {
        let evidence = self.evidence(reading, traces);
        let parts = evidence.parts(&self.classes);
        let Evidence { counted: mut scores, meaning } = evidence;
        let (Some(parts), Some(meaning)) = (parts, meaning) else { return scores };
        let shares = parts.probabilities(self.weights.blend());
        for ((score, share), like) in scores.iter_mut().zip(shares).zip(meaning.likeness) {
            score.probability = share;
            score.words.extend(like.shown.map(|sentence| format!("like “{sentence}”")));
        }
        scores
    }

    /// What speaks for each category.
    pub(in super::super) fn evidence(&self, reading: &Reading, traces: Traces) -> Evidence<'_> {
        let vector = (reading.language == Language::EN).then(|| self.embedder.embed(&reading.text));
        let meaning = vector.filter(|vector| !vector.is_silent()).map(|vector| {
            // A subject tells in a few words what the body takes many for: as one text it would be drowned.
            let parts = [&reading.subject, &reading.own].map(|part| self.embedder.embed(part));
            let spoken: Vec<Vector> = parts.into_iter().filter(|part| !part.is_silent()).collect();
            let likeness = self.meanings.likeness(&spoken);
            Meaning { vector, likeness }
        });
        Evidence { counted: self.lexicon.scores(reading, traces), meaning }
    }
}

impl Evidence<'_> {
    /// The evidence by kinds, with what the model's `classes` make of the meaning; none where there is no meaning to go by.
    pub(in super::super) fn parts(&self, classes: &[Option<Class>]) -> Option<Parts> {
        let meaning = self.meaning.as_ref()?;
        let keywords = self.counted.iter().map(|score| score.probability);
        let cosines = meaning.likeness.iter().map(|like| like.value);
        Some(Parts::of(keywords, cosines, classes, &meaning.vector))
    }

    /// The meaning, where there is one to go by.
    pub(in super::super) fn vector(&self) -> Option<&Vector> {
        self.meaning.as_ref().map(|meaning| &meaning.vector)
    }
}
