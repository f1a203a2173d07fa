//! Owns what counts as a word, and a text's words in the one form that every rule reads.

use super::{fold::fold_into, sentences};
use std::{borrow::Cow, ops::Range};
use unicode_normalization::char::is_combining_mark;

/// Bytes of a text for each of its words, roughly.
const BYTES_PER_WORD: usize = 6;

/// The words of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Words {
    /// The words, folded, with a blank around each.
    line: String,
    places: Vec<Place>,
}

/// Where a word stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// In the line.
    range: Range<usize>,
    head: u32,
    sentence: usize,
    shouted: bool,
}

impl Words {
    /// Cuts `text` into its words.
    pub(in super::super) fn of(text: &str) -> Self {
        let mut words = Self::none(text.len());
        for (sentence, range) in sentences(text).into_iter().enumerate() {
            words.read(&text[range], sentence);
        }
        words
    }

    fn none(bytes: usize) -> Self {
        let mut line = String::with_capacity(bytes + 2);
        line.push(' ');
        Self { line, places: Vec::with_capacity(bytes / BYTES_PER_WORD + 1) }
    }

    /// The words, folded, with a blank around each, so that one text can be looked for in another.
    pub(in super::super) fn line(&self) -> &str {
        &self.line
    }

    pub(super) fn into_line(self) -> (String, impl Iterator<Item = Range<usize>>) {
        (self.line, self.places.into_iter().map(|place| place.range))
    }

    /// How many there are.
    pub(in super::super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The words in their order. Folded; an inner apostrophe or the hyphen after a single letter is gone (`dont`,
    /// `email`).
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|place| &self.line[place.range.clone()])
    }

    /// The [`head`] of each word, in their order.
    pub(super) fn heads(&self) -> impl Iterator<Item = u32> {
        self.places.iter().map(|place| place.head)
    }

    /// The word at `at`.
    pub(in super::super) fn word(&self, at: usize) -> &str {
        &self.line[self.places[at].range.clone()]
    }

    /// Number of the sentence that the word at `at` stands in; none past the end.
    pub(in super::super) fn sentence(&self, at: usize) -> Option<usize> {
        self.places.get(at).map(|place| place.sentence)
    }

    /// Whether the word at `at` has two letters or more, all capitals.
    pub(in super::super) fn is_shouted(&self, at: usize) -> bool {
        self.places[at].shouted
    }

    /// How many are shouted.
    pub(in super::super) fn shouted(&self) -> usize {
        self.places.iter().filter(|place| place.shouted).count()
    }

    /// The words of several texts, one after the other; no sentence reaches from one into the next.
    pub(in super::super) fn joined(parts: &[&Self]) -> Self {
        let mut all = Self::none(parts.iter().map(|part| part.line.len()).sum());
        for part in parts {
            let beyond = all.places.last().map_or(0, |place| place.sentence + 1);
            for (place, word) in part.places.iter().zip(part.iter()) {
                all.push(word, place.sentence + beyond, place.shouted);
            }
        }
        all
    }

    /// The words with those put in that `mend` has for them.
    pub(in super::super) fn mended<'a>(&self, mend: impl Fn(&str) -> Option<&'a str>) -> Cow<'_, Self> {
        let slips: Vec<Option<&str>> = self.iter().map(mend).collect();
        if slips.iter().all(Option::is_none) {
            return Cow::Borrowed(self);
        }
        let mut mended = Self::none(self.line.len());
        for ((word, slip), place) in self.iter().zip(slips).zip(&self.places) {
            mended.push(slip.unwrap_or(word), place.sentence, place.shouted);
        }
        Cow::Owned(mended)
    }

    fn push(&mut self, word: &str, sentence: usize, shouted: bool) {
        let start = self.line.len();
        self.line.push_str(word);
        self.places.push(Place { range: start..self.line.len(), head: head(word), sentence, shouted });
        self.line.push(' ');
    }

    /// Adds the words of a sentence.
    fn read(&mut self, text: &str, sentence: usize) {
        let mut word = Letters::default();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c.is_ascii_alphanumeric() {
                word.add(c);
                self.line.push(c.to_ascii_lowercase());
            } else if !c.is_ascii() && (c.is_alphanumeric() || is_combining_mark(c)) {
                word.add(c);
                fold_into(c, &mut self.line);
            } else if word.all > 0 && !joins(&word, c, chars.as_str()) {
                self.end(&std::mem::take(&mut word), sentence);
            }
        }
        self.end(&word, sentence);
    }

    /// Ends the word at the end of the line; nothing is left of one that was accents alone.
    fn end(&mut self, word: &Letters, sentence: usize) {
        let start = self.places.last().map_or(0, |place| place.range.end) + 1;
        if start < self.line.len() {
            let shouted = word.alphabetic >= 2 && !word.lower;
            let head = head(&self.line[start..]);
            self.places.push(Place { range: start..self.line.len(), head, sentence, shouted });
            self.line.push(' ');
        }
    }
}

