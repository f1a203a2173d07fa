//! Owns the likeness of a ticket to what the taxonomy says about a category: shared words, the rarer the better.

use crate::provider::offline::text::{Words, stem};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use ticketflow_tickets::taxonomy::CategoryEntry;

/// Shortest word that says something.
const SHORTEST: usize = 4;
/// What the likeness can add at most: it supports keywords, it does not replace them.
const MOST: f64 = 2.5;
/// What a shared word adds, times its rarity.
const STEP: f64 = 0.45;

/// The descriptions' words.
#[derive(Debug)]
pub(super) struct Descriptions {
    words: HashMap<String, Described>,
    categories: usize,
}

/// How rare a word is, and the numbers of the categories whose descriptions have it.
#[derive(Debug)]
struct Described {
    rarity: f64,
    holders: Vec<usize>,
}

impl Descriptions {
    /// Reads description and examples of each category.
    pub(super) fn of(categories: &[CategoryEntry]) -> Self {
        let mut holders: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (category, entry) in categories.iter().enumerate() {
            for word in words_of(entry) {
                holders.entry(word).or_default().push(category);
            }
        }
        let rarity = |holders: &[usize]| (precise(categories.len()) / precise(holders.len())).ln();
        let described = |holders: Vec<usize>| Described { rarity: rarity(&holders), holders };
        let words = holders.into_iter().map(|(word, holders)| (word, described(holders))).collect();
        Self { words, categories: categories.len() }
    }

    /// How like `words` are to the description of each category.
    pub(super) fn likeness(&self, words: &Words) -> Vec<f64> {
        // In the order of the alphabet, so that the sums of two runs agree to the last bit.
        let found: BTreeMap<&str, &Described> =
            words.iter().filter_map(|word| Some((stem(word), self.words.get(stem(word))?))).collect();
        let mut sums = vec![0.0; self.categories];
        for described in found.values() {
            for holder in &described.holders {
                sums[*holder] += described.rarity;
            }
        }
        sums.into_iter().map(|sum: f64| (sum * STEP).min(MOST)).collect()
    }
}

fn words_of(entry: &CategoryEntry) -> BTreeSet<String> {
    let texts = entry.examples.iter().chain(std::iter::once(&entry.description));
    let mut found = BTreeSet::new();
    for text in texts {
        let words = Words::of(text);
        let long = words.iter().filter(|word| word.chars().count() >= SHORTEST);
        found.extend(long.map(|word| stem(word).to_owned()));
    }
    found
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
        let likeness = descriptions.likeness(&Words::of("The server has an outage and pages do not load"));
        let technical =
            taxonomy.categories().iter().position(|entry| entry.name.as_str() == "technical").unwrap();
        assert!(
            likeness.iter().enumerate().all(|(c, value)| c == technical || *value < likeness[technical]),
            "{likeness:?}"
        );
    }
}
