//! Owns the phrases that every rule is written in, and finds them in a text in one pass.
//!
//! Grammar: words separated by blanks; `refund*` is any word that starts so; `not .. arrived` lets up to four words
//! stand between. A phrase never reaches over the end of a sentence.

use super::token::{Token, tokens};
use std::collections::{BTreeMap, HashMap};
use ticketflow_tickets::language::Language;

const LONGEST_GAP: usize = 4;

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Word(String),
    Prefix(String),
    Gap,
}

impl Piece {
    fn fits(&self, word: &str) -> bool {
        match self {
            Self::Word(own) => own == word,
            Self::Prefix(own) => word.starts_with(own.as_str()),
            Self::Gap => true,
        }
    }
}

/// A phrase cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("phrase {0:?} must start and end with a word, and a * needs two letters before it")]
pub struct PhraseError(String);

#[derive(Debug)]
struct Phrase<T> {
    text: String,
    pieces: Vec<Piece>,
    value: T,
}

/// Phrases of one language, each with what it stands for.
#[derive(Debug)]
pub(in super::super) struct PhraseIndex<T> {
    phrases: Vec<Phrase<T>>,
    by_word: HashMap<String, Vec<usize>>,
    by_prefix: HashMap<String, Vec<usize>>,
}

/// A place where a phrase stands.
#[derive(Debug)]
pub(in super::super) struct Match<'a, T> {
    /// The phrase, as written in its file.
    pub(in super::super) phrase: &'a str,
    /// What it stands for.
    pub(in super::super) value: &'a T,
    /// First word of the place.
    pub(in super::super) start: usize,
    /// One past its last word.
    pub(in super::super) end: usize,
}

impl<T> Default for PhraseIndex<T> {
    fn default() -> Self {
        Self { phrases: Vec::new(), by_word: HashMap::new(), by_prefix: HashMap::new() }
    }
}

impl<T> PhraseIndex<T> {
    /// Adds `phrase`, which stands for `value`.
    pub(in super::super) fn add(&mut self, phrase: &str, value: T) -> Result<(), PhraseError> {
        let pieces = pieces(phrase)?;
        let number = self.phrases.len();
        match pieces.first() {
            Some(Piece::Word(word)) => self.by_word.entry(word.clone()).or_default().push(number),
            Some(Piece::Prefix(prefix)) => self.by_prefix.entry(prefix.clone()).or_default().push(number),
            Some(Piece::Gap) | None => return Err(PhraseError(phrase.to_owned())),
        }
        self.phrases.push(Phrase { text: phrase.to_owned(), pieces, value });
        Ok(())
    }

    /// Every place in `words` where a phrase stands.
    pub(in super::super) fn matches<'a>(&'a self, words: &[Token]) -> Vec<Match<'a, T>> {
        let mut found = Vec::new();
        for start in 0..words.len() {
            for number in self.starting_with(&words[start].word) {
                let phrase = &self.phrases[number];
                if let Some(length) = length_at(&phrase.pieces, &words[start..]) {
                    let end = start + length;
                    found.push(Match { phrase: &phrase.text, value: &phrase.value, start, end });
                }
            }
        }
        found
    }

    /// Whether any phrase stands in `words`.
    pub(in super::super) fn occurs_in(&self, words: &[Token]) -> bool {
        (0..words.len()).any(|start| {
            let mut candidates = self.starting_with(&words[start].word);
            candidates.any(|number| length_at(&self.phrases[number].pieces, &words[start..]).is_some())
        })
    }

    /// Words that phrases are made of and that stand there in full, with the phrases' values.
    pub(in super::super) fn single_words(&self) -> impl Iterator<Item = (&str, &T)> {
        self.phrases.iter().filter_map(|phrase| match phrase.pieces.as_slice() {
            [Piece::Word(word) | Piece::Prefix(word)] => Some((word.as_str(), &phrase.value)),
            _ => None,
        })
    }

    fn starting_with(&self, word: &str) -> impl Iterator<Item = usize> {
        let whole = self.by_word.get(word).into_iter().flatten();
        let prefixes = word.char_indices().skip(2).map(|(at, _)| &word[..at]).chain(std::iter::once(word));
        whole.chain(prefixes.filter_map(|prefix| self.by_prefix.get(prefix)).flatten()).copied()
    }
}

