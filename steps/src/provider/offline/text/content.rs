//! Owns which words of a text carry its content, in a form in which singular and plural meet.

use super::token::Token;
use std::collections::BTreeSet;

/// Shortest word that carries content.
const SHORTEST: usize = 3;

/// Shortest rest that an ending is taken off from.
const SHORTEST_STEM: usize = 4;

/// The content words of `words`, without those that `is_frequent`.
pub(in super::super) fn content(words: &[Token], is_frequent: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let long = words.iter().filter(|token| token.word.chars().count() >= SHORTEST);
    long.filter(|token| !is_frequent(&token.word)).map(|token| stem(&token.word)).collect()
}

/// Takes off the plural's and the past's ending.
pub(in super::super) fn stem(word: &str) -> String {
    let endings = ["ing", "ed", "es", "en", "s"];
    let cut =
        endings.iter().find_map(|end| word.strip_suffix(end).filter(|rest| rest.len() >= SHORTEST_STEM));
    cut.unwrap_or(word).trim_end_matches('e').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{super::tokens, *};

    #[test]
    fn forms_of_a_word_meet() {
        let words = content(&tokens("Refunds refunded refunding the is of"), |word| word == "the");
        assert_eq!(words.into_iter().collect::<Vec<_>>(), ["refund"]);
    }
}