/// The first four bytes of a word, which tell most words apart.
pub(super) fn head(word: &str) -> u32 {
    let mut head = [0; 4];
    for (byte, own) in head.iter_mut().zip(word.bytes()) {
        *byte = own;
    }
    u32::from_le_bytes(head)
}

/// What a word was before it was folded.
#[derive(Debug, Default)]
struct Letters {
    all: usize,
    alphabetic: usize,
    lower: bool,
}

impl Letters {
    fn add(&mut self, c: char) {
        self.all += 1;
        self.alphabetic += usize::from(c.is_alphabetic());
        self.lower |= c.is_lowercase();
    }
}

/// Whether the mark `c` after `word` disappears instead of ending the word.
fn joins(word: &Letters, c: char, rest: &str) -> bool {
    match c {
        '\'' | '’' | 'ʼ' | '´' | '`' => {
            let mut tail = rest.chars().take_while(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
            matches!(
                (tail.next(), tail.next(), tail.next()),
                (Some('t' | 's' | 'd' | 'm'), None, None)
                    | (Some('r' | 'v'), Some('e'), None)
                    | (Some('l'), Some('l'), None)
            )
        }
        '-' | '\u{2011}' => word.all == 1 && rest.starts_with(char::is_alphabetic),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Words::of(text).iter().map(str::to_owned).collect()
    }

    #[test]
    fn contractions_stay_whole_and_elisions_do_not() {
        assert_eq!(words("I don’t, it's"), ["i", "dont", "its"]);
        assert_eq!(words("they'll, you’ve, rock'n'roll"), ["theyll", "youve", "rock", "n", "roll"]);
        assert_eq!(words("l'abonnement d’été"), ["l", "abonnement", "d", "ete"]);
    }

    #[test]
    fn a_hyphen_joins_only_a_single_letter() {
        assert_eq!(words("E-Mail-Adresse, sign-in"), ["email", "adresse", "sign", "in"]);
    }

    #[test]
    fn accents_alone_are_no_word() {
        assert_eq!(words("a \u{301} b\u{301}"), ["a", "b"]);
    }

    #[test]
    fn words_know_their_sentence_and_their_volume() {
        let words = Words::of("Help. WHERE is my I");
        assert_eq!(words.line(), " help where is my i ");
        assert_eq!((0..6).map_while(|at| words.sentence(at)).collect::<Vec<_>>(), [0, 1, 1, 1, 1]);
        assert_eq!((0..5).filter(|at| words.is_shouted(*at)).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn no_sentence_reaches_from_one_text_into_the_next() {
        let both = Words::joined(&[&Words::of("One. Two"), &Words::of("three. Four")]);
        assert_eq!(both.line(), " one two three four ");
        assert_eq!((0..4).map_while(|at| both.sentence(at)).collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    fn a_mended_word_stands_where_the_slip_was() {
        let words = Words::of("My acount. LOCKED");
        let mended = words.mended(|word| (word == "acount").then_some("account"));
        assert_eq!(mended.line(), " my account locked ");
        assert_eq!((mended.word(1), mended.sentence(2), mended.is_shouted(2)), ("account", Some(1), true));
        assert_eq!(*words.mended(|_| None), words);
    }
}
