//! Owns the phrases that every rule is written in, and finds them in a text in one pass.
//!
//! Grammar: words separated by blanks; `refund*` is any word that starts so; `not .. arrived` lets up to four words
//! stand between. A phrase never reaches over the end of a sentence.

use super::token::{Words, head};
use std::collections::{BTreeMap, HashMap};
use ticketflow_tickets::language::Language;

const LONGEST_GAP: usize = 4;

/// Parts that the first words of an index are spread over.
const PARTS: usize = 256;

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

/// The phrases that start with the same word or prefix.
#[derive(Debug)]
struct Opening {
    /// The first letters of its word, and which of a word's [`head`] are compared with them.
    head: u32,
    compared: u32,
    piece: Piece,
    phrases: Vec<usize>,
}

impl Opening {
    fn of(piece: &Piece, word: &str, phrase: usize) -> Self {
        let compared = match piece {
            Piece::Prefix(prefix) if prefix.len() < 4 => (1 << (8 * prefix.len())) - 1,
            Piece::Prefix(_) | Piece::Word(_) | Piece::Gap => u32::MAX,
        };
        Self { head: head(word), compared, piece: piece.clone(), phrases: vec![phrase] }
    }

    /// Whole words come before prefixes, short prefixes before long ones.
    fn rank(piece: &Piece) -> (bool, usize) {
        match piece {
            Piece::Word(_) | Piece::Gap => (false, 0),
            Piece::Prefix(prefix) => (true, prefix.len()),
        }
    }
}

/// Phrases of one language, each with what it stands for.
#[derive(Debug)]
pub(in super::super) struct PhraseIndex<T> {
    phrases: Vec<Phrase<T>>,
    /// By [`part`] of their words: most words of a text meet an empty one, or one of a few openings.
    openings: Vec<Vec<Opening>>,
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
        Self { phrases: Vec::new(), openings: std::iter::repeat_with(Vec::new).take(PARTS).collect() }
    }
}

impl<T> PhraseIndex<T> {
    /// Adds `phrase`, which stands for `value`.
    pub(in super::super) fn add(&mut self, phrase: &str, value: T) -> Result<(), PhraseError> {
        let pieces = pieces(phrase)?;
        let number = self.phrases.len();
        let (Some(piece), Some(Piece::Word(word) | Piece::Prefix(word))) = (pieces.first(), pieces.first())
        else {
            return Err(PhraseError(phrase.to_owned()));
        };
        let openings = &mut self.openings[part(head(word))];
        if let Some(opening) = openings.iter_mut().find(|opening| opening.piece == *piece) {
            opening.phrases.push(number);
        } else {
            let at = openings.partition_point(|known| Opening::rank(&known.piece) <= Opening::rank(piece));
            openings.insert(at, Opening::of(piece, word, number));
        }
        self.phrases.push(Phrase { text: phrase.to_owned(), pieces, value });
        Ok(())
    }

    /// Every place in `words` where a phrase stands.
    pub(in super::super) fn matches<'a>(&'a self, words: &Words) -> Vec<Match<'a, T>> {
        self.places(words).collect()
    }

    fn places<'a>(&'a self, words: &Words) -> impl Iterator<Item = Match<'a, T>> {
        words.heads().enumerate().flat_map(move |(start, head)| {
            let openings = self.openings[part(head)].iter().filter(move |opening| {
                head & opening.compared == opening.head && opening.piece.fits(words.word(start))
            });
            let phrases = openings.flat_map(|opening| &opening.phrases).map(|number| &self.phrases[*number]);
            phrases.filter_map(move |phrase| {
                let end = end_of(&phrase.pieces, words, start)?;
                Some(Match { phrase: &phrase.text, value: &phrase.value, start, end })
            })
        })
    }

    /// Whether any phrase stands in `words`.
    pub(in super::super) fn occurs_in(&self, words: &Words) -> bool {
        self.places(words).next().is_some()
    }

    /// Words that phrases are made of and that stand there in full, with the phrases' values.
    pub(in super::super) fn single_words(&self) -> impl Iterator<Item = (&str, &T)> {
        self.phrases.iter().filter_map(|phrase| match phrase.pieces.as_slice() {
            [Piece::Word(word) | Piece::Prefix(word)] => Some((word.as_str(), &phrase.value)),
            _ => None,
        })
    }
}

/// The part that words of this head belong to; the same for every prefix of two letters or more.
const fn part(head: u32) -> usize {
    let [first, second, ..] = head.to_le_bytes();
    (first as usize * 31 + second as usize) % PARTS
}

fn pieces(phrase: &str) -> Result<Vec<Piece>, PhraseError> {
    let mut pieces = Vec::new();
    for part in phrase.split_whitespace() {
        if part == ".." {
            pieces.push(Piece::Gap);
            continue;
        }
        let open = part.ends_with('*');
        pieces.extend(Words::of(part.trim_end_matches('*')).iter().map(|word| Piece::Word(word.to_owned())));
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

/// One past the last word that the pieces take from `start` on, if they fit there.
fn end_of(pieces: &[Piece], words: &Words, start: usize) -> Option<usize> {
    let sentence = words.sentence(start)?;
    let goes_on = |next: &usize| words.sentence(*next) == Some(sentence);
    let (first, rest) = pieces.split_first()?;
    if let Piece::Gap = first {
        return (start..=start + LONGEST_GAP).filter(goes_on).find_map(|next| end_of(rest, words, next));
    }
    let next = Some(start + 1).filter(|_| first.fits(words.word(start)))?;
    if rest.is_empty() { Some(next) } else { end_of(rest, words, Some(next).filter(goes_on)?) }
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
    pub(in super::super) fn matches<'a>(&'a self, language: Language, words: &Words) -> Vec<Match<'a, T>> {
        let mut found = self.of(language).matches(words);
        if language != Language::EN {
            found.extend(self.of(Language::EN).matches(words));
        }
        found
    }

    /// Whether [`Self::matches`] has any.
    pub(in super::super) fn occur_in(&self, language: Language, words: &Words) -> bool {
        self.of(language).occurs_in(words) || self.of(Language::EN).occurs_in(words)
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
        index.matches(&Words::of(text)).iter().map(|place| place.phrase.to_owned()).collect()
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
