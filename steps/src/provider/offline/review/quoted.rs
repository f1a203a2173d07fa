//! Owns what in a draft is somebody else's text: quotes of the ticket and sentences of the cited articles.

use crate::provider::offline::text::{Words, sentences};
use std::ops::Range;

/// `draft` without the quotes whose words stand in `ticket`, which is folded.
pub(super) fn without_quotes(draft: &str, ticket: &str) -> String {
    let mut own = String::with_capacity(draft.len());
    for line in draft.lines() {
        let mut rest = line;
        while let Some((before, opened)) = split_at_mark(rest, &['“', '„', '«']) {
            own.push_str(before);
            let (quote, after) = split_at_mark(opened, &['”', '“', '»']).unwrap_or((opened, ""));
            let words = Words::of(quote);
            if words.len() == 0 || !ticket.contains(words.line().trim_end()) {
                own.push_str(quote);
            }
            own.push(' ');
            rest = after;
        }
        own.push_str(rest);
        own.push('\n');
    }
    own
}

fn split_at_mark<'a>(text: &'a str, marks: &[char]) -> Option<(&'a str, &'a str)> {
    let at = text.find(marks)?;
    let after = text[at..].chars().next().map_or(at, |mark| at + mark.len_utf8());
    Some((&text[..at], &text[after..]))
}

/// A sentence of a draft.
#[derive(Debug)]
pub(super) struct Sentence {
    /// Where it stands.
    pub(super) range: Range<usize>,
    /// Its words.
    pub(super) words: Words,
}

/// The sentences of `draft` that do not stand in `articles`, which is folded.
pub(super) fn own_sentences(draft: &str, articles: &str) -> Vec<Sentence> {
    let mut own = Vec::new();
    for range in sentences(draft) {
        let sentence = &draft[range.clone()];
        let (words, bare) = (Words::of(sentence), unnumbered(sentence));
        let told = if bare.len() == sentence.len() {
            articles.contains(words.line())
        } else {
            articles.contains(Words::of(bare).line())
        };
        if !told {
            own.push(Sentence { range, words });
        }
    }
    own
}

/// The sentence without the number or dash of a list item.
fn unnumbered(sentence: &str) -> &str {
    sentence.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(['.', '-', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_of_the_ticket_are_taken_out_and_others_are_not() {
        let words = Words::of("Can I get it back? Please!");
        let ticket = words.line();
        let own = without_quotes("You ask: “Can I get it back?” and “We promise it”.", ticket);
        assert!(!own.contains("get it back") && own.contains("We promise it"), "{own}");
        assert!(!without_quotes("„Can I get it back?“", ticket).contains("back"));
    }

    #[test]
    fn an_articles_sentences_are_not_the_drafts_own() {
        let articles = Words::of("We issue it within 2 business days. Nothing else.");
        let draft = "Hello,\n\n1. We issue it within 2 business days.\n2. We add 5 euros.";
        let own = own_sentences(draft, articles.line());
        let own: Vec<_> = own.into_iter().map(|sentence| &draft[sentence.range]).collect();
        assert_eq!(own, ["Hello,", "2. We add 5 euros."]);
    }
}
