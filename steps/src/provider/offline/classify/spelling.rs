//! Owns slips of the pen: a letter too few, one too many, or two swapped, in a word of six letters or more.
//!
//! A letter put for another is never mended: that is how one right word turns into another ("change", "charge").

use std::collections::{HashMap, HashSet};

const SHORTEST: usize = 6;

/// Words that are known, and what they look like with one letter missing.
#[derive(Debug, Default)]
pub(super) struct Spelling {
    known: HashSet<String>,
    shortened: HashMap<String, Vec<String>>,
}

impl Spelling {
    /// Learns the words.
    pub(super) fn of<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut spelling = Self::default();
        for word in words {
            if spelling.known.insert(word.to_owned()) && word.chars().count() >= SHORTEST {
                for short in shortened(word) {
                    spelling.shortened.entry(short).or_default().push(word.to_owned());
                }
            }
        }
        spelling
    }

    /// The known word that `word` is a slip of; none for a known or a short word, or when there are two.
    pub(super) fn correct(&self, word: &str) -> Option<&str> {
        if word.chars().count() < SHORTEST || self.known.contains(word) {
            return None;
        }
        let mut candidates = HashSet::new();
        candidates.extend(self.shortened.get(word).into_iter().flatten());
        for short in shortened(word) {
            candidates.extend(self.known.get(&short));
            let swapped = self.shortened.get(&short).into_iter().flatten();
            candidates.extend(swapped.filter(|known| is_swap(known, word)));
        }
        candidates.retain(|known| known.chars().count() >= SHORTEST);
        let mut candidates = candidates.into_iter();
        match (candidates.next(), candidates.next()) {
            (Some(only), None) => Some(only),
            (Some(_), Some(_)) | (None, _) => None,
        }
    }
}

fn shortened(word: &str) -> HashSet<String> {
    let chars: Vec<char> = word.chars().collect();
    let without =
        |gone: usize| chars.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, c)| *c).collect();
    (0..chars.len()).map(without).collect()
}

/// Whether two words differ in two neighbouring letters that changed places.
fn is_swap(left: &str, right: &str) -> bool {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let differing: Vec<usize> =
        (0..left.len().min(right.len())).filter(|at| left[*at] != right[*at]).collect();
    match differing.as_slice() {
        [a, b] => left.len() == right.len() && a + 1 == *b && left[*a] == right[*b] && left[*b] == right[*a],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_mended_and_other_words_are_not() {
        let spelling = Spelling::of(["account", "password", "charge", "delivery", "order"].into_iter());
        for (slip, word) in [
            ("acount", "account"),
            ("pasword", "password"),
            ("passwordd", "password"),
            ("delviery", "delivery"),
        ] {
            assert_eq!(spelling.correct(slip), Some(word), "{slip}");
        }
        for right in ["change", "account", "border", "older", "ordre", "recharge2x", ""] {
            assert_eq!(spelling.correct(right), None, "{right}");
        }
    }
}
