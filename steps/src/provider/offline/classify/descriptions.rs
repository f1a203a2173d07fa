//! Owns the likeness of a ticket to what the taxonomy says about a category: shared words, the rarer the better.

use crate::provider::offline::text::{Token, stem, tokens};
use std::collections::{HashMap, HashSet};
use ticketflow_tickets::taxonomy::CategoryEntry;

/// Shortest word that says something.
const SHORTEST: usize = 4;
/// What the likeness can add at most: it supports keywords, it does not replace them.
const MOST: f64 = 2.5;
/// What a shared word adds, times its rarity.
const STEP: f64 = 0.45;

/// The descriptions' words and how rare they are.
#[derive(Debug)]
pub(super) struct Descriptions {
    words: Vec<HashSet<String>>,
    rarity: HashMap<String, f64>,
}

impl Descriptions {
    /// Reads description and examples of each category.
    pub(super) fn of(categories: &[CategoryEntry]) -> Self {
        let words: Vec<HashSet<String>> = categories.iter().map(words_of).collect();
        let mut rarity = HashMap::new();
        for word in words.iter().flatten() {
            let holders = words.iter().filter(|set| set.contains(word)).count();
            rarity.insert(word.clone(), (precise(categories.len()) / precise(holders)).ln());
        }
        Self { words, rarity }
    }

    /// How like `words` are to the description of the category with that number.
    pub(super) fn likeness(&self, category: usize, words: &[Token]) -> f64 {
        let own: HashSet<String> = words.iter().map(|token| stem(&token.word)).collect();
        let shared = self.words.get(category).into_iter().flatten().filter(|word| own.contains(*word));
        let sum: f64 = shared.filter_map(|word| self.rarity.get(word)).sum();
        (sum * STEP).min(MOST)
    }
}

fn words_of(entry: &CategoryEntry) -> HashSet<String> {
    let texts = entry.examples.iter().chain(std::iter::once(&entry.description));
    let words = texts.flat_map(|text| tokens(text)).map(|token| token.word);
    words.filter(|word| word.chars().count() >= SHORTEST).map(|word| stem(&word)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a handful of categories")]
const fn precise(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use ticketflow_tickets::taxonomy::Taxonomy;

    #[test]
    fn shared_rare_words_make_a_ticket_like_a_description() {
        let taxonomy = Taxonomy::built_in().unwrap();
        let descriptions = Descriptions::of(taxonomy.categories());
        let words = tokens("The server has an outage and pages do not load");
        let likeness: Vec<f64> =
            (0..taxonomy.categories().len()).map(|c| descriptions.likeness(c, &words)).collect();
        let technical =
            taxonomy.categories().iter().position(|entry| entry.name.as_str() == "technical").unwrap();
        assert!(
            likeness.iter().enumerate().all(|(c, value)| c == technical || *value < likeness[technical]),
            "{likeness:?}"
        );
    }
}
