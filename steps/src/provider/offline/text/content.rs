//! Owns which words of a text carry its content, in a form in which singular and plural meet.

use super::token::Words;
use std::ops::Range;

/// Shortest word that carries content.
const SHORTEST: usize = 3;

/// Shortest rest that an ending is taken off from.
const SHORTEST_STEM: usize = 4;

/// The content of a text: the stems of the words that carry it, each once, in alphabetical order.
#[derive(Debug)]
pub(in super::super) struct Content {
    line: String,
    stems: Vec<Range<usize>>,
}

impl Content {
    /// The content of `words`, without those that `is_frequent`.
    pub(in super::super) fn of(words: Words, is_frequent: impl Fn(&str) -> bool) -> Self {
        let (line, ranges) = words.into_line();
        let carries = |word: &str| word.chars().nth(SHORTEST - 1).is_some() && !is_frequent(word);
        let carrying = ranges.filter(|range| carries(&line[range.clone()]));
        let mut stems: Vec<Range<usize>> =
            carrying.map(|range| range.start..range.start + stem(&line[range]).len()).collect();
        stems.sort_unstable_by_key(|range| &line[range.clone()]);
        stems.dedup_by_key(|range| &line[range.clone()]);
        Self { line, stems }
    }

    /// The stems.
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.stems.iter().map(|range| &self.line[range.clone()])
    }

    /// How many there are.
    pub(in super::super) fn len(&self) -> usize {
        self.stems.len()
    }

    /// Whether there is none.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.stems.is_empty()
    }

    /// Whether `stem` is one of them.
    pub(in super::super) fn holds(&self, stem: &str) -> bool {
        self.stems.binary_search_by_key(&stem, |range| &self.line[range.clone()]).is_ok()
    }

    /// The stems that are also `others`.
    pub(in super::super) fn shared(&self, others: &Self) -> impl Iterator<Item = &str> {
        self.iter().filter(|stem| others.holds(stem))
    }
}

/// Takes off the plural's and the past's ending.
pub(in super::super) fn stem(word: &str) -> &str {
    let endings = ["ing", "ed", "es", "en", "s"];
    let cut =
        endings.iter().find_map(|end| word.strip_suffix(end).filter(|rest| rest.len() >= SHORTEST_STEM));
    cut.unwrap_or(word).trim_end_matches('e')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &str) -> Content {
        Content::of(Words::of(text), |word| word == "the")
    }

    #[test]
    fn forms_of_a_word_meet() {
        assert_eq!(content("Refunds refunded refunding the is of").iter().collect::<Vec<_>>(), ["refund"]);
    }

    #[test]
    fn what_two_texts_share_is_told_in_order() {
        let (one, other) =
            (content("the parcels, a lamp, an invoice"), content("Lamps and parcel: the order"));
        assert_eq!(one.shared(&other).collect::<Vec<_>>(), ["lamp", "parcel"]);
    }
}
