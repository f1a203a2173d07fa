//! Owns what counts as a word.

use super::{fold, sentences};
use unicode_normalization::char::is_combining_mark;

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Token {
    /// Folded; an inner apostrophe or the hyphen after a single letter is gone (`dont`, `email`).
    pub(in super::super) word: String,
    /// Number of the sentence it stands in.
    pub(in super::super) sentence: usize,
    /// Two letters or more, all capitals.
    pub(in super::super) shouted: bool,
}

/// Cuts `text` into its words.
pub(in super::super) fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for (sentence, range) in sentences(text).into_iter().enumerate() {
        for word in words(&text[range]) {
            let letters = word.chars().filter(|c| c.is_alphabetic()).count();
            let shouted = letters >= 2 && !word.chars().any(char::is_lowercase);
            found.push(Token { word: fold(&word), sentence, shouted });
        }
    }
    found.retain(|token| !token.word.is_empty());
    found
}

fn words(sentence: &str) -> Vec<String> {
    let chars: Vec<char> = sentence.chars().collect();
    let mut found = Vec::new();
    let mut word = String::new();
    for (at, &c) in chars.iter().enumerate() {
        if c.is_alphanumeric() || (!c.is_ascii() && is_combining_mark(c)) {
            word.push(c);
        } else if !joins(&word, c, &chars[at + 1..]) && !word.is_empty() {
            found.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        found.push(word);
    }
    found
}

/// Whether the mark `c` after `word` disappears instead of ending the word.
fn joins(word: &str, c: char, rest: &[char]) -> bool {
    match c {
        '\'' | '’' | 'ʼ' | '´' | '`' => {
            let tail = rest.iter().take_while(|c| c.is_alphanumeric()).flat_map(|c| c.to_lowercase());
            let tail: String = tail.take(3).collect();
            !word.is_empty() && matches!(tail.as_str(), "t" | "s" | "re" | "ve" | "ll" | "d" | "m")
        }
        '-' | '\u{2011}' => word.chars().count() == 1 && rest.first().is_some_and(|c| c.is_alphabetic()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.word).collect()
    }

    #[test]
    fn contractions_stay_whole_and_elisions_do_not() {
        assert_eq!(list("I don’t, it's"), ["i", "dont", "its"]);
        assert_eq!(list("l'abonnement d’été"), ["l", "abonnement", "d", "ete"]);
    }

    #[test]
    fn a_hyphen_joins_only_a_single_letter() {
        assert_eq!(list("E-Mail-Adresse, sign-in"), ["email", "adresse", "sign", "in"]);
    }

    #[test]
    fn words_know_their_sentence_and_their_volume() {
        let words = tokens("Help. WHERE is my I");
        assert_eq!(words.iter().map(|word| word.sentence).collect::<Vec<_>>(), [0, 1, 1, 1, 1]);
        assert_eq!(
            words.iter().map(|word| word.shouted).collect::<Vec<_>>(),
            [false, true, false, false, false]
        );
    }
}
