//! Owns the cutting of texts into tokens: BERT's uncased `WordPiece`. A word that is not in the list is cut into the
//! longest pieces from the left that are; one that cannot be cut has no token.
//!
//! Differs from the original in one thing: every character that is neither letter nor digit is a word by itself, currency
//! signs and emoji too, so that they do not take the word beside them along.

use serde::Deserialize;
use std::collections::HashMap;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// How the list marks a piece that continues a word.
const CONTINUES: &str = "##";
/// Tokens that stand for no text: padding and the unknown word.
const WITHOUT_TEXT: [&str; 2] = ["[PAD]", "[UNK]"];
/// Letters of the longest word that is cut.
const LONGEST_WORD: usize = 100;

/// The tokens, by what they are written like.
#[derive(Debug)]
pub(super) struct Vocabulary {
    len: usize,
    /// Tokens that begin a word.
    heads: HashMap<String, usize>,
    /// Tokens that continue one.
    tails: HashMap<String, usize>,
    /// Bytes of the longest token.
    longest: usize,
}

#[derive(Deserialize)]
struct File {
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    vocab: HashMap<String, usize>,
}

impl Vocabulary {
    /// Reads a `tokenizer.json`.
    pub(super) fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        let File { model: Model { vocab } } = serde_json::from_slice(json)?;
        let len = vocab.len();
        let longest = vocab.keys().map(String::len).max().unwrap_or_default();
        let (mut heads, mut tails) = (HashMap::with_capacity(len), HashMap::new());
        for (token, id) in vocab.into_iter().filter(|(token, _)| !WITHOUT_TEXT.contains(&token.as_str())) {
            match token.strip_prefix(CONTINUES) {
                Some(tail) if !tail.is_empty() => tails.insert(tail.to_owned(), id),
                Some(_) | None => heads.insert(token, id),
            };
        }
        Ok(Self { len, heads, tails, longest })
    }

    /// How many tokens there are, with those that stand for no text.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Hands the tokens of `text` to `take`, in their order.
    pub(super) fn tokens(&self, text: &str, mut take: impl FnMut(usize)) {
        let (mut word, mut pieces) = (String::new(), Vec::new());
        let mut end = |word: &mut String| {
            self.cut(word, &mut pieces);
            pieces.drain(..).for_each(&mut take);
            word.clear();
        };
        for c in text.chars() {
            if c.is_ascii_alphanumeric() {
                word.push(c.to_ascii_lowercase());
            } else if !c.is_ascii() && (c.is_alphanumeric() || is_combining_mark(c)) && !is_cjk(c) {
                word.extend(c.to_lowercase().nfd().filter(|c| !is_combining_mark(*c)));
            } else if !is_invisible(c) {
                end(&mut word);
                if !c.is_whitespace() {
                    word.push(c);
                    end(&mut word);
                }
            }
        }
        end(&mut word);
    }

    /// The pieces of `word`; none if a part of it is unknown.
    fn cut(&self, word: &str, pieces: &mut Vec<usize>) {
        if word.len() > LONGEST_WORD && word.chars().count() > LONGEST_WORD {
            return;
        }
        let (mut rest, mut list) = (word, &self.heads);
        while !rest.is_empty() {
            let Some((piece, id)) = self.longest_piece(rest, list) else {
                pieces.clear();
                return;
            };
            pieces.push(id);
            (rest, list) = (&rest[piece..], &self.tails);
        }
    }

    /// Length in bytes of the longest token that `word` begins with, and its number.
    fn longest_piece(&self, word: &str, list: &HashMap<String, usize>) -> Option<(usize, usize)> {
        let lengths = (1..=word.len().min(self.longest)).rev();
        let mut pieces = lengths.filter_map(|length| Some((length, *list.get(word.get(..length)?)?)));
        pieces.next()
    }
}

/// What disappears without ending a word: controls that are no blanks, and marks of width zero.
fn is_invisible(c: char) -> bool {
    let has_no_width = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fffd}');
    has_no_width || (c.is_control() && !c.is_whitespace())
}

/// Characters that are words by themselves.
fn is_cjk(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<usize> {
        let list = r###"{"model":{"vocab":{"[PAD]":0,"[UNK]":1,"un":2,"##able":3,"unable":4,"##r":5,"€":6,"cafe":7,"##":8}}}"###;
        let mut tokens = Vec::new();
        Vocabulary::read(list.as_bytes()).unwrap().tokens(text, |token| tokens.push(token));
        tokens
    }

    #[test]
    fn a_word_is_cut_into_the_longest_pieces_from_the_left() {
        assert_eq!(tokens("Unable UNR unabler"), [4, 2, 5, 4, 5]);
    }

    #[test]
    fn a_word_with_an_unknown_part_has_no_token() {
        assert_eq!(tokens("unx un-x able [PAD]"), [2]);
        assert_eq!(tokens(&format!("{} un", "un".repeat(60))), [2]);
    }

    #[test]
    fn accents_controls_and_signs_do_not_hide_a_word() {
        assert_eq!(tokens("café€un 手un cafe\u{301} c\u{200b}afe"), [7, 6, 2, 2, 7, 7]);
    }
}
