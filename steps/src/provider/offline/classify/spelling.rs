//! Owns slips of the pen: a letter too few, one too many, or two swapped, in a word of six letters or more.
//!
//! A letter put for another is never mended: that is how one right word turns into another ("change", "charge").

const SHORTEST: usize = 6;

/// Words that are known, by how many letters they have.
#[derive(Debug, Default)]
pub(super) struct Spelling {
    known: Vec<Known>,
}

/// Known words, and each one's letters.
#[derive(Debug, Default)]
struct Known {
    letters: Vec<Letters>,
    words: Vec<String>,
}

impl Known {
    fn learn(&mut self, word: &str) {
        if !self.words.iter().any(|known| known == word) {
            self.letters.push(Letters::of(word));
            self.words.push(word.to_owned());
        }
    }

    /// Words that have nearly the same letters.
    fn near(&self, letters: Letters) -> impl Iterator<Item = &str> {
        let near =
            self.letters.iter().enumerate().filter(move |(_, known)| known.differ_by_one_at_most(letters));
        near.map(|(at, _)| self.words[at].as_str())
    }
}

impl Spelling {
    /// Learns the words; a short one is never what a slip was meant to be.
    pub(super) fn of<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut spelling = Self::default();
        for word in words.filter(|word| word.chars().count() >= SHORTEST) {
            let length = word.chars().count();
            if spelling.known.len() <= length {
                spelling.known.resize_with(length + 1, Known::default);
            }
            spelling.known[length].learn(word);
        }
        spelling
    }

    /// The known word that `word` is a slip of; none for a known or a short word, or when there are two.
    pub(super) fn correct(&self, word: &str) -> Option<&str> {
        let length = if word.is_ascii() { word.len() } else { word.chars().count() };
        if length < SHORTEST {
            return None;
        }
        let letters = Letters::of(word);
        let near = self.known.iter().skip(length - 1).take(3).flat_map(|known| known.near(letters));
        let mut only = None;
        for known in near {
            if known == word || (only.is_some() && is_slip(known, word)) {
                return None;
            }
            if only.is_none() && is_slip(known, word) {
                only = Some(known);
            }
        }
        only
    }
}

/// Which letters a word has, each as one of 32 bits: tells most words apart before they are compared.
#[derive(Debug, Clone, Copy)]
struct Letters(u32);

impl Letters {
    fn of(word: &str) -> Self {
        Self(word.chars().fold(0, |letters, c| letters | 1 << (u32::from(c) % u32::BITS)))
    }

    const fn differ_by_one_at_most(self, other: Self) -> bool {
        let differing = self.0 ^ other.0;
        differing & differing.wrapping_sub(1) == 0
    }
}

/// Whether one has a letter that the other lacks, or two neighbouring letters changed places.
fn is_slip(known: &str, word: &str) -> bool {
    let (known, word) = without_common_start(known, word);
    let (mut rest, mut other) = (known.chars(), word.chars());
    let (first, second) = (rest.next(), other.next());
    let one_more = rest.as_str() == word || other.as_str() == known;
    one_more || {
        let swapped = first == other.next() && rest.next() == second;
        swapped && rest.as_str() == other.as_str()
    }
}

fn without_common_start<'a>(one: &'a str, other: &'a str) -> (&'a str, &'a str) {
    let common: usize =
        one.chars().zip(other.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum();
    (&one[common..], &other[common..])
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