fn pieces(phrase: &str) -> Result<Vec<Piece>, PhraseError> {
    let mut pieces = Vec::new();
    for part in phrase.split_whitespace() {
        if part == ".." {
            pieces.push(Piece::Gap);
            continue;
        }
        let open = part.ends_with('*');
        pieces.extend(tokens(part.trim_end_matches('*')).into_iter().map(|token| Piece::Word(token.word)));
        if let (true, Some(Piece::Word(last))) = (open, pieces.last_mut()) {
            if last.chars().count() < 2 {
                return Err(PhraseError(phrase.to_owned()));
            }
            let prefix = Piece::Prefix(std::mem::take(last));
            pieces.pop();
            pieces.push(prefix);
        }
    }
    let bare = [pieces.first(), pieces.last()].iter().any(|end| matches!(end, None | Some(Piece::Gap)));
    if bare { Err(PhraseError(phrase.to_owned())) } else { Ok(pieces) }
}

/// How many words the pieces take at the head of `words`, if they fit there.
fn length_at(pieces: &[Piece], words: &[Token]) -> Option<usize> {
    let sentence = words.first()?.sentence;
    let (first, rest) = pieces.split_first()?;
    if let Piece::Gap = first {
        return (0..=LONGEST_GAP.min(words.len())).find_map(|skipped| {
            let beyond = words
                .get(skipped..)
                .filter(|beyond| beyond.first().is_some_and(|w| w.sentence == sentence))?;
            length_at(rest, beyond).map(|length| length + skipped)
        });
    }
    if !first.fits(&words[0].word) {
        return None;
    }
    if rest.is_empty() {
        return Some(1);
    }
    let beyond = words.get(1..).filter(|beyond| beyond.first().is_some_and(|w| w.sentence == sentence))?;
    length_at(rest, beyond).map(|length| length + 1)
}

/// Phrases of many languages.
#[derive(Debug)]
pub(in super::super) struct PhraseBook<T> {
    languages: HashMap<Language, PhraseIndex<T>>,
    none: PhraseIndex<T>,
}

impl<T> Default for PhraseBook<T> {
    fn default() -> Self {
        Self { languages: HashMap::new(), none: PhraseIndex::default() }
    }
}

impl<T> PhraseBook<T> {
    /// Adds `phrase` of `language`, which stands for `value`.
    pub(in super::super) fn add(
        &mut self,
        language: Language,
        phrase: &str,
        value: T,
    ) -> Result<(), PhraseError> {
        self.languages.entry(language).or_default().add(phrase, value)
    }

    /// The phrases of `language`.
    pub(in super::super) fn of(&self, language: Language) -> &PhraseIndex<T> {
        self.languages.get(&language).unwrap_or(&self.none)
    }

    /// Places of the phrases of `language`, and of the English ones that other languages borrow from.
    pub(in super::super) fn matches<'a>(&'a self, language: Language, words: &[Token]) -> Vec<Match<'a, T>> {
        let mut found = self.of(language).matches(words);
        if language != Language::EN {
            found.extend(self.of(Language::EN).matches(words));
        }
        found
    }

    /// Whether a phrase of any language stands in `words`.
    pub(in super::super) fn any_occurs_in(&self, words: &[Token]) -> bool {
        self.languages.values().any(|index| index.occurs_in(words))
    }
}

impl PhraseBook<()> {
    /// Phrases that stand for nothing but themselves.
    pub(in super::super) fn of_lists(lists: BTreeMap<Language, Vec<String>>) -> Result<Self, PhraseError> {
        let mut book = Self::default();
        for (language, phrases) in lists {
            for phrase in phrases {
                book.add(language, &phrase, ())?;
            }
        }
        Ok(book)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(phrases: &[&str], text: &str) -> Vec<String> {
        let mut index = PhraseIndex::default();
        for phrase in phrases {
            index.add(phrase, ()).unwrap();
        }
        index.matches(&tokens(text)).iter().map(|place| place.phrase.to_owned()).collect()
    }

    #[test]
    fn words_prefixes_and_gaps_fit() {
        assert_eq!(found(&["refund*"], "Two refunds"), ["refund*"]);
        assert_eq!(found(&["not .. arrived"], "It has NOT yet arrived"), ["not .. arrived"]);
        assert_eq!(found(&["not .. arrived"], "not arrived"), ["not .. arrived"]);
        assert_eq!(found(&["l'abonnement"], "pour l’abonnement"), ["l'abonnement"]);
    }

    #[test]
    fn words_inside_other_words_do_not_fit() {
        assert!(found(&["order"], "border").is_empty());
        assert!(found(&["order"], "orders").is_empty());
    }

    #[test]
    fn a_phrase_stays_within_its_sentence() {
        assert!(
            found(&["cancel order", "not .. arrived"], "Please cancel. Order more. Not so. It arrived")
                .is_empty()
        );
        assert!(found(&["not .. arrived"], "not one two three four five arrived").is_empty());
    }

    #[test]
    fn unreadable_phrases_are_refused() {
        for phrase in ["", "..", "a ..", ".. a", "a*", "?"] {
            assert!(PhraseIndex::default().add(phrase, ()).is_err(), "{phrase:?}");
        }
    }
}
