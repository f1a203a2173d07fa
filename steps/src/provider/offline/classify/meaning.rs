//! Owns the likeness of a ticket's meaning to what the taxonomy says about each category, so that a site's own categories
//! are told apart without training.

use crate::provider::offline::embedding::{Embedder, Vector};
use ticketflow_tickets::taxonomy::CategoryEntry;

/// Sentences of a category that count: those most like the ticket.
const NEAREST: usize = 2;
/// Likeness from which on a sentence is shown as a reason.
const WORTH_SHOWING: f32 = 0.45;

/// The categories' descriptions and examples.
#[derive(Debug)]
pub(super) struct Meanings {
    categories: Vec<Vec<Sentence>>,
}

#[derive(Debug)]
struct Sentence {
    text: String,
    vector: Vector,
}

/// How like a ticket is to a category.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Likeness<'a> {
    /// Mean cosine with the nearest sentences of the category, from -1 to 1.
    pub(super) value: f64,
    /// The nearest sentence, if it is near enough to be shown.
    pub(super) shown: Option<&'a str>,
}

impl Meanings {
    /// Reads description and examples of each category.
    pub(super) fn of(categories: &[CategoryEntry], embedder: &Embedder) -> Self {
        let sentence = |text: &String| Sentence { text: text.clone(), vector: embedder.embed(text) };
        let sentences =
            |entry: &CategoryEntry| entry.examples.iter().chain([&entry.description]).map(sentence).collect();
        Self { categories: categories.iter().map(sentences).collect() }
    }

    /// How like a ticket, whose parts have these meanings, is to each category, in the taxonomy's order.
    pub(super) fn likeness(&self, parts: &[Vector]) -> Vec<Likeness<'_>> {
        self.categories.iter().map(|sentences| nearest(sentences, parts)).collect()
    }
}

fn nearest<'a>(sentences: &'a [Sentence], parts: &[Vector]) -> Likeness<'a> {
    let with = |sentence: &'a Sentence| parts.iter().map(move |part| (sentence.vector.dot(part), sentence));
    let mut near: Vec<(f32, &Sentence)> = sentences.iter().flat_map(with).collect();
    near.sort_by(|left, right| right.0.total_cmp(&left.0));
    near.truncate(NEAREST);
    let sum: f64 = near.iter().map(|(cosine, _)| f64::from(*cosine)).sum();
    let shown = near.first().filter(|(cosine, _)| *cosine >= WORTH_SHOWING);
    Likeness {
        // A category has a description at least.
        value: sum / f64::from(u32::try_from(near.len().max(1)).unwrap_or(1)),
        shown: shown.map(|(_, sentence)| sentence.text.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ticketflow_tickets::taxonomy::Taxonomy;

    #[test]
    fn a_ticket_is_like_the_category_whose_sentences_mean_the_same() {
        let (taxonomy, embedder) = (Taxonomy::built_in().unwrap(), Embedder::shared().unwrap());
        let meanings = Meanings::of(taxonomy.categories(), embedder);
        for (text, expected, sentence) in [
            ("They debited my card two times this month", "billing", "charged twice"),
            ("The program shuts down by itself showing a failure", "technical", "crashes"),
            ("I forgot my passphrase and cannot get into my profile", "account", "log in"),
        ] {
            let likeness = meanings.likeness(&[embedder.embed(text)]);
            let (best, _) = likeness
                .iter()
                .enumerate()
                .max_by(|left, right| left.1.value.total_cmp(&right.1.value))
                .unwrap();
            assert_eq!(taxonomy.categories()[best].name.as_str(), expected, "{text}: {likeness:?}");
            assert!(likeness[best].shown.is_none_or(|shown| shown.contains(sentence)), "{likeness:?}");
        }
    }
}
