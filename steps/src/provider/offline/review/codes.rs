//! Owns the codes that a draft says. Whoever writes a ticket can ask for a code in the reply, and a
//! model may do as it is asked: a person sees every code of which the rules know nothing before a customer does.

use super::checks::Evidence;
use crate::provider::offline::text::Words;

/// Digits from which a word with letters counts as a code.
const DIGITS: usize = 3;
/// Digits from which a word without letters does.
const BARE_DIGITS: usize = 5;

impl Evidence<'_> {
    /// The first code in the draft that no rule finds in the ticket, no operator put into the extraction and
    /// no cited article holds.
    pub(super) fn unknown_code(&self) -> Option<&str> {
        let codes = self.codes();
        if codes.is_empty() {
            return None;
        }
        let known = self.known_codes();
        codes.into_iter().find(|code| !known.contains(Words::of(code).line()))
    }

    /// Those of quotes too: a reply that quotes a code says it.
    fn codes(&self) -> Vec<&str> {
        let text = &self.request.draft.text;
        // What a link holds is a matter of the allowed links.
        let links = self.reviewer.extractor.contacts().urls(text);
        let is_linked = |word: &&str| links.iter().any(|link| word.contains(link.as_str()));
        let words = text.split_whitespace().filter(|word| !is_linked(word));
        words.flat_map(|word| word.split(|c| !is_of_code(c))).filter(|piece| is_code(piece)).collect()
    }

    /// What is known, folded.
    fn known_codes(&self) -> String {
        let extractor = self.reviewer.extractor;
        let found =
            [&self.reading.text, &self.reading.quoted].into_iter().flat_map(|text| extractor.numbered(text));
        let found = found.map(|value| Words::of(&value).line().to_owned());
        // What a model extracted stands in the ticket; what does not was put there by an operator.
        let corrected =
            super::checks::values(self.request.extraction).map(|value| Words::of(value).line().to_owned());
        let corrected = corrected.filter(|line| !self.ticket.contains(line.as_str()));
        // What a site sells may be called by any of its names.
        let sold = extractor
            .catalogue()
            .named(&self.request.draft.text)
            .map(|name| Words::of(name).line().to_owned());
        found.chain(corrected).chain(sold).chain([self.articles.clone()]).collect()
    }
}

fn is_of_code(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.')
}

fn is_code(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    digits >= if word.contains(char::is_alphabetic) { DIGITS } else { BARE_DIGITS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_digits_enough_and_times_and_standards_have_not() {
        for code in ["PWNED-2001", "XK4821Z", "WH-1000XM4", "ticket-5f0a1b2c", "77777"] {
            assert!(is_code(code), "{code}");
        }
        for word in ["24/7", "UTF-8", "2FA", "14.00", "2026", "A4", "first", ""] {
            assert!(!is_code(word), "{word}");
        }
    }
}
