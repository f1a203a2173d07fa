//! Owns what in a draft is somebody else's text: quotes of the ticket and sentences of the cited articles.

use crate::provider::offline::text::{sentences, tokens};

/// The words of `text`, folded, with a blank around each, so that one text can be looked for in another.
pub(super) fn words_of(text: &str) -> String {
    let words = tokens(text).into_iter().map(|token| token.word);
    words.fold(" ".to_owned(), |line, word| line + &word + " ")
}

/// `draft` without the quotes whose words stand in `ticket`, which is folded.
pub(super) fn without_quotes(draft: &str, ticket: &str) -> String {
    let mut own = String::with_capacity(draft.len());
    for line in draft.lines() {
        let mut rest = line;
        while let Some((before, opened)) = split_at_mark(rest, &['“', '„', '«']) {
            own.push_str(before);
            let (quote, after) = split_at_mark(opened, &['”', '“', '»']).unwrap_or((opened, ""));
            let words = words_of(quote);
            if words.trim().is_empty() || !ticket.contains(words.trim_end()) {
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

/// The sentences of `draft` that do not stand in `articles`, which is folded.
pub(super) fn own_sentences<'a>(draft: &'a str, articles: &str) -> Vec<&'a str> {
    let ranges = sentences(draft).into_iter().map(|range| &draft[range]);
    ranges.filter(|sentence| !articles.contains(words_of(unnumbered(sentence)).as_str())).collect()
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
        let ticket = words_of("Can I get it back? Please!");
        let own = without_quotes("You ask: “Can I get it back?” and “We promise it”.", &ticket);
        assert!(!own.contains("get it back") && own.contains("We promise it"), "{own}");
        assert!(!without_quotes("„Can I get it back?“", &ticket).contains("back"));
    }

    #[test]
    fn an_articles_sentences_are_not_the_drafts_own() {
        let articles = words_of("We issue it within 2 business days. Nothing else.");
        let draft = "Hello,\n\n1. We issue it within 2 business days.\n2. We add 5 euros.";
        assert_eq!(own_sentences(draft, &articles), ["Hello,", "2. We add 5 euros."]);
    }
}
